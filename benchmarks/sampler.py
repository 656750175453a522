"""Speed and memory of HierarchicalSampler, compared with a copy of its output and with plain code.

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

import numpy as np
import torch
from _common import Table, measure
from torch.utils.data import BatchSampler, DataLoader, SequentialSampler

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


STRINGS = {  # depth -> number of strings, which take the time of ten million symbols or more
    4: 1_000_000,
    10: 20_000,
}


def draw_with_numpy(tables, n):
    """Draw n strings as bytes, as plain NumPy code does."""
    rng = np.random.default_rng()
    level = rng.integers(len(tables[0]), size=(n, 1), dtype=np.uint8)
    for table in tables:
        rules = rng.integers(table.shape[1], size=level.shape, dtype=np.uint8)
        level = table[level, rules].reshape(n, -1)
    return level


def draw_with_torch(tables, n):
    """Draw n strings as bytes, as plain torch code does."""
    level = torch.randint(len(tables[0]), (n, 1), dtype=torch.uint8)
    for table in tables:
        level = table[level.int(), torch.randint(table.shape[1], level.shape)].flatten(1)
    return level


def strings():
    """Print the rates of strings as bytes, and those of plain code, in one thread."""
    torch.set_num_threads(1)
    table = Table("v=32, m=8, s=2", "strings/s", "distinct/s", "NumPy/s", "torch/s", first_width=30)
    for depth, n in STRINGS.items():
        sampler = random_hierarchy(depth)
        tables = [patches[:, :, 0].astype(np.uint8) for patches in sampler.patches_[:-1]]
        tensors = [torch.from_numpy(patches) for patches in tables]
        table.add(
            f"L={depth}, {n} strings",
            rate(n, sampler.sample, n, output="symbols"),
            rate(n, sampler.sample, n, output="symbols", replace=False),
            rate(n, draw_with_numpy, tables, n),
            rate(n, draw_with_torch, tensors, n),
        )


def loading():
    """Print the rates at which DataLoader reads batches of 1000 strings in this process."""
    table = Table("v=32, m=8, s=2, L=4", "batches/s", "samples/s", "single/s", first_width=30)
    for layout in ("tokens", "ncl"):
        dataset = random_hierarchy(4).to_torch_dataset(10_000, layout=layout)
        indices = BatchSampler(SequentialSampler(dataset), 1000, drop_last=False)
        table.add(
            layout,
            rate(10_000, list, DataLoader(dataset, batch_size=None, sampler=indices)),
            rate(10_000, list, DataLoader(dataset, batch_size=1000)),
            rate(1000, lambda data: [data[i] for i in range(1000)], dataset),
        )


def random_hierarchy(depth):
    """Return the sampler of a Random Hierarchy Model with 32 symbols and 8 synonyms."""
    return make_random_hierarchy(
        1,
        n_classes=32,
        vocabulary_size=32,
        n_synonyms=8,
        depth=depth,
        return_X_y=False,
        random_state=0,
    ).sampler


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


PEAKS = {  # name -> code of a new process, and bytes of the output that it holds
    "fit": ("s.sample(1)", 0),
    "sample(500_000)": ("X, y = s.sample(500_000)", 500_000 * 27 * 27 * 4),
    "iter_batches(10**7)": (
        "n = sum(len(y) for X, y in s.iter_batches(10**7))",
        1000 * 27 * 27 * 4,
    ),
    "10**7 strings, L=10, symbols": (
        """s = random_hierarchy(10)
n = sum(len(y) for X, y in s.iter_batches(10**7, output="symbols"))""",
        1000 * 1024,
    ),
}
PROCESS = """
import sys; sys.path.insert(0, {folder!r})
from _common import peak_gigabytes
from sampler import random_hierarchy
from skhier import HierarchicalSampler
s = HierarchicalSampler(random_state=0).fit()
{call}
print(peak_gigabytes())
"""


def memory():
    """Print the peak memory of new processes, and the size of their output."""
    table = Table("call", "peak GB", "output GB", "seconds", first_width=30)
    for name, (call, n_bytes) in PEAKS.items():
        code = PROCESS.format(folder=str(Path(__file__).parent), call=call)
        run, seconds = measure(
            subprocess.run, [sys.executable, "-c", code], check=True, capture_output=True, text=True
        )
        table.add(name, float(run.stdout), n_bytes / 1e9, seconds)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--csv")
    options = parser.parse_args()
    for print_table in (building, memory, inference, strings, loading):
        print_table()
        print()
    sampling(options.csv)
