"""Doubts on real tables: none on good ones, the known ones on bad ones."""

from __future__ import annotations

import pytest

import scaling_bayes as sb

QUIET = sb.SamplerSettings(progressbar=False)


@pytest.mark.parametrize(
    ("name", "where"),
    [("chinchilla_fig4.csv", "besiroglu_included == 1"), ("farseer.csv", "split == 'train'")],
)
def test_nothing_is_said_of_good_sweeps(name, where, real_data):
    runs = sb.read_runs(real_data(name), where=where)
    assert sb.fit(runs, settings=QUIET, seed=0).doubts == ()


def test_three_training_sets_as_one_are_named(real_data):
    runs = sb.read_runs(real_data("gadre_overtraining.csv"))
    with pytest.warns(sb.errors.DoubtWarning, match="3 groups"):
        fit = sb.fit(runs, settings=QUIET, seed=0)
    assert {doubt.kind for doubt in fit.doubts} == {"groups", "groups that differ"}


def test_repeated_data_is_named(real_data):
    runs = sb.read_runs(real_data("datablations.csv"))
    with (
        pytest.warns(sb.errors.DoubtWarning, match="up to 9000 times"),
        pytest.warns(sb.errors.DoubtWarning, match="over 10% more loss"),
    ):
        fit = sb.fit(runs, settings=QUIET, seed=0)
    said = {doubt.kind for doubt in fit.doubts}
    assert said == {"repeated data", "order of losses", "tails of noise"}
