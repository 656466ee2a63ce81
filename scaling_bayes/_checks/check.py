"""Does the law describe the runs? Residuals, priors, and what the runs can tell."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from scaling_bayes._checks.sensitivity import (
    CONFLICT,
    SENSITIVE,
    WEAK,
    Modelled,
    identifiability_of,
    sensitivity_of,
)
from scaling_bayes._checks.trends import (
    TOKENS_PER_PARAM,
    Scatter,
    adjusted,
    covariates_of,
    groups_of,
    scatter_of,
    trends_of,
)
from scaling_bayes._prediction.law_draws import discrepancy_of
from scaling_bayes._printable import printable, printed
from scaling_bayes.units import SIZES, format_quantity

SIGNIFICANT = 0.05
"""Adjusted p-value below which the account speaks of a misfit."""
FAR = 4.0
"""Noise scales from the mean curve at which a run is listed, whatever the noise makes of it."""
LITTLE_CONTRACTION = 0.5
"""Contraction below which a parameter rests on its prior more than on the runs."""
TIED = 0.95
"""Least correlation of two parameters that are named as a ridge."""

_LEAST_PERCENT = 0.005
"""Percent of the loss, below which a trend shows as 0.00 and is not spoken of."""
_MOST_OUTLIERS = 5
_RESTS = {
    CONFLICT: " Priors shape it as well as the runs: say which you chose.",
    WEAK: " It rests on the priors more than on the runs: add runs, or justify the priors.",
}
"""What an answer rests on, by the diagnosis of its sensitivity."""
_NAMES = {
    "n_params": "model size",
    "tokens": "tokens",
    "flops": "compute",
    TOKENS_PER_PARAM: "tokens per parameter",
}
_FORMATS: dict[str, Callable[[float], str]] = {
    **{name: partial(format_quantity, kind=name) for name in ("n_params", "tokens", "flops")},
    TOKENS_PER_PARAM: "{:.3g}".format,
}


@dataclass(frozen=True, eq=False)
class Check:
    """How far a fit describes its runs, and how far the runs determine the fit.

    Replicates are tables of runs simulated at the sizes of the runs from the posterior and its
    noise. A *p* is a two-sided posterior predictive p-value (Gelman, Meng and Stern 1996): how
    seldom a replicate's figure is as far out as that of the runs. From the residuals of both, the
    part that the law, or its discrepancy, could take up is taken out, so that replicates are as if
    fitted too. A ``p_adjusted`` is *p* after Holm 1979 for all trends and groups together.

    Attributes
    ----------
    label : str
        The law.
    residuals : DataFrame
        One row a run, in the order of ``runs.frame``: ``n_params``, ``tokens``, ``flops``,
        ``tokens_per_param``, ``group`` if there is one; ``loss`` and ``expected_loss`` (median
        of the mean curve) in nats per token; ``residual_percent``, 100 times the log of their
        ratio; ``noise_scale``, half the width of the central 68% of the noise on log loss;
        ``noise_scales``, the residual in these; ``pit``, the posterior predictive probability
        of a loss at most that high.
    trends : DataFrame
        One row a test quantity. ``quantity`` is ``slope`` (change from the smallest to the
        largest value of the log of ``against``), ``bend`` (how far both ends lie above the
        middle), ``spread`` (factor on the size of residuals from the least to the most compute)
        or ``tails`` (kurtosis; 3 for a normal). ``size`` in ``unit``, where residuals beyond
        three noise scales count as three except for tails; ``replicated_lower`` and
        ``replicated_upper``, the central 90% of replicates; ``absorbed``, the share of the
        trend that the law, or its discrepancy, takes up and residuals cannot show; ``p``, NaN
        where that is more than 98%; ``p_adjusted``.
    groups : DataFrame
        One row a group, where runs have a column ``group``: ``n_runs``, and the mean residual
        with the same columns.
    outliers : DataFrame
        The rows of ``residuals`` that lie four noise scales or more away, or are less probable
        than 0.05, farthest first. ``p_among_runs`` is the probability that the farthest of as
        many runs lies as far away, given the fitted noise, whose tails the outliers have
        shaped.
    sensitivity : DataFrame
        One row a parameter, and one each for the mean curve and N* at ten times the largest
        fitted compute: power-scaling sensitivity to ``prior`` and ``likelihood``
        (Kallioinen et al. 2024; LogNormal priors as densities of the log), the parameter whose
        prior it is ``most_sensitive_to``, and a ``diagnosis``: prior-data conflict if both are
        0.05 at least, strong prior or weak likelihood if only the prior's is.
    identifiability : DataFrame
        One row a parameter: ``prior_sd`` and ``posterior_sd`` on the ``scale`` (log for
        positive parameters); ``contraction``, 1 less the ratio of their squares: 1 where the
        runs tell all, 0 where they tell nothing; the parameter it is ``most_correlated`` with
        in the posterior, and the ``correlation``.
    words : tuple of str
        The account in sentences.
    """

    label: str
    residuals: pd.DataFrame
    trends: pd.DataFrame
    groups: pd.DataFrame
    outliers: pd.DataFrame
    sensitivity: pd.DataFrame
    identifiability: pd.DataFrame
    words: tuple[str, ...]

    @printed
    def __repr__(self) -> str:
        title = f"Check of {self.label} on the {len(self.residuals)} runs it was fitted to"
        return "\n".join([title, *(f"- {sentence}" for sentence in self.words)])


def check(source: Modelled, *, seed: int | None = None) -> Check:
    """Return how far a fit describes its runs, and how far the runs determine the fit.

    Parameters
    ----------
    source : Fit
        The fit.
    seed : int, optional
        Source of replicates and of draws from the priors.

    Returns
    -------
    Check
    """
    scatter = scatter_of(source, source.runs, seed=seed)
    trends, groups = _with_adjusted(trends_of(scatter), groups_of(scatter))
    residuals = residuals_of(scatter)
    outliers = outliers_of(scatter, residuals)
    sensitivity = sensitivity_of(source)
    identifiability = identifiability_of(source, seed=seed)
    error = discrepancy_of(source)
    law = "the law" if error is None else "the law with its discrepancy"
    words = (
        _verdict(trends, groups, residuals, law),
        *(() if error is None else [_shift_words(100 * scatter.shift, residuals)]),
        *_trend_words(trends, residuals, law),
        *_group_words(groups, residuals, law),
        *_outlier_words(outliers, len(residuals)),
        *_sensitivity_words(sensitivity.loc[identifiability.index]),
        *_answer_words(sensitivity.drop(identifiability.index)),
        *_identifiability_words(identifiability),
    )
    return Check(
        source.label,
        residuals,
        trends,
        groups,
        outliers,
        sensitivity,
        identifiability,
        tuple(map(printable, words)),
    )


def residuals_of(scatter: Scatter) -> pd.DataFrame:
    """Return the residual of each run; see `Check`."""
    frame = scatter.runs.frame
    table = covariates_of(scatter.runs)
    if "group" in frame:
        table["group"] = frame["group"]
    residual = np.log(frame["loss"].to_numpy()) - scatter.expected
    return table.assign(
        loss=frame["loss"],
        expected_loss=np.exp(scatter.expected),
        residual_percent=100 * residual,
        noise_scale=scatter.scale,
        noise_scales=residual / scatter.scale,
        pit=(scatter.replicated <= scatter.observed).mean(axis=0),
    ).rename_axis("row")


def outliers_of(scatter: Scatter, residuals: pd.DataFrame) -> pd.DataFrame:
    """Return the runs that lie far from the mean curve; see `Check`."""
    farthest = np.abs(scatter.replicated / scatter.scale).max(axis=1)
    away = np.abs(scatter.observed / scatter.scale)
    table = residuals.assign(p_among_runs=(farthest[:, None] >= away).mean(axis=0))
    far = (table["noise_scales"].abs() >= FAR) | (table["p_among_runs"] < SIGNIFICANT)
    order = table["noise_scales"].abs().sort_values(ascending=False).index
    return table.loc[order][far[order]]


def _with_adjusted(*tables: pd.DataFrame) -> Iterator[pd.DataFrame]:
    values = adjusted(np.concatenate([table["p"].to_numpy(dtype=float) for table in tables]))
    start = 0
    for table in tables:
        yield table.assign(p_adjusted=values[start : start + len(table)])
        start += len(table)


def _out_of_line(table: pd.DataFrame) -> pd.Series:
    """Return which quantities are off by more than replicates."""
    return table["p_adjusted"].astype(float) < SIGNIFICANT


def _told(table: pd.DataFrame, residuals: pd.DataFrame) -> pd.DataFrame:
    """Return those that are out of line, and by enough of the loss to be seen.

    Spread and tails, which are no percentage of the loss, are of noise that large.
    """
    noise = 100 * residuals["noise_scale"].max()
    percent = table["size"].abs().where(table["unit"] == "% of loss", noise)
    return table[_out_of_line(table) & (percent >= _LEAST_PERCENT)]


def _verdict(trends: pd.DataFrame, groups: pd.DataFrame, residuals: pd.DataFrame, law: str) -> str:
    tested = pd.concat([trends["p"], groups["p"]]).astype(float).dropna()
    quantities = f"{len(tested)} test quantities of trends, spread, tails and groups"
    n_left = len(trends) + len(groups) - len(tested)
    if n_left:
        quantities += f" ({n_left} more cannot be tested, since {law} takes them up)"
    if tested.empty:
        return (
            f"Residuals could not be tested: {law} takes up every trend that these runs could "
            "show. Add runs of other sizes."
        )
    n_found = int(_out_of_line(trends).sum() + _out_of_line(groups).sum())
    n_told = len(_told(trends, residuals)) + len(_told(groups, residuals))
    if not n_found:
        values = pd.concat([trends["p_adjusted"], groups["p_adjusted"]]).astype(float)
        return (
            f"Residuals show nothing that {law} and its noise would not give: of {quantities}, "
            f"the smallest p is {tested.min():.2g}, and {values.min():.2g} when adjusted for "
            "their number."
        )
    found = (
        f"{n_found} of {quantities} {'is' if n_found == 1 else 'are'} out of line (p below "
        f"{SIGNIFICANT:g} when adjusted for their number)"
    )
    if not n_told:
        size = f"by less than {_LEAST_PERCENT:g}% of the loss"
        return f"Residuals show nothing that can be seen: {found}, {size}."
    return f"Residuals are not those of {law} and its noise: {found}." + (
        " Trends overlap; the clearest comes first." if n_told > 1 else ""
    )


def _shift_words(percent: np.ndarray, residuals: pd.DataFrame) -> str:
    most = int(np.abs(percent).argmax())
    return (
        f"The discrepancy moves the law by {np.sqrt(np.mean(percent**2)):.2g}% of the loss at "
        f"these runs (root mean square of posterior medians), at most by {percent[most]:+.2g}%, at "
        f"row {residuals.index[most]} ({_sizes(residuals.iloc[most])})."
    )


def _trend_words(trends: pd.DataFrame, residuals: pd.DataFrame, law: str) -> Iterator[str]:
    width = trends["replicated_upper"] - trends["replicated_lower"]
    strength = (
        trends["size"] - trends[["replicated_lower", "replicated_upper"]].mean(axis=1)
    ).abs()
    found = _told(trends, residuals)
    for index in (strength / width)[found.index].sort_values(ascending=False).index:
        yield _of_trend(trends.loc[index], residuals, law)


def _of_trend(row: Any, residuals: pd.DataFrame, law: str) -> str:
    if row["quantity"] == "tails":
        kind = "heavier" if row["size"] > row["replicated_upper"] else "lighter"
        return (
            f"Residuals have {kind} tails than the noise: kurtosis {row['size']:.1f}, in 90% of "
            f"replicates {row['replicated_lower']:.1f} to {row['replicated_upper']:.1f} "
            f"(p {_p(row['p'])})."
        )
    name, shown = _NAMES[row["against"]], _FORMATS[row["against"]]
    low, high = (shown(limit) for limit in residuals[row["against"]].agg(["min", "max"]))
    if row["quantity"] == "spread":
        return (
            f"The noise {'grows' if row['size'] > 1 else 'shrinks'} with {name}: from {low} to "
            f"{high} residuals become {row['size']:.2g} times as large, in 90% of replicates "
            f"{row['replicated_lower']:.2g} to {row['replicated_upper']:.2g} times "
            f"(p {_p(row['p'])}). Intervals of new runs are too wide at one end and too narrow "
            "at the other."
        )
    evidence = (
        f"in 90% of replicates {row['replicated_lower']:.2f}% to {row['replicated_upper']:.2f}% "
        f"(p {_p(row['p'])}); {law} is biased there."
    )
    if row["quantity"] == "slope":
        return (
            f"Residuals {'rise' if row['size'] > 0 else 'fall'} with {name}: from {low} to {high} "
            f"by {abs(row['size']):.2f}% of the loss, {evidence}"
        )
    return (
        f"Residuals bend with {name}: at {low} and {high} they lie {abs(row['size']):.2f}% of the "
        f"loss {'above' if row['size'] > 0 else 'below'} the middle, {evidence}"
    )


def _group_words(groups: pd.DataFrame, residuals: pd.DataFrame, law: str) -> Iterator[str]:
    found = _told(groups, residuals)
    for row in found.to_dict("records"):
        yield (
            f"The {row['n_runs']} runs of group {row['group']!r} lie {abs(row['size']):.2f}% "
            f"{'above' if row['size'] > 0 else 'below'} {law} on average, in 90% of replicates "
            f"{row['replicated_lower']:.2f}% to {row['replicated_upper']:.2f}% "
            f"(p {_p(row['p'])}). Fit that group by itself, or leave it out."
        )


def _outlier_words(outliers: pd.DataFrame, n_runs: int) -> Iterator[str]:
    outliers = outliers[outliers["residual_percent"].abs() >= _LEAST_PERCENT]
    for row, run in outliers.head(_MOST_OUTLIERS).iterrows():
        yield (
            f"Row {row} ({_sizes(run)}) has a loss of {run['loss']:.4g} where "
            f"{run['expected_loss']:.4g} is expected: {abs(run['noise_scales']):.1f} noise scales "
            f"{'above' if run['noise_scales'] > 0 else 'below'}. Of {n_runs} runs with the fitted "
            f"noise the farthest lies as far with probability {run['p_among_runs']:.2g}."
        )
    more = len(outliers) - _MOST_OUTLIERS
    if more > 0:
        yield f"{more} more runs lie {FAR:g} noise scales or more away; see outliers."


def _sensitivity_words(sensitivity: pd.DataFrame) -> Iterator[str]:
    for diagnosis, opening, remedy in (
        (
            CONFLICT,
            "Possible conflict of priors and runs over",
            "Compare prior and posterior with plot_prior_posterior, and widen a prior that was a "
            "guess.",
        ),
        (WEAK, "Priors move, and the runs hardly do,", "Add runs, or justify that prior."),
    ):
        found = sensitivity[sensitivity["diagnosis"] == diagnosis]
        for prior, moved in found.groupby("most_sensitive_to", sort=False):
            names = ", ".join(
                f"{name} (sensitivity to priors {row['prior']:.2f}, to the runs "
                f"{row['likelihood']:.2f})"
                for name, row in moved.iterrows()
            )
            yield f"{opening} {names}; what moves it most is the prior of {prior}. {remedy}"


def _answer_words(sensitivity: pd.DataFrame) -> Iterator[str]:
    for name, row in sensitivity.iterrows():
        yield (
            f"{name}, ten times the largest fitted compute, moves with priors by "
            f"{row['prior']:.2f} and with the runs by {row['likelihood']:.2f} (power-scaling "
            f"sensitivity, {SENSITIVE:g} counts)." + _RESTS.get(row["diagnosis"], "")
        )


def _identifiability_words(identifiability: pd.DataFrame) -> Iterator[str]:
    little = identifiability[identifiability["contraction"] < LITTLE_CONTRACTION]
    for name, row in little.iterrows():
        yield (
            f"The runs tell little of {name}: its posterior is "
            f"{row['posterior_sd'] / row['prior_sd']:.2f} times as wide as its prior "
            f"(standard deviations on the {row['scale']} scale)."
        )
    seen: set[frozenset[str]] = set()
    for name, row in identifiability[identifiability["correlation"].abs() >= TIED].iterrows():
        pair = frozenset({str(name), row["most_correlated"]})
        if pair not in seen:
            seen.add(pair)
            yield (
                f"{name} and {row['most_correlated']} are tied (posterior correlation "
                f"{row['correlation']:.2f}): neither means much without the other."
            )


def _sizes(run: pd.Series) -> str:
    known = [name for name in SIZES if name in run]
    return " on ".join(_FORMATS[name](run[name]) for name in known[:2])


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"= {value:.2g}"
