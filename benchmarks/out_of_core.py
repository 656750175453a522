"""A million images from a file: time per image and memory, beside 50,000 of them.

The images are the first --n-train of DATA.npz, each --copies times: as it is, then shifted by up
to three pixels and every other time mirrored. They are written to FOLDER as X.npy and y.npy once.
Each fit has a process of its own, reads the images through a memory map, and is a
LayerwiseCNNClassifier with default parameters. Counted is memory that only the process can give
back; the system's copies of files are not in it. Accuracy is that on the rows after --n-train.

Usage: python benchmarks/out_of_core.py DATA.npz FOLDER [--n-train N] [--copies N] [--sizes N ...]
       [--csv FILE]
DATA.npz holds X (n, H, W, C), of which the first n_train are learned from, and y.
"""

import argparse
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from _common import Table, measure, peak_during

from skhier import LayerwiseCNNClassifier
from skhier.datasets import load_npz

REACH = 3  # pixels


def write_copies(bunch, n_train, n_copies, folder):
    """Write shifted and mirrored copies of the first images as FOLDER/X.npy and y.npy."""
    X, y = bunch.images[:n_train], bunch.target[:n_train]
    n, (height, width) = len(X), X.shape[1:3]
    padded = np.pad(X, [(0, 0), (REACH, REACH), (REACH, REACH), (0, 0)], mode="reflect")
    rng = np.random.default_rng(0)
    shape = (n * n_copies, *X.shape[1:])
    out = np.lib.format.open_memmap(folder / "X.npy", mode="w+", dtype=X.dtype, shape=shape)
    for copy in range(n_copies):
        row, column = (REACH, REACH) if copy < 2 else rng.integers(0, 2 * REACH + 1, size=2)
        shifted = padded[:, row : row + height, column : column + width]
        out[copy * n : (copy + 1) * n] = shifted[:, :, ::-1] if copy % 2 else shifted
    out.flush()
    np.save(folder / "y.npy", np.tile(y, n_copies))


def run(path, folder, n, n_train):
    """(gigabytes, seconds, accuracy, seconds to predict) of a fit to the first n copies."""
    X, y = np.load(folder / "X.npy", mmap_mode="r")[:n], np.load(folder / "y.npy")[:n]
    clf = LayerwiseCNNClassifier(random_state=0, verbose=1)
    peak, seconds = peak_during(clf.fit, X, y)
    bunch = load_npz(path)
    held_out = bunch.images[n_train:], bunch.target[n_train:]
    return peak, seconds, *measure(clf.score, *held_out)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("data")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--n-train", type=int, default=40_000)
    parser.add_argument("--copies", type=int, default=25)
    parser.add_argument("--sizes", type=int, nargs="*", default=[50_000, 1_000_000])
    parser.add_argument("--csv")
    options = parser.parse_args()
    if not (options.folder / "y.npy").exists():
        options.folder.mkdir(parents=True, exist_ok=True)
        write_copies(load_npz(options.data), options.n_train, options.copies, options.folder)
    table = Table("images", "peak GB", "fit s", "ms an image", "accuracy", csv_path=options.csv)
    for n in options.sizes:
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            job = pool.submit(run, options.data, options.folder, n, options.n_train)
            peak, seconds, accuracy, _ = job.result()
        table.add(n, peak, seconds, 1000 * seconds / n, accuracy)
