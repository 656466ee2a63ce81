"""Sections as a page: HTML that needs nothing else, or Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files

from scaling_bayes._printable import printable
from scaling_bayes._report.section import Section, markdown_row, plain_in_markdown


def as_html(title: str, first: Sequence[Section], behind: Sequence[Section]) -> str:
    """Return one HTML page. Names that people gave are text in it, whatever they hold.

    Parameters
    ----------
    title : str
        Its heading.
    first, behind : sequence of Section
        What is read first, and what stands behind it.
    """
    import jinja2

    here = files(__package__)
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["printable"] = printable
    style = (here / "page.css").read_text(encoding="utf-8")
    template = environment.from_string((here / "page.html").read_text(encoding="utf-8"))
    return template.render(title=title, first=first, behind=behind, style=style)


def as_markdown(title: str, first: Sequence[Section], behind: Sequence[Section]) -> str:
    """Return the same text in Markdown, without pictures.

    Parameters
    ----------
    title : str
        Its heading.
    first, behind : sequence of Section
        What is read first, and what stands behind it.
    """
    parts = [f"# {plain_in_markdown(title)}"]
    for section in (*first, *behind):
        if not section.words and not section.columns:
            continue
        lines = [f"## {plain_in_markdown(section.title)}", ""]
        lines += [f"- {plain_in_markdown(sentence)}" for sentence in section.words]
        if section.columns:
            lines += [
                "",
                markdown_row(section.columns),
                markdown_row(["---"] * len(section.columns), raw=True),
            ]
            lines += [markdown_row(row) for row in section.rows]
        if section.caption:
            lines += ["", plain_in_markdown(section.caption)]
        parts.append("\n".join(lines))
    return "\n\n".join(parts) + "\n"
