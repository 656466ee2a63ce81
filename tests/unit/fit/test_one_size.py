"""Tables of one size and a loss, and what can be asked of a law that reads no other."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import scaling_bayes as sb
from scaling_bayes.errors import IdentifiabilityError, NoOptimumError, RunsError
from scaling_bayes.units import SIZES

SPANS = {"n_params": (7, 10), "tokens": (9, 12), "flops": (18, 22)}


def frontier(size: str, n_runs: int = 12) -> pd.DataFrame:
    """Return runs with a floor of 1.6 nats and a power law of one size above it."""
    rng = np.random.default_rng(3)
    values = np.logspace(*SPANS[size], n_runs)
    loss = 1.6 + 2 * (values / values[0]) ** -0.15
    return pd.DataFrame({size: values, "loss": loss * np.exp(0.003 * rng.standard_normal(n_runs))})


@pytest.fixture(scope="module", params=SIZES)
def one(request, quiet):
    size = request.param
    runs = sb.read_runs(frontier(size).iloc[:-2])
    law = sb.laws.PowerLaw(size)
    return size, {
        "law": sb.fit(runs, law, discrepancy=None, settings=quiet, seed=1),
        "smooth": sb.fit(runs, law, settings=quiet, seed=1),
    }


@pytest.mark.parametrize("which", ["law", "smooth"])
def test_it_forecasts_larger_runs_by_that_size_alone(one, which):
    size, fits = one
    larger = frontier(size).iloc[-2:]
    made = fits[which].forecast(**{size: larger[size].to_numpy()}, seed=1)
    low, high = made.interval(prob=0.99).to_numpy()
    assert ((low < larger["loss"]) & (larger["loss"] < high)).all()
    assert list(made.to_frame().columns[:2]) == [size, "loss"]


@pytest.mark.parametrize("which", ["law", "smooth"])
def test_every_answer_that_needs_no_other_size_is_given(one, which, tmp_path):
    size, fits = one
    fit = fits[which]
    assert fit.runs.sizes == (size,)
    assert set(fit.runs.frame) == {size, "loss", "weight"}
    assert repr(fit.runs).count("\n") == 2
    checked = fit.check(seed=1)
    assert list(checked.residuals.columns[:2]) == [size, "loss"]
    assert len(fit.forecast(fit.runs).to_frame()) == len(fit.runs)
    assert len(sb.diagnose_run(fit, fit.runs).to_frame()) == len(fit.runs)
    assert np.isfinite(sb.score({"fit": fit}, fit.runs).to_numpy()).all()
    assert sb.load(fit.save(tmp_path / "fit.nc")).runs.frame.equals(fit.runs.frame)
    for draw in (sb.plots.plot_loss, sb.plots.plot_prior_posterior):
        draw(fit)
    sb.plots.plot_residuals(fit, against=size)
    sb.plots.plot_held_out({"fit": fit}, fit.runs)
    assert not fit.doubts


def test_what_needs_another_size_says_so(one):
    _, fits = one
    for ask in (
        lambda fit: fit.allocate(flops="1e23"),
        lambda fit: sb.decide(fit, flops="1e23"),
        lambda fit: sb.loss_given_up(fit, n_params="1B", tokens="20B"),
    ):
        with pytest.raises(NoOptimumError, match=r"reads .* alone"):
            ask(fits["law"])


def test_a_law_that_reads_more_names_what_is_missing_and_the_law_that_does_not():
    runs = sb.read_runs(frontier("flops"))
    with pytest.raises(IdentifiabilityError) as refused:
        sb.fit(runs)
    for part in ("coupled reads n_params and tokens", "has flops but no", 'PowerLaw("flops")'):
        assert part in str(refused.value)


@pytest.mark.parametrize("name", ["n_params", "tokens", "flops"])
def test_its_cells_are_checked_as_those_of_any_table(name):
    frame = frontier(name).astype(object)
    frame.loc[3, name], frame.loc[5, name], frame.loc[7, "loss"] = None, "many", -1
    with pytest.raises(RunsError) as refused:
        sb.read_runs(frame)
    assert [(p.row, p.column) for p in refused.value.problems] == [
        (3, name),
        (5, name),
        (7, "loss"),
    ]


def test_a_sweep_of_budgets_of_which_nothing_else_is_known(case, quiet):
    runs = sb.read_runs(case("compute_only/runs.csv"))
    for discrepancy in (None, "smooth"):
        law = sb.laws.PowerLaw("flops")
        fit = sb.fit(runs, law, discrepancy=discrepancy, settings=quiet, seed=1)
        low, high = fit.forecast(flops=["1e21", "1e23"], seed=1).interval(prob=0.9).to_numpy()
        assert low[0] < 2.599 < high[0]
        assert low[1] < 2.234 < high[1]
