"""Which runs form groups, and how far groups may lie apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from scaling_bayes._inference.kernel.pooled_density import of_group
from scaling_bayes.discrepancy import Discrepancy
from scaling_bayes.errors import InputError
from scaling_bayes.laws import PowerSum
from scaling_bayes.noise import Noise
from scaling_bayes.parameters import Declared, Parameter
from scaling_bayes.priors import Prior
from scaling_bayes.runs import Runs


def _spread(of: str, symbol: str, description: str, scale: float, reason: str) -> Parameter:
    prior = Prior("HalfNormal", sigma=scale)
    return Parameter(f"spread_{of}", rf"s_{{\mathrm{{{symbol}}}}}", "1", description, prior, reason)


class Groups(Declared):
    r"""Groups of runs whose parameters vary around common ones: partial pooling.

    In group j the log of every exponent, of the size of every term at the centre of all runs, and
    of the floor is Normal around that of the common law, with one standard deviation for each of
    these three kinds,

        log e_j ~ Normal(log e, spread_exponents),

    and so on. The spreads are learned: near 0 all groups follow one law, and with large ones each
    follows its own (Gelman and Hill 2006, chapter 12). Noise and the scale of the discrepancy are
    those of all groups; each group has a discrepancy of its own.

    Parameters
    ----------
    by : str
        The column that says which group a run is of, such as a corpus or an architecture.
    priors : mapping of str to Prior or PreliZ distribution, optional
        Priors of spreads to take instead of the default ones, by name.

    Examples
    --------
    >>> import scaling_bayes as sb
    >>> sb.Groups("corpus", priors={"spread_floor": sb.Prior("HalfNormal", sigma=1.0)})
    Groups('corpus')
    """

    name = "groups"
    parameters = (
        _spread(
            "exponents",
            "exponents",
            "standard deviation over groups of log exponents",
            0.2,
            "exponents of public sweeps differ by a fifth or two; many hold that they are the same",
        ),
        _spread(
            "terms",
            "terms",
            "standard deviation over groups of log terms at the centre of the runs",
            0.5,
            "another corpus or architecture may make a term half as large again",
        ),
        _spread(
            "floor",
            "floor",
            "standard deviation over groups of log irreducible loss",
            0.5,
            "wide: the floor is that of a corpus and its tokenizer",
        ),
    )

    def __init__(self, by: str, *, priors: Mapping[str, object] | None = None) -> None:
        if not isinstance(by, str):
            raise InputError(f"groups are told apart by {by!r}; give the name of a column.")
        super().__init__(priors=priors)
        for parameter in self.parameters:
            parameter.prior.check_support(parameter.name, parameter.support)
        self.by = by

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Groups:
        """Return the groups that `to_dict` described."""
        priors = {name: Prior.from_dict(prior) for name, prior in stored["priors"].items()}
        return cls(stored["by"], priors=priors)

    def to_dict(self) -> dict[str, Any]:
        """Return the column and the priors as plain data."""
        return super().to_dict() | {"by": self.by}

    def __repr__(self) -> str:
        return f"Groups({self.by!r})"


def runs_by_group(runs: Runs, by: str) -> dict[str, Runs]:
    """Return the runs of each group, in the order in which groups appear in the table.

    Raises
    ------
    InputError
        If there is no such column, or cells of it are missing.
    """
    if by not in runs.frame:
        columns = ", ".join(map(str, runs.frame))
        raise InputError(f"{runs.source} has no column {by!r}. The columns are {columns}.")
    column = runs.frame[by]
    missing = int(column.isna().sum())
    if missing:
        raise InputError(
            f"column {by!r} of {runs.source} has {missing} missing cells, and a run of no group "
            f"cannot be fitted. Leave them out with where({f'{by} == {by}'!r})."
        )
    names = column.astype(str)
    groups = {
        name: replace(runs.where(names == name), source=f"{runs.source}, {by} {name}")
        for name in names.unique()
    }
    if not groups:
        raise InputError(f"{runs.source} holds no runs; there is nothing to fit.")
    return groups


def kinds_of(law: PowerSum) -> dict[str, list[str]]:
    """Return the parameters of a law by the spread that they have over groups."""
    scales = [term.scale for term in law.terms]
    floor = ["L_inf"] if law.irreducible else []
    exponents = [name for name in law.parameter_names if name not in (*scales, *floor)]
    kinds = {"exponents": exponents, "terms": scales, "floor": floor}
    return {kind: names for kind, names in kinds.items() if names}


def names_of(law: PowerSum, noise: Noise, discrepancy: Discrepancy | None) -> list[str]:
    """Return the variables of a pooled fit that must have converged."""
    error = [] if discrepancy is None else discrepancy.parameter_names
    spreads = [f"spread_{kind}" for kind in kinds_of(law)]
    common = [*spreads, *noise.parameter_names, *error, *law.parameter_names]
    return [*common, *map(of_group, law.parameter_names)]
