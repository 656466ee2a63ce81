"""How fast a decision settles: policies choose runs one by one from tables of trained runs.

Each policy starts from 10 of the 30 cheapest runs, and chooses from the others, three at most each
time that more compute is released; see `scaling_bayes.replay`. The tables are the Chinchilla runs
and the sweep of tiny transformers that comes with the package, by Chinchilla's law alone and with
discrepancy. ``--output`` gets a table in Markdown and every choice in Parquet of each case, and
replay_table.md with the tables of all cases that are there, which docs/explanation/replay.md
includes.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

# Each process replays some starts: threads in BLAS would only get in their way.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import pandas as pd
from sweep import arguments, chinchilla_runs

import scaling_bayes as sb
from scaling_bayes._files.whole_files import write_whole

SETTINGS = sb.SamplerSettings(draws=500, progressbar=False)
MEASURES = {
    "regret": ("regret, 1e-3 nats", 1e3),
    "value_of_perfect_information": ("perfect information, 1e-3 nats", 1e3),
    "interval_factor": ("N* interval, factor", 1.0),
}
CHINCHILLA, TINY = "chinchilla_fig4", "tiny_transformers"
TARGETS = {CHINCHILLA: 5.88e23, TINY: 5e13}
BUDGETS = {CHINCHILLA: np.geomspace(2e19, 2e22, 6), TINY: np.geomspace(2e10, 2e13, 6)}
BUDGETS_SHOWN = 3


@dataclass(frozen=True)
class Case:
    """A table of runs, and with which discrepancy they are fitted from how many starts."""

    table: str
    discrepancy: sb.discrepancy.Discrepancy | None
    n_starts: int

    def fitter(self) -> sb.Fitter:
        """Return what fits the runs."""
        return sb.Fitter(
            sb.laws.Chinchilla(),
            discrepancy=self.discrepancy,
            settings=SETTINGS,
            on_failure="warn",
        )


CASES = {
    "chinchilla_fig4": Case(CHINCHILLA, None, 10),
    "tiny_transformers": Case(TINY, None, 10),
    "chinchilla_fig4-discrepancy": Case(CHINCHILLA, sb.discrepancy.Smooth(), 4),
    "tiny_transformers-discrepancy": Case(TINY, sb.discrepancy.Smooth(), 4),
}


def runs_of(table: str, folder: Path) -> sb.Runs:
    """Return the runs of a table."""
    return chinchilla_runs(folder) if table == CHINCHILLA else sb.datasets.load_tiny_transformers()


def shown(summary: pd.DataFrame) -> str:
    """Return a table in Markdown: a row for each policy and some of the budgets."""
    budgets = sorted(summary.index.unique("budget"))[:0:-2][:BUDGETS_SHOWN][::-1]
    head = ["released", "policy", "runs", "spent", *(words for words, _ in MEASURES.values())]
    lines = [f"| {' | '.join(head)} |", f"|{' --- |' * len(head)}"]
    for budget in budgets:
        for policy, row in summary.loc[budget].iterrows():
            cells = [f"{budget:.2g}", str(policy), f"{row['n_chosen']:.0f}"]
            cells.append(f"{row['spent'] / budget:.0%}")
            for name, (_, factor) in MEASURES.items():
                middle, low, high = (
                    f"{factor * row[f'{name}{end}']:.2g}" for end in ("", "_lower", "_upper")
                )
                cells.append(f"{middle} [{low}, {high}]")
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def section(name: str, runs: sb.Runs, found: sb.Replay) -> str:
    """Return what one replay gave, in Markdown."""
    table = found.to_frame()
    first = table[table["budget"] == 0].drop_duplicates("start")
    refits = table[table["run"].notna()]
    failed = int((refits["error"] != "").sum())
    doubtful = int((refits["r_hat"] > 1.01).sum())
    title, _, with_what = name.partition("-")
    how = f", with {with_what}" if with_what else ""
    return "\n\n".join(
        [
            f"**{title}{how}**: {len(runs)} runs, {first.shape[0]} starts, a decision on "
            f"{found.reference.budget:.3g} FLOPs",
            shown(found.summary()),
            f"Before the first choice the regret is {1e3 * first['regret'].median():.2g}, perfect "
            f"information would gain {1e3 * first['value_of_perfect_information'].median():.2g}, "
            f"and the interval has the factor {first['interval_factor'].median():.2g} (medians). "
            f"By all runs N* is {found.reference.choice.n_params:.3g}. Of {len(refits)} refits "
            f"{failed} failed, and {doubtful} have R-hat above 1.01, up to "
            f"{refits['r_hat'].max():.2f}.",
        ]
    )


def main() -> None:
    """Replay the cases, write what came out, and print it."""
    parser = arguments(__doc__)
    parser.add_argument("--output", type=Path, default=Path("replay"))
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    begun = time.perf_counter()
    policies = {name: policy() for name, policy in sb.policies.REGISTRY.items()}
    if options.quick:
        policies = {name: policies[name] for name in ("value", "random")}
    for name in options.cases:
        case = CASES[name]
        runs, budgets = runs_of(case.table, options.data), BUDGETS[case.table]
        found = sb.replay(
            runs,
            policies,
            law=case.fitter(),
            flops=TARGETS[case.table],
            budgets=budgets[-1:] if options.quick else budgets,
            runs_per_budget=1 if options.quick else 3,
            n_starts=2 if options.quick else case.n_starts,
            seed=options.seed,
            n_jobs=1 if options.quick else -1,
        )
        text = section(name, runs, found)
        write_whole(options.output / f"{name}.md", f"{text}\n".encode())
        write_whole(options.output / f"{name}.parquet", found.to_frame().to_parquet())
        print(f"{text}\n\n{(time.perf_counter() - begun) / 60:.1f} minutes\n", flush=True)
    parts = [options.output / f"{name}.md" for name in CASES]
    whole = "\n".join(part.read_text() for part in parts if part.is_file())
    write_whole(options.output / "replay_table.md", whole.encode())


if __name__ == "__main__":
    main()
