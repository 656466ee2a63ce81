"""From a source of any kind to checked runs."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pandas as pd

from scaling_bayes.errors import InputError, RunsWarning
from scaling_bayes.runs._chart import is_chart
from scaling_bayes.runs._csv import as_plain
from scaling_bayes.runs._left_out import Duplicates, Unfinished, kept
from scaling_bayes.runs._loss_units import LOSS_UNITS, unit_of
from scaling_bayes.runs._mapping import canonical_columns
from scaling_bayes.runs._names import NUMERIC
from scaling_bayes.runs._problems import whole_table
from scaling_bayes.runs._runs import Runs
from scaling_bayes.runs._sources import Table, table_of
from scaling_bayes.runs._validation import check
from scaling_bayes.units import FLOPS_PER_PARAM_TOKEN, FLOPS_TOLERANCE


def read_runs(
    source: str | Path | list[str | Path] | object,
    *,
    columns: Mapping[str, str] | None = None,
    flops_per_param_token: float = FLOPS_PER_PARAM_TOKEN,
    flops_tolerance: float = FLOPS_TOLERANCE,
    where: str | None = None,
    loss_unit: str | None = None,
    duplicates: Duplicates = "refuse",
    unfinished: Unfinished = "drop",
) -> Runs:
    """Read training runs and check every cell.

    Parameters
    ----------
    source : str, Path, list of these, or data frame
        A file: CSV (UTF-8; delimited by commas, semicolons or tabs; decimal commas where commas do
        not delimit), JSON records (a list, or one a line; records in records become columns such
        as ``config/n_params``), Parquet, or Excel where openpyxl is installed; each also packed
        by gzip. Or a folder, several paths or a pattern of runs as trackers leave them:
        ``tracker_metrics.jsonl`` (levanter), ``run-*.wandb`` or ``wandb-summary.json`` with
        ``config.yaml`` (W&B), ``trainer_state.json`` (Hugging Face), event files (TensorBoard),
        ``mlflow.db`` or run folders (MLflow), ``*.log`` (Megatron, nanoGPT, torchtitan). Or
        run objects with ``config`` and ``summary``, such as ``wandb.Api().runs(...)``. Or a pandas
        DataFrame, or any other data frame that turns into one (polars, pyarrow).

        The table has ``loss`` (nats per token) and at least two of ``n_params``, ``tokens`` and
        ``flops``; the third is C = k N D, also in single rows that leave one of three blank. One
        of them alone is enough for a law that reads no other. The table may have

        - ``group``: text, such as the data set or architecture;
        - ``seed``: any label of a repetition;
        - ``n_params_non_embedding``: parameters without embeddings;
        - ``run``, ``run_id`` or ``run_name``: which training run a row is of; a fit takes the last
          row of each;
        - ``weight``: the number of runs of one size, such as seeds, that a row is the mean of; a
          whole number, at most 1000. A fit makes such rows of runs of one size by itself;
        - ``seed_sd``: how log losses of these runs scatter, as a standard deviation.

        Sizes may have units: ``"7B"``, ``"1.4T"``, ``"3.2 PF-days"``. All other columns are
        carried along.
    columns : mapping of str to str, optional
        Name in the table of each column that has another name there, such as
        ``{"n_params": "params", "loss": "val_loss"}``. The table's own column stays as well; a
        column that already has the first name gives way.
    flops_per_param_token : float, default 6.0
        The k of C = k N D.
    flops_tolerance : float, default 0.2
        Largest abs(C / (k N D) - 1) of a row that gives all three. Forecasts and allocations are
        of C = k N D whatever the rows give, so that a large tolerance hides another constant.
    where : str, optional
        Condition on the rows to keep, in names of the table or of this package; ``index`` is the
        line of a CSV file (the header is line 1) or the index label of a data frame. Rows that
        are left out are not checked. Sizes and loss are numbers here; missing and unreadable
        ones satisfy no comparison but ``!=``.

        A condition is made of

        - columns, in backquotes where a name is not a plain word: ``` `val loss` < 4 ```;
        - numbers, ``'text'``, ``True`` and ``False``, and ``+ - * / // % **`` of numbers, which
          are computed in floats, with exponents of at most 100;
        - ``== != < <= > >=``, chains such as ``2 < loss < 4``, ``in ['a', 'b']`` and ``not in``,
          ``is None`` and ``is not None`` for missing cells;
        - ``and``, ``or``, ``not``; ``&`` and ``|`` mean the first two, ``~`` the last;
        - ``last_of_each(run)``: the row with the most tokens of those that agree in one or more
          columns.

        It is no Python: nothing else is evaluated. It has at most 10,000 characters and 200
        columns, signs and lists.
    loss_unit : str, optional
        What the losses of the table are: ``"nats_per_token"``, ``"bits_per_token"`` and
        ``"perplexity"`` become nats per token; ``"nats_per_byte"`` and ``"bits_per_byte"`` are
        kept, and shown with every answer. By default the name of the column says it where it is
        plain (``perplexity``, ``ppl``, ``bpb``), and else they are nats per token.
    duplicates : {"refuse", "drop", "keep"}
        What to do with rows that repeat an earlier one in every column.
    unfinished : {"drop", "keep"}
        What to do with rows whose column ``state`` or ``status`` says that the run crashed, failed,
        was killed or still runs.

    Returns
    -------
    Runs

    Raises
    ------
    RunsError
        If the table cannot be read, or cells cannot be used; it names every one of them.
    InputError
        If ``columns``, ``where`` or a number among the arguments cannot be used.

    Warns
    -----
    RunsWarning
        If C is another constant times N D in every row, within the tolerance, losses were
        converted, or rows were left out.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"n_params": ["70M", "1B"], "tokens": "20B", "loss": [3.4, 2.6]})
    >>> read_runs(table).frame["flops"].tolist()
    [8.4e+18, 1.2e+20]
    """
    _check_numbers(flops_per_param_token, flops_tolerance)
    table = table_of(source)
    if is_chart(table.frame):
        raise whole_table(
            table.source,
            "is the export of a chart: losses along runs, without sizes",
            "Read it by sb.read_curves(...), and give the sizes: .ends(sizes)",
        )
    named = replace(table, frame=canonical_columns(table, columns or {}))
    unit = LOSS_UNITS[unit_of((columns or {}).get("loss", "loss"), loss_unit)]
    frame = check(
        _with_plain_text(kept(named, duplicates=duplicates, unfinished=unfinished)),
        convert_loss=unit.convert,
        flops_per_param_token=flops_per_param_token,
        flops_tolerance=flops_tolerance,
        where=where,
    )
    if unit.words and loss_unit is None:
        warnings.warn(
            f"By the name of its column, the loss of {table.source} is taken as {unit.words}. If "
            'it is nats per token, pass loss_unit="nats_per_token".',
            RunsWarning,
            stacklevel=2,
        )
    return Runs(
        frame,
        source=table.source,
        flops_per_param_token=float(flops_per_param_token),
        loss_unit=unit.kept,
    )


def _check_numbers(flops_per_param_token: float, flops_tolerance: float) -> None:
    for name, value, least in (
        ("flops_per_param_token", flops_per_param_token, math.ulp(0.0)),
        ("flops_tolerance", flops_tolerance, 0.0),
    ):
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or not least <= value < math.inf:
            sign = "positive" if least else "non-negative"
            raise InputError(f"{name} = {value!r} is not a {sign}, finite number.")


def _with_plain_text(table: Table) -> Table:
    """Return a table of text with numbers for text in the columns that are carried along."""
    if not table.is_text:
        return table
    frame = table.frame.copy()
    for name in frame.columns.difference([*NUMERIC, "group"], sort=False):
        frame[name] = pd.Series(as_plain(frame[name]), index=frame.index)
    return replace(table, frame=frame)
