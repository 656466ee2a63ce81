"""A fit as one NetCDF file, which plain ArviZ opens too."""

from scaling_bayes._fit.storage.fit_file import read, write

__all__ = ["read", "write"]
