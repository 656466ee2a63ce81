"""The law of repeated data, and what is asked of a law that reads more than sizes."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

import scaling_bayes as sb
from scaling_bayes._prediction.held import held
from scaling_bayes.cli import _main
from scaling_bayes.errors import InputError, RunsError
from scaling_bayes.runs import covariate

PUBLISHED = sb.laws.DataConstrained.published["muennighoff2023"]
AT = {"unique_tokens": "10B"}


@pytest.fixture(scope="module")
def published_runs(real_data):
    where = "in_published_fit == 1 and variant != 'dedup'"
    return sb.read_runs(real_data("datablations.csv"), where=where)


def chinchilla() -> sb.laws.PublishedLaw:
    """Return the same constants where no token is read twice."""
    values = {name: PUBLISHED.values[name] for name in sb.laws.Chinchilla().parameter_names}
    return sb.laws.PublishedLaw("fresh", sb.laws.Chinchilla(), values, PUBLISHED.citation)


def test_fresh_data_and_no_parameter_too_many_is_chinchillas_law():
    point = {"n_params": "100M", "tokens": "100B"}
    fresh = sb.forecast(PUBLISHED, **point, at={"unique_tokens": "1T"}).mean_curve
    assert fresh.item() == pytest.approx(sb.forecast(chinchilla(), **point).mean_curve.item())


def test_repeated_data_are_worth_less_and_in_the_end_nothing():
    unique = "10B"
    tokens = 1e10 * np.array([1.0, 2.0, 16.0, 1e3, 5e3])
    loss = sb.forecast(PUBLISHED, n_params="100M", tokens=tokens, at={"unique_tokens": unique})
    fresh = sb.forecast(chinchilla(), n_params="100M", tokens=tokens)
    given_up = (loss.mean_curve - fresh.mean_curve).to_numpy().ravel()
    assert given_up[0] == pytest.approx(0, abs=1e-12)
    assert (np.diff(given_up) > 0).all()
    assert loss.mean_curve[..., -1].item() == pytest.approx(loss.mean_curve[..., -2].item())


def test_the_published_constants_give_the_published_objective(published_runs):
    # Summed Huber loss with delta 1e-3 on log loss, and R2 of the loss.
    predicted = sb.forecast(PUBLISHED, published_runs).mean_curve.to_numpy().ravel()
    loss = published_runs.frame["loss"].to_numpy()
    away = np.abs(np.log(predicted) - np.log(loss))
    huber = np.where(away <= 1e-3, away**2 / 2, 1e-3 * (away - 5e-4)).sum()
    assert huber == pytest.approx(0.0158259, abs=1e-7)
    r2 = 1 - np.sum((predicted - loss) ** 2) / np.sum((loss - loss.mean()) ** 2)
    assert r2 == pytest.approx(0.7722046, abs=1e-6)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:In 2% of the pairs:scaling_bayes.errors.DoubtWarning")
def test_with_the_rest_held_the_published_decay_of_data_is_found(published_runs, quiet):
    rest = {name: value for name, value in PUBLISHED.values.items() if name not in ("R_D", "R_N")}
    law = sb.laws.DataConstrained(fixed=rest)
    fit = sb.fit(published_runs, law, discrepancy=None, settings=quiet, seed=1)
    low, high = np.quantile(fit.draws["R_D"], [0.05, 0.95])
    assert low < 15.39 < high
    assert fit.diagnostics.converged
    assert len(fit.check(seed=1).sensitivity) == 6  # R_D, R_N, sigma, nu, and two answers


# --- Covariates that no budget determines


QUESTIONS = {
    "allocate": lambda source, at: sb.allocate(source, flops="1e21", at=at),
    "decide": lambda source, at: sb.decide(source, flops="1e21", at=at),
    "spending": lambda source, at: sb.spending(source, flops=["1e21", "1e22"], at=at),
    "reach": lambda source, at: sb.compute_to_reach(source, 3.0, at=at),
    "given up": lambda source, at: sb.loss_given_up(source, n_params=1e9, tokens=2e10, at=at),
    "forecast": lambda source, at: sb.forecast(source, n_params=1e9, tokens=2e10, at=at),
}


@pytest.mark.parametrize("ask", QUESTIONS.values(), ids=QUESTIONS)
def test_every_question_takes_them_and_names_what_is_missing(ask):
    assert repr(ask(PUBLISHED, AT))
    with pytest.raises(InputError, match="unique_tokens"):
        ask(PUBLISHED, None)
    with pytest.raises(InputError, match=r"n_experts, which .* does not read"):
        ask(PUBLISHED, AT | {"n_experts": 8})
    with pytest.raises(InputError, match="has an argument of its own"):
        ask(PUBLISHED, AT | {"flops": 1e21})
    for value in ("many", -1, 0, np.nan, "10 apples", None, True):
        with pytest.raises(InputError, match="unique_tokens"):
            ask(PUBLISHED, {"unique_tokens": value})


def test_the_optimum_is_that_of_the_loss_at_the_unique_tokens():
    found = sb.allocate(PUBLISHED, flops="1e22", at=AT).optimum["n_params"].item()
    n_params = np.geomspace(1e8, 1e11, 200_001)
    x = SimpleNamespace(n_params=n_params, tokens=1e22 / 6 / n_params, unique_tokens=1e10)
    loss = PUBLISHED.law.loss(SimpleNamespace(**PUBLISHED.values), x)
    assert found == pytest.approx(n_params[loss.argmin()], rel=1e-3)
    fresh = sb.allocate(chinchilla(), flops="1e22").optimum["n_params"].item()
    assert found != pytest.approx(fresh, rel=0.01)


def test_a_limit_on_unique_tokens_is_read_by_a_law_that_knows_repetition():
    limits = sb.Limits(unique_tokens="10B")
    by_limit = sb.decide(PUBLISHED, flops="1e22", limits=limits)
    by_value = sb.decide(PUBLISHED, flops="1e22", at=AT)
    assert by_limit.choice.n_params == pytest.approx(by_value.choice.n_params, rel=1e-6)
    assert by_limit.choice.epochs == pytest.approx(by_limit.choice.tokens / 1e10)


def test_an_average_gives_each_law_what_it_reads():
    both = sb.average({"fresh": chinchilla(), "repeated": PUBLISHED})
    made = both.forecast(n_params="1B", tokens="200B", at=AT).mean_curve
    each = [
        sb.forecast(PUBLISHED, n_params="1B", tokens="200B", at=AT).mean_curve.item(),
        sb.forecast(chinchilla(), n_params="1B", tokens="200B").mean_curve.item(),
    ]
    assert float(made.mean()) == pytest.approx(np.mean(each))
    assert both.allocate(flops="1e22", at=AT).optimum["n_params"].notnull().all()


def test_plots_take_a_source_that_is_held():
    source = held(PUBLISHED, AT)
    assert source.label == "muennighoff2023 at unique_tokens 1e+10"
    sb.plots.plot_isoflop(source, flops=["1e21"])
    sb.plots.plot_loss(source, limits=("1e19", "1e22"))


def test_cells_are_read_with_units_and_bad_ones_are_named(simulate):
    frame = simulate(12).frame.assign(unique_tokens="10B", epochs="3 epochs")
    runs = sb.read_runs(frame)
    np.testing.assert_array_equal(runs.covariates(["unique_tokens"])["unique_tokens"], 1e10)
    np.testing.assert_array_equal(runs.covariates(["epochs"])["epochs"], 3.0)
    bad = sb.read_runs(frame.assign(unique_tokens=["10B"] * 10 + ["some", "-1B"]))
    with pytest.raises(RunsError, match=r"row 10: unique_tokens = 'some'.*row 11: .*'-1B'"):
        bad.covariates(["unique_tokens"])


@pytest.mark.parametrize(
    ("name", "value", "number"),
    [
        ("epochs", "3 epochs", 3.0),
        ("n_experts", 8, 8.0),
        ("precision_bits", "16 bits", 16.0),
        ("vocabulary", "32k", 32e3),
        ("lr", "3e-4", 3e-4),
        ("of my own", "2.5", 2.5),
    ],
)
def test_values_are_read_by_what_they_are_of(name, value, number):
    assert covariate(name).read(value) == pytest.approx(number)


def test_the_command_line_holds_them(capsys):
    source = ["published:muennighoff2023"]
    at = ["--at", "unique_tokens=10B"]
    for command in (
        ["allocate", *source, "--flops", "1e22", *at],
        ["forecast", *source, "--n-params", "1B", "--tokens", "200B", *at],
        ["decide", *source, "--flops", "1e22", *at],
    ):
        assert _main.main(command) == 0
        assert "unique_tokens" in capsys.readouterr().out
    assert _main.main(["allocate", *source, "--flops", "1e22"]) != 0
    assert "unique_tokens" in capsys.readouterr().err
    assert _main.main(["allocate", *source, "--flops", "1e22", "--at", "unique_tokens"]) != 0
    assert "--at unique_tokens=10B" in capsys.readouterr().err
