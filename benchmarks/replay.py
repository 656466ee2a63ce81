"""How fast a decision settles: policies choose runs one by one from tables of trained runs.

Each policy starts from 10 of the 30 cheapest runs, and chooses from the others, three at most each
time that more compute is released; see `scaling_bayes.replay`. The tables are the Chinchilla runs
and the sweep of tiny transformers that comes with the package. ``--output`` gets replay_table.md,
which docs/explanation/replay.md includes, and replay.parquet with every choice.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

# Each process replays some starts: threads in BLAS would only get in their way.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import pandas as pd
from sweep import arguments, chinchilla_runs

import scaling_bayes as sb
from scaling_bayes._atomic import replacing

SETTINGS = sb.SamplerSettings(draws=500, progressbar=False)
MEASURES = {
    "regret": ("regret, 1e-3 nats", 1e3),
    "value_of_perfect_information": ("perfect information, 1e-3 nats", 1e3),
    "interval_factor": ("N* interval, factor", 1.0),
}
BUDGETS_SHOWN = 3


@dataclass(frozen=True)
class Case:
    """A table of runs, and the decision that is to settle."""

    name: str
    runs: sb.Runs
    fitter: sb.Fitter
    flops: float
    budgets: np.ndarray


def cases(folder: Path) -> Iterator[Case]:
    """Yield the tables that are replayed."""
    law = sb.laws.Chinchilla()
    tiny = sb.datasets.load_tiny_transformers()
    plain = sb.Fitter(law, settings=SETTINGS, on_failure="warn")
    smooth = sb.Fitter(
        law, discrepancy=sb.discrepancy.Smooth(), settings=SETTINGS, on_failure="warn"
    )
    released = np.geomspace(2e10, 2e13, 6)
    yield Case(
        "chinchilla_fig4", chinchilla_runs(folder), plain, 5.88e23, np.geomspace(2e19, 2e22, 6)
    )
    yield Case("tiny_transformers", tiny, plain, 5e13, released)
    yield Case("tiny_transformers, with discrepancy", tiny, smooth, 5e13, released)


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


def section(case: Case, found: sb.Replay) -> str:
    """Return what one replay gave, in Markdown."""
    table = found.to_frame()
    first = table[table["budget"] == 0].drop_duplicates("start")
    refits = table[table["run"].notna()]
    failed = int((refits["error"] != "").sum())
    doubtful = int((refits["r_hat"] > 1.01).sum())
    return "\n\n".join(
        [
            f"**{case.name}**: {len(case.runs)} runs, {first.shape[0]} starts, a decision on "
            f"{case.flops:.3g} FLOPs",
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
    """Replay every table, write what came out, and print it."""
    parser = arguments(__doc__)
    parser.add_argument("--output", type=Path, default=Path("replay"))
    parser.add_argument("--starts", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    begun = time.perf_counter()
    policies = {name: policy() for name, policy in sb.policies.REGISTRY.items()}
    if options.quick:
        policies = {name: policies[name] for name in ("value", "random")}
    sections, tables = [], []
    for case in cases(options.data):
        found = sb.replay(
            case.runs,
            policies,
            law=case.fitter,
            flops=case.flops,
            budgets=case.budgets[-1:] if options.quick else case.budgets,
            runs_per_budget=1 if options.quick else 3,
            n_starts=2 if options.quick else options.starts,
            seed=options.seed,
            n_jobs=1 if options.quick else -1,
        )
        sections.append(section(case, found))
        tables.append(found.to_frame().assign(case=case.name))
        print(f"{sections[-1]}\n\n{(time.perf_counter() - begun) / 60:.1f} minutes\n", flush=True)
    options.output.mkdir(parents=True, exist_ok=True)
    with replacing(options.output / "replay_table.md") as path:
        path.write_text("\n\n".join(sections) + "\n")
    with replacing(options.output / "replay.parquet") as path:
        pd.concat(tables, ignore_index=True).to_parquet(path)


if __name__ == "__main__":
    main()
