"""The answer of simple-scaling-laws."""

import numpy as np
import polars as pl
from question import QUANTILES, arguments, columns, tell
from simple_scaling_laws import fit

LOSS, SIZE, TOKENS = "test_loss__nats", "model_size__n_params", "dataset_size__tokens"

options = arguments().parse_args()
runs, points = columns(options.runs), columns(options.points)
frame = pl.DataFrame(
    {
        "training_run_id": [str(i) for i in range(len(runs["loss"]))],
        SIZE: runs["n_params"],
        TOKENS: runs["tokens"],
        LOSS: runs["loss"],
    }
)
model = fit(frame, law="separable-power", seed=0)
print(model.summary())
print(model.conf_int(LOSS, level=0.9))
forecast = model.predict(
    {SIZE: points["n_params"].tolist(), TOKENS: points["tokens"].tolist()},
    kind="new-run",
    quantiles=QUANTILES,
)
print(forecast)

scaled = dict(zip(model.law.param_names, model.draws[LOSS].params.T, strict=True))
domain = model.observed_domain
letters = {
    **scaled,
    "A": scaled["A"] * domain[SIZE]["reference"] ** scaled["alpha"],
    "B": scaled["B"] * domain[TOKENS]["reference"] ** scaled["beta"],
}
ends = [column for column in forecast.columns if column.startswith(LOSS)]
tell("bootstrap, new run", letters, np.array([forecast[end].to_numpy() for end in ends]))
