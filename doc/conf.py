"""Configuration of the documentation: `sphinx-build -W doc doc/_build`."""

# The gallery looks up the names that examples use.
from sklearn.experimental import enable_halving_search_cv  # noqa: F401

import skhier

project = "skhier"
author = "the skhier developers"
copyright = "2026, the skhier developers"
version = release = skhier.__version__
extensions = [
    "matplotlib.sphinxext.plot_directive",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "sphinx_gallery.gen_gallery",
    "sphinx-mathjax-offline",
    "sphinxcontrib.bibtex",
]
html_theme = "pydata_sphinx_theme"
html_theme_options = {"show_toc_level": 2, "secondary_sidebar_items": ["page-toc"]}
html_title = "skhier"
# Pages without subpages need no navigation beside them.
html_sidebars = {
    page: []
    for page in ("index", "get_started", "theory", "benchmarks", "development", "changelog")
}
html_show_sourcelink = False
bibtex_bibfiles = ["references.bib"]
plot_html_show_source_link = plot_html_show_formats = False
plot_include_source = True
plot_formats = [("png", 120)]
exclude_patterns = ["_build"]
autosummary_generate = True
numpydoc_show_class_members = False
# Docstrings inherited from scikit-learn refer to labels of its own pages.
suppress_warnings = ["ref.ref"]
sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    "doc_module": ("skhier",),
    "backreferences_dir": "generated/backreferences",
    "reference_url": {"skhier": None},
    "show_memory": False,
}
