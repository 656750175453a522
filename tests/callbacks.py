"""Callbacks that watch or disturb the tasks of a fit."""


class Callback:
    """Callback that sees the tasks of an estimator and of all its parts, and ignores them."""

    max_propagation_depth = None

    def setup(self, estimator, context):
        """Do nothing before the fit."""

    def teardown(self, estimator, context):
        """Do nothing after the fit."""

    def on_fit_task_begin(self, estimator, context):
        """Do nothing at the start of a task."""

    def on_fit_task_end(self, estimator, context):
        """Do nothing at the end of a task."""


class Recorder(Callback):
    """Callback that records tasks.

    Parameters
    ----------
    stop_after : str or None
        Name of the tasks at whose end it asks the estimator to stop.

    Attributes
    ----------
    begun, ended : list of tuple of str
        Class of the estimator and name of each task.
    """

    def __init__(self, stop_after=None):
        self.begun, self.ended, self.stop_after = [], [], stop_after

    def on_fit_task_begin(self, estimator, context):
        """Record the task."""
        self.begun.append((type(estimator).__name__, context.task_name))

    def on_fit_task_end(self, estimator, context):
        """Record the task; return whether to stop."""
        self.ended.append((type(estimator).__name__, context.task_name))
        return context.task_name == self.stop_after


class Interrupter(Callback):
    """Callback that raises KeyboardInterrupt when a task begins.

    Parameters
    ----------
    estimator_class, task_name : str
        Class of the estimator and name of the task.
    """

    def __init__(self, estimator_class, task_name):
        self.task = estimator_class, task_name

    def on_fit_task_begin(self, estimator, context):
        """Interrupt the fit at the task."""
        if (type(estimator).__name__, context.task_name) == self.task:
            raise KeyboardInterrupt
