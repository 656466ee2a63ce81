"""The command ``compare``: laws against each other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from scaling_bayes.cli import _numbers
from scaling_bayes.cli._answer import Answer, records, show, table_of
from scaling_bayes.cli._options import DEFAULT_SHAPE, CoverageProb, Shape
from scaling_bayes.cli._remedies import in_options
from scaling_bayes.cli._sources import sources_named
from scaling_bayes.errors import InputError

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Group

    from scaling_bayes._prediction.law_draws import LawDraws

EXAMPLES = """\
Examples
  scaling-bayes compare chinchilla.nc kaplan.nc
  scaling-bayes compare chinchilla.nc kaplan.nc --held-out larger.csv
  scaling-bayes compare chinchilla.nc mine.nc --law my_laws.py:MyLaw"""


def compare(
    *sources: Annotated[
        str,
        Parameter(
            help="Fits of the same runs that `scaling-bayes fit --output` wrote, or published laws."
        ),
    ],
    held_out: Annotated[
        str | None,
        Parameter(help="Runs that were not fitted, such as larger ones: CSV or Parquet."),
    ] = None,
    prob: CoverageProb = 0.9,
    law: Annotated[
        tuple[str, ...],
        Parameter(show_default=False, help="A law of your own among the fits; may be repeated."),
    ] = (),
    seed: Annotated[int, Parameter(help="Seed of the noise of new runs.")] = 1,
    shape: Shape = DEFAULT_SHAPE,
) -> None:
    """Compare laws on the evidence of the runs, and on runs held out, with a verdict in words."""
    if len(sources) < 2:
        raise InputError("compare takes two sources or more, such as chinchilla.nc kaplan.nc.")
    named = _by_name(sources_named(sources, law), sources)

    import scaling_bayes as sb

    larger = None if held_out is None else sb.read_runs(held_out)
    comparison = sb.compare(named, held_out=larger, prob=prob, seed=seed)
    frame = comparison.to_frame().reset_index()
    verdict = [in_options(sentence) for sentence in comparison.words]
    document = {"prob": prob, "words": verdict, "sources": records(frame)}
    tables = [
        _table(
            "Evidence inside the runs: PSIS-LOO of log loss, higher is better", comparison.evidence
        ),
        _table("Root-mean-square error of log loss on the runs fitted", comparison.fitted),
    ]
    if comparison.held_out is not None:
        title = f"Runs held out: coverage is of the {prob:.0%} equal-tailed interval of a new run"
        tables.append(_table(title, comparison.held_out))
    show(Answer(tables, [], frame, document, opening=verdict), shape)


def _by_name(sources: Sequence[LawDraws], texts: Sequence[str]) -> dict[str, LawDraws]:
    """Return sources by their labels, or by what was typed where labels are not unique."""
    labels = [source.label for source in sources]
    counts = Counter(labels)
    names = [
        label if counts[label] == 1 else text for label, text in zip(labels, texts, strict=True)
    ]
    if len(set(names)) < len(names):
        raise InputError(f"{Counter(names).most_common(1)[0][0]} is given twice; give it once.")
    return dict(zip(names, sources, strict=True))


def _table(title: str, frame: pd.DataFrame) -> Group:
    return table_of(
        title,
        ["", *map(str, frame.columns)],
        [
            [str(name), *(v if isinstance(v, str) else _numbers.number(v) for v in row)]
            for name, row in zip(frame.index, frame.to_numpy(dtype=object), strict=True)
        ],
    )
