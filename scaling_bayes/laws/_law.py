"""What every law declares, and published values of its parameters."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf
from typing import TYPE_CHECKING, Any, ClassVar

from scaling_bayes.parameters import Declared
from scaling_bayes.units import FLOPS_PER_PARAM_TOKEN

if TYPE_CHECKING:
    import xarray as xr


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
    tokens_per_param : tuple of float
        Least and most tokens per parameter at which a law that trades N for D is meant. Its
        optimum is searched between them; everywhere by default. A formula that turns far from any
        training run, so that it has its smallest loss there, needs it.

    Parameters
    ----------
    priors : mapping of str to Prior or PreliZ distribution, optional
        Priors to take instead of the default ones, by parameter name.
    fixed : mapping of str to float, optional
        Values at which parameters are held, by name; ``Prior("DiracDelta", c=1.6)`` means the
        same. What is held has no interval, and its uncertainty is missing from every answer.

    Raises
    ------
    PriorError
        If `priors` or `fixed` names a parameter that the law does not have.
    """

    covariates: tuple[str, ...]
    citation: Citation | None = None
    published: ClassVar[Mapping[str, PublishedLaw]] = {}
    tokens_per_param: tuple[float, float] = (0.0, inf)

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


@dataclass(frozen=True, eq=False)
class PublishedLaw:
    """A law with the parameter values of a paper, as one draw.

    `scaling_bayes.forecast`, `allocate`, `compute_to_reach`, `loss_given_up`, `compare` and the
    plots take it where they take a fit. It has no noise, so a forecast of a new run is not to be
    had from it: papers seldom publish the scatter.

    Attributes
    ----------
    label : str
        Short name, such as ``"hoffmann2022"``.
    law : Law
        The law.
    values : Mapping of str to float
        A value for every natural parameter of the law.
    citation : Citation
        The paper that gives the values.
    note : str
        What a reader has to know about the values.
    flops_per_param_token : float
        The k of C = k N D that the paper uses.
    """

    label: str
    law: Law
    values: Mapping[str, float]
    citation: Citation
    note: str = ""
    flops_per_param_token: float = FLOPS_PER_PARAM_TOKEN
    noise: None = field(default=None, init=False, repr=False)
    noise_draws: None = field(default=None, init=False, repr=False)
    discrepancy_draws: None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        if set(self.values) != set(self.law.parameter_names):
            raise ValueError(
                f"{self.label} gives {sorted(self.values)}, "
                f"but {self.law.name} has {sorted(self.law.parameter_names)}."
            )

    @property
    def draws(self) -> xr.Dataset:
        """The values as a data set of one chain with one draw."""
        import xarray as xr

        return xr.Dataset(
            {name: (("chain", "draw"), [[value]]) for name, value in self.values.items()},
            coords={"chain": [0], "draw": [0]},
        )
