"""The command ``import``: from folders of runs to one checked table."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from scaling_bayes._files.user_path import writable
from scaling_bayes.cli import _options as options
from scaling_bayes.cli._answer import csv_of, note, print_for_people
from scaling_bayes.cli._reading import names_of, read_table
from scaling_bayes.units import FLOPS_PER_PARAM_TOKEN

EXAMPLES = """\
Examples
  scaling-bayes import sweep/ --output runs.csv
  scaling-bayes import run-1/ run-2/ --output runs.csv --unfinished keep
  scaling-bayes import sweep/ --column loss=summary/eval/c4/loss --output runs.csv
  scaling-bayes import 'sweep/*/trainer_state.json' --output runs.csv

Read are tracker_metrics.jsonl (levanter), run-*.wandb or wandb-summary.json with config.yaml (W&B),
trainer_state.json (Hugging Face) and event files (TensorBoard), in folders and all folders in them,
and tables."""


def import_runs(
    *paths: Annotated[str, Parameter(help="Folders, files of runs, or one table.")],
    output: Annotated[str, Parameter(help="CSV file for the table.")],
    column: options.Column = (),
    where: options.Where = None,
    flops_per_param_token: options.FlopsPerParamToken = FLOPS_PER_PARAM_TOKEN,
    flops_tolerance: options.FlopsTolerance = options.DEFAULT_FLOPS_TOLERANCE,
    loss_unit: options.LossUnit = None,
    duplicates: options.DuplicatesOption = "refuse",
    unfinished: options.UnfinishedOption = "drop",
) -> None:
    """Read runs as trackers leave them, check them, and write one table."""
    from scaling_bayes._files.whole_files import write_whole
    from scaling_bayes.units import DEFAULT_LOSS_UNIT

    target = writable(output, "--output")
    runs = read_table(
        paths[0] if len(paths) == 1 else list(paths),
        names=names_of(column),
        where=where,
        flops_per_param_token=flops_per_param_token,
        flops_tolerance=flops_tolerance,
        loss_unit=loss_unit,
        duplicates=duplicates,
        unfinished=unfinished,
    )
    print_for_people(repr(runs))
    write_whole(target, csv_of(runs.frame).encode())
    note(f"Written to {target}: {len(runs)} runs, {len(runs.frame.columns)} columns.")
    if runs.loss_unit != DEFAULT_LOSS_UNIT:
        unit = runs.loss_unit.replace(" ", "_")
        note(f"The loss is in {runs.loss_unit}: read the table with --loss-unit {unit}.")
