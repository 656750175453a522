"""What the benchmarks share: time, peak memory and tables."""

import csv
import resource
import sys
import time


def measure(function, *args, **kwargs):
    """Return (result, seconds) of `function(*args, **kwargs)`."""
    start = time.perf_counter()
    result = function(*args, **kwargs)
    return result, time.perf_counter() - start


def peak_gigabytes():
    """Peak memory of this process so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1e9 if sys.platform == "darwin" else 1e6)


class Table:
    """Rows printed as they come, and written to a CSV file at the end if one is named."""

    def __init__(self, *columns, csv_path=None, first_width=12):
        self._columns, self._csv_path, self._rows = columns, csv_path, []
        self._first_width = first_width
        self._print(columns)

    def add(self, *values):
        """Print and keep one row."""
        self._rows.append(values)
        self._print([f"{v:.4g}" if isinstance(v, float) else v for v in values])
        if self._csv_path:
            with open(self._csv_path, "w", newline="") as file:
                csv.writer(file).writerows([self._columns, *self._rows])

    def _print(self, cells):
        first, *others = (f"{cell!s:>12}" for cell in cells)
        print("  ".join([f"{first:>{self._first_width}}", *others]), flush=True)
