"""Fit the runs with mixle; rivals.py runs this in the tool's own environment."""

import csv
import json
import sys
import time

from mixle.ppl.scaling_laws import fit_scaling_law

with open(sys.argv[1], encoding="utf-8") as file:
    records = [
        (float(row["n_params"]), float(row["tokens"]), float(row["loss"]))
        for row in csv.DictReader(file)
    ]
start = time.perf_counter()
fit = fit_scaling_law(records, seed=0)
seconds = time.perf_counter() - start

draws = {name: fit.samples(name) for name in ("E", "A", "B", "alpha", "beta")}
draws["A"] = draws["A"] * fit.n0 ** draws["alpha"]
draws["B"] = draws["B"] * fit.d0 ** draws["beta"]
print(
    json.dumps(
        {
            "seconds": seconds,
            "kind": "mcmc",
            "draws": {name: [values.tolist()] for name, values in draws.items()},
        }
    )
)
