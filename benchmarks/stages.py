"""Operations, time and rate of each stage of a fit, compared with matrix products.

The script runs the stages of LayerwiseCNNClassifier one after the other. "Gflop/s" is the rate of
the stage. "share" is this rate divided by the machine's rate for a matrix product of the stage's
shapes and precision, measured in the same run. Shifted copies go through the network after the
layers are trained.

Usage: python benchmarks/stages.py DATA.npz [--configuration NAME] [--n-images N] [--csv FILE]
DATA.npz holds X (n, H, W, C) and y.
"""

import argparse
from math import prod

import numpy as np
import torch
from _common import Table, measure, peak_gigabytes
from _configurations import CONFIGURATIONS, make_classifier

from skhier._base._device import dense_product
from skhier._base._memory import THIS_MACHINE
from skhier._base._rows import Rows
from skhier.classifier._blocks import network_operator
from skhier.classifier._heads import plan_head
from skhier.classifier._parts import make_parts
from skhier.classifier._shifts import n_copies, shift_pixels, with_shifts
from skhier.datasets import load_npz

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
parser.add_argument("data")
parser.add_argument("--configuration", default="one pass, linear", choices=list(CONFIGURATIONS))
parser.add_argument("--n-images", type=int, default=10_000)
parser.add_argument("--csv")
options = parser.parse_args()


def matmul_rate(n_rows, n_inner, n_columns, dtype):
    """Return operations per second of a matrix product: the best of 10 runs of two functions."""
    A, B = torch.rand(n_rows, n_inner).to(dtype), torch.rand(n_columns, n_inner).to(dtype)
    seconds = []
    for multiply in (torch.nn.functional.linear, dense_product):
        seconds += [measure(multiply, A, B)[1] for _ in range(10)]
    return 2 * n_rows * n_inner * n_columns / min(seconds)


def add(stage, n_operations, seconds, shapes, dtype):
    """Add the row of a stage to the table."""
    rate = n_operations / seconds
    share = rate / matmul_rate(*shapes, dtype)
    table.add(stage, n_operations / 1e12, seconds, rate / 1e9, f"{share:.0%}", str(dtype)[6:])


def copy_rate():
    """Return the bytes that are read and written per second by a copy of 128 MB."""
    source, target = torch.rand(2, 32 * 2**20)
    return 2 * source.nbytes / min(measure(target.copy_, source)[1] for _ in range(10))


for dtype in (torch.bfloat16, torch.float32):
    rate = matmul_rate(2048, 2048, 2048, dtype)
    print(f"product of 2048x2048 matrices, {str(dtype)[6:]}: {rate / 1e9:.0f} Gflop/s")
print(f"copy: {copy_rate() / 1e9:.3g} GB/s")
bunch = load_npz(options.data)
images, y = bunch.images[: options.n_images].astype(np.float32), bunch.target[: options.n_images]
clf = make_classifier(options.configuration, random_state=0)
blocks, head = make_parts(clf, np.random.RandomState(0))
columns = ("stage", "Tflop", "seconds", "Gflop/s", "share", "dtype")
table = Table(*columns, csv_path=options.csv, first_width=30)
features, n, n_classes = Rows.of_array(images), len(images), len(np.unique(y))
setting = n, n_classes, np.dtype(np.float32), torch.device("cpu")
pixels, layers, encodings = shift_pixels(clf.shift, features, len(blocks)), [], []
for number, (phi, embedder) in enumerate(blocks, 1):
    plan = phi._plan(features.shape[1:], *setting)
    _, seconds = measure(phi._fit_rows, features, y, None, None, plan)
    n_patches = plan.n_patches
    k, d = phi._factors[-1].shape
    # One product with the centers for each iteration, for the first assignment, and for k-means++.
    n_products = phi.n_iter_ + 1 + (phi.get_params()["kmeans__init"] == "k-means++")
    n_operations = 2 * n_patches * d * k * n_products
    add(f"k-means, block {number}", n_operations, seconds, (4096, d, k), torch.float32)
    encode = phi._operator(*setting[2:], dense=embedder is None)
    n_positions = prod(plan.grid.map_shape)
    rows = encode.batch_size * n_positions
    encoding = 2 * n * n_positions * sum(factor.size for factor in phi._factors)
    if embedder is not None:
        plan = embedder._plan(encode.row_shape, *setting)
        _, seconds = measure(embedder._fit_rows, features.map(encode), y, None, None, plan)
        name = f"encode, train 1x1, block {number}"
        add(name, encoding, seconds, (rows, d, k), encode.dtype)
    layers.append(blocks[number - 1].operator(*setting[2:]))
    encodings.append(encoding)
    if pixels and number == len(blocks):
        copies = with_shifts(Rows.of_array(images), pixels)
        mapped = copies.map(network_operator(layers, layers[-1].dtype))
        n, name = len(copies), "encode images and copies"
        encoding = sum(encodings) * n_copies(pixels)
    else:
        mapped = features.map(layers[-1])
        name = f"encode{', embed' * (embedder is not None)}, block {number}"
    features, seconds = measure(mapped.cached, THIS_MACHINE)
    add(name, encoding, seconds, (rows, d, k), encode.dtype)
of_head = plan_head(head, features.shape[1:], len(images), n_copies(pixels), *setting[1:])
_, seconds = measure(head._fit_rows, features, y.repeat(n_copies(pixels)), None, None, of_head)
D = prod(features.shape[1:])
n_operations = 4 * n * D * n_classes * head.n_iter_
add("ridge head", n_operations, seconds, (4096, D, n_classes), features.dtype)
print(f"{options.configuration}: {len(images)} images, peak {peak_gigabytes():.3g} GB")
