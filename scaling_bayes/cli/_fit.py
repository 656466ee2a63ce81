"""The command ``fit``: from a table of runs to a posterior."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

from cyclopts import Parameter

from scaling_bayes import laws, noise
from scaling_bayes.cli._answer import note, on_terminal, print_for_people, show
from scaling_bayes.cli._files import writable
from scaling_bayes.cli._groups import groups_as_one, naming_groups
from scaling_bayes.cli._options import DEFAULT_VIEW, SAMPLING, SamplerChoice, View
from scaling_bayes.cli._sources import law_named, noise_named
from scaling_bayes.cli._summary import summary_of
from scaling_bayes.errors import InputError, RunsError
from scaling_bayes.units import FLOPS_PER_PARAM_TOKEN

EXAMPLES = """\
Examples
  scaling-bayes fit runs.csv --law chinchilla --output fit.nc
  scaling-bayes fit runs.csv --law kaplan --noise normal --where "loss < 4"
  scaling-bayes fit runs.csv --column loss=val_loss --column n_params=params
  scaling-bayes fit runs.parquet --law power-c --json > posterior.json
  scaling-bayes fit runs.csv --law my_laws.py:MyLaw --output mine.nc

A file my_laws.py holds a class MyLaw(scaling_bayes.Law); naming it runs that file."""


def fit(
    runs: Annotated[
        str,
        Parameter(
            help="Training runs, CSV or Parquet: loss, and two of n_params, tokens and flops."
        ),
    ],
    /,
    *,
    law: Annotated[
        str,
        Parameter(
            help=f"One of {', '.join(laws.REGISTRY)}; or path/to/my_laws.py:MyLaw, "
            "which runs that file."
        ),
    ] = "chinchilla",
    noise_model: Annotated[
        str,
        Parameter(
            name="--noise",
            help=f"How log loss scatters around the law: {' or '.join(noise.REGISTRY)}.",
        ),
    ] = "student-t",
    where: Annotated[
        str | None, Parameter(help="Rows to keep, as a pandas query: \"group == 'dense'\".")
    ] = None,
    column: Annotated[
        tuple[str, ...],
        Parameter(
            show_default=False,
            help="A column that has another name in the table (columns in Python): "
            "loss=val_loss. May be repeated.",
        ),
    ] = (),
    flops_per_param_token: Annotated[float, Parameter(help="The k of C = k N D.")] = (
        FLOPS_PER_PARAM_TOKEN
    ),
    flops_tolerance: Annotated[
        float, Parameter(help="Largest |C / (k N D) - 1| of a row that gives all three.")
    ] = 0.2,
    output: Annotated[str | None, Parameter(help="NetCDF file to save the fit to.")] = None,
    seed: Annotated[int, Parameter(group=SAMPLING, help="The same seed gives the same draws.")] = 1,
    sampler: Annotated[SamplerChoice, Parameter(group=SAMPLING, help="Who samples.")] = "nutpie",
    draws: Annotated[int, Parameter(group=SAMPLING, help="Draws kept, per chain.")] = 1000,
    tune: Annotated[int, Parameter(group=SAMPLING, help="Warm-up draws, per chain.")] = 500,
    chains: Annotated[int, Parameter(group=SAMPLING, help="Independent chains.")] = 4,
    target_accept: Annotated[
        float, Parameter(group=SAMPLING, help="Acceptance that the step size is tuned for.")
    ] = 0.9,
    view: View = DEFAULT_VIEW,
) -> None:
    """Fit a law to training runs, check the draws, and show the posterior."""
    chosen_law, chosen_noise = law_named(law), noise_named(noise_model)
    names = _names(column)
    target = None if output is None else writable(output)

    import scaling_bayes as sb

    settings = sb.SamplerSettings(
        draws=draws,
        tune=tune,
        chains=chains,
        target_accept=target_accept,
        progressbar=on_terminal(),
    )
    try:
        table = sb.read_runs(
            runs,
            columns=names,
            flops_per_param_token=flops_per_param_token,
            flops_tolerance=flops_tolerance,
            where=where,
        )
    except RunsError as error:
        raise (error if where is None else naming_groups(error, runs, names)) from None
    if not (view.json or view.csv):
        print_for_people(repr(table))
    for sentence in groups_as_one(table.frame, chosen_law):
        note(sentence)
    if on_terminal():
        note(f"Compiling and sampling {chosen_law.name} with {sampler} ...")
    fitted = sb.fit(
        table, chosen_law, noise=chosen_noise, sampler=sampler, settings=settings, seed=seed
    )
    show(summary_of(fitted, view), view)
    if target is None:
        note("Not saved; add --output fit.nc to keep the fit.")
    else:
        note(f"Saved to {fitted.save(target)}")


def _names(pairs: Iterable[str]) -> dict[str, str]:
    """Return the names in the table, by the names of this package."""
    names: dict[str, str] = {}
    for pair in pairs:
        name, equals, other = pair.partition("=")
        if not equals or not other or name in names:
            raise InputError(
                f"--column {pair!r} does not give one other name of a column. "
                "Write it as --column loss=val_loss, once for each column."
            )
        names[name] = other
    return names
