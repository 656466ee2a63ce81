from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import scaling_bayes as sb
from scaling_bayes.errors import InputError, RunsError

ALL = ("chain", "draw")
N, D = np.array([1e9, 7e9, 2e8]), np.array([2e10, 2e10, 1e12])


def planted(source: sb.Fit | sb.laws.PublishedLaw, factor: float) -> pd.DataFrame:
    """Return runs whose loss is the mean curve's median times a factor."""
    mean = sb.forecast(source, n_params=N, tokens=D).to_frame()["loss"]
    return pd.DataFrame({"n_params": N, "tokens": D, "loss": factor * mean})


def values(law: sb.laws.PublishedLaw) -> SimpleNamespace:
    return SimpleNamespace(**law.values)


def test_a_run_two_per_cent_too_high_has_the_compute_of_a_closed_form():
    """With alpha_N = alpha_D = alpha the reducible loss goes as f^(-alpha/2)."""
    law = sb.laws.Chinchilla()
    even = {"L_inf": 1.8, "alpha_N": 0.35, "alpha_D": 0.35, "N_c": 5e7, "D_c": 1.2e9}
    source = sb.laws.PublishedLaw("even", law, even, law.citation)
    found = sb.diagnose_run(source, planted(source, 1.02)).draws
    loss = law.loss(SimpleNamespace(**even), SimpleNamespace(n_params=N, tokens=D))
    expected = ((1.02 * loss - 1.8) / (loss - 1.8)) ** (-2 / 0.35)
    assert (expected < 1).all()
    np.testing.assert_allclose(found["equivalent_compute"].values.ravel(), expected, rtol=1e-9)
    np.testing.assert_allclose(found["excess"].values.ravel(), 0.02 * loss, rtol=1e-9)


EVERYWHERE = sb.Law.tokens_per_param


@pytest.mark.parametrize("factor", [0.99, 1.05])
def test_the_mean_curve_at_the_equivalent_compute_has_the_loss_of_the_run(fit, factor):
    runs = planted(fit, factor)
    f = sb.diagnose_run(fit, runs).draws["equivalent_compute"].rename(run="point")
    points = SimpleNamespace(n_params=f**0.5 * N, tokens=f**0.5 * D)
    loss = fit.law.loss(fit.draws, points)
    np.testing.assert_allclose(
        loss.transpose(*f.dims), np.broadcast_to(runs["loss"], f.shape), rtol=1e-9
    )


def test_a_loss_below_the_floor_is_never_reached_and_a_huge_one_at_once(fit):
    frame = pd.DataFrame({"n_params": 1e9, "tokens": 2e10, "flops": 1.2e20, "loss": [0.5, 1e9]})
    diagnosis = sb.diagnose_run(fit, sb.Runs(frame.assign(weight=1.0)))
    factor = diagnosis.draws["equivalent_compute"]
    assert np.isinf(factor.sel(run=0)).all()
    assert (factor.sel(run=1) == 0).all()
    assert "never has a loss that low" in repr(diagnosis)


def test_excess_is_the_loss_less_the_mean_curve_with_its_interval(fit):
    runs = planted(fit, 1.02)
    diagnosis = sb.diagnose_run(fit, runs)
    frame = diagnosis.to_frame(prob=0.5)
    middle = fit.forecast(n_params=N, tokens=D)
    lower, upper = middle.interval(of="mean_curve", prob=0.5).values
    np.testing.assert_allclose(frame["excess"], 0.02 * runs["loss"] / 1.02, atol=1e-3)
    np.testing.assert_allclose(frame["excess_lower"], runs["loss"] - upper, atol=1e-4)
    np.testing.assert_allclose(frame["excess_upper"], runs["loss"] - lower, atol=1e-4)


def test_tail_probabilities_are_those_of_a_new_run(fit):
    runs = planted(fit, 1.01)
    diagnosis = sb.diagnose_run(fit, runs, seed=3)
    new_run = fit.forecast(sb.read_runs(runs), seed=3).new_run
    as_high = (new_run >= runs["loss"].to_numpy()).mean(ALL)
    np.testing.assert_array_equal(diagnosis.probability_as_high, as_high)
    np.testing.assert_allclose(diagnosis.probability_as_high + diagnosis.probability_as_low, 1)
    on_curve = sb.diagnose_run(fit, planted(fit, 1.0), seed=3)
    np.testing.assert_allclose(on_curve.probability_as_high, 0.5, atol=0.05)
    assert "off the curve" not in repr(on_curve)
    assert repr(sb.diagnose_run(fit, planted(fit, 1.1))).count("off the curve") == 3


def test_of_a_published_law_no_probability_is_known(truth):
    diagnosis = sb.diagnose_run(truth, planted(truth, 1.02))
    assert np.isnan(diagnosis.probability_as_high).all()
    assert np.isnan(diagnosis.to_frame()["probability_as_low"]).all()
    text = repr(diagnosis)
    assert "published values, of unknown uncertainty" in text
    assert text.count("The noise of single runs is not known.") == 3
    assert "[" not in text


def test_shares_of_a_sum_of_terms_are_those_of_its_terms(truth):
    found = sb.diagnose_run(truth, planted(truth, 1.0)).draws
    p = values(truth)
    terms = {"n_params": (p.N_c / N) ** p.alpha_N, "tokens": (p.D_c / D) ** p.alpha_D}
    for size, term in terms.items():
        share = found[f"share_{size}"].values.ravel()
        np.testing.assert_allclose(share, term / sum(terms.values()), rtol=1e-9)


def test_slopes_and_gains_of_a_sum_of_terms_have_a_closed_form(truth):
    found = sb.diagnose_run(truth, planted(truth, 1.0)).draws
    p = values(truth)
    term = (p.D_c / D) ** p.alpha_D
    np.testing.assert_allclose(
        found["per_doubling_tokens"].values.ravel(), -p.alpha_D * term * np.log(2), rtol=1e-6
    )
    np.testing.assert_allclose(
        found["gain_tokens"].values.ravel(), term * (1 - 1.1**-p.alpha_D), rtol=1e-9
    )


def test_shares_sum_to_one_and_slopes_are_derivatives_for_every_law(law, prior_source):
    source = prior_source(law, draws=50)
    runs = pd.DataFrame({"n_params": N, "tokens": D, "loss": 3.0})
    found = sb.diagnose_run(source, runs).draws
    shares = [found[name] for name in found if str(name).startswith("share_")]
    assert len(shares) == len(set(law.covariates))
    total = sum(shares).values
    # Far out in the prior some draws have nothing left to gain at these sizes.
    assert np.isfinite(total).mean() > 0.9
    np.testing.assert_allclose(total[np.isfinite(total)], 1, rtol=1e-9)
    spent_on = [str(name)[13:] for name in found if str(name).startswith("per_doubling_")]
    h = 1e-5
    for size in spent_on:
        ends = []
        for factor in (2**h, 2**-h):
            sizes = {"n_params": N, "tokens": D}
            if size in sizes:
                sizes[size] = sizes[size] * factor
            compute = 6 * N * D * factor
            x = {name: ("point", each) for name, each in (sizes | {"flops": compute}).items()}
            ends.append(law.loss(source.draws, xr.Dataset(x)).transpose("chain", "draw", "point"))
        slope = (ends[0] - ends[1]) / (2 * h)
        scale = np.abs(ends[0]).values
        np.testing.assert_allclose(
            found[f"per_doubling_{size}"].values / scale, slope.values / scale, atol=1e-7
        )
        # A law that turns far from its runs can rise with a size.
        assert (found[f"gain_{size}"] >= 0).all() or law.tokens_per_param != EVERYWHERE


def test_the_account_says_what_limits_a_run_and_where_compute_goes(fit):
    text = repr(sb.diagnose_run(fit, planted(fit, 1.02), seed=1))
    assert "3 new runs against the mean curve of chinchilla: median and 90% equal-tailed" in text
    assert "Row 1 (7B on 20B)" in text
    assert "What limits it most is data" in text
    assert "data gains more with probability more than 0.999" in text
    assert "model size gains more with probability more than 0.999" in text


def test_of_a_fit_with_discrepancy_the_account_says_what_it_follows(fit, smooth_fit):
    curve = "the law with the discrepancy as at this run"
    frame = pd.DataFrame({"n_params": N, "tokens": D, "loss": 3.0})
    text = repr(sb.diagnose_run(smooth_fit, frame, seed=1))
    assert text.count(f"nats from {curve} (") == 3
    assert text.count(f"At the same tokens per parameter {curve} ") == 3
    text = repr(sb.diagnose_run(fit, frame, seed=1))
    assert text.count("nats from the mean curve (") == 3
    assert text.count("At the same tokens per parameter the mean curve ") == 3


def test_the_discrepancy_is_that_at_the_run_wherever_the_curve_is_followed(smooth_fit):
    frame = pd.DataFrame({"n_params": N, "tokens": D, "loss": [2.6, 2.4, 2.7]})
    found = sb.diagnose_run(smooth_fit, frame, seed=1).draws.rename(run="point")
    f = found["equivalent_compute"]
    sizes = xr.Dataset({"n_params": ("point", N), "tokens": ("point", D)})
    law, draws = smooth_fit.law, smooth_fit.draws
    shift = found["expected_loss"] / law.loss(draws, sizes)
    there = law.loss(draws, sizes * f**0.5) * shift
    inside = np.isfinite(f) & (f > 0)
    assert inside.mean() > 0.9
    loss = xr.DataArray(frame["loss"], dims="point")
    np.testing.assert_allclose((there / loss).where(inside, 1.0), 1, rtol=1e-9)


def test_with_discrepancy_more_compute_gains_what_forecasts_say(thin_fit):
    frame = pd.DataFrame({"n_params": N, "tokens": D, "loss": 2.6})
    found = sb.diagnose_run(thin_fit, frame).draws
    here, h = thin_fit.forecast(frame).mean_curve, 1e-3
    for size in ("n_params", "tokens"):
        more, up, down = (
            thin_fit.forecast(frame.assign(**{size: frame[size] * factor})).mean_curve
            for factor in (1.1, np.exp(h), np.exp(-h))
        )
        np.testing.assert_allclose(found[f"gain_{size}"], here - more, rtol=0, atol=1e-12)
        slope = (up - down) / (2 * h / np.log(2))
        np.testing.assert_allclose(found[f"per_doubling_{size}"], slope, rtol=0, atol=1e-5)


def test_runs_and_tables_are_the_same(fit):
    table = planted(fit, 1.02)
    first, second = (sb.diagnose_run(fit, runs, seed=1) for runs in (table, sb.read_runs(table)))
    pd.testing.assert_frame_equal(first.to_frame(), second.to_frame())


def test_what_cannot_be_diagnosed_is_refused(fit):
    table = planted(fit, 1.02)
    with pytest.raises(RunsError, match="loss"):
        sb.diagnose_run(fit, table.drop(columns="loss"))
    with pytest.raises(InputError, match="holds no run to diagnose"):
        sb.diagnose_run(fit, sb.read_runs(table).where("loss > 100"))
    with pytest.raises(InputError, match="of is 'waste'; take one of expected_loss"):
        sb.diagnose_run(fit, table).interval("waste")
