"""Speed and memory of HierarchicalSampler, compared with a copy of its output.

Usage: python benchmarks/sampler.py [--csv FILE]

Rates are medians of 7 runs, per CPU-second (user and system time of all threads). Each run writes
to new memory. The first run has its own column, as most of its time is the system's: it provides
memory that no process had before.
"""

import argparse
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

from _common import Table, measure

from skhier import HierarchicalSampler
from skhier.datasets import make_random_hierarchy

MODELS = {
    "27x27, m0=3, s=3, k=30, d=2": {},
    "27x27, Zipf": {"rule_weights": "zipf"},
    "27x27, symbol noise": {"symbol_noise": 0.1},
    "27x27, pixel noise": {"pixel_noise": 0.1},
    "32x32, m0=2, s=2, k=8, d=4": {
        "n_levels": 4,
        "n_semantic_classes": 8,
        "patch_size": 2,
        "patches_per_class": 8,
        "n_root_images": 1,
        "root_shape": (2, 2),
    },
}
BUILT = {
    "16 classes, k=8, s=2, depth 6": {
        "n_levels": 6,
        "n_semantic_classes": 16,
        "patch_size": 2,
        "patches_per_class": 8,
    },
    "8 classes, 3x3, k=50": {"n_semantic_classes": 8, "patches_per_class": 50},
    "appendix D, k=50": {"patches_per_class": 50},
}


def cpu_seconds(function, *args, **kwargs):
    """Return the CPU seconds of `function(*args, **kwargs)`."""
    start = time.process_time()
    function(*args, **kwargs)
    return time.process_time() - start


def rate(n, function, *args, **kwargs):
    """Return items per CPU-second of calls of `function`, each of which handles n items."""
    return n / median(cpu_seconds(function, *args, **kwargs) for _ in range(7))


def stream(sampler, n):
    """Draw n images in batches, and drop them."""
    for _ in sampler.iter_batches(n):
        pass


def sampling(csv_path):
    """Print the rates of sampling."""
    table = Table(
        "model",
        "first img/s",
        "images/s",
        "Mpixel/s",
        "streamed/s",
        "copies/s",
        csv_path=csv_path,
        first_width=30,
    )
    n = 50_000
    for name, params in MODELS.items():
        sampler = HierarchicalSampler(random_state=0, **params).fit()
        first = n / cpu_seconds(sampler.sample, n)
        images, streamed = rate(n, sampler.sample, n), rate(n, stream, sampler, n)
        X, _ = sampler.sample(n)
        table.add(name, first, images, images * X[0].size / 1e6, streamed, rate(n, X.copy))


def inference():
    """Print the rates of parsing, scores, posteriors and Bayes predictions."""
    table = Table("model", "parse/s", "score/s", "posterior/s", "Bayes/s", first_width=30)
    rhm = make_random_hierarchy(1, corruption=0.1, return_X_y=False, random_state=0).sampler
    for name, sampler, n in [
        ("RHM v=8, m=4, s=2, L=4", rhm, 20_000),
        ("appendix D, k=30", HierarchicalSampler(random_state=0).fit(), 4000),
        ("appendix D, noise 1", HierarchicalSampler(pixel_noise=1.0, random_state=0).fit(), 4000),
    ]:
        X, _ = sampler.sample(n)
        is_clean = sampler.pixel_noise == 0 and sampler is not rhm
        table.add(
            name,
            rate(n, sampler.parse, X) if is_clean else "-",
            rate(n, sampler.score_samples, X),
            rate(n, sampler.posterior, X, level=sampler.n_levels - 1),
            rate(n, sampler.bayes_predict_proba, X),
        )


def building():
    """Print the times of fit and of statistics."""
    table = Table("model", "fit ms", "statistics ms", first_width=30)
    for name, params in BUILT.items():
        sampler = HierarchicalSampler(random_state=0, **params)
        fit = 1000 / rate(1, sampler.fit)
        table.add(name, fit, 1000 / rate(1, sampler.fit().statistics))


PEAKS = {  # name -> code of a new process, and number of images that it holds
    "fit": ("s.sample(1)", 0),
    "sample(500_000)": ("X, y = s.sample(500_000)", 500_000),
    "iter_batches(10**7)": ("n = sum(len(y) for X, y in s.iter_batches(10**7))", 1000),
}
PROCESS = """
import sys; sys.path.insert(0, {folder!r})
from _common import peak_gigabytes
from skhier import HierarchicalSampler
s = HierarchicalSampler(random_state=0).fit()
{call}
print(peak_gigabytes())
"""


def memory():
    """Print the peak memory of new processes, and the size of their output."""
    table = Table("call", "peak GB", "output GB", "seconds", first_width=30)
    for name, (call, n) in PEAKS.items():
        code = PROCESS.format(folder=str(Path(__file__).parent), call=call)
        run, seconds = measure(
            subprocess.run, [sys.executable, "-c", code], check=True, capture_output=True, text=True
        )
        table.add(name, float(run.stdout), n * 27 * 27 * 4 / 1e9, seconds)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--csv")
    options = parser.parse_args()
    for print_table in (building, memory, inference):
        print_table()
        print()
    sampling(options.csv)
