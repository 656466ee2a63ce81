"""What a comparison says in words, and where its numbers carry a statement."""

from __future__ import annotations

from collections.abc import Hashable, Iterator

import numpy as np
import pandas as pd

SMALL_DIFFERENCE = 4.0
"""Difference of elpd below which laws predict alike (Sivula, Magnusson & Vehtari 2020)."""
FEW_RUNS = 100
"""Number of runs below which a standard error can be half of what it should be (same source)."""
UNRELIABLE_SHARE = 0.05
"""Share of runs with a Pareto k too high, above which leave-one-out says nothing."""

_STANDARD_ERRORS = 2.0
_CLEAR = 5.0
_MIXED = 0.1
"""Stacking weight of a second law above which the words name a mixture."""
_TOO_FEW = 0.1
"""How far below its probability the coverage of an interval is spoken of."""
_GRADES = (
    (150.0, "very strong evidence"),
    (20.0, "strong evidence"),
    (3.0, "positive evidence"),
    (1.0, "not worth more than a bare mention"),
)
"""Bayes factors and what they are called (Kass & Raftery 1995)."""


def tells(difference: float, error: float, n_runs: int) -> bool:
    """Return whether a difference of elpd tells two laws apart.

    It is larger than 4, below which laws predict alike and the normal approximation fails, and
    than two standard errors (Sivula, Magnusson & Vehtari 2020). Below 100 runs the standard error
    counts twice, since it can be half of what it should be.

    Parameters
    ----------
    difference, error : float
        Difference of elpd and its standard error.
    n_runs : int
        Number of runs that it is over.
    """
    return bool(
        abs(difference) >= SMALL_DIFFERENCE
        and abs(difference) >= _STANDARD_ERRORS * _counted(error, n_runs)
    )


def caution(difference: float, bad_k: float, n_runs: int) -> str:
    """Return why a difference of elpd by leave-one-out is to be read with care; empty if not."""
    reasons = {
        "Pareto k": bad_k > 0,
        f"fewer than {FEW_RUNS} runs": n_runs < FEW_RUNS,
        f"difference below {SMALL_DIFFERENCE:g}": 0 < abs(difference) < SMALL_DIFFERENCE,
    }
    return ", ".join(reason for reason, holds in reasons.items() if holds)


def in_words(
    evidence: pd.DataFrame,
    n_runs: int,
    *,
    prob: float,
    held_out: pd.DataFrame | None = None,
    future: pd.DataFrame | None = None,
    bayes_factor: pd.DataFrame | None = None,
) -> tuple[str, ...]:
    """Return what the tables of a comparison can and cannot tell.

    Parameters
    ----------
    evidence, held_out, future, bayes_factor : DataFrame
        The tables of a `Comparison`.
    n_runs : int
        Number of runs fitted.
    prob : float
        Probability inside the intervals whose coverage is counted.

    Returns
    -------
    tuple of str
        Sentences.
    """
    sentences = [*_inside(evidence, n_runs)]
    if held_out is not None:
        sentences += _on_held_out(held_out)
    if future is not None:
        sentences += _beyond(future, prob)
        sentences += _conflict(evidence, future, n_runs)
    if bayes_factor is not None:
        sentences += _by_bayes_factor(bayes_factor)
    if _favours(evidence, n_runs) or (future is not None and _favours(future, _n_runs(future))):
        sentences.append(
            "A law that is favoured is the better of these, which does not make it right: "
            "Fit.check says whether it describes the runs."
        )
    return tuple(sentences)


def _inside(evidence: pd.DataFrame, n_runs: int) -> Iterator[str]:
    unreliable = evidence.index[evidence["bad_k"] >= UNRELIABLE_SHARE]
    for name in evidence.index[evidence["bad_k"] > 0]:
        share = evidence.loc[name, "bad_k"]
        word = "not reliable" if name in unreliable else "less certain than it looks"
        yield (
            f"Leave-one-out is {word} for {name}: Pareto k is too high for {_share(share)} of "
            "the runs."
        )
    best = evidence.index[0]
    if len(evidence) == 1:
        yield f"{best} is the only fit, so leave-one-out has nothing to compare it with."
    for name in evidence.index[1:]:
        if not {best, name} & set(unreliable):
            yield _difference(
                evidence, name, n_runs, where="Inside the range of the runs", who="The runs"
            )


def _beyond(future: pd.DataFrame, prob: float) -> Iterator[str]:
    best, n_runs = future.index[0], _n_runs(future)
    n_cuts, n_left_out = (int(future[name].iloc[0]) for name in ("n_cuts", "n_left_out"))
    where = f"On {n_runs} larger runs, forecast from smaller ones at {_count(n_cuts, 'cut')}"
    if len(future) == 1:
        yield f"{where}, {best} is the only law, so there is nothing to compare it with."
    for name in future.index[1:]:
        yield _difference(future, name, n_runs, where=where, who="The larger runs")
    if n_cuts == 1:
        yield "With one cut, nothing is known of how the refits themselves would vary."
    if n_left_out:
        yield f"{n_left_out} forecasts are left out, since not every law made them."
    by_crps = future["crps"].idxmin()
    if by_crps != best:
        yield (
            f"By CRPS, which a few far misses move less, {by_crps} forecasts the larger runs best, "
            f"not {best}."
        )
    coverage = _at(future, best, "coverage")
    if coverage < prob - _TOO_FEW:
        yield (
            f"{prob:.0%} intervals by {best} hold {coverage:.0%} of the larger runs: its forecasts "
            "are too sure."
        )
    weights = future["weight"].sort_values(ascending=False)
    if len(weights) > 1 and weights.iloc[1] >= _MIXED:
        shown = ", ".join(f"{name} {weight:.2f}" for name, weight in weights.items())
        yield f"A mixture forecasts the larger runs best: {shown} (stacking)."


def _conflict(evidence: pd.DataFrame, future: pd.DataFrame, n_runs: int) -> Iterator[str]:
    inside, beyond = evidence.index[0], future.index[0]
    if inside != beyond:
        beyond_tells = _told_from(future, inside, _n_runs(future))
        inside_tells = _told_from(evidence, beyond, n_runs)
        if beyond_tells and inside_tells:
            yield (
                f"The two disagree: {inside} is better inside the range, {beyond} on larger runs. "
                "For extrapolation the larger runs are what matters."
            )
        elif inside_tells:
            yield (
                f"{inside} is better inside the range, and the larger runs do not confirm it: an "
                f"extrapolation cannot lean on {inside} alone."
            )
        elif beyond_tells:
            yield (
                f"Only the larger runs tell {beyond} from {inside}, and for extrapolation they are "
                "what matters."
            )
    heaviest = evidence["weight"].idxmax(), future["weight"].idxmax()
    if heaviest[0] != heaviest[1] and not (evidence["bad_k"] >= UNRELIABLE_SHARE).any():
        yield (
            f"Stacking gives most weight to {heaviest[0]} inside the range "
            f"({_at(evidence, heaviest[0], 'weight'):.2f}) and to {heaviest[1]} on larger runs "
            f"({_at(future, heaviest[1], 'weight'):.2f})."
        )


def _on_held_out(held_out: pd.DataFrame) -> Iterator[str]:
    scored = held_out[held_out["crps"].notna()]
    if len(scored) > 1:
        by_crps, by_density = scored["crps"].idxmin(), scored["log_score"].idxmax()
        if by_crps == by_density:
            yield f"On the runs held out, {by_crps} has the best CRPS and the best log score."
        else:
            yield (
                f"On the runs held out, {by_crps} has the best CRPS and {by_density} the best log "
                "score: they do not agree on a law."
            )
    least = held_out["rmse"].idxmin()
    if least not in scored.index:
        yield f"On the runs held out, {least} has the smallest error of all sources."


def _by_bayes_factor(table: pd.DataFrame) -> Iterator[str]:
    best = table.index[0]
    if len(table) == 1:
        yield f"There is one marginal likelihood, of {best}, and so no Bayes factor."
    for name in table.index[1:]:
        row = table.loc[name]
        factor, error = -row["log_bayes_factor"], row["log_bayes_factor_se"]
        low, high = -row["log_bayes_factor_upper"], -row["log_bayes_factor_lower"]
        figure = f"log Bayes factor {factor:.1f} ± {error:.1g}"
        over_priors = f"{low:.1f} to {high:.1f} with the law's priors half and twice as wide"
        pair = table.loc[[best, name]]
        untrusted = pair.loc[~pair["trusted"], "pareto_k"]
        if len(untrusted):
            shown = ", ".join(f"{k:.2f} of {each}" for each, k in untrusted.items())
            yield (
                f"For {best} against {name} evidence cannot be graded: the importance weights "
                f"cannot be trusted (Pareto k {shown})."
            )
        elif np.isnan([low, high]).any():
            yield (
                f"For {best} against {name} there is {_grade(factor - 2 * error)} ({figure}); how "
                "far that depends on the law's priors is not known."
            )
        elif low <= 0:
            yield (
                f"Which of {best} and {name} the Bayes factor favours depends on the law's priors "
                f"({figure}; {over_priors})."
            )
        else:
            yield (
                f"For {best} against {name} there is {_grade(low - 2 * error)} whichever the "
                f"width of the law's priors ({figure}; {over_priors})."
            )


def _difference(table: pd.DataFrame, name: Hashable, n_runs: int, *, where: str, who: str) -> str:
    best = table.index[0]
    difference, error = (_at(table, name, column) for column in ("elpd_diff", "elpd_diff_se"))
    figure = f"elpd difference {abs(difference):.1f} ± {error:.1f}"
    if n_runs < FEW_RUNS:
        figure += f"; {n_runs} runs are few, so the error counts twice"
    if not tells(difference, error, n_runs):
        return f"{who} cannot tell {best} from {name} ({figure})."
    clearly = "clearly " if abs(difference) >= _CLEAR * _counted(error, n_runs) else ""
    return f"{where}, {best} predicts {clearly}better than {name} ({figure})."


def _favours(table: pd.DataFrame, n_runs: int) -> bool:
    return any(_told_from(table, name, n_runs) for name in table.index[1:])


def _told_from(table: pd.DataFrame, name: Hashable, n_runs: int) -> bool:
    """Return whether a table tells its best law from another."""
    best = table.index[0]
    if "bad_k" in table and (table.loc[[best, name], "bad_k"] >= UNRELIABLE_SHARE).any():
        return False
    return tells(_at(table, name, "elpd_diff"), _at(table, name, "elpd_diff_se"), n_runs)


def _at(table: pd.DataFrame, name: Hashable, column: str) -> float:
    return float(table[column].to_dict()[name])


def _counted(error: float, n_runs: int) -> float:
    return 2 * error if n_runs < FEW_RUNS else error


def _n_runs(future: pd.DataFrame) -> int:
    return int(future["n_runs"].iloc[0])


def _grade(log_factor: float) -> str:
    for least, words in _GRADES:
        if log_factor >= np.log(least):
            return words
    return "no evidence beyond the Monte Carlo error"


def _share(share: float) -> str:
    return f"{100 * share:.2g}%"


def _count(n: int, noun: str) -> str:
    return f"{n} {noun}{'' if n == 1 else 's'}"
