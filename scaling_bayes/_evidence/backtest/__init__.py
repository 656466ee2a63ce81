"""Backtests: laws fitted to the smaller runs, and scored on the larger ones."""

from scaling_bayes._evidence.backtest.run import backtest
from scaling_bayes._evidence.backtest.tables import Backtest

__all__ = ["Backtest", "backtest"]
