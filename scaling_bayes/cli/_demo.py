"""The command ``demo``: the main job on runs that come with the package."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from scaling_bayes._intervals import DEFAULT_PROB
from scaling_bayes.cli import _numbers
from scaling_bayes.cli._allocate import allocate
from scaling_bayes.cli._answer import note, print_for_people, show, table_of
from scaling_bayes.cli._options import DEFAULT_VIEW
from scaling_bayes.cli._plot import save_picture
from scaling_bayes.cli._summary import summary_of

if TYPE_CHECKING:
    from rich.console import Group

    from scaling_bayes import Fit, Runs

EXAMPLES = """\
Examples
  scaling-bayes demo
  scaling-bayes demo --output-dir results"""

_INTRODUCTION = (
    "Small transformers trained on the source text of Python's standard library: {train} runs over "
    "sizes N and bytes D, which the laws of Chinchilla and Kaplan are fitted to, and {held_out} "
    "runs with {factors} times the compute of the largest of them, which the fits have not seen. "
    "Losses are in nats per byte; a byte is the token here. Over all runs Chinchilla's law lies "
    "too high at both ends of compute, so that it is also fitted without those below {least}, and "
    "these once more with a smooth discrepancy, which allows for the law's own error."
)
_SEED = 1
_LEAST = "1e11 FLOPs"
"""The compute from which the third fit takes runs."""
_UPPER = "Chinchilla from 1e11"
"""The fit that allocates: its residuals are half those of the others."""
_ALLOWING = "with discrepancy"
"""The fit of the same runs that allows for the error of the law."""
_BUDGET = 10
"""The budget to allocate, in units of the largest compute fitted."""


def demo(
    *,
    output_dir: Annotated[str, Parameter(help="Folder for pictures and fits.")] = "demo",
) -> None:
    """Fit laws to a bundled sweep, forecast larger runs, and compare with the truth."""
    folder = Path(output_dir).expanduser()
    folder.mkdir(parents=True, exist_ok=True)

    import scaling_bayes as sb
    from scaling_bayes import plots

    runs = sb.datasets.load_tiny_transformers()
    train, held_out = runs.where("split == 'train'"), runs.where("split == 'held_out'")
    largest = train.frame["flops"].max()
    print_for_people(_introduction(train, held_out, largest))
    upper = train.above(flops=_LEAST)
    fits = {}
    for name, fitted, law, discrepancy in (
        ("Chinchilla", train, sb.laws.Chinchilla(), None),
        ("Kaplan", train, sb.laws.Kaplan(), None),
        (_UPPER, upper, sb.laws.Chinchilla(), None),
        (_ALLOWING, upper, sb.laws.Chinchilla(), sb.discrepancy.Smooth()),
    ):
        note(f"{name}: fitting {len(fitted)} runs ...")
        fits[name] = sb.fit(fitted, law, discrepancy=discrepancy, seed=_SEED)
        show(summary_of(fits[name], DEFAULT_VIEW), DEFAULT_VIEW)
    print_for_people(_against_truth(fits, held_out, largest))
    saved = {
        name: fit.save(folder / f"{name.lower().replace(' ', '_')}.nc")
        for name, fit in fits.items()
    }
    print_for_people(_about_allocation(held_out, _BUDGET * largest))
    allocate(str(saved[_UPPER]), flops=(f"{_BUDGET * largest:.4g}",))
    pictures = {
        "loss": (_UPPER, plots.plot_loss(fits[_UPPER], held_out=held_out)),
        "isoflop": (_UPPER, plots.plot_isoflop(fits[_UPPER])),
        "residuals": ("Chinchilla", plots.plot_residuals(fits["Chinchilla"])),
    }
    for picture, (name, axes) in pictures.items():
        axes.set_title(f"{name}: {len(fits[name].runs)} runs fitted")
        save_picture(axes, folder / f"{picture}.png")
    save_picture(plots.plot_held_out(fits, held_out, seed=_SEED), folder / "forecasts.png")
    note(f"Saved to {', '.join(map(str, saved.values()))}")


def _introduction(train: Runs, held_out: Runs, largest: float) -> str:
    factors = held_out.frame["flops"] / largest
    return _INTRODUCTION.format(
        train=len(train),
        held_out=len(held_out),
        least=_LEAST,
        factors=f"{factors.min():.0f} to {factors.max():.0f}",
    )


def _about_allocation(held_out: Runs, flops: float) -> str:
    """Say which fit allocates, and what was measured at the budget."""
    there = held_out.above(flops=0.9 * flops).below(flops=1.1 * flops).frame
    measured = ", ".join(
        f"{_numbers.n_params(run['n_params'])} {_loss(run['loss'])}"
        for _, run in there.sort_values("n_params").iterrows()
    )
    return (
        f"Allocation of {_BUDGET} times the largest compute, by the fit {_UPPER!r}. Measured at "
        f"that compute: N {measured}. What an allocation is said to cost is conditional on the "
        "law, as the intervals are."
    )


def _against_truth(fits: dict[str, Fit], held_out: Runs, largest: float) -> Group:
    """Set each fit's interval of a new run beside the loss that was measured."""
    frame = held_out.frame.sort_values("flops")
    truth = frame["loss"].to_numpy()
    columns = {"C": [f"{value / largest:.0f}x" for value in frame["flops"]]}
    columns["N"] = [_numbers.n_params(value) for value in frame["n_params"]]
    columns["D"] = [_numbers.tokens(value) for value in frame["tokens"]]
    columns["truth"] = [_loss(value) for value in truth]
    counts = []
    for name, fit in fits.items():
        lower, upper = fit.forecast(frame, seed=_SEED).interval().values
        places = [_place(*each) for each in zip(truth, lower, upper, strict=True)]
        columns[name] = [
            f"{_numbers.bounds(low, high, _loss)} {place}"
            for low, high, place in zip(lower, upper, places, strict=True)
        ]
        counts.append(f"{name} {places.count('inside')}")
    return table_of(
        "Held-out runs, C in units of the largest fitted: loss in nats per byte, and where it lies",
        list(columns),
        list(zip(*columns.values(), strict=True)),
        caption=f"Intervals: {DEFAULT_PROB:.0%} equal-tailed, of a new run. Truths inside, of "
        f"{len(truth)}: {', '.join(counts)}.",
    )


def _loss(value: float) -> str:
    return f"{value:.3f}"


def _place(value: float, lower: float, upper: float) -> str:
    return "below" if value < lower else "above" if value > upper else "inside"
