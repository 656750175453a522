"""Fits that are interrupted: all or nothing, at any moment and for any reason."""

import errno
import os
import shutil
import subprocess
import sys
import tempfile
import time
from itertools import count
from multiprocessing import get_context
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
import torch
from every_fit import CASES, IMAGES, LABELS
from faults import (
    N_MOMENTS,
    Before,
    Moments,
    mapped_files,
    random_source,
    settings_put_back,
    signals,
)
from joblib import Memory, Parallel, delayed
from joblib.externals.loky.process_executor import TerminatedWorkerError
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, ParameterGrid, cross_val_score

from skhier import LayerwiseCNNClassifier, RidgeHead
from skhier._base import _memory

ON_LINUX = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
each_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES)
each_history = pytest.mark.parametrize("fitted", [False, True], ids=["new", "fitted"])


class Trial:
    """An estimator of a case, new or fitted on other data, for a fit that goes wrong."""

    def __init__(self, case, fitted, callback=None):
        self._case, self._fitted = case, fitted
        self.estimator = clone(case.estimator)
        self._observed = self._observe(case.other_data()) if fitted else None
        if callback is not None:
            self.estimator.set_callbacks(callback)
        self.before = Before(self.estimator)

    def _observe(self, data):
        return self._case.observe(self.estimator.fit(*data), data)

    def fails(self, fault):
        """Fit; return whether it was the fault that ended it."""
        try:
            self.estimator.fit(*self._case.data)
        except BaseException as error:
            while error is not None:
                if error is fault:
                    return True
                error = error.__context__
            raise
        finally:
            del fault
        return False

    def assert_unharmed(self, failed, expected, place):
        """Assert that a failed fit left no trace, and that the next is as if it had not been."""
        if failed:
            self.before.assert_same_estimator(place)
        if failed and self._fitted:
            data = self._case.other_data()
            assert self._case.observe(self.estimator, data) == self._observed, place
        assert self._observe(self._case.data) == expected, place


def expected_of(case):
    return case.observe(clone(case.estimator).fit(*case.data), case.data)


@ON_LINUX
@each_history
@each_case
def test_a_fault_at_any_line_leaves_no_trace(case, fitted):
    expected, rng = expected_of(case), random_source()
    estimator = clone(case.estimator)
    with Moments() as whole:
        estimator.fit(*case.data)
    n_faults = 0
    for number in range(N_MOMENTS):
        trial, fault = Trial(case, fitted), [KeyboardInterrupt(), MemoryError()][number % 2]

        def act(fault=fault):
            raise fault

        with Moments(rng.randint(1, whole.count), act) as moments:
            failed = trial.fails(fault)
        fault.__traceback__ = None
        assert failed == (moments.place is not None)
        trial.before.assert_same_process(moments.place)
        n_faults += failed
        trial.assert_unharmed(failed, expected, moments.place)
    assert n_faults > 0


class Failing:
    """A callback, of parts too, that raises at one call of a hook, of all that it gets."""

    max_propagation_depth = None

    def __init__(self, moment=None, fault=None):
        self._moment, self._fault = moment, fault
        self.n_calls, self.n_open = 0, 0

    def _call(self, estimator, context):
        self.n_calls += 1
        if self.n_calls == self._moment:
            raise self._fault

    on_fit_task_begin = on_fit_task_end = _call

    def setup(self, estimator, context):
        self.n_open += 1
        self._call(estimator, context)

    def teardown(self, estimator, context):
        self.n_open -= 1
        self._call(estimator, context)

    def __getstate__(self):  # its counts are no state of the estimator
        return {}


@ON_LINUX
@each_history
@pytest.mark.parametrize(
    "case", [pytest.param(case, id=name) for name, case in CASES.items() if case.has_callbacks]
)
def test_an_exception_from_a_callback_leaves_no_trace(case, fitted):
    expected, rng, whole = expected_of(case), random_source(), Failing()
    clone(case.estimator).set_callbacks(whole).fit(*case.data)
    assert whole.n_open == 0
    for _ in range(N_MOMENTS):
        fault = ValueError("of the callback")
        callback = Failing(rng.randint(1, whole.n_calls), fault)
        trial = Trial(case, fitted, callback)
        assert trial.fails(fault)
        fault.__traceback__ = None
        assert callback.n_open == 0
        trial.before.assert_same_process(callback.n_calls)
        trial.assert_unharmed(True, expected, callback.n_calls)


@ON_LINUX
@each_history
@each_case
def test_signals_at_any_time_leave_no_trace(case, fitted):
    expected, rng = expected_of(case), random_source()
    estimator = clone(case.estimator).fit(*case.data)
    start = time.perf_counter()
    estimator.fit(*case.data)
    seconds = time.perf_counter() - start
    with settings_put_back():
        for _ in range(N_MOMENTS):
            trial, delay, failed = Trial(case, fitted), rng.uniform(1e-5, seconds), False
            try:
                with signals(delay, type(trial.estimator).fit), np.errstate(), torch.enable_grad():
                    trial.estimator.fit(*case.data)
            except BaseException:  # NumPy's C code makes other errors of an interrupt
                failed = True
            trial.assert_unharmed(failed, expected, delay)


def fit_again_and_again(case, started, folder):
    """Fit until killed, with temporary files in a folder."""
    tempfile.tempdir = str(folder)
    for fit in count():
        clone(case.estimator).fit(*case.data)
        if fit == 0:
            started.set()


@ON_LINUX
def test_a_killed_fit_leaves_no_file(tmp_path):
    context, rng, n_mapped = get_context("forkserver"), random_source(), 0
    context.set_forkserver_preload(["skhier"])
    for _ in range(N_MOMENTS):
        started = context.Event()
        arguments = CASES["classifier in files"], started, tmp_path
        process = context.Process(target=fit_again_and_again, args=arguments)
        process.start()
        assert started.wait(300)
        time.sleep(rng.uniform(0, 0.1))
        deadline = time.monotonic() + 60
        while n_mapped == 0 and time.monotonic() < deadline:  # at least one with a file
            n_mapped += bool(mapped_files(process.pid, tmp_path))
        process.kill()
        process.join()
        # torch may have made folders.
        assert not [path for path in tmp_path.rglob("*") if path.is_file()]
    assert n_mapped == 1


def fill(folder):
    """Fill a disk."""
    try:
        with open(Path(folder, "other"), "wb") as file:
            while True:
                file.write(bytes(4096))
                file.flush()
    except OSError:
        pass


def fit_while_the_disk_fills(folder, n_moments):
    """The disk of a folder fills about when a layer goes to a file; print how often it failed."""
    case, rng, n_errors = CASES["classifier in files"], random_source(), 0
    expected = expected_of(case)
    estimator, reserve, made_at = clone(case.estimator), _memory._reserve, []
    with Moments() as whole, patch.object(_memory, "_reserve") as noted:
        noted.side_effect = lambda *args: (made_at.append(whole.count), reserve(*args))
        estimator.fit(*case.data)
    for _ in range(n_moments):
        trial, error = Trial(case, fitted=True), None
        moment = made_at[0] + rng.randint(-100, 100)
        with Moments(moment, lambda: fill(folder)) as moments:
            try:
                trial.estimator.fit(*case.data)
            except OSError as caught:
                error = caught.errno, str(caught)
        Path(folder, "other").unlink(missing_ok=True)
        if error is not None:
            n_errors += 1
            assert error[0] == errno.ENOSPC
            assert f"and {folder}, which has" in error[1]
        trial.assert_unharmed(error is not None, expected, moments.place)
    print(n_errors)


@ON_LINUX
def test_a_disk_that_fills_at_any_moment_ends_no_process(tmp_path):
    mount = f"mount -t tmpfs -o size=2m none {tmp_path}"
    if (
        shutil.which("unshare") is None
        or subprocess.run(["unshare", "-rm", *mount.split()]).returncode
    ):
        pytest.skip("no file system can be mounted here")
    n_moments = 2 * N_MOMENTS
    code = f"import test_faults as t; t.fit_while_the_disk_fills({str(tmp_path)!r}, {n_moments})"
    path = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", f'{mount} && exec "$0" -c "$1"', sys.executable, code],
        env=os.environ | {"TMPDIR": str(tmp_path), "PYTHONPATH": path},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert 0 < int(done.stdout) < n_moments


class DeadlyHead(RidgeHead):
    """Notes its fits; at alpha=3 it ends its process once the cache holds `n_kept` results."""

    def __init__(self, alpha=1.0, folder=None, n_kept=None):
        super().__init__(alpha)
        self.folder = folder
        self.n_kept = n_kept

    def _fit_rows(self, features, y, sample_weight):
        if self.alpha == 3 and (self.folder / "trap").exists():
            while len(list(self.folder.rglob("output.pkl"))) < self.n_kept:
                time.sleep(0.01)
            os._exit(1)
        with open(self.folder / "fits", "a") as file:
            file.write(f"{self.alpha} ")
        return super()._fit_rows(features, y, sample_weight)


@ON_LINUX
def test_a_search_whose_worker_is_killed_says_so_and_can_keep_its_fits(tmp_path):
    trap, fits = tmp_path / "trap", tmp_path / "fits"
    trap.touch()
    clf = LayerwiseCNNClassifier(1, n_clusters=6, random_state=0)
    clf.set_params(head=DeadlyHead(folder=tmp_path, n_kept=0))
    grid = {"head__alpha": [0.1, 0.3, 3.0, 10.0]}
    search = GridSearchCV(clf, grid, cv=2, n_jobs=2)
    with pytest.raises(TerminatedWorkerError, match=r"A worker process .* unexpectedly terminated"):
        search.fit(IMAGES, LABELS)
    assert not hasattr(search, "cv_results_")

    # As the user guide has it.
    score = Memory(tmp_path / "cache", verbose=0).cache(cross_val_score)
    clf.set_params(head__n_kept=2)

    def scores(n_jobs):
        candidates = [clone(clf).set_params(**params) for params in ParameterGrid(grid)]
        jobs = (delayed(score)(candidate, IMAGES, LABELS, cv=2) for candidate in candidates)
        return Parallel(n_jobs)(jobs)

    with pytest.raises(TerminatedWorkerError):
        scores(n_jobs=2)
    trap.unlink()
    fits.unlink()
    assert len(scores(n_jobs=1)) == 4
    assert not {"0.1", "0.3"} & set(fits.read_text().split())
