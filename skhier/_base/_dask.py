"""Rows in the chunks of a Dask array, which the workers of a cluster read, map and add up."""

from contextlib import suppress
from copy import deepcopy
from itertools import repeat
from math import prod
from queue import Empty, Queue
from time import monotonic

import distributed
import numpy as np
import torch
from dask.delayed import delayed

from ._device import as_array, automatic_batch_size
from ._fitting import n_parts
from ._rows import ArraySource, Rows
from ._validation import checked_rows

_FAN_IN = 8  # accumulators that are merged at once
_MAX_CACHED = 4  # aligned arrays (labels, weights) that workers keep
_POLL_SECONDS = 2  # between checks that there are workers
_WORKER_TIMEOUT = 60  # seconds without a worker before a fit fails


def current_client():
    """Return the client of the cluster that Dask computes on now, or None."""
    try:
        return distributed.Client.current()
    except ValueError:
        return None


def dask_rows(X, row_shape, dtype, client):
    """Return the rows, of a given shape and dtype, of a Dask array with whole rows in chunks."""
    blocks = zip(X.to_delayed().reshape(-1).tolist(), X.chunks[0])
    chunks = [
        delayed(_as_chunk)(block, (n_rows, *X.shape[1:]), row_shape, dtype)
        for block, n_rows in blocks
    ]
    return Rows(DaskSource(chunks, X.chunks[0], row_shape, dtype, client))


class DaskSource:
    """Stored rows in chunks on the workers of a cluster; see :class:`ArraySource`.

    A worker adds up its chunks where they are. Accumulators are merged in a tree. Only the rows
    that `take` and `collect` ask for are sent to the client.

    Parameters
    ----------
    chunks : list of Delayed
        Each computes a `_Chunk`.
    lengths : sequence of int
        Number of rows of each chunk.
    row_shape : tuple of int
        Shape of a row.
    dtype : dtype
        Dtype of NumPy or torch.
    client : distributed.Client
        Client of the cluster.
    is_cache : bool
        Whether the chunks are mapped rows that the workers keep.
    """

    def __init__(self, chunks, lengths, row_shape, dtype, client, is_cache=False):
        self._chunks, self._lengths, self._client = chunks, lengths, client
        self.is_cache = is_cache
        stops = np.cumsum(lengths).tolist()
        self._bounds = list(zip([0, *stops], stops))
        self.n_rows, self.row_shape, self.dtype = stops[-1], row_shape, dtype
        self.batch_size = automatic_batch_size(prod(row_shape) * dtype.itemsize)
        self._cached = {}

    def n_subtasks(self, batch_size):
        """Return the number of subtasks that `accumulate` reports."""
        return n_parts(len(self._chunks), 1)

    def accumulate(self, rows, accumulator, aligned, batch_size, task=None, name=""):
        """Add all mapped rows to an accumulator and return it."""
        how = delayed((rows.operators, accumulator, batch_size), traverse=False)
        slices = zip(*(self._sent(values) for values in aligned)) if aligned else repeat(())
        parts = [
            delayed(_accumulate)(chunk, how, list(values))
            for chunk, values in zip(self._chunks, slices)
        ]
        total = parts
        while len(total) > 1:
            groups = [total[i : i + _FAN_IN] for i in range(0, len(total), _FAN_IN)]
            total = [delayed(_merge)(group) for group in groups]
        return self._compute(total, parts, task, name)[0]

    def _sent(self, values):
        """Return the slices of an aligned array, sent to the workers once for all passes."""
        if values is None:
            return [None] * len(self._chunks)
        if id(values) not in self._cached:
            slices = [delayed(_slice(values, *bounds), traverse=False) for bounds in self._bounds]
            while len(self._cached) >= _MAX_CACHED:
                self._cached.pop(next(iter(self._cached)))
            # A reference to the array keeps its id from being used again.
            self._cached[id(values)] = values, self._client.persist(slices)
        return self._cached[id(values)][1]

    def take(self, index):
        """Return the rows that a slice or an index array selects, in memory."""
        index = np.arange(self.n_rows)[index]
        order = np.argsort(index, kind="stable")
        chunks = self._compute(self.subset(index[order])._chunks)
        join = torch.cat if isinstance(chunks[0].array, torch.Tensor) else np.concatenate
        return join([chunk.array for chunk in chunks])[np.argsort(order)]

    def subset(self, index):
        """Return the source of the rows that a sorted index array selects."""
        first = np.searchsorted(index, [start for start, _ in self._bounds] + [self.n_rows])
        chunks, lengths = [], []
        for chunk, (start, _), i, j in zip(self._chunks, self._bounds, first, first[1:]):
            if i < j:
                chunks.append(delayed(_take)(chunk, index[i:j] - start))
                lengths.append(int(j - i))
        return DaskSource(chunks, lengths, self.row_shape, self.dtype, self._client)

    def collect(self, rows):
        """Return all mapped rows as one array in memory."""
        chunks = self._compute(self._mapped(rows) if rows.operators else self._chunks)
        return np.concatenate([as_array(chunk.array) for chunk in chunks])

    def cache(self, rows, memory, task, name, may_use_file):
        """Return a source whose workers keep the mapped rows."""
        return self._persisted(self._mapped(rows), rows, task, name)

    def overwrite(self, operator):
        """Return the source of the map of these rows, which the workers keep."""
        rows = Rows(self, (operator,))
        return self._persisted(self._mapped(rows), rows)

    def average(self, rows):
        """Return the source of the means of these rows and others of the same array."""
        pairs = zip(self._chunks, rows.source._mapped(rows))
        return self._persisted([delayed(_mean)(a, b) for a, b in pairs], rows)

    def _mapped(self, rows):
        """Return the chunks of mapped rows."""
        how = delayed((rows.operators, rows.shape[1:], rows.dtype), traverse=False)
        return [delayed(_map)(chunk, how) for chunk in self._chunks]

    def _persisted(self, chunks, rows, task=None, name=""):
        chunks = self._client.persist(chunks)
        self._wait(distributed.futures_of(chunks), task, name)
        sizes = self._lengths, rows.shape[1:], rows.dtype
        return DaskSource(chunks, *sizes, self._client, is_cache=True)

    def _compute(self, results, parts=(), task=None, name=""):
        """Return the values of results; report their `parts` to the task as they finish."""
        futures = self._client.compute([*parts, *results])
        last = futures[len(parts) :]
        try:
            self._wait(futures[: len(parts)], task, name)
            self._wait(last)
            return self._client.gather(last)
        except BaseException:
            with suppress(Exception):
                self._client.cancel(futures)
            raise

    def _wait(self, futures, task=None, name=""):
        """Wait until all futures are finished; report the progress to the task."""
        steps = iter(range(0) if task is None else task.in_parts(name, len(futures), 1, "chunks"))
        done, absent_since = Queue(), None
        for future in futures:
            future.add_done_callback(done.put)
        for _ in futures:
            while (future := _next(done)) is None:
                absent_since = self._refuse_absence(absent_since)
            absent_since = None
            next(steps, None)
            if future.status != "finished":
                future.result()  # raises the exception of the worker
        next(steps, None)

    def _refuse_absence(self, since):
        """Return the time since which there is no worker; RuntimeError after a timeout."""
        if self._client.nthreads():
            return None
        since = monotonic() if since is None else since
        if monotonic() - since > _WORKER_TIMEOUT:
            raise RuntimeError(
                f"No worker has been left in the Dask cluster of {self._client} for "
                f"{_WORKER_TIMEOUT} seconds: start workers and fit again."
            )
        return since


def _slice(values, start, stop):
    """Copy one slice of a tensor: a view would pickle the whole storage."""
    part = values[start:stop]
    return part.clone() if isinstance(part, torch.Tensor) else part


def _next(queue):
    """Return the next item of a queue, None after a timeout."""
    with suppress(Empty):
        return queue.get(timeout=_POLL_SECONDS)


class _Chunk:
    """Array or tensor that Dask can send and store, which it cannot do with bfloat16."""

    def __init__(self, array):
        self.array = array

    @classmethod
    def _from_bytes(cls, array, dtype):
        return cls(torch.from_numpy(array).view(dtype))

    def __reduce__(self):
        if isinstance(self.array, torch.Tensor):
            raw = self.array.contiguous().view(torch.uint8).numpy()
            return _Chunk._from_bytes, (raw, self.array.dtype)
        return _Chunk, (self.array,)

    def __sizeof__(self):
        return object.__sizeof__(self) + getattr(self.array, "nbytes", 0)


# Functions of a chunk, which the workers run.


def _as_chunk(block, shape, row_shape, dtype):
    return _Chunk(checked_rows(block, shape, row_shape, dtype))


def _accumulate(chunk, how, aligned):
    operators, accumulator, batch_size = how
    source = ArraySource(chunk.array)
    return source.accumulate(Rows(source, operators), deepcopy(accumulator), aligned, batch_size)


def _merge(accumulators):
    total, *others = accumulators
    for other in others:
        total = total + other
    return total


def _take(chunk, index):
    return _Chunk(chunk.array[index])


def _map(chunk, how):
    operators, row_shape, dtype = how
    source = ArraySource(chunk.array)
    out = torch.empty((source.n_rows, *row_shape), dtype=dtype)
    return _Chunk(source.fill(Rows(source, operators), out))


def _mean(first, second):
    return _Chunk((first.array + second.array) * 0.5)
