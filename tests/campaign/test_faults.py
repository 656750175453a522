"""Fits that fail or are interrupted: all or nothing, at any moment and for any reason."""

import errno
import gc
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

import pytest
from every_fit import CASES, IMAGES, LABELS
from faults import (
    N_FAULTS,
    LineCounter,
    Snapshot,
    forget,
    interrupts,
    make_random,
    mapped_files,
    settings_restored,
)
from joblib import Memory, Parallel, delayed
from joblib.externals.loky.process_executor import TerminatedWorkerError
from sklearn.base import clone
from sklearn.linear_model import RidgeClassifier
from sklearn.model_selection import GridSearchCV, ParameterGrid, cross_val_score

from skhier import LayerwiseCNNClassifier

ON_LINUX = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
each_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES)
each_state = pytest.mark.parametrize("is_fitted", [False, True], ids=["new", "fitted"])


class Trial:
    """Estimator of a case, new or fitted on other data, for a fit that fails."""

    def __init__(self, case, is_fitted, callback=None):
        self._case, self._is_fitted = case, is_fitted
        self.estimator = clone(case.estimator)
        self._results = self._fit(case.other_data()) if is_fitted else None
        if callback is not None:
            self.estimator.set_callbacks(callback)
        self.snapshot = Snapshot(self.estimator)

    def _fit(self, data):
        return self._case.results(self.estimator.fit(*data), data)

    def fails(self, fault):
        """Fit, and return whether the exception `fault` ended the fit."""
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

    def assert_unharmed(self, has_failed, expected, place):
        """Assert that a failed fit changed nothing, and that the next fit gives `expected`."""
        if has_failed:
            self.snapshot.assert_same_estimator(place)
        if has_failed and self._is_fitted:
            data = self._case.other_data()
            assert self._case.results(self.estimator, data) == self._results, place
        assert self._fit(self._case.data) == expected, place


def expected_results(case):
    """Return the results of a new estimator of a case."""
    return case.results(clone(case.estimator).fit(*case.data), case.data)


@ON_LINUX
@each_state
@each_case
def test_a_fault_at_any_line_changes_nothing(case, is_fitted):
    expected, rng = expected_results(case), make_random()
    estimator = clone(case.estimator)
    with LineCounter() as whole:
        estimator.fit(*case.data)
    n_failed = 0
    for number in range(N_FAULTS):
        trial, fault = Trial(case, is_fitted), [KeyboardInterrupt(), MemoryError()][number % 2]

        def fail(fault=fault):
            raise fault

        with settings_restored():
            with LineCounter(rng.randint(1, whole.count), fail) as lines:
                has_failed = trial.fails(fault)
            forget(fault)
        assert has_failed == (lines.place is not None)
        trial.snapshot.assert_same_process(lines.place)
        n_failed += has_failed
        trial.assert_unharmed(has_failed, expected, lines.place)
    assert n_failed > 0


class FailingCallback:
    """Callback that raises an exception in one call of a hook, of the estimator or its parts.

    Parameters
    ----------
    number : int or None
        Number of the call, from 1; None is none.
    fault : Exception
        The exception.

    Attributes
    ----------
    n_calls : int
        Number of calls so far.
    n_open : int
        Number of fits that were set up and not torn down.
    """

    max_propagation_depth = None

    def __init__(self, number=None, fault=None):
        self._number, self._fault = number, fault
        self.n_calls, self.n_open = 0, 0

    def _call(self, estimator, context):
        self.n_calls += 1
        if self.n_calls == self._number:
            raise self._fault

    on_fit_task_begin = on_fit_task_end = _call

    def setup(self, estimator, context):
        self.n_open += 1
        self._call(estimator, context)

    def teardown(self, estimator, context):
        self.n_open -= 1
        self._call(estimator, context)

    def __getstate__(self):  # its counts are not part of the estimator's state
        return {}


@ON_LINUX
@each_state
@pytest.mark.parametrize(
    "case", [pytest.param(case, id=name) for name, case in CASES.items() if case.has_callbacks]
)
def test_an_exception_from_a_callback_changes_nothing(case, is_fitted):
    expected, rng, whole = expected_results(case), make_random(), FailingCallback()
    clone(case.estimator).set_callbacks(whole).fit(*case.data)
    assert whole.n_open == 0
    for _ in range(N_FAULTS):
        fault = ValueError("raised by the callback")
        callback = FailingCallback(rng.randint(1, whole.n_calls), fault)
        trial = Trial(case, is_fitted, callback)
        assert trial.fails(fault)
        forget(fault)
        assert callback.n_open == 0
        trial.snapshot.assert_same_process(callback.n_calls)
        trial.snapshot.assert_same_settings(callback.n_calls)
        trial.assert_unharmed(True, expected, callback.n_calls)


@ON_LINUX
@each_state
@each_case
def test_interrupts_at_any_time_change_nothing(case, is_fitted):
    expected, rng = expected_results(case), make_random()
    estimator = clone(case.estimator).fit(*case.data)
    start = time.perf_counter()
    estimator.fit(*case.data)
    seconds = time.perf_counter() - start
    with settings_restored():
        for _ in range(N_FAULTS):
            trial, delay = Trial(case, is_fitted), rng.uniform(1e-5, seconds)
            has_failed = False
            try:
                with interrupts(delay, type(trial.estimator).fit), settings_restored():
                    trial.estimator.fit(*case.data)
            except BaseException:  # NumPy's C code turns an interrupt into other errors
                has_failed = True
            trial.assert_unharmed(has_failed, expected, delay)
        gc.collect()  # interrupted generators of scikit-learn restore their settings


def fit_until_killed(case, started, folder):
    """Fit again and again, with temporary files in a folder."""
    tempfile.tempdir = str(folder)
    for fit in count():
        clone(case.estimator).fit(*case.data)
        if fit == 0:
            started.set()


@ON_LINUX
def test_a_killed_fit_leaves_no_file(tmp_path):
    context, rng, n_mapped = get_context("forkserver"), make_random(), 0
    context.set_forkserver_preload(["skhier"])
    for _ in range(N_FAULTS):
        started = context.Event()
        arguments = CASES["classifier in files"], started, tmp_path
        process = context.Process(target=fit_until_killed, args=arguments)
        process.start()
        assert started.wait(300)
        time.sleep(rng.uniform(0, 0.1))
        deadline = time.monotonic() + 60
        while n_mapped == 0 and time.monotonic() < deadline:  # at least one has a file
            n_mapped += bool(mapped_files(process.pid, tmp_path))
        process.kill()
        process.join()
        # torch may have created folders.
        assert not [path for path in tmp_path.rglob("*") if path.is_file()]
    assert n_mapped == 1


def fill_disk(folder):
    """Write a file in a folder until its disk is full."""
    try:
        with open(Path(folder, "other"), "wb") as file:
            while True:
                file.write(bytes(4096))
                file.flush()
    except OSError:
        pass


def fit_while_the_disk_fills(folder, n_trials):
    """Fill the disk of a folder shortly before or after a fit reserves a file; print failures."""
    case, rng, n_failed = CASES["classifier in files"], make_random(), 0
    expected = expected_results(case)
    estimator, reserve, reserved_at = clone(case.estimator), os.posix_fallocate, []
    with LineCounter() as whole, patch.object(os, "posix_fallocate") as noted:
        noted.side_effect = lambda *args: (reserved_at.append(whole.count), reserve(*args))
        estimator.fit(*case.data)
    for _ in range(n_trials):
        trial, error = Trial(case, is_fitted=True), None
        line = reserved_at[0] + rng.randint(-100, 100)
        with LineCounter(line, lambda: fill_disk(folder)) as lines:
            try:
                trial.estimator.fit(*case.data)
            except OSError as caught:
                error = caught.errno, str(caught)
        Path(folder, "other").unlink(missing_ok=True)
        if error is not None:
            n_failed += 1
            assert error[0] == errno.ENOSPC
            assert f"and {folder}, which has" in error[1]
        trial.assert_unharmed(error is not None, expected, lines.place)
    print(n_failed)


@ON_LINUX
def test_a_disk_that_fills_at_any_moment_ends_no_process(tmp_path):
    mount = f"mount -t tmpfs -o size=2m none {tmp_path}"
    if (
        shutil.which("unshare") is None
        or subprocess.run(["unshare", "-rm", *mount.split()]).returncode
    ):
        pytest.skip("no file system can be mounted here")
    n_trials = 2 * N_FAULTS
    code = f"import test_faults as t; t.fit_while_the_disk_fills({str(tmp_path)!r}, {n_trials})"
    path = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", f'{mount} && exec "$0" -c "$1"', sys.executable, code],
        env=os.environ | {"TMPDIR": str(tmp_path), "PYTHONPATH": path},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert 0 < int(done.stdout) < n_trials


class DeadlyHead(RidgeClassifier):
    """Head that logs its fits, and at alpha=3 ends its process while the file "trap" exists.

    Parameters
    ----------
    alpha : float
        Regularization.
    folder : Path
        Folder of the files "fits", "trap" and of the cache.
    n_cached : int
        Number of results in the cache for which to wait before the end.
    """

    def __init__(self, alpha=1.0, folder=None, n_cached=None):
        super().__init__(alpha)
        self.folder = folder
        self.n_cached = n_cached

    def fit(self, X, y, sample_weight=None):
        if self.alpha == 3 and (self.folder / "trap").exists():
            while len(list(self.folder.rglob("output.pkl"))) < self.n_cached:
                time.sleep(0.01)
            os._exit(1)
        with open(self.folder / "fits", "a") as file:
            file.write(f"{self.alpha} ")
        return super().fit(X, y, sample_weight)


@ON_LINUX
def test_a_search_whose_worker_is_killed_says_so_and_can_keep_its_fits(tmp_path):
    trap, fits = tmp_path / "trap", tmp_path / "fits"
    trap.touch()
    clf = LayerwiseCNNClassifier(n_layers=1, n_clusters=6, random_state=0)
    clf.set_params(head=DeadlyHead(folder=tmp_path, n_cached=0))
    grid = {"head__alpha": [0.1, 0.3, 3.0, 10.0]}
    search = GridSearchCV(clf, grid, cv=2, n_jobs=2)
    with pytest.raises(TerminatedWorkerError, match=r"A worker process .* unexpectedly terminated"):
        search.fit(IMAGES, LABELS)
    assert not hasattr(search, "cv_results_")

    # The cache of fits is the one of the user guide.
    score = Memory(tmp_path / "cache", verbose=0).cache(cross_val_score)
    clf.set_params(head__n_cached=2)

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
