"""Memory and time of LayerwiseCNNClassifier's fit under limits, which must not change results.

Each limit is measured in its own process. Peaks are anonymous memory, which only the process can
release, less the anonymous memory before the fit. Pages of temporary files do not count: the system
can write them to disk and drop them at any time.

Usage: python benchmarks/memory.py DATA.npz [--limits LIMIT ...] [--n-images N] [--csv FILE]
DATA.npz holds X (n, H, W, C) and y.
"""

import argparse
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
from _common import Table, peak_during

from skhier import LayerwiseCNNClassifier, PatchKMeansOrthogonalizer
from skhier.datasets import load_npz


def run(path, limit, n_images, n_patches, n_scored=1000):
    """Return (peak, seconds, scores of `n_scored` images that are not training images)."""
    bunch = load_npz(path)
    X, y = bunch.images[: n_images + n_scored], bunch.target[:n_images]
    del bunch
    small = LayerwiseCNNClassifier(n_clusters=20, random_state=0)
    small.fit(X[:500], y[:500])  # imports and libraries that any fit loads
    phi = PatchKMeansOrthogonalizer(n_patches=n_patches)
    clf = LayerwiseCNNClassifier(orthogonalizer=phi, memory_limit=limit, random_state=0)
    peak, seconds = peak_during(clf.fit, X[:n_images], y)
    return peak, seconds, clf.decision_function(X[n_images:])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("data")
    parser.add_argument("--limits", nargs="*", default=["2GB", "1GB", "800MB"])
    parser.add_argument("--n-images", type=int, default=40_000)
    parser.add_argument("--n-patches", type=int, default=20_000)
    parser.add_argument("--csv")
    options = parser.parse_args()
    table = Table("memory_limit", "peak GB", "fit s", "same scores", csv_path=options.csv)
    expected = None
    for limit in [None, *options.limits]:
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            job = pool.submit(run, options.data, limit, options.n_images, options.n_patches)
            peak, seconds, scores = job.result()
        expected = scores if expected is None else expected
        table.add(limit, peak, seconds, bool(np.array_equal(scores, expected)))
