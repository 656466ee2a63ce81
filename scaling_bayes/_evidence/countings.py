"""One law of the same runs under several counts of their parameters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from scaling_bayes._doubt import Doubt, doubts_of, in_lines
from scaling_bayes._evidence.comparison import Comparison, compare
from scaling_bayes._evidence.comparison_words import tells
from scaling_bayes._fit.fit import Fit
from scaling_bayes._fit.fitting import fit as fit_runs
from scaling_bayes._inference.sampling import OnFailure, SamplerSettings
from scaling_bayes._intervals import DEFAULT_PROB, IntervalKind
from scaling_bayes._notebook import InNotebook
from scaling_bayes._prediction.allocation import Allocation, power_of_growth
from scaling_bayes._printable import printable, printed
from scaling_bayes._work.seeds import generator
from scaling_bayes.errors import InputError
from scaling_bayes.runs import Runs
from scaling_bayes.units import format_quantity

if TYPE_CHECKING:
    from scaling_bayes.discrepancy import Discrepancy
    from scaling_bayes.laws import Law

DEFAULT_COUNTINGS = ("n_params", "n_params_non_embedding")
"""The counts that a table is looked for by default."""
_SHOWN = ("n_params", "tokens", "tokens_per_param", "growth")


@dataclass(frozen=True, eq=False)
class Countings(InNotebook):
    """What one law says of the same runs under several counts of parameters.

    Attributes
    ----------
    fits : dict of str to Fit
        The fit under each count, by the column that is counted.
    allocations : dict of str to Allocation
        The compute-optimal allocation under each count; C is k N D of that count, where the
        compute of the runs is computed so.
    comparison : Comparison
        Their evidence: elpd of the same log losses.
    """

    fits: dict[str, Fit]
    allocations: dict[str, Allocation]
    comparison: Comparison

    @property
    def doubts(self) -> tuple[Doubt, ...]:
        """What is doubtful about any of the allocations."""
        return doubts_of(self.allocations, "allocation")

    def to_frame(
        self, *, prob: float = DEFAULT_PROB, kind: IntervalKind = "equal-tailed"
    ) -> pd.DataFrame:
        """Return one row a count and budget: N*, D*, D*/N* and the growth of N*, with intervals.

        Parameters
        ----------
        prob : float
            Probability inside the intervals.
        kind : {"equal-tailed", "hdi"}
            Kind of interval.

        Returns
        -------
        DataFrame
            Columns ``counting``, ``flops``, the median of each quantity and its bounds, ending in
            ``_lower`` and ``_upper``, and ``elpd``.
        """
        elpd = self.comparison.evidence["elpd"]
        each = []
        for counting, allocation in self.allocations.items():
            frame = allocation.to_frame(prob=prob, kind=kind)
            columns = [name for name in frame if str(name).startswith(_SHOWN)]
            chosen = frame[["flops", *columns]]
            each.append(chosen.assign(counting=counting, elpd=float(elpd[counting])))
        joined = pd.concat(each, ignore_index=True)
        return joined[["counting", *(name for name in joined if name != "counting")]]

    @property
    def words(self) -> tuple[str, ...]:
        """What each count says, and that N and C of different counts are different quantities."""
        sentences = []
        for row in self.to_frame().to_dict("records"):
            n_params, low, high = (
                format_quantity(row[f"n_params{end}"], kind="n_params")
                for end in ("", "_lower", "_upper")
            )
            power = power_of_growth(row)
            growth = f", growing as {power} from the largest run" if power else ""
            sentences.append(
                f"Counted by {row['counting']}, N* at "
                f"{format_quantity(row['flops'], kind='flops')} is {n_params} [{low}, {high}]"
                f"{growth}."
            )
        sentences.append(
            f"These are medians and {DEFAULT_PROB:.0%} equal-tailed intervals. N and C of one "
            "count are not those of another: plan with the count that you train by."
        )
        others = self.comparison.evidence.iloc[1:]
        sentences += [_of_evidence(row, self.comparison.n_runs) for row in others.itertuples()]
        return tuple(map(printable, sentences))

    @printed
    def __repr__(self) -> str:
        law = next(iter(self.fits.values())).law.name
        lines = [f"{law} under {len(self.fits)} counts of parameters", *self.words]
        return "\n- ".join(lines) + in_lines(self.doubts)


def _of_evidence(row: Any, n_runs: int) -> str:
    """Return what the runs say of a count that is not the best."""
    gap, error = -row.elpd_diff, row.elpd_diff_se
    figures = f"{gap:.1f} of elpd (standard error {error:.1f})"
    if tells(gap, error, n_runs):
        return f"Under {row.Index} the law describes the runs worse, by {figures}."
    return f"The runs do not tell {row.Index} from the best count: it is behind by {figures}."


def compare_countings(
    runs: Runs,
    law: Law | None = None,
    *,
    flops: object,
    countings: Sequence[str] = DEFAULT_COUNTINGS,
    discrepancy: Discrepancy | Literal["smooth"] | None = "smooth",
    settings: SamplerSettings | None = None,
    on_failure: OnFailure = "raise",
    seed: int | np.random.Generator | None = None,
) -> Countings:
    """Fit one law to the same runs under several counts of parameters.

    Whether embeddings count is half of what lies between the allocations of Kaplan et al. 2020
    and Hoffmann et al. 2022: the share of embeddings falls with size, so that N without them grows
    faster (Porian et al. 2024, arXiv:2406.19146; Pearce & Song 2024, arXiv:2406.12907).

    Parameters
    ----------
    runs : Runs
        Runs with a column for each count.
    law : Law, optional
        The law, `Coupled` by default. It has to trade N against D.
    flops : float, str or array_like
        Training budgets in FLOPs.
    countings : sequence of str
        Columns that are taken for N; see `Runs.counted_by`.
    discrepancy, settings, on_failure
        As in `fit`. With a discrepancy N* grows beyond the runs much as other sweeps have it; with
        None it shows what the law makes of each count.
    seed : int or Generator, optional
        Source of randomness; the same seed gives the same draws.

    Returns
    -------
    Countings

    Raises
    ------
    InputError
        If there are fewer than two counts, or the runs lack one of them.
    ConvergenceError
        If the sampler fails its checks twice and `on_failure` is ``"raise"``.

    Examples
    --------
    >>> import scaling_bayes as sb
    >>> runs = sb.datasets.load_tiny_transformers().where("split == 'train'")
    >>> both = sb.compare_countings(runs, flops="1e14", seed=1)
    >>> list(both.fits)
    ['n_params', 'n_params_non_embedding']
    """
    names = list(dict.fromkeys(countings))
    if isinstance(countings, str) or len(names) < 2:
        raise InputError(
            f"countings is {countings!r}; give two columns or more, such as {DEFAULT_COUNTINGS!r}."
        )
    counted = {name: runs.counted_by(name) for name in names}
    common = int(generator(seed).integers(2**31))
    fits = {
        name: fit_runs(
            own,
            law,
            discrepancy=discrepancy,
            settings=settings,
            on_failure=on_failure,
            seed=common,
        )
        for name, own in counted.items()
    }
    return Countings(
        fits=fits,
        allocations={name: each.allocate(flops=flops) for name, each in fits.items()},
        comparison=compare(fits),
    )
