"""Batches of samples, worked on by threads."""

from joblib import effective_n_jobs
from sklearn.utils import gen_batches
from sklearn.utils.parallel import Parallel, delayed


def for_batches(work, n_samples, batch_size, n_jobs):
    """Call `work(batch)` for consecutive slices of range(n_samples), in `n_jobs` threads."""
    batches = list(gen_batches(n_samples, batch_size))
    n_threads = min(effective_n_jobs(n_jobs), len(batches))
    if n_threads == 1:
        for batch in batches:
            work(batch)
        return

    def work_on_share(first):
        for batch in batches[first::n_threads]:
            work(batch)

    threads = Parallel(n_jobs=n_threads, require="sharedmem")
    threads(delayed(work_on_share)(first) for first in range(n_threads))
