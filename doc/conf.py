"""Configuration of the documentation: `sphinx-build -W doc doc/_build`."""

import os

# sphinx-gallery imports the names that examples use, and HalvingRandomSearchCV needs this import.
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sphinx_gallery.sorting import ExplicitOrder

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
# Pages without subpages have no navigation to show in a sidebar.
html_sidebars = {
    page: [] for page in ("index", "get_started", "benchmarks", "development", "changelog")
}
html_show_sourcelink = False
html_static_path = ["_static"]
html_css_files = ["skhier.css"]
templates_path = ["_templates"]
bibtex_bibfiles = ["references.bib"]
plot_html_show_source_link = plot_html_show_formats = False
plot_include_source = True
plot_formats = [("png", 120)]
exclude_patterns = ["_build"]
autosummary_generate = True
autodoc_typehints = "none"  # the types in docstrings are more precise
autodoc_member_order = "bysource"
toc_object_entries_show_parents = "hide"
numpydoc_show_class_members = False
# A broken link fails the build. Pages of other libraries are not downloaded to resolve links.
nitpicky = True
nitpick_ignore_regex = [("py:.*", r"(numpy|pickle|sklearn|tempfile|torch)(\..*)?")]
# Docstrings inherited from scikit-learn refer to labels and terms of scikit-learn's pages.
suppress_warnings = ["ref.ref", "ref.term"]
# Order of the examples; others come after these. The text of a figure for readers who do not see it
# is its titles, so each figure needs one.
_USERS_FIRST = (
    *("layers", "image_folder", "search_classifier", "end_to_end", "fine_tuning", "export_onnx"),
    *("pretrained_features", "grid_search", "cluster", "random_search"),
    *("digits_hierarchy", "figure_3", "random_hierarchy", "learning_curve"),
)
sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    "doc_module": ("skhier",),
    "backreferences_dir": "generated/backreferences",
    "reference_url": {"skhier": None},
    "show_memory": False,
    "remove_config_comments": True,
    "parallel": min(8, os.cpu_count() or 1),  # examples at once; they share the cores
    "subsection_order": ExplicitOrder(["../examples/learning", "../examples/model"]),
    "within_subsection_order": ExplicitOrder([f"plot_{name}.py" for name in _USERS_FIRST] + ["*"]),
}
