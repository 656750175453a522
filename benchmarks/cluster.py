"""Time and bytes of a fit on the workers of a cluster, and a model of both beyond this machine.

A LayerwiseCNNClassifier is fitted to images in a Dask array on a LocalCluster of 1 and then 2
worker processes with one thread each. For each stage: seconds, and bytes that went over the
loopback interface (all that processes send each other, heartbeats included). The model has the
terms of `seconds`; its constants are those measured with one worker, and it is printed beside what
two take, and then for 10^7 and 10^9 images on 10, 100 and 1,000 workers.

Usage: python benchmarks/cluster.py DATA.npz [--n-images N] [--n-chunks N] [--network BYTES_A_SECOND]
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
from skhier._base._rows import Sums
from skhier.datasets import load_npz

FAN_IN = 8


def loopback_bytes():
    """Bytes that went over the loopback interface so far."""
    lines = Path("/proc/net/dev").read_text().splitlines()
    return next(int(line.split(":")[1].split()[0]) for line in lines if "lo:" in line)


class Stages:
    """A callback that notes seconds and bytes of stages.

    Attributes
    ----------
    total : dict
        Of (estimator, task): an array of seconds, bytes, and how often.
    """

    max_propagation_depth = None

    def __init__(self):
        self.total, self._begun = defaultdict(lambda: np.zeros(3)), {}

    def on_fit_task_begin(self, estimator, context):
        self._begun[id(context)] = perf_counter(), loopback_bytes()

    def on_fit_task_end(self, estimator, context):
        start, sent = self._begun.pop(id(context), (None, 0))
        if start is not None:
            name = type(estimator).__name__, context.task_name
            self.total[name] += perf_counter() - start, loopback_bytes() - sent, 1

    def setup(self, estimator, context):
        pass

    teardown = setup


class Count(Sums):
    """A sum that takes no work: what is left is the scheduler's time."""

    summed = ("n",)
    n = 0

    def add(self, batch):
        self.n += len(batch)


def run(n_workers, X, y, n_chunks):
    """(stages, seconds of a fit, seconds of the scheduler for each chunk of a pass)."""
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
    """Constants of a stage: all passes of it together.

    Attributes
    ----------
    image_seconds : float
        Of one worker thread, for an image in one pass.
    sum_bytes, sent_bytes : float
        What workers send in a pass, each; what they get.
    n_passes : float
        How often images are gone over.
    client_seconds : float
        Of work that no worker does.
    """

    image_seconds: float
    sum_bytes: float
    sent_bytes: float
    n_passes: float
    client_seconds: float = 0.0


def seconds(stage, n_images, n_workers, n_chunks, network, overhead):
    """The model: work is divided, sums are added in a tree, the scheduler sees every chunk."""
    levels = ceil(log(max(n_workers, 1), FAN_IN)) if n_workers > 1 else 0
    once = (
        stage.image_seconds * n_images / n_workers
        + levels * FAN_IN * stage.sum_bytes / network
        + ceil(log(n_workers, 2) if n_workers > 1 else 0) * stage.sent_bytes / network
        + overhead * n_chunks
    )
    return stage.client_seconds + stage.n_passes * once
