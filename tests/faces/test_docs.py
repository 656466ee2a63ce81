"""Every Python example of the README and the documentation runs, page by page."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
COMPILED_BY_PYTENSOR = ("recipes", "tasks")
BLOCK = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)


def blocks(page: Path) -> list[str]:
    return BLOCK.findall(page.read_text(encoding="utf-8"))


RUNS = """\
n_params,tokens,loss,val_loss,group
70M,2B,3.7,3.8,dense
400M,20B,2.9,3.0,dense
1B,20B,2.7,2.8,wide
"""
"""The table that the pages call runs.csv."""


def as_parameter(page: Path) -> object:
    """Return a page as a parameter; what PyTensor has to compile on some takes minutes."""
    marks = [pytest.mark.long] if page.stem in COMPILED_BY_PYTENSOR else []
    return pytest.param(page, marks=marks, id=page.stem)


@pytest.mark.filterwarnings("ignore:Estimated shape parameter of Pareto:UserWarning")
@pytest.mark.parametrize("page", [as_parameter(page) for page in PAGES if blocks(page)])
def test_the_examples_of_a_page_run(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs.csv").write_text(RUNS, encoding="utf-8")
    namespace: dict[str, object] = {"__name__": page.stem}
    for number, block in enumerate(blocks(page), start=1):
        exec(compile(block, f"{page.name}, example {number}", "exec"), namespace)


def test_the_first_steps_show_more_than_reading():
    assert len(blocks(ROOT / "docs" / "first_steps.md")) >= 5
