"""The page on the architecture names every room of the package, and no other."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import scaling_bayes as sb

PACKAGE = Path(sb.__file__).parent
ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "architecture.md"
ROW = re.compile(r"^\| (`.*?`) \|", flags=re.MULTILINE)


@pytest.fixture(scope="module")
def page() -> str:
    return PAGE.read_text(encoding="utf-8")


def rooms() -> set[str]:
    folders = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    files = {path.stem for path in PACKAGE.glob("*.py")} - {"__init__", "__main__"}
    return folders | files


def test_every_room_is_on_the_page_and_the_other_way_round(page):
    named = [room for row in ROW.findall(page) for room in re.findall(r"`(\w+)`", row)]
    assert len(named) == len(set(named))
    assert set(named) == rooms()


def test_every_path_on_the_page_exists(page):
    paths = [path for path in re.findall(r"`(_?\w+/[\w./]*)`", page) if "tests/" not in path]
    assert len(paths) > 10
    missing = [
        path for path in paths if not (PACKAGE / path).exists() and not (ROOT / path).exists()
    ]
    assert not missing


def test_every_folder_of_tests_is_that_of_a_room():
    folders = {path.name for path in Path(__file__).parent.iterdir() if path.is_dir()}
    private = {room.removeprefix("_") for room in rooms()}
    assert folders - {"__pycache__"} <= private


def test_no_two_files_have_one_name_outside_plots_and_the_command_line():
    names = [
        path.stem.removeprefix("_")
        for path in PACKAGE.rglob("*.py")
        if not {"cli", "plots"} & set(path.relative_to(PACKAGE).parts) and path.stem != "__init__"
    ]
    assert len(names) == len(set(names))
