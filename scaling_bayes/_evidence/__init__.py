"""Several fits against runs: scores, backtests, comparisons."""
