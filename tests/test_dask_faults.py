"""Fits on a cluster whose workers are killed."""

import os
import signal

import dask.array as da
import pytest
from callbacks import Callback
from distributed import Client, LocalCluster
from numpy.testing import assert_allclose
from sklearn.datasets import load_digits

from skhier import LayerwiseCNNClassifier

X, y = load_digits().images[:600], load_digits().target[:600]
CHUNKED = da.from_array(X, chunks=(100, 8, 8))


def small():
    return LayerwiseCNNClassifier().set_params(
        n_layers=2, n_clusters=16, orthogonalizer__n_patches=2000, random_state=0
    )


@pytest.fixture
def brittle_cluster():
    """Start two worker processes, which restart if they are killed; yield a client."""
    options = dict(n_workers=2, threads_per_worker=1, dashboard_address=":0")
    with LocalCluster(**options) as workers, Client(workers, set_as_default=False) as client:
        yield client


class Killer(Callback):
    """Callback that kills a worker process when given tasks begin for the first time.

    Parameters
    ----------
    client : distributed.Client
        Client of the workers.
    stages : list of tuple of str
        Class of the estimator and name of each task.

    Attributes
    ----------
    killed : list of tuple of str
        The tasks in which a worker was killed, so far.
    """

    def __init__(self, client, stages):
        self._client, self._stages, self.killed = client, stages, []

    def on_fit_task_begin(self, estimator, context):
        stage = type(estimator).__name__, context.task_name
        if stage in self._stages and stage not in self.killed:
            pids = self._client.run(os.getpid)
            victim = sorted(pids.values())[len(self.killed) % len(pids)]
            self.killed.append(stage)
            os.kill(victim, signal.SIGKILL)


@pytest.mark.skipif(os.name == "nt", reason="a process cannot be killed by a signal")
def test_a_worker_killed_in_each_stage_changes_nothing(brittle_cluster):
    expected = small().fit(X, y)
    stages = [
        ("LayerwiseCNNClassifier", "layer 1"),  # drawing patches
        ("LayerwiseCNNClassifier", "transform"),
        ("LayerwiseCNNClassifier", "layer 2"),
        ("RidgeHead", "iteration"),
    ]
    killer = Killer(brittle_cluster, stages)
    clf = small()
    clf.set_callbacks(killer)
    with brittle_cluster.as_current():
        clf.fit(CHUNKED, y)
    assert killer.killed == stages
    assert_allclose(clf.decision_function(X), expected.decision_function(X), rtol=1e-5, atol=1e-7)
