"""Pictures: on the axes given, with the numbers of forecasts, in words that say what they are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection, PolyCollection
from matplotlib.figure import Figure

import scaling_bayes as sb
from scaling_bayes import plots
from scaling_bayes.discrepancy import DATA_DIMS, WEIGHT, Smooth
from scaling_bayes.errors import InputError

HOFFMANN = sb.laws.Chinchilla.published["hoffmann2022"]
KAPLAN_C = sb.laws.PurePowerLaw.published["kaplan2020-flops"]
OFF_OPTIMUM = "runs away from the optimum lie above it"
MEAN_CURVE = "the mean curve, 90% equal-tailed interval"
NEW_RUN = "a new run, 90% equal-tailed interval"


pytestmark = pytest.mark.usefixtures("style_kept")


@pytest.fixture
def ax() -> Axes:
    """Return axes that pyplot knows nothing of."""
    return Figure().subplots()


def legend_of(ax: Axes) -> list[str]:
    return [text.get_text() for text in ax.get_legend().get_texts()]


def edges_of(band: PolyCollection) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return x, lower and upper edge of a filled band, read from its outline."""
    outline = pd.DataFrame(band.get_paths()[0].vertices, columns=["x", "y"]).groupby("x")["y"]
    return outline.min().index.to_numpy(), outline.min().to_numpy(), outline.max().to_numpy()


def bands_of(ax: Axes) -> list[PolyCollection]:
    return [band for band in ax.collections if isinstance(band, PolyCollection)]


def ticks_of(ax: Axes, side: str) -> list[str]:
    ax.figure.canvas.draw()
    axis = getattr(ax, f"{side}axis")
    low, high = sorted(axis.get_view_interval())
    return [
        text.get_text()
        for place, text in zip(axis.get_majorticklocs(), axis.get_majorticklabels(), strict=True)
        if low <= place <= high
    ]


DRAW: dict[str, Callable[[sb.Fit, Axes | None], Axes]] = {
    "loss": lambda fit, ax: plots.plot_loss(fit, ax=ax),
    "loss along N": lambda fit, ax: plots.plot_loss(fit, along="n_params", ax=ax),
    "loss along D": lambda fit, ax: plots.plot_loss(fit, along="tokens", ax=ax),
    "isoflop": lambda fit, ax: plots.plot_isoflop(fit, ax=ax),
    "contours": lambda fit, ax: plots.plot_contours(fit, ax=ax),
    "compare": lambda fit, ax: plots.plot_compare({"f": fit, "h": HOFFMANN}, ax=ax),
    "compare along N": lambda fit, ax: plots.plot_compare({"f": fit}, along="n_params", ax=ax),
}


@pytest.mark.parametrize("draw", DRAW.values(), ids=DRAW)
@pytest.mark.parametrize("source", ["fit", "own_law_fit", "published"])
def test_draws_on_the_axes_given(
    draw: Callable[..., Axes], source: str, ax: Axes, request: pytest.FixtureRequest
) -> None:
    law = HOFFMANN if source == "published" else request.getfixturevalue(source)
    assert draw(law, ax) is ax
    assert not plt.get_fignums()
    ax.figure.canvas.draw()


@pytest.mark.parametrize("draw", DRAW.values(), ids=DRAW)
def test_makes_axes_where_none_are_given(draw: Callable[..., Axes], fit: sb.Fit) -> None:
    assert isinstance(draw(fit, None), Axes)
    assert len(plt.get_fignums()) == 1


def test_residuals_draw_on_the_axes_given(own_law_fit: sb.Fit, ax: Axes) -> None:
    assert plots.plot_residuals(own_law_fit, ax=ax) is ax
    assert not plt.get_fignums()


# --- loss


def test_loss_bands_are_the_intervals_of_the_forecast(fit_in_compute: sb.Fit, ax: Axes) -> None:
    plots.plot_loss(fit_in_compute, prob=0.8, seed=7, ax=ax)
    new_run, mean_curve = bands_of(ax)
    x, lower, upper = edges_of(mean_curve)
    expected = fit_in_compute.forecast(flops=x).interval(of="mean_curve", prob=0.8)
    np.testing.assert_allclose([lower, upper], expected)
    x, lower, upper = edges_of(new_run)
    for i in (0, len(x) // 2, len(x) - 1):
        expected = fit_in_compute.forecast(flops=x[i], seed=7).interval(of="new_run", prob=0.8)
        np.testing.assert_allclose([lower[i], upper[i]], expected.values.ravel())


def test_loss_along_compute_follows_the_recommended_allocation(fit: sb.Fit, ax: Axes) -> None:
    plots.plot_loss(fit, of="mean_curve", kind="hdi", ax=ax)
    (band,) = bands_of(ax)
    x, lower, upper = edges_of(band)
    best = fit.allocate(flops=x).recommended
    there = fit.forecast(n_params=best["n_params"].values, tokens=best["tokens"].values)
    np.testing.assert_allclose([lower, upper], there.interval(of="mean_curve", kind="hdi"))
    assert "chinchilla, compute-optimal" in legend_of(ax)
    assert "the mean curve, 90% HDI" in legend_of(ax)
    assert ax.get_legend().get_title().get_text() == OFF_OPTIMUM


def test_loss_band_of_a_new_run_is_smooth(fit: sb.Fit, ax: Axes) -> None:
    plots.plot_loss(fit, of="new_run", ax=ax)
    (band,) = bands_of(ax)
    _, lower, upper = edges_of(band)
    width = np.log(upper / lower)
    assert np.abs(np.diff(width, 2)).max() < 0.02 * width.mean()


def test_loss_says_what_is_drawn(fit_in_compute: sb.Fit, ax: Axes) -> None:
    truth = sb.datasets.load_cerebras_gpt().above(flops=2e22)
    plots.plot_loss(fit_in_compute, held_out=truth, ax=ax)
    assert legend_of(ax) == [
        "power-c",
        "beyond the fitted runs",
        MEAN_CURVE,
        NEW_RUN,
        "fitted runs (6)",
        "held-out runs (1)",
    ]
    assert ax.get_legend().get_title().get_text() == ""
    assert ax.get_xlabel() == "training compute C (FLOPs)"
    assert ax.get_ylabel() == "loss (nats per token)"
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")


def test_loss_marks_held_out_runs_and_where_the_fitted_ones_end(
    fit_in_compute: sb.Fit, ax: Axes
) -> None:
    truth = sb.datasets.load_cerebras_gpt().above(flops=2e22)
    plots.plot_loss(fit_in_compute, held_out=truth, ax=ax)
    fitted, held_out = [c for c in ax.collections if isinstance(c, PathCollection)]
    np.testing.assert_allclose(held_out.get_offsets(), [[2.3e22, 1.575]])
    assert len(fitted.get_offsets()) == 6
    assert len(fitted.get_paths()[0].vertices) != len(held_out.get_paths()[0].vertices)
    solid, dashed = ax.lines[:2]
    reached = solid.get_xdata()[np.isfinite(solid.get_ydata())]
    assert reached.max() <= fit_in_compute.runs.frame["flops"].max() < dashed.get_xdata().max()


def test_loss_ticks_are_in_peoples_units(fit: sb.Fit, ax: Axes) -> None:
    plots.plot_loss(fit, along="n_params", limits=("50M", "70B"), ax=ax)
    assert {"100M", "1B", "10B"} <= set(ticks_of(ax, "x"))
    compute = plots.plot_loss(fit, limits=("1e18", "1e22"))
    assert {"$10^{19}$", "$10^{20}$"} <= set(ticks_of(compute, "x"))
    assert len(ticks_of(compute, "y")) >= 3
    assert all(float(tick) > 0 for tick in ticks_of(compute, "y"))


def test_loss_along_a_size_is_drawn_at_levels_of_the_other(fit: sb.Fit, ax: Axes) -> None:
    plots.plot_loss(fit, along="n_params", at=["3B", "1.4T"], of="mean_curve", ax=ax)
    labels = legend_of(ax)
    assert labels[:2] == ["chinchilla at D = 3B tokens", "chinchilla at D = 1.4T tokens"]
    assert labels[-1] == "fitted runs, coloured by their D (21)"
    for band, tokens in zip(bands_of(ax), ("3B", "1.4T"), strict=True):
        x, lower, upper = edges_of(band)
        expected = fit.forecast(n_params=x, tokens=tokens).interval(of="mean_curve")
        np.testing.assert_allclose([lower, upper], expected)


def with_discrepancy(fit: sb.Fit) -> sb.Fit:
    """Return a fit with a discrepancy that is small."""
    smooth = Smooth()
    data = smooth.data(fit.runs.covariates(("n_params", "tokens")))
    posterior = fit.data_tree["posterior"].to_dataset()
    shape = tuple(posterior.sizes[dim] for dim in ("chain", "draw"))
    weight = 0.01 * np.random.default_rng(1).standard_normal((*shape, smooth.n_components))
    groups = {
        "sample_stats": fit.data_tree["sample_stats"].to_dataset(),
        "posterior": posterior.assign(
            {
                "tau": (("chain", "draw"), np.full(shape, 0.01)),
                WEIGHT: (("chain", "draw", "component"), weight),
            }
        ),
        "constant_data": xr.Dataset(
            {name: (DATA_DIMS[name], values) for name, values in data.items()}
        ),
    }
    return replace(fit, data_tree=xr.DataTree.from_dict(groups), discrepancy=smooth)


def test_a_law_in_one_size_with_discrepancy_has_no_curve_along_it(
    fit_in_compute: sb.Fit, ax: Axes
) -> None:
    smooth = with_discrepancy(fit_in_compute)
    message = "cannot be drawn along flops alone.*Take plot_residuals.*two of n_params, tokens"
    for source in (smooth, sb.average({"with": smooth, "without": fit_in_compute})):
        with pytest.raises(InputError, match=message):
            plots.plot_loss(source, ax=ax)
        with pytest.raises(InputError, match=message):
            plots.plot_compare({"one": source}, ax=ax)
    assert not ax.has_data()
    assert plots.plot_residuals(smooth, ax=ax) is ax


def test_a_law_in_two_sizes_with_discrepancy_has_curves(fit: sb.Fit) -> None:
    smooth = with_discrepancy(fit)
    for along in ("n_params", "tokens", "flops"):
        assert plots.plot_loss(smooth, along=along).has_data()


def test_a_published_law_is_one_line(sweep: sb.Runs, ax: Axes) -> None:
    plots.plot_loss(HOFFMANN, runs=sweep, ax=ax)
    assert not bands_of(ax)
    (line,) = ax.lines
    best = sb.allocate(HOFFMANN, flops=line.get_xdata()).optimum["loss"]
    np.testing.assert_allclose(line.get_ydata(), best.values.ravel())
    assert legend_of(ax) == ["hoffmann2022, compute-optimal", "runs (21)"]


def test_a_law_in_one_size_is_drawn_along_it_by_default(ax: Axes) -> None:
    law = sb.laws.PurePowerLaw.published["kaplan2020-tokens"]
    plots.plot_loss(law, limits=("1B", "1T"), ax=ax)
    assert ax.get_xlabel() == "training tokens D"
    np.testing.assert_allclose(ax.lines[0].get_xdata()[[0, -1]], [1e9, 1e12])


# --- isoFLOP curves


def test_isoflop_finds_the_budgets_of_a_sweep(fit: sb.Fit, ax: Axes) -> None:
    plots.plot_isoflop(fit, ax=ax)
    labels = legend_of(ax)
    assert labels[:3] == [
        "C = $10^{19}$ FLOPs",
        "C = $10^{20}$ FLOPs",
        "C = $10^{21}$ FLOPs",
    ]
    assert "fitted runs within 20% of a budget (21)" in labels
    assert "minimum N*: median, 90% equal-tailed interval" in labels
    assert {MEAN_CURVE, NEW_RUN} <= set(labels)


def test_isoflop_marks_the_posterior_of_the_minimum(fit: sb.Fit, ax: Axes) -> None:
    plots.plot_isoflop(fit, flops=["1e20", "3e21"], prob=0.5, ax=ax)
    (container,) = ax.containers
    (bars,) = container.lines[2]
    lower, upper = np.array([segment[:, 0] for segment in bars.get_segments()]).T
    expected = fit.allocate(flops=[1e20, 3e21]).interval("n_params", prob=0.5)
    np.testing.assert_allclose([lower, upper], expected)


def test_isoflop_curve_is_the_forecast_at_the_budget(fit: sb.Fit, ax: Axes) -> None:
    plots.plot_isoflop(fit, flops=1e20, of="mean_curve", ax=ax)
    x, lower, upper = edges_of(bands_of(ax)[0])
    expected = fit.forecast(n_params=x, flops=1e20).interval(of="mean_curve")
    np.testing.assert_allclose([lower, upper], expected)


def test_isoflop_draws_only_runs_near_a_budget(fit: sb.Fit, ax: Axes) -> None:
    plots.plot_isoflop(fit, flops=1e20, near=1.01, ax=ax)
    (points,) = [c for c in ax.collections if isinstance(c, PathCollection)]
    assert len(points.get_offsets()) == 7


def test_isoflop_of_a_published_law_has_no_interval(ax: Axes) -> None:
    plots.plot_isoflop(HOFFMANN, flops=[1e21], ax=ax)
    assert legend_of(ax) == ["C = $10^{21}$ FLOPs", "minimum N*"]


def test_isoflop_takes_even_budgets_where_runs_form_no_level(own_law_fit: sb.Fit, ax: Axes) -> None:
    scattered = sb.datasets.load_cerebras_gpt()
    plots.plot_isoflop(own_law_fit, runs=scattered, ax=ax)
    assert sum(label.startswith("C = ") for label in legend_of(ax)) == 4


# --- contours


def test_contours_band_is_the_interval_of_the_allocation(fit: sb.Fit, ax: Axes) -> None:
    plots.plot_contours(fit, ax=ax)
    band = next(patch for patch in ax.patches if len(patch.get_xy()) > 2)
    corners = band.get_xy()[:-1]
    lower, upper = np.split(corners, 2)
    flops = 6 * lower.prod(axis=1)
    optima = fit.allocate(flops=flops)
    np.testing.assert_allclose([lower[:, 0], upper[::-1, 0]], optima.interval("n_params"))
    np.testing.assert_allclose(6 * upper[::-1].prod(axis=1), flops)
    assert "N* and D* at each compute, 90% equal-tailed interval" in legend_of(ax)


def test_contours_lie_where_the_loss_is_theirs(ax: Axes) -> None:
    plots.plot_contours(HOFFMANN, levels=[2.2, 2.6], ax=ax)
    contours = ax.collections[0]
    np.testing.assert_allclose(contours.levels, [2.2, 2.6])
    for path, level in zip(contours.get_paths(), contours.levels, strict=True):
        n_params, tokens = path.vertices.T
        loss = sb.forecast(HOFFMANN, n_params=n_params, tokens=tokens).mean_curve
        np.testing.assert_allclose(loss.values.ravel(), level, rtol=2e-3)


def test_contours_show_every_run_and_the_axes_asked_for(fit: sb.Fit, ax: Axes) -> None:
    plots.plot_contours(fit, n_params=("10M", "70B"), tokens=("1B", "1.4T"), ax=ax)
    assert ax.get_xlim() == pytest.approx((1e7, 7e10))
    assert ax.get_ylim() == pytest.approx((1e9, 1.4e12))
    (points,) = [c for c in ax.collections if isinstance(c, PathCollection)]
    np.testing.assert_allclose(points.get_offsets(), fit.runs.frame[["n_params", "tokens"]])


# --- prior against posterior


def test_prior_posterior_has_a_panel_for_each_parameter(fit: sb.Fit) -> None:
    panels = plots.plot_prior_posterior(fit)
    titles = [panel.get_title() for panel in panels]
    parameters = [*fit.law.parameters, *fit.noise.parameters]
    assert titles == [f"${parameter.symbol}$" for parameter in parameters]
    scales = dict(zip((p.name for p in parameters), (p.get_xscale() for p in panels), strict=True))
    assert scales["N_c"] == scales["D_c"] == scales["sigma"] == "log"
    assert scales["L_inf"] == scales["alpha_N"] == "linear"
    assert legend_of(panels[0]) == ["prior", "posterior"]


def test_prior_posterior_peaks_lie_where_the_densities_do(fit: sb.Fit) -> None:
    axes = Figure().subplots(1, 2)
    panels = plots.plot_prior_posterior(fit, parameters=["alpha_N", "N_c"], axes=axes)
    assert list(panels) == list(axes)
    assert not plt.get_fignums()
    for panel, name, prior_mode in (
        (panels[0], "alpha_N", 0.35 * np.exp(-(0.4**2))),
        (panels[1], "N_c", 1e8),
    ):
        prior, posterior = panel.lines
        assert prior.get_xdata()[prior.get_ydata().argmax()] == pytest.approx(prior_mode, rel=0.05)
        draws = fit.draws[name]
        peak = posterior.get_xdata()[posterior.get_ydata().argmax()]
        assert draws.quantile(0.2) < peak < draws.quantile(0.8)


# --- residuals


def test_residuals_are_per_cent_of_log_loss(fit: sb.Fit, ax: Axes) -> None:
    plots.plot_residuals(fit, against="tokens", prob=0.5, seed=4, ax=ax)
    bars, points = ax.collections
    answer = fit.forecast(fit.runs, seed=4)
    middle = np.log(answer.to_frame()["loss"].to_numpy())
    x, residual = points.get_offsets().T
    np.testing.assert_allclose(x, fit.runs.frame["tokens"])
    np.testing.assert_allclose(residual, 100 * (np.log(fit.runs.frame["loss"]) - middle))
    ends = np.array([segment[:, 1] for segment in bars.get_segments()]).T
    np.testing.assert_allclose(ends, 100 * (np.log(answer.interval(prob=0.5)) - middle))
    assert "%" in ax.get_ylabel()
    assert legend_of(ax) == ["a new run, 50% equal-tailed interval", "fitted runs (21)"]


def test_residuals_of_held_out_runs_have_their_own_interval(
    fit_in_compute: sb.Fit, ax: Axes
) -> None:
    truth = sb.datasets.load_cerebras_gpt().above(flops=2e22)
    plots.plot_residuals(fit_in_compute, held_out=truth, ax=ax)
    assert legend_of(ax) == [NEW_RUN, "fitted runs (6)", "held-out runs (1)"]
    assert len(ax.collections[2].get_segments()) == 1


def test_residuals_of_many_runs_have_some_intervals_and_all_points(
    fit_in_compute: sb.Fit, ax: Axes
) -> None:
    frame = pd.concat([fit_in_compute.runs.frame] * 200)
    many = replace(fit_in_compute, runs=sb.Runs(frame))
    plots.plot_residuals(many, ax=ax)
    bars, points = ax.collections
    assert len(bars.get_segments()) == 400
    residual = points.get_offsets()[:, 1].reshape(200, 6)
    few = plots.plot_residuals(fit_in_compute).collections[1].get_offsets()[:, 1]
    np.testing.assert_allclose(residual, np.tile(few, (200, 1)))


# --- several laws


def test_compare_draws_each_law_once_and_the_runs_once(
    fit: sb.Fit, own_law_fit: sb.Fit, ax: Axes
) -> None:
    sources = {"sampled": fit, "own": own_law_fit, "published": HOFFMANN}
    plots.plot_compare(sources, limits=("1e18", "1e25"), ax=ax)
    labels = legend_of(ax)
    assert labels == [*sources, "beyond the fitted runs", MEAN_CURVE, "fitted runs (21)"]
    assert len(bands_of(ax)) == 2
    assert len({line.get_color() for line in ax.lines if line.get_label() in sources}) == 3
    x, lower, upper = edges_of(bands_of(ax)[0])
    np.testing.assert_allclose(x[[0, -1]], [1e18, 1e25])
    best = fit.allocate(flops=x).recommended
    there = fit.forecast(n_params=best["n_params"].values, tokens=best["tokens"].values)
    np.testing.assert_allclose([lower, upper], there.interval(of="mean_curve"))


def test_compare_mixes_laws_in_compute_with_laws_in_both_sizes(
    fit: sb.Fit, fit_in_compute: sb.Fit, ax: Axes
) -> None:
    plots.plot_compare({"both": fit, "compute": fit_in_compute, "kaplan": KAPLAN_C}, ax=ax)
    title = ax.get_legend().get_title().get_text()
    assert title == f"laws in N and D: each at its own optimum;\n{OFF_OPTIMUM}"
    assert "fitted runs (27)" in legend_of(ax)


def test_compare_along_a_size_says_at_which_level(fit: sb.Fit, ax: Axes) -> None:
    plots.plot_compare({"a": fit, "b": HOFFMANN}, along="n_params", at="20B", ax=ax)
    assert ax.get_legend().get_title().get_text() == "at D = 20B tokens"
    loss = sb.forecast(HOFFMANN, n_params=ax.lines[-2].get_xdata(), tokens="20B").mean_curve
    line = next(line for line in ax.lines if line.get_label() == "b")
    np.testing.assert_allclose(line.get_ydata(), loss.values.ravel())


# --- nonsense


class TwoSizesAndMore(sb.Law):
    """A law that reads a column which no plot can choose values for."""

    name = "with-depth"
    covariates = ("n_params", "depth")
    parameters = (sb.laws.irreducible_loss(),)

    def loss(self, p: object, x: object) -> object:
        return p.L_inf + x.depth / x.n_params


WITH_DEPTH = sb.laws.PublishedLaw(
    "with-depth", TwoSizesAndMore(), {"L_inf": 1.7}, sb.laws.Citation("A", 2020, "B", "0")
)

NONSENSE: dict[str, tuple[Callable[[sb.Fit], object], str]] = {
    "isoFLOP curves of a law in compute": (
        lambda _: plots.plot_isoflop(KAPLAN_C),
        "plot_isoflop needs a law that trades model size against tokens.*flops alone",
    ),
    "contours of a law in compute": (lambda _: plots.plot_contours(KAPLAN_C), "flops alone"),
    "along a size that the law does not read": (
        lambda _: plots.plot_loss(KAPLAN_C, along="n_params"),
        "cannot be drawn along n_params",
    ),
    "along nothing known": (lambda fit: plots.plot_loss(fit, along="depth"), "along is 'depth'"),
    "new runs of a published law": (
        lambda _: plots.plot_loss(HOFFMANN, of="new_run"),
        "hoffmann2022 has no interval of a new run",
    ),
    "an unknown band": (lambda fit: plots.plot_loss(fit, of="median"), "of is 'median'"),
    "levels along compute": (lambda fit: plots.plot_loss(fit, at="1B"), "at='1B' has no meaning"),
    "limits that do not increase": (
        lambda fit: plots.plot_loss(fit, limits=(1e20, 1e19)),
        "the second must be larger",
    ),
    "limits of another unit": (
        lambda fit: plots.plot_loss(fit, limits=("1 metre", "2 metres")),
        "1 metre",
    ),
    "a probability of two": (lambda fit: plots.plot_loss(fit, prob=2), "prob is 2"),
    "an unknown kind of interval": (lambda fit: plots.plot_loss(fit, kind="se"), "'se' is unknown"),
    "a law in more than sizes": (lambda _: plots.plot_loss(WITH_DEPTH), "also reads depth"),
    "near below one": (lambda fit: plots.plot_isoflop(fit, near=0.5), "near is 0.5"),
    "nothing to compare": (lambda _: plots.plot_compare({}), "sources is empty"),
    "comparison with an unknown band": (
        lambda fit: plots.plot_compare({"a": fit}, of="median"),
        "of is 'median'",
    ),
    "comparison along a size that one law does not read": (
        lambda fit: plots.plot_compare({"a": fit, "b": KAPLAN_C}, along="tokens"),
        "cannot be drawn along tokens",
    ),
    "comparison at a level of compute": (
        lambda fit: plots.plot_compare({"a": fit}, at="1B"),
        "at='1B' has no meaning",
    ),
    "residuals of a published law": (lambda _: plots.plot_residuals(HOFFMANN), "needs a fit"),
    "residuals against nothing known": (
        lambda fit: plots.plot_residuals(fit, against="depth"),
        "no column 'depth'",
    ),
    "prior of a published law": (lambda _: plots.plot_prior_posterior(HOFFMANN), "needs a fit"),
    "prior of an unknown parameter": (
        lambda fit: plots.plot_prior_posterior(fit, parameters=["gamma"]),
        "no parameter 'gamma'",
    ),
    "too few axes": (
        lambda fit: plots.plot_prior_posterior(fit, axes=[Figure().subplots()]),
        "1 axes for 7 parameters",
    ),
}


@pytest.mark.parametrize(("draw", "message"), NONSENSE.values(), ids=NONSENSE)
def test_nonsense_is_refused_before_anything_is_drawn(
    draw: Callable[[sb.Fit], object], message: str, fit: sb.Fit
) -> None:
    with pytest.raises(InputError, match=message):
        draw(fit)
    assert not plt.get_fignums()
