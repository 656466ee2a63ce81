"""A source of which some covariates are held, so that it answers as one of sizes alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from scaling_bayes._doubt import Doubt, doubts_of
from scaling_bayes._prediction.law_draws import LawDraws, discrepancy_of
from scaling_bayes._prediction.mixture import Mixture, Source, check_source
from scaling_bayes.errors import InputError
from scaling_bayes.laws import HeldLaw
from scaling_bayes.runs import beyond_budget, read_at

if TYPE_CHECKING:
    import xarray as xr

    from scaling_bayes.discrepancy import DiscrepancyDraws
    from scaling_bayes.noise import Noise
    from scaling_bayes.runs import Runs


@dataclass(frozen=True, eq=False, repr=False)
class Held:
    """Draws of a law with covariates held; see `held`."""

    source: LawDraws
    law: HeldLaw

    @property
    def label(self) -> str:
        """Name of the source, and what is held."""
        values = ", ".join(f"{name} {value:.4g}" for name, value in self.law.at.items())
        return f"{self.source.label} at {values}"

    @property
    def draws(self) -> xr.Dataset:
        """Natural parameters of the law, with dims chain and draw."""
        return self.source.draws

    @property
    def noise(self) -> Noise | None:
        """The noise of single runs; None where it is not known."""
        return self.source.noise

    @property
    def noise_draws(self) -> xr.Dataset | None:
        """Parameters of the noise; None where there is no noise."""
        return self.source.noise_draws

    @property
    def flops_per_param_token(self) -> float:
        """The k of C = k N D."""
        return self.source.flops_per_param_token

    @property
    def discrepancy_draws(self) -> DiscrepancyDraws | None:
        """Draws of the discrepancy, which reads sizes alone; None where there is none."""
        return discrepancy_of(self.source)

    @property
    def doubts(self) -> tuple[Doubt, ...]:
        """The doubts of the source."""
        return doubts_of(self.source, "parameters", "forecast", "allocation")

    @property
    def runs(self) -> Runs:
        """The runs of the source; a published law has none."""
        fitted: Any = self.source
        return fitted.runs  # type: ignore[no-any-return]


def held(source: Source, at: Mapping[str, Any] | None) -> Source:
    """Return a source whose covariates other than N, D and C are held.

    Parameters
    ----------
    source : Fit, PublishedLaw or Average
        What answers.
    at : mapping of str to float or str, or None
        Value of each covariate, such as ``{"unique_tokens": "10B"}``. Of an average each law takes
        what it reads.

    Raises
    ------
    InputError
        If a covariate that a law reads is not given, none of the laws reads one that is, or a
        value cannot be read.

    Examples
    --------
    >>> import scaling_bayes as sb
    >>> law = sb.laws.DataConstrained.published["muennighoff2023"]
    >>> sb.held(law, {"unique_tokens": "10B"}).label
    'muennighoff2023 at unique_tokens 1e+10'
    """
    check_source(source)
    values = read_at(at or {})
    asked: set[str] = set()
    found = _held(source, values, asked)
    unread = [name for name in values if name not in asked]
    if unread:
        raise InputError(
            f"at gives {' and '.join(unread)}, which {source.label} does not read. Leave it out."
        )
    return found


def _held(source: Source, values: Mapping[str, float], asked: set[str]) -> Source:
    if isinstance(source, Mixture):
        members: dict[str, Any] = {
            name: _held(member, values, asked) for name, member in source.with_law.items()
        }
        return replace(source, members={**source.members, **members})
    needed = beyond_budget(source.law.covariates)
    lacking = [name for name in needed if name not in values]
    if lacking:
        example = ", ".join(f'"{name}": ...' for name in lacking)
        raise InputError(
            f"{source.law.name} reads {' and '.join(lacking)} beside the sizes, and no compute "
            f"budget determines {'it' if len(lacking) == 1 else 'them'}. Say at={{{example}}}."
        )
    asked |= set(needed)
    if not needed:
        return source
    return Held(source, HeldLaw(source.law, {name: values[name] for name in needed}))
