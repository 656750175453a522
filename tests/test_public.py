"""Every public name has a valid numpydoc docstring, an example and type hints."""

import importlib
import inspect
from dataclasses import is_dataclass
from email.message import Message
from pathlib import Path

import pytest
from numpydoc.docscrape import get_doc_object
from numpydoc.validate import validate

import skhier
from skhier._base import _sklearn

DOC = Path(__file__).parents[1] / "doc"
ROOMS = ["skhier", "skhier.datasets", "skhier.generative", "skhier.plotting", "skhier.theory"]
# As in scikit-learn, docstrings may have no extended summary (ES01) or See Also (SA01), and may
# name what they return (RT02). Examples (EX01) are required by a test below, but for some methods.
OPTIONAL = {"ES01", "EX01", "RT02", "SA01"}


def public_objects():
    """Return a dict of names and the classes, functions and methods that skhier defines."""
    objects = {}
    for room in ROOMS:
        module = importlib.import_module(room)
        for name in module.__all__:
            thing = getattr(module, name)
            objects.setdefault(f"{thing.__module__}.{thing.__qualname__}", thing)
    for name, thing in list(objects.items()):
        if inspect.isclass(thing):
            for attribute, value in inspect.getmembers(thing, inspect.isroutine):
                is_ours = (getattr(value, "__module__", None) or "").startswith("skhier")
                if is_ours and not attribute.startswith("_"):
                    objects[f"{name}.{attribute}"] = value
    return objects


OBJECTS = public_objects()
# Methods of all estimators or displays need no example: the example of the class shows them.
COMMON = {
    *("fit", "transform", "fit_transform", "inverse_transform", "predict", "predict_proba"),
    *("decision_function", "score", "set_output", "plot", "from_estimator"),
    *("get_params", "set_params"),
}


def is_record(thing):
    """Whether `thing` is a class of results, which users read but do not create."""
    return inspect.isclass(thing) and (issubclass(thing, tuple) or is_dataclass(thing))


@pytest.mark.parametrize("name", OBJECTS)
def test_docstrings_are_valid_numpydoc(name):
    optional = OPTIONAL | ({"PR01"} if is_record(OBJECTS[name]) else set())
    errors = [f"{code}: {text}" for code, text in validate(name)["errors"] if code not in optional]
    assert not errors


@pytest.mark.parametrize("name", [name for name, thing in OBJECTS.items() if is_record(thing)])
def test_fields_of_records_are_documented(name):
    record = OBJECTS[name]
    fields = getattr(record, "_fields", None) or getattr(record, "__dataclass_fields__", ())
    documented = ", ".join(entry.name for entry in get_doc_object(record)["Attributes"])
    assert documented
    assert set(fields) <= set(documented.split(", "))


@pytest.mark.parametrize("name", [name for name in OBJECTS if name.split(".")[-1] not in COMMON])
def test_docstrings_have_examples(name):
    assert get_doc_object(OBJECTS[name])["Examples"]


@pytest.mark.parametrize("name", [n for n, thing in OBJECTS.items() if not is_record(thing)])
def test_signatures_have_type_hints(name):
    signature = inspect.signature(OBJECTS[name])
    parameters = [p for p in signature.parameters.values() if p.name != "self"]
    assert not [p.name for p in parameters if p.annotation is p.empty]
    assert inspect.isclass(OBJECTS[name]) or signature.return_annotation is not signature.empty


def test_the_api_pages_have_every_public_name():
    pages = [DOC / "api.rst", *(DOC / "api").glob("*.rst")]
    listed = {line.strip() for page in pages for line in page.read_text().splitlines()}
    for room in ROOMS:
        prefix = f"{room}.".removeprefix("skhier.")
        for name in importlib.import_module(room).__all__:
            assert {name, f"{prefix}{name}"} & listed


def test_the_html_of_an_estimator_links_to_its_page_if_there_is_a_site(monkeypatch):
    monkeypatch.setattr(_sklearn, "_documentation_site", lambda: "https://site.invalid/")
    estimators = [(f"skhier.{name}", getattr(skhier, name)()) for name in skhier.__all__]
    grammar = skhier.generative.GrammarSampler([[[(0,)], [(1,)]]])
    for name, estimator in [*estimators, ("skhier.generative.GrammarSampler", grammar)]:
        assert f'href="https://site.invalid/generated/{name}.html"' in estimator._repr_html_()
    monkeypatch.setattr(_sklearn, "_documentation_site", lambda: "")
    for _, estimator in estimators:
        assert "href" not in estimator._repr_html_()


@pytest.mark.parametrize(
    ("urls", "site"),
    [
        ({}, ""),
        ({"Repository": "https://code.invalid"}, ""),
        ({"Documentation": "https://site.invalid"}, "https://site.invalid"),
    ],
)
def test_the_site_is_that_of_the_metadata(monkeypatch, urls, site):
    package = Message()
    for name, url in urls.items():
        package["Project-URL"] = f"{name}, {url}"
    monkeypatch.setattr(_sklearn, "metadata", lambda name: package)
    assert _sklearn._documentation_site.__wrapped__() == site


def test_the_citation_has_the_version_of_the_package():
    citation = Path(__file__).parents[1] / "CITATION.cff"
    assert f"version: {skhier.__version__}\n" in citation.read_text()
