"""What a backtest gives: points, scores, allocations and failures as tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from scaling_bayes._evidence.backtest.refit import (
    ALL_RUNS,
    ALLOCATED,
    SCORED_PROB,
    Outcome,
    Plan,
    Refit,
    label_of,
)
from scaling_bayes._printable import printed
from scaling_bayes.runs import Runs
from scaling_bayes.units import SIZES, format_quantity

_OF = {"new_run": "a new run", "mean_curve": "the mean curve"}
_FAILURES = ("law", "cut", "step", "error", "message")
_SHOWN = ("crps", "log_score", "interval_score_90", "rmse", "bias")


@dataclass(frozen=True, eq=False)
class Backtest:
    """How laws fitted to the smaller runs forecast the larger ones.

    All scores and widths are of log loss, so that sweeps with different losses pool. Intervals
    are equal-tailed.

    Attributes
    ----------
    points : DataFrame
        One row for each law, cut, run at or above the cut, and ``of``: ``"new_run"`` or
        ``"mean_curve"``, both against the loss of that run. ``row`` is the run's index in the
        table of runs, beside its covariates; ``n_below`` the number of runs fitted; ``observed``,
        ``median``, ``lower_90``, ``upper_90`` and so on in nats per token; ``crps`` (fair
        estimator), ``log_score`` (of a kernel estimate, higher is better) and
        ``interval_score_90``; ``pit``, the probability integral transform; ``error``, log median
        minus log observed.
    scores : DataFrame
        One row for each law, ``of`` and cut: ``n_below``, ``n_above``; ``coverage_90``, the share
        of runs inside, and ``width_90``, the mean width, for each probability; means of the
        scores; ``rmse`` and ``bias``, of ``error``. NaN where a refit failed.
    allocation : DataFrame
        One row for each law and cut, and one fitted to all runs, whose cut is infinite: medians
        and 90% intervals of ``a``, the exponent in N* proportional to C^a, and of ``n_params``,
        N* at ``flops``; ``a_contained`` and ``n_params_contained`` say whether the interval holds
        the median of all runs. NaN where the law has no optimum or a refit failed.
    failures : DataFrame
        One row for each failure: law, cut, step (``"fit"`` or ``"allocation"``), error, message.
    along : str
        The column that was cut.
    probs : tuple of float
        Probabilities inside the intervals.
    """

    points: pd.DataFrame
    scores: pd.DataFrame
    allocation: pd.DataFrame
    failures: pd.DataFrame
    along: str
    probs: tuple[float, ...]

    def pooled(self) -> pd.DataFrame:
        """Return the scores over all cuts, one row for each law and ``of``.

        ``n_cuts`` refits were scored and ``n_failed`` failed; laws compare only where the same
        ones did. ``n_scored`` counts a run once for every cut that it is above.
        """
        rows = []
        for (law, of), group in self.scores.groupby(["law", "of"], sort=False):
            scored = self.points[(self.points["law"] == law) & (self.points["of"] == of)]
            n_cuts = scored["cut"].nunique()
            counts = {"n_cuts": n_cuts, "n_failed": len(group) - n_cuts, "n_scored": len(scored)}
            rows.append({"law": law, "of": of} | counts | summarise(scored, self.probs))
        return pd.DataFrame(rows)

    @printed
    def __repr__(self) -> str:
        n_cuts = self.scores["cut"].nunique()
        parts = [
            f"Backtest along {self.along}, {n_cuts} cut{'' if n_cuts == 1 else 's'}: runs below a "
            "cut are fitted, runs at or above it are scored, on log loss"
        ]
        pooled = self.pooled()
        for of, words in _OF.items():
            shown = pooled[pooled["of"] == of].set_index("law")
            if len(shown):
                columns = ["n_cuts", "n_failed", "n_scored", *self._intervals_shown(), *_SHOWN]
                parts += [
                    f"\nScores, and coverage and width of equal-tailed intervals of {words}",
                    shown[columns].to_string(float_format="{:.4g}".format),
                ]
        if self.allocation["a"].notna().any():
            parts += [
                f"\nAllocation at {format_quantity(self.allocation['flops'].iloc[0], kind='flops')}"
                f": median and {SCORED_PROB:.0%} equal-tailed interval of the refits",
                self._allocation_shown(),
            ]
        if len(self.failures):
            shown = self.failures.assign(cut=[self._cut(cut) for cut in self.failures["cut"]])
            parts += ["\nFailures", shown.to_string(index=False, max_colwidth=60)]
        return "\n".join(parts)

    def _intervals_shown(self) -> list[str]:
        labels = [label_of(prob) for prob in self.probs]
        width = "90" if "90" in labels else labels[-1]
        return [*(f"coverage_{label}" for label in labels), f"width_{width}"]

    def _cut(self, cut: float) -> str:
        if cut == ALL_RUNS:
            return "all runs"
        return f"below {_formatted(cut, self.along)}"

    def _allocation_shown(self) -> str:
        known = self.allocation.groupby("law")["a"].transform("count") > 0
        rows = []
        for row in self.allocation[known].to_dict("records"):
            cells = {"law": row["law"], "fitted": self._cut(row["cut"])}
            for name in ALLOCATED:
                middle, low, high = (
                    _formatted(row[f"{name}{ending}"], name) for ending in ("", "_lower", "_upper")
                )
                shown = "-" if np.isnan(row[name]) else f"{middle} [{low}, {high}]"
                cells["N*" if name == "n_params" else name] = shown
            rows.append(cells)
        return pd.DataFrame(rows).to_string(index=False)


def assemble(
    outcomes: Mapping[Refit, Outcome],
    runs: Runs,
    plan: Plan,
    *,
    cuts: Sequence[float],
    covariates: Iterable[str],
) -> Backtest:
    """Return the tables of all refits, in the order of the mapping."""
    values = runs.covariates((plan.along,))[plan.along]
    n_below = {cut: int((values < cut).sum()) for cut in (*cuts, ALL_RUNS)}
    failures = [
        {"law": refit.law, "cut": refit.cut} | failure
        for refit, outcome in outcomes.items()
        for failure in outcome.failures
    ]
    points = _points(outcomes, runs, n_below, covariates)
    return Backtest(
        points=points,
        scores=_scores(outcomes, points, n_below, plan.probs),
        allocation=_allocation(outcomes, n_below, plan.budget),
        failures=pd.DataFrame(failures, columns=list(_FAILURES)),
        along=plan.along,
        probs=plan.probs,
    )


def summarise(points: pd.DataFrame, probs: Iterable[float]) -> dict[str, float]:
    """Return coverage, width and mean scores of scored runs; NaN if there are none."""
    scores: dict[str, float] = {}
    for prob in probs:
        label = label_of(prob)
        lower, upper = points[f"lower_{label}"], points[f"upper_{label}"]
        inside = (lower <= points["observed"]) & (points["observed"] <= upper)
        scores[f"coverage_{label}"] = float(inside.mean()) if len(points) else np.nan
        scores[f"width_{label}"] = float(np.log(upper / lower).mean())
    for name in ("crps", "log_score", "interval_score_90"):
        scores[name] = float(points[name].mean())
    scores["rmse"] = float(np.sqrt((points["error"] ** 2).mean()))
    scores["bias"] = float(points["error"].mean())
    return scores


def _points(
    outcomes: Mapping[Refit, Outcome],
    runs: Runs,
    n_below: Mapping[float, int],
    covariates: Iterable[str],
) -> pd.DataFrame:
    tables = []
    for refit, outcome in outcomes.items():
        table = outcome.points.copy()
        table.insert(0, "law", pd.Series(refit.law, table.index, dtype="str"))
        table.insert(1, "cut", refit.cut)
        table.insert(2, "n_below", n_below[refit.cut])
        tables.append(table)
    joined = pd.concat(tables, ignore_index=True)
    for place, name in enumerate(dict.fromkeys(covariates), list(joined.columns).index("of") + 1):
        joined.insert(place, name, runs.frame[name].to_numpy()[joined["row"]])
    return joined


def _scores(
    outcomes: Mapping[Refit, Outcome],
    points: pd.DataFrame,
    n_below: Mapping[float, int],
    probs: tuple[float, ...],
) -> pd.DataFrame:
    grouped = dict(iter(points.groupby(["law", "of", "cut"])))
    n_runs = n_below[ALL_RUNS]
    rows: list[dict[str, Any]] = []
    for law in dict.fromkeys(refit.law for refit in outcomes):
        cuts = [refit.cut for refit in outcomes if refit.law == law and refit.cut != ALL_RUNS]
        given = {of for of in _OF for cut in cuts if (law, of, cut) in grouped} or set(_OF)
        for of in _OF:
            for cut in cuts if of in given else ():
                counts = {"n_below": n_below[cut], "n_above": n_runs - n_below[cut]}
                scored = grouped.get((law, of, cut), points.iloc[:0])
                rows.append({"law": law, "of": of, "cut": cut} | counts | summarise(scored, probs))
    return pd.DataFrame(rows)


def _allocation(
    outcomes: Mapping[Refit, Outcome], n_below: Mapping[float, int], budget: float
) -> pd.DataFrame:
    columns = [f"{name}{ending}" for name in ALLOCATED for ending in ("", "_lower", "_upper")]
    late = {
        refit.law: outcome.allocation
        for refit, outcome in outcomes.items()
        if refit.cut == ALL_RUNS
    }
    rows = []
    for refit, outcome in outcomes.items():
        found = {name: outcome.allocation.get(name, np.nan) for name in columns}
        row: dict[str, Any] = {"law": refit.law, "cut": refit.cut, "n_below": n_below[refit.cut]}
        row |= {"flops": budget} | found
        for name in ALLOCATED:
            middle = late.get(refit.law, {}).get(name, np.nan)
            low, high = found[f"{name}_lower"], found[f"{name}_upper"]
            known = refit.cut != ALL_RUNS and not np.isnan([middle, low, high]).any()
            row[f"{name}_contained"] = bool(low <= middle <= high) if known else None
        rows.append(row)
    contained = {f"{name}_contained": "boolean" for name in ALLOCATED}
    return pd.DataFrame(rows).astype(contained)


def _formatted(value: float, name: str) -> str:
    for size in SIZES:
        if size == name and value > 0:
            return format_quantity(value, kind=size)
    return f"{value:.3g}"
