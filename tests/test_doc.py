"""The documentation: links to other sites, and the check of links between pages."""

import runpy
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

DOC = Path(__file__).parents[1] / "doc"


def configuration():
    """Return the names that conf.py defines."""
    return runpy.run_path(str(DOC / "conf.py"))


NOWHERE = "http://127.0.0.1:9/"  # a port that nothing listens on


@pytest.mark.parametrize("has_fallback", [True, False])
def test_sites_that_cannot_be_reached_do_not_fail_the_build(tmp_path, has_fallback):
    mapping = {
        name: (f"{NOWHERE}{name}/", lists if has_fallback else None)
        for name, (_, lists) in configuration()["intersphinx_mapping"].items()
    }
    conf = f"extensions = ['sphinx.ext.intersphinx']\nintersphinx_mapping = {mapping!r}\n"
    (tmp_path / "conf.py").write_text(conf)
    (tmp_path / "index.rst").write_text("Title\n=====\n\n:py:class:`numpy.ndarray`\n")
    command = [sys.executable, "-m", "sphinx", "-W", "-q", "-b", "dummy", tmp_path, tmp_path / "o"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (result.returncode == 0) == has_fallback
    assert ("failed to reach any of the inventories" in result.stderr) == (not has_fallback)


@pytest.mark.parametrize("urls", [{}, {"Repository": "https://code.invalid"}])
def test_pages_link_to_the_repository_if_it_has_an_address(monkeypatch, urls):
    monkeypatch.setattr(tomllib, "loads", lambda text: {"project": {"urls": urls}})
    links = configuration()["html_theme_options"]["icon_links"]
    assert [link["url"] for link in links] == list(urls.values())


PAGE = '<p id="here"><a href="{}">link</a></p>'


@pytest.mark.parametrize(
    ("link", "is_dead"),
    [
        ("#here", False),
        ("#there", True),
        ("", False),
        ("other.html", False),
        ("other.html?v=1#h%65re", False),
        ("other.html#there", True),
        ("missing.html", True),
        ("folder/", False),
        ("folder", False),
        ("folder/index.html#here", False),
        ("missing.png", True),
        ("_static/template.html", False),
        ("https://site.invalid/missing.html", False),
        ("//site.invalid/missing.html", False),
        ("mailto:someone@site.invalid", False),
        ("data:image/png;base64,AAAA", False),
    ],
)
def test_dead_links_are_found(tmp_path, link, is_dead):
    pages = {
        "page.html": link,
        "other.html": "page.html#here",
        "folder/index.html": "../page.html",
        "_static/template.html": "{{ a template of the theme }}",
    }
    for name, target in pages.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(PAGE.format(target))
    dead_links = runpy.run_path(str(DOC / "check_links.py"))["dead_links"]
    expected = [((tmp_path / "page.html").resolve(), link)] if is_dead else []
    assert list(dead_links(tmp_path)) == expected


def test_the_check_fails_with_dead_links_and_without_pages(tmp_path):
    command = [sys.executable, DOC / "check_links.py", tmp_path]
    empty = subprocess.run(command, capture_output=True, text=True, check=False)
    assert empty.returncode == 1
    assert "no HTML pages" in empty.stderr
    (tmp_path / "page.html").write_text(PAGE.format("missing.html"))
    dead = subprocess.run(command, capture_output=True, text=True, check=False)
    assert dead.returncode == 1
    assert "missing.html" in dead.stdout
    assert dead.stdout.endswith("1 dead links\n")
    (tmp_path / "missing.html").write_text(PAGE.format("page.html#here"))
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0
