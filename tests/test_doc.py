"""The documentation: its configuration without a network, and the check of its links."""

import io
import runpy
import subprocess
import sys
import tomllib
from pathlib import Path
from urllib.error import URLError

import pytest

DOC = Path(__file__).parents[1] / "doc"


def configuration(monkeypatch, open_url):
    """Return the names that conf.py defines if `open_url` opens URLs."""
    monkeypatch.setattr("urllib.request.urlopen", open_url)
    return runpy.run_path(str(DOC / "conf.py"))


def no_network(url, timeout):
    raise URLError("no network")


def test_without_a_network_no_names_of_other_libraries_are_looked_up(monkeypatch):
    assert configuration(monkeypatch, no_network)["intersphinx_mapping"] == {}


def test_libraries_that_can_be_reached_are_linked(monkeypatch):
    def only_numpy(url, timeout):
        if "numpy" in url:
            return io.BytesIO()
        return no_network(url, timeout)

    mapping = configuration(monkeypatch, only_numpy)["intersphinx_mapping"]
    assert mapping == {"numpy": ("https://numpy.org/doc/stable/", None)}


@pytest.mark.parametrize("urls", [{}, {"Repository": "https://code.invalid"}])
def test_pages_link_to_the_repository_if_it_is_in_the_metadata(monkeypatch, urls):
    monkeypatch.setattr(tomllib, "loads", lambda text: {"project": {"urls": urls}})
    links = configuration(monkeypatch, no_network)["html_theme_options"]["icon_links"]
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
