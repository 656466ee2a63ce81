"""What every law declares, and the parameters that laws have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from math import exp, log
from typing import TYPE_CHECKING, Any, ClassVar

from scaling_bayes.parameters import Declared, Parameter
from scaling_bayes.priors import Prior

if TYPE_CHECKING:
    from scaling_bayes.laws._published import PublishedLaw


@dataclass(frozen=True)
class Citation:
    """The paper that a law or a set of values comes from."""

    authors: str
    year: int
    title: str
    arxiv: str

    def __str__(self) -> str:
        return f"{self.authors} ({self.year}). {self.title}. arXiv:{self.arxiv}"


class Law(Declared, ABC):
    r"""A law of training loss: parameters with priors, covariates, a formula, a citation.

    The compute-optimal allocation of a law is found numerically, unless it gives a closed form in
    `optimal_n_params`. A subclass of `PowerSum` has one, which is that of its terms; if it
    overrides `loss`, its optimum is found numerically too.

    A law of your own needs three class attributes and one method::

        class LogLaw(sb.Law):
            name = "log-law"
            covariates = ("flops",)
            parameters = (
                sb.laws.irreducible_loss(),
                sb.laws.exponent("alpha_C", r"\alpha_C", "compute", median=0.17),
                sb.laws.scale("C_c", "C_c", "FLOPs", median=1e19, spread=4),
            )

            def loss(self, p, x):
                return p.L_inf + np.log1p((p.C_c / x.flops) ** p.alpha_C)

    Attributes
    ----------
    name : str
        The name under which it is registered, saved and printed.
    parameters : tuple of Parameter
        The natural parameters.
    covariates : tuple of str
        The columns of the runs that the formula reads.
    citation : Citation or None
        Where the law comes from.
    published : Mapping of str to PublishedLaw
        Published values of its parameters, by the name of the paper.

    Parameters
    ----------
    priors : mapping of str to Prior or PreliZ distribution, optional
        Priors to take instead of the default ones, by parameter name.

    Raises
    ------
    PriorError
        If `priors` names a parameter that the law does not have.
    """

    covariates: tuple[str, ...]
    citation: Citation | None = None
    published: ClassVar[Mapping[str, PublishedLaw]] = {}

    @abstractmethod
    def loss(self, p: Any, x: Any) -> Any:
        """Return the loss in nats per token.

        The one place where the formula is written. Arithmetic and NumPy functions only: the
        same lines run on floats, on xarray draws and on PyTensor variables.

        Parameters
        ----------
        p : object with one attribute per parameter
            Natural parameters.
        x : object with one attribute per covariate
            Sizes in parameters, tokens or FLOPs.
        """

    def derived(self, p: Any) -> dict[str, Any]:
        """Return quantities that follow from the parameters, by name; none by default."""
        return {}

    def optimal_n_params(self, p: Any, flops: Any, flops_per_param_token: float) -> Any | None:
        """Return the compute-optimal model size in closed form; None where there is none.

        Parameters
        ----------
        p : object with one attribute per parameter
            Natural parameters.
        flops : array_like
            Compute budgets C, in FLOPs.
        flops_per_param_token : float
            The k of C = k N D.
        """
        return None

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


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
