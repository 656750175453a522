"""Memory of a process that samples, fits and predicts many times stays constant."""

import ctypes
import os
import sys
from pathlib import Path

import numpy as np
import pytest
from every_fit import CASES
from hypothesis import settings
from sklearn.base import clone

from skhier import HierarchicalSampler

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
N_SAMPLES = 2000 * settings.default.max_examples  # 10^7 in the long profile
N_FITS = max(20, settings.default.max_examples // 5)  # 1,000 in the long profile
TOLERANCE = 4 * 2**20  # excess of the last third's median over the first third's


def resident_bytes():
    """Return the memory of this process, after freed memory has gone back to the system."""
    libc = ctypes.CDLL(None)
    if hasattr(libc, "malloc_trim"):  # glibc keeps up to 4 MB, as large as the tolerance
        libc.malloc_trim(0)
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def assert_constant(sizes):
    """Assert that the last third takes no more memory than the first, after a warm-up."""
    sizes = sizes[len(sizes) // 10 :]
    third = len(sizes) // 3
    assert np.median(sizes[-third:]) - np.median(sizes[:third]) < TOLERANCE


def test_a_stream_of_samples_takes_constant_memory():
    sampler = HierarchicalSampler(patches_per_class=5, random_state=0).fit()
    sizes, n_labels = [], np.zeros(2, dtype=int)
    for X, y in sampler.iter_batches(N_SAMPLES, batch_size=1000, random_state=0):
        n_labels += np.bincount(y > 0, minlength=2)
        sizes.append(resident_bytes())
    assert n_labels.sum() == N_SAMPLES
    # Labels are equally likely; the bound is five standard deviations.
    assert abs(n_labels[0] - N_SAMPLES / 2) < 5 * np.sqrt(N_SAMPLES) / 2
    assert_constant(sizes)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_fits_and_predictions_take_constant_memory(case):
    sizes, estimator = [], clone(case.estimator)
    expected = case.results(estimator.fit(*case.data), case.data)
    for number in range(N_FITS):
        estimator = estimator if number % 2 else clone(case.estimator)
        assert case.results(estimator.fit(*case.data), case.data) == expected
        sizes.append(resident_bytes())
    assert_constant(sizes)
