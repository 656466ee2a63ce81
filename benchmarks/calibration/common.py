"""What the commands of this folder share."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

DEFAULT_FOLDER = Path(__file__).parents[3] / "shared" / "data"


def arguments(description: str | None) -> argparse.ArgumentParser:
    """Return a parser that knows where the tables are."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--data",
        type=Path,
        default=Path(os.environ.get("SCALING_BAYES_DATA", DEFAULT_FOLDER)),
        help="folder with the tables (default: %(default)s; $SCALING_BAYES_DATA)",
    )
    return parser
