"""From the shell to a first answer, by this package and by other tools, and what it is worth.

A process starts, imports, reads a CSV, fits E + A/N^alpha + B/D^beta to the same 240 runs, and
prints parameters with intervals and a forecast of one larger run; each tool as its README shows
(the folder answers). Whole processes are timed in turn (A B C A B C).
Cold: no machine code is on disk. Warm: it is, and the process is new. In a session: the second
answer of one process. Worth: runs below a compute cut are fitted, the others forecast, and it is
counted how many lie in the 90% interval that the tool itself offers. Other tools are installed from
the package index into environments that are deleted afterwards; with --quick they are left out.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pandas as pd
from answers.question import NO_INTERVAL, columns
from measure import Timing, print_table
from sweep import CUTS, arguments, chinchilla_runs
from tools import Tool, ToolError, install

import scaling_bayes as sb

RIVALS = {"simple-scaling-laws": "0.2.0", "chinchilla": "0.2.0", "mixle": "0.7.0"}
POINT = "n_params,tokens,flops,loss\n7e10,1.4e12,5.88e23,nan\n"
"""Chinchilla itself."""
WARM = "scaling_bayes, warm"
Failures = dict[str, str]


def of_package(name: str, tool: Tool) -> dict[str, Tool]:
    """Return a tool of this package cold, warm and in a session."""
    return {
        f"{name}, cold": replace(tool, cache=None, scored=False),
        f"{name}, warm": tool,
        f"{name}, in a session": replace(tool, flags=(*tool.flags, "--again"), scored=False),
    }


def of_rivals(folder: Path, failures: Failures) -> dict[str, Tool]:
    """Return the other tools, installed; and add those that cannot be to the failures."""
    tools = {}
    for name, version in RIVALS.items():
        label, script = f"{name} {version}", name.replace("-", "_")
        try:
            python = install(name, version, folder / script)
        except ToolError as error:
            failures[label] = f"installation {error}"
        else:
            tools[label] = Tool(script, python, scored=True)
    return tools


def in_turn(
    tools: Mapping[str, Tool], runs: Path, point: Path, turns: range, failures: Failures
) -> tuple[dict[str, dict[str, Any]], dict[str, Timing]]:
    """Return what each tool told, and medians of its times.

    Turn 0 is not timed; it is for tools that keep machine code.
    """
    told: dict[str, dict[str, Any]] = {}
    taken: dict[str, list[Timing]] = {name: [] for name in tools}
    for turn in turns:
        for name, tool in tools.items():
            if name in failures or (turn == 0 and tool.cache is None):
                continue
            try:
                told[name], timing = tool.answer(runs, point)
            except ToolError as error:
                failures[name] = str(error)
                continue
            print(f"{name}: {timing.wall:.1f} s", file=sys.stderr)
            if turn > 0:
                taken[name].append(timing)
    medians = {
        name: Timing(median(each.wall for each in timings), median(each.cpu for each in timings))
        for name, timings in taken.items()
        if name not in failures
    }
    return told, medians


def written(runs: sb.Runs, path: Path) -> Path:
    """Write runs with sizes, tokens and compute, and return the path."""
    pd.DataFrame(runs.covariates(("n_params", "tokens", "flops", "loss"))).to_csv(path, index=False)
    return path


def cut_tables(runs: sb.Runs, cuts: Sequence[float], folder: Path) -> dict[str, tuple[Path, Path]]:
    """Write the runs below and above each cut, and return the two tables of each."""
    flops = runs.covariates(("flops",))["flops"]
    tables = {}
    for cut in cuts:
        below, above = runs.where(flops < cut), runs.where(flops >= cut)
        tables[f"{cut:.0e} ({len(below)} | {len(above)})"] = (
            written(below, folder / f"below_{cut:.0e}.csv"),
            written(above, folder / f"above_{cut:.0e}.csv"),
        )
    return tables


def holds(tool: Tool, below: Path, above: Path) -> np.ndarray | None:
    """Return which runs above the cut lie in their intervals; None where the tool fails."""
    try:
        told, _ = tool.answer(below, above)
    except ToolError:
        return None
    lower, _, upper = np.transpose(told["forecasts"])
    loss = columns(above)["loss"]
    return (lower <= loss) & (loss <= upper)


def coverage_row(inside: Mapping[str, np.ndarray | None]) -> dict[str, object]:
    """Return the share of runs held, at all cuts that the tool managed, and at each."""
    managed = [each for each in inside.values() if each is not None]
    every = np.concatenate(managed) if managed else np.array([])
    return {
        "held": f"{every.mean():.2f} of {every.size}" if managed else "failed",
        **{cut: "failed" if each is None else f"{each.mean():.2f}" for cut, each in inside.items()},
    }


def time_row(timing: Timing, warm: Timing) -> dict[str, object]:
    """Return seconds, and their ratios to this package, warm."""
    return {
        "wall, s": f"{timing.wall:.1f}",
        "CPU, s": f"{timing.cpu:.1f}",
        "wall / warm": f"{timing.wall / warm.wall:.2f}",
        "CPU / warm": f"{timing.cpu / warm.cpu:.2f}",
    }


def parameter_row(name: str, parameters: Mapping[str, Sequence[float]]) -> dict[str, object]:
    """Return medians with their intervals, or values alone where there is no interval."""
    row: dict[str, object] = {"tool": name}
    for parameter, (low, mid, high) in parameters.items():
        digits = ".1f" if mid > 10 else ".3f"
        interval = f" [{low:{digits}}, {high:{digits}}]" if low < high else ""
        row[parameter] = f"{mid:{digits}}{interval}"
    return row


def all_tools(folder: Path, options: argparse.Namespace, failures: Failures) -> dict[str, Tool]:
    """Return every tool, installed."""
    law = Tool("scaling_bayes", cache=folder, scored=True)
    smooth = replace(law, flags=("--discrepancy",))
    if options.quick:
        again = replace(smooth, flags=(*smooth.flags, "--again"), scored=False)
        return {WARM: law, "with discrepancy, in a session": again}
    tools = of_package("scaling_bayes", law) | of_package("with discrepancy", smooth)
    if options.before:
        before = replace(law, cache=folder / "before", checkout=options.before, scored=False)
        tools |= of_package("before", before)
    tools["plain PyMC"] = Tool("plain_pymc", cache=folder, scored=True)
    return tools | of_rivals(folder, failures)


def main() -> None:
    """Measure and print."""
    parser = arguments(__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="(default: 3)")
    parser.add_argument("--before", type=Path, help="a checkout of this package to time as well")
    options = parser.parse_args()
    turns, cuts = (range(1, 2), CUTS[2:3]) if options.quick else (range(options.rounds + 1), CUTS)
    runs = chinchilla_runs(options.data)
    failures: Failures = {}
    load = os.getloadavg()[1]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tools = all_tools(folder, options, failures)
        point = folder / "point.csv"
        point.write_text(POINT)
        told, medians = in_turn(tools, written(runs, folder / "runs.csv"), point, turns, failures)
        tables = cut_tables(runs, cuts, folder)
        coverage = {
            name: coverage_row({cut: holds(tool, *pair) for cut, pair in tables.items()})
            for name, tool in tools.items()
            if tool.scored and name in medians and told[name]["interval"] != NO_INTERVAL
        }
    print(
        f"Load average of 5 minutes: {load:.1f} at the start, {os.getloadavg()[1]:.1f} at the end"
    )
    for name, message in failures.items():
        print(f"{name}: {message}")
    times = [
        {"tool": name}
        | time_row(timing, medians[WARM])
        | {"interval": told[name]["interval"], "held": coverage.get(name, {}).get("held", "")}
        for name, timing in medians.items()
    ]
    print_table(f"From the shell to a first answer, medians of {turns[-1]}", times)
    print_table(
        "Share of the runs above a cut in FLOPs held (runs fitted | runs forecast)",
        [{"tool": name} | row for name, row in coverage.items()],
    )
    print_table(
        "What they found: medians with 90% intervals; N* at 5.76e23 FLOPs",
        [parameter_row(name, told[name]["parameters"]) for name in medians if tools[name].scored],
    )


if __name__ == "__main__":
    main()
