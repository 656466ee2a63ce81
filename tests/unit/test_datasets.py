from __future__ import annotations

import numpy as np

from scaling_bayes.datasets import load_cerebras_gpt


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
