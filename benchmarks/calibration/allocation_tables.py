"""The tables of allocation: N* against measured minima of isoFLOP slices above the cut."""

from __future__ import annotations

import numpy as np
import pandas as pd
from forecast_tables import bands
from methods import DEFAULT
from weights import by_source, exponential, markdown, span, wide, with_interval

LEAST_FACTOR = 2.0
"""Smallest budget at which growth is compared, in units of the largest fitted compute."""


def tested(allocation: pd.DataFrame) -> pd.DataFrame:
    """Return rows with what is asked of each: whether N* is held, how wide, how far off."""
    known = allocation["measured"].notna()
    growing = allocation["measured_growth"].notna() & (allocation["factor"] >= LEAST_FACTOR)
    held = _within(allocation["measured"], allocation, "n_params")
    met = (allocation["measured_lower"] <= allocation["n_params_upper"]) & (
        allocation["n_params_lower"] <= allocation["measured_upper"]
    )
    grown = _within(allocation["measured_growth"], allocation, "growth")
    return allocation.assign(
        tenfold=~known,
        held=held.where(known).astype(float),
        met=met.where(known).astype(float),
        width=np.log(allocation["n_params_upper"] / allocation["n_params_lower"]),
        own_width=np.log(allocation["measured_upper"] / allocation["measured_lower"]),
        off=np.log(allocation["n_params"] / allocation["measured"]),
        distant=np.log(allocation["n_params"] / allocation["measured"]).abs(),
        regret=1e3 * allocation["regret"],
        grew=grown.where(growing).astype(float),
        forecast_growth=allocation["growth"].where(growing),
        growth_seen=allocation["measured_growth"].where(growing),
        distance=bands(allocation["factor"]),
        minimum=allocation["sweep"] + " " + allocation["measured"].astype(str),
    )


def _within(value: pd.Series, rows: pd.DataFrame, name: str) -> pd.Series:
    return (rows[f"{name}_lower"] <= value) & (value <= rows[f"{name}_upper"])


def summary(rows: pd.DataFrame, *, sources: bool) -> dict[str, object]:
    """Return means over sources of tests and widths, with intervals over sources if there are any.

    Widths are medians of each source, of which the geometric mean is taken.
    """
    tests = rows[~rows["tenfold"]]
    tenfold = rows[rows["tenfold"] & rows["source"].isin(tests["source"])]
    names = ["held", "met", "off", "distant", "regret", "grew", "forecast_growth", "growth_seen"]
    table = by_source(tests, names)
    mean = table.mean()
    width, at_ten = (part.groupby("source")["width"].median() for part in (tests, tenfold))
    shown: dict[str, object] = {"minima": tests["minimum"].nunique(), "tests": len(tests)}
    if sources:
        shown = {"sources": len(table)} | shown
        shown["holds N*"] = with_interval(table["held"])
        shown["holds N*, by source"] = span(table["held"])
        shown["regret, 1e-3 nats"] = with_interval(table["regret"], "{:.1f}".format)
    else:
        shown["holds N*"] = f"{mean['held']:.2f}"
        shown["regret, 1e-3 nats"] = f"{mean['regret']:.1f}"
    shown["meets it"] = f"{mean['met']:.2f}"
    own_width = tests.groupby("source")["own_width"].median().mean()
    shown["hi/lo"] = f"{np.exp(width.mean()):.1f}"
    shown["hi/lo measured"] = f"{np.exp(own_width):.1f}"
    if len(at_ten):
        shown["hi/lo at 10x"] = f"{np.exp(at_ten.mean()):.1f}"
    shown["N* off by"] = exponential(2)(mean["distant"])
    shown["bias, times"] = exponential(2)(mean["off"])
    if tests["grew"].notna().any():
        shown["holds growth"] = f"{mean['grew']:.2f}"
        shown["growth"] = f"{mean['forecast_growth']:.2f}"
        shown["growth measured"] = f"{mean['growth_seen']:.2f}"
    return shown


def _of(rows: pd.DataFrame, by: str, *, sources: bool) -> str:
    found = {
        name: summary(part, sources=sources)
        for name, part in rows.groupby(by, sort=by == "distance", observed=True)
        if not part["tenfold"].all()
    }
    return markdown(pd.DataFrame(found).T.rename_axis(by))


def allocation_parts(allocation: pd.DataFrame) -> list[str]:
    """Return the tables of allocation, with their titles, in Markdown."""
    if not len(allocation):
        return []
    rows = tested(allocation)
    default = rows[rows["method"] == DEFAULT]
    tests = rows[~rows["tenfold"]]
    return [
        "**Allocation: N\\* against measured minima above the cut, every source weighs the same**"
        "\n\n" + _of(rows, "method", sources=True),
        "**Allocation by the default, by source**\n\n" + _of(default, "source", sources=False),
        "**Allocation by the default, by distance**: budget over the largest compute fitted\n\n"
        + _of(default[~default["tenfold"]], "distance", sources=True),
        "**90% intervals of N\\* that hold the measured minimum, by source**\n\n"
        + markdown(wide(tests, "held", "source")),
        "**Regret of the recommended N, 1e-3 nats, by source**\n\n"
        + markdown(wide(tests, "regret", "source", "{:.1f}".format)),
    ]
