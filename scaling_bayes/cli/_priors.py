"""Priors and held parameters as a command gives them."""

from __future__ import annotations

import ast
from collections.abc import Iterable

from scaling_bayes.errors import InputError, PriorError
from scaling_bayes.priors import Prior

_IN_ORDER = {
    "Normal": ("mu", "sigma"),
    "LogNormal": ("mu", "sigma"),
    "HalfNormal": ("sigma",),
    "Gamma": ("alpha", "beta"),
    "Uniform": ("lower", "upper"),
    "Beta": ("alpha", "beta"),
}
"""What numbers without names are, as PyMC orders them."""


def fixed_of(texts: Iterable[str]) -> dict[str, float]:
    """Return the values that parameters are held at, each given as ``L_inf=1.6``.

    Raises
    ------
    InputError
        If one is not given so, or twice.
    """
    found: dict[str, float] = {}
    for text in texts:
        name, _, value = text.partition("=")
        try:
            number = float(value)
        except ValueError:
            number = None
        if not name or number is None or name in found:
            raise InputError(
                f"--fix {text!r} does not hold one parameter at a number. Write it as "
                "--fix L_inf=1.6, once for each."
            )
        found[name] = number
    return found


def priors_of(texts: Iterable[str]) -> dict[str, Prior]:
    """Return priors, each given as ``L_inf=Normal(1.6, 0.05)``.

    Raises
    ------
    InputError
        If one is not given so, or twice.
    """
    found: dict[str, Prior] = {}
    for text in texts:
        name, _, written = text.partition("=")
        if not name or name in found:
            raise InputError(_refused(text))
        try:
            found[name] = _prior(ast.parse(written.strip(), mode="eval").body)
        except (SyntaxError, ValueError, RecursionError, MemoryError, PriorError) as error:
            raise InputError(f"{_refused(text)} ({error})") from None
    return found


def _prior(node: ast.expr) -> Prior:
    """Return a prior from a call of names and numbers; nothing is evaluated."""
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name)):
        raise ValueError("it is not the name of a distribution with numbers in brackets")
    name = node.func.id
    in_order = _IN_ORDER.get(name, ("dist",))
    if len(node.args) > len(in_order):
        raise ValueError(f"name the numbers of {name}, such as mu=1.6")
    arguments = dict(zip(in_order, map(_argument, node.args), strict=False))
    for keyword in node.keywords:
        if keyword.arg is None or keyword.arg in arguments:
            raise ValueError("an argument is given twice, or has no name")
        arguments[keyword.arg] = _argument(keyword.value)
    return Prior(name, **arguments)


def _argument(node: ast.expr) -> float | Prior:
    if isinstance(node, ast.Call):
        return _prior(node)
    value = ast.literal_eval(node)
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise ValueError(f"{value!r} is not a number")
    return float(value)


def _refused(text: str) -> str:
    return (
        f"--prior {text!r} does not give one parameter a prior. Write it as "
        "--prior 'L_inf=Normal(1.6, 0.05)', once for each."
    )
