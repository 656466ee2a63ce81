"""The model of runs around a law with discrepancy."""

from __future__ import annotations

from types import SimpleNamespace

import arviz_stats
import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest
from pytensor.gradient import jacobian
from scipy import stats
from scipy.special import gammaln

import scaling_bayes as sb
from scaling_bayes._inference.model import model_data
from scaling_bayes.discrepancy import BASIS, WEIGHT, Discrepancy, Smooth
from scaling_bayes.errors import PriorError

QUICK = {"mode": "FAST_COMPILE"}


def assert_same_posterior(
    runs: sb.Runs, law: sb.Law, noise: sb.noise.Noise, discrepancy: sb.discrepancy.Discrepancy
) -> None:
    """Compare the log densities of both models at random points, the Jacobian accounted for."""
    centred, natural = (
        sb.build_model(runs, law, noise=noise, discrepancy=discrepancy, coordinates=coordinates)
        for coordinates in ("centred", "natural")
    )
    assert WEIGHT in {rv.name for rv in natural.free_RVs}
    assert WEIGHT in {variable.name for variable in centred.deterministics}
    parameters = centred.replace_rvs_by_values([centred[rv.name] for rv in natural.free_RVs])
    forward = []
    for rv, value in zip(natural.free_RVs, parameters, strict=True):
        transform = natural.rvs_to_transforms[rv]
        forward.append(value if transform is None else transform.forward(value, *rv.owner.inputs))
    # Vectorised: a scan would ask for a BLAS to link to.
    columns = jacobian(
        pt.concatenate([pt.atleast_1d(v) for v in forward]), centred.value_vars, vectorize=True
    )
    to_natural = centred.compile_fn(
        [*forward, pt.concatenate([c.reshape((c.shape[0], -1)) for c in columns], axis=1)],
        point_fn=True,
        **QUICK,
    )
    log_density, natural_log_density = (model.compile_logp(**QUICK) for model in (centred, natural))
    names = [variable.name for variable in natural.value_vars]

    rng = np.random.default_rng(1)
    start = centred.initial_point()
    differences = []
    for _ in range(20):
        point = {name: value + rng.normal(0, 0.5, value.shape) for name, value in start.items()}
        *values, slopes = to_natural(point)
        sign, log_volume = np.linalg.slogdet(slopes)
        assert sign != 0
        there = natural_log_density(dict(zip(names, values, strict=True)))
        assert np.isfinite(there)
        differences.append(log_density(point) - (there + log_volume))
    # The flat simplex has density (number of shares - 1)!, the only constant between the two.
    n_shares = len(law.terms) + law.irreducible if isinstance(law, sb.laws.PowerSum) else 1
    np.testing.assert_allclose(differences, gammaln(n_shares), rtol=0, atol=1e-6)


@pytest.mark.parametrize("n_runs", [7, 12, 60])
@pytest.mark.parametrize("noise", [sb.noise.StudentT(), sb.noise.Normal()], ids=lambda n: n.name)
def test_both_coordinates_have_the_same_posterior(simulate, n_runs, noise):
    assert_same_posterior(simulate(n_runs), sb.laws.Chinchilla(), noise, Smooth())


def test_both_coordinates_have_the_same_posterior_under_users_priors_and_weights(runs, steep):
    frame = runs.frame.assign(weight=np.resize([1.0, 4.0, 9.0], len(runs)))
    assert_same_posterior(
        sb.Runs(frame),
        sb.laws.Kaplan(),
        sb.noise.StudentT(priors={"sigma": sb.Prior("HalfNormal", sigma=0.1)}),
        steep(priors={"tau": sb.Prior("HalfNormal", sigma=0.2)}),
    )


def test_a_discrepancy_without_coordinates_of_its_own_is_sampled_in_its_weights(runs):
    class Plain(Smooth):
        create_centred = Discrepancy.create_centred

    model = sb.build_model(runs, sb.laws.Chinchilla(), discrepancy=Plain())
    free = {rv.name for rv in model.free_RVs}
    assert {WEIGHT, "log_loss_centre"} <= free
    assert "discrepancy_offset" not in free


def test_a_noise_without_a_scale_of_its_own_has_the_same_posterior(runs):
    class Own(sb.noise.Normal):
        def scale(self, p):
            return sb.noise.Noise.scale(self, p)

    assert_same_posterior(runs, sb.laws.Chinchilla(), Own(), Smooth())


def test_the_likelihood_is_that_of_the_shifted_law(runs):
    """By scipy, at a point with weights that are not zero."""
    law, smooth = sb.laws.Chinchilla(), Smooth()
    model = sb.build_model(
        runs, law, noise=sb.noise.Normal(), discrepancy=smooth, coordinates="natural"
    )
    p = {"L_inf": 1.8, "alpha_N": 0.3, "alpha_D": 0.4, "N_c": 2e8, "D_c": 3e9}
    point = {f"{name}_log__": np.log(value) for name, value in (p | {"sigma": 0.02}).items()}
    weight = np.random.default_rng(4).normal(0, 0.05, smooth.n_components)
    point |= {"tau_log__": np.log(0.07), WEIGHT: weight}
    sizes = runs.covariates(("n_params", "tokens"))
    shift = smooth.data(sizes)[BASIS] @ weight
    mean = np.log(law.loss(SimpleNamespace(**p), runs.frame)) + shift
    expected = stats.norm.logpdf(np.log(runs.frame["loss"]), mean, 0.02)
    (found,) = model.compile_logp([model["log_loss"]], sum=False, **QUICK)(point)
    np.testing.assert_allclose(found, expected, rtol=1e-9)
    prior = model.compile_logp([model[WEIGHT]], **QUICK)(point)
    assert prior == pytest.approx(stats.norm.logpdf(weight, 0, 0.07).sum(), rel=1e-12)


def test_a_centred_offset_of_zero_is_the_mode_of_the_weights_under_normal_noise(runs):
    """Then weights far from the truth cost what a Normal of sd 1 says, whatever the law."""
    model = sb.build_model(
        runs, sb.laws.Chinchilla(), noise=sb.noise.Normal(), discrepancy=Smooth()
    )
    log_density = model.compile_logp(**QUICK)
    rng = np.random.default_rng(5)
    for _ in range(3):
        point = {
            name: value + rng.normal(0, 0.3, value.shape)
            for name, value in model.initial_point().items()
        }
        offset = rng.normal(0, 2, 20)
        here, there = (
            log_density(point | {"discrepancy_offset": value}) for value in (np.zeros(20), offset)
        )
        assert here - there == pytest.approx(offset @ offset / 2, rel=1e-6)


def test_the_data_can_be_exchanged_for_those_of_fewer_runs(runs, simulate):
    law, others = sb.laws.Chinchilla(), simulate(12, seed=7)
    model, expected = (sb.build_model(some, law, discrepancy=Smooth()) for some in (runs, others))
    data = model_data(others, law, Smooth())
    pm.set_data(data, model=model, coords={"run": np.arange(12)})
    point = expected.initial_point()
    assert model.compile_logp(**QUICK)(point) == pytest.approx(
        float(expected.compile_logp(**QUICK)(point)), rel=1e-12
    )


def test_a_prior_outside_of_the_support_of_tau_is_refused(runs):
    smooth = Smooth(priors={"tau": sb.Prior("Normal", mu=0, sigma=1)})
    with pytest.raises(PriorError, match="of tau reaches outside"):
        sb.build_model(runs, sb.laws.Chinchilla(), discrepancy=smooth)


def z_scores(first: sb.Fit, second: sb.Fit, points: sb.Runs) -> dict[str, float]:
    """Return differences of means and sds of log parameters and shifts, in Monte Carlo errors."""
    drawn = []
    for fit in (first, second):
        posterior = fit.data_tree["posterior"].to_dataset()
        quantities = {f"log {name}": np.log(posterior[name]) for name in fit.parameter_names}
        log_curve = np.log(fit.forecast(points, seed=1).mean_curve)
        drawn.append(quantities | {f"curve {i}": log_curve.isel(point=i) for i in range(3)})
    scores = {}
    for name, ours in drawn[0].items():
        for figure, of in (("mean", "mean"), ("sd", "std")):
            both = (ours, drawn[1][name])
            values = [getattr(draws, of)().item() for draws in both]
            errors = [arviz_stats.mcse(draws, method=figure).item() for draws in both]
            scores[f"{figure} of {name}"] = (values[0] - values[1]) / np.hypot(*errors)
    return scores


def assert_same_draws(first: sb.Fit, second: sb.Fit, points: sb.Runs) -> None:
    """Fail with a probability of 0.1% for two samples of the same posterior."""
    scores = z_scores(first, second, points)
    worst = max(scores, key=lambda figure: abs(scores[figure]))
    assert abs(scores[worst]) < stats.norm.isf(1e-3 / len(scores) / 2), (worst, scores[worst])


@pytest.fixture(scope="module")
def small(bent) -> sb.Runs:
    return bent.simulate(20, 1e18, 3e20, seed=3)


@pytest.mark.long
def test_natural_coordinates_sample_the_same_posterior(smooth_fitter, small):
    careful = sb.SamplerSettings(draws=3000, tune=2000, target_accept=0.98, progressbar=False)
    natural = sb.fit(
        small,
        sb.laws.Chinchilla(),
        discrepancy=Smooth(),
        coordinates="natural",
        settings=careful,
        seed=2,
    )
    assert_same_draws(smooth_fitter.fit(small, seed=1), natural, small)


@pytest.mark.long
def test_pymcs_sampler_gives_the_same_posterior(smooth_fitter, small):
    theirs = sb.fit(
        small,
        sb.laws.Chinchilla(),
        discrepancy=Smooth(),
        sampler="pymc",
        settings=sb.SamplerSettings(chains=2, progressbar=False),
        seed=2,
    )
    assert_same_draws(smooth_fitter.fit(small, seed=1), theirs, small)
