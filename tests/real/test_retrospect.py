"""Large models of 2020 to 2022, judged by the laws that came after them."""

from __future__ import annotations

import logging

import numpy as np
import pytest
import xarray as xr

import scaling_bayes as sb
from scaling_bayes._intervals import interval

MODELS = {
    "GPT-3": ("175B", "300B"),
    "Gopher": ("280B", "300B"),
    "Chinchilla": ("70B", "1.4T"),
    "LaMDA": ("137B", "168B"),
    "MT-NLG": ("530B", "270B"),
    "Jurassic": ("178B", "300B"),
}
N_PARAMS, TOKENS = (list(sizes) for sizes in zip(*MODELS.values(), strict=True))
IN_NUMBERS = [
    (175e9, 3e11),
    (280e9, 3e11),
    (70e9, 1.4e12),
    (137e9, 168e9),
    (530e9, 270e9),
    (178e9, 3e11),
]
PUBLISHED = sb.laws.Chinchilla.published

logger = logging.getLogger(__name__)


def verdict(source):
    """Return the loss, the loss given up, and the best D/N at the same compute, of each model."""
    forecast = sb.forecast(source, n_params=N_PARAMS, tokens=TOKENS)
    given_up = sb.loss_given_up(source, n_params=N_PARAMS, tokens=TOKENS)
    plan = sb.allocate(source, flops=forecast.points["flops"].values)
    best = plan.optimum["tokens_per_param"].rename(budget="point").drop_vars("flops")
    return xr.Dataset({"loss": forecast.mean_curve, "given up": given_up, "best D/N": best})


def report(source):
    draws = verdict(source).assign_coords(point=list(MODELS))
    for model in MODELS:
        for name, values in draws.sel(point=model).items():
            lower, upper = interval(values).values
            logger.info(
                "%s, %s: %s median %.4g, 90%% equal-tailed [%.4g, %.4g]",
                source.label,
                model,
                name,
                values.median(),
                lower,
                upper,
            )


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_laws_agree_with_arithmetic_by_hand(name):
    report(PUBLISHED[name])
    verdicts = verdict(PUBLISHED[name]).isel(chain=0, draw=0)
    p = PUBLISHED[name].values
    n, d = (np.array(sizes) for sizes in zip(*IN_NUMBERS, strict=True))
    a = p["N_c"] ** p["alpha_N"]
    b = p["D_c"] ** p["alpha_D"]
    loss = p["L_inf"] + a / n ** p["alpha_N"] + b / d ** p["alpha_D"]
    assert verdicts["loss"].values == pytest.approx(loss, rel=1e-12)

    grid = np.geomspace(1e9, 1e13, 200_001)[:, None]
    line = p["L_inf"] + a / grid ** p["alpha_N"] + b / (n * d / grid) ** p["alpha_D"]
    assert verdicts["given up"].values == pytest.approx(loss - line.min(axis=0), abs=1e-7)
    size = grid.ravel()[line.argmin(axis=0)]
    assert verdicts["best D/N"].values == pytest.approx(n * d / size**2, rel=1e-3)


@pytest.mark.slow
def test_all_but_chinchilla_were_too_large_for_their_compute(chinchilla_fit):
    report(chinchilla_fit)
    verdicts = verdict(chinchilla_fit).assign_coords(point=list(MODELS))
    given_up = interval(verdicts["given up"])
    of_chinchilla = given_up.sel(point="Chinchilla", bound="upper").item()
    others = verdicts.drop_sel(point="Chinchilla")
    trained_at = xr.DataArray([d / n for n, d in IN_NUMBERS], coords={"point": list(MODELS)})
    too_large = (others["best D/N"] > trained_at).mean(("chain", "draw"))
    assert of_chinchilla < 0.001
    assert (given_up.sel(bound="lower", point=others["point"]) > 10 * of_chinchilla).all()
    assert (too_large > 0.999).all()


@pytest.mark.slow
def test_chinchilla_beats_gopher(chinchilla_fit):
    forecast = chinchilla_fit.forecast(n_params=["70B", "280B"], tokens=["1.4T", "300B"], seed=2)
    for of, least in (("mean_curve", 0.999), ("new_run", 0.9)):
        lead = forecast.draws(of).isel(point=1) - forecast.draws(of).isel(point=0)
        lower, upper = interval(lead).values
        probability = (lead > 0).mean().item()
        logger.info(
            "Chinchilla beats Gopher (%s): P = %.4f, by %.4f [%.4f, %.4f] nats, 90%% equal-tailed",
            of,
            probability,
            lead.median(),
            lower,
            upper,
        )
        assert probability > least
