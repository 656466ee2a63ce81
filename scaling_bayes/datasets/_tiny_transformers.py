"""Byte-level transformers trained on Python's standard library."""

from __future__ import annotations

from importlib.resources import as_file, files

from scaling_bayes.runs import Runs, read_runs


def load_tiny_transformers() -> Runs:
    """Return a sweep of small transformers over bytes, and larger runs held out of it.

    101 runs of 7,168 to 819,200 parameters and 4e9 to 5e12 FLOPs (``split`` is ``train``), and 6
    with 5 to 20 times the largest compute (``held_out``), whose losses were forecast before
    they were trained. The ``train`` runs hold eight slices of equal compute, a full grid of six
    sizes and six lengths, and two more seeds of 12 points; ``part`` says which is which. The
    text is the source of Python's standard library, and a token is a byte.

    Columns: ``run``, ``part``, ``split``, ``n_params`` (all parameters; the output layer shares
    the embedding), ``n_params_non_embedding``, ``tokens`` (bytes predicted in training),
    ``flops`` (6 N D), ``flops_exact`` (with attention), ``loss`` (nats per byte of validation
    files, one set for all runs), ``loss_se`` (its standard error over files), ``lr`` (peak),
    ``batch`` (windows per step), ``context`` (bytes per window), ``steps``, ``width``,
    ``depth``, ``heads``, ``seed``, ``epochs`` (times that the text was read), ``seconds``,
    ``corpus`` (first digits of the text's SHA-256), and the versions ``python``, ``jax`` and
    ``optax``.

    The rows are measurements by ``examples/train_sweep``, under CC0 1.0; the data card,
    ``tiny_transformers.md`` beside the table, says how they were made and what they cannot show.

    Returns
    -------
    Runs

    Examples
    --------
    >>> runs = load_tiny_transformers()
    >>> len(runs.where("split == 'train'")), len(runs.where("split == 'held_out'"))
    (101, 6)
    """
    with as_file(files("scaling_bayes.datasets") / "tiny_transformers.csv") as path:
        return read_runs(path)
