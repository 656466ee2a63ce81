"""How fast should model size grow with compute: Kaplan's law against Chinchilla's.

    python examples/kaplan_against_chinchilla.py [chinchilla_fig4.csv]

Both laws say N* is proportional to C^a. Published values give one a each. Given the table of
Chinchilla's runs (columns n_params, tokens, flops, loss, besiroglu_included), both laws are
fitted to the same 240 rows, without a discrepancy, and a comes with its posterior: "double N and
double D for 4 times the compute" is the statement a = 0.5. Intervals are of a if the law is true.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import xarray as xr

import scaling_bayes as sb

LAWS = {"Kaplan": sb.laws.Kaplan(), "Chinchilla": sb.laws.Chinchilla()}

KAPLAN_NOTE = """\
Kaplan et al. 2020 recommend a = 0.73 all the same. That number is not from their L(N, D): it is
fitted to runs that are stopped early and whose batch size grows, with embeddings left out of N
and C, and their theory of it, alpha_C_min / alpha_N = 0.054 / 0.076, gives 0.71."""


def main() -> None:
    """Print the exponent that each published law implies, then that of each fitted law."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="?", type=Path, help="CSV table of Chinchilla's runs")
    path = parser.parse_args().runs
    print("Allocation exponent a in N* ~ C^a, from published L(N, D) with C = 6 N D:")
    for law in LAWS.values():
        for published in law.published.values():
            print(f"  {published.label:<14} a = {exponent(published).item():.3f}")
    print(KAPLAN_NOTE, end="\n\n")
    if path is None:
        print("No table of runs given, so these are the published laws only. For posteriors:")
        print("python examples/kaplan_against_chinchilla.py chinchilla_fig4.csv")
        return
    runs = sb.read_runs(path, where="besiroglu_included == 1")
    print(f"Fitted to the same {len(runs)} runs, median [90% equal-tailed interval]:")
    for name, law in LAWS.items():
        settings = sb.SamplerSettings(progressbar=False)
        # The question is about parameters, so each law is taken for the truth.
        fit = sb.fit(runs, law, discrepancy=None, settings=settings, seed=1)
        print(f"  {name}: {statement(exponent(fit))}")
        print(f"    scatter of log loss around the law: {in_words(fit.noise_draws['sigma'], 4)}")


def exponent(source: sb.Fit | sb.laws.PublishedLaw) -> xr.DataArray:
    """Return the draws of a."""
    draws: xr.DataArray = source.law.derived(source.draws)["a"]
    return draws


def statement(a: xr.DataArray) -> str:
    """Return what a posterior of a says of doubling both."""
    near_half = float((abs(a - 0.5) < 0.05).mean())
    above_half = float((a > 0.5).mean())
    return (
        f"a = {in_words(a, 3)}; for 4 times the compute N* grows {in_words(4**a, 2)} times.\n"
        f'    "Double N, double D": P(0.45 < a < 0.55) = {near_half:.3f}; P(a > 0.5) = '
        f"{above_half:.3f}."
    )


def in_words(draws: xr.DataArray, digits: int) -> str:
    """Return the median and the 90% equal-tailed interval."""
    lower, median, upper = draws.quantile([0.05, 0.5, 0.95]).values
    return f"{median:.{digits}f} [{lower:.{digits}f}, {upper:.{digits}f}]"


if __name__ == "__main__":
    main()
