"""Methods compared on the images of one file, each in a process of its own.

So that peak memory is that of the method alone.
"""

import argparse
import json
import subprocess
import sys

from _common import Table, peak_gigabytes

from skhier.datasets import load_npz


def run_methods(description, methods, note):
    """Run the methods that the command line names and print a table.

    Parameters
    ----------
    description : str
        Of the script, for ``--help``.
    methods : dict
        Name -> function (X_train, y_train, X_held, y_held, seed) -> (accuracy, seconds), or
        for several at once -> dict of such pairs by name, which is added to the method's.
    note : str
        Printed below the table.
    """
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("data")
    parser.add_argument("--validate", action="store_true")
    parser.add_argument("--methods", nargs="*", default=list(methods), choices=list(methods))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--csv")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        bunch = load_npz(options.data)
        parts = _split(bunch.images, bunch.target, options.validate)
        result = methods[options.one](*parts, options.seed)
        results = result if isinstance(result, dict) else {"": result}
        print(json.dumps([results, peak_gigabytes()]))
        return
    columns = ("method", "accuracy", "fit s", "peak GB")
    table = Table(*columns, csv_path=options.csv, first_width=max(map(len, methods)) + 8)
    for method in options.methods:
        command = [sys.executable, sys.argv[0], options.data, "--one", method]
        command += ["--seed", str(options.seed)] + ["--validate"] * options.validate
        out = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
        results, peak = json.loads(out.splitlines()[-1])
        for name, (accuracy, seconds) in results.items():
            table.add(method + name, accuracy, seconds, peak)
    print(note)


def _split(X, y, validate):
    """Four fifths to learn from, the rest held out; or a part of the four fifths for each."""
    n = len(X)
    n_train, n_held = (7 * n // 10, n // 10) if validate else (4 * n // 5, n - 4 * n // 5)
    held = slice(n_train, n_train + n_held)
    return X[:n_train], y[:n_train], X[held], y[held]
