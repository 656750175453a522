"""Rooms on floors: which room of the package imports which."""

import ast
import re
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import skhier
from skhier._base._part import Part

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


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_no_files_of_a_room_import_each_other(room):
    """Not even within functions."""
    imports = {
        path.stem: {
            node.module
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.ImportFrom) and node.level == 1
        }
        for path in (PACKAGE / room).glob("*.py")
    }
    TopologicalSorter(imports).prepare()  # raises CycleError


def private_names(path):
    """Return (private names that a file defines, private names of other objects that it uses)."""
    defined, used = set(), set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            defined.add(node.name)
        elif isinstance(node, ast.Name):
            defined.add(node.id)
        elif isinstance(node, ast.Attribute):
            is_own = isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")
            (defined if is_own else used).add(node.attr)
        elif isinstance(node, ast.ImportFrom) and node.level > 0:
            used |= {alias.name for alias in node.names if node.level == 2}
    return tuple({n for n in names if re.match("_[a-z]", n)} for names in (defined, used))


INTERFACE = {name for name in vars(Part) if re.match("_[a-z]", name)}
# Private names of other packages, and of NamedTuple.
FOREIGN = {
    "_replace",
    "_asdict",
    "_param_validation",
    "_validate_params",
    "_init_callback_context",
    "_fit_context",
}


@pytest.mark.parametrize("room", [*MAY_IMPORT, "_main"])
def test_rooms_call_private_methods_of_others_only_by_the_interface_of_parts(room):
    names = [private_names(path) for path in (PACKAGE / room).glob("*.py")]
    defined = set().union(*(names_of_file[0] for names_of_file in names))
    used = set().union(*(names_of_file[1] for names_of_file in names))
    assert {"_plan", "_fit_rows", "_operator"} == INTERFACE
    assert used - defined - FOREIGN <= INTERFACE


def test_every_room_has_its_floor():
    rooms = {path.parent.name for path in PACKAGE.glob("*/*.py")}
    assert rooms == {*MAY_IMPORT, "_main"}
