"""Laws against each other: inside the range of the runs, beyond it, and by Bayes factor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import pandas as pd

from scaling_bayes._evidence.backtest import Backtest
from scaling_bayes._evidence.comparison_words import caution, in_words
from scaling_bayes._evidence.larger_runs import future_of
from scaling_bayes._evidence.leave_one_out import leave_one_out
from scaling_bayes._evidence.marginal_likelihood import (
    MarginalLikelihood,
    bayes_factors,
    compared_columns,
    digest_of,
)
from scaling_bayes._evidence.score import rmse, score
from scaling_bayes._fit.fit import Fit
from scaling_bayes._intervals import DEFAULT_PROB
from scaling_bayes._notebook import InNotebook
from scaling_bayes._prediction.law_draws import LawDraws
from scaling_bayes._prediction.mixture import check_forecasting
from scaling_bayes._printable import printable, printed
from scaling_bayes.errors import InputError
from scaling_bayes.runs import Runs

if TYPE_CHECKING:
    import numpy as np

_EVIDENCE = {
    "elpd": "elpd",
    "se": "elpd_se",
    "elpd_diff": "elpd_diff",
    "dse": "elpd_diff_se",
    "weight": "weight",
    "p": "p_loo",
}
_SEVERAL_COUNTS = (
    "The fits count parameters in different ways. Their elpd compare, since it is of the same log "
    "losses; N, N* and exponents do not."
)
_COUNTS = ("n_scored", "n_runs", "n_cuts", "n_left_out")


@dataclass(frozen=True, eq=False)
class Comparison(InNotebook):
    """Laws compared on the same runs.

    Attributes
    ----------
    evidence : DataFrame
        One row a fit, best first: ``elpd``, the expected log predictive density of log loss
        over the runs, by leave-one-out cross-validation (PSIS-LOO, Vehtari et al. 2017), with
        ``elpd_se``; ``elpd_diff`` to the best and ``elpd_diff_se``; stacking ``weight`` (Yao et
        al. 2018); ``p_loo``, the effective number of parameters; ``bad_k``, the share of runs
        whose Pareto k is too high for the estimate to be trusted; ``caution``, why the difference
        is to be read with care (Sivula, Magnusson & Vehtari 2020). It scores runs inside the
        range of the sizes: it does not say which law extrapolates best.
    fitted : DataFrame
        One row a source: ``rmse``, the root-mean-square difference of log loss between the runs
        fitted and the median of the mean curve.
    held_out : DataFrame or None
        One row a source, over runs that were not fitted; see `score`.
    future : DataFrame or None
        One row a fit, best first, over the runs above each cut of a backtest: ``elpd``, the sum
        of log predictive densities of log loss (by kernel estimates), over all cuts;
        ``elpd_diff`` to the best; standard errors ``elpd_se`` and ``elpd_diff_se``, clustered by
        run and by cut (Cameron, Gelbach & Miller 2011); stacking ``weight`` on these runs (Yao
        et al. 2018); means ``log_score`` and ``crps``, and ``coverage``; ``n_scored`` forecasts
        of ``n_runs`` runs at ``n_cuts`` cuts, and ``n_left_out`` that not every law made.
    bayes_factor : DataFrame or None
        One row a law, best first: ``log_marginal_likelihood``, and
        ``log_bayes_factor`` against the best; their Monte Carlo errors, ending in ``_se``;
        ``log_bayes_factor_lower`` and ``log_bayes_factor_upper``, its range over priors of either
        law as stated, twice as wide and half as wide, those of the noise unchanged; NaN where that
        is not known; ``pareto_k`` of the importance weights, whether they can be ``trusted``, and
        whether the marginal likelihood ``has_notes``.
    n_runs : int
        Number of runs fitted.
    prob : float
        Probability inside the intervals whose coverage is counted.
    n_counts : int
        In how many ways the fits count parameters; see `compare_countings`.
    """

    evidence: pd.DataFrame
    fitted: pd.DataFrame
    held_out: pd.DataFrame | None
    future: pd.DataFrame | None
    bayes_factor: pd.DataFrame | None
    n_runs: int
    prob: float
    n_counts: int = 1

    @property
    def words(self) -> tuple[str, ...]:
        """What these tables can and cannot tell, in sentences.

        Two laws are told apart by a difference of elpd of more than 4 and two standard errors,
        or four of them below 100 runs (Sivula, Magnusson & Vehtari 2020). Grades of Bayes
        factors are those of Kass & Raftery 1995.
        """
        sentences = in_words(
            self.evidence,
            self.n_runs,
            prob=self.prob,
            held_out=self.held_out,
            future=self.future,
            bayes_factor=self.bayes_factor,
        )
        if self.n_counts > 1:
            sentences = (*sentences, _SEVERAL_COUNTS)
        return tuple(map(printable, sentences))

    def to_frame(self) -> pd.DataFrame:
        """Return the tables side by side.

        Columns of held-out runs end in ``_held_out``, those of a backtest in ``_future``.
        """
        joined = self.fitted.join(self.evidence)
        if self.held_out is not None:
            joined = joined.join(self.held_out.add_suffix("_held_out"))
        if self.future is not None:
            joined = joined.join(self.future.add_suffix("_future"))
        if self.bayes_factor is not None:
            joined = joined.join(self.bayes_factor)
        return joined.sort_values("elpd", ascending=False, na_position="last")

    def _notebook_title(self) -> str:
        return "Laws compared: elpd by leave-one-out, of log loss"

    @printed
    def __repr__(self) -> str:
        parts = [
            *(f"- {sentence}" for sentence in self.words),
            "\nEvidence inside the runs (PSIS-LOO, of log loss; higher elpd is better)",
            self.evidence.round(3).to_string(),
            "\nRoot-mean-square error of log loss on the runs fitted",
            self.fitted.to_string(float_format="{:.5f}".format),
        ]
        interval = f"coverage is of the {100 * self.prob:g}% equal-tailed interval of a new run"
        if self.held_out is not None:
            parts += [f"\nRuns held out ({interval})", self.held_out.round(5).to_string()]
        if self.future is not None:
            n_scored, n_runs, n_cuts, _ = (int(self.future[name].iloc[0]) for name in _COUNTS)
            parts += [
                f"\nLarger runs, forecast from smaller ones: {n_scored} forecasts of {n_runs} runs "
                f"above {n_cuts} cut{'' if n_cuts == 1 else 's'} ({interval})",
                self.future.drop(columns=list(_COUNTS)).round(5).to_string(),
            ]
        if self.bayes_factor is not None:
            parts += [
                "\nMarginal likelihood of the runs; lower and upper are with the law's priors "
                "half and twice as wide",
                self.bayes_factor.round(2).to_string(),
            ]
        return "\n".join(parts)


def compare(
    sources: Mapping[str, LawDraws],
    *,
    held_out: Runs | None = None,
    backtest: Backtest | None = None,
    marginal_likelihoods: Mapping[str, MarginalLikelihood] | None = None,
    prob: float = DEFAULT_PROB,
    seed: int | np.random.Generator | None = None,
) -> Comparison:
    """Compare laws inside the range of the runs, on other runs, and by Bayes factor.

    Parameters
    ----------
    sources : mapping of str to Fit or PublishedLaw
        At least one fit; all fits are of the same runs, whose parameters may be counted in
        different ways. A published law is scored by its error
        alone, since its noise is not known. Fits of different runs compare by `score`.
    held_out : Runs, optional
        Runs that were not fitted, such as larger ones.
    backtest : Backtest, optional
        What `scaling_bayes.backtest` returned, with a law by the name of every fit; further
        forecasters in it are not looked at.
    marginal_likelihoods : mapping of str to MarginalLikelihood, optional
        What `marginal_likelihood` returned for fits, by their names.
    prob : float
        Probability inside the intervals whose coverage is counted.
    seed : int or Generator, optional
        Source of the noise of new runs.

    Returns
    -------
    Comparison

    Raises
    ------
    InputError
        If there is no fit, the fits are of different runs, the backtest lacks one of them, or a
        marginal likelihood is not that of the fit of its name.
    """
    if not isinstance(sources, Mapping):
        raise InputError('give the laws by name, such as {"chinchilla": fit, "kaplan": other}.')
    check_forecasting(sources)
    fits = {name: source for name, source in sources.items() if isinstance(source, Fit)}
    runs = _common_runs(fits)
    factors = None
    if marginal_likelihoods is not None:
        _check_marginal_likelihoods(marginal_likelihoods, fits)
        factors = bayes_factors(marginal_likelihoods)
    future = None if backtest is None else future_of(backtest, list(fits), prob=prob)
    n_counts = _n_counts(fits)
    if held_out is not None and n_counts > 1:
        raise InputError(
            "the fits count parameters in different ways, and held_out in one. Score each by "
            'itself: sb.score({"name": fit}, held_out.counted_by(column)).'
        )
    scores = None if held_out is None else score(sources, held_out, prob=prob, seed=seed)
    errors = {
        name: rmse(source, fits[name].runs if name in fits else runs)
        for name, source in sources.items()
    }
    fitted = pd.DataFrame({"rmse": errors})
    return Comparison(
        evidence=_evidence(fits, len(runs)),
        fitted=fitted.rename_axis("source"),
        held_out=scores,
        future=future,
        bayes_factor=factors,
        n_runs=len(runs),
        prob=prob,
        n_counts=n_counts,
    )


def _common_runs(fits: Mapping[str, Fit]) -> Runs:
    if not fits:
        raise InputError(
            "none of the sources is a fit; laws are compared on the runs of a fit. "
            "sb.score(sources, held_out) scores published laws on any runs."
        )
    (first, fit), *others = fits.items()
    for name, other in others:
        columns = _same_trainings(fit.runs)
        if not set(columns) <= set(other.runs.frame) or not other.runs.frame[columns].equals(
            fit.runs.frame[columns]
        ):
            raise InputError(
                f"{name!r} was fitted to other runs ({other.runs.source}, {len(other.runs)}) than "
                f"{first!r} ({fit.runs.source}, {len(fit.runs)}). Fit both to the same runs, or "
                "score them on runs that neither has seen by sb.score(sources, held_out)."
            )
    for (name, one), (again, other) in combinations(fits.items(), 2):
        if one.draws.equals(other.draws):
            raise InputError(
                f"{name!r} and {again!r} are the same fit: nothing is to be compared. Give each "
                "fit once."
            )
    return fit.runs


def _same_trainings(runs: Runs) -> list[str]:
    """Return the columns in which runs agree that are the same trainings, however N is counted.

    The density of a log loss is the same quantity under any count of parameters.
    """
    counted = {"n_params", "flops"} if "tokens" in runs.sizes else set()
    return [name for name in compared_columns(runs) if name not in counted]


def _n_counts(fits: Mapping[str, Fit]) -> int:
    """Return in how many ways fits of the same trainings count parameters."""
    return len(
        {fit.runs.frame.get("n_params", pd.Series()).to_numpy().tobytes() for fit in fits.values()}
    )


def _check_marginal_likelihoods(found: Mapping[str, object], fits: Mapping[str, Fit]) -> None:
    if not isinstance(found, Mapping) or not found:
        raise InputError(
            "give marginal_likelihoods by the names of the fits, such as "
            '{"chinchilla": sb.marginal_likelihood(fit)}.'
        )
    for name, each in found.items():
        if name not in fits:
            raise InputError(
                f"there is a marginal likelihood of {name!r}, and no fit of that name; "
                f"the fits are {', '.join(fits)}."
            )
        if not isinstance(each, MarginalLikelihood):
            raise InputError(
                f"the marginal likelihood of {name!r} is a {type(each).__name__}; give what "
                "sb.marginal_likelihood(fit) returns."
            )
        fit = fits[name]
        if each.digest != digest_of(fit):
            raise InputError(
                f"the marginal likelihood of {name!r} is that of {each.label} on {each.n_runs} "
                f"runs, and the fit is of {fit.label} on {len(fit.runs)}: they differ in law, "
                "noise, priors or runs. Compute it from the fit: sb.marginal_likelihood(fit)."
            )


def _evidence(fits: Mapping[str, Fit], n_runs: int) -> pd.DataFrame:
    import arviz_stats

    estimates = {name: leave_one_out(fit) for name, fit in fits.items()}
    bad = {
        name: float((estimate.pareto_k > estimate.good_k).mean())
        for name, estimate in estimates.items()
    }
    compared: pd.DataFrame = arviz_stats.compare(estimates, round_to="none")
    evidence = compared[list(_EVIDENCE)].rename(columns=_EVIDENCE)
    evidence = evidence.assign(bad_k=pd.Series(bad))
    best = evidence.index[0]
    cautions = {
        name: caution(row["elpd_diff"], max(row["bad_k"], bad[best]), n_runs)
        for name, row in evidence.iterrows()
    }
    return evidence.assign(caution=pd.Series(cautions))
