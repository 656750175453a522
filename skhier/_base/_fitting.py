"""One way to run `fit`: parameters checked, callbacks informed, all or nothing."""

from contextlib import contextmanager
from functools import wraps
from time import perf_counter

from sklearn.callback import with_callbacks
from sklearn.utils import gen_batches, gen_even_slices

from ._device import own_modes
from ._sklearn import _fit_context

_SECONDS_BETWEEN_LINES = 3


def all_or_nothing(method):
    """Decorate a method: if it fails or is interrupted, its estimator is as it was before.

    Attributes must be assigned, never changed in place. The handler calls nothing: at a call a
    second interrupt may come.
    """

    @wraps(method)
    def undone_on_failure(estimator, *args, **kwargs):
        before = dict(vars(estimator))
        try:
            return method(estimator, *args, **kwargs)
        except BaseException:
            estimator.__dict__ = before
            raise

    return undone_on_failure


def fit_method(fit):
    """Decorate a `fit`: validate parameters, manage callbacks, print its time, all or nothing."""
    # Estimators of the user, such as heads, check their own parameters.
    validated = _fit_context(prefer_skip_nested_validation=False)(_timed(fit))
    return all_or_nothing(with_callbacks(validated))


def _timed(fit):
    @wraps(fit)
    def timed(estimator, *args, **kwargs):
        with _timer(estimator, "fit"), own_modes():
            return fit(estimator, *args, **kwargs)

    return timed


@contextmanager
def _timer(estimator, name, level=1):
    """Print the seconds of a stage at its end, and notes that are added to the list yielded."""
    start, notes = perf_counter(), []
    yield notes
    time = f"{name}: done in {perf_counter() - start:.1f} s"
    _log(estimator, ", ".join([time, *notes]), level)


def _log(estimator, message, level=1):
    """Print a message if `verbose` of the estimator, which may have none, is at least `level`."""
    if getattr(estimator, "verbose", False) >= level:
        print(f"[{type(estimator).__name__}] {message}", flush=True)


def n_parts(n_samples, batch_size):
    """Return the number of subtasks that a pass over samples is reported as."""
    return min(10, -(-n_samples // batch_size))


class Task:
    """Task of a fit: reports to scikit-learn's callbacks and prints if verbose.

    Attributes
    ----------
    stop : bool
        Whether a callback asked, at the end of a subtask, to go no further.
    """

    def __init__(self, estimator, context):
        self._estimator = estimator
        self._context = context
        self.stop = False

    @classmethod
    @contextmanager
    def fit(cls, estimator, n_subtasks=None, X=None, y=None):
        """Report the whole fit of an estimator, the root of its tree of tasks."""
        context = estimator._init_callback_context(max_subtasks=n_subtasks)
        context.call_on_fit_task_begin(estimator=estimator, X=X, y=y)
        yield cls(estimator, context)
        context.call_on_fit_task_end(estimator=estimator, X=X, y=y)

    @contextmanager
    def subtask(self, name, n_subtasks=0):
        """Report a part of this task; `n_subtasks` is the number of its own parts, if known."""
        context = self._context.subcontext(task_name=name, max_subtasks=n_subtasks)
        context.call_on_fit_task_begin(estimator=self._estimator)
        task = Task(self._estimator, context)
        yield task
        self.stop |= context.call_on_fit_task_end(estimator=self._estimator)

    @contextmanager
    def delegate(self, name, sub_estimator):
        """Report a part of this task that is the fit of another estimator."""
        context = self._context.subcontext(task_name=name)
        with context.propagate_callback_context(sub_estimator):
            context.call_on_fit_task_begin(estimator=self._estimator)
            yield
            self.stop |= context.call_on_fit_task_end(estimator=self._estimator)

    def in_parts(self, name, n_samples, batch_size, unit="samples"):
        """Yield the slices of batches, and report a subtask for every tenth of the samples.

        If verbose, print the number of samples done and the time left every few seconds. `unit`
        says what is counted.
        """
        start = printed = perf_counter()
        batches = list(gen_batches(n_samples, batch_size))
        for part in gen_even_slices(len(batches), n_parts(n_samples, batch_size)):
            with self.subtask(name):
                yield from batches[part]
            done, now = batches[part][-1].stop, perf_counter()
            if now - printed > _SECONDS_BETWEEN_LINES:
                printed, left = now, (now - start) * (n_samples / done - 1)
                self.log(f"{name}: {done} of {n_samples} {unit}, {left:.0f} s left")

    def timed(self, name, level=1):
        """Return a context that prints the seconds of a stage, and notes, at its end."""
        return _timer(self._estimator, name, level)

    def log(self, message):
        """Print a message if the estimator is verbose."""
        _log(self._estimator, message)
