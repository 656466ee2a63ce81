"""The command ``demo``: the main job on runs that come with the package."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from scaling_bayes._files.user_path import path_of
from scaling_bayes._intervals import DEFAULT_PROB
from scaling_bayes.cli import _numbers
from scaling_bayes.cli._allocate import allocate
from scaling_bayes.cli._answer import note, print_for_people, show, table_of
from scaling_bayes.cli._options import DEFAULT_VIEW
from scaling_bayes.cli._plot import save_picture
from scaling_bayes.cli._rescue import save_or_rescue
from scaling_bayes.cli._summary import summary_of

if TYPE_CHECKING:
    from rich.console import Group

    from scaling_bayes import Fit, Runs

EXAMPLES = """\
Examples
  scaling-bayes demo
  scaling-bayes demo --output-dir results"""

_INTRODUCTION = (
    "Small transformers trained on the source text of Python's standard library: {train} runs "
    "over sizes N and bytes D, which are fitted, and {held_out} runs with {factors} times the "
    "compute of the largest of them, which the fit has not seen. Losses are in nats per byte; a "
    "byte is the token here."
)
_SEED = 1
_BUDGET = 10
"""The budget to allocate, in units of the largest compute fitted."""


def demo(
    *,
    output_dir: Annotated[str, Parameter(help="Folder for pictures and fits.")] = "demo",
) -> None:
    """Fit a bundled sweep, forecast larger runs, allocate, and compare with the truth."""
    folder = path_of(output_dir)
    folder.mkdir(parents=True, exist_ok=True)

    import scaling_bayes as sb
    from scaling_bayes import plots

    runs = sb.datasets.load_tiny_transformers()
    train, held_out = runs.where("split == 'train'"), runs.where("split == 'held_out'")
    largest = train.frame["flops"].max()
    print_for_people(_introduction(train, held_out, largest))
    note(f"Fitting {len(train)} runs ...")
    fit = sb.fit(train, seed=_SEED)
    show(summary_of(fit, DEFAULT_VIEW), DEFAULT_VIEW)
    print_for_people(_against_truth(fit, held_out, largest))
    saved = save_or_rescue(fit, folder / "fit.nc")
    print_for_people(_measured_at(held_out, _BUDGET * largest))
    allocate(str(saved), flops=(f"{_BUDGET * largest:.4g}",))
    forecasts = plots.plot_held_out({fit.label: fit}, held_out, seed=_SEED)
    save_picture(forecasts, folder / "forecasts.png")
    pictures = {
        "loss": plots.plot_loss(fit, held_out=held_out),
        "isoflop": plots.plot_isoflop(fit),
        "residuals": plots.plot_residuals(fit),
    }
    for name, axes in pictures.items():
        axes.set_title(f"{fit.label}: {len(train)} runs fitted")
        save_picture(axes, folder / f"{name}.png")
    note(f"Saved to {saved}")


def _introduction(train: Runs, held_out: Runs, largest: float) -> str:
    factors = held_out.frame["flops"] / largest
    return _INTRODUCTION.format(
        train=len(train),
        held_out=len(held_out),
        factors=f"{factors.min():.0f} to {factors.max():.0f}",
    )


def _measured_at(held_out: Runs, flops: float) -> str:
    """Say what was measured at the budget that is allocated."""
    there = held_out.above(flops=0.9 * flops).below(flops=1.1 * flops).frame
    measured = ", ".join(
        f"{_numbers.n_params(run['n_params'])} {_loss(run['loss'])}"
        for _, run in there.sort_values("n_params").iterrows()
    )
    return (
        f"Allocation of {_BUDGET} times the largest compute. Measured at that compute, after the "
        f"allocation was made: N {measured}."
    )


def _against_truth(fit: Fit, held_out: Runs, largest: float) -> Group:
    """Set the interval of a new run beside the loss that was measured."""
    frame = held_out.frame.sort_values("flops")
    truth = frame["loss"].to_numpy()
    lower, upper = fit.forecast(frame, seed=_SEED).interval().values
    places = [_place(*each) for each in zip(truth, lower, upper, strict=True)]
    bounds = zip(lower, upper, places, strict=True)
    columns = {
        "C": [f"{value / largest:.0f}x" for value in frame["flops"]],
        "N": [_numbers.n_params(value) for value in frame["n_params"]],
        "D": [_numbers.tokens(value) for value in frame["tokens"]],
        "truth": [_loss(value) for value in truth],
        "forecast": [f"{_numbers.bounds(low, high, _loss)} {place}" for low, high, place in bounds],
    }
    return table_of(
        "Held-out runs, C in units of the largest fitted: loss in nats per byte, and where it lies",
        list(columns),
        list(zip(*columns.values(), strict=True)),
        caption=f"Intervals: {DEFAULT_PROB:.0%} equal-tailed, of a new run. "
        f"{places.count('inside')} of {len(truth)} truths lie inside.",
    )


def _loss(value: float) -> str:
    return f"{value:.3f}"


def _place(value: float, lower: float, upper: float) -> str:
    return "below" if value < lower else "above" if value > upper else "inside"
