from __future__ import annotations

import copy
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import scaling_bayes as sb
from scaling_bayes._inference.model import model_data
from scaling_bayes._inference.sampling import SAMPLERS, prepare, sample_checked
from scaling_bayes._work.progress import Watch
from scaling_bayes.errors import ConvergenceError, ConvergenceWarning, InputError

SETTINGS = sb.SamplerSettings(draws=500, tune=300, chains=4, progressbar=False)


def draws(*, apart: float) -> xr.DataTree:
    """Return draws of alpha_N, one chain of which lies apart from the others."""
    rng = np.random.default_rng(1)
    dims = ("chain", "draw")
    alpha = rng.normal(size=(4, 500))
    alpha[0] += apart
    stats = {
        "diverging": (dims, np.zeros((4, 500), bool)),
        "energy": (dims, rng.normal(size=(4, 500))),
    }
    return xr.DataTree.from_dict(
        {"posterior": xr.Dataset({"alpha_N": (dims, alpha)}), "sample_stats": xr.Dataset(stats)}
    )


class Script:
    """A sampler that hands out prepared draws and notes how it was asked."""

    def __init__(self, *results: xr.DataTree) -> None:
        self.results = list(results)
        self.asked: list[tuple[sb.SamplerSettings, int]] = []
        self.lines: list[str] = []

    def __call__(self, data, settings, seed, watch):
        self.asked.append((settings, seed))
        self.lines.append(watch.line())
        return self.results.pop(0)


def checked(sampler: Script, *, watch: Watch | None = None, **options: object) -> xr.DataTree:
    return sample_checked(
        sampler,
        {},
        ["alpha_N"],
        settings=SETTINGS,
        rng=np.random.default_rng(1),
        watch=watch or Watch("Fit", clock=lambda: 0.0),
        **options,
    )


GOOD, BAD, OTHER_BAD = draws(apart=0.0), draws(apart=5.0), draws(apart=9.0)


def test_good_draws_pass_at_once():
    sampler = Script(GOOD)
    assert checked(sampler) is GOOD
    assert [settings for settings, _ in sampler.asked] == [SETTINGS]


def test_bad_draws_are_tried_once_more_with_more_care_and_another_seed():
    sampler = Script(BAD, GOOD)
    assert checked(sampler) is GOOD
    (first, seed), (second, other_seed) = sampler.asked
    assert first == SETTINGS
    assert second.target_accept > first.target_accept
    assert second.tune > first.tune
    assert (second.draws, second.chains) == (2 * first.draws, first.chains)
    assert seed != other_seed


def test_whoever_watches_is_told_of_the_second_try():
    sampler = Script(BAD, GOOD)
    checked(sampler)
    assert sampler.lines == [
        "Fit: 0 s (compiling)",
        "Fit, once more with smaller steps: 0 s (compiling)",
    ]


def test_two_tries_that_fail_are_told_as_two():
    watch = Watch("Fit", clock=lambda: 0.0)
    with pytest.warns(ConvergenceWarning):
        checked(Script(BAD, OTHER_BAD), watch=watch, on_failure="warn")
    assert watch.last_line("ended") == "Fit, once more with smaller steps: ended after 0 s"


class Recorded(Watch):
    def __init__(self) -> None:
        super().__init__("Fit")
        self.told: list[tuple[str, float | None]] = []

    def tell(self, detail, share=None):
        self.told.append((detail, share))
        super().tell(detail, share)


@pytest.mark.parametrize("sampler", ["nutpie", pytest.param("pymc", marks=pytest.mark.long)])
def test_whoever_watches_is_told_of_draws_chains_and_divergences(sampler, runs):
    watch = Recorded()
    law = sb.laws.Chinchilla()
    data = model_data(runs, law)
    settings = replace(SETTINGS, draws=2000, chains=2)
    prepare(sb.build_model(runs, law), sampler)(data, settings, seed=1, watch=watch)
    told = [(detail, share) for detail, share in watch.told if share is not None]
    shares = [share for _, share in told]
    assert shares == sorted(shares)
    assert 0 <= shares[0] < shares[-1] <= 1
    assert all(
        re.fullmatch(r"sampling, [012] of 2 chains done, \d+ divergences?", detail)
        for detail, _ in told
    )


INTERRUPTED = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background ignores it
import scaling_bayes as sb
from scaling_bayes._work.progress import Lines
Lines.first = Lines.every = 0.1
runs = sb.datasets.load_tiny_transformers()
sb.fit(runs, sb.laws.Chinchilla(), settings=sb.SamplerSettings(draws=500_000), seed=1)
"""


@pytest.mark.slow
def test_an_interrupt_ends_sampling_at_once():
    command = [sys.executable, "-c", INTERRUPTED]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        next(line for line in process.stderr if "sampling" in line)
        process.send_signal(signal.SIGINT)
        began = time.monotonic()
        rest = process.stderr.read()
        process.wait()
    assert time.monotonic() - began < 10
    assert rest.splitlines()[-1] == "KeyboardInterrupt"
    assert "Fit of chinchilla: ended after" in rest


def test_draws_that_fail_twice_raise_with_parameter_figure_and_remedy():
    sampler = Script(BAD, BAD)
    with pytest.raises(ConvergenceError) as raised:
        checked(sampler)
    assert len(sampler.asked) == 2
    message = str(raised.value)
    assert "R-hat of alpha_N is " in message
    assert "(limit 1.01)" in message
    assert "What usually helps: more runs" in message
    assert 'on_failure="warn"' in message


def test_asked_by_name_the_last_draws_are_returned_with_a_warning():
    with pytest.warns(ConvergenceWarning, match="R-hat of alpha_N is"):
        assert checked(Script(BAD, OTHER_BAD), on_failure="warn") is OTHER_BAD


def test_what_to_do_on_failure_is_checked_before_sampling():
    sampler = Script(BAD, BAD)
    with pytest.raises(InputError, match="on_failure is 'ignore'; take 'raise' or 'warn'"):
        checked(sampler, on_failure="ignore")
    assert not sampler.asked


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"draws": 3}, "draws is 3; it must be a whole number, at least 4"),
        ({"draws": "1000"}, "draws is '1000'"),
        ({"tune": 0}, "tune is 0"),
        ({"tune": 10.5}, r"tune is 10\.5"),
        ({"chains": 1}, "chains is 1; it must be a whole number, at least 2"),
        ({"target_accept": 1.0}, r"target_accept is 1\.0; it must lie between 0 and 1"),
        ({"target_accept": 0}, "target_accept is 0;"),
    ],
)
def test_settings_out_of_range_are_refused(setting, message):
    with pytest.raises(InputError, match=message):
        sb.SamplerSettings(**setting)


def test_more_careful_settings_are_settings_too():
    for accept in (0.5, 0.9, 0.999):
        careful = sb.SamplerSettings(target_accept=accept).more_careful()
        assert accept < careful.target_accept < 1
        assert careful.tune >= 2000


def test_an_unknown_sampler_is_refused_and_the_known_named(runs):
    with pytest.raises(InputError, match="'stan' is unknown; take one of nutpie, pymc, numpyro"):
        prepare(sb.build_model(runs, sb.laws.Chinchilla()), "stan")


def test_a_hopeless_fit_raises_and_is_returned_only_on_request(fitter, runs):
    """Four draws of a real sampler never pass."""
    hopeless = copy.copy(fitter)
    hopeless.settings = sb.SamplerSettings(draws=4, tune=10, chains=2, progressbar=False)
    with pytest.raises(ConvergenceError, match="ess_bulk of L_inf is"):
        hopeless.fit(runs, seed=1)
    hopeless.on_failure = "warn"
    with pytest.warns(ConvergenceWarning, match="did not converge"):
        fit = hopeless.fit(runs, seed=1)
    assert not fit.diagnostics.converged
    assert "NOT CONVERGED" in "\n".join(fit.summary().words)


def test_a_seed_repeats_every_draw_and_another_does_not(fitter, fit, runs):
    assert fitter.fit(runs, seed=1).draws.equals(fit.draws)
    assert not fitter.fit(runs, seed=2).draws.equals(fit.draws)


def test_a_refit_gives_what_a_fresh_fit_gives(fitter, quiet, simulate):
    """The data are exchanged in the compiled model, whatever was fitted before."""
    others = simulate(25, seed=5)
    fresh = sb.fit(others, sb.laws.Chinchilla(), settings=quiet, seed=3, discrepancy=None)
    assert fitter.fit(others, seed=3).draws.equals(fresh.draws)


SCRIPT = """
import sys
import scaling_bayes as sb
settings = sb.SamplerSettings(chains=2, progressbar=False)
runs = sb.datasets.load_tiny_transformers().where("split == 'train'")
fit = sb.fit(runs, sb.laws.Chinchilla(), settings=settings, seed=1)
sys.stdout.buffer.write(fit.draws["L_inf"].to_numpy().tobytes())
"""


@pytest.mark.slow
def test_a_seed_repeats_in_another_process_with_a_cold_or_a_warm_cache(tmp_path: Path):
    """With numba's fast math these draws differ, since code from the cache rounds differently."""
    environment = os.environ | {
        "PYTENSOR_FLAGS": f"base_compiledir={tmp_path}",
        "NUMBA_CACHE_DIR": str(tmp_path),
        "PYTHONWARNINGS": "ignore",
    }
    cold, warm = (
        subprocess.run(
            [sys.executable, "-c", SCRIPT], env=environment, check=True, capture_output=True
        ).stdout
        for _ in range(2)
    )
    assert len(cold) == 2 * 1000 * 8
    assert cold == warm


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:os.fork:RuntimeWarning")  # JAX's, of its own threads
# Where another test has started JAX on one device already.
@pytest.mark.filterwarnings("ignore:There are not enough devices:UserWarning")
@pytest.mark.parametrize("sampler", sorted(set(SAMPLERS) - {"nutpie"}))
def test_all_samplers_have_the_same_posterior_means(sampler, runs, fit):
    settings = replace(SETTINGS, draws=1000, tune=1000, chains=2)
    other = sb.fit(runs, fit.law, sampler=sampler, settings=settings, seed=4, discrepancy=None)
    for name in (*fit.law.parameter_names, *fit.noise.parameter_names):
        means, errors = zip(
            *(monte_carlo(np.log(one.data_tree["posterior"][name])) for one in (fit, other)),
            strict=True,
        )
        assert abs(means[0] - means[1]) < 4 * np.hypot(*errors), name


def monte_carlo(values: xr.DataArray) -> tuple[float, float]:
    """Return the mean of draws and its standard error."""
    import arviz_stats

    return float(values.mean()), float(arviz_stats.mcse(values.to_numpy(), method="mean"))


@pytest.mark.parametrize(
    ("law", "message"),
    [(sb.laws.Chinchilla, "with parentheses"), ("kaplan", "not a law"), (1, "not a law")],
)
def test_what_is_no_law_is_refused(runs, law, message):
    with pytest.raises(InputError, match=message):
        sb.fit(runs, law, discrepancy=None)


def test_what_are_no_runs_is_refused(fitter, runs):
    with pytest.raises(InputError, match=r"DataFrame; give what sb\.read_runs"):
        fitter.fit(runs.frame)
