"""The file that the command saves the classifier to."""

import os
from importlib.util import find_spec
from pathlib import Path

import joblib


def check_model(path):
    """Return the path of a model, with the suffix .joblib if it has none.

    Raises
    ------
    ValueError
        If the suffix is not known, or the file cannot be written.
    ImportError
        If skops, which writes files .skops, is not installed.
    """
    path = Path(os.path.expanduser(path))
    if path.is_dir():
        raise ValueError(f"{path} is a folder: name a file in it, such as {path / 'model.skops'}")
    if not path.suffix:
        path = path.with_suffix(".joblib")
    if path.suffix not in (".joblib", ".skops"):
        raise ValueError(f"{path} has a suffix that is neither .skops nor .joblib")
    if path.suffix == ".skops" and find_spec("skops") is None:
        raise ImportError(f"{path} needs skops: pip install skops, or choose a file .joblib")
    if not path.resolve().parent.is_dir():
        raise ValueError(f"there is no folder {path.parent}")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise ValueError(f"{path} cannot be written")
    return path


def save_model(classifier, path):
    """Save a classifier, and print how to load it."""
    if path.suffix == ".skops":
        import skops.io

        skops.io.dump(classifier, path)
        trusted = f"skops.io.get_untrusted_types(file={str(path)!r})"
        call = f"skops.io.load({str(path)!r}, trusted={trusted})"
    else:
        joblib.dump(classifier, path)
        call = f"joblib.load({str(path)!r})"
    print(f"\nModel: {path}\n   classifier = {call}", flush=True)
