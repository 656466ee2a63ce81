"""From a fit to a page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from scaling_bayes._decision import decide
from scaling_bayes._files.user_path import writable
from scaling_bayes._files.whole_files import write_whole
from scaling_bayes._fit.fit import Fit
from scaling_bayes._prediction.forecast_answer import check_target
from scaling_bayes._prediction.law_draws import sizes
from scaling_bayes._report import background
from scaling_bayes._report.first_page import Asked, answers
from scaling_bayes._report.pages import as_html, as_markdown
from scaling_bayes._report.section import Section
from scaling_bayes.errors import InputError

TIMES_LARGEST = 10.0
"""The budget over the compute of the largest run, where none is given."""


_PAGES: dict[str, Callable[[str, Sequence[Section], Sequence[Section]], str]] = {
    ".html": as_html,
    ".htm": as_html,
    ".md": as_markdown,
}


def report(
    fit: Fit,
    path: str | Path,
    *,
    flops: float | str | None = None,
    target: float | None = None,
    track_record: bool = True,
    command: str = "scaling_bayes.report",
    seed: int = 1,
) -> Path:
    """Write one page for the person who decides: the choice first, and what stands behind it.

    The choice with its range, the target, the forecast in pictures, the track record on earlier
    cuts of these runs, what would change the choice, what the usual rules give up, doubts, runs
    that look wrong, and assumptions; then runs, posterior, checks, method and versions.

    Parameters
    ----------
    fit : Fit
        The fit, of a law that trades model size against tokens.
    path : str or Path
        Where to: a name in ``.html`` is one page without network or scripts, which a browser
        shows from the disk; one in ``.md`` is the same text for a pull request, without pictures.
    flops : float or str, optional
        The budget, such as ``"1e24"``; by default ten times the compute of the largest run.
    target : float, optional
        Loss to reach, in the unit of the runs.
    track_record : bool
        Whether to fit the law to the runs below four cuts, which takes some seconds.
    command : str
        What the page says that it was made by.
    seed : int
        Source of randomness; the same seed gives the same page.

    Returns
    -------
    Path
        The file, which appears only when it is whole.

    Raises
    ------
    InputError
        If `fit` is not a fit, the file has another ending or cannot be written, or budget or
        target cannot be used.
    NoOptimumError
        If the law does not trade model size against tokens.

    Examples
    --------
    >>> sb.report(fit, "report.html", flops="1e24", target=2.0)  # doctest: +SKIP
    """
    if not isinstance(fit, Fit):
        raise InputError(f"fit is a {type(fit).__name__}; give what sb.fit(...) returns.")
    where = writable(path, "path")
    page = _PAGES.get(where.suffix.lower())
    if page is None:
        raise InputError(
            f"{where.name} does not end in {' or '.join(_PAGES)}. Name the file so, such as "
            "report.html."
        )
    if target is not None:
        check_target(target)
    if "flops" not in fit.runs.sizes:
        raise InputError("the runs have no compute, so that nothing can be said of a budget.")
    largest = float(fit.runs.frame["flops"].max())
    budget = TIMES_LARGEST * largest if flops is None else float(sizes("flops", flops).item())
    asked = Asked(fit, decide(fit, flops=budget), target, seed)
    checked = fit.check(seed=seed)
    first = [
        *answers(asked, with_record=track_record),
        background.doubts(asked),
        background.wrong_runs(asked, checked),
        background.assumptions(asked),
    ]
    behind = [
        background.runs(asked),
        background.posterior(asked),
        background.checks(asked, checked),
        background.method(asked, command),
    ]
    title = f"What to train: {fit.label} on {fit.runs.source}"
    write_whole(where, page(title, first, behind).encode())
    return where
