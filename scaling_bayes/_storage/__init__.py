"""A fit as one NetCDF file, which plain ArviZ opens too."""

from scaling_bayes._storage._file import read, write

__all__ = ["read", "write"]
