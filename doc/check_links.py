"""Check the internal links of built HTML pages: `python doc/check_links.py FOLDER`.

Prints every link to a file, or to a place on a page, that does not exist. The exit status is 1 if
there are any. Links to other sites are not followed.
"""

import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit


class Page(HTMLParser):
    """Links of a page, and the places in it that links may name."""

    def __init__(self, path):
        super().__init__()
        self.links, self.places = [], {"", "top"}
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.links += [attributes[name] for name in ("href", "src") if attributes.get(name)]
        self.places |= {attributes.get("id"), attributes.get("name")}


def dead_links(folder):
    """Yield pairs (page, link) of links whose file or place does not exist."""
    paths = [path.resolve() for path in sorted(Path(folder).rglob("*.html"))]
    # Templates of the theme are copied to _static, and are no pages.
    pages = {path: Page(path) for path in paths if "_static" not in path.parts}
    if not pages:
        raise SystemExit(f"{folder} has no HTML pages: give the folder that sphinx-build wrote.")
    for path, page in pages.items():
        for link in page.links:
            url = urlsplit(link)
            if url.scheme or url.netloc:
                continue
            target = (path.parent / unquote(url.path)).resolve() if url.path else path
            target = target / "index.html" if target.is_dir() else target
            is_place = target not in pages or unquote(url.fragment) in pages[target].places
            if not (target.is_file() and is_place):
                yield path, link


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    dead = list(dead_links(sys.argv[1]))
    print(*(f"{path}: {link}" for path, link in dead), f"{len(dead)} dead links", sep="\n")
    raise SystemExit(bool(dead))
