"""What stands behind the answers: runs, posterior, checks, method."""

from __future__ import annotations

import numpy as np

from scaling_bayes import plots
from scaling_bayes._checks.check import Check
from scaling_bayes._report.first_page import Asked
from scaling_bayes._report.pictures import picture
from scaling_bayes._report.provenance import digest_of, versions
from scaling_bayes._report.section import Section, cells
from scaling_bayes.units import SIZES, format_quantity


def doubts(asked: Asked) -> Section:
    """Return what is doubtful about the fit."""
    found = tuple(map(str, asked.fit.doubts))
    return Section("doubts", "Doubts", found or ("None was found.",))


def wrong_runs(asked: Asked, checked: Check) -> Section:
    """Return the runs that look wrong."""
    frame = checked.outliers.reset_index()
    title = "Runs that look wrong"
    if frame.empty:
        words = ("None: no run lies farther from the mean curve than the noise explains.",)
        return Section("outliers", title, words)
    row = str(frame.columns[0])
    shown = {
        row: "",
        "n_params": "n_params",
        "tokens": "tokens",
        "loss": ".4f",
        "expected_loss": ".4f",
        "residual_percent": "+.2f",
        "p_among_runs": ".3g",
    }
    columns = ("row", "N", "D", "loss", "expected", "off, %", "p")
    frame = frame.assign(**{row: frame[row].astype(str)})
    caption = "p: probability that one of as many runs lies as far out by noise alone."
    return Section("outliers", title, (), columns, cells(frame, shown), caption)


def assumptions(asked: Asked) -> Section:
    """Return what the answers take for granted."""
    fit = asked.fit
    error = (
        "The law is taken for the truth: intervals beyond the runs are too narrow."
        if fit.discrepancy is None
        else "The mean of runs may differ from the law by a smooth function of the sizes, whose "
        "scale is learned from these runs and from public sweeps."
    )
    words = (
        f"The loss of runs follows the law {fit.law.name}, with C = "
        f"{fit.flops_per_param_token:g} N D.",
        error,
        f"Runs scatter around their mean by {fit.noise.name} noise of one scale.",
        "The larger run is trained as the fitted ones were: same data, tokenizer and recipe.",
        f"The loss is in {asked.unit}; it is not skill at any task.",
    )
    return Section("assumptions", "What is assumed", words)


def runs(asked: Asked) -> Section:
    """Return the table of runs in short."""
    table = asked.fit.runs
    rows = [
        (letter, *(format_quantity(end(table.frame[name]), kind=name) for end in (np.min, np.max)))
        for letter, name in zip("NDC", SIZES, strict=True)
        if name in table.frame
    ]
    losses = [format(end(table.frame["loss"]), ".4g") for end in (np.min, np.max)]
    words = (f"{table.counted} from {table.source}.",)
    return Section(
        "runs", "Runs", words, ("", "smallest", "largest"), (*rows, ("loss", *losses)), asked.unit
    )


def posterior(asked: Asked) -> Section:
    """Return the parameters in a table and in words."""
    summary = asked.fit.summary()
    frame = summary.to_frame().reset_index()
    shown = {"parameter": "", "median": ".4g", "lower": ".4g", "upper": ".4g", "unit": ""}
    columns = ("parameter", "median", "lower", "upper", "unit")
    said = set(map(str, asked.fit.doubts))
    words = tuple(each for each in summary.words if each not in said)
    caption = "90% equal-tailed intervals of the parameters."
    return Section("posterior", "Posterior", words, columns, cells(frame, shown), caption)


def checks(asked: Asked, checked: Check) -> Section:
    """Return how well the law describes its runs."""
    drawn = picture(
        lambda: plots.plot_residuals(asked.fit),
        "residuals",
        "Residuals",
        "Distance of each run from the mean curve, in percent of the loss.",
    )
    return Section("checks", "Checks", checked.words, pictures=(drawn,))


def method(asked: Asked, command: str) -> Section:
    """Return how the report was made, so that it can be made again."""
    fit = asked.fit
    rows = (
        ("made by", command),
        ("digest of the runs", digest_of(fit.runs)),
        ("seed", str(asked.seed)),
        *versions(),
    )
    words = (
        "Parameters are sampled by NUTS; the model is refused where chains disagree. Every answer "
        "is computed from the draws.",
        str(fit.diagnostics),
    )
    return Section("method", "Method and versions", words, ("", ""), rows)
