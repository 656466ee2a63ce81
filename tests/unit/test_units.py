from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scaling_bayes.errors import UnitError
from scaling_bayes.units import PF_DAY, format_money, format_quantity, parse_money, parse_quantity

KINDS = ("n_params", "tokens", "flops")


@pytest.mark.parametrize(
    ("text", "kind", "number"),
    [
        ("7B", "n_params", 7e9),
        ("7 b", "n_params", 7e9),
        ("70.6B params", "n_params", 70.6e9),
        ("350 million", "n_params", 350e6),
        ("1.3 billion parameters", "n_params", 1.3e9),
        ("124M", "n_params", 124e6),
        ("124m", "n_params", 124e6),
        ("5K", "n_params", 5e3),
        ("1,300,000", "n_params", 1.3e6),
        ("1.4T", "tokens", 1.4e12),
        ("300e9", "tokens", 300e9),
        ("300B tokens", "tokens", 300e9),
        ("3e2B", "tokens", 300e9),
        (" 20 billion ", "tokens", 20e9),
        ("2 trillion", "tokens", 2e12),
        (12, "tokens", 12.0),
        ("5.76e23", "flops", 5.76e23),
        ("1e21 FLOPs", "flops", 1e21),
        ("1e21 flop", "flops", 1e21),
        ("5.76 ZFLOP", "flops", 5.76e21),
        ("5.76 zettaFLOPs", "flops", 5.76e21),
        ("3 EFLOPs", "flops", 3e18),
        ("3e8 PF-days", "flops", 3e8 * PF_DAY),
        ("1 PF-day", "flops", PF_DAY),
        ("1 PFLOP/s-day", "flops", PF_DAY),
        ("1 petaflop/s-days", "flops", PF_DAY),
        ("2 EF-days", "flops", 2e3 * PF_DAY),
    ],
)
def test_people_s_forms_are_read(text, kind, number):
    assert parse_quantity(text, kind=kind) == pytest.approx(number, rel=1e-12)


@pytest.mark.parametrize(
    ("value", "kind", "reason"),
    [
        ("", "n_params", "not a number"),
        ("seven", "n_params", "not a number"),
        ("7X", "n_params", "unit 'X'"),
        ("7B tokens", "n_params", "unit 'B tokens'"),
        ("7B params", "tokens", "unit 'B params'"),
        ("7B", "flops", "unit 'B'"),
        ("3e8 PF-days", "tokens", "unit 'PF-days'"),
        ("312 TFLOP/s", "flops", "rate"),
        ("1000 GPU-hours", "flops", "not one of FLOPs"),
        ("B", "n_params", "not a number"),
        ("1.2.3B", "n_params", "unit"),
        ("2,5B", "tokens", "unit"),
        ("-7B", "n_params", "negative"),
        (0, "tokens", "zero"),
        (-1.0, "tokens", "negative"),
        (float("inf"), "flops", "infinite"),
        ("1e999 FLOPs", "flops", "infinite"),
        (10**400, "flops", "infinite"),
        (float("nan"), "flops", "missing"),
        (True, "n_params", "truth value"),
        (None, "n_params", "NoneType"),
        ([7], "n_params", "list"),
        (1j, "n_params", "complex"),
    ],
)
def test_the_error_says_value_reason_and_remedy(value, kind, reason):
    with pytest.raises(UnitError) as caught:
        parse_quantity(value, kind=kind)
    message = str(caught.value)
    assert repr(value) in message
    assert reason in message
    assert "Write a plain number" in message


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        (70.6e9, "n_params", "70.6B"),
        (1.34e12, "tokens", "1.34T"),
        (5.88e23, "flops", "5.88e+23 FLOPs"),
        (999.9e6, "n_params", "1B"),
        (999.9e12, "tokens", "1e+15"),
        (5_000, "n_params", "5K"),
        (12, "tokens", "12"),
        (0, "tokens", "0"),
        (float("inf"), "tokens", "inf"),
    ],
)
def test_numbers_are_written_in_people_s_form(value, kind, text):
    assert format_quantity(value, kind=kind) == text


def test_an_unknown_kind_is_named():
    with pytest.raises(UnitError, match="'loss'"):
        format_quantity(1.0, kind="loss")
    with pytest.raises(UnitError, match="'loss'"):
        parse_quantity(1.0, kind="loss")


@given(st.floats(1e-3, 1e30), st.sampled_from(KINDS))
def test_what_is_written_is_read_back_to_rounding(value, kind):
    read = parse_quantity(format_quantity(value, kind=kind), kind=kind)
    assert read == pytest.approx(value, rel=0.005 * 1.001)


@given(st.floats(min_value=1e-300, max_value=1e300), st.sampled_from(KINDS))
def test_plain_numbers_are_read_exactly(value, kind):
    assert parse_quantity(value, kind=kind) == value
    assert parse_quantity(repr(value), kind=kind) == value


@given(st.text(max_size=12), st.sampled_from(KINDS))
def test_any_text_is_a_positive_number_or_a_unit_error(text, kind):
    try:
        value = parse_quantity(text, kind=kind)
    except UnitError:
        return
    assert 0 < value < float("inf")


@pytest.mark.parametrize(
    ("text", "kind", "number", "shown"),
    [
        ("989 TFLOP/s", "flop_rate", 9.89e14, "989 TFLOP/s"),
        ("989 TFLOPS", "flop_rate", 9.89e14, "989 TFLOP/s"),
        ("989 TFLOPs/second", "flop_rate", 9.89e14, "989 TFLOP/s"),
        ("1 petaflops per second", "flop_rate", 1e15, "1e+03 TFLOP/s"),
        ("1.5M GPU-hours", "gpu_hours", 1.5e6, "1.5M GPU-hours"),
        ("300 gpu h", "gpu_hours", 300.0, "300 GPU-hours"),
        ("30 days", "duration", 30 * 86400.0, "30 days"),
        ("12h", "duration", 12 * 3600.0, "12 h"),
        ("2 weeks", "duration", 14 * 86400.0, "14 days"),
        (60, "duration", 60.0, "1 min"),
        ("0.5 s", "duration", 0.5, "0.5 s"),
    ],
)
def test_hardware_and_time(text, kind, number, shown):
    assert parse_quantity(text, kind=kind) == pytest.approx(number)
    assert format_quantity(number, kind=kind) == shown


@pytest.mark.parametrize(
    ("text", "kind", "match"),
    [
        ("989 TB/s", "flop_rate", "'TB/s', which is not one of FLOP/s"),
        ("5 TFLOP-", "flop_rate", "'TFLOP-', which is not one of FLOP/s"),
        ("3 GPUs", "gpu_hours", "does not make a number of GPU-hours"),
        ("3 months", "duration", "'months', which is not one of time"),
        ("-3 days", "duration", "is negative"),
    ],
)
def test_wrong_units_of_hardware_and_time(text, kind, match):
    with pytest.raises(UnitError, match=match):
        parse_quantity(text, kind=kind)


@pytest.mark.parametrize(
    ("text", "amount", "currency", "shown"),
    [
        ("$2M", 2e6, "USD", "2M USD"),
        ("2.5 USD", 2.5, "USD", "2.5 USD"),
        ("\u20ac300k", 3e5, "EUR", "300K EUR"),
        ("1.5 million usd", 1.5e6, "USD", "1.5M USD"),
        (2e6, 2e6, "", "2M"),
    ],
)
def test_money(text, amount, currency, shown):
    assert parse_money(text) == (amount, currency)
    assert format_money(amount, currency) == shown


@pytest.mark.parametrize(
    "text", ["$-2", 0, "abc", "$2 EUR", "2 GPU-hours", "2 mln", "5 hrs", "2 GPU", True, None, "nan"]
)
def test_what_is_no_money(text):
    with pytest.raises(UnitError, match="money = "):
        parse_money(text)
