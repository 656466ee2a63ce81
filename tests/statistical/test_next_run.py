"""The value of a run by weights of draws, against refits to the same simulated outcomes."""

from __future__ import annotations

import logging
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import scaling_bayes as sb
from scaling_bayes._next_run.candidates import read_candidates
from scaling_bayes._next_run.refits import refits_of
from scaling_bayes._next_run.simulation import simulated

N_OUTCOMES = 25

logger = logging.getLogger(__name__)


@pytest.mark.slow
@pytest.mark.parametrize("tokens_per_param", [2.0, 300.0])
def test_weights_give_the_value_that_refits_give(tokens_per_param, sweep, simulate, fitter_of):
    law = sb.laws.Chinchilla.published["besiroglu2024"]
    fitter = fitter_of("chinchilla", "centred")
    sizes = sweep(levels=4, per_level=5)
    truth = law.draws.squeeze().assign(sigma=0.005, nu=8.0)
    runs = simulate(fitter, truth, sizes, np.random.default_rng(4))
    decision = sb.decide(fitter.fit(runs, seed=1), flops=1e24)
    n_params = np.sqrt(1e21 / (6 * tokens_per_param))
    table = read_candidates(pd.DataFrame({"n_params": [n_params], "flops": [1e21]}), 6.0)
    made = simulated(decision, table, quantities={}, n_outcomes=N_OUTCOMES, seed=2)
    learned = made.learned(made.log_weights(0))
    refits = refits_of(decision)
    assert refits is not None
    quiet = replace(refits, fitter=fitter)
    gains = quiet.gains(made, 0, table.iloc[0], np.arange(N_OUTCOMES))
    refitted = np.array([gain for gain in gains if gain is not None])
    assert len(refitted) == N_OUTCOMES
    difference = refitted - learned.gain
    error = difference.std() / np.sqrt(N_OUTCOMES)
    logger.info(
        "EVSI by weights %.3g, by refits %.3g, difference %.2g +- %.2g, correlation %.3f",
        learned.gain.mean(),
        refitted.mean(),
        difference.mean(),
        error,
        np.corrcoef(refitted, learned.gain)[0, 1],
    )
    assert learned.gain.mean() > 0
    assert abs(difference.mean()) < 4 * error + 0.1 * refitted.mean()
    assert np.corrcoef(refitted, learned.gain)[0, 1] > 0.9
