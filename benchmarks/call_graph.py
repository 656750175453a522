"""Length of the walk through the code: functions, files and depth of calls of predict and of fit.

A LayerwiseCNNClassifier with default parameters (two layers) is fitted to 200 of scikit-learn's
digits and predicts them. Functions are the distinct functions of skhier that are called, files are
the files that they are in, and depth is the largest number of nested calls of them. Comprehensions
and lambdas are not counted. A second table has the number of calls in the fit of each function in
CALLS. With --list, functions are listed by file, each with its number of calls (a generator is
called at each step), and so is the deepest chain of calls.

Usage: python benchmarks/call_graph.py [--list] [--csv FILE]
"""

import argparse
import sys
from collections import Counter
from itertools import groupby
from pathlib import Path

from _common import Table
from sklearn.datasets import load_digits

import skhier
from skhier import LayerwiseCNNClassifier

CALLS = {  # name in the table -> qualified name of a function or method
    "plans made": "plan_coding",
    "encoders built": "PatchEncoder.__init__",
    "devices resolved": "resolve_device",
}
PACKAGE = Path(skhier.__file__).parent


def trace(function, *args):
    """Return (calls, chain) of `function(*args)`.

    `calls` counts the calls of each function of skhier, by its (file, qualified name). `chain` is
    the list of the functions in the deepest nested calls, the outermost first.
    """
    calls, chain = Counter(), []

    def profile(frame, event, arg):
        nonlocal chain
        if event == "call" and is_counted(frame.f_code):
            nested = [name_of(code) for code in stack(frame) if is_counted(code)]
            calls[nested[0]] += 1
            if len(nested) > len(chain):
                chain = nested

    sys.setprofile(profile)
    try:
        function(*args)
    finally:
        sys.setprofile(None)
    return calls, chain[::-1]


def stack(frame):
    """Yield the code of a frame and of the frames that called it, the innermost first."""
    while frame:
        yield frame.f_code
        frame = frame.f_back


def is_counted(code):
    """Whether code is a function of skhier that has a name."""
    return code.co_filename.startswith(f"{PACKAGE}/") and not code.co_name.startswith("<")


def name_of(code):
    """Return (file, qualified name) of a function of skhier."""
    return str(Path(code.co_filename).relative_to(PACKAGE)), code.co_qualname


def print_list(calls, chain):
    """Print functions by file, each with its number of calls, and the deepest chain of calls."""
    for file, functions in groupby(sorted(calls), key=lambda function: function[0]):
        print(f"  {file}: " + ", ".join(f"{name} {calls[file, name]}" for _, name in functions))
    print("  deepest: " + " > ".join(name for _, name in chain))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--csv")
    options = parser.parse_args()
    X, y = load_digits().images[:200], load_digits().target[:200]
    clf = LayerwiseCNNClassifier(random_state=0)
    fit = trace(clf.fit, X, y)
    predict = trace(clf.predict, X)
    table = Table("call", "functions", "files", "depth", csv_path=options.csv)
    for name, (calls, chain) in {"predict": predict, "fit": fit}.items():
        table.add(name, len(calls), len({file for file, _ in calls}), len(chain))
        if options.list:
            print_list(calls, chain)
    print()
    table = Table("in a fit", "calls", first_width=max(map(len, CALLS)))
    for name, function in CALLS.items():
        n_calls = sum(n for (_, called), n in fit[0].items() if called == function)
        # Every fit calls each of these functions: if one has no call, its name is out of date.
        table.add(name, n_calls or f"no {function}")
