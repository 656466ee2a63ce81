"""From draws to forecasts, optima, allocations and averages."""
