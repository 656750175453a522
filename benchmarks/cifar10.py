"""Our best configurations against the end-to-end CNN on CIFAR-10, in the same run.

Trains on rows 0 to 39,999 of the file and scores rows 40,000 to 49,999. With --validate,
trains on rows 0 to 34,999 and scores rows 35,000 to 39,999: the place to choose parameters.

Each method runs in a process of its own, so that its peak memory is its own.

Usage: python benchmarks/cifar10.py DATA.npz [--validate] [--methods ...] [--csv FILE]
DATA.npz holds X (n, 32, 32, 3) and y.
"""

import argparse
import json
import subprocess
import sys

import torch
from _cnn import standardized, train_epochs, tutorial_body, tutorial_head
from _common import Table, measure, peak_gigabytes
from torch import nn

from skhier import LayerwiseCNNClassifier
from skhier.datasets import load_npz

ONE_BLOCK = dict(
    n_layers=1,
    patch_size=6,
    padding="valid",
    encoding="crelu",
    normalize=True,
    bias=-0.5,
    pooling="average",
    whiten_eps=1e-2,
    kmeans_init="random",
    kmeans_max_iter=10,
    scale_channels=True,
    head="ridge",
)
TWO_BLOCKS = ONE_BLOCK | dict(
    n_layers=2,
    patch_size=[6, 3],
    padding=["valid", "same"],
    whiten_eps=[1e-2, 0.3],
    n_components=128,
    pool_size=3,
    n_patches=[100_000, 60_000],
)
METHODS = {
    "one block 2000": ONE_BLOCK | dict(n_clusters=2000, pool_size=9),
    "400 + 1600": TWO_BLOCKS | dict(n_clusters=[400, 1600]),
    "400 + 1600, mirror": TWO_BLOCKS | dict(n_clusters=[400, 1600], mirror=True),
    "400 + 3200": TWO_BLOCKS | dict(n_clusters=[400, 3200]),
    "400 + 3200, mirror": TWO_BLOCKS | dict(n_clusters=[400, 3200], mirror=True),
}


def split(data, validate):
    X, y = data
    n_train, n_held = (35_000, 5_000) if validate else (40_000, 10_000)
    held = slice(n_train, n_train + n_held)
    return X[:n_train], y[:n_train], X[held], y[held]


def run_cnn(parts, seed, n_epochs):
    X_train, y_train, X_held, y_held = parts
    torch.manual_seed(seed)
    X, X_val = standardized(X_train, X_held)
    network = nn.Sequential(tutorial_body(3), tutorial_head(4096, 10)).to(
        memory_format=torch.channels_last
    )
    y, y_val = torch.from_numpy(y_train).long(), torch.from_numpy(y_held).long()
    epochs = list(train_epochs(network, X, y, X_val, y_val, n_epochs, seed))
    print([round(a, 4) for _, a in epochs], file=sys.stderr)
    seconds, best = max(epochs, key=lambda e: e[1])
    return best, seconds


def run_ours(parts, seed, params):
    X_train, y_train, X_held, y_held = parts
    clf = LayerwiseCNNClassifier(**params, random_state=seed)
    _, seconds = measure(clf.fit, X_train, y_train)
    return clf.score(X_held, y_held), seconds


parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
parser.add_argument("data")
parser.add_argument("--validate", action="store_true")
parser.add_argument("--methods", nargs="*", default=["CNN", *METHODS], choices=["CNN", *METHODS])
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--epochs", type=int, default=12, help="of the CNN")
parser.add_argument("--csv")
parser.add_argument("--one", help=argparse.SUPPRESS)
options = parser.parse_args()

if options.one:
    bunch = load_npz(options.data)
    parts = split((bunch.images, bunch.target), options.validate)
    if options.one == "CNN":
        result = run_cnn(parts, options.seed, options.epochs)
    else:
        result = run_ours(parts, options.seed, METHODS[options.one])
    print(json.dumps([*result, peak_gigabytes()]))
else:
    columns = ("method", "accuracy", "fit s", "peak GB")
    table = Table(*columns, csv_path=options.csv, first_width=22)
    for method in options.methods:
        command = [sys.executable, __file__, options.data, "--one", method]
        command += ["--seed", str(options.seed), "--epochs", str(options.epochs)]
        command += ["--validate"] * options.validate
        out = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
        table.add(method, *json.loads(out.splitlines()[-1]))
    print("CNN: its best epoch on the held-out rows, and the time that took")
