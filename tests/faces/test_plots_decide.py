"""Pictures of decisions: the numbers of the decision, and words that say what they are."""

from __future__ import annotations

from collections.abc import Callable

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure

import scaling_bayes as sb
from scaling_bayes import plots
from scaling_bayes.errors import InputError

BESIROGLU = sb.laws.Chinchilla.published["besiroglu2024"]
KAPLAN = sb.laws.Kaplan.published["kaplan2020"]
H100 = sb.Hardware(peak="989 TFLOP/s", utilisation=0.4, n_devices=1024, price="$2.50")
FLOPS = [1e21, 1e22, 1e23]


pytestmark = pytest.mark.usefixtures("style_kept")


@pytest.fixture
def ax() -> Axes:
    """Return axes that pyplot knows nothing of."""
    return Figure().subplots()


@pytest.fixture(scope="module")
def decision(fit: sb.Fit) -> sb.Decision:
    return sb.decide(fit, flops=1e23)


@pytest.fixture(scope="module")
def spent(fit: sb.Fit) -> sb.Spending:
    return sb.spending(fit, flops=FLOPS, hardware=H100, value_per_nat="$20M", of="new_run")


@pytest.fixture(scope="module")
def values(decision: sb.Decision) -> sb.RunValues:
    candidates = pd.DataFrame({"n_params": ["100M", "1B", "3B"], "flops": [1e20, 1e21, 1e21]})
    return sb.next_run(decision, candidates, most_refits=0)


def legend_of(ax: Axes) -> list[str]:
    return [text.get_text() for text in ax.get_legend().get_texts()]


def band_of(ax: Axes, label: str) -> PolyCollection:
    (found,) = [each for each in ax.collections if each.get_label() == label]
    return found


def edges_of(band: PolyCollection) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return x, lower and upper edge of a filled band, read from its outline."""
    outline = pd.DataFrame(band.get_paths()[0].vertices, columns=["x", "y"]).groupby("x")["y"]
    return outline.min().index.to_numpy(), outline.min().to_numpy(), outline.max().to_numpy()


def line_of(ax: Axes, label: str) -> tuple[np.ndarray, np.ndarray]:
    labels = [str(each.get_label()) for each in ax.lines]
    name = label if label in labels else next(each for each in labels if each.startswith(label))
    found = ax.lines[labels.index(name)]
    return np.asarray(found.get_xdata(), float), np.asarray(found.get_ydata(), float)


DRAW: dict[str, Callable[..., Axes]] = {
    "regret": lambda law, ax: plots.plot_regret(sb.decide(law, flops=1e22), ax=ax),
    "range": lambda law, ax: plots.plot_range(sb.decide(law, flops=1e22), ax=ax),
    "spending": lambda law, ax: plots.plot_spending(sb.spending(law, flops=FLOPS), ax=ax),
    "frontier": lambda law, ax: plots.plot_frontier(law, flops=FLOPS, ax=ax),
}


@pytest.mark.parametrize("draw", DRAW.values(), ids=DRAW)
@pytest.mark.parametrize("source", ["own_law_fit", BESIROGLU, KAPLAN], ids=str)
def test_draws_on_the_axes_given(
    draw: Callable[..., Axes],
    source: str | sb.laws.PublishedLaw,
    ax: Axes,
    request: pytest.FixtureRequest,
) -> None:
    law = request.getfixturevalue(source) if isinstance(source, str) else source
    assert draw(law, ax) is ax
    assert not plt.get_fignums()
    ax.figure.canvas.draw()


@pytest.mark.parametrize("draw", DRAW.values(), ids=DRAW)
def test_makes_axes_where_none_are_given(draw: Callable[..., Axes]) -> None:
    assert isinstance(draw(BESIROGLU, None), Axes)
    assert len(plt.get_fignums()) == 1


# --- regret


def test_regret_bands_are_quantiles_of_the_regret(decision: sb.Decision, ax: Axes) -> None:
    plots.plot_regret(decision, ax=ax)
    regret = pd.DataFrame(decision.options.regret, index=decision.options.n_params)
    for prob in (0.5, 0.9):
        x, lower, upper = edges_of(band_of(ax, f"{prob:.0%} equal-tailed interval"))
        for i in (0, len(x) // 2, len(x) - 1):
            tails = [(1 - prob) / 2, (1 + prob) / 2]
            expected = np.quantile(regret.loc[x[i]], tails, method="inverted_cdf")
            np.testing.assert_allclose([lower[i], upper[i]], expected)
    assert ax.get_ylabel() == "regret (nats per token)"
    assert ax.get_legend().get_title().get_text() == "chinchilla, 1e+23 FLOPs"


def test_regret_marks_the_choice_its_range_and_other_rules(decision: sb.Decision, ax: Axes) -> None:
    plots.plot_regret(decision, epsilon=0.02, prob=0.8, ax=ax)
    x, y = line_of(ax, "choice: the smallest expected loss")
    assert x.item() == decision.choice.n_params
    assert y.item() == pytest.approx(decision.regret.mean())
    (shaded,) = [
        patch
        for patch in ax.patches
        if patch.get_label() == "regret below 0.02 nats with probability 0.8"
    ]
    ends = np.sort(shaded.get_extents().transformed(ax.transData.inverted()).intervalx)
    np.testing.assert_allclose(ends, decision.range(epsilon=0.02, prob=0.8).n_params, rtol=1e-6)
    others = decision.alternatives()["n_params"]
    heights = []
    for rule in ("quantile", "cvar", "cvar_regret"):
        x, y = line_of(ax, f"by {rule}".replace("_", " "))
        heights.append(y.item())
        assert x.item() == pytest.approx(others[f"by {rule}"])
    assert len(set(heights)) == 3


def test_range_of_a_menu_shows_its_sizes_within_the_budget(fit: sb.Fit, ax: Axes) -> None:
    menu = [1e9, 7e9, 7e10]
    decision = sb.decide(fit, flops=1e23, n_params=menu)
    plots.plot_range(decision, epsilon=0.02, ax=ax)
    places = np.concatenate([each.get_offsets() for each in ax.collections])
    assert set(places[:, 0]) == set(menu)
    assert (6 * places[:, 0] * places[:, 1] <= 1e23 * (1 + 1e-9)).all()


def test_regret_of_a_menu_shows_every_size(fit: sb.Fit, ax: Axes) -> None:
    menu = [1e9, 7e9, 7e10]
    plots.plot_regret(sb.decide(fit, flops=1e23, n_params=menu), ax=ax)
    np.testing.assert_allclose(line_of(ax, "median")[0], menu)
    low, high = ax.get_xlim()
    assert low < min(menu)
    assert high > max(menu)


def test_regret_of_one_draw_has_no_interval(ax: Axes) -> None:
    plots.plot_regret(sb.decide(BESIROGLU, flops=1e23), ax=ax)
    assert not any("interval" in label for label in legend_of(ax))


def test_a_range_without_sizes_is_not_shaded(decision: sb.Decision, ax: Axes) -> None:
    plots.plot_regret(decision, epsilon=1e-7, prob=0.99, ax=ax)
    assert not any("with probability" in label for label in legend_of(ax))
    with pytest.raises(InputError, match="epsilon is 0"):
        plots.plot_regret(decision, epsilon=0)


# --- range


def test_range_holds_what_a_forecast_says(decision: sb.Decision, fit: sb.Fit, ax: Axes) -> None:
    plots.plot_range(decision, epsilon=0.03, prob=0.5, ax=ax)
    outline = ax.collections[-1]
    points = np.concatenate([path.vertices for path in outline.get_paths() if len(path.vertices)])
    n_params, tokens = points[:: max(1, len(points) // 8)].T
    losses = fit.forecast(n_params=n_params, tokens=tokens).mean_curve
    regret = losses.transpose("point", ...).to_numpy().reshape(len(n_params), -1)
    below = np.mean(regret - decision.options.best_loss < 0.03, axis=1)
    np.testing.assert_allclose(below, 0.5, atol=0.05)
    x, y = line_of(ax, "all that 1e+23 FLOPs")
    np.testing.assert_allclose(6 * x * y, 1e23)


def test_range_marks_the_choice_and_the_cheapest(decision: sb.Decision, ax: Axes) -> None:
    plots.plot_range(decision, epsilon=0.03, ax=ax)
    assert line_of(ax, "choice: ")[0].item() == decision.choice.n_params
    n_params, tokens, flops = decision.range(epsilon=0.03).cheapest
    assert line_of(ax, "cheapest inside: ")[0].item() == n_params
    assert line_of(ax, "cheapest inside: ")[1].item() == tokens
    words = f"{flops / decision.choice.flops:.0%} of the choice's training compute"
    assert any(words in label for label in legend_of(ax))
    assert "probability 0.9" in legend_of(ax)


def test_one_size_has_a_regret_and_no_range(fit: sb.Fit, ax: Axes) -> None:
    only = sb.decide(fit, flops=1e23, n_params="7B")
    plots.plot_regret(only, ax=ax)
    assert line_of(ax, "choice: ")[0].item() == 7e9
    with pytest.raises(InputError, match="but one model size"):
        plots.plot_range(only)


# --- spending


def test_spending_bands_are_its_intervals(spent: sb.Spending, ax: Axes) -> None:
    plots.plot_spending(spent, ax=ax)
    frame = spent.to_frame()
    x, lower, upper = edges_of(band_of(ax, "a new run, 90% equal-tailed interval"))
    np.testing.assert_allclose(x, frame["price"])
    np.testing.assert_allclose(lower, frame["loss_lower"])
    np.testing.assert_allclose(upper, frame["loss_upper"])
    assert ax.get_xlabel() == "price (USD)"
    assert ax.get_ylabel() == "loss (nats per token)"
    stop = H100.money(spent.stop.expected)
    assert line_of(ax, "another doubling no longer worth it")[0][0] == pytest.approx(stop)
    bar = line_of(ax, "worth it below and not above")[0]
    ends = [spent.stop.surely_worth_below, spent.stop.surely_not_from]
    np.testing.assert_allclose(bar, [H100.money(end) for end in ends])
    assert any("L_\\infty" in label for label in legend_of(ax))


def test_spending_without_a_price_is_in_flops(ax: Axes) -> None:
    plots.plot_spending(sb.spending(BESIROGLU, flops=FLOPS), ax=ax)
    x, y = line_of(ax, "the mean curve")
    np.testing.assert_allclose(x, FLOPS)
    np.testing.assert_allclose(y, sb.allocate(BESIROGLU, flops=FLOPS).optimum["loss"].squeeze())
    assert ax.get_xlabel() == "compute spent (FLOPs)"
    assert legend_of(ax) == ["the mean curve", r"$L_\infty$"]
    no_floor = plots.plot_spending(sb.spending(KAPLAN, flops=FLOPS))
    assert legend_of(no_floor) == ["the mean curve"]


# --- frontier


@pytest.mark.parametrize("of", ["n_params", "tokens", "tokens_per_param"])
def test_frontier_bands_are_the_posterior_and_the_flat_range(
    fit: sb.Fit, ax: Axes, of: str
) -> None:
    plots.plot_frontier(fit, flops=FLOPS, of=of, epsilon=0.02, prob=0.8, ax=ax)
    letter = {"n_params": "N*", "tokens": "D*", "tokens_per_param": "D*/N*"}[of]
    posterior = fit.allocate(flops=FLOPS)
    x, *edges = edges_of(band_of(ax, f"{letter}, 80% equal-tailed interval"))
    np.testing.assert_allclose(x, FLOPS)
    np.testing.assert_allclose(edges, posterior.interval(of, prob=0.8), rtol=0.03)
    x, lower, upper = edges_of(band_of(ax, "regret below 0.02 nats with probability 0.8"))
    for i, flops in enumerate(FLOPS):
        found = sb.decide(fit, flops=flops).range(epsilon=0.02, prob=0.8)
        sizes, tokens = np.array(found.n_params), np.array(found.tokens)
        ends = {"n_params": sizes, "tokens": tokens, "tokens_per_param": tokens / sizes}[of]
        np.testing.assert_allclose([lower[i], upper[i]], np.sort(ends), rtol=1e-6)
    best = posterior.recommended[of]
    np.testing.assert_allclose(line_of(ax, "beyond the fitted runs")[1], best, rtol=1e-3)


def test_frontier_needs_a_curve_and_a_quantity() -> None:
    with pytest.raises(InputError, match="two different budgets"):
        plots.plot_frontier(BESIROGLU, flops=1e22)
    with pytest.raises(InputError, match="of is 'loss'"):
        plots.plot_frontier(BESIROGLU, flops=FLOPS, of="loss")


# --- next run


def test_next_run_shows_values_and_what_they_cannot_exceed(values: sb.RunValues, ax: Axes) -> None:
    assert plots.plot_next_run(values, ax=ax) is ax
    ax.figure.canvas.draw()
    table = values.to_frame()
    shown = np.concatenate(
        [each.get_offsets() for each in ax.collections if "(" in str(each.get_label())]
    )
    np.testing.assert_allclose(np.sort(shown[:, 0]), np.sort(table["cost"]))
    np.testing.assert_allclose(
        np.sort(shown[:, 1]), np.sort(table["evsi"].clip(lower=table["evsi"].max() / 1000))
    )
    most = line_of(ax, "value of perfect information")[1]
    assert most[0] == values.value_of_perfect_information
    assert ax.get_xlabel() == "cost of the run (FLOPs)"
    for what in ("most value", "most value per cost"):
        assert any(label.startswith(f"{what}: N ") for label in legend_of(ax))
    assert ax.get_legend().get_title().get_text() == "for a decision on 1e+23 FLOPs"
