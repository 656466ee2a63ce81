"""The reporting checklist: what a fit answers, what it leaves, and what names do to it."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace

import pytest

import scaling_bayes as sb
from scaling_bayes.errors import InputError

HOSTILE = r"\input{x} $a_b^c$ & % # ~ {| *b* <script> `x`"


@pytest.fixture(scope="module")
def card(thin_fit) -> sb.ReportCard:
    return sb.report_card(thin_fit)


def answers(card: sb.ReportCard) -> dict[str, str | None]:
    return {each.question: each.answer for each in card.questions}


def test_what_the_fit_knows_is_answered_from_it(card, thin_fit):
    found = answers(card)
    assert found["Which formula?"].startswith(f"{thin_fit.law.name}: L = ")
    assert thin_fit.runs.counted == found["How many models?"]
    assert "C = 6 N D" in found["How is compute counted?"]
    for name in thin_fit.law.parameter_names:
        assert f"{name} ~ " in found["Which parameters are fitted, with which priors?"]
        assert f"{name} " in found["What was found, with which uncertainty?"]
    assert "90% equal-tailed" in found["What was found, with which uncertainty?"]
    assert "tau ~ " in found["May the mean of runs differ from the law?"]
    assert "sigma ~ " in found["How do runs scatter?"]
    assert (
        f"{thin_fit.data_tree.attrs['chains']} chains"
        in found["What is fitted, by which algorithm?"]
    )
    assert f"pymc {thin_fit.data_tree.attrs['pymc_version']}" in found["By which software?"]


def test_what_only_the_author_knows_is_a_blank_in_every_form(card):
    blanks = [question for question, answer in answers(card).items() if answer is None]
    assert "Which data, tokenizer and vocabulary?" in blanks
    assert "Does N count embeddings, and all experts?" in blanks
    assert all(question in card.words[-1] for question in blanks)
    assert card.markdown().count("| (to be filled in) |") == len(blanks)
    assert card.latex().count(r"\underline{\hspace{4cm}}") == len(blanks)
    assert card.to_frame()["answer"].isna().sum() == len(blanks)
    assert card.words[0] == (
        f"The fit answers {len(card.questions) - len(blanks)} of {len(card.questions)} questions."
    )


def test_columns_of_the_runs_answer_more(fit, simulate):
    frame = fit.runs.frame.assign(unique_tokens=fit.runs.frame["tokens"] / 4, flops=1e30)
    frame["lr"] = [1e-3, 2e-3] * (len(frame) // 2) + [1e-3] * (len(frame) % 2)
    found = answers(sb.report_card(replace(fit, runs=sb.Runs(frame))))
    assert found["Are data repeated?"] == "4 to 4 epochs"
    assert found["What else differs between the runs?"] == "lr"
    assert "times 6 N D at the median" in found["How is compute counted?"]
    digest = found["Which table?"].rpartition(" ")[2]
    assert re.fullmatch(r"[0-9a-f]{16}", digest)
    assert digest != answers(sb.report_card(fit))["Which table?"].rpartition(" ")[2]


def test_names_are_text_in_markdown_and_latex(fit):
    runs = replace(fit.runs, source=HOSTILE)
    card = sb.report_card(replace(fit, runs=runs))
    assert r"\input{x}" not in card.latex()
    assert r"\textbackslash{}input\{x\} \$a\_b\textasciicircum{}c\$ \& \% \#" in card.latex()
    unescaped = re.findall(r"(?<!\\)[{}]", card.latex())
    assert unescaped.count("{") == unescaped.count("}")
    assert "<script>" not in card.markdown()
    rows = [row for row in card.markdown().splitlines() if row.startswith("| Which table")]
    assert len(re.findall(r"(?<!\\)\|", rows[0])) == 3


def test_it_is_written_by_the_name_of_the_file(card, tmp_path):
    assert card.save(tmp_path / "card.md").read_text(encoding="utf-8") == card.markdown()
    assert card.save(tmp_path / "card.tex").read_text(encoding="utf-8") == card.latex()
    with pytest.raises(InputError, match=r"ends in \.md or \.tex"):
        card.save(tmp_path / "card.pdf")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["card.md", "card.tex"]


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no LaTeX is installed")
def test_latex_takes_it(fit, tmp_path):
    card = sb.report_card(replace(fit, runs=replace(fit.runs, source=HOSTILE)))
    page = (
        r"\documentclass{article}\usepackage{longtable}\begin{document}"
        + card.latex()
        + r"\end{document}"
    )
    (tmp_path / "card.tex").write_text(page, encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "card.tex"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, timeout=120)


def test_anything_but_a_fit_is_refused():
    with pytest.raises(InputError, match=r"give what sb\.fit"):
        sb.report_card(sb.laws.Chinchilla.published["hoffmann2022"])
