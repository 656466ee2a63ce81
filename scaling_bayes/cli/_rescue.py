"""How a command saves what took long."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from scaling_bayes.errors import InputError

if TYPE_CHECKING:
    from scaling_bayes import Fit, PooledFit


def save_or_rescue(fit: Fit | PooledFit, target: Path) -> Path:
    """Save a fit; where that fails, save it to the temporary folder, since its draws took long.

    Raises
    ------
    InputError
        If it cannot be saved to the target; the message says where it is.
    """
    try:
        return fit.save(target)
    except InputError as error:
        cause = error.__cause__ or error
        try:
            rescued = fit.save(Path(tempfile.mkdtemp(prefix="scaling-bayes-")) / target.name)
        except (InputError, OSError) as second:
            raise InputError(
                f"{cause} Nor is there room for the fit elsewhere: {second}"
            ) from error
        raise InputError(
            f"{cause} The fit is saved to {rescued} instead; move it from there."
        ) from error
