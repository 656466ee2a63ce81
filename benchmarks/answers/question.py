"""What every tool is asked, and how it tells what it found; needs NumPy alone.

A script by_*.py fits the runs of one table as the README of its tool shows, prints what the tool
prints of parameters, and forecasts the runs of another table. It runs in the environment of its
tool: first_answer.py starts it.
"""

import argparse
import csv
import json

import numpy as np

QUANTILES = (0.05, 0.5, 0.95)
NO_INTERVAL = "no interval"
BUDGET = 5.76e23
"""Chinchilla's own, in FLOPs."""


def arguments():
    """Return a parser of the two tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("runs", help="CSV of the runs to fit")
    parser.add_argument("points", help="CSV of the runs to forecast")
    return parser


def columns(path):
    """Return the sizes, tokens, compute and losses of a table, as arrays by name."""
    with open(path, encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    names = ("n_params", "tokens", "flops", "loss")
    return {name: np.array([float(row[name]) for row in rows]) for name in names}


def curve(draws, n_params, tokens):
    """Return the mean curve, of shape (draw, point)."""
    E, A, B, alpha, beta = (
        np.asarray(draws[name])[:, None] for name in ("E", "A", "B", "alpha", "beta")
    )
    return E + A / n_params**alpha + B / tokens**beta


def quantiles(draws):
    """Return lower end, median and upper end over the first dimension."""
    return np.quantile(draws, QUANTILES, axis=0)


def tell(interval, draws, forecasts, **more):
    """Print what was found, as JSON on the last line.

    Parameters
    ----------
    interval : str
        What the intervals are, or NO_INTERVAL if all draws are one.
    draws : mapping of str to array
        Draws of E, A, B, alpha and beta.
    forecasts : array
        Lower end, median and upper end of the loss, of shape (3, point).
    **more
        What else to tell.
    """
    E, A, B, alpha, beta = (np.ravel(draws[name]) for name in ("E", "A", "B", "alpha", "beta"))
    a = beta / (alpha + beta)
    optimum = (alpha * A / (beta * B)) ** (1 / (alpha + beta)) * (BUDGET / 6) ** a
    found = {"alpha": alpha, "beta": beta, "E": E, "a": a, "N*, 1e9": optimum / 1e9}
    told = {
        "interval": interval,
        "parameters": {name: quantiles(values).tolist() for name, values in found.items()},
        "forecasts": np.transpose(forecasts).tolist(),
    }
    print(json.dumps(told | more))
