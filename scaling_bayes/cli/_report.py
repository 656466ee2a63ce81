"""The command ``report``: one page for the person who decides."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from scaling_bayes._files.user_path import path_of, writable
from scaling_bayes.cli import _options as options
from scaling_bayes.cli._answer import print_for_people
from scaling_bayes.cli._reading import names_of, read_table
from scaling_bayes.cli._sources import fit_at
from scaling_bayes.errors import InputError
from scaling_bayes.units import FLOPS_PER_PARAM_TOKEN

EXAMPLES = """\
Examples
  scaling-bayes report fit.nc --flops 1e24 --target 2.0
  scaling-bayes report runs.csv --output what_to_train.html
  scaling-bayes report fit.nc --format markdown --output report.md"""

_ENDINGS = {"html": ".html", "markdown": ".md"}


def report(
    source: Annotated[
        str,
        Parameter(
            help="A fit that `scaling-bayes fit --output` wrote (.nc), or a table of runs, which "
            "is fitted by default."
        ),
    ],
    /,
    *,
    output: Annotated[
        str | None,
        Parameter(name=["--output", "-o"], help="The file; report.html by default."),
    ] = None,
    page: Annotated[
        Literal["html", "markdown"] | None,
        Parameter(
            name="--format",
            help="A page for a browser, or text for a pull request; by default as the file ends.",
        ),
    ] = None,
    flops: Annotated[
        str | None,
        Parameter(help="The budget; by default ten times the compute of the largest run."),
    ] = None,
    target: Annotated[float | None, Parameter(help="Loss to reach.")] = None,
    no_track_record: Annotated[
        bool, Parameter(help="Leave out the refits to earlier cuts of the runs.")
    ] = False,
    where: options.Where = None,
    column: options.Column = (),
    law: options.OwnLaw = None,
    seed: options.SamplingSeed = 1,
) -> None:
    """Write one page: the choice first, and what stands behind it."""
    ending = _ENDINGS[page or "html"]
    name = f"report{ending}" if output is None else output
    if page is not None and path_of(name).suffix != ending:
        raise InputError(f"--format {page} goes to a file in {ending}, and --output is {name}.")
    destination: Path = writable(name, "--output")

    import scaling_bayes as sb

    if path_of(source).suffix == ".nc":
        fit = fit_at(source, law)
    else:
        table = read_table(
            source,
            names=names_of(column),
            where=where,
            flops_per_param_token=FLOPS_PER_PARAM_TOKEN,
            flops_tolerance=options.DEFAULT_FLOPS_TOLERANCE,
        )
        fit = sb.fit(table, seed=seed)
    written = sb.report(
        fit,
        destination,
        flops=flops,
        target=target,
        track_record=not no_track_record,
        command=f"scaling-bayes report {source} --seed {seed}"
        + (f" --flops {flops}" if flops else "")
        + (f" --target {target:g}" if target else ""),
        seed=seed,
    )
    print_for_people(f"Wrote {written}")
