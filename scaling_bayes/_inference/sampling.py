"""From a PyMC model to draws that have been checked."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol

import numpy as np

from scaling_bayes._inference.compiled import compiled
from scaling_bayes._inference.diagnostics import Diagnostics, diagnose
from scaling_bayes._inference.kernel.power_sum_density import PowerSumDensity
from scaling_bayes._work.progress import Watch
from scaling_bayes.errors import ConvergenceError, ConvergenceWarning, InputError
from scaling_bayes.parameters import Parameter

if TYPE_CHECKING:
    import pymc as pm
    import xarray as xr

SamplerName = Literal["nutpie", "pymc", "numpyro"]
OnFailure = Literal["raise", "warn"]

RETRIED_KEY = "retried"
"""Attribute that says whether the draws are those of the second try."""

MOST_FOR_LOW_RANK = 100
"""Coordinates of groups, above which a mass matrix of low rank learns the wrong directions."""

REMEDIES = (
    "What usually helps: more runs, or runs over a wider range of sizes; a law with fewer "
    "parameters; a narrower prior for the parameters named; more draws or a longer warm-up."
)


@dataclass(frozen=True)
class SamplerSettings:
    """How long and how carefully to sample.

    Attributes
    ----------
    draws : int
        Draws kept, per chain.
    tune : int
        Warm-up draws, per chain.
    chains : int
        Independent chains; two at least, since R-hat compares them.
    target_accept : float
        Acceptance probability that the step size is tuned for.
    progressbar : bool
        Whether to show progress: a bar on a terminal, a line in a notebook, and anywhere else a
        line every ten seconds, to standard error. Nothing is shown within a second.
    """

    draws: int = 1000
    tune: int = 500
    chains: int = 4
    target_accept: float = 0.9
    progressbar: bool = True

    def __post_init__(self) -> None:
        for name, least in (("draws", 4), ("tune", 1), ("chains", 2)):
            value = getattr(self, name)
            if not isinstance(value, int | np.integer) or value < least:
                raise InputError(
                    f"{name} is {value!r}; it must be a whole number, at least {least}."
                )
        if not 0 < self.target_accept < 1:
            raise InputError(
                f"target_accept is {self.target_accept!r}; it must lie between 0 and 1."
            )

    def more_careful(self) -> SamplerSettings:
        """Return the settings of the one retry: smaller steps, a longer warm-up, more draws."""
        return replace(
            self,
            target_accept=1 - (1 - self.target_accept) / 5,
            tune=max(2000, 2 * self.tune),
            draws=2 * self.draws,
        )


class Sampler(Protocol):
    """A model made ready for sampling, once, for any number of data sets."""

    def __call__(
        self, data: Mapping[str, Any], settings: SamplerSettings, seed: int, watch: Watch
    ) -> xr.DataTree:
        """Return a DataTree with groups ``posterior`` and ``sample_stats``."""


class _Nutpie:
    """nutpie's NUTS with a low-rank mass matrix; data are exchanged in memory."""

    def __init__(self, model: pm.Model) -> None:
        self._model = model
        self._compiled: Any = None

    def __call__(
        self, data: Mapping[str, np.ndarray], settings: SamplerSettings, seed: int, watch: Watch
    ) -> xr.DataTree:
        n_runs = next(len(values) for values in data.values() if values.ndim)
        data = {**data, "run": np.array(n_runs)}
        if self._compiled is None:
            self._compiled = compiled(self._model, data)
        # Natural coordinates do not read the centres, and nutpie knows only what is read.
        read = {variable.name for variable in self._compiled.shared_var_keys}
        model = self._compiled.with_data(**{name: data[name] for name in data if name in read})
        return _drawn_by_nutpie(model, settings, seed, watch)


class KernelSampler:
    """nutpie's NUTS on the kernel, whose machine code is kept on disk.

    Parameters
    ----------
    density : PowerSumDensity
        The model.
    """

    def __init__(self, density: PowerSumDensity) -> None:
        self._density = density

    def __call__(
        self, data: Mapping[str, np.ndarray], settings: SamplerSettings, seed: int, watch: Watch
    ) -> xr.DataTree:
        """Return a DataTree with groups ``posterior`` and ``sample_stats``; see `Sampler`."""
        from scaling_bayes._inference.kernel.nuts_model import KernelModel

        model = KernelModel.of(self._density, data)
        data_tree = _drawn_by_nutpie(model, settings, seed, watch)
        return _with_variables(data_tree, lambda kept: self._density.variables(kept, data))


class PooledSampler:
    """nutpie's NUTS on the kernel for a law with groups.

    Parameters
    ----------
    common : PowerSumDensity
        The law with its noise and discrepancy.
    spreads : sequence of Parameter
        Standard deviations over groups; see `PooledDensity`.
    """

    def __init__(self, common: PowerSumDensity, spreads: Sequence[Parameter]) -> None:
        self._common, self._spreads = common, spreads

    def __call__(
        self, data: Mapping[str, Any], settings: SamplerSettings, seed: int, watch: Watch
    ) -> xr.DataTree:
        """Return draws of groups, given the data of each by its name; see `Sampler`."""
        from scaling_bayes._inference.kernel.nuts_model import KernelModel
        from scaling_bayes._inference.kernel.pooled_density import GROUP, PooledDensity

        density = PooledDensity(self._common, self._spreads, data)
        model = KernelModel.of_groups(density)
        few = density.dimension <= MOST_FOR_LOW_RANK
        adaptation: Literal["low_rank", "diag"] = "low_rank" if few else "diag"
        data_tree = _drawn_by_nutpie(model, settings, seed, watch, adaptation=adaptation)
        return _with_variables(data_tree, density.variables, {GROUP: list(data)})


def _with_variables(
    data_tree: xr.DataTree,
    variables: Callable[[np.ndarray], Mapping[str, Any]],
    coords: Mapping[str, Sequence[str]] | None = None,
) -> xr.DataTree:
    """Return draws of the kernel with the model's variables in the place of what it kept."""
    from scaling_bayes._inference.kernel.nuts_model import KEPT, NUMBER

    kept = data_tree["posterior"].to_dataset()
    posterior = kept.drop_vars([KEPT, NUMBER]).assign(variables(kept[KEPT].to_numpy()))
    known = dict(coords or {})
    counted = {dim: known.get(str(dim), np.arange(size)) for dim, size in posterior.sizes.items()}
    data_tree["posterior"] = type(data_tree)(
        posterior.assign_coords({dim: counted[dim] for dim in counted.keys() - kept.coords})
    )
    return data_tree


def _drawn_by_nutpie(
    model: Any,
    settings: SamplerSettings,
    seed: int,
    watch: Watch,
    *,
    adaptation: Literal["low_rank", "diag"] = "low_rank",
) -> xr.DataTree:
    import nutpie

    sampling = nutpie.sample(
        model,
        draws=settings.draws,
        tune=settings.tune,
        chains=settings.chains,
        target_accept=settings.target_accept,
        adaptation=adaptation,
        seed=seed,
        progress_bar=False,
        progress_callback=lambda chains: _tell(watch, chains),
        save_warmup=False,
        blocking=False,
    )
    try:
        data_tree: xr.DataTree = sampling.wait()
    except BaseException:
        # Otherwise the chains would go on behind an interrupt from the keyboard.
        sampling.cancel()
        raise
    # Python objects, which no NetCDF file can hold; the figures beside it say the same.
    stats = data_tree["sample_stats"].to_dataset().drop_vars("divergence_message")
    data_tree["sample_stats"] = type(data_tree)(stats)
    return data_tree


def _tell(watch: Watch, chains: Sequence[Any]) -> None:
    """Tell how far nutpie's chains are."""
    finished = sum(chain.finished_draws == chain.total_draws for chain in chains)
    total = sum(chain.total_draws for chain in chains)
    share = sum(chain.finished_draws for chain in chains) / total
    divergences = sum(chain.divergences for chain in chains)
    watch.tell(_sampling(finished, len(chains), divergences), share)


def _sampling(finished: int, chains: int, divergences: int) -> str:
    ending = "" if divergences == 1 else "s"
    return f"sampling, {finished} of {chains} chains done, {divergences} divergence{ending}"


class _PyMC:
    """PyMC's own NUTS."""

    nuts_sampler: ClassVar[Literal["pymc", "numpyro"]] = "pymc"

    def __init__(self, model: pm.Model) -> None:
        self._model = model

    def __call__(
        self, data: Mapping[str, np.ndarray], settings: SamplerSettings, seed: int, watch: Watch
    ) -> xr.DataTree:
        import pymc as pm

        n_runs = len(data["observed_log_loss"])
        watch.tell("sampling")
        with self._model:
            pm.set_data(dict(data), coords={"run": np.arange(n_runs)})
            data_tree: xr.DataTree = pm.sample(
                draws=settings.draws,
                tune=settings.tune,
                chains=settings.chains,
                target_accept=settings.target_accept,
                nuts_sampler=self.nuts_sampler,
                random_seed=seed,
                progressbar=False,
                compute_convergence_checks=False,
                quiet=True,
                callback=self._callback(settings, watch),
            )
        if data_tree["posterior"].sizes["draw"] < settings.draws:
            # pm.sample answers an interrupt from the keyboard with the draws that it has.
            raise KeyboardInterrupt
        return data_tree

    def _callback(self, settings: SamplerSettings, watch: Watch) -> Callable[..., None] | None:
        """Return what is called after each draw."""
        length = settings.tune + settings.draws
        drawn: Counter[str] = Counter()

        def count(*, trace: object, draw: Any) -> None:
            diverging = not draw.tuning and any(step.get("diverging") for step in draw.stats)
            is_last = draw.draw_idx == length - 1
            drawn.update(draws=1, chains=int(is_last), divergences=int(diverging))
            detail = _sampling(drawn["chains"], settings.chains, drawn["divergences"])
            watch.tell(detail, drawn["draws"] / (settings.chains * length))

        return count


class _NumPyro(_PyMC):
    """NumPyro's NUTS, on JAX, which says nothing before the end."""

    nuts_sampler = "numpyro"

    def _callback(self, settings: SamplerSettings, watch: Watch) -> None:
        return None


SAMPLERS: dict[SamplerName, Callable[[pm.Model], Sampler]] = {
    "nutpie": _Nutpie,
    "pymc": _PyMC,
    "numpyro": _NumPyro,
}


def prepare(model: pm.Model, sampler: SamplerName) -> Sampler:
    """Return the model made ready for a sampler.

    Raises
    ------
    InputError
        If there is no such sampler.
    """
    if sampler not in SAMPLERS:
        raise InputError(f"sampler {sampler!r} is unknown; take one of {', '.join(SAMPLERS)}.")
    return SAMPLERS[sampler](model)


def sample_checked(
    sampler: Sampler,
    data: Mapping[str, Any],
    names: Sequence[str],
    *,
    settings: SamplerSettings,
    rng: np.random.Generator,
    watch: Watch,
    on_failure: OnFailure = "raise",
) -> xr.DataTree:
    """Sample, check, and try once more with more care if the check fails.

    Parameters
    ----------
    sampler : Sampler
        What `prepare` returned.
    data : mapping of str to ndarray
        What `scaling_bayes._inference.model.model_data` returned; or that of each group, by name.
    names : sequence of str
        Parameters that must have converged.
    settings : SamplerSettings
        How to sample at first.
    rng : numpy.random.Generator
        Source of the samplers' seeds.
    watch : Watch
        Is told how far it is.
    on_failure : {"raise", "warn"}
        What to do with draws that fail twice.

    Raises
    ------
    ConvergenceError
        If the draws fail twice and `on_failure` is ``"raise"``.
    InputError
        If `on_failure` is unknown.
    """
    check_on_failure(on_failure)
    for attempt in (settings, settings.more_careful()):
        watch.tell("compiling")
        data_tree = sampler(data, attempt, seed=int(rng.integers(2**31)), watch=watch)
        watch.tell("checking the draws")
        diagnostics = diagnose(data_tree, names)
        described = {
            name: value for name, value in asdict(attempt).items() if name != "progressbar"
        }
        data_tree.attrs |= described | {RETRIED_KEY: int(attempt is not settings)}
        if diagnostics.converged:
            return data_tree
        if attempt is settings:
            watch.add("once more with smaller steps")
    refuse_or_warn(
        diagnostics,
        "the sampler did not converge, also with smaller steps, a longer warm-up and twice the "
        "draws",
        on_failure,
    )
    return data_tree


def check_on_failure(on_failure: OnFailure) -> None:
    """Raise `InputError` if `on_failure` is unknown."""
    if on_failure not in ("raise", "warn"):
        raise InputError(f"on_failure is {on_failure!r}; take 'raise' or 'warn'.")


def refuse_or_warn(diagnostics: Diagnostics, opening: str, on_failure: OnFailure) -> None:
    """Raise `ConvergenceError`, or warn, of draws that fail their checks."""
    message = f"{opening}: {'; '.join(diagnostics.failures())}. {REMEDIES}"
    if on_failure == "raise":
        raise ConvergenceError(
            message + ' To look at the draws all the same, pass on_failure="warn".'
        )
    warnings.warn(message, ConvergenceWarning, stacklevel=3)
