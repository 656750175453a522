"""Configuration of the documentation: `sphinx-build -W doc doc/_build`."""

import os
import tomllib
from pathlib import Path

# sphinx-gallery imports the names that examples use, and HalvingRandomSearchCV needs this import.
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sphinx_gallery.sorting import ExplicitOrder

import skhier

project = "skhier"
author = "the skhier developers"
copyright = "2026, the skhier developers"
version = release = skhier.__version__
pyproject = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())
urls = pyproject["project"].get("urls", {})
extensions = [
    "matplotlib.sphinxext.plot_directive",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.intersphinx",
    "sphinx.ext.mathjax",
    "sphinx_copybutton",
    "sphinx_gallery.gen_gallery",
    "sphinx-mathjax-offline",
    "sphinxcontrib.bibtex",
]
html_theme = "pydata_sphinx_theme"
html_theme_options = {
    "header_links_before_dropdown": 6,
    "icon_links": [
        {"name": name, "url": url, "icon": "fa-solid fa-code-branch"}
        for name, url in urls.items()
        if name == "Repository"
    ],
    "navbar_persistent": ["search-button"],  # a field would need a second row
    "navigation_depth": 3,
    "secondary_sidebar_items": ["page-toc"],
    "show_nav_level": 1,
    "show_toc_level": 2,
}
html_title = "skhier"
# Pages without subpages have no navigation to show in a sidebar.
html_sidebars = {
    page: []
    for page in ("index", "get_started", "benchmarks", "glossary", "development", "changelog")
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
# A copied example has neither prompts nor output.
copybutton_prompt_text = r">>> |\.\.\. "
copybutton_prompt_is_regexp = True
# Where the list of a site's names cannot be downloaded, an empty list takes its place: without a
# network, names of other libraries are no links, and no warning fails the build.
_SITES = {
    "dask": "https://docs.dask.org/en/stable/",
    "numpy": "https://numpy.org/doc/stable/",
    "python": "https://docs.python.org/3/",
    "scipy": "https://docs.scipy.org/doc/scipy/",
    "sklearn": "https://scikit-learn.org/stable/",
    "torch": "https://docs.pytorch.org/docs/stable/",
}
_NO_NAMES = str(Path(__file__).parent / "no_names.inv")
intersphinx_mapping = {name: (site, (None, _NO_NAMES)) for name, site in _SITES.items()}
intersphinx_timeout = 5
# A broken link fails the build, but for links to other libraries.
nitpicky = True
nitpick_ignore_regex = [("py:.*", r"(dask|numpy|pickle|scipy|sklearn|tempfile|torch)(\..*)?")]
# Docstrings inherited from scikit-learn refer to labels and terms of scikit-learn's pages.
suppress_warnings = ["ref.ref"]
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
