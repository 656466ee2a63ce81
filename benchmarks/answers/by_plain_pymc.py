"""The answer of a PyMC model as a user writes it from the formula, by pm.sample's defaults.

PyMC 6 then samples with nutpie where that is installed, and as many chains as there are cores.
"""

import arviz_stats
import numpy as np
import pymc as pm
from question import arguments, columns, curve, quantiles, tell

options = arguments().parse_args()
runs, points = columns(options.runs), columns(options.points)
with pm.Model():
    E = pm.LogNormal("E", np.log(1.7), 0.5)
    A, B = pm.LogNormal("A", 6, 3), pm.LogNormal("B", 6, 3)
    alpha, beta = (pm.LogNormal(name, np.log(0.35), 0.4) for name in ("alpha", "beta"))
    mean = E + A / runs["n_params"] ** alpha + B / runs["tokens"] ** beta
    nu, sigma = pm.Gamma("nu", 2, 0.1), pm.HalfNormal("sigma", 0.05)
    pm.StudentT("log_loss", nu=nu, mu=np.log(mean), sigma=sigma, observed=np.log(runs["loss"]))
    data_tree = pm.sample(random_seed=1)
print(arviz_stats.summary(data_tree, ci_prob=0.9))
posterior = data_tree["posterior"].to_dataset().stack(sample=("chain", "draw"))
draws = {str(name): values.to_numpy() for name, values in posterior.items()}
scatter = np.random.default_rng(1).standard_t(
    draws["nu"][:, None], (len(draws["nu"]), len(points["loss"]))
)
log_loss = np.log(curve(draws, points["n_params"], points["tokens"]))
forecast = quantiles(np.exp(log_loss + draws["sigma"][:, None] * scatter))
print(forecast)
tell("posterior, new run", draws, forecast)
