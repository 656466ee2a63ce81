"""From runs and hypotheses to checked draws."""
