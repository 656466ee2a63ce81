"""The command ``diagnose``: whether new runs are off the curve of a fit."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from scaling_bayes.cli import _numbers
from scaling_bayes.cli._answer import Answer, records, show, table_of
from scaling_bayes.cli._options import DEFAULT_VIEW, OwnLaw, RunsFile, Source, View
from scaling_bayes.cli._sources import about, source_named

EXAMPLES = """\
Examples
  scaling-bayes diagnose fit.nc new_runs.csv
  scaling-bayes diagnose published:besiroglu2024 new_runs.csv --csv"""


def diagnose(
    source: Source,
    runs: RunsFile,
    /,
    *,
    law: OwnLaw = None,
    seed: Annotated[int, Parameter(help="Seed of the noise of new runs.")] = 1,
    view: View = DEFAULT_VIEW,
) -> None:
    """Say of new runs whether they are off the curve, by how much, and what limits them."""
    origin = source_named(source, law)

    import scaling_bayes as sb

    diagnosis = sb.diagnose_run(origin, runs, seed=seed)
    frame = diagnosis.to_frame(prob=view.prob, kind=view.interval)
    document = {
        "source": origin.label,
        "prob": view.prob,
        "interval": view.interval,
        "words": list(diagnosis.words),
        "runs": records(frame),
    }
    shown = table_of(
        f"Runs beside the mean curve of {origin.label}",
        ["N", "D", "loss", "above the curve", f"{view.percent} interval", "compute equivalent"],
        [
            [
                _numbers.n_params(row["n_params"]),
                _numbers.tokens(row["tokens"]),
                f"{row['loss']:.4g}",
                f"{row['excess']:+.4f}",
                _numbers.bounds(row["excess_lower"], row["excess_upper"], "{:+.4f}".format),
                f"{row['equivalent_compute']:.3g}",
            ]
            for row in frame.to_dict("records")
        ],
        caption="Nats per token above the mean curve, and the factor on the run's compute at which "
        "the curve has its loss. Intervals are of the mean curve.",
    )
    show(
        Answer(
            [shown],
            [about(origin, view.interval_in_words)],
            frame,
            document,
            opening=diagnosis.words,
        ),
        view,
    )
