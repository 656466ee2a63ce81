"""Accuracies of models on benchmarks, from the result files of lm-eval."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pandas as pd

from scaling_bayes._files.user_path import path_of
from scaling_bayes.errors import InputError, RunsError, RunsWarning
from scaling_bayes.runs._problems import left_out, whole_table
from scaling_bayes.runs._trackers.run_record import RecordError, number, record_of, text_of

METRICS: Final = ("acc_norm", "acc", "exact_match")
"""What counts as accuracy, the first that a task has."""
COLUMNS: Final = (
    *("run", "task", "metric", "accuracy", "standard_error", "n_questions", "n_shot"),
    "bits_per_byte",
)
_PATTERN: Final = "results*.json"
_MOST_FILES: Final = 20_000


def read_accuracies(
    source: str | Path | Sequence[str | Path], *, metric: str | None = None
) -> pd.DataFrame:
    """Read what models scored on benchmarks from ``results*.json`` of lm-eval.

    Parameters
    ----------
    source : str, Path or sequence of these
        Result files, or folders, which are searched with all folders in them.
    metric : str, optional
        The metric to take, such as ``"acc"``. By default it is the first of ``acc_norm``, ``acc``
        and ``exact_match`` that a task has.

    Returns
    -------
    DataFrame
        One row a run and task: ``run``, the model's name in the file, or else its folder;
        ``task``; ``metric`` with the filter of the answers, as in the file; ``accuracy``, from 0
        to 1, and its ``standard_error``; ``n_questions``; ``n_shot``; ``bits_per_byte`` where the
        task has it. What a file does not say is NaN. Where several files have a run and task, the
        one with the latest ``date`` counts.

    Raises
    ------
    RunsError
        If no file holds an accuracy.
    InputError
        If a path or the metric is not text.

    Warns
    -----
    RunsWarning
        Of files that cannot be read, and of several filters of a metric, of which the first is
        taken.

    References
    ----------
    EleutherAI, Language Model Evaluation Harness, doi:10.5281/zenodo.12608602.

    Examples
    --------
    >>> import json, tempfile
    >>> from pathlib import Path
    >>> folder = Path(tempfile.mkdtemp())
    >>> result = {
    ...     "model_name": "ladder-1B",
    ...     "results": {"arc_easy": {"acc,none": 0.62, "acc_stderr,none": 0.01}},
    ...     "n-samples": {"arc_easy": {"original": 2376, "effective": 2376}},
    ... }
    >>> _ = (folder / "results_2026.json").write_text(json.dumps(result))
    >>> found = read_accuracies(folder)
    >>> found[["run", "task", "accuracy", "n_questions"]].values.tolist()
    [['ladder-1B', 'arc_easy', 0.62, 2376.0]]
    """
    if metric is not None and not isinstance(metric, str):
        raise InputError(f"metric is {metric!r}; give the name of one, such as 'acc'.")
    given = [source] if isinstance(source, str | Path) else list(source)
    latest: dict[tuple[str, str], tuple[float, dict[str, Any]]] = {}
    unreadable: list[str] = []
    several: set[str] = set()
    n_files = 0
    for path in _files([path_of(each) for each in given]):
        n_files += 1
        try:
            record = record_of(text_of(path))
            rows = list(_rows(record, path, metric, several))
        except RecordError as error:
            unreadable.append(f"{path} {error}")
            continue
        date = number(record.get("date")) or 0.0
        for row in rows:
            key = row["run"], row["task"]
            if key not in latest or latest[key][0] <= date:
                latest[key] = date, row
    name = str(given[0]) if len(given) == 1 else f"{len(given)} paths"
    if not latest:
        wanted = metric or ", ".join(METRICS)
        why = f" ({unreadable[0]})" if unreadable else ""
        raise whole_table(
            name,
            f"holds no accuracy: {n_files} files {_PATTERN} with {wanted} in their results{why}",
            "Give the folder that lm-eval wrote to, with --output_path",
        )
    _warn(name, unreadable, several)
    rows_found = [row for _, row in latest.values()]
    return pd.DataFrame(rows_found, columns=list(COLUMNS))


def _files(paths: Sequence[Path]) -> Iterator[Path]:
    """Yield the result files, in order; links are not followed."""
    for path in paths:
        if not path.exists():
            raise RunsError(f"{path} does not exist. Check the path, seen from {Path.cwd()}.")
        if not path.is_dir():
            yield path
            continue
        found = []
        for folder, folders, names in path.walk():
            folders.sort()
            found += [folder / name for name in names if Path(name).match(_PATTERN)]
            if len(found) > _MOST_FILES:
                raise whole_table(
                    str(path), f"holds more than {_MOST_FILES:,} results", "Name a folder in it"
                )
        yield from sorted(found)


def _rows(
    record: Mapping[str, Any], path: Path, metric: str | None, several: set[str]
) -> Iterator[dict[str, Any]]:
    """Yield the rows of a file; ``several`` is told of metrics with more than one filter."""
    results = record.get("results")
    if not isinstance(results, dict):
        raise RecordError("has no record of results")
    run = _run(record, path)
    for task, values in results.items():
        if not isinstance(values, dict):
            continue
        numbers = {
            key: found for key, value in values.items() if (found := number(value)) is not None
        }
        key = _accuracy_key(numbers, (metric,) if metric else METRICS, several)
        if key is None or not 0 <= numbers[key] <= 1:
            continue
        name, _, kind = key.partition(",")
        error = f"{name}_stderr,{kind}" if kind else f"{name}_stderr"
        bits = next((at for at in numbers if at.split(",")[0] == "bits_per_byte"), None)
        yield {
            "run": run,
            "task": str(task),
            "metric": key,
            "accuracy": numbers[key],
            "standard_error": numbers.get(error),
            "n_questions": _questions(record, str(task)),
            "n_shot": number(_part(record, "n-shot").get(task)),
            "bits_per_byte": None if bits is None else numbers[bits],
        }


def _accuracy_key(
    numbers: Mapping[str, float], metrics: Sequence[str], several: set[str]
) -> str | None:
    for name in metrics:
        keys = [key for key in numbers if key.split(",")[0] == name]
        if len(keys) > 1:
            several.add(f"{', '.join(keys)}: {keys[0]} is taken")
        if keys:
            return keys[0]
    return None


def _questions(record: Mapping[str, Any], task: str) -> float | None:
    """Return the number of questions of a task, or of those that a group of tasks consists of."""
    counts = _part(record, "n-samples")
    parts = _part(record, "group_subtasks").get(task)
    names = [task] if task in counts or not isinstance(parts, list) else parts
    found = [_count(counts.get(str(name))) for name in names]
    known = [count for count in found if count is not None]
    return sum(known) if found and len(known) == len(found) else None


def _count(value: object) -> float | None:
    return number(value.get("effective")) if isinstance(value, dict) else None


def _part(record: Mapping[str, Any], name: str) -> dict[str, Any]:
    found = record.get(name)
    return found if isinstance(found, dict) else {}


def _run(record: Mapping[str, Any], path: Path) -> str:
    """Return the model's name in a file, or else that of its folder."""
    name = record.get("model_name") or _part(record, "config").get("model_args")
    if isinstance(name, dict):
        name = name.get("pretrained")
    return name if isinstance(name, str) and name else path.parent.name or path.stem


def _warn(name: str, unreadable: Sequence[str], several: set[str]) -> None:
    sentences = [*sorted(several), *left_out(unreadable)]
    if sentences:
        warnings.warn(f"{name}: {'. '.join(sentences)}.", RunsWarning, stacklevel=3)
