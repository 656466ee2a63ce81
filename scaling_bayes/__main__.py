"""``python -m scaling_bayes``: the command line."""

from __future__ import annotations

import sys

from scaling_bayes.cli import main

sys.exit(main())
