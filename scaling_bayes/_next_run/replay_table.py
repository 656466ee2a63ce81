"""What a replay gives."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from scaling_bayes._decision import Decision
from scaling_bayes._notebook import InNotebook
from scaling_bayes._printable import printed
from scaling_bayes.errors import InputError
from scaling_bayes.units import format_quantity

MEASURES = ("regret", "interval_factor", "value_of_perfect_information")


@dataclass(frozen=True, eq=False)
class Replay(InNotebook):
    """How decisions settle as policies choose runs one by one from a table.

    Attributes
    ----------
    reference : Decision
        The decision by all runs, which regret is measured by.
    table : DataFrame
        See `to_frame`.
    """

    reference: Decision
    table: pd.DataFrame

    def to_frame(self) -> pd.DataFrame:
        """Return one row for each start, policy and run chosen.

        Returns
        -------
        DataFrame
            ``start``, ``policy``; ``budget``, the compute that had been released, 0 before any
            run is chosen, and ``spent``, of it; ``run``, the row of the table that was chosen,
            missing where none was affordable; ``n_params`` of the decision then, and ``regret``,
            its expected loss by all runs above the smallest, in nats per token;
            ``interval_factor``, upper by lower bound of the 90% equal-tailed interval of the
            optimal model size; ``value_of_perfect_information``, in nats per token; ``r_hat``,
            the largest of the fit; ``error``, what the refit failed with.
        """
        return self.table.copy()

    def summary(self, *, prob: float = 0.8) -> pd.DataFrame:
        """Return medians over starts at each budget, when nothing more is chosen with it.

        Parameters
        ----------
        prob : float
            Share of the starts between the ``_lower`` and the ``_upper`` columns.

        Returns
        -------
        DataFrame
            With index ``budget`` and ``policy``: ``n_starts`` that were fitted; ``spent`` and
            ``n_chosen``, the number of runs chosen, on average; of ``regret``,
            ``interval_factor`` and ``value_of_perfect_information`` the median over starts, and
            in ``_lower`` and ``_upper`` equal-tailed quantiles.

        Raises
        ------
        InputError
            If `prob` is not between 0 and 1.
        """
        if not 0 < prob < 1:
            raise InputError(f"prob is {prob!r}; give a probability between 0 and 1.")
        path = [self.table["start"], self.table["policy"]]
        counted = self.table.assign(n_chosen=self.table["run"].notna().groupby(path).cumsum())
        last = counted.groupby(["start", "policy", "budget"], sort=False).tail(1)
        grouped = last.groupby(["budget", "policy"], sort=False)
        columns = {
            "n_starts": grouped["regret"].count(),
            "spent": grouped["spent"].mean(),
            "n_chosen": grouped["n_chosen"].mean(),
        }
        for name in MEASURES:
            columns[name] = grouped[name].median()
            columns[f"{name}_lower"] = grouped[name].quantile((1 - prob) / 2)
            columns[f"{name}_upper"] = grouped[name].quantile((1 + prob) / 2)
        return pd.DataFrame(columns).sort_index(level="budget", sort_remaining=False)

    @printed
    def __repr__(self) -> str:
        most = self.table["budget"].max()
        last = self.summary().loc[most, ["n_starts", "spent", "n_chosen", *MEASURES]]
        return (
            f"Replay of {self.table['policy'].nunique()} policies from "
            f"{self.table['start'].nunique()} starts. Medians after "
            f"{format_quantity(most, kind='flops')}:\n"
            f"{last.to_string(float_format='{:.3g}'.format)}"
        )
