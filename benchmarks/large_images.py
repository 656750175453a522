"""Accuracy, time and memory on images of 32x32 to 224x224 pixels.

The task: from which of 15 pictures is a gray crop? Pictures are the photographs and textures in
scikit-image and scikit-learn. Training crops come from the left 55 percent of a picture, held-out
crops from the other 45 percent. Each crop is zoomed by 0.7 to 1.4 and rotated by a multiple of 90
degrees. Its mean is 0 and its variance 1, so that brightness does not identify the picture. Each
row of the table is measured in its own process. Needs scikit-image.

Usage: python benchmarks/large_images.py [--sizes N ...] [--n-train N] [--n-held N] [--csv FILE]
"""

import argparse
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
from _common import Table, measure, peak_gigabytes
from skimage import color, data, feature, transform
from sklearn.datasets import load_sample_images
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import SVC

from skhier import LayerwiseCNNClassifier

NAMES = [
    *("astronaut", "brick", "camera", "chelsea", "coffee", "grass", "gravel"),
    *("hubble_deep_field", "immunohistochemistry", "moon", "retina", "rocket"),
]


def pictures():
    """Return the gray pictures, with values from 0 to 1."""
    loaded = [getattr(data, name)() for name in NAMES]
    loaded += [*load_sample_images().images, data.stereo_motorcycle()[0]]
    return [color.rgb2gray(p) if p.ndim == 3 else p / 255 for p in loaded]


def draw_crops(size, n_train, n_held, seed=0):
    """Return X_train, y_train, X_held, y_held, with `n_train` and `n_held` crops per picture."""
    rng = np.random.default_rng(seed)
    arrays = [], [], [], []
    for label, picture in enumerate(pictures()):
        cut = int(0.55 * picture.shape[1])
        for i, area, n in ((0, picture[:, :cut], n_train), (2, picture[:, cut:], n_held)):
            arrays[i].extend(draw_crop(area, size, rng) for _ in range(n))
            arrays[i + 1].extend([label] * n)
    return [np.array(array) for array in arrays]


def draw_crop(area, size, rng):
    """Draw one zoomed, rotated and standardized crop of `size` x `size` pixels."""
    side = min(int(size / rng.uniform(0.7, 1.4)), *area.shape)
    top, left = (rng.integers(length - side + 1) for length in area.shape)
    crop = area[top : top + side, left : left + side]
    crop = transform.resize(crop, (size, size), anti_aliasing=True)
    crop = np.rot90(crop, rng.integers(4))
    return ((crop - crop.mean()) / (crop.std() + 1e-3)).astype(np.float32)


def binary_patterns(X):
    """Return histograms of local binary patterns at three scales, the classic for textures."""
    return np.array([[*np.concatenate([_histogram(x, r) for r in (1, 2, 4)])] for x in X])


def _histogram(image, radius):
    levels = np.clip(128 + 32 * image, 0, 255).astype(np.uint8)
    patterns = feature.local_binary_pattern(levels, 8, radius, "uniform")
    return np.bincount(patterns.astype(int).ravel(), minlength=10) / patterns.size


METHODS = {
    "default": lambda: LayerwiseCNNClassifier(random_state=0),
    "default, one window": lambda: LayerwiseCNNClassifier(pool_size=["auto", 99], random_state=0),
    "binary patterns + SVM": lambda: make_pipeline(
        FunctionTransformer(binary_patterns), StandardScaler(), SVC(C=10)
    ),
}


def run(method, size, n_train, n_held):
    """Return (accuracy, seconds of the fit, images per second of predict, peak GB)."""
    X, y, X_held, y_held = draw_crops(size, n_train, n_held)
    clf = METHODS[method]()
    _, fit_seconds = measure(clf.fit, X, y)
    predicted, seconds = measure(clf.predict, X_held)
    accuracy = float((predicted == y_held).mean())
    return accuracy, fit_seconds, len(X_held) / seconds, peak_gigabytes()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--sizes", nargs="*", type=int, default=[32, 64, 96, 224])
    parser.add_argument("--n-train", type=int, default=100)
    parser.add_argument("--n-held", type=int, default=60)
    parser.add_argument("--csv")
    options = parser.parse_args()
    columns = "method", "size", "accuracy", "fit s", "images/s", "peak GB"
    table = Table(*columns, csv_path=options.csv, first_width=22)
    for size in options.sizes:
        for method in METHODS:
            with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
                result = pool.submit(run, method, size, options.n_train, options.n_held).result()
            table.add(method, size, *result)
