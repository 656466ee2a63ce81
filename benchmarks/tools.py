"""Tools that answer in processes of their own, from the shell on."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from measure import Timing

ANSWERS = Path(__file__).with_name("answers")


class ToolError(Exception):
    """A tool could not be installed, or did not answer."""


@dataclass(frozen=True)
class Tool:
    """A script of the folder answers, and how it is started.

    Attributes
    ----------
    script : str
        Its name is by_{script}.py.
    python : Path
        The interpreter that has the tool.
    cache : Path, optional
        Where machine code is kept; a new empty folder in each process if left out.
    flags : tuple of str
        Arguments after the two tables.
    checkout : Path, optional
        A checkout of scaling_bayes that is imported instead of the one installed.
    scored : bool
        Whether it is counted how often its intervals hold.
    """

    script: str
    python: Path = Path(sys.executable)
    cache: Path | None = None
    flags: tuple[str, ...] = ()
    checkout: Path | None = None
    scored: bool = False

    def answer(self, runs: Path, points: Path) -> tuple[dict[str, Any], Timing]:
        """Return what the process told, and its time, or that of its second answer if it gave one.

        Raises
        ------
        ToolError
            If the process fails.
        """
        command = [self.python, ANSWERS / f"by_{self.script}.py", runs, points, *self.flags]
        with tempfile.TemporaryDirectory() as empty:
            environment = self._environment(str(self.cache or empty))
            wall, cpu = time.perf_counter(), _cpu_of_children()
            output = _run(command, cwd=empty, env=environment)
            whole = time.perf_counter() - wall, _cpu_of_children() - cpu
        told = json.loads(output.splitlines()[-1])
        return told, Timing(*told.get("again", whole))

    def _environment(self, cache: str) -> dict[str, str]:
        caches = {"NUMBA_CACHE_DIR": cache, "PYTENSOR_FLAGS": f"base_compiledir={cache}"}
        imported = {"PYTHONPATH": str(self.checkout)} if self.checkout else {}
        return {**os.environ, **caches, **imported}


def install(name: str, version: str, folder: Path) -> Path:
    """Return the interpreter of a new environment that has a tool.

    Raises
    ------
    ToolError
        If the tool cannot be installed.
    """
    python = folder / "bin" / "python"
    _run([sys.executable, "-m", "venv", folder])
    _run([python, "-m", "pip", "install", "--quiet", f"{name}=={version}"])
    return python


def _run(command: list[str | Path], **how: Any) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, **how)
    if done.returncode:
        last = (done.stderr.strip() or "no message").splitlines()[-1]
        raise ToolError(f"failed: {last[:80]}")
    return done.stdout


def _cpu_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
