"""Settings of the documentation."""

from importlib.metadata import version as version_of

project = "scaling_bayes"
author = "The scaling_bayes developers"
copyright = "2026, The scaling_bayes developers"  # noqa: A001
version = release = version_of("scaling-bayes")

extensions = ["myst_parser", "numpydoc", "sphinx.ext.autodoc", "sphinx.ext.autosummary"]
myst_enable_extensions = ["dollarmath", "colon_fence"]
autosummary_generate = True
autosummary_imported_members = False
autodoc_typehints = "none"
numpydoc_show_class_members = False
exclude_patterns = ["_build"]
html_theme = "pydata_sphinx_theme"
html_title = "scaling_bayes"
