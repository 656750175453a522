"""Time and bytes of a fit on the workers of a cluster, and a model of both for larger clusters.

A LayerwiseCNNClassifier is fitted to images in a Dask array on a LocalCluster of 1 and then 2
worker processes with one thread each. Measured are seconds of each stage, and bytes over the
loopback interface: all messages between processes, heartbeats included. The model is the function
`seconds`, and its constants are measured with one worker. Its prediction for two workers is printed
with the measured time of two. Then it predicts 10^7 and 10^9 images on 10, 100 and 1,000 workers.

Usage: python benchmarks/cluster.py DATA.npz [--n-images N] [--n-chunks N] [--network BYTES]
       [--csv FILE]
DATA.npz holds X (n, H, W, C) and y.
"""

import argparse
from collections import defaultdict
from math import ceil, log
from pathlib import Path
from time import perf_counter
from typing import NamedTuple

import dask.array as da
import numpy as np
from _common import Table, measure
from distributed import Client, LocalCluster, wait

from skhier import LayerwiseCNNClassifier, PatchKMeansOrthogonalizer
from skhier._base._dask import dask_rows
from skhier._base._rows import Accumulator
from skhier.datasets import load_npz

FAN_IN = 8  # sums that are added in one step of the tree


def loopback_bytes():
    """Return the number of bytes sent over the loopback interface so far."""
    lines = Path("/proc/net/dev").read_text().splitlines()
    return next(int(line.split(":")[1].split()[0]) for line in lines if "lo:" in line)


class Stages:
    """Callback that records seconds and bytes of the stages of a fit.

    Attributes
    ----------
    total : dict
        (estimator, task) -> array of seconds, bytes and number of runs.
    """

    max_propagation_depth = None

    def __init__(self):
        self.total, self._started = defaultdict(lambda: np.zeros(3)), {}

    def on_fit_task_begin(self, estimator, context):
        self._started[id(context)] = perf_counter(), loopback_bytes()

    def on_fit_task_end(self, estimator, context):
        start, sent = self._started.pop(id(context), (None, 0))
        if start is not None:
            name = type(estimator).__name__, context.task_name
            self.total[name] += perf_counter() - start, loopback_bytes() - sent, 1

    def setup(self, estimator, context):
        pass

    teardown = setup


class Count(Accumulator):
    """Accumulator without work: the time of its pass is the scheduler's."""

    summed = ("n",)
    n = 0

    def add(self, batch):
        self.n += len(batch)


def run(n_workers, X, y, n_chunks):
    """Return (stages, seconds of a fit, scheduler's seconds for each chunk in a pass)."""
    options = dict(n_workers=n_workers, threads_per_worker=1, dashboard_address=None)
    with LocalCluster(**options) as cluster, Client(cluster) as client:
        empty = dask_rows(da.zeros((1000, 1), chunks=1), (1,), np.dtype(float), client)
        empty.accumulate(Count())
        overhead = measure(empty.accumulate, Count())[1] / 1000
        chunked = da.from_array(X, chunks=(-(-len(X) // n_chunks), *X.shape[1:])).persist()
        wait(chunked)
        patches = PatchKMeansOrthogonalizer(n_patches=20_000)
        small = LayerwiseCNNClassifier(orthogonalizer=patches, random_state=0)
        stages = Stages()
        small.set_callbacks(stages)
        return stages.total, measure(small.fit, chunked, y)[1], overhead


class Stage(NamedTuple):
    """Constants of the model for one stage.

    Attributes
    ----------
    image_seconds : float
        Seconds of one worker thread for one image in one pass.
    sum_bytes : float
        Bytes that each worker sends in one pass.
    sent_bytes : float
        Bytes that each worker receives in one pass.
    n_passes : float
        Number of passes over the images.
    client_seconds : float
        Seconds of work that the client does, and no worker.
    """

    image_seconds: float
    sum_bytes: float
    sent_bytes: float
    n_passes: float
    client_seconds: float = 0.0


def seconds(stage, n_images, n_workers, n_chunks, network, overhead):
    """Predict the seconds of a stage.

    Workers divide the images. Sums are added in a tree. The scheduler handles every chunk.
    """
    levels = ceil(log(max(n_workers, 1), FAN_IN)) if n_workers > 1 else 0
    one_pass = (
        stage.image_seconds * n_images / n_workers
        + levels * FAN_IN * stage.sum_bytes / network
        + ceil(log(n_workers, 2) if n_workers > 1 else 0) * stage.sent_bytes / network
        + overhead * n_chunks
    )
    return stage.client_seconds + stage.n_passes * one_pass


EMBED, TRANSFORM = ("TwoLayerConvEmbedder", "one pass"), ("LayerwiseCNNClassifier", "transform")
ITERATION, PATCHES = ("RidgeHead", "iteration"), ("PatchKMeansOrthogonalizer", "fit")
NAMES = {EMBED: "class sums", TRANSFORM: "layers' outputs", ITERATION: "head", PATCHES: "clusters"}
N_ITERATIONS = 20  # of the head, with 20 samples per feature or more


def stages_of(total, n_images, n_workers, n_chunks, overhead):
    """Return the constants of all stages, from the measured total of one worker."""

    def per_image(name, n_passes):
        pass_seconds = total[name][0] / n_passes - overhead * n_chunks
        return max(0.0, pass_seconds) * n_workers / n_images

    bytes_of = {name: total[name][1] for name in NAMES}
    n_iterations = total[ITERATION][2]
    # A pass that computes outputs of layers only sends kernels to workers. A pass that computes a
    # sum sends about the same number of bytes both ways.
    return {
        EMBED: Stage(per_image(EMBED, 1), bytes_of[EMBED] / 2, bytes_of[EMBED] / 2, 1),
        TRANSFORM: Stage(per_image(TRANSFORM, 1), 0.0, bytes_of[TRANSFORM], 1),
        ITERATION: Stage(
            per_image(ITERATION, n_iterations),
            bytes_of[ITERATION] / n_iterations / 2,
            bytes_of[ITERATION] / n_iterations / 2,
            n_iterations,
        ),
        PATCHES: Stage(0.0, 0.0, bytes_of[PATCHES], 1, total[PATCHES][0]),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("data")
    parser.add_argument("--n-images", type=int, default=6000)
    parser.add_argument("--n-chunks", type=int, default=12)
    parser.add_argument("--network", type=float, default=1e9)
    parser.add_argument("--csv")
    options = parser.parse_args()
    bunch = load_npz(options.data)
    X, y = bunch.images[: options.n_images], bunch.target[: options.n_images]
    measured = [run(n_workers, X, y, options.n_chunks) for n_workers in (1, 2)]
    overhead = measured[0][2]
    size = len(X), 1, options.n_chunks, overhead
    stages = stages_of(measured[0][0], *size)
    print(f"scheduler: {1000 * overhead:.1f} ms per chunk in each pass")
    table = Table("stage", "passes", "1: s", "1: MB", "2: s", "2: MB", "2: model s")
    for name, stage in stages.items():
        cells = []
        for total, _, _ in measured:
            cells += [float(total[name][0]), float(total[name][1] / 1e6)]
        model = seconds(stage, len(X), 2, options.n_chunks, options.network, overhead)
        table.add(NAMES[name], int(stage.n_passes), *cells, model)
    print(f"\nhours by the model; {options.network / 1e9:.2g} GB/s, ten chunks per worker")
    stages[ITERATION] = stages[ITERATION]._replace(n_passes=N_ITERATIONS)
    table = Table("images", "workers", *NAMES.values(), "all", csv_path=options.csv)
    for n_images in (10**7, 10**9):
        for n_workers in (10, 100, 1000):
            network = n_images, n_workers, 10 * n_workers, options.network, overhead
            hours = [seconds(stages[name], *network) / 3600 for name in NAMES]
            table.add(f"{n_images:.0e}", n_workers, *hours, sum(hours))
