"""The command ``demo``: the main job on runs that come with the package."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from scaling_bayes._intervals import DEFAULT_PROB
from scaling_bayes.cli import _numbers
from scaling_bayes.cli._answer import note, on_terminal, print_for_people, show, table_of
from scaling_bayes.cli._options import DEFAULT_VIEW
from scaling_bayes.cli._plot import save_picture
from scaling_bayes.cli._summary import summary_of

if TYPE_CHECKING:
    from rich.console import Group

    from scaling_bayes import Forecast
    from scaling_bayes._forecast import Of

EXAMPLES = """\
Examples
  scaling-bayes demo
  scaling-bayes demo --output-dir results"""

_INTRODUCTION = (
    "Seven published models, Cerebras-GPT (Dey et al. 2023), with their loss on the test set of "
    "the Pile. The law L(C) = L_inf + (C_c/C)^alpha_C is fitted to the six smaller ones. It then "
    "forecasts the largest, of 13B parameters, which the fit has not seen."
)
_OF: dict[Of, str] = {"new_run": "a new run", "mean_curve": "the mean curve"}
_SEED = 1


def demo(
    *,
    output_dir: Annotated[str, Parameter(help="Folder for the picture and the fit.")] = "demo",
) -> None:
    """Fit six published models, forecast the seventh, and compare with the truth."""
    folder = Path(output_dir).expanduser()
    folder.mkdir(parents=True, exist_ok=True)

    import scaling_bayes as sb
    from scaling_bayes import plots

    print_for_people(_INTRODUCTION)
    runs = sb.datasets.load_cerebras_gpt()
    seen, held_out = runs.below(n_params="13B"), runs.above(n_params="13B")
    settings = sb.SamplerSettings(progressbar=on_terminal())
    fit = sb.fit(seen, sb.laws.PowerLaw("flops"), settings=settings, seed=_SEED)
    show(summary_of(fit, DEFAULT_VIEW), DEFAULT_VIEW)
    forecast, truth = fit.forecast(held_out, seed=_SEED), held_out.frame["loss"].item()
    print_for_people(_table(forecast, truth), _verdict(forecast, truth))
    save_picture(plots.plot_loss(fit, held_out=held_out), folder / "forecast.png")
    note(f"Saved to {fit.save(folder / 'fit.nc')}")


def _table(forecast: Forecast, truth: float) -> Group:
    rows = [["truth", _numbers.loss(truth), "", ""]]
    for of, words in _OF.items():
        low, high = forecast.interval(of=of).values.ravel()
        rows.append(
            [
                words,
                _numbers.loss(float(forecast.draws(of).median())),
                _numbers.bounds(low, high, _numbers.loss),
                f"{forecast.probability_below(truth, of=of).item():.3f}",
            ]
        )
    return table_of(
        "Loss of the 13B model, in nats per token",
        ["", "median", f"{DEFAULT_PROB:.0%} interval", "P(below the truth)"],
        rows,
        caption="Intervals: equal-tailed. The mean curve is the law, the middle of many runs; a "
        "new run scatters around it.",
    )


def _verdict(forecast: Forecast, truth: float) -> str:
    """Say of each interval whether the truth lies in it."""
    places = []
    for of, words in _OF.items():
        low, high = forecast.interval(of=of).values.ravel()
        place = "below" if truth < low else "above" if truth > high else "inside"
        places.append(f"{place} the {DEFAULT_PROB:.0%} interval of {words}")
    return f"The truth, {truth:.3f} nats per token, lies {' and '.join(places)}."
