"""Whether one fit describes its runs, and what is doubtful about it."""
