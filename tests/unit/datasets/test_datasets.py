from __future__ import annotations

import numpy as np
import pytest

from scaling_bayes.datasets import load_cerebras_gpt, load_tiny_transformers


def test_cerebras_gpt_is_the_published_table():
    runs = load_cerebras_gpt()
    assert len(runs) == 7
    assert runs.frame["model"].iloc[-1] == "Cerebras-GPT-13B"
    assert runs.frame["n_params"].iloc[0] == 111e6
    assert runs.frame["loss"].tolist() == [2.566, 2.299, 2.184, 1.996, 1.834, 1.704, 1.575]
    # Dey et al. 2023: about 20 tokens per parameter, and a power law of slope about -0.05.
    np.testing.assert_allclose(runs.frame["tokens"] / runs.frame["n_params"], 20, rtol=0.03)
    slope = np.polyfit(np.log(runs.frame["flops"]), np.log(runs.frame["loss"]), 1)[0]
    np.testing.assert_allclose(slope, -0.0526, atol=5e-4)


@pytest.fixture(scope="module")
def tiny():
    return load_tiny_transformers().frame


def test_tiny_transformers_are_the_sweep_that_was_planned(tiny):
    assert tiny["split"].value_counts().to_dict() == {"train": 101, "held_out": 6}
    assert tiny["run"].is_unique
    train, held_out = (tiny[tiny["split"] == split] for split in ("train", "held_out"))
    largest = train["flops"].max()
    assert np.log10(largest / train["flops"].min()) > 3
    assert held_out["flops"].min() / largest == pytest.approx(5, rel=0.01)
    assert held_out["flops"].max() / largest == pytest.approx(20, rel=0.01)
    seeds = train.groupby(["n_params", "tokens"])["seed"].nunique()
    assert (seeds == 3).sum() == 12
    levels = train.query("part == 'isoflop'").groupby(
        (np.log(largest / train["flops"]) / np.log(2.5)).round()
    )
    assert (levels.size() >= 4).all()
    assert len(levels) == 8
    assert (levels["flops"].max() / levels["flops"].min() < 1.01).all()
    rectangle = train.query("part == 'rectangle'")
    assert rectangle.pivot(index="n_params", columns="tokens", values="loss").shape == (6, 6)


def test_tiny_transformers_count_what_they_say(tiny):
    non_embedding = 12 * tiny["depth"] * tiny["width"] ** 2
    np.testing.assert_array_equal(tiny["n_params_non_embedding"], non_embedding)
    np.testing.assert_array_equal(tiny["n_params"], non_embedding + 256 * tiny["width"])
    np.testing.assert_array_equal(tiny["tokens"], tiny["steps"] * tiny["batch"] * tiny["context"])
    np.testing.assert_allclose(tiny["flops"], 6 * tiny["n_params"] * tiny["tokens"])
    attention = 12 * tiny["depth"] * tiny["width"] * tiny["context"] * tiny["tokens"]
    np.testing.assert_allclose(tiny["flops_exact"], tiny["flops"] + attention)
    np.testing.assert_allclose(tiny["lr"], 0.5 / tiny["width"], rtol=1e-4)
    assert tiny["loss"].between(0.3, np.log(256)).all()
    assert tiny["loss_se"].between(0.01, 0.1).all()
    assert tiny["epochs"][tiny["split"] == "train"].max() < 1
    assert tiny["corpus"].nunique() == 1
