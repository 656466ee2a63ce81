"""The same seed gives the same draws in the first process and in later ones."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

SCRIPT = """
import sys
import scaling_bayes as sb
runs = sb.read_runs(sys.argv[1], where="besiroglu_included == 1")
settings = sb.SamplerSettings(progressbar=False)
fit = sb.fit(runs, sb.laws.Chinchilla(), settings=settings, seed=1)
sys.stdout.buffer.write(fit.draws["L_inf"].to_numpy().tobytes())
"""


@pytest.mark.slow
def test_a_seed_repeats_with_a_cold_and_a_warm_cache(real_data, tmp_path):
    """With numba's fast math these draws differ, since code from the cache rounds differently."""
    environment = os.environ | {"PYTENSOR_FLAGS": f"base_compiledir={tmp_path}"}
    command = [sys.executable, "-c", SCRIPT, str(real_data("chinchilla_fig4.csv"))]
    cold, warm = (
        subprocess.run(command, env=environment, check=True, capture_output=True).stdout
        for _ in range(2)
    )
    assert len(cold) == 4 * 1000 * 8
    assert cold == warm
