"""FLOPs that are not 6 N D: the constant is said first, then the spread; the remedies work."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import scaling_bayes as sb
from scaling_bayes.cli import main
from scaling_bayes.cli._remedies import in_options
from scaling_bayes.errors import RunsError, RunsWarning

# An IsoFLOP ladder as its authors label it: forward passes, of which embeddings take some.
LADDER = pd.DataFrame(
    {
        "n_params": np.repeat([150e6, 270e6, 450e6, 1.1e9, 2.3e9], 3),
        "tokens": np.outer([4.3e9, 6.2e9, 9.1e9, 14e9, 25e9], [0.5, 1, 2]).ravel(),
        "share": np.repeat([1.48, 1.76, 1.98, 2.04, 2.1], 3) * np.tile([1, 1.01, 1.02], 5),
    }
).assign(
    flops=lambda table: table["share"] * table["n_params"] * table["tokens"],
    loss=lambda table: 1.8 + 400 / table["n_params"] ** 0.34 + 410 / table["tokens"] ** 0.28,
)


def table(constant, spread=0.0, n_runs=30, seed=0):
    rng = np.random.default_rng(seed)
    n_params, tokens = 10 ** rng.uniform(8, 10, n_runs), 10 ** rng.uniform(9, 11, n_runs)
    factor = constant * (1 + spread * rng.uniform(-1, 1, n_runs))
    return pd.DataFrame(
        {
            "n_params": n_params,
            "tokens": tokens,
            "flops": factor * n_params * tokens,
            "loss": rng.uniform(2, 3, n_runs),
        }
    )


def remedy_of(refusal):
    """Return the first remedy among the arguments of `read_runs`, as they are written."""
    words = re.search(r"[Pp]ass (flops_.*?)(?:[:.]\s|\s[(i])", f"{refusal}\n")[1]
    return {name: float(value) for name, value in re.findall(r"(flops_\w+)=([\d.]*\d)", words)}


def test_a_ladder_of_forward_passes_reads_as_such():
    with pytest.raises(RunsError, match=r"look like 2 N D, the forward pass alone") as caught:
        sb.read_runs(LADDER)
    remedy = remedy_of(caught.value)
    assert remedy == {"flops_per_param_token": 2, "flops_tolerance": 0.26}
    assert "flops_tolerance=0.76" not in str(caught.value)
    runs = sb.read_runs(LADDER, **remedy)
    assert len(runs) == len(LADDER)
    law = sb.laws.Chinchilla.published["hoffmann2022"]
    read = sb.laws.PublishedLaw(
        "ladder", law.law, law.values, law.citation, flops_per_param_token=2.0
    )
    [tokens] = sb.forecast(read, n_params=2e9, flops=1e20).to_frame()["tokens"]
    assert tokens == pytest.approx(25e9)


@settings(max_examples=60)
@given(
    st.sampled_from([1.5, 2, 3, 4, 8, 9.5, 12, 18]),
    st.sampled_from([0.0, 0.01, 0.1]),
    st.integers(0, 20),
)
def test_the_constant_is_said_before_the_spread_and_its_remedy_reads_the_table(
    constant, spread, seed
):
    frame = table(constant, spread, seed=seed)
    with pytest.raises(RunsError) as caught:
        sb.read_runs(frame)
    message = str(caught.value)
    remedy = remedy_of(message)
    assert remedy["flops_per_param_token"] == pytest.approx(constant, rel=0.2)
    assert message.index("FLOPs look like") < message.index("pass flops_")
    assert len(sb.read_runs(frame, **remedy)) == len(frame)
    for offered in re.finditer(r"flops_tolerance=([\d.]*\d)(.*)", message):
        assert float(offered[1]) < 0.5 or "off by a factor of" in offered[2]


@pytest.mark.parametrize("constant", [5, 5.5, 6.3, 7, 7.1])
def test_a_constant_within_the_tolerance_is_warned_of_with_its_remedy(constant):
    frame = table(constant, 0.005)
    shift = f"{100 * abs((constant / 6) ** 0.5 - 1):.0f}%"
    with pytest.warns(RunsWarning, match=rf"in every row.*shifts N\* by about {shift}") as caught:
        sb.read_runs(frame)
    remedy = remedy_of(caught[0].message)
    assert remedy["flops_per_param_token"] == pytest.approx(constant, rel=0.02)
    assert len(sb.read_runs(frame, **remedy)) == len(frame)
    sb.read_runs(frame.drop(columns="flops"))


@pytest.mark.parametrize(("constant", "spread"), [(6, 0), (6.05, 0.01), (6.3, 0.1), (5.8, 0.1)])
def test_what_is_rounded_or_scattered_is_no_constant(constant, spread):
    assert len(sb.read_runs(table(constant, spread))) == 30
    assert len(sb.read_runs(table(7, n_runs=2))) == 2


def test_a_tolerance_that_was_asked_for_does_not_hide_a_constant():
    with pytest.warns(RunsWarning, match="look like 2 N D"):
        sb.read_runs(table(2), flops_tolerance=0.7)


def test_flops_with_more_for_attention_have_both_remedies():
    frame = table(6, n_runs=5)
    frame["flops"] *= [1.758, 1.65, 1.46, 1.33, 1.15]
    with pytest.raises(RunsError, match=r"look like 8\.76 N D, in the median of 5") as caught:
        sb.read_runs(frame)
    assert len(caught.value.problems) == 4
    assert len(sb.read_runs(frame, **remedy_of(caught.value))) == 5
    assert re.search(
        r"flops_tolerance=0\.76 \(which .* a factor of 1\.8, and N\*", str(caught.value)
    )
    assert len(sb.read_runs(frame, flops_tolerance=0.76)) == 5


def test_one_row_that_is_off_is_to_be_corrected():
    frame = table(6)
    frame.loc[3, "flops"] *= 2
    with pytest.raises(RunsError, match=r"row 3, .*Correct it; or .*off by a factor of 2, "):
        sb.read_runs(frame)


@pytest.mark.parametrize("as_file", [False, True])
@pytest.mark.parametrize("n_largest", [1e10, 1e12])
def test_integers_that_overflowed_are_recognised(as_file, n_largest, tmp_path):
    rng = np.random.default_rng(1)
    frame = pd.DataFrame(
        {
            "n_params": (10 ** rng.uniform(7, np.log10(n_largest), 40)).astype("int64"),
            "tokens": (10 ** rng.uniform(9, 12, 40)).astype("int64"),
            "loss": rng.uniform(2, 3, 40),
        }
    )
    frame["flops"] = 6 * frame["n_params"] * frame["tokens"]
    true = 6.0 * frame["n_params"] * frame["tokens"]
    lost = np.flatnonzero(true >= 2.0**63)
    source = frame
    if as_file:
        source = tmp_path / "runs.csv"
        frame.to_csv(source, index=False)
    with pytest.raises(
        RunsError, match=r"64-bit integers, which overflowed\. Compute it in floats"
    ) as caught:
        sb.read_runs(source)
    assert [p.row for p in caught.value.problems] == list(lost + 2 * as_file)
    assert {p.column for p in caught.value.problems} == {"flops"}
    assert len(sb.read_runs(frame.assign(flops=true))) == 40


def test_flops_that_are_wrong_by_themselves_are_no_overflow():
    frame = table(6)
    frame.loc[[2, 5], "flops"] = [-3e18, 4e18]
    with pytest.raises(RunsError) as caught:
        sb.read_runs(frame)
    assert "overflowed" not in str(caught.value)


def test_the_command_line_names_its_options(tmp_path, capsys):
    path = tmp_path / "runs.csv"
    for frame in (LADDER, table(8, 0.1), table(7), table(6, 0.9)):
        frame.to_csv(path, index=False)
        # The law is none, so that nothing is fitted where the table is read.
        assert main(["fit", str(path), "--law", "chinchilla", "--draws", "0"]) == 2
        words = capsys.readouterr().err
        assert "flops_tolerance" not in words
        assert "flops_per_param_token" not in words
        for option in re.findall(r"--flops-\S+", words):
            assert option in {"--flops-tolerance", "--flops-per-param-token"}
    assert in_options("within flops_tolerance = 0.2") == "within --flops-tolerance 0.2"
