"""The file that the command saves the classifier to."""

from importlib.util import find_spec

import joblib

from ._files import named_file, require_folder, require_writable


def check_model(path):
    """Return the path of a model, with the suffix .joblib if it has none.

    Raises
    ------
    ValueError
        If the suffix is not known, or the file cannot be written.
    ImportError
        If skops, which writes files .skops, is not installed.
    """
    path = named_file(path, ".joblib", "model.skops")
    if path.suffix not in (".joblib", ".skops"):
        raise ValueError(f"{path} has a suffix that is neither .skops nor .joblib")
    if path.suffix == ".skops" and find_spec("skops") is None:
        raise ImportError(f"{path} needs skops: pip install skops, or choose a file .joblib")
    require_folder(path)
    require_writable(path)
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
