"""The reporting checklist of a scaling-law paper, with the answers that a fit knows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from scaling_bayes._files.user_path import writable
from scaling_bayes._files.whole_files import write_whole
from scaling_bayes._fit.fit import Fit
from scaling_bayes._notebook import InNotebook
from scaling_bayes._printable import printable, printed
from scaling_bayes._report.provenance import digest_of, versions
from scaling_bayes._report.section import markdown_row, plain_in_markdown
from scaling_bayes.errors import InputError
from scaling_bayes.parameters import Declared
from scaling_bayes.runs import COVARIATES, Runs, covariate
from scaling_bayes.units import SIZES, format_quantity

_COUNTS = (*SIZES, "n_params_non_embedding", "n_params_active")
_IN_LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{letter: f"\\{letter}" for letter in "&%$#_{}"},
}
_BLANK = "(to be filled in)"
_BLANK_IN_LATEX = r"\underline{\hspace{4cm}}"
_HEADS = ("Question", "Answer")
Answers = Iterator[tuple[str, str | None]]
"""Questions, each with its answer, or None where only the author knows."""


@dataclass(frozen=True)
class Question:
    """A question that a reader of a scaling-law paper has.

    Attributes
    ----------
    section : str
        What it is about.
    question : str
        The question.
    answer : str or None
        What the fit knows; None where only the author does.
    """

    section: str
    question: str
    answer: str | None = None


@dataclass(frozen=True, eq=False)
class ReportCard(InNotebook):
    """What a paper should say of a scaling law, answered as far as a fit knows.

    Attributes
    ----------
    label : str
        The fit.
    questions : tuple of Question
        In the order in which a study is made: the law, the trainings, what was taken from them,
        the fit.
    """

    label: str
    questions: tuple[Question, ...]

    @property
    def words(self) -> tuple[str, ...]:
        """How many questions are answered, and which ones are left to the author."""
        blank = [each.question for each in self.questions if each.answer is None]
        known = len(self.questions) - len(blank)
        sentences = [f"The fit answers {known} of {len(self.questions)} questions."]
        if blank:
            sentences.append(f"Left to the author: {' '.join(blank)}")
        return tuple(map(printable, sentences))

    def to_frame(self) -> pd.DataFrame:
        """Return one row a question: ``section``, ``question`` and ``answer``, None where blank."""
        return pd.DataFrame([vars(each) for each in self.questions], dtype=object)

    def markdown(self) -> str:
        """Return the card as tables in Markdown, a blank where the author has to answer."""
        parts = ["# Report card of a scaling law"]
        for section, some in self._sections():
            rows = [markdown_row(_HEADS), markdown_row(["---", "---"], raw=True)]
            rows += [markdown_row([each.question, each.answer or _BLANK]) for each in some]
            parts.append("\n".join([f"## {plain_in_markdown(section)}", "", *rows]))
        return "\n\n".join(parts) + "\n"

    def latex(self) -> str:
        """Return the card as a LaTeX table over pages, which needs the package ``longtable``."""
        lines = [r"\begin{longtable}{p{0.38\linewidth}p{0.56\linewidth}}"]
        for section, some in self._sections():
            lines.append(rf"\multicolumn{{2}}{{l}}{{\textbf{{{_in_latex(section)}}}}} \\")
            lines += [
                f"{_in_latex(each.question)} & "
                f"{_BLANK_IN_LATEX if each.answer is None else _in_latex(each.answer)} \\\\"
                for each in some
            ]
        return "\n".join([*lines, r"\end{longtable}", ""])

    def save(self, path: str | Path) -> Path:
        """Write the card to a file in Markdown (``.md``) or LaTeX (``.tex``).

        Parameters
        ----------
        path : str or Path
            Where to. The file appears there only when it is whole.

        Raises
        ------
        InputError
            If its name ends otherwise, or no file can be written there.
        """
        target = writable(path, "path")
        texts = {".md": self.markdown, ".tex": self.latex}
        if target.suffix not in texts:
            raise InputError(f"path is {str(path)!r}; give a name that ends in .md or .tex.")
        write_whole(target, texts[target.suffix]().encode())
        return target

    def _sections(self) -> Iterator[tuple[str, list[Question]]]:
        for section in dict.fromkeys(each.section for each in self.questions):
            yield section, [each for each in self.questions if each.section == section]

    @printed
    def __repr__(self) -> str:
        lines = [f"Report card of {self.label}"]
        for section, some in self._sections():
            lines.append(section)
            lines += [f"  {each.question} {each.answer or _BLANK}" for each in some]
        return "\n".join(lines)


def report_card(fit: Fit) -> ReportCard:
    """Return the questions that a scaling-law paper should answer, with what a fit knows.

    Most of more than fifty papers leave out details without which their laws cannot be fitted
    again (Li, Kudugunta & Zettlemoyer 2025, arXiv:2502.18969). The questions follow the parts of
    that survey: the form of the law, the trainings, what is taken from them, and the fit. Their
    words are of this package.

    Parameters
    ----------
    fit : Fit
        The fit.

    Returns
    -------
    ReportCard

    Raises
    ------
    InputError
        If it is no fit.

    Examples
    --------
    >>> import scaling_bayes as sb
    >>> runs = sb.datasets.load_tiny_transformers().where("split == 'train'")
    >>> card = sb.report_card(sb.fit(runs, seed=1))
    >>> print(card.words[0])
    The fit answers 18 of 25 questions.
    """
    if not isinstance(fit, Fit):
        raise InputError(f"fit is a {type(fit).__name__}; give what sb.fit(...) returns.")
    questions = [
        Question(section, question, answer)
        for section, answers in (
            ("The law", _of_law(fit)),
            ("The trainings", _of_trainings(fit)),
            ("What is taken from them", _of_data(fit)),
            ("The fit", _of_fit(fit)),
        )
        for question, answer in answers
    ]
    return ReportCard(fit.label, tuple(questions))


def _of_law(fit: Fit) -> Answers:
    law = fit.law
    formula = (type(law).__doc__ or "").partition("\n")[0].rstrip(".")
    yield "Which formula?", f"{law.name}: {formula}" if formula.startswith("L = ") else law.name
    columns = (f"{name} in {covariate(name).unit}" for name in law.covariates)
    yield "Which quantities does it relate?", f"{', '.join(columns)}; loss in {fit.runs.loss_unit}"
    yield "Which parameters are fitted, with which priors?", _priors(law)
    held = ", ".join(f"{name} = {value:g}" for name, value in law.held.items())
    yield "Which parameters are held?", held or "none"
    yield (
        "May the mean of runs differ from the law?",
        "no: the law is taken for the truth"
        if fit.discrepancy is None
        else f"yes, by a {fit.discrepancy.name} function of the sizes; {_priors(fit.discrepancy)}",
    )
    yield "How do runs scatter?", f"{fit.noise.name}, of log loss; {_priors(fit.noise)}"


def _of_trainings(fit: Fit) -> Answers:
    frame = fit.runs.frame
    yield "How many models?", fit.runs.counted
    ranges = [
        f"{name} {' to '.join(format_quantity(end, kind=name) for end in _ends(frame[name]))}"
        for name in fit.runs.sizes
    ]
    if {"n_params", "tokens"} <= set(frame):
        low, high = _ends(frame["tokens"] / frame["n_params"])
        ranges.append(f"tokens per parameter {low:.3g} to {high:.3g}")
    yield "Of which sizes?", ", ".join(ranges)
    yield "Does N count embeddings, and all experts?", None
    yield "How is compute counted?", _compute(fit.runs)
    repeated = [name for name in ("epochs", "unique_tokens") if name in frame]
    yield "Are data repeated?", _repeated(frame) if repeated else None
    varied = [
        name
        for name in COVARIATES
        if name in frame and name not in (*_COUNTS, *repeated) and frame[name].nunique() > 1
    ]
    yield "What else differs between the runs?", ", ".join(varied) or None
    yield "Which data, tokenizer and vocabulary?", None
    yield "Which architecture, with which ratio of depth to width?", None
    yield "Which optimizer, schedule and batch size, and how were they tuned?", None


def _of_data(fit: Fit) -> Answers:
    frame = fit.runs.frame
    yield "Which table?", f"{fit.runs.source}, digest {digest_of(fit.runs)}"
    several = int((frame["weight"] > 1).sum())
    yield (
        "Are several runs of a size joined?",
        f"yes, {several} rows are means of runs" if several else "no row is a mean of runs",
    )
    yield "Which loss, on which data, at which step of a run?", None
    yield "Is the loss smoothed?", None
    yield "Which runs were left out, and why?", None


def _of_fit(fit: Fit) -> Answers:
    how = fit.data_tree.attrs
    yield (
        "What is fitted, by which algorithm?",
        f"the posterior of log loss, by NUTS ({how.get('sampler', 'unknown')}): "
        f"{how.get('chains')} chains of {how.get('draws')} draws after {how.get('tune')} of "
        "warm-up",
    )
    yield "Did it converge?", str(fit.diagnostics)
    summary = fit.summary().to_frame()
    yield (
        "What was found, with which uncertainty?",
        ", ".join(
            f"{name} {row['median']:.3g} [{row['lower']:.3g}, {row['upper']:.3g}]"
            for name, row in summary.loc[fit.law.parameter_names].iterrows()
        )
        + " (median, 90% equal-tailed interval)",
    )
    doubts = " ".join(str(doubt) for doubt in fit.doubts)
    yield "What is doubtful?", doubts or "none of what the package looks for"
    yield "By which software?", ", ".join(f"{name} {number}" for name, number in versions())


def _priors(declared: Declared) -> str:
    return ", ".join(
        f"{name} ~ {prior}" for name, prior in declared.priors.items() if name not in declared.held
    )


def _ends(column: pd.Series) -> tuple[float, float]:
    return float(column.min()), float(column.max())


def _compute(runs: Runs) -> str | None:
    """Return how compute is counted, from what the table holds."""
    if runs.flops_ratio is None:
        return None
    k = runs.flops_per_param_token
    if runs.computes_flops:
        return f"C = {k:g} N D"
    return f"as the table has it, {np.median(runs.flops_ratio):.3g} times {k:g} N D at the median"


def _repeated(frame: pd.DataFrame) -> str:
    epochs = frame["epochs"] if "epochs" in frame else frame["tokens"] / frame["unique_tokens"]
    low, high = _ends(pd.to_numeric(epochs, errors="coerce"))
    return f"{low:.3g} to {high:.3g} epochs"


def _in_latex(text: str) -> str:
    """Return text of which LaTeX makes nothing."""
    plain = " ".join(printable(text).split())
    return re.sub(r"[\\~^&%$#_{}]", lambda found: _IN_LATEX[found.group()], plain)
