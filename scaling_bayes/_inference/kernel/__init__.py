"""Sums of powers as machine code that is kept on disk.

PyMC and PyTensor compile a model anew in every process, which takes many times as long as to
sample it. Every `laws.PowerSum` with a noise and a discrepancy of this package is the same few
array operations, so they are written here once, for all of them, with their gradient by hand.
What PyMC makes of `scaling_bayes.build_model` is the reference that the tests hold it to; any
other model is sampled by way of PyMC.
"""
