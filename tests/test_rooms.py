"""Rooms on floors: which room of the package imports which."""

import ast
from pathlib import Path

import pytest

import skhier

# As the table in CONTRIBUTING.rst has it; every room may import `_base`.
MAY_IMPORT = {
    "_base": set(),
    "generative": set(),
    "clustering": set(),
    "embedding": set(),
    "classifier": {"clustering", "embedding", "_flatten"},
    "datasets": {"generative"},
    "theory": {"classifier", "generative"},
    "plotting": {"theory"},
}
PACKAGE = Path(skhier.__file__).parent


def imported_rooms(path):
    """Rooms that a file imports when it is run; imports for type checkers do not count."""
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.ImportFrom) and node.level == 2:
            yield from [node.module.split(".")[0]] if node.module else [a.name for a in node.names]


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_rooms_import_only_what_is_below_them(room):
    imported = {name for path in (PACKAGE / room).glob("*.py") for name in imported_rooms(path)}
    assert imported - {"_base"} <= MAY_IMPORT[room]


def test_every_room_has_its_floor():
    rooms = {path.parent.name for path in PACKAGE.glob("*/*.py")}
    assert rooms == {*MAY_IMPORT, "_main"}
