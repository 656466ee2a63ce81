"""Settings of the documentation."""

from scaling_bayes import __version__

project = "scaling_bayes"
author = "The scaling_bayes developers"
copyright = "2026, The scaling_bayes developers"  # noqa: A001
version = release = __version__

extensions = ["myst_parser", "numpydoc", "sphinx.ext.autodoc", "sphinx.ext.autosummary"]
myst_enable_extensions = ["dollarmath", "colon_fence"]
autosummary_generate = True
autosummary_imported_members = False
autodoc_typehints = "none"
numpydoc_show_class_members = False
exclude_patterns = ["explanation/calibration_table.md", "_build"]
html_theme = "pydata_sphinx_theme"
html_title = "scaling_bayes"
