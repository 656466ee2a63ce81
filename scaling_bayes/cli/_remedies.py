"""Remedies of the Python API in the words of the command line."""

from __future__ import annotations

import re
from typing import Final

_IN_OPTIONS: Final[list[tuple[str, str]]] = [
    (r'read_runs\(\.\.\., where="(.*)"\)', r'--where "\1"'),
    (r"\bwhere = ", "--where "),
    (r'\b([Ff]it them with) groups="(\w+)"', r"\1 --groups \2"),
    (r'runs\.where\("(.*?)"\)', r'--where "\1"'),
    (r'runs\.last_of_each\("([^"]*)"\)', r'--where "last_of_each(\1)"'),
    (r"\blimits\.least_n_params\b", "--min-params"),
    (r"\blimits\.n_params\b", "--max-params"),
    (r"\blimits\.tokens\b", "--max-tokens"),
    (r"\blimits\.unique_tokens\b", "--unique-tokens"),
    (r"\bflops_(tolerance) ?= ?", r"--flops-\1 "),
    (r"\bflops_per_param_token ?= ?", "--flops-per-param-token "),
    (r"\bcolumns (names|takes|gives)\b", r"--column \1"),
    (r"\b[Pp]ass columns= where", "Give --column where"),
    (r'\bpass loss_unit="(\w+)"', r"give --loss-unit \1"),
    (r'\bpass (duplicates|unfinished)="(\w+)"', r"give --\1 \2"),
    (r'\bPass (duplicates|unfinished)="(\w+)"', r"Give --\1 \2"),
    (r"\bloss_unit is\b", "--loss-unit is"),
    (r'sb\.laws\.PowerLaw\("n_params"\)', "--law power-n"),
    (r'sb\.laws\.PowerLaw\("tokens"\)', "--law power-d"),
    (r'sb\.laws\.PowerLaw\("flops"\)', "--law power-c"),
    (r"\bSay at=\{\"(\w+)\": \.\.\.\}", r"Say --at \1=..."),
    (r"Pass it: sb\.load\(path, law=\.\.\.\)", "Name it: --law my_laws.py:MyLaw"),
    (r"\bGive cuts\b", "Give --cut"),
    (r"\bcuts is\b", "--cut is"),
    (r"\bmin_runs\b", "--min-runs"),
    (r"\bseed is\b", "--seed is"),
    (r"\bcolumn for along\b", "column for --along"),
    (r"\bGive another directory\b", "Give another --directory"),
    (r"\bFit\.check\b", "`scaling-bayes check`"),
    (r"\bplot_prior_posterior\b", "`scaling-bayes plot --kind prior-posterior`"),
    (
        r"sb\.score\(sources, held_out\) scores published laws on any runs",
        "Give one that `scaling-bayes fit --output` wrote",
    ),
    (r"\bflops, gpu_hours or money\b", "--flops, --gpu-hours or --money"),
    (
        r"hardware=sb\.Hardware\(peak=\.\.\., utilisation=\.\.\., n_devices=\.\.\.\)",
        "--peak, --utilisation and --devices",
    ),
    (r"hardware=sb\.Hardware\(peak=\.\.\., utilisation=\.\.\.\)", "--peak and --utilisation"),
    (r"\bn_devices is\b", "--devices is"),
    (r'\bsb\.Hardware\(\.\.\., price="(.*)"\)', r"--price '\1'"),
    (r"\bof='(mean_curve|new_run)'", r"--of \1"),
    (r"give sb\.average\(\{\.\.\.\}\) of them", "give several fits"),
    (r"sb\.rules\.CVaR\(of='regret'\)", "--rule cvar-regret"),
    (r"\bepsilon is\b", "--epsilon is"),
    (r"\bsb\.score\(sources, held_out\)", "sb.score in Python"),
    (r": see the error's \.problems", ""),
    (r' To look at the draws all the same, pass on_failure="warn"\.', ""),
]
_COLUMNS: Final = re.compile(r"pass columns=\{([^}]*)\}")
_PAIR: Final = re.compile(r'"([^"]*)": "([^"]*)"')


def in_options(message: str) -> str:
    """Return a message with options and commands in place of arguments and calls in Python."""
    for python, option in _IN_OPTIONS:
        message = re.sub(python, option, message)
    return _COLUMNS.sub(lambda found: f"give {_as_options(found[1])}", message)


def _as_options(pairs: str) -> str:
    return " ".join(
        f"--column {name}={f'"{other}"' if ' ' in other else other}"
        for name, other in _PAIR.findall(pairs)
    )
