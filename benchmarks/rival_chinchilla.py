"""Fit the runs with chinchilla; rivals.py runs this in the tool's own environment."""

import csv
import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from chinchilla import Chinchilla

NAMES = {"flops": "C", "n_params": "N", "tokens": "D", "loss": "loss"}

with open(sys.argv[1], encoding="utf-8") as file:
    rows = list(csv.DictReader(file))
with tempfile.TemporaryDirectory() as folder:
    with (Path(folder) / "df.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(NAMES.values())
        writer.writerows([row[name] for name in NAMES] for row in rows)
    # The grid of starts of the tool's README.
    tool = Chinchilla(
        folder,
        param_grid={
            "E": np.linspace(1, 2, 5),
            "a": np.linspace(1, 10, 5),
            "b": np.linspace(1, 10, 5),
            "alpha": np.linspace(0.1, 0.7, 5),
            "beta": np.linspace(0.1, 0.7, 5),
        },
        log_level=50,
    )
    start = time.perf_counter()
    tool.fit()
    seconds = time.perf_counter() - start

draws = {name: [[float(value)]] for name, value in tool.params.items()}
print(json.dumps({"seconds": seconds, "kind": "point", "draws": draws}))
