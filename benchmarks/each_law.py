"""A fit of every shipped law, noise and discrepancy in a fresh process: CPU time and sampling.

Each fit runs in a process of its own, which imports the package, reads the runs from a CSV file
and fits; with ``--before FOLDER`` once more with the package in another checkout, in turn. CPU
seconds are those of the process with its threads, so that another load counts little. "cold" has
new, empty folders for machine code. Sampling is the wall time of a second fit, in units of that of
Chinchilla's law alone with the same noise, in one process that fits them in turn.
"""

from __future__ import annotations

import itertools
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

from measure import alternate, print_table
from sweep import arguments, chinchilla_runs

import scaling_bayes as sb

SCRIPT = """
import sys
import scaling_bayes as sb
path, law, noise, discrepancy = sys.argv[1:]
sb.fit(
    sb.read_runs(path),
    sb.laws.REGISTRY[law](),
    noise=sb.noise.REGISTRY[noise](),
    discrepancy=None if discrepancy == "none" else sb.discrepancy.Smooth(),
    settings=sb.SamplerSettings(progressbar=False),
    on_failure="warn",
    seed=1,
)
"""
COMBINATIONS = list(itertools.product(sb.laws.REGISTRY, sb.noise.REGISTRY, ("none", "smooth")))
QUICK = [("chinchilla", "student-t", "none"), ("chinchilla", "student-t", "smooth")]
ROUNDS = 5


def cpu_seconds(words: tuple[str, ...], package: Path, cache: Path) -> float:
    """Return the CPU seconds of a process that fits with the package in a folder."""
    environment = os.environ | {
        "PYTHONPATH": str(package),
        "PYTHONWARNINGS": "ignore",
        "NUMBA_CACHE_DIR": str(cache / "numba"),
        "PYTENSOR_FLAGS": f"base_compiledir={cache / 'pytensor'}",
    }
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [sys.executable, "-c", SCRIPT, *words],
        check=True,
        env=environment,
        cwd=cache,
        capture_output=True,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def fresh(words: tuple[str, ...], packages: dict[str, Path], caches: Path) -> dict[str, object]:
    """Return one row: CPU seconds of each package, cold at first and then warm."""
    row: dict[str, object] = dict(zip(("law", "noise", "discrepancy"), words[1:], strict=True))
    for name, package in packages.items():
        cold = Path(tempfile.mkdtemp(dir=caches))
        row[f"{name} cold"] = cpu_seconds(words, package, cold)
        row[f"{name} warm"] = cpu_seconds(words, package, cold)
    for state in ("cold", "warm") if "before" in packages else ():
        row[f"ratio {state}"] = float(row[f"now {state}"]) / float(row[f"before {state}"])  # type: ignore[arg-type]
    return row


def sampling(runs: sb.Runs, combinations: list[tuple[str, str, str]], rounds: int) -> None:
    """Print the time of a second fit of each law."""
    settings = sb.SamplerSettings(progressbar=False)
    fitters = {
        words: sb.Fitter(
            sb.laws.REGISTRY[words[0]](),
            noise=sb.noise.REGISTRY[words[1]](),
            discrepancy=None if words[2] == "none" else sb.discrepancy.Smooth(),
            settings=settings,
            on_failure="warn",
        )
        for words in combinations
    }
    tasks = {
        " ".join(words): lambda fitter=fitter: fitter.fit(runs, seed=1)
        for words, fitter in fitters.items()
    }
    taken = alternate(tasks, rounds=rounds)
    print_table(
        f"A second fit in one process, medians of {rounds}",
        [
            {
                "fit": name,
                "seconds": timing.wall,
                "times chinchilla alone": timing.wall
                / taken[f"chinchilla {name.split()[1]} none"].wall,
            }
            for name, timing in taken.items()
        ],
    )


def main() -> None:
    """Measure and print."""
    parser = arguments(__doc__)
    parser.add_argument("--before", type=Path, help="a checkout to compare with")
    parser.add_argument("--laws", nargs="+", choices=sb.laws.REGISTRY, help="(default: all)")
    options = parser.parse_args()
    runs = chinchilla_runs(options.data)
    packages = {"now": Path(sb.__file__).parents[1]}
    if options.before is not None:
        packages["before"] = options.before
    laws = options.laws or list(sb.laws.REGISTRY)
    combinations = QUICK if options.quick else [each for each in COMBINATIONS if each[0] in laws]
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "runs.csv"
        runs.frame[["n_params", "tokens", "loss"]].to_csv(table, index=False)
        rows = [fresh((str(table), *words), packages, Path(folder)) for words in combinations]
    print_table("A fit in a fresh process, CPU seconds", rows)
    sampling(runs, combinations, 1 if options.quick else ROUNDS)


if __name__ == "__main__":
    main()
