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

    def __init__(self, *columns, csv_path=None):
        self._columns, self._csv_path, self._rows = columns, csv_path, []
        print("  ".join(f"{c:>12}" for c in columns), flush=True)

    def add(self, *values):
        """Print and keep one row."""
        self._rows.append(values)
        cells = (f"{v:>12.4g}" if isinstance(v, float) else f"{v!s:>12}" for v in values)
        print("  ".join(cells), flush=True)
        if self._csv_path:
            with open(self._csv_path, "w", newline="") as file:
                csv.writer(file).writerows([self._columns, *self._rows])
