"""Time until the package is there: `import scaling_bayes` and `scaling-bayes --help`.

New processes, in turn, with bytecode cached in a temporary folder as it is for a user.
Targets: import 0.15 seconds, help 0.4 seconds.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from measure import print_table
from sweep import arguments

COMMANDS = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "import scaling_bayes": [sys.executable, "-c", "import scaling_bayes"],
    "scaling-bayes --help": [str(Path(sys.executable).with_name("scaling-bayes")), "--help"],
    "import pymc": [sys.executable, "-c", "import pymc"],
}
TARGETS = {"import scaling_bayes": 0.15, "scaling-bayes --help": 0.4}


def seconds(command: Sequence[str], environment: dict[str, str]) -> float:
    """Return the seconds from start to end of a process."""
    start = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True, env=environment)
    return time.perf_counter() - start


def main() -> None:
    """Measure and print."""
    options = arguments(__doc__).parse_args()
    rounds = 1 if options.quick else 9
    with tempfile.TemporaryDirectory() as cache:
        environment = {**os.environ, "PYTHONPYCACHEPREFIX": cache}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        for command in COMMANDS.values():
            seconds(command, environment)
        taken: dict[str, list[float]] = {name: [] for name in COMMANDS}
        for _ in range(rounds):
            for name, command in COMMANDS.items():
                taken[name].append(seconds(command, environment))
    least, most = median(taken["python -c pass"]), median(taken["import pymc"])
    print_table(
        f"A new process, median of {rounds}",
        [
            {
                "command": name,
                "seconds": median(values),
                "fastest": min(values),
                "target": TARGETS.get(name, float("nan")),
                "times python -c pass": median(values) / least,
                "share of import pymc": median(values) / most,
            }
            for name, values in taken.items()
        ],
    )


if __name__ == "__main__":
    main()
