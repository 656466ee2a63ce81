"""A fit as one NetCDF file, which plain ArviZ opens too."""

from scaling_bayes._fit.storage.fit_file import read, read_pooled, write

__all__ = ["read", "read_pooled", "write"]
