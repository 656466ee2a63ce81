"""The field's habit: Huber loss on log loss, and the bootstrap."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from scaling_bayes._inference.identifiability import check_identifiable
from scaling_bayes._prediction.forecast import forecast
from scaling_bayes._prediction.forecast_answer import Forecast
from scaling_bayes._printable import printed
from scaling_bayes._work.seeds import generator
from scaling_bayes.baselines._curves import log_runs
from scaling_bayes.baselines._option_checks import check_count, check_positive
from scaling_bayes.baselines._power_terms import HuberLoss, Minimum, minimised
from scaling_bayes.baselines._residuals import ResampledResiduals
from scaling_bayes.errors import ConvergenceError, IdentifiabilityWarning, InputError
from scaling_bayes.laws import Chinchilla, PowerSum
from scaling_bayes.runs import Runs

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

_N_STARTS = 20
_CHANGEABLE = ("loss", "inner_exponent", "outer_exponent")


@dataclass(frozen=True, eq=False)
class HuberFit:
    """A law fitted by Huber loss, with the fits of bootstrap resamples as its draws.

    It has what forecasts, allocations and plots ask of a fit.

    Attributes
    ----------
    law : PowerSum
        The law.
    draws : Dataset
        Natural parameters of each resample's fit, with dims chain (one) and draw.
    noise : ResampledResiduals
        The residuals of the fit to all runs.
    best : Mapping of str to float
        Natural parameters of the fit to all runs.
    objective : float
        Summed Huber loss of the fit to all runs.
    flops_per_param_token : float
        The k of C = k N D.
    """

    law: PowerSum
    draws: xr.Dataset = field(repr=False)
    noise: ResampledResiduals = field(repr=False)
    best: Mapping[str, float]
    objective: float
    flops_per_param_token: float
    noise_draws: None = field(default=None, init=False, repr=False)
    discrepancy_draws: None = field(default=None, init=False, repr=False)

    @property
    def label(self) -> str:
        """Name of the law and of the method, for tables and legends."""
        return f"{self.law.name} by Huber loss and bootstrap"

    def forecast(
        self,
        points: pd.DataFrame | Runs | None = None,
        *,
        n_params: object = None,
        tokens: object = None,
        flops: object = None,
        seed: int | np.random.Generator | None = None,
    ) -> Forecast:
        """Forecast the loss at points; see `scaling_bayes.forecast`."""
        return forecast(self, points, n_params=n_params, tokens=tokens, flops=flops, seed=seed)


@dataclass(frozen=True, repr=False)
class HuberBootstrap:
    """Huber loss on log loss, minimised by L-BFGS from many starts, then the bootstrap.

    Hoffmann et al. 2022 (arXiv 2203.15556, equation 3) sum the Huber loss of the residuals of log
    loss. Besiroglu et al. 2024 (arXiv 2404.10102) add the bootstrap over runs, and show that the
    minimum is missed at SciPy's default tolerance. Both start L-BFGS from every point of a grid
    over exponents, coefficients and floor, 4500 for Chinchilla's law; here the objective is
    computed on the whole of that grid, and L-BFGS starts from its 20 best points. Resamples start
    from the fit to all runs.

    The mean curve has one draw a resample. A new run adds to each a residual of the fit to all
    runs, drawn with replacement. Exponents are kept at or above 0.003, where a term can hardly be
    told from a constant.

    Attributes
    ----------
    law : PowerSum
        A sum of power-law terms with no further outer exponent, with irreducible loss or without:
        Chinchilla, PowerLaw, PurePowerLaw, Additive. Its priors play no part. For runs of one
        model size take ``PowerLaw("tokens")``.
    n_resamples : int
        Number of bootstrap resamples.
    delta : float
        Residual of log loss beyond which the Huber loss is linear.

    Raises
    ------
    InputError
        If the law has another form, or a number is out of range.
    """

    law: PowerSum = field(default_factory=Chinchilla)
    n_resamples: int = 300
    delta: float = 1e-3

    def __post_init__(self) -> None:
        kind = type(self.law)
        if not isinstance(self.law, PowerSum) or any(
            getattr(kind, method) is not getattr(PowerSum, method) for method in _CHANGEABLE
        ):
            raise InputError(
                f"law is {self.law!r}; a Huber fit takes a sum of power-law terms with no outer "
                "exponent: Chinchilla, PowerLaw, PurePowerLaw or Additive."
            )
        check_count("n_resamples", self.n_resamples, 2)
        check_positive("delta", self.delta)

    @printed
    def __repr__(self) -> str:
        return (
            f"HuberBootstrap(law={self.law.name!r}, n_resamples={self.n_resamples}, "
            f"delta={self.delta:g})"
        )

    def fit(self, runs: Runs, *, seed: int | np.random.Generator | None = None) -> HuberFit:
        """Fit all runs, then each resample.

        Parameters
        ----------
        runs : Runs
            The training runs.
        seed : int or Generator, optional
            Source of the resamples.

        Raises
        ------
        IdentifiabilityError
            If the runs cannot identify the law.
        ConvergenceError
            If L-BFGS fails from every start, or on a resample.
        """
        import xarray as xr
        from threadpoolctl import threadpool_limits

        with warnings.catch_warnings():
            # They say what rests on the priors; there are none here.
            warnings.simplefilter("ignore", IdentifiabilityWarning)
            check_identifiable(runs, self.law)
        rng = generator(seed)
        rows = log_runs(runs, tuple(term.covariate for term in self.law.terms))
        huber = HuberLoss(rows, irreducible=self.law.irreducible, delta=self.delta)
        once = np.ones(len(runs))
        counts = rng.multinomial(len(runs), once / len(runs), size=self.n_resamples)
        # L-BFGS calls BLAS on a handful of numbers: waiting for threads takes most of the time.
        with threadpool_limits(1, user_api="blas"):
            tries = [minimised(huber, start, once) for start in huber.best_starts(_N_STARTS)]
            best = min(
                _reached(tries, f"starts on the {len(runs)} runs of {runs.source}", least=1),
                key=lambda minimum: minimum.objective,
            )
            tries = [minimised(huber, best.theta, times) for times in counts]
        resampled = _reached(
            tries, f"resamples of the {len(runs)} runs of {runs.source}", least=self.n_resamples
        )
        draws = self._natural(huber, np.array([minimum.theta for minimum in resampled]))
        at_best = self._natural(huber, best.theta[None])
        return HuberFit(
            self.law,
            xr.Dataset(
                {name: (("chain", "draw"), values[None]) for name, values in draws.items()},
                coords={"chain": [0], "draw": np.arange(self.n_resamples)},
            ),
            ResampledResiduals(huber.residuals(best.theta)),
            {name: float(values[0]) for name, values in at_best.items()},
            best.objective,
            runs.flops_per_param_token,
        )

    def _natural(self, huber: HuberLoss, thetas: np.ndarray) -> dict[str, np.ndarray]:
        """Return the law's parameters, each of shape (fit,)."""
        scales, exponents, floors = huber.natural(thetas)
        values = {} if floors is None else {"L_inf": floors}
        for term, scale, exponent in zip(self.law.terms, scales.T, exponents.T, strict=True):
            values |= {term.scale: scale, term.exponent: exponent}
        return {name: values[name] for name in self.law.parameter_names}


def _reached(tries: list[Minimum | None], of: str, *, least: int) -> list[Minimum]:
    """Return the minima that were reached.

    Raises
    ------
    ConvergenceError
        If fewer than `least` were.
    """
    found = [minimum for minimum in tries if minimum is not None]
    if len(found) < least:
        raise ConvergenceError(
            f"L-BFGS reached no minimum of the Huber loss from {len(tries) - len(found)} of "
            f"{len(tries)} {of}. Add runs, or take a law with fewer parameters."
        )
    return found
