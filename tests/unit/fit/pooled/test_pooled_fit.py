"""One law for groups: they learn from each other as far as they are alike."""

from __future__ import annotations

import pickle
import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import scaling_bayes as sb
from scaling_bayes._fit.pooled.new_group import from_logs, logs_of
from scaling_bayes._fit.pooled.pooled_fit import borrowed_in_words
from scaling_bayes._inference.coordinates import references

QUICK = sb.SamplerSettings(draws=2000, tune=1000, target_accept=0.95, progressbar=False)
CORPORA = ("web", "code", "books", "small")


def simulated(*, spread: float, n: int = 30, n_small: int = 6, seed: int = 0) -> sb.Runs:
    """Return runs of four corpora by Chinchilla's law; floors vary by 10%.

    The runs of the small corpus are a hundred times smaller, so that they hardly tell
    its floor.
    """
    rng = np.random.default_rng(seed)
    frames = []
    for name in CORPORA:
        rows = n_small if name == "small" else n
        centre, decades = (-2.0, 0.8) if name == "small" else (0.0, 1.0)
        n_params = 10 ** (8 + rng.uniform(centre - decades, centre + decades, rows))
        tokens = 10 ** (9.5 + rng.uniform(centre - decades, centre + decades, rows))
        alpha, beta = 0.34 * np.exp(spread * rng.normal(size=2))
        floor = 1.8 * np.exp(0.1 * rng.normal())
        loss = floor + 0.6 * (1e8 / n_params) ** alpha + 0.6 * (3e9 / tokens) ** beta
        loss *= np.exp(0.004 * rng.normal(size=rows))
        frames.append(
            pd.DataFrame({"n_params": n_params, "tokens": tokens, "loss": loss, "corpus": name})
        )
    return sb.read_runs(pd.concat(frames, ignore_index=True))


@pytest.fixture(scope="module")
def alike() -> sb.Runs:
    return simulated(spread=0.0)


@pytest.fixture(scope="module")
def pooled(alike) -> sb.PooledFit:
    return sb.fit(alike, sb.laws.Chinchilla(), groups="corpus", settings=QUICK, seed=1)


def test_it_is_a_mapping_of_groups_in_the_order_of_the_table(pooled, alike):
    assert tuple(pooled) == CORPORA
    assert [len(group.runs) for group in pooled.values()] == [30, 30, 30, 6]
    assert pooled.diagnostics.converged
    assert set(pooled["web"].draws) == set(sb.laws.Chinchilla().parameter_names)
    with pytest.raises(KeyError):
        pooled["none"]
    with pytest.raises(sb.errors.InputError, match=r"no group 'none' by corpus.*web, code, books"):
        pooled.forecast(n_params=1e9, tokens=1e10, group="none")


def test_a_small_group_borrows_and_is_forecast_more_surely_than_by_itself(pooled, alike):
    by_itself = sb.fit(
        alike.where("corpus == 'small'"), sb.laws.Chinchilla(), settings=QUICK, seed=1
    )
    asked = {"n_params": 1e10, "tokens": 1e11, "seed": 1}
    width = {
        "pooled": pooled.forecast(group="small", **asked),
        "by itself": by_itself.forecast(**asked),
    }
    low, high = (
        np.ptp(each.mean_curve.quantile([0.05, 0.95]).to_numpy()) for each in width.values()
    )
    assert low < 0.5 * high
    borrowed = pooled.borrowed
    assert list(borrowed.columns) == ["n_runs", "exponents", "terms", "floor"]
    assert borrowed.loc["small", "floor"] > borrowed.loc["web", "floor"]
    assert borrowed.drop(columns="n_runs").stack().between(0, 1).all()


@pytest.mark.long
def test_alike_groups_have_a_smaller_spread_than_unlike_ones(pooled):
    unlike = sb.fit(
        simulated(spread=0.4),
        sb.laws.Chinchilla(),
        groups="corpus",
        settings=replace(QUICK, draws=2 * QUICK.draws),
        seed=1,
    )
    spreads = [
        float(fit.data_tree["posterior"]["spread_exponents"].median()) for fit in (pooled, unlike)
    ]
    assert spreads[0] < 0.1 < spreads[1]


def test_a_new_group_is_less_known_than_any_other_and_lies_around_them(pooled):
    asked = {"n_params": 1e9, "tokens": 3e10, "seed": 1}
    new = pooled.forecast(group="new", **asked).mean_curve
    known = [pooled.forecast(group=name, **asked).mean_curve for name in pooled]
    assert new.std() > 2 * max(each.std() for each in known)
    medians = [float(each.median()) for each in known]
    assert min(medians) < float(new.median()) < max(medians)


def test_what_varies_goes_to_logs_and_back(pooled):
    law = pooled.law
    centres = references(pooled.runs, law)
    draws = pooled["code"].draws
    back = from_logs(law, logs_of(law, draws, centres), centres)
    for name in law.parameter_names:
        np.testing.assert_allclose(back[name], draws[name], rtol=1e-9)


def test_a_group_answers_as_a_fit_does(pooled):
    group = pooled["web"]
    allocation = pooled.allocate(flops=1e21, group="web")
    assert allocation.source.label == "web"
    decision = sb.decide(group, flops=1e21)
    assert decision.choice.n_params == pytest.approx(
        float(allocation.recommended["n_params"][0]), rel=1e-5
    )
    reached = pooled.compute_to_reach(2.2, group="web")
    assert float(reached.flops.median()) > 0
    average = sb.average(dict(pooled))
    assert average.forecast(n_params=1e9, tokens=1e10, seed=1).mean_curve.size
    axes = sb.plots.plot_loss(group)
    assert axes.lines or axes.collections


def test_summary_says_what_is_shared_and_what_is_borrowed(pooled):
    summary = pooled.summary(prob=0.8, kind="hdi")
    rows = summary.to_frame()
    assert ("L_inf", "common") in rows.index
    assert ("L_inf", "small") in rows.index
    assert ("spread_exponents", "all") in rows.index
    assert (rows["lower"] <= rows["median"]).all()
    text = repr(summary)
    assert "80% hdi" in text
    for name, row in pooled.borrowed.iterrows():
        share = row["exponents"]
        assert borrowed_in_words(name, n_runs=int(row["n_runs"]), share=share) in summary.words
    assert "before the runs" in text


@pytest.mark.parametrize(("share", "amount"), [(0.9, "most"), (0.5, "about half"), (0.1, "little")])
def test_words_say_how_much_a_group_borrows(share, amount):
    words = borrowed_in_words("web", n_runs=6, share=share)
    assert words == (
        f"web: 6 runs borrow {amount} of what is known of their exponents ({share:.0%})."
    )


def test_a_seed_repeats_and_a_fit_can_be_pickled(pooled, alike):
    again = sb.fit(alike, sb.laws.Chinchilla(), groups="corpus", settings=QUICK, seed=1)
    np.testing.assert_array_equal(again["code"].draws["N_c"], pooled["code"].draws["N_c"])
    copy = pickle.loads(pickle.dumps(pooled))
    asked = {"n_params": 1e9, "tokens": 1e10, "group": "small", "seed": 3}
    np.testing.assert_array_equal(copy.forecast(**asked).new_run, pooled.forecast(**asked).new_run)


def test_laws_of_one_size_and_without_discrepancy_are_pooled(alike):
    fit = sb.fit(
        alike.where("tokens > 1e9"),
        sb.laws.PowerLaw("n_params"),
        groups=sb.Groups("corpus", priors={"spread_floor": sb.Prior("HalfNormal", sigma=0.1)}),
        discrepancy=None,
        settings=QUICK,
        seed=1,
    )
    assert fit["web"].discrepancy_draws is None
    assert fit.forecast(n_params=1e9, group="new", seed=1).mean_curve.size


def own_prior(**priors: sb.Prior) -> sb.Law:
    return sb.laws.Chinchilla(priors=priors)


@pytest.mark.parametrize(
    ("law", "options", "message"),
    [
        (sb.laws.Chinchilla(), {"groups": "recipe"}, "has no column 'recipe'"),
        (sb.laws.Chinchilla(), {"groups": 3}, "give the name of a column"),
        (sb.laws.Chinchilla(), {"groups": "corpus", "sampler": "pymc"}, "sampler and coordinates"),
        (sb.laws.Chinchilla(fixed={"L_inf": 1.8}), {"groups": "corpus"}, "prior of L_inf"),
        (
            own_prior(alpha_N=sb.Prior("Weibull", alpha=2.0, beta=0.4)),
            {"groups": "corpus"},
            "prior of alpha_N",
        ),
    ],
)
def test_what_cannot_be_pooled_is_refused_with_a_remedy(law, options, message, alike):
    with pytest.raises(sb.errors.InputError, match=message):
        sb.fit(alike, law, **options)


def test_groups_of_one_run_or_one_group_are_refused(alike):
    lonely = sb.Runs(alike.frame.assign(corpus=["one"] + ["rest"] * (len(alike) - 1)))
    with pytest.raises(sb.errors.IdentifiabilityError, match="group 'one' by corpus has 1 run"):
        sb.fit(lonely, groups="corpus")
    with pytest.raises(sb.errors.InputError, match="one group by corpus, 'web'"):
        sb.fit(alike.where("corpus == 'web'"), groups="corpus")


def test_groups_that_are_pooled_are_no_doubt(alike):
    grouped = sb.Runs(alike.frame.rename(columns={"corpus": "group"}))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit = sb.fit(grouped, sb.laws.Chinchilla(), groups="group", settings=QUICK, seed=1)
    assert not fit.doubts


def test_spreads_must_be_positive():
    with pytest.raises(sb.errors.PriorError, match="spread_floor"):
        sb.Groups("corpus", priors={"spread_floor": sb.Prior("Normal", mu=0.0, sigma=1.0)})


def test_a_saved_fit_answers_the_same_and_files_of_other_kinds_are_named(pooled, tmp_path):
    path = pooled.save(tmp_path / "pooled.nc")
    again = sb.PooledFit.load(path)
    assert tuple(again) == tuple(pooled)
    assert again.groups.priors == pooled.groups.priors
    asked = {"n_params": 1e9, "tokens": 1e10, "seed": 3}
    for group in ("small", "new"):
        np.testing.assert_array_equal(
            again.forecast(group=group, **asked).new_run,
            pooled.forecast(group=group, **asked).new_run,
        )
    assert repr(again.summary()) == repr(pooled.summary())
    with pytest.raises(sb.errors.OtherKindError, match=r"PooledFit.load\(.*pooled.nc:name"):
        sb.load(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda tree: tree["posterior"].to_dataset().isel(group=[0, 1, 2]), "has 3 groups"),
        (lambda tree: -tree["posterior"].to_dataset()[["L_inf_of_group"]], "not positive"),
        (lambda tree: np.nan * tree["posterior"].to_dataset()[["spread_floor"]], "not finite"),
        (lambda tree: -tree["posterior"].to_dataset()[["spread_terms"]], "no probability"),
    ],
)
def test_a_file_of_draws_that_cannot_be_is_refused(change, message, pooled, tmp_path):
    tree = pooled.data_tree.copy()
    posterior = tree["posterior"].to_dataset()
    changed = change(tree)
    if "group" in changed.sizes and changed.sizes["group"] < len(pooled):
        tree["posterior"] = type(tree)(changed)
        tree["constant_data"] = type(tree)(tree["constant_data"].to_dataset().isel(group=[0, 1, 2]))
    else:
        tree["posterior"] = type(tree)(posterior.assign(changed))
    path = replace(pooled, data_tree=tree).save(tmp_path / "strange.nc")
    with pytest.raises(sb.errors.FileFormatError, match=message):
        sb.PooledFit.load(path)


def test_a_damaged_file_is_refused_by_its_checksum(pooled, tmp_path):
    path = pooled.save(tmp_path / "pooled.nc")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(sb.errors.FileFormatError, match="is damaged"):
        sb.PooledFit.load(path)
