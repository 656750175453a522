"""Accuracy against the number of labeled images, from 500 to 10,000, without a GPU.

Every method learns from the first n training images and their labels only, and is scored on the
held-out images. With --validate, held-out images are training images that no method learns from.
Use it to choose parameters. Needs kymatio, for the scattering transform.

Usage: python benchmarks/small_data.py DATA [--validate] [--sizes N ...] [--methods ...]
           [--csv FILE] [--plot FILE]
DATA is a .npz file of X (n, H, W, C) and y, or the folder of Fashion-MNIST.
"""

from functools import partial

import matplotlib.pyplot as plt
import numpy as np
import torch
from _cnn import best_epoch, train_tutorial_cnn
from _common import measure
from _methods import fit_and_score, make_parser, run_classifier, run_methods
from kymatio.scattering2d.frontend.torch_frontend import ScatteringTorch2D
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from skhier import RidgeHead


def run_cnn(X, y, X_held, y_held, seed):
    """Train the CNN for about 2,000 steps; return the best of 25 evaluations on held-out images."""
    n_epochs, every = 250_000 // len(X), max(1, 10_000 // len(X))
    split = X, y, X_held, y_held
    return best_epoch(train_tutorial_cnn(*split, seed, n_epochs=n_epochs, every=every))


def run_pixel_svm(X, y, X_held, y_held, seed):
    """Fit the RBF SVM to pixels."""
    rows, rows_held = (images.reshape(len(images), -1) for images in (X, X_held))
    return fit_and_score(make_rbf_svm(), rows, y, rows_held, y_held)


class RBFKernel(TransformerMixin, BaseEstimator):
    """Kernel of SVC with gamma='scale' by matrix products, many times faster than in SVC."""

    def fit(self, X, y=None):
        self.rows_, self.gamma_ = X, 1 / (X.shape[1] * X.var())
        return self

    def transform(self, X):
        return rbf_kernel(X, self.rows_, self.gamma_)


def make_rbf_svm():
    """Return an SVM with the RBF kernel."""
    return make_pipeline(RBFKernel(), SVC(C=10, kernel="precomputed"))


def run_scattering(X, y, X_held, y_held, seed, *, make_head):
    """Fit a head to scattering coefficients; add their share of the seconds."""
    (rows, rows_held), seconds = measure(lambda: [scattering(images) for images in (X, X_held)])
    head = make_pipeline(StandardScaler(), make_head())
    accuracy, head_seconds = fit_and_score(head, rows, y, rows_held, y_held)
    return accuracy, seconds * len(X) / (len(X) + len(X_held)) + head_seconds


def scattering(images):
    """Return scattering coefficients up to order 2, 81 for each channel and 4x4 pixels."""
    transform = ScatteringTorch2D(J=2, shape=images.shape[1:3], L=8)
    batches = torch.from_numpy(images.transpose(0, 3, 1, 2).copy()).split(64)
    return torch.cat([transform(batch).flatten(1) for batch in batches]).numpy()


def for_each_size(run, sizes):
    """Return a method that returns the results of `run` on the first n training images, by n."""

    def run_all(X, y, X_held, y_held, seed):
        return {f", {n}": run(X[:n], y[:n], X_held, y_held, seed) for n in sizes}

    return run_all


METHODS = {
    "skhier": partial(run_classifier, params={}),
    "skhier, mirror": partial(run_classifier, params={"mirror": True}),
    "skhier, kernel": partial(run_classifier, params={"head": "kernel"}),
    "skhier, mirror, kernel": partial(run_classifier, params={"mirror": True, "head": "kernel"}),
    "CNN, end to end": run_cnn,
    "RBF SVM": run_pixel_svm,
    "scattering + linear": partial(run_scattering, make_head=RidgeHead),
    "scattering + RBF SVM": partial(run_scattering, make_head=make_rbf_svm),
}


def draw(curves, sizes, path):
    """Draw accuracies against the number of labeled images, and write the figure to `path`."""
    with plt.style.context("tableau-colorblind10"):
        figure, ax = plt.subplots(figsize=(7.5, 4))
        for (name, curve), marker in zip(curves.items(), "osD^vPX*"):
            ax.plot(sizes, curve, marker=marker, label=name)
    ax.set(xscale="log", xlabel="labeled images", ylabel="accuracy on held-out images")
    ax.set_xticks(sizes, [f"{n:,}" for n in sizes])
    ax.minorticks_off()
    ax.grid(alpha=0.3)
    ax.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    figure.savefig(path, dpi=110, bbox_inches="tight")


if __name__ == "__main__":
    parser = make_parser(__doc__, METHODS)
    parser.add_argument("--sizes", nargs="*", type=int, default=[500, 1000, 5000, 10_000])
    parser.add_argument("--plot")
    options = parser.parse_args()
    sizes = options.sizes
    methods = {name: for_each_size(run, sizes) for name, run in METHODS.items()}
    rows = run_methods(methods, options)
    if options.plot:
        accuracies = np.array([row[1] for row in rows]).reshape(-1, len(sizes))
        draw(dict(zip(options.methods, accuracies)), sizes, options.plot)
