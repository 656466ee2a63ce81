from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import stats
from scipy.optimize import least_squares

import scaling_bayes as sb
from scaling_bayes._checks import check as _check
from scaling_bayes._checks import trends
from scaling_bayes._checks.check import outliers_of, residuals_of
from scaling_bayes._checks.trends import _taken_up, adjusted, groups_of, scatter_of, trends_of
from scaling_bayes.discrepancy import BASIS, DATA_DIMS, WEIGHT, Smooth
from scaling_bayes.errors import DoubtWarning, IdentifiabilityWarning
from scaling_bayes.units import format_quantity

ALL = ("chain", "draw")
SIGMA = 0.004
N_RUNS = 60
TRUTH = sb.laws.Chinchilla.published["besiroglu2024"]
Bias = Callable[[pd.DataFrame], np.ndarray]


def sweep(
    seed: int, bias: Bias | None = None, *, sigma: float = SIGMA, **columns: object
) -> sb.Runs:
    """Return runs from the law with normal noise and a bias on log loss."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "n_params": 10 ** rng.uniform(7.5, 9.5, N_RUNS),
            "tokens": 10 ** rng.uniform(9, 11, N_RUNS),
        }
    ).assign(**columns)
    log_loss = np.log(TRUTH.law.loss(SimpleNamespace(**TRUTH.values), frame))
    log_loss += sigma * rng.standard_normal(N_RUNS)
    log_loss += 0.0 if bias is None else bias(frame)
    return sb.read_runs(frame.assign(loss=np.exp(log_loss)))


def quick_fit(
    runs: sb.Runs, law: sb.Law = TRUTH.law, values: Mapping[str, float] = TRUTH.values
) -> sb.Fit:
    """Return draws of a normal approximation to the posterior under a flat prior."""
    rng = np.random.default_rng(1)
    sizes = SimpleNamespace(**runs.covariates(law.covariates))
    observed = np.log(runs.frame["loss"].to_numpy())

    def residual(log_values: np.ndarray) -> np.ndarray:
        p = SimpleNamespace(**dict(zip(law.parameter_names, np.exp(log_values), strict=True)))
        return np.log(law.loss(p, sizes)) - observed

    start = np.log([values[name] for name in law.parameter_names])
    found = least_squares(residual, start, x_scale="jac")
    free = len(runs) - len(start)
    variance = np.sum(found.fun**2) / rng.chisquare(free, 1000)
    unit = rng.multivariate_normal(
        np.zeros(len(start)), np.linalg.inv(found.jac.T @ found.jac), 1000
    )
    logs = found.x + np.sqrt(variance)[:, None] * unit
    draws = dict(zip(law.parameter_names, np.exp(logs).T, strict=True))
    draws["sigma"] = np.sqrt(variance)
    posterior = xr.Dataset(
        {name: (("chain", "draw"), each.reshape(2, -1)) for name, each in draws.items()}
    )
    tree = xr.DataTree.from_dict({"posterior": posterior})
    return sb.Fit(law, sb.noise.Normal(), runs, tree)


def trends_with_p(fit: sb.Fit) -> pd.DataFrame:
    trends = trends_of(scatter_of(fit, fit.runs, seed=1))
    trends["p_adjusted"] = adjusted(trends["p"].to_numpy())
    return trends.set_index(["quantity", "against"])


def unit_log(values: pd.Series) -> pd.Series:
    """Return the log of values, scaled to [-1, 1]."""
    x = np.log(values)
    return 2 * (x - x.min()) / (x.max() - x.min()) - 1


def bend(frame: pd.DataFrame) -> pd.Series:
    return 0.02 * unit_log(frame["tokens"] / frame["n_params"]) ** 2


def interaction(frame: pd.DataFrame) -> pd.Series:
    return -0.02 * unit_log(frame["tokens"]) * unit_log(frame["n_params"])


@pytest.fixture(scope="module")
def healthy() -> list[pd.DataFrame]:
    """Trends of forty tables of runs that follow the law."""
    return [trends_with_p(quick_fit(sweep(seed))) for seed in range(40)]


def test_runs_that_follow_the_law_seldom_raise_an_alarm(healthy):
    alarms = sum((trends["p_adjusted"] < 0.05).any() for trends in healthy)
    assert alarms <= stats.binom.ppf(0.999, len(healthy), 0.05)


@pytest.mark.parametrize("against", ["n_params", "tokens", "flops", "tokens_per_param"])
def test_p_values_of_bends_are_uniform_as_if_replicates_were_fitted(healthy, against):
    p = [trends.loc[("bend", against), "p"] for trends in healthy]
    assert stats.kstest(pd.Series(p).dropna(), "uniform").pvalue > 1e-3


def test_a_slope_that_the_law_takes_up_is_not_tested(healthy):
    slopes = healthy[0].loc["slope"]
    assert (slopes["absorbed"] > 0.98).all()
    assert slopes["p"].isna().all()


@pytest.mark.parametrize("bias", [bend, interaction])
def test_a_bend_in_tokens_per_parameter_is_found_with_its_size(bias):
    trends = trends_with_p(quick_fit(sweep(1, bias)))
    row = trends.loc[("bend", "tokens_per_param")]
    assert row["p_adjusted"] < 0.05
    # 2% at the ends, of which the law takes up a part.
    assert 0.8 < row["size"] < 2.3
    assert row["replicated_upper"] < row["size"]


def account(fit: sb.Fit) -> tuple[list[str], pd.DataFrame]:
    """Return what a check says of residuals, and the trends that it speaks of."""
    scatter = scatter_of(fit, fit.runs, seed=1)
    trends, groups = _check._with_adjusted(trends_of(scatter), groups_of(scatter))
    residuals = residuals_of(scatter)
    words = [
        _check._verdict(trends, groups, residuals, "the law"),
        *_check._trend_words(trends, residuals, "the law"),
        *_check._group_words(groups, residuals, "the law"),
        *_check._outlier_words(outliers_of(scatter, residuals), len(residuals)),
    ]
    return words, pd.concat([trends, groups])


def uneven(frame: pd.DataFrame) -> np.ndarray:
    """Bend the curve, move a group, let noise grow with compute, and set one run apart."""
    rng = np.random.default_rng(0)
    grown = np.exp(2 * unit_log(frame["tokens"] * frame["n_params"])) * rng.standard_normal(N_RUNS)
    moved = bend(frame) + 0.03 * (frame["group"] == "b") + 0.005 * grown
    return np.where(np.arange(N_RUNS) == 7, 0.2, moved)


@pytest.mark.parametrize("seed", range(5))
def test_nothing_is_said_of_what_shows_as_zero_percent_of_the_loss(seed):
    group = np.resize(["a", "b"], N_RUNS)
    words, _ = account(quick_fit(sweep(seed, uneven, group=group)))
    assert words[0].startswith("Residuals are not those of the law and its noise")
    assert len(words) > 3
    tiny, trends = account(
        quick_fit(sweep(seed, lambda x: 1e-6 * uneven(x), sigma=1e-6 * SIGMA, group=group))
    )
    n_found, n_tested = (trends["p_adjusted"] < 0.05).sum(), trends["p"].notna().sum()
    assert n_found >= 2
    assert tiny == [
        f"Residuals show nothing that can be seen: {n_found} of {n_tested} test quantities of "
        f"trends, spread, tails and groups ({len(trends) - n_tested} more cannot be tested, since "
        "the law takes them up) are out of line (p below 0.05 when adjusted for their number), by "
        "less than 0.005% of the loss."
    ]


def test_a_size_that_the_law_does_not_read_leaves_a_slope():
    law = sb.laws.PowerLaw("n_params")
    fit = quick_fit(sweep(1), law, {"L_inf": 2.2, "alpha_N": 0.35, "N_c": 1e8})
    row = trends_with_p(fit).loc[("slope", "tokens")]
    assert row["p_adjusted"] < 0.05
    assert row["absorbed"] < 0.3
    # From 1e9 to 1e11 tokens the D term falls from 1.06 to 0.2 nats of about 3.
    assert -40 < row["size"] < -10


def test_noise_that_grows_with_compute_is_found():
    def growing(frame: pd.DataFrame) -> np.ndarray:
        compute = unit_log(frame["n_params"] * frame["tokens"])
        return SIGMA * np.exp(3 * compute) * np.random.default_rng(0).standard_normal(N_RUNS)

    row = trends_with_p(quick_fit(sweep(0, growing))).loc[("spread", "flops")]
    assert row["p_adjusted"] < 0.05
    assert row["size"] > 4
    assert row["size"] > row["replicated_upper"] > 1 > row["replicated_lower"]


def test_a_stray_run_is_named_and_makes_tails_but_no_trend():
    def stray(frame: pd.DataFrame) -> np.ndarray:
        return np.where(frame.index == 17, 0.06, 0.0)

    fit = quick_fit(sweep(2, stray))
    scatter = scatter_of(fit, fit.runs, seed=1)
    outliers = outliers_of(scatter, residuals_of(scatter))
    assert outliers.index.tolist() == [17]
    assert outliers.loc[17, "p_among_runs"] < 0.01
    assert outliers.loc[17, "residual_percent"] == pytest.approx(6, abs=1)
    trends = trends_with_p(fit)
    assert trends.loc[("tails", ""), "p_adjusted"] < 0.05
    assert (trends.drop(index=("tails", ""))["p_adjusted"].dropna() > 0.05).all()


def test_a_group_beside_the_law_is_found_with_its_offset():
    group = np.where(np.arange(N_RUNS) % 4 == 0, "wide", "dense")

    def offset(frame: pd.DataFrame) -> np.ndarray:
        return np.where(frame["group"] == "wide", 0.01, 0.0)

    for bias, found in ((offset, True), (None, False)):
        fit = quick_fit(sweep(4, bias, group=group))
        groups = groups_of(scatter_of(fit, fit.runs, seed=1)).set_index("group")
        assert groups["n_runs"].to_dict() == {"wide": 15, "dense": 45}
        assert ((groups["p"] < 0.01) == found).all()
        if found:
            assert groups.loc["wide", "size"] - groups.loc["dense", "size"] == pytest.approx(
                1, abs=0.3
            )


def test_rows_that_are_means_of_many_runs_are_judged_by_their_smaller_noise():
    weight = np.where(np.arange(N_RUNS) < 30, 1.0, 100.0)
    fit = quick_fit(sweep(5, weight=weight))
    scale = scatter_of(fit, fit.runs, seed=1).scale
    assert scale[:30].mean() / scale[30:].mean() == pytest.approx(10, rel=0.05)


def test_one_group_or_none_and_sizes_that_do_not_vary_are_left_out():
    runs = sb.datasets.load_cerebras_gpt()
    law = sb.laws.PowerLaw("flops")
    fit = quick_fit(runs, law, {"L_inf": 1.1, "alpha_C": 0.12, "C_c": 5e19})
    assert "tokens_per_param" not in set(trends_with_p(fit).reset_index()["against"])
    assert groups_of(scatter_of(fit, runs, seed=1)).empty


def test_adjusted_p_values_are_those_of_holm():
    p = np.array([0.01, np.nan, 0.04, 0.03])
    np.testing.assert_allclose(adjusted(p), [0.03, np.nan, 0.06, 0.06])
    assert adjusted(np.array([0.6, 0.9])).tolist() == [1.0, 1.0]


def test_fewer_draws_are_taken_where_runs_are_many(monkeypatch):
    monkeypatch.setattr(trends, "MOST_CELLS", 250 * N_RUNS)
    scatter = scatter_of(quick_fit(sweep(1)), sweep(1), seed=1)
    assert scatter.observed.shape == scatter.replicated.shape == (250, N_RUNS)


def test_as_many_directions_as_runs_leave_nothing_to_test():
    scatter = scatter_of(quick_fit(sweep(1)), sweep(1), seed=1)
    full = replace(scatter, absorbed=np.eye(N_RUNS))
    trends = trends_of(full)
    assert not set(trends["quantity"]) & {"spread", "tails"}
    assert trends["p"].isna().all()


def quick_smooth_fit(runs: sb.Runs, tau: float) -> sb.Fit:
    """Return draws of a normal approximation to the posterior with discrepancy of known scale."""
    law, smooth = TRUTH.law, Smooth()
    data = smooth.data(runs.covariates(("n_params", "tokens")))
    sizes = SimpleNamespace(**runs.covariates(law.covariates))
    observed = np.log(runs.frame["loss"].to_numpy())
    start = np.log([TRUTH.values[name] for name in law.parameter_names])
    n = len(start)

    def residual(values: np.ndarray) -> np.ndarray:
        p = SimpleNamespace(**dict(zip(law.parameter_names, np.exp(values[:n]), strict=True)))
        miss = np.log(law.loss(p, sizes)) + data[BASIS] @ values[n:] - observed
        return np.concatenate([miss / SIGMA, values[n:] / tau, (values[:n] - start) / 3])

    found = least_squares(residual, np.concatenate([start, np.zeros(smooth.n_components)]))
    covariance = np.linalg.inv(found.jac.T @ found.jac)
    drawn = np.random.default_rng(1).multivariate_normal(found.x, covariance, (2, 500))
    posterior = {name: (ALL, np.exp(drawn[..., i])) for i, name in enumerate(law.parameter_names)}
    posterior |= {
        name: (ALL, np.full((2, 500), to)) for name, to in (("sigma", SIGMA), ("tau", tau))
    }
    posterior[WEIGHT] = ((*ALL, "component"), drawn[..., n:])
    constant = {name: (DATA_DIMS[name], values) for name, values in data.items()}
    tree = {"posterior": xr.Dataset(posterior), "constant_data": xr.Dataset(constant)}
    return sb.Fit(law, sb.noise.Normal(), runs, xr.DataTree.from_dict(tree), smooth)


def smooth_bias(seed: int, tau: float) -> Bias:
    """Return a bias that is drawn from the prior of a discrepancy."""

    def bias(frame: pd.DataFrame) -> np.ndarray:
        basis = Smooth().data({name: frame[name].to_numpy() for name in ("n_params", "tokens")})
        return basis[BASIS] @ np.random.default_rng(100 + seed).normal(0, tau, 20)

    return bias


def test_of_a_fit_with_discrepancy_p_values_are_uniform_as_if_replicates_were_fitted():
    tables = []
    for seed in range(40):
        group = np.random.default_rng(200 + seed).choice(["dense", "wide"], N_RUNS, p=[0.7, 0.3])
        runs = sweep(seed, smooth_bias(seed, 0.02), group=group)
        scatter = scatter_of(quick_smooth_fit(runs, 0.02), runs, seed=1)
        p = trends_of(scatter).set_index(["quantity", "against"])["p"]
        tables.append((p["tails", ""], p["spread", "flops"], groups_of(scatter)["p"].iloc[0]))
    for p in np.transpose(tables):
        assert stats.kstest(p, "uniform").pvalue > 1e-3


def test_what_a_discrepancy_takes_up_is_that_of_a_penalised_regression():
    rng = np.random.default_rng(1)
    by_law = np.linalg.qr(rng.standard_normal((30, 4)))[0]
    basis = 3 * rng.standard_normal((30, 6)) * np.geomspace(0.01, 1, 6)
    left = basis - by_law @ by_law.T @ basis
    covariance = np.linalg.inv(left.T @ left + np.eye(6))
    weights = rng.multivariate_normal(np.ones(6), covariance, 100_000)
    found = _taken_up(basis, weights, by_law)
    np.testing.assert_allclose(found @ found.T, left @ covariance @ left.T, atol=0.01)
    np.testing.assert_allclose(by_law.T @ found, 0, atol=1e-12)


def test_residuals_at_the_runs_are_those_of_the_model_that_was_sampled(smooth_fit, bent_runs):
    scatter = scatter_of(smooth_fit, bent_runs, seed=1)
    frame = bent_runs.frame
    law = smooth_fit.law.loss(smooth_fit.draws, frame.to_xarray()).transpose(*ALL, "index")
    basis = Smooth().data(bent_runs.covariates(("n_params", "tokens")))[BASIS]
    shift = smooth_fit.data_tree["posterior"][WEIGHT].to_numpy() @ basis.T
    expected = np.log(frame["loss"].to_numpy()) - np.log(law.to_numpy()) - shift
    np.testing.assert_allclose(scatter.observed, expected.reshape(-1, 60), atol=1e-9)
    np.testing.assert_allclose(scatter.shift, np.median(shift, axis=(0, 1)), atol=1e-12)


def test_trends_that_the_discrepancy_takes_up_are_not_tested(smooth_fit, plain_fit):
    smooth, plain = trends_with_p(smooth_fit), trends_with_p(plain_fit)
    bends = plain.loc["bend"].index
    assert plain.loc["bend"]["absorbed"]["flops"] < 0.9
    assert (smooth.loc["bend"]["absorbed"] > plain.loc["bend"]["absorbed"][bends]).all()
    assert np.isnan(smooth.loc[("bend", "flops"), "p"])


def test_the_account_says_how_far_the_discrepancy_moves_the_law(smooth_fit, plain_fit):
    check = smooth_fit.check(seed=1)
    percent = 100 * scatter_of(smooth_fit, smooth_fit.runs, seed=1).shift
    row = int(np.argmax(abs(percent)))
    size = np.sqrt(np.mean(percent**2))
    (words,) = [each for each in check.words if each.startswith("The discrepancy moves the law")]
    assert f"by {size:.2g}% of the loss" in words
    assert f"at most by {percent[row]:+.2g}%, at row {row} (" in words
    assert "the law with its discrepancy and its noise" in check.words[0]
    text = repr(plain_fit.check(seed=1))
    assert "discrepancy" not in text
    assert "the law and its noise" in text


def test_a_group_lies_beside_the_law_with_its_discrepancy(smooth_fitter):
    group = np.random.default_rng(3).choice(["dense", "wide"], N_RUNS, p=[0.7, 0.3])

    def offset(frame: pd.DataFrame) -> np.ndarray:
        return np.where(frame["group"] == "wide", 0.015, 0.0)

    with pytest.warns(DoubtWarning, match="2 groups"):
        fit = smooth_fitter.fit(sweep(4, offset, group=group), seed=1)
    words = fit.check(seed=1).words
    (of_group,) = [each for each in words if "of group 'wide'" in each]
    assert "above the law with its discrepancy on average" in of_group


@pytest.fixture(scope="module")
def checked(fitter: sb.Fitter, simulate: Callable[..., sb.Runs]) -> sb.Check:
    """Forty runs from the law, one of them 8% too high."""
    frame = simulate(40).frame
    frame.loc[23, "loss"] *= 1.08
    return fitter.fit(sb.read_runs(frame), seed=1).check(seed=1)


def test_the_account_names_the_row_of_an_outlier_with_its_figures(checked):
    text = repr(checked)
    row = checked.residuals.loc[23]
    assert checked.outliers.index[0] == 23
    assert "Row 23 (" in text
    assert f"loss of {row['loss']:.4g} where {row['expected_loss']:.4g} is expected" in text
    assert f"{row['noise_scales']:.1f} noise scales above" in text
    assert "Check of chinchilla on the 40 runs" in text
    assert row["residual_percent"] == pytest.approx(100 * np.log(1.08), abs=1.5)
    assert row["pit"] > 0.99


def test_residuals_of_healthy_runs_have_uniform_pit_values(checked):
    assert stats.kstest(checked.residuals["pit"], "uniform").pvalue > 1e-3
    z = checked.residuals["noise_scales"].drop(23)
    assert 0.4 < (z.abs() < 1).mean() < 0.95


def test_enough_runs_move_every_parameter_of_the_law(checked, fit):
    table = checked.identifiability.loc[fit.law.parameter_names]
    assert (table["contraction"] > 0.9).all()
    assert (table["contraction"] < 1).all()
    assert (table["scale"] == "log").all()
    # The standard deviation of a LogNormal prior on the log scale is stated.
    stated = [prior.parameters["sigma"] for prior in fit.law.priors.values()]
    np.testing.assert_allclose(table["prior_sd"], stated, rtol=0.05)
    assert set(checked.sensitivity.loc[fit.law.parameter_names, "diagnosis"]) == {"none"}


def test_answers_ten_times_beyond_the_runs_are_scaled_with_the_priors_too(checked, runs):
    flops = 10 * runs.frame["flops"].max()
    names = [f"{what} at {format_quantity(flops, kind='flops')}" for what in ("loss", "N*")]
    table = checked.sensitivity
    assert list(table.index[-2:]) == names
    assert set(table.loc[names, "diagnosis"]) == {"none"}
    assert (table.loc[names, "likelihood"] > 5 * table.loc[names, "prior"]).all()
    said = [words for words in checked.words if words.startswith(tuple(names))]
    assert len(said) == 2
    assert all("moves with priors by 0.0" in words for words in said)


def test_a_seed_repeats_a_check(fit):
    first, again = fit.check(seed=3), fit.check(seed=3)
    pd.testing.assert_frame_equal(first.trends, again.trends)
    assert first.words == again.words


def test_a_tight_wrong_prior_is_a_conflict(runs, quiet):
    law = sb.laws.Chinchilla(priors={"L_inf": sb.Prior("LogNormal", mu=np.log(1.3), sigma=0.05)})
    checked = sb.fit(runs, law, settings=quiet, seed=1, discrepancy=None).check(seed=1)
    row = checked.sensitivity.loc["L_inf"]
    assert row["diagnosis"] == "prior-data conflict"
    assert row["most_sensitive_to"] == "L_inf"
    conflicts = [words for words in checked.words if words.startswith("Possible conflict")]
    assert "over L_inf (sensitivity to priors" in conflicts[0]
    assert "what moves it most is the prior of L_inf" in conflicts[0]


def test_weak_runs_are_said_to_tell_little(fitter, simulate):
    frame = simulate(12, seed=2).frame
    frame["loss"] *= np.exp(0.1 * np.random.default_rng(1).standard_normal(12))
    few = sb.read_runs(frame.query("3e9 < tokens < 1.4e10"))
    with (
        pytest.warns(IdentifiabilityWarning, match="tokens varies only"),
        pytest.warns(IdentifiabilityWarning, match="n_params and tokens vary together"),
        pytest.warns(IdentifiabilityWarning, match="as many runs as chinchilla has parameters"),
    ):
        fit = fitter.fit(few, seed=1)
    checked = fit.check(seed=1)
    little = checked.identifiability["contraction"] < 0.5
    assert little["alpha_D"]
    assert "The runs tell little of alpha_D" in repr(checked)
    assert checked.sensitivity.loc["alpha_D", "diagnosis"] != "none"
    best = next(name for name in checked.sensitivity.index if name.startswith("N*"))
    assert checked.sensitivity.loc[best, "diagnosis"] == "strong prior or weak likelihood"
    assert f"{best}, ten times the largest fitted compute, moves with priors" in repr(checked)
    assert "It rests on the priors more than on the runs" in repr(checked)
