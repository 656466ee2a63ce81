"""One law for groups of runs, whose parameters vary around common ones."""
