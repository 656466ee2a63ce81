"""Forecasts of held-out runs beside their losses."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.figure import Figure

import scaling_bayes as sb
from scaling_bayes import plots
from scaling_bayes.errors import InputError

HOFFMANN = sb.laws.Chinchilla.published["hoffmann2022"]


@pytest.fixture
def ax() -> Axes:
    return Figure().subplots()


@pytest.fixture
def held_out() -> sb.Runs:
    table = {
        "n_params": [7e9, 1e9, 3e9],
        "tokens": [2e11, 4e11, 1e11],
        "loss": [2.1, 2.3, 2.4],
        "run": ["large", "small", "middle"],
    }
    return sb.read_runs(pd.DataFrame(table))


def test_bars_are_the_intervals_of_the_forecast_in_the_order_of_compute(fit, held_out, ax) -> None:
    assert plots.plot_held_out({"A": fit, "B": fit}, held_out, prob=0.8, seed=3, ax=ax) is ax
    bars = [each for each in ax.collections if isinstance(each, LineCollection)]
    ordered = held_out.frame.sort_values("flops")
    expected = fit.forecast(ordered, seed=3).interval(prob=0.8).values.T
    heights = []
    for bar in bars:
        segments = np.array(bar.get_segments())
        np.testing.assert_allclose(segments[:, :, 0], expected)
        heights.append(segments[:, 0, 1])
    assert (heights[0] > heights[1]).all()
    (truth,) = [each for each in ax.collections if isinstance(each, PathCollection)]
    losses = np.column_stack([ordered["loss"], range(3)])
    np.testing.assert_allclose(truth.get_offsets(), losses)
    words = [text.get_text() for text in ax.get_yticklabels()]
    assert words == [
        "3B, 100B, 1.8e+21 FLOPs",
        "1B, 400B, 2.4e+21 FLOPs",
        "7B, 200B, 8.4e+21 FLOPs",
    ]


def test_the_legend_says_what_the_bars_are(fit, held_out, ax) -> None:
    plots.plot_held_out({"ours": fit}, held_out, of="mean_curve", kind="hdi", prob=0.5, ax=ax)
    words = [text.get_text() for text in ax.get_legend().get_texts()]
    assert words == ["ours: the mean curve, 50% HDI", "held-out runs (3)"]


def test_what_cannot_be_drawn_is_refused(fit, held_out, ax) -> None:
    with pytest.raises(InputError, match="give the fits by name"):
        plots.plot_held_out(fit, held_out, ax=ax)
    with pytest.raises(InputError, match="sources is empty"):
        plots.plot_held_out({}, held_out, ax=ax)
    with pytest.raises(InputError, match="held_out has no runs"):
        plots.plot_held_out({"f": fit}, held_out.where("loss > 9"), ax=ax)
    with pytest.raises(InputError, match="no interval of a new run"):
        plots.plot_held_out({"h": HOFFMANN}, held_out, ax=ax)
    with pytest.raises(InputError, match="prob"):
        plots.plot_held_out({"f": fit}, held_out, prob=1.5, ax=ax)
