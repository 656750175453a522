"""Time per image and memory of fits to 50,000 and to a million images from a file.

The first --n-train images of DATA.npz are copied --copies times. The first copy is the image
itself, and the second its mirror image. Later copies are shifted by up to three pixels, and every
second copy is mirrored. Copies are written once, to X.npy and y.npy in FOLDER. A fit is a
LayerwiseCNNClassifier with default parameters in its own process, which reads the images through a
memory map. Peaks are anonymous memory, which only the process can release; the system's cache of
files does not count. Accuracy is measured on the images of DATA.npz after the first --n-train.

Usage: python benchmarks/out_of_core.py DATA.npz FOLDER [--n-train N] [--copies N] [--sizes N ...]
       [--csv FILE]
DATA.npz holds X (n, H, W, C) and y.
"""

import argparse
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from _common import Table, measure, peak_during

from skhier import LayerwiseCNNClassifier
from skhier.datasets import load_npz

SHIFT = 3  # largest shift of a copy in pixels


def write_copies(bunch, n_train, n_copies, folder):
    """Write shifted and mirrored copies of the first images to X.npy and y.npy in `folder`."""
    X, y = bunch.images[:n_train], bunch.target[:n_train]
    n, (height, width) = len(X), X.shape[1:3]
    padded = np.pad(X, [(0, 0), (SHIFT, SHIFT), (SHIFT, SHIFT), (0, 0)], mode="reflect")
    rng = np.random.default_rng(0)
    shape = (n * n_copies, *X.shape[1:])
    out = np.lib.format.open_memmap(folder / "X.npy", mode="w+", dtype=X.dtype, shape=shape)
    for copy in range(n_copies):
        row, column = (SHIFT, SHIFT) if copy < 2 else rng.integers(0, 2 * SHIFT + 1, size=2)
        shifted = padded[:, row : row + height, column : column + width]
        out[copy * n : (copy + 1) * n] = shifted[:, :, ::-1] if copy % 2 else shifted
    out.flush()
    np.save(folder / "y.npy", np.tile(y, n_copies))


def run(path, folder, n, n_train):
    """Fit to the first n copies; return (peak GB, seconds, accuracy, seconds to predict)."""
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
    table = Table("images", "peak GB", "fit s", "ms per image", "accuracy", csv_path=options.csv)
    for n in options.sizes:
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            job = pool.submit(run, options.data, options.folder, n, options.n_train)
            peak, seconds, accuracy, _ = job.result()
        table.add(n, peak, seconds, 1000 * seconds / n, accuracy)
