"""Means over sources that weigh the same, with their uncertainty, and tables in Markdown."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

RESAMPLES = 4000
PROB = 0.9
"""Probability of the intervals over sources."""


def by_source(rows: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """Return means by source, in which sweeps weigh the same, and in these rows."""
    return rows.groupby(["source", "sweep"])[list(columns)].mean().groupby("source").mean()


def weights(rows: pd.DataFrame) -> np.ndarray:
    """Return weights of rows, with which `by_source` is averaged over sources."""
    sweeps = rows.groupby("source")["sweep"].transform("nunique")
    of_sweep = rows.groupby(["source", "sweep"])["sweep"].transform("size")
    weight = (1 / (sweeps * of_sweep)).to_numpy()
    return weight / weight.sum()


def interval(of_sources: pd.Series) -> tuple[float, float]:
    """Return the interval of a mean over sources, by the bootstrap over whole sources.

    The same resamples are drawn whatever is averaged, so that methods compare. With few sources
    such intervals are somewhat too narrow; one source has none.
    """
    values = of_sources.dropna().to_numpy()
    if len(values) < 2:
        return np.nan, np.nan
    drawn = np.random.default_rng(0).integers(len(values), size=(RESAMPLES, len(values)))
    low, high = np.quantile(values[drawn].mean(axis=1), ((1 - PROB) / 2, (1 + PROB) / 2))
    return float(low), float(high)


def with_interval(of_sources: pd.Series, show: Callable[[float], str] = "{:.2f}".format) -> str:
    """Return a mean over sources in words, with its interval."""
    low, high = interval(of_sources)
    mean = show(float(of_sources.mean()))
    return mean if np.isnan(low) else f"{mean} ({show(low)} to {show(high)})"


def span(of_sources: pd.Series) -> str:
    """Return the smallest and the largest of the sources' values in words."""
    return f"{of_sources.min():.2f} to {of_sources.max():.2f}"


def exponential(digits: int) -> Callable[[float], str]:
    """Return a function that shows the exponential of a number."""
    return lambda value: f"{np.exp(value):.{digits}f}"


def wide(
    rows: pd.DataFrame, of: str, by: str, show: Callable[[float], str] = "{:.2f}".format
) -> pd.DataFrame:
    """Return one row a value of `by` and one column a method: means over sources of a column."""
    cells = {
        name: {method: show(float(by_source(part, [of])[of].mean())) for method, part in parts}
        for name, parts in (
            (name, group.groupby("method", sort=False))
            for name, group in rows.groupby(by, sort=False, observed=True)
        )
    }
    return pd.DataFrame(cells).T.rename_axis(by)


def markdown(table: pd.DataFrame, formats: Mapping[str, Callable[..., str]] | None = None) -> str:
    """Return a table, with its index, in Markdown."""
    shown = table.reset_index()
    rows: Iterable[list[str]] = (
        [_cell(value, (formats or {}).get(name, str)) for name, value in row.items()]
        for row in shown.to_dict("records")
    )
    lines = [list(map(str, shown.columns)), ["---"] * len(shown.columns), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _cell(value: object, show: Callable[..., str]) -> str:
    missing = isinstance(value, float) and np.isnan(value)
    return "" if missing else show(value).replace("|", " ")


def counted(events: pd.DataFrame, by: list[str]) -> str:
    """Return how many refits each method failed at, or warned in, and of what."""
    if not len(events):
        return "None."
    refits = events.drop_duplicates([*by, "sweep", "cut"])
    return markdown(refits.groupby(by).size().rename("refits").reset_index().set_index(by[0]))
