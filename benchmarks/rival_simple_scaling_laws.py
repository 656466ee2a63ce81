"""Fit the runs with simple-scaling-laws; rivals.py runs this in the tool's own environment."""

import csv
import json
import sys
import time

import polars as pl
from simple_scaling_laws import fit

with open(sys.argv[1], encoding="utf-8") as file:
    rows = list(csv.DictReader(file))
frame = pl.DataFrame(
    {
        "training_run_id": [str(i) for i in range(len(rows))],
        "model_size__n_params": [float(row["n_params"]) for row in rows],
        "dataset_size__tokens": [float(row["tokens"]) for row in rows],
        "test_loss__nats": [float(row["loss"]) for row in rows],
    }
)
start = time.perf_counter()
model = fit(frame, law="separable-power", seed=0)
seconds = time.perf_counter() - start

draws = dict(zip(model.law.param_names, model.draws["test_loss__nats"].params.T, strict=True))
domain = model.observed_domain
size = domain["model_size__n_params"]["reference"]
tokens = domain["dataset_size__tokens"]["reference"]
result = {
    "E": draws["E"],
    "A": draws["A"] * size ** draws["alpha"],
    "B": draws["B"] * tokens ** draws["beta"],
    "alpha": draws["alpha"],
    "beta": draws["beta"],
}
print(
    json.dumps(
        {
            "seconds": seconds,
            "kind": "bootstrap",
            "draws": {name: [values.tolist()] for name, values in result.items()},
        }
    )
)
