"""What six large language models gave up by the size that they were trained at.

    python examples/retrospect.py [chinchilla_fig4.csv]

The published laws of Hoffmann et al. 2022 and Besiroglu et al. 2024 judge each model. Given
the table of Chinchilla's runs (columns n_params, tokens, flops, loss, besiroglu_included), the
law is also fitted to its 240 rows, and the verdicts come with intervals. They are of the law if it
is true: without a discrepancy, as the published ones, and so too narrow beyond the runs.

Each verdict is on a run of that size under Chinchilla's recipe. The models themselves had
other data and other tokenisers, so their own reported losses are not comparable.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd
import xarray as xr

import scaling_bayes as sb
from scaling_bayes.units import format_quantity

MODELS = pd.DataFrame(
    [
        ("GPT-3", 175e9, 300e9),
        ("LaMDA", 137e9, 168e9),
        ("Jurassic", 178e9, 300e9),
        ("Gopher", 280e9, 300e9),
        ("MT-NLG", 530e9, 270e9),
        ("Chinchilla", 70e9, 1.4e12),
    ],
    columns=["model", "n_params", "tokens"],
).set_index("model")


def main() -> None:
    """Print the table of each law, then whether Chinchilla beats Gopher."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="?", type=Path, help="CSV table of Chinchilla's runs")
    path = parser.parse_args().runs
    for published in sb.laws.Chinchilla.published.values():
        print(f"By {published.label} ({published.citation}), no intervals published:")
        print(verdicts(published), end="\n\n")
    if path is None:
        print("No table of runs given, so these are the published laws only. For intervals:")
        print("python examples/retrospect.py chinchilla_fig4.csv")
        return
    fit = sb.fit(
        sb.read_runs(path, where="besiroglu_included == 1"),
        sb.laws.Chinchilla(),
        discrepancy=None,
        settings=sb.SamplerSettings(progressbar=False),
        seed=1,
    )
    print(f"By {fit}.")
    print("Median [90% equal-tailed interval], of the law if it is true:")
    print(verdicts(fit), end="\n\n")
    print(duel(fit))


def verdicts(source: sb.Fit | sb.laws.PublishedLaw) -> str:
    """Return one row a model: its loss, its tokens per parameter, and the best for its compute."""
    forecast = sb.forecast(source, MODELS)
    given_up = sb.loss_given_up(source, n_params=MODELS["n_params"], tokens=MODELS["tokens"])
    flops = forecast.points["flops"].to_numpy()
    best = sb.allocate(source, flops=flops).optimum
    table = pd.DataFrame(
        {
            "N": [format_quantity(value, kind="n_params") for value in MODELS["n_params"]],
            "D": [format_quantity(value, kind="tokens") for value in MODELS["tokens"]],
            "C": [format_quantity(value, kind="flops") for value in flops],
            "D/N": [f"{value:.2g}" for value in MODELS["tokens"] / MODELS["n_params"]],
            "best D/N at that C": in_words(best["tokens_per_param"], ".1f"),
            "loss": in_words(forecast.mean_curve, ".3f"),
            "given up": in_words(given_up, ".3f"),
        },
        index=MODELS.index.rename(None),
    )
    return table.to_string()


def in_words(draws: xr.DataArray, digits: str) -> list[str]:
    """Return the median of each point, with its 90% interval where there is more than one draw."""
    lower, median, upper = draws.quantile([0.05, 0.5, 0.95], dim=("chain", "draw")).values
    if draws.sizes["draw"] == 1:
        return [format(value, digits) for value in median]
    return [
        f"{value:{digits}} [{low:{digits}}, {high:{digits}}]"
        for value, low, high in zip(median, lower, upper, strict=True)
    ]


def duel(fit: sb.Fit) -> str:
    """Return how probable it is that Chinchilla beats Gopher."""
    pair = MODELS.loc[["Chinchilla", "Gopher"]]
    forecast = fit.forecast(n_params=pair["n_params"], tokens=pair["tokens"], seed=2)
    lines = []
    for of, words in (("mean_curve", "its mean curve"), ("new_run", "one new run of each")):
        lead = forecast.draws(of).isel(point=1) - forecast.draws(of).isel(point=0)
        lower, median, upper = lead.quantile([0.05, 0.5, 0.95]).values
        lines.append(
            f"Chinchilla beats Gopher with probability {float((lead > 0).mean()):.4f} by {words}, "
            f"by {median:.4f} [{lower:.4f}, {upper:.4f}] nats per token "
            "(median and 90% equal-tailed interval)."
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
