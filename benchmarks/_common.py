"""Measurement of time and memory, and tables, for all benchmarks."""

import csv
import resource
import sys
import threading
import time
from pathlib import Path


def measure(function, *args, **kwargs):
    """Return (result, seconds) of `function(*args, **kwargs)`."""
    start = time.perf_counter()
    result = function(*args, **kwargs)
    return result, time.perf_counter() - start


def peak_gigabytes():
    """Return the peak memory of this process so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1e9 if sys.platform == "darwin" else 1e6)


def anonymous_gigabytes():
    """Return the anonymous resident memory that this process holds now."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) / 1e6


def peak_during(function, *args):
    """Return (peak, seconds) of `function(*args)`.

    The peak is the largest anonymous memory in GB, less the memory at the start.
    """
    start, done, peaks = anonymous_gigabytes(), threading.Event(), [0.0]

    def watch():
        while not done.wait(0.01):
            peaks.append(anonymous_gigabytes() - start)

    watcher = threading.Thread(target=watch)
    watcher.start()
    _, seconds = measure(function, *args)
    done.set()
    watcher.join()
    return max(peaks), seconds


class Table:
    """Table that is printed row by row, and written to a CSV file if one is named."""

    def __init__(self, *columns, csv_path=None, first_width=12):
        self._columns, self._csv_path, self._rows = columns, csv_path, []
        self._first_width = first_width
        self._print(columns)

    def add(self, *values):
        """Print one row, and write the table with it."""
        self._rows.append(values)
        self._print([f"{v:.4g}" if isinstance(v, float) else v for v in values])
        if self._csv_path:
            with open(self._csv_path, "w", newline="") as file:
                csv.writer(file).writerows([self._columns, *self._rows])

    def _print(self, cells):
        first, *others = (f"{cell!s:>12}" for cell in cells)
        print("  ".join([f"{first:>{self._first_width}}", *others]), flush=True)
