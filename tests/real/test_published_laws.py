"""Laws with the constants of their papers, on the runs of these papers."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import scaling_bayes as sb


def relative_errors(law: sb.laws.PublishedLaw, runs: sb.Runs) -> np.ndarray:
    forecast = sb.forecast(law, runs).mean_curve.to_numpy().ravel()
    errors: np.ndarray = forecast / runs.frame["loss"].to_numpy() - 1
    return errors


def test_farseers_errors_on_its_grid_and_its_targets(real_data):
    path = real_data("farseer.csv")
    law = sb.laws.Farseer.published["farseer2025"]
    trained = relative_errors(law, sb.read_runs(path, where="split == 'train'"))
    assert 100 * np.abs(trained).mean() == pytest.approx(0.2276, abs=5e-5)
    assert 100 * np.abs(trained).max() == pytest.approx(1.44, abs=5e-3)
    targets = relative_errors(law, sb.read_runs(path, where="split == 'target'"))
    assert 100 * np.abs(targets).mean() == pytest.approx(0.4764, abs=5e-5)
    assert 100 * targets == pytest.approx(
        [-0.38, -0.33, -0.65, -0.26, -0.72, -0.53, 0.47], abs=0.01
    )


def routed_runs(path, routing: str) -> sb.Runs:
    where = f"is_final == 1 and k == 1 and routing_frequency == 0.5 and group == '{routing}'"
    table = pd.read_csv(path).rename(columns={"num_experts": "n_experts"})
    return sb.read_runs(table, where=f"{where} and n_experts > 1")


@pytest.mark.parametrize(
    ("routing", "n_runs", "error"),
    [("S-Base", 53, 0.0038), ("RL-R", 54, 0.0081), ("Hash", 51, 0.0055)],
)
def test_clarks_errors_for_each_routing(real_data, routing, n_runs, error):
    runs = routed_runs(real_data("clark_routed.csv"), routing)
    assert len(runs) == n_runs
    law = sb.laws.Routed.published[f"clark2022-{routing.lower()}"]
    logs = np.log10(1 + relative_errors(law, runs))
    assert np.sqrt(np.mean(logs**2)) == pytest.approx(error, abs=5e-5)


@pytest.mark.long
def test_clarks_constants_lie_in_the_posterior_of_s_base(real_data):
    runs = routed_runs(real_data("clark_routed.csv"), "S-Base")
    fit = sb.fit(runs, sb.laws.Routed(), discrepancy=None, seed=1)
    published = sb.laws.Routed.published["clark2022-s-base"].values
    for name, value in published.items():
        low, high = np.quantile(fit.draws[name], [0.05, 0.95])
        assert low < value < high, name


@pytest.mark.long
def test_farseers_law_fitted_to_its_grid_forecasts_its_targets(real_data):
    path = real_data("farseer.csv")
    runs = sb.read_runs(path, where="split == 'train'")
    fit = sb.fit(runs, sb.laws.Farseer(), discrepancy=None, seed=1)
    targets = sb.read_runs(path, where="split == 'target'")
    median = fit.forecast(targets, seed=1).mean_curve.median(("chain", "draw")).to_numpy()
    errors = median / targets.frame["loss"].to_numpy() - 1
    # Refitted by least squares on log loss from the published values: 0.341%.
    assert 100 * np.abs(errors).mean() < 0.4764
