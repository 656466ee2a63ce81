"""Parameters that laws have in common, with their default priors."""

from __future__ import annotations

from math import exp, log

from scaling_bayes.parameters import Parameter
from scaling_bayes.priors import Prior


def irreducible_loss(
    median: float = 1.7, spread: float = 0.5, *, reason: str | None = None
) -> Parameter:
    """Return the parameter L_inf, the loss that no size and no data remove.

    Parameters
    ----------
    median : float
        Prior median in nats per token.
    spread : float
        Prior standard deviation of its logarithm.
    reason : str, optional
        Why that prior, in a line; by default that it is weakly informative, and how wide.
    """
    return Parameter(
        "L_inf",
        r"L_\infty",
        "nats",
        "irreducible loss",
        Prior("LogNormal", mu=log(median), sigma=spread),
        reason or _weakly_informative(spread),
    )


def exponent(
    name: str,
    symbol: str,
    of: str,
    *,
    median: float = 0.35,
    spread: float = 0.4,
    reason: str | None = None,
) -> Parameter:
    """Return the exponent of a power-law term.

    Parameters
    ----------
    name, symbol : str
        Name in tables and symbol in LaTeX.
    of : str
        What the term falls with, in words.
    median, spread : float
        Prior median, and prior standard deviation of the logarithm.
    reason : str, optional
        Why that prior, in a line; by default that it is weakly informative, and how wide.
    """
    return Parameter(
        name,
        symbol,
        "1",
        f"exponent of {of}",
        Prior("LogNormal", mu=log(median), sigma=spread),
        reason or _weakly_informative(spread),
    )


def scale(
    name: str,
    symbol: str,
    unit: str,
    *,
    median: float,
    spread: float = 3.0,
    reason: str | None = None,
) -> Parameter:
    """Return the characteristic scale of a power-law term: the size at which it is 1.

    Parameters
    ----------
    name, symbol, unit : str
        Name in tables, symbol in LaTeX, and unit, such as ``"tokens"``.
    median, spread : float
        Prior median in `unit`, and prior standard deviation of the natural logarithm.
    reason : str, optional
        Why that prior, in a line; by default that it is weakly informative, and how wide.
    """
    return Parameter(
        name,
        symbol,
        unit,
        f"{'size' if unit in ('', '1') else unit} at which its term is 1",
        Prior("LogNormal", mu=log(median), sigma=spread),
        reason or _weakly_informative(spread),
    )


def _weakly_informative(spread: float) -> str:
    """Return the width of a LogNormal prior in words, which holds whatever its median."""
    return f"weakly informative: one standard deviation is a factor of {exp(spread):.2g} either way"
