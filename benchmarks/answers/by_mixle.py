"""The answer of mixle."""

import numpy as np
from mixle.ppl.scaling_laws import fit_scaling_law
from question import arguments, columns, quantiles, tell

options = arguments().parse_args()
runs, points = columns(options.runs), columns(options.points)
fit = fit_scaling_law(
    list(zip(runs["n_params"], runs["tokens"], runs["loss"], strict=True)), seed=0
)
print(fit.summary())
sizes = zip(points["n_params"], points["tokens"], strict=True)
forecast = quantiles(np.array([fit.predict_samples(n, d) for n, d in sizes]).T)
print(forecast)

draws = {name: fit.samples(name) for name in ("E", "A", "B", "alpha", "beta")}
draws["A"] = draws["A"] * fit.n0 ** draws["alpha"]
draws["B"] = draws["B"] * fit.d0 ** draws["beta"]
tell("one chain, mean curve", draws, forecast)
