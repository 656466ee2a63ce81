"""The answer of chinchilla."""

import csv
import tempfile
from pathlib import Path

import numpy as np
from chinchilla import Chinchilla
from question import NO_INTERVAL, arguments, columns, tell

NAMES = {"flops": "C", "n_params": "N", "tokens": "D", "loss": "loss"}

options = arguments().parse_args()
runs, points = columns(options.runs), columns(options.points)
with tempfile.TemporaryDirectory() as folder:
    with (Path(folder) / "df.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(NAMES.values())
        writer.writerows(zip(*(runs[name] for name in NAMES), strict=True))
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
    tool.fit()
    print(tool.params)
    forecast = tool.predict_loss(points["n_params"], points["tokens"])
print(forecast)
tell(NO_INTERVAL, tool.params, np.stack([forecast] * 3))
