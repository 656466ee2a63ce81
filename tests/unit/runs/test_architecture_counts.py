"""Parameters and FLOPs of architectures whose counts are published."""

from __future__ import annotations

import pytest

import scaling_bayes as sb
from scaling_bayes.errors import InputError

GPT = {"vocabulary": 50257, "biases": True}
GPT2 = GPT | {"learned_positions": 1024}
LLAMA = {"ffn": "gated", "tied": False}
EXACT = {
    "GPT-2 124M": (dict(n_layers=12, width=768, n_heads=12, **GPT2), 124439808),
    "GPT-2 355M": (dict(n_layers=24, width=1024, n_heads=16, **GPT2), 354823168),
    "GPT-2 774M": (dict(n_layers=36, width=1280, n_heads=20, **GPT2), 774030080),
    "GPT-2 1.5B": (dict(n_layers=48, width=1600, n_heads=25, **GPT2), 1557611200),
    "Llama 2 7B": (
        dict(n_layers=32, width=4096, n_heads=32, vocabulary=32000, ffn_width=11008, **LLAMA),
        6738415616,
    ),
    "Llama 2 13B": (
        dict(n_layers=40, width=5120, n_heads=40, vocabulary=32000, ffn_width=13824, **LLAMA),
        13015864320,
    ),
    "Llama 3 8B": (
        dict(
            n_layers=32, width=4096, n_heads=32, n_kv_heads=8, vocabulary=128256, ffn_width=14336,
            **LLAMA,
        ),
        8030261248,
    ),
    "Mixtral 8x7B": (
        dict(
            n_layers=32, width=4096, n_heads=32, n_kv_heads=8, vocabulary=32000, ffn_width=14336,
            n_experts=8, top_k=2, **LLAMA,
        ),
        46702792704,
    ),
}  # fmt: skip
# Brown et al. 2020, Table 2.1: layers, width, heads, width of a head, parameters in billions. For
# 1.3B it says 24 heads, which do not fit its width; for 13B it says 5140.
GPT3 = [
    (12, 768, 12, 64, 0.125),
    (24, 1024, 16, 64, 0.350),
    (24, 1536, 16, 96, 0.760),
    (24, 2048, 16, 128, 1.3),
    (32, 2560, 32, 80, 2.7),
    (32, 4096, 32, 128, 6.7),
    (40, 5120, 40, 128, 13.0),
    (96, 12288, 96, 128, 175.0),
]


@pytest.mark.parametrize(("shape", "expected"), EXACT.values(), ids=EXACT)
def test_released_models_have_as_many_parameters_as_their_files(shape, expected):
    assert sb.count_parameters(sb.Architecture(**shape)).total == expected


@pytest.mark.parametrize(("n_layers", "width", "n_heads", "head_width", "billions"), GPT3)
def test_the_sizes_of_gpt_3(n_layers, width, n_heads, head_width, billions):
    gpt3 = sb.Architecture(
        n_layers, width, n_heads, head_width=head_width, learned_positions=2048, **GPT
    )
    assert sb.count_parameters(gpt3).total / 1e9 == pytest.approx(billions, rel=0.04)


def test_what_one_token_of_a_routed_model_uses():
    shape, _ = EXACT["Mixtral 8x7B"]
    counted = sb.count_parameters(sb.Architecture(**shape))
    assert counted.active / 1e9 == pytest.approx(12.9, abs=0.05)  # Jiang et al. 2024
    assert counted.total - counted.non_embedding == 2 * 32000 * 4096


def test_kaplans_count_is_twelve_layers_times_width_squared():
    plain = sb.Architecture(n_layers=48, width=1600, n_heads=25, vocabulary=50257)
    assert sb.count_parameters(plain).non_embedding == pytest.approx(12 * 48 * 1600**2, rel=1e-3)


def test_flops_of_gpt_3():
    # Brown et al. 2020, Table D.1: 3.14e23 for 174,600M parameters and 300B tokens.
    gpt3 = sb.Architecture(96, 12288, 96, learned_positions=2048, **GPT)
    found = sb.count_flops(gpt3, tokens="300B", context=2048)
    assert found.by_total == pytest.approx(3.14e23, rel=0.005)
    assert found.by_non_embedding < found.by_total < found.total
    by_hand = 6 * 2 * 96 * 2048 * 12288 * 300e9  # scores and values: 2 FLOPs each, forward
    assert found.attention == pytest.approx(by_hand)
    assert found.total == pytest.approx(found.by_total + found.attention, rel=0.01)


BAD = {
    "no layer": ({"n_layers": 0}, "n_layers is 0"),
    "half a head": ({"n_heads": 1.5}, "n_heads is 1.5"),
    "true": ({"width": True}, "width is True"),
    "uneven": ({"n_heads": 7}, "do not divide the width"),
    "kind": ({"ffn": "wide"}, "take 'plain' or 'gated'"),
    "experts": ({"top_k": 2}, "top_k is 2, of 1 experts"),
}


@pytest.mark.parametrize(("changed", "message"), BAD.values(), ids=BAD)
def test_an_architecture_that_cannot_be_is_refused(changed, message):
    shape = {"n_layers": 2, "width": 64, "n_heads": 4, "vocabulary": 100}
    with pytest.raises(InputError, match=message):
        sb.Architecture(**(shape | changed))


@pytest.mark.parametrize("changed", [{"tokens": -1}, {"context": 0}, {"context": 1.5}])
def test_flops_of_nothing_are_refused(changed):
    small = sb.Architecture(2, 64, 4, 100)
    with pytest.raises(InputError):
        sb.count_flops(small, **({"tokens": "1B", "context": 128} | changed))
