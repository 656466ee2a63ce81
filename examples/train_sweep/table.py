"""The table of finished runs: rows are only ever added, and only whole."""

from __future__ import annotations

import csv
import io
import os
import platform
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path

from corpus import Corpus
from model import CONTEXT
from plan import Point
from train import Result

COLUMNS = (
    *("run", "part", "split", "n_params", "n_params_non_embedding", "tokens", "flops"),
    *("flops_exact", "loss", "loss_se", "lr", "batch", "context", "steps", "width", "depth"),
    *("heads", "seed", "epochs", "seconds", "corpus", "python", "jax", "optax"),
)


def name_of(point: Point) -> str:
    """Name a run by what defines it, so that a finished one is recognised."""
    shape = f"w{point.shape.width}-l{point.shape.depth}"
    return f"{shape}-s{point.steps}-b{point.batch}-lr{point.lr:.4g}-seed{point.seed}"


def row_of(point: Point, result: Result, corpus: Corpus) -> dict[str, object]:
    """Put together the row of a finished run."""
    shape = point.shape
    return {
        "run": name_of(point),
        "part": point.part,
        "split": point.split,
        "n_params": shape.n_params,
        "n_params_non_embedding": shape.n_params_non_embedding,
        "tokens": point.tokens,
        "flops": point.flops,
        "flops_exact": shape.flops_per_token * point.tokens,
        "loss": f"{result.loss:.6f}",
        "loss_se": f"{result.loss_se:.6f}",
        "lr": f"{point.lr:.6g}",
        "batch": point.batch,
        "context": CONTEXT,
        "steps": point.steps,
        "width": shape.width,
        "depth": shape.depth,
        "heads": shape.heads,
        "seed": point.seed,
        "epochs": f"{result.epochs:.4f}",
        "seconds": f"{result.seconds:.2f}",
        "corpus": corpus.name,
        "python": platform.python_version(),
        "jax": version("jax"),
        "optax": version("optax"),
    }


def missing(points: Iterable[Point], table: Path, corpus: Corpus) -> list[Point]:
    """Return the points that have no row yet.

    A last line without its end, left by a machine that stopped while writing, is cut off first:
    its run is trained again.

    Raises
    ------
    ValueError
        If the table has other columns, or runs on another text.
    """
    if not table.exists():
        return list(points)
    text = table.read_text(encoding="utf-8")
    whole = text[: text.rfind("\n") + 1]
    if whole != text:
        os.truncate(table, len(whole.encode()))
    rows = csv.DictReader(io.StringIO(whole))
    if whole and tuple(rows.fieldnames or ()) != COLUMNS:
        raise ValueError(f"{table} has other columns than {', '.join(COLUMNS)}. Name another file.")
    done = set()
    for row in rows:
        if row["corpus"] != corpus.name:
            raise ValueError(
                f"{table}, line {rows.line_num}: run {row['run']} was trained on the text "
                f"{row['corpus']}, and this Python's is {corpus.name}. Use the Python of that row, "
                f"{row['python']} as built there, or name another file."
            )
        done.add(row["run"])
    return [point for point in points if name_of(point) not in done]


def append(row: dict[str, object], table: Path) -> None:
    """Write a row in one piece, and wait until it is on the disk."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    if not table.exists() or not table.stat().st_size:
        writer.writeheader()
    writer.writerow(row)
    with table.open("ab") as lines:
        lines.write(text.getvalue().encode())
        lines.flush()
        os.fsync(lines.fileno())
