"""Checks of the files that the command writes, before work starts."""

import os
from pathlib import Path


def named_file(path, suffix, example):
    """Return the path of a file, with `suffix` if it has none.

    Raises
    ------
    ValueError
        If the path is a folder. The message has the file name `example`.
    """
    path = Path(os.path.expanduser(path))
    if path.is_dir():
        raise ValueError(f"{path} is a folder: name a file in it, such as {path / example}")
    return path if path.suffix else path.with_suffix(suffix)


def require_folder(path):
    """Raise ValueError if there is no folder for a file."""
    if not path.resolve().parent.is_dir():
        raise ValueError(f"there is no folder {path.parent}")


def require_writable(path):
    """Raise ValueError if a file cannot be written."""
    if path.is_dir() or not os.access(path if path.exists() else path.parent, os.W_OK):
        raise ValueError(f"{path} cannot be written")
