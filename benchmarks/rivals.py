"""The same 240 runs by the strongest tools that one could pick from the package index today.

Each tool is installed into an environment of its own, which is deleted afterwards, and fits
E + A/N^alpha + B/D^beta the way its README shows (the files rival_*.py). Beside them stand this
package and a plain PyMC model, written as a user would. Medians and 90 percent equal-tailed
intervals; N* is the optimum at 5.76e23 FLOPs, Chinchilla's own budget. Seconds are those of the
fit alone, without installing and importing.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import arviz_base
import arviz_stats
import numpy as np
import pymc as pm
import xarray as xr
from measure import print_table
from sweep import arguments, chinchilla_runs

import scaling_bayes as sb

TOOLS = {
    "simple-scaling-laws": "0.2.0",
    "chinchilla": "0.2.0",
    "mixle": "0.7.0",
}
BUDGET = 5.76e23
NAMES = ("E", "A", "B", "alpha", "beta")


@dataclass(frozen=True)
class Found:
    """Draws of E, A, B, alpha and beta, with dims chain and draw, and how they came about."""

    draws: xr.Dataset
    kind: str
    seconds: float


def by_tool(name: str, version: str, table: Path) -> Found:
    """Return what a tool finds, installed into an environment of its own."""
    with tempfile.TemporaryDirectory() as folder:
        python = Path(folder) / "bin" / "python"
        subprocess.run([sys.executable, "-m", "venv", folder], check=True, capture_output=True)
        install = [python, "-m", "pip", "install", "--quiet", f"{name}=={version}"]
        subprocess.run(install, check=True, capture_output=True, text=True)
        script = Path(__file__).with_name(f"rival_{name.replace('-', '_')}.py")
        answer = subprocess.run(
            [python, "-P", script, table], check=True, capture_output=True, text=True, cwd=folder
        )
    result = json.loads(answer.stdout.splitlines()[-1])
    arrays = {key: np.asarray(result["draws"][key], dtype=float) for key in NAMES}
    return Found(arviz_base.dict_to_dataset(arrays), result["kind"], result["seconds"])


def of_fit(fit: sb.Fit, seconds: float) -> Found:
    """Return a fit of this package in the letters of the literature."""
    everything = fit.draws.assign(fit.law.derived(fit.draws))
    letters = {"L_inf": "E", "alpha_N": "alpha", "alpha_D": "beta"}
    return Found(everything.rename(letters)[list(NAMES)], "posterior", seconds)


def by_package(runs: sb.Runs) -> dict[str, Found]:
    """Return what this package finds: the first fit, which compiles, and a second one."""
    fitter = sb.Fitter(
        sb.laws.Chinchilla(), settings=sb.SamplerSettings(progressbar=False), discrepancy=None
    )
    found = {}
    for name in ("scaling_bayes, first fit", "scaling_bayes, second fit"):
        start = time.perf_counter()
        fit = fitter.fit(runs, seed=1)
        found[name] = of_fit(fit, time.perf_counter() - start)
    return found


def by_plain_pymc(runs: sb.Runs) -> Found:
    """Return what a PyMC model finds that a user writes down from the formula."""
    n_params, tokens, loss = runs.covariates(("n_params", "tokens", "loss")).values()
    with pm.Model():
        E = pm.LogNormal("E", np.log(1.7), 0.5)
        A, B = pm.LogNormal("A", 6, 3), pm.LogNormal("B", 6, 3)
        alpha, beta = (
            pm.LogNormal("alpha", np.log(0.35), 0.4),
            pm.LogNormal("beta", np.log(0.35), 0.4),
        )
        mean = E + A / n_params**alpha + B / tokens**beta
        nu, sigma = pm.Gamma("nu", 2, 0.1), pm.HalfNormal("sigma", 0.05)
        pm.StudentT("log_loss", nu=nu, mu=np.log(mean), sigma=sigma, observed=np.log(loss))
        start = time.perf_counter()
        data_tree = pm.sample(
            chains=4, nuts_sampler="pymc", random_seed=1, progressbar=False, quiet=True
        )
    seconds = time.perf_counter() - start
    return Found(data_tree["posterior"].to_dataset()[list(NAMES)], "posterior", seconds)


def middle(values: xr.DataArray, digits: str) -> str:
    """Return the median with its 90 percent interval, or the value alone if there is but one."""
    if values.size == 1:
        return f"{values.item():{digits}}"
    low, mid, high = np.quantile(values, [0.05, 0.5, 0.95])
    return f"{mid:{digits}} [{low:{digits}}, {high:{digits}}]"


def row(name: str, found: Found) -> dict[str, object]:
    """Return a row of the table."""
    p = found.draws
    total = p["alpha"] + p["beta"]
    a = p["beta"] / total
    optimum = (p["alpha"] * p["A"] / (p["beta"] * p["B"])) ** (1 / total) * (BUDGET / 6) ** a
    sampled = found.kind in ("posterior", "mcmc")
    ess = min(float(e) for e in arviz_stats.ess(p).values()) if sampled else None
    return {
        "tool": name,
        "alpha": middle(p["alpha"], ".3f"),
        "beta": middle(p["beta"], ".3f"),
        "E": middle(p["E"], ".3f"),
        "A": middle(p["A"], ".0f"),
        "B": middle(p["B"], ".0f"),
        "a": middle(a, ".3f"),
        "N* in 1e9": middle(optimum / 1e9, ".1f"),
        "kind": found.kind,
        "draws": p.sizes["chain"] * p.sizes["draw"],
        "min ESS": "" if ess is None else f"{ess:.0f}",
        "seconds": f"{found.seconds:.1f}",
    }


def failed(name: str, error: subprocess.CalledProcessError) -> dict[str, object]:
    """Return a row that says why there are no figures."""
    last = (error.stderr or "no message").strip().splitlines()[-1]
    return {"tool": name, "kind": f"failed: {last[:80]}"}


def main() -> None:
    """Measure and print."""
    options = arguments(__doc__).parse_args()
    runs = chinchilla_runs(options.data)
    rows = [row(name, found) for name, found in by_package(runs).items()]
    rows.append(row("plain PyMC, Student-t", by_plain_pymc(runs)))
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "runs.csv"
        runs.frame.to_csv(table, index=False)
        for name, version in TOOLS.items():
            try:
                rows.append(row(f"{name} {version}", by_tool(name, version, table)))
            except subprocess.CalledProcessError as error:
                rows.append(failed(f"{name} {version}", error))
    for group in (
        ("alpha", "beta", "E", "A", "B"),
        ("a", "N* in 1e9", "kind", "draws", "min ESS", "seconds"),
    ):
        print_table("", [{key: line.get(key, "") for key in ("tool", *group)} for line in rows])


if __name__ == "__main__":
    main()
