"""The table of training runs that everything else reads."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from scaling_bayes._notebook import page_of
from scaling_bayes._printable import printed
from scaling_bayes.errors import InputError, RunsError
from scaling_bayes.runs._covariates import COVARIATES, covariate
from scaling_bayes.runs._names import REQUIRED, did_you_mean, listed
from scaling_bayes.runs._one_row import SEED_SD, ends, means_by_size, run_column
from scaling_bayes.runs._select import last_rows, picked
from scaling_bayes.runs._where import in_condition
from scaling_bayes.units import (
    DEFAULT_LOSS_UNIT,
    FLOPS_PER_PARAM_TOKEN,
    SIZES,
    Kind,
    format_quantity,
    parse_quantity,
)

_SHOWN = 5
"""Cells that cannot be read that one error names."""
_SAME_FLOPS = 1e-3
"""How far compute may lie from k N D, as a share, and still have been computed so."""


@dataclass(frozen=True, eq=False, repr=False)
class Runs:
    """Training runs, one a row. Made by `read_runs`, which checks them.

    Parameters
    ----------
    frame : pandas.DataFrame
        Float columns ``loss`` (nats per token) and ``weight``, and of ``n_params``, ``tokens``
        and ``flops`` those that are known: all, or one alone; optional ``group`` (text), ``seed``
        and ``n_params_non_embedding``; any further columns. It is copied, and its index becomes
        0, 1, 2 and so on.
    source : str
        Where the runs come from, for messages.
    flops_per_param_token : float
        The k of C = k N D.
    loss_unit : str
        What losses are counted in, in words: nats per token, nats per byte or bits per byte.

    Raises
    ------
    RunsError
        If a required column is missing or holds anything but positive, finite numbers.
    """

    frame: pd.DataFrame
    source: str = "DataFrame"
    flops_per_param_token: float = FLOPS_PER_PARAM_TOKEN
    loss_unit: str = DEFAULT_LOSS_UNIT

    def __post_init__(self) -> None:
        frame = self.frame.reset_index(drop=True)
        missing = [name for name in REQUIRED if name not in frame]
        if missing:
            raise RunsError(
                f"{self.source} has no column {listed(missing)}. Make Runs with read_runs."
            )
        for name in (*self._sizes_of(frame), *REQUIRED):
            column = frame[name].to_numpy()
            if column.dtype.kind not in "iuf" or not np.all((column > 0) & np.isfinite(column)):
                raise RunsError(
                    f"{name} of {self.source} holds cells that are not positive, finite numbers. "
                    "Make Runs with read_runs, which names them."
                )
            frame[name] = column.astype(float)
        object.__setattr__(self, "frame", frame)

    @staticmethod
    def _sizes_of(frame: pd.DataFrame) -> tuple[Kind, ...]:
        return tuple(name for name in SIZES if name in frame)

    @property
    def sizes(self) -> tuple[Kind, ...]:
        """Which of N, D and C the table has: all three, or what a law of one size needs."""
        return self._sizes_of(self.frame)

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.frame)

    @property
    def flops_ratio(self) -> np.ndarray | None:
        """C / (k N D) of each run, of shape (run,); None where a size is not known."""
        if set(self.sizes) != set(SIZES):
            return None
        product = self.flops_per_param_token * self.frame["n_params"] * self.frame["tokens"]
        return (self.frame["flops"] / product).to_numpy()

    @property
    def computes_flops(self) -> bool:
        """Whether C is k N D in every run; False where a size is not known."""
        ratio = self.flops_ratio
        return ratio is not None and bool(np.all(np.abs(ratio - 1) <= _SAME_FLOPS))

    @property
    def counted(self) -> str:
        """How many runs there are, in words, such as ``"112 runs in 14 rows"``."""
        n_runs = int(self.frame["weight"].sum())
        words = f"{n_runs} run{'' if n_runs == 1 else 's'}"
        return words if n_runs == len(self) else f"{words} in {len(self)} rows"

    def covariates(self, names: Iterable[str]) -> dict[str, np.ndarray]:
        """Return columns as float arrays, by name.

        Parameters
        ----------
        names : iterable of str
            Columns of the table.

        Returns
        -------
        dict of str to numpy.ndarray, each of shape (run,)

        Raises
        ------
        InputError
            If a column does not exist, is not numeric or has missing cells.
        """
        return {name: self._numbers(name).copy() for name in names}

    def where(self, condition: str | npt.ArrayLike) -> Runs:
        """Return the runs that a condition picks.

        Parameters
        ----------
        condition : str or array-like of bool, shape (run,)
            A condition such as ``"group == 'dense' and loss < 4"``, in the language that
            `read_runs` takes as ``where``, or a mask. A missing entry of a mask does not hold.

        Returns
        -------
        Runs

        Raises
        ------
        InputError
            If the condition does not give one truth value a run.
        """
        return replace(self, frame=self.frame[picked(self.frame, condition)])

    def below(self, **limits: float | str) -> Runs:
        """Return the runs strictly below every limit, such as ``runs.below(flops=1e22)``.

        Parameters
        ----------
        **limits : float or str
            Limit of each named column; sizes may have units, such as ``n_params="7B"``.

        Returns
        -------
        Runs

        Raises
        ------
        InputError
            If there is no limit, or a column does not exist or is not numeric.
        """
        return self._compared(np.less, limits)

    def above(self, **limits: float | str) -> Runs:
        """Return the runs at or above every limit, such as ``runs.above(flops=1e22)``.

        Parameters
        ----------
        **limits : float or str
            Limit of each named column; sizes may have units, such as ``n_params="7B"``.

        Returns
        -------
        Runs

        Raises
        ------
        InputError
            If there is no limit, or a column does not exist or is not numeric.
        """
        return self._compared(np.greater_equal, limits)

    def last_of_each(self, *columns: str) -> Runs:
        """Return the last checkpoint of each run, such as ``runs.last_of_each("run")``.

        A law is of the loss at the end of training, and a fit takes rows for independent runs, as
        checkpoints of one run are not.

        Parameters
        ----------
        *columns : str
            Columns that tell runs apart: rows that agree in all of them are one run. The one with
            the most tokens is kept.

        Returns
        -------
        Runs

        Raises
        ------
        InputError
            If there is no column, or one does not exist or has missing cells.
        """
        if not columns:
            raise InputError('name the columns that tell runs apart, such as "n_params".')
        self._check_column("tokens")
        for name in columns:
            self._check_column(name)
            missing = int(self.frame[name].isna().sum())
            if missing:
                raise InputError(self._with_missing(name, missing))
        return self.where(last_rows(self.frame, columns))

    def counted_by(self, column: str) -> Runs:
        """Return the runs with their size counted by another column.

        Parameters
        ----------
        column : str
            The column that is the N of these runs, such as ``"n_params_non_embedding"`` or
            ``"n_params_active"``.

        Returns
        -------
        Runs
            With that column as ``n_params``. Compute that is k N D of the old count becomes that
            of the new one; compute of any other kind stays.

        Raises
        ------
        InputError
            If there is no such column, or no ``n_params``, or a cell is not a positive number.

        Examples
        --------
        >>> import scaling_bayes as sb
        >>> runs = sb.datasets.load_tiny_transformers()
        >>> without_embeddings = runs.counted_by("n_params_non_embedding")
        >>> bool((without_embeddings.frame["n_params"] < runs.frame["n_params"]).all())
        True
        """
        if column == "n_params":
            return self
        self._check_column("n_params")
        count = self._numbers(column)
        bad = np.flatnonzero(~((count > 0) & np.isfinite(count)))
        if bad.size:
            raise InputError(
                f"{self.source}, row {bad[0]}: {column} = {count[bad[0]]:g} is not a positive "
                "number of parameters. Correct it, or leave the row out."
            )
        frame = self.frame.assign(n_params=count)
        if self.computes_flops:
            frame["flops"] = self.flops_per_param_token * count * frame["tokens"]
        return replace(self, frame=frame, source=f"{self.source}, N counted by {column}")

    def ends_of_runs(self) -> Runs:
        """Return the rows at the end of each training run, as a fit takes them.

        A column ``run``, ``run_id`` or ``run_name`` says which rows belong to one run, if each of
        its runs has one model size; without such a column every row is a run.

        Returns
        -------
        Runs
            These runs, if there is nothing to leave out.
        """
        last = ends(self.frame)
        if last.all():
            return self
        source = f"{self.source}, last of {len(self)} rows by {run_column(self.frame)}"
        return replace(self.where(last), source=source)

    def means_by_size(self, *apart: str) -> Runs:
        """Return one row for all runs of a size, as a fit takes them.

        Runs of a size agree in N and D, or in the size that the table has, in ``group`` and in
        all further covariates that this package knows, such as ``unique_tokens`` and ``lr``. Where
        rows are means already, all stay as they are.

        Parameters
        ----------
        *apart : str
            Further columns that tell sizes apart.

        Returns
        -------
        Runs
            With geometric means of losses, the number of runs as ``weight``, and ``seed_sd``, the
            standard deviation of their log losses. These runs, if no size has two.
        """
        pair = ("n_params", "tokens")
        sizes = pair if set(pair) <= set(self.sizes) else self.sizes
        known = [name for name in (*COVARIATES, "group") if name not in SIZES]
        keys = [name for name in dict.fromkeys((*sizes, *known, *apart)) if name in self.frame]
        several = self.frame.duplicated(keys).any()
        if not several or SEED_SD in self.frame or (self.frame["weight"] > 1).any():
            return self
        return replace(self, frame=means_by_size(self.frame, keys))

    def _repr_html_(self) -> str:
        title, *ranges = repr(self).splitlines()
        return page_of(title, self.frame, ranges)

    @printed
    def __repr__(self) -> str:
        """Return how many runs there are, and their ranges in people's units."""
        head = f"Runs from {self.source}: {self.counted}"
        if not len(self):
            return head
        ranges: dict[str, list[str]] = {
            name: [format_quantity(limit, kind=name) for limit in _limits(self.frame[name])]
            for name in self.sizes
        }
        if {"n_params", "tokens"} <= set(self.sizes):
            tokens_per_param = self.frame["tokens"] / self.frame["n_params"]
            ranges["tokens per parameter"] = [f"{limit:.3g}" for limit in _limits(tokens_per_param)]
        ranges["loss"] = [f"{limit:.4g}" for limit in _limits(self.frame["loss"])]
        ranges["loss"][1] += f" {self.loss_unit}"
        lines = [f"  {name:<21}{low} to {high}" for name, (low, high) in ranges.items()]
        if "group" in self.frame:
            lines.append(f"  {'groups':<21}{self.frame['group'].nunique()}")
        return "\n".join([head, *lines])

    def _compared(
        self,
        holds: Callable[[np.ndarray, float], np.ndarray],
        limits: dict[str, float | str],
    ) -> Runs:
        if not limits:
            raise InputError("give at least one limit, such as flops=1e22.")
        mask = np.ones(len(self), dtype=bool)
        for name, limit in limits.items():
            mask &= holds(self._numbers(name), _limit(name, limit))
        return self.where(mask)

    def _numbers(self, name: str) -> np.ndarray:
        self._check_column(name)
        numbers: np.ndarray = self.frame[name].to_numpy()
        if numbers.dtype.kind not in "iuf" and name in COVARIATES:
            numbers = self._read(name)
        if numbers.dtype.kind not in "iuf":
            raise InputError(f"column {name!r} of {self.source} is not numeric.")
        missing = int(np.isnan(numbers).sum())
        if missing:
            raise InputError(self._with_missing(name, missing))
        return numbers.astype(float)

    def _read(self, name: str) -> np.ndarray:
        """Return the cells of a covariate that are text, such as ``"10B"``, as numbers."""
        cells, problems = np.full(len(self), np.nan), []
        for row, cell in enumerate(self.frame[name]):
            if pd.isna(cell):
                continue
            try:
                cells[row] = covariate(name).read(cell)
            except InputError as error:
                problems.append(f"row {row}: {error}")
        if problems:
            more = f" (and {len(problems) - _SHOWN} more)" if len(problems) > _SHOWN else ""
            raise RunsError(f"{self.source}, {'; '.join(problems[:_SHOWN])}{more}")
        return cells

    def _check_column(self, name: str) -> None:
        if name not in self.frame:
            raise InputError(
                f"{self.source} has no column {name!r}.{did_you_mean(name, self.frame.columns)} "
                f"The columns are {listed(self.frame.columns)}."
            )

    def _with_missing(self, name: str, missing: int) -> str:
        return (
            f"column {name!r} of {self.source} has {missing} missing cells. "
            f"Leave them out with where({f'{in_condition(name)} is not None'!r})."
        )


def _limit(name: str, limit: float | str) -> float:
    if name in SIZES:
        return parse_quantity(limit, kind=name)
    try:
        return float(limit)
    except (TypeError, ValueError):
        raise InputError(f"the limit {name}={limit!r} is not a number.") from None


def _limits(column: pd.Series) -> tuple[float, float]:
    return column.min(), column.max()
