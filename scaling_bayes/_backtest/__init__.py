"""Backtests: laws fitted to the smaller runs, and scored on the larger ones."""

from scaling_bayes._backtest._run import backtest
from scaling_bayes._backtest._tables import Backtest

__all__ = ["Backtest", "backtest"]
