"""Configuration of the documentation: `sphinx-build -W doc doc/_build`."""

import skhier

project = "skhier"
author = "the skhier developers"
copyright = "2026, the skhier developers"
version = release = skhier.__version__
extensions = [
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "sphinx_gallery.gen_gallery",
]
html_theme = "pydata_sphinx_theme"
html_title = "skhier"
exclude_patterns = ["_build"]
autosummary_generate = True
numpydoc_show_class_members = False
# Docstrings inherited from scikit-learn refer to labels of its own pages.
suppress_warnings = ["ref.ref"]
sphinx_gallery_conf = {"examples_dirs": "../examples", "gallery_dirs": "auto_examples"}
