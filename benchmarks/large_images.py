"""Accuracy, time and memory on images of 32x32 to 224x224 pixels.

The task: from which of 15 pictures is a gray crop? Pictures are the photographs and textures in
scikit-image and scikit-learn. Training crops come from the left 55 percent of a picture, held-out
crops from the other 45 percent. Each crop is zoomed by 0.7 to 1.4 and rotated by a multiple of 90
degrees. Its mean is 0 and its variance 1, so that brightness does not identify the picture. The
CNN trains for as long as the default fit of skhier took. Needs scikit-image.

Usage: python benchmarks/large_images.py [--sizes N ...] [--n-train N ...] [--n-held N]
           [--methods ...] [--threads N] [--csv FILE]
"""

from functools import partial

import numpy as np
from _methods import AsLongAs, Parts, compare, make_parser
from _opponents import calibrated_svm, cnn, hog_svm
from skimage import color, data, feature, transform
from sklearn.datasets import load_sample_images
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

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
    """Return :class:`Parts` with `n_train` and `n_held` crops per picture."""
    rng = np.random.default_rng(seed)
    arrays = [], [], [], []
    for label, picture in enumerate(pictures()):
        cut = int(0.55 * picture.shape[1])
        for i, area, n in ((0, picture[:, :cut], n_train), (2, picture[:, cut:], n_held)):
            arrays[i].extend(draw_crop(area, size, rng) for _ in range(n))
            arrays[i + 1].extend([label] * n)
    return Parts(*map(np.array, arrays))


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
    "default": LayerwiseCNNClassifier(),
    "default, one window": LayerwiseCNNClassifier(pool_size=["auto", 99]),
    "CNN, same time": AsLongAs("default", 1, cnn),
    "CNN, 3 times": AsLongAs("default", 3, cnn),
    "HOG + SVM": hog_svm(),
    "binary patterns + SVM": make_pipeline(
        FunctionTransformer(binary_patterns), StandardScaler(), calibrated_svm()
    ),
}

if __name__ == "__main__":
    parser = make_parser(__doc__, METHODS, data=None)
    parser.add_argument("--sizes", nargs="*", type=int, default=[32, 64, 96, 224])
    parser.add_argument("--n-train", nargs="*", type=int, default=[100])
    parser.add_argument("--n-held", type=int, default=60)
    options = parser.parse_args()
    loads = {
        f"{15 * n} of {size}": partial(draw_crops, size, n, options.n_held)
        for n in options.n_train
        for size in options.sizes
    }
    compare(METHODS, loads, options)
