"""The Cerebras-GPT models."""

from __future__ import annotations

from importlib.resources import as_file, files

from scaling_bayes.runs import Runs, read_runs


def load_cerebras_gpt() -> Runs:
    """Return the seven Cerebras-GPT models, 111M to 13B parameters.

    Each is trained on the Pile with about 20 tokens per parameter. ``loss`` is that on the
    test set of the Pile, in nats per token; the column ``model`` holds the name. Sizes, tokens
    and FLOPs are rounded as published.

    Their FLOPs are not 6 N D: the paper counts the operations of attention and of the output
    layer too, which matter most in small models. They are 1.15 to 1.76 times 6 N D, so the
    table is read with ``flops_tolerance=0.8``.

    Returns
    -------
    Runs

    References
    ----------
    Dey et al. 2023, Cerebras-GPT: Open Compute-Optimal Language Models Trained on the Cerebras
    Wafer-Scale Cluster, arXiv 2304.03208.

    Examples
    --------
    >>> len(load_cerebras_gpt())
    7
    """
    with as_file(files("scaling_bayes.datasets") / "cerebras_gpt.csv") as path:
        return read_runs(path, flops_tolerance=0.8)
