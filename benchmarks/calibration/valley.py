"""What a straight valley does to allocations and forecasts beyond the runs.

The default is fitted below each cut of the sweeps with measured isoFLOP minima. N* and forecasts
are those of the fit, and those of its discrepancy as the runs leave it. Means over the tests of a
source, then over sources; widths are medians. Intervals are equal-tailed: of N*, and of a new run.
"""

from __future__ import annotations

import warnings
from typing import Any

import joblib
import numpy as np
import pandas as pd
from common import arguments, scores
from methods import DEFAULT, QUIET
from scored import Cut, allocated
from sweeps import sweeps

import scaling_bayes as sb
from scaling_bayes._evidence.backtest.refit import Refit
from scaling_bayes.discrepancy import DiscrepancyDraws
from scaling_bayes.errors import ScalingBayesError

QUICK = ("tiny_transformers",)


class AsTheRunsLeaveIt:
    """A fit whose discrepancy knows nothing of N*."""

    def __init__(self, fit: sb.Fit) -> None:
        found = fit.discrepancy_draws
        assert found is not None
        self._fit = fit
        self.discrepancy_draws = DiscrepancyDraws(found.discrepancy, found.draws, found.landmarks)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._fit, name)


def tested(cut: Cut) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return rows of allocations and of forecasts at a cut; none where the fit is refused."""
    fitted_runs, above = cut.parts()
    seed, forecast_seed = Refit(DEFAULT, cut.flops).seeds(0)
    about = {"source": cut.sweep.source, "sweep": cut.sweep.name}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", sb.errors.ScalingBayesWarning)
        try:
            fit = sb.Fitter(settings=QUIET).fit(fitted_runs, seed=seed)
        except ScalingBayesError as error:
            print(f"{cut.sweep.name} below {cut.flops:.3g}: {str(error)[:90]}", flush=True)
            return [], []
        largest, held_out = float(fit.runs.frame["flops"].max()), cut.sweep.runs.where(above)
        allocations, forecasts = [], []
        for way, source in (("as the runs leave it", AsTheRunsLeaveIt(fit)), ("default", fit)):
            rows = allocated(source, cut.sweep.minima(), cut.flops, largest)
            allocations += [about | {"way": way} | row for row in rows]
            forecast = sb.forecast(source, held_out, seed=forecast_seed)  # type: ignore[arg-type]
            forecasts.append(about | {"way": way} | scores(forecast, held_out))
    return allocations, forecasts


def main() -> None:
    """Fit, and print one table for all sources and one by source."""
    parser = arguments(__doc__)
    parser.add_argument("--jobs", type=int, default=-1, help="processes (default: one a core)")
    options = parser.parse_args()
    cuts = [
        Cut(sweep, flops)
        for sweep in sweeps(options.data, *((QUICK,) if options.quick else ()))
        if sweep.isoflop and not sweep.repeats
        for flops in sweep.cuts[: 1 if options.quick else None]
        if any(minimum.least_flops >= flops for minimum in sweep.minima())
    ]
    found = joblib.Parallel(n_jobs=options.jobs, batch_size=1)(
        joblib.delayed(tested)(cut) for cut in cuts
    )
    rows = pd.DataFrame([row for allocations, _ in found for row in allocations])
    ends = rows["n_params_lower"], rows["n_params_upper"]
    known = rows["measured"].notna()
    rows = rows.assign(
        held=rows["measured"].between(*ends).where(known).astype(float),
        width=np.log(ends[1] / ends[0]).where(known),
        tenfold=np.log(ends[1] / ends[0]).where(~known),
        regret=1e3 * rows["regret"],
    )
    by = rows.groupby(["source", "way"])
    table = pd.DataFrame(
        {
            "holds N*": by["held"].mean(),
            "hi/lo": by["width"].median(),
            "hi/lo at 10x": by["tenfold"].median(),
            "regret, 1e-3 nats": by["regret"].mean(),
        }
    )
    forecasts = pd.DataFrame([row for _, rows in found for row in rows])
    table = table.join(forecasts.groupby(["source", "way"]).mean(numeric_only=True))
    for shown in (table, table.groupby("way").mean()):
        widths = {name: np.exp(shown[name]) for name in ("hi/lo", "hi/lo at 10x")}
        print(shown.assign(**widths).round(3).to_string())


if __name__ == "__main__":
    main()
