"""Which run to train with a given sum, how surely, and when to stop spending.

    python examples/decide.py [chinchilla_fig4.csv]

Given the table of Chinchilla's runs (columns n_params, tokens, flops, loss, besiroglu_included),
a budget of two million dollars on rented H100s is decided on from its 240 rows. Without it the
same questions are asked of the sweep of tiny models that the package ships, for a tenth of a cent.

The law may be wrong beyond its runs, so the fit has a discrepancy, as by default. Prices,
utilisation and the value of a nat are assumptions: put in your own.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

import scaling_bayes as sb

SETTINGS = sb.SamplerSettings(progressbar=False)
H100 = {"peak": "989 TFLOP/s", "utilisation": 0.4, "price": "$2.50"}


@dataclass(frozen=True)
class Case:
    """A budget, what limits it, and what could be run first.

    Attributes
    ----------
    budget : str
        Money for training and serving.
    hardware : Hardware
        What it rents.
    limits : Limits
        What the run may not exceed.
    served_tokens : str
        Tokens that the model will serve.
    epsilon : float
        Nats of regret that count as none.
    menu : tuple of str
        Sizes for which code and hyperparameters are ready.
    candidates : DataFrame
        Small runs that could be trained before deciding.
    for_candidates : str
        FLOPs that these may cost together.
    budgets : tuple of str
        Sums to compare.
    value_per_nat : str
        What a loss lower by one nat is worth.
    """

    budget: str
    hardware: sb.Hardware
    limits: sb.Limits
    served_tokens: str
    epsilon: float
    menu: tuple[str, ...]
    candidates: pd.DataFrame
    for_candidates: str
    budgets: tuple[str, ...]
    value_per_nat: str


LARGE = Case(
    budget="$2M",
    hardware=sb.Hardware(**H100, n_devices=2048),
    limits=sb.Limits(n_params="60B", unique_tokens="2T", wall_time="30 days"),
    served_tokens="1T",
    epsilon=0.02,
    menu=("13B", "34B", "70B"),
    candidates=pd.DataFrame(
        {
            "n_params": ["500M", "1B", "2B", "4B", "1B", "2B", "4B", "8B"],
            "flops": [3e21] * 4 + [3e22] * 4,
        }
    ),
    for_candidates="4e22",
    budgets=("$250k", "$500k", "$1M", "$2M", "$4M", "$8M"),
    value_per_nat="$200M",
)
TINY = Case(
    budget="$0.001",
    hardware=sb.Hardware(**H100, n_devices=1),
    limits=sb.Limits(n_params="1M", unique_tokens="60M", wall_time="2 s"),
    served_tokens="20M",
    epsilon=0.02,
    menu=("500K", "1M", "2M"),
    candidates=pd.DataFrame(
        {
            "n_params": ["100K", "200K", "400K", "100K", "200K", "400K"],
            "flops": [1e13] * 3 + [5e13] * 3,
        }
    ),
    for_candidates="6e13",
    budgets=("$0.0001", "$0.0002", "$0.0004", "$0.0008", "$0.0016"),
    value_per_nat="$0.01",
)


def main() -> None:
    """Print each question and its answer."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="?", type=Path, help="CSV table of Chinchilla's runs")
    path = parser.parse_args().runs
    if path is None:
        print("No table of runs given, so these are the tiny models of the package.")
        print("For the real thing: python examples/decide.py chinchilla_fig4.csv\n")
        runs, case = sb.datasets.load_tiny_transformers().where("split == 'train'"), TINY
    else:
        runs, case = sb.read_runs(path, where="besiroglu_included == 1"), LARGE
    fit = sb.fit(runs, settings=SETTINGS, seed=1)
    print(fit, end="\n\n")
    decision = one_decision(fit, case)
    rules(fit, case)
    what_if(fit, case)
    before_deciding(decision, case)
    when_to_stop(fit, case)


def one_decision(fit: sb.Fit, case: Case) -> sb.Decision:
    """Decide on the budget alone, and print how surely."""
    print(f"1. {case.budget} on H100s, {case.hardware.n_devices} at once, nothing else said.\n")
    decision = sb.decide(fit, money=case.budget, hardware=case.hardware)
    print(decision, end="\n\n")
    print(decision.range(epsilon=case.epsilon, prob=0.5), end="\n\n")
    print(table(decision.alternatives(), ["loss", "regret_mean", "regret_p95", "mismatch"]))
    print("\nWhat would change it:\n")
    changes = decision.what_would_change_it().set_index("change")
    print(table(changes, ["times", "gain"]), end="\n\n")
    return decision


def rules(fit: sb.Fit, case: Case) -> None:
    """Print what each rule chooses, of the mean curve and of one new run."""
    print("2. The same by other rules.\n")
    for rule in (
        sb.rules.Quantile(0.9),
        sb.rules.CVaR(0.9),
        sb.rules.CVaR(0.9, of="regret"),
    ):
        for of in ("mean_curve", "new_run"):
            decision = sb.decide(fit, money=case.budget, hardware=case.hardware, rule=rule, of=of)
            print(f"- {of.replace('_', ' ')}: {decision.words[0]}")
    print()


def what_if(fit: sb.Fit, case: Case) -> None:
    """Print the choice with limits, serving and a menu."""
    print("3. With what is so often left out.\n")
    for words, options in {
        f"serving {case.served_tokens} tokens": {"served_tokens": case.served_tokens},
        "limits on size, data and time": {"limits": case.limits},
        "both": {"limits": case.limits, "served_tokens": case.served_tokens},
        f"a menu of {', '.join(case.menu)}": {"n_params": case.menu},
    }.items():
        decision = sb.decide(fit, money=case.budget, hardware=case.hardware, **options)
        held = f" ({', '.join(decision.binding)} bind)" if decision.binding else ""
        print(f"- {words}: {decision.choice}{held}")
    print()


def before_deciding(decision: sb.Decision, case: Case) -> None:
    """Print which small runs are worth training first."""
    print("4. Is there a small run worth training first?\n")
    print(sb.next_run(decision, case.candidates, most_refits=0), end="\n\n")
    print(sb.plan_runs(decision, case.candidates, case.for_candidates), end="\n\n")


def when_to_stop(fit: sb.Fit, case: Case) -> None:
    """Print what each sum gains, and the sum at which another doubling no longer pays."""
    print(f"5. When to stop, at {case.value_per_nat} a nat.\n")
    spending = sb.spending(
        fit,
        money=case.budgets,
        hardware=case.hardware,
        value_per_nat=case.value_per_nat,
        of="new_run",
    )
    print(spending)


def table(frame: pd.DataFrame, columns: list[str]) -> str:
    """Return some columns beside model sizes and tokens in people's units."""
    shown = frame[columns].copy()
    for name in ("tokens", "n_params"):
        words = [sb.units.format_quantity(value, kind=name) for value in frame[name]]
        shown.insert(0, name, words)
    return shown.rename_axis(None).to_string(float_format="{:.4f}".format, na_rep="")


if __name__ == "__main__":
    main()
