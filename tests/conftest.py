import os

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, settings
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from threadpoolctl import threadpool_limits

from skhier._base import _device

# Without SCIPY_ARRAY_API scikit-learn skips its check of the array API.
os.environ.setdefault("SCIPY_ARRAY_API", "1")
os.environ.setdefault("MPLBACKEND", "Agg")

# Test processes share the cores: more threads than cores make a test many times as slow.
N_PROCESSES = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", 1))
N_THREADS = int(os.environ.get("OMP_NUM_THREADS", 0)) or max(1, os.cpu_count() // N_PROCESSES)
torch.set_num_threads(N_THREADS)
threadpool_limits(N_THREADS)

# `pytest --hypothesis-profile=thorough` draws many more cases.
COMMON = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("ci", max_examples=30, derandomize=True, **COMMON)
settings.register_profile("thorough", max_examples=2000, **COMMON)
settings.register_profile("long", max_examples=5000, **COMMON)
settings.load_profile("ci")


@pytest.fixture(scope="session")
def digits():
    """Return images and labels in halves: X_train, X_test, y_train, y_test."""
    bunch = load_digits()
    return train_test_split(
        bunch.images, bunch.target, test_size=0.5, stratify=bunch.target, random_state=0
    )


@pytest.fixture(scope="session")
def few_digits(digits):
    """Return 300 images and labels of each half, for fits whose accuracy is not asked."""
    return [part[:300] for part in digits]


@pytest.fixture(scope="session")
def images():
    """Return 60 small color images and their labels, of two classes."""
    rng = np.random.default_rng(0)
    return rng.standard_normal((60, 6, 8, 3)), np.repeat([0, 1], 30)


@pytest.fixture(scope="session")
def cluster():
    """Start two worker processes with one thread each; yield a client that is not the default."""
    from distributed import Client, LocalCluster

    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as workers,
        Client(workers, set_as_default=False) as client,
    ):
        yield client


@pytest.fixture
def fast_bfloat16(monkeypatch):
    """Let bfloat16 matrix products be twice as fast as float32 ones, on any hardware."""
    monkeypatch.setattr(_device, "bfloat16_speed", lambda device: 2.0)


@pytest.fixture
def slow_bfloat16(monkeypatch):
    """Let bfloat16 matrix products take twice the time of float32 ones, on any hardware."""
    monkeypatch.setattr(_device, "bfloat16_speed", lambda device: 0.5)
