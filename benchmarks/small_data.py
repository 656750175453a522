"""Accuracy against the number of labeled images: 500 to 10,000, on CPU.

Every method sees the first n training images and their labels only. CIFAR-10: DATA.npz (X, y),
training images from the first four fifths, held out are the rest. Fashion-MNIST: its training
and test images. With --validate, the held-out images are 5,000 training images that no method
learns from: the place to choose parameters.

Needs kymatio, for the scattering transform.

Usage: python benchmarks/small_data.py [--cifar10 DATA.npz] [--fashion-mnist FOLDER]
           [--validate] [--sizes N ...] [--methods NAME ...] [--csv FILE] [--plot FILE]
"""

import argparse

import matplotlib.pyplot as plt
import numpy as np
import torch
from _cnn import best_epoch, train_tutorial_cnn
from _common import Table, measure
from kymatio.scattering2d.frontend.torch_frontend import ScatteringTorch2D
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from skhier import LayerwiseCNNClassifier, RidgeHead
from skhier.datasets import load_fashion_mnist, load_npz


def run_ours(X, y, X_held, y_held, mirror):
    clf = LayerwiseCNNClassifier(mirror=mirror, random_state=0)
    _, seconds = measure(clf.fit, X, y)
    return clf.score(X_held, y_held), seconds


def run_cnn(X, y, X_held, y_held, mirror):
    n_epochs = max(15, 60_000 // len(X) // 2)
    return best_epoch(train_tutorial_cnn(X, y, X_held, y_held, 0, n_epochs=n_epochs))


def run_pixel_svm(X, y, X_held, y_held, mirror):
    parts = [images.reshape(len(images), -1) for images in (X, X_held)]
    return fit_and_score(SVC(C=10), *parts, y, y_held)


def scattering(images):
    """Scattering coefficients of order 2 over 4x4 pixels, 81 for each channel."""
    transform = ScatteringTorch2D(J=2, shape=images.shape[1:3], L=8)
    batches = torch.from_numpy(images.transpose(0, 3, 1, 2).copy()).split(64)
    return torch.cat([transform(batch).flatten(1) for batch in batches]).numpy()


def run_scattering(X, y, X_held, y_held, mirror, *, make_head):
    parts, seconds = measure(lambda: [scattering(images) for images in (X, X_held)])
    head = make_pipeline(StandardScaler(), make_head())
    accuracy, head_seconds = fit_and_score(head, *parts, y, y_held)
    return accuracy, seconds * len(X) / (len(X) + len(X_held)) + head_seconds


def fit_and_score(clf, X, X_held, y, y_held):
    _, seconds = measure(clf.fit, X, y)
    return clf.score(X_held, y_held), seconds


METHODS = {
    "skhier": run_ours,
    "CNN, end to end": run_cnn,
    "RBF SVM": run_pixel_svm,
    "scattering + linear": lambda *parts: run_scattering(*parts, make_head=RidgeHead),
    "scattering + RBF SVM": lambda *parts: run_scattering(*parts, make_head=lambda: SVC(C=10)),
}
parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
parser.add_argument("--cifar10")
parser.add_argument("--fashion-mnist")
parser.add_argument("--validate", action="store_true")
parser.add_argument("--sizes", nargs="*", type=int, default=[500, 1000, 5000, 10_000])
parser.add_argument("--methods", nargs="*", default=list(METHODS), choices=list(METHODS))
parser.add_argument("--csv")
parser.add_argument("--plot")
options = parser.parse_args()

# name -> (images, labels, number of training images, whether mirror images are likely too)
DATA = {}
if options.cifar10:
    bunch = load_npz(options.cifar10)
    DATA["CIFAR-10"] = bunch.images, bunch.target, len(bunch.images) * 4 // 5, True
if options.fashion_mnist:
    bunch = load_fashion_mnist(options.fashion_mnist)
    DATA["Fashion-MNIST"] = bunch.images[..., None], bunch.target, bunch.n_train, False

table = Table(
    "method", "data", "labeled", "accuracy", "fit s", csv_path=options.csv, first_width=22
)
figure, axes = plt.subplots(1, len(DATA), figsize=(5 * len(DATA), 4), squeeze=False)
for ax, (data, (X, y, n_train, mirror)) in zip(axes[0], DATA.items()):
    X = X.astype(np.float32)
    held = slice(n_train - 5000, n_train) if options.validate else slice(n_train, len(X))
    for method in options.methods:
        accuracies = []
        for n in options.sizes:
            accuracy, seconds = METHODS[method](X[:n], y[:n], X[held], y[held], mirror)
            accuracies.append(accuracy)
            table.add(method, data, n, accuracy, seconds)
        ax.plot(options.sizes, accuracies, "o-", label=method)
    ax.set(xscale="log", xlabel="labeled images", ylabel="held-out accuracy", title=data)
    ax.set_xticks(options.sizes, options.sizes)
    ax.minorticks_off()
axes[0, 0].legend(frameon=False, fontsize="small")
if options.plot:
    figure.savefig(options.plot, dpi=150, bbox_inches="tight")
