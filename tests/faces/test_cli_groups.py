"""Fits of groups on the command line: `fit --groups`, and a group named after its file."""

from __future__ import annotations

import json

import pandas as pd
import pytest

import scaling_bayes as sb

SAMPLING = ("--draws", "2000", "--tune", "1000", "--target-accept", "0.98")


@pytest.fixture(scope="module")
def table(tmp_path_factory, sweep):
    path = tmp_path_factory.mktemp("groups") / "runs.csv"
    frame = sweep.frame[["n_params", "tokens", "loss"]]
    code = frame.assign(corpus="code", loss=0.8 * frame["loss"])
    pd.concat([frame.assign(corpus="web"), code]).to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def fitted(table, run):
    """Return a saved fit of groups, and what the command said."""
    path = table.parent / "pooled.nc"
    law = ("--law", "chinchilla", "--law-alone")
    done = run("fit", table, "--groups", "corpus", *law, "--output", path, *SAMPLING)
    assert done.code == 0, done.err
    return path, done


def test_fit_shows_groups_and_what_they_borrow(fitted):
    path, done = fitted
    assert "How much of what is known of a group comes from the others" in done.out
    assert "spread_exponents" in done.out
    assert "two groups" not in done.err
    assert path.is_file()


def test_a_group_and_a_new_one_are_asked_as_fits_are(fitted, run):
    path, _ = fitted
    forecasts = {}
    for group in ("code", "new"):
        done = run("forecast", f"{path}:{group}", "--n-params", "1e9", "--tokens", "1e10", "--json")
        assert done.code == 0, done.err
        (forecasts[group],) = json.loads(done.out)["forecast"]
    expected = sb.PooledFit.load(path).forecast(n_params=1e9, tokens=1e10, group="code")
    assert forecasts["code"]["loss"] == pytest.approx(float(expected.mean_curve.median()), rel=1e-6)
    width = {
        group: row["mean_curve_upper"] - row["mean_curve_lower"] for group, row in forecasts.items()
    }
    assert width["new"] > 1.5 * width["code"]
    done = run("allocate", f"{path}:web", "--flops", "1e21")
    assert done.code == 0, done.err
    assert "Compute-optimal allocation by web" in done.out


def test_summary_as_json_has_every_group(fitted, run):
    path, _ = fitted
    done = run("summary", path, "--json")
    document = json.loads(done.out)
    assert sorted(document["groups"]) == ["code", "web"]
    assert {row["group"] for row in document["parameters"]} == {"all", "common", "code", "web"}


@pytest.mark.parametrize(
    ("command", "ending", "message"),
    [
        ("forecast", "", "holds a fit of groups"),
        ("forecast", ":none", "there is no group 'none' by corpus; there are"),
        ("check", ":web", "web is a group of"),
    ],
)
def test_what_a_group_is_not_asked_is_said_with_a_remedy(command, ending, message, fitted, run):
    path, _ = fitted
    asked = ("--n-params", "1e9", "--tokens", "1e10") if command == "forecast" else ()
    done = run(command, f"{path}{ending}", *asked)
    assert done.code == 2
    assert message in done.err
    assert '"' not in done.err.split("error:")[1][:3]
