"""What a command works with: laws by name or from a file of one's own, fits, published laws."""

from __future__ import annotations

import importlib.util
import inspect
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scaling_bayes import laws, noise
from scaling_bayes._files.user_path import path_of
from scaling_bayes._prediction.law_draws import discrepancy_of, loss_unit_of
from scaling_bayes.errors import FileFormatError, InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from scaling_bayes import Fit, PooledFit
    from scaling_bayes._prediction.law_draws import LawDraws
    from scaling_bayes.priors import Prior

_PREFIX = "published:"
_TABLES = (".csv", ".tsv", ".json", ".jsonl", ".parquet", ".xlsx")


def published_laws() -> dict[str, laws.PublishedLaw]:
    """Return every published set of values that the laws ship, by name."""
    return {
        name: published
        for make in laws.REGISTRY.values()
        for name, published in make().published.items()
    }


def law_named(
    text: str,
    *,
    priors: Mapping[str, Prior] | None = None,
    fixed: Mapping[str, float] | None = None,
) -> laws.Law:
    """Return a law by its name, or from ``path/to/my_laws.py:MyLaw``, which runs that file.

    Parameters
    ----------
    text : str
        The name, or the file and the class.
    priors, fixed : mapping, optional
        Priors and values of parameters, as `Law` takes them.

    Raises
    ------
    InputError
        If there is no such law.
    """
    given: dict[str, Any] = {
        name: values for name, values in (("priors", priors), ("fixed", fixed)) if values
    }
    if text in laws.REGISTRY:
        return laws.REGISTRY[text](**given)
    path, colon, name = text.rpartition(":")
    if not colon:
        raise InputError(
            f"--law {text!r} is not a law. Take one of {', '.join(laws.REGISTRY)}, or one of your "
            "own as path/to/my_laws.py:MyLaw."
        )
    return _own_law(path_of(path), name, given)


def noise_named(text: str) -> noise.Noise:
    """Return a noise model by its name.

    Raises
    ------
    InputError
        If there is no such noise.
    """
    if text not in noise.REGISTRY:
        raise InputError(
            f"--noise {text!r} is not a noise model. Take one of {', '.join(noise.REGISTRY)}."
        )
    return noise.REGISTRY[text]()


def fit_at(path: str, law: str | None) -> Fit:
    """Return the fit in a file; `law` names its law if that is one of the user's own.

    Raises
    ------
    InputError
        If it is a group of a fit of groups, of which only draws are there.
    """
    import scaling_bayes as sb

    of_groups, colon, group = path.rpartition(":")
    if colon and not path_of(path).exists() and path_of(of_groups).is_file():
        raise InputError(
            f"{group} is a group of {of_groups}, and this command needs a fit of its own. Fit its "
            "runs by themselves with --where, or ask for a forecast, an allocation or a decision."
        )

    return sb.load(path, law=None if law is None else law_named(law))


def pooled_at(path: str, law: str | None) -> PooledFit:
    """Return the fit of groups in a file."""
    import scaling_bayes as sb

    own: Any = None if law is None else law_named(law)
    return sb.PooledFit.load(path, law=own)


def source_named(text: str, law: str | None) -> LawDraws:
    """Return a published law, with or without ``published:``, or the fit in a file.

    A group of a fit of groups is named after its file: ``pooled.nc:web``.

    Raises
    ------
    InputError
        If there is no such published law.
    FileFormatError
        If there is no such file, or it is not a fit.
    """
    published = published_laws()
    name = text.removeprefix(_PREFIX)
    if name in published:
        return published[name]
    if not text.startswith(_PREFIX) and not path_of(text).exists():
        path, colon, group = text.rpartition(":")
        if colon and path_of(path).is_file():
            return pooled_at(path, law).group(group)
    if text.startswith(_PREFIX) or not path_of(text).exists():
        raise InputError(
            f"{text} is neither a file nor a published law. The published ones are "
            f"{', '.join(_PREFIX + known for known in published)}."
        )
    if text.lower().removesuffix(".gz").endswith(_TABLES):
        raise InputError(
            f"{text} is a table of runs: fit it first, with scaling-bayes fit {text} "
            "--output fit.nc."
        )
    return fit_at(text, law)


def source_at[Origin](source: Origin, at: Iterable[str]) -> Origin:
    """Return a source with covariates held at values, each given as ``name=value``.

    Raises
    ------
    InputError
        If one is not given so, or twice, or the source does not read it.
    """
    values: dict[str, str] = {}
    for pair in at:
        name, equals, value = pair.partition("=")
        if not (name and equals and value) or name in values:
            raise InputError(
                f"--at {pair!r} does not give the value of one covariate. Write it as "
                "--at unique_tokens=10B, once for each."
            )
        values[name] = value
    if not values:
        return source
    from scaling_bayes._prediction.held import held

    one: Any = source
    held_there: Any = held(one, values)
    return held_there  # type: ignore[no-any-return]


def sources_named(texts: Iterable[str], own_laws: Iterable[str]) -> list[LawDraws]:
    """Return fits and published laws; `own_laws` are the user's own among the laws of the fits.

    Raises
    ------
    InputError, FileFormatError
        As `source_named`.
    """
    known = [None, *own_laws]
    return [_first_readable(text, known) for text in texts]


def _first_readable(text: str, own_laws: list[str | None]) -> LawDraws:
    failures = []
    for law in own_laws:
        try:
            return source_named(text, law)
        except FileFormatError as error:
            failures.append(error)
    raise failures[0]


def discrepancy_name(source: LawDraws) -> str | None:
    """Return the name of a source's discrepancy; None where the law is taken for the truth."""
    error = discrepancy_of(source)
    return None if error is None else error.discrepancy.name


def is_published(source: object) -> bool:
    """Return whether a source is one set of published values."""
    from scaling_bayes._prediction.held import Held

    return isinstance(source.source if isinstance(source, Held) else source, laws.PublishedLaw)


def about(source: LawDraws, interval: str) -> str:
    """Return what a reader has to know of the numbers of a source."""
    from scaling_bayes._prediction.held import Held

    if isinstance(source, Held):
        values = ", ".join(f"{name} {value:.4g}" for name, value in source.law.at.items())
        return f"{about(source.source, interval)} Held: {values}."
    if isinstance(source, laws.PublishedLaw):
        note = f" {source.note[0].upper()}{source.note[1:].rstrip('.')}." if source.note else ""
        return (
            f"{source.label} is one set of published values, so there are no intervals and no "
            f"noise of new runs. {source.citation}.{note}"
        )
    return f"Medians of the posterior, and {interval} intervals. Loss is in {loss_unit_of(source)}."


def _own_law(path: Path, name: str, given: Mapping[str, Any]) -> laws.Law:
    spec = importlib.util.spec_from_file_location(f"own_laws_{path.stem}", path)
    if spec is None or spec.loader is None or not path.is_file():
        raise InputError(f"--law {path}:{name}: there is no Python file {path}.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    # The file is the user's, so anything may be raised: also what would end this process. Ctrl-C
    # is no exception here; see `ending_at_once`.
    try:
        spec.loader.exec_module(module)
        found = getattr(module, name, None)
        law = found(**given) if inspect.isclass(found) else found
    except BaseException as error:
        raise InputError(
            f"--law {path}:{name}: running {path} raised {type(error).__name__}: {error}."
        ) from error
    if not isinstance(law, laws.Law):
        raise InputError(
            f"--law {path}:{name}: {path} has no law {name!r}; it must be a subclass of "
            "scaling_bayes.Law, or one of its instances."
        )
    if given and not inspect.isclass(found):
        raise InputError(
            f"--law {path}:{name} is made already, with its priors. Name its class to give others."
        )
    return law
