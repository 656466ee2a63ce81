"""Files that appear only when they are whole."""

from __future__ import annotations

import os
import platform
import re
import uuid
from contextlib import suppress
from pathlib import Path

from scaling_bayes.errors import InputError


def write_whole(path: Path, content: bytes) -> None:
    """Write a file beside `path`, and let it take the place of `path` when it is on the disk.

    If anything is raised meanwhile, the file beside goes and an older `path` stays. What a process
    left behind that was killed while it wrote `path` goes too.

    Parameters
    ----------
    path : Path
        Where to.
    content : bytes
        All of the file. It is made in memory, since libraries that write to a full disk by
        themselves may end the process.

    Raises
    ------
    InputError
        If it cannot be written.
    """
    ours = f".{path.name}-{_machine()}-"
    temporary = path.with_name(f"{ours}{os.getpid()}-{uuid.uuid4().hex[:8]}.part")
    try:
        _remove_stale(path.parent, ours)
        with temporary.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        raise InputError(
            f"{path} cannot be written: {error.strerror or error}. Give a file in a folder that "
            "you may write to, and look for room on the disk."
        ) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def _machine() -> str:
    """Return the name of this machine, since others do not know its processes."""
    return re.sub(r"\W", "", platform.node())[:20]


def _remove_stale(folder: Path, ours: str) -> None:
    """Remove temporary files of processes of this machine that are no more."""
    if os.name != "posix":  # Elsewhere, asking whether a process is there may end it.
        return
    for left in folder.iterdir():
        found = re.fullmatch(rf"{re.escape(ours)}(\d+)-[0-9a-f]{{8}}\.part", left.name)
        if found and not _is_alive(int(found[1])):
            with suppress(OSError):
                left.unlink()


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True
