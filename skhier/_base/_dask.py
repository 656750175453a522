"""Rows in the chunks of a Dask array: the workers of a cluster do what is done with them."""

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
from ._rows import LocalRows, Rows

_FAN_IN = 8  # sums that are added at a time
_MOST_BESIDE = 4  # arrays of labels and weights that workers keep
_SECONDS = 2  # between looks whether there are workers
_PATIENCE = 60  # seconds without a worker


def current_client():
    """The client of the cluster that Dask computes on now, or None."""
    try:
        return distributed.Client.current()
    except ValueError:
        return None


def dask_rows(X, row_shape, dtype, client):
    """Rows of a shape and dtype of a Dask array of which each chunk has whole rows."""
    blocks = X.to_delayed().reshape(-1).tolist()
    chunks = [delayed(_as_chunk)(block, row_shape, dtype) for block in blocks]
    return DaskRows(chunks, X.chunks[0], row_shape, dtype, client)


class DaskRows(Rows):
    """Rows in chunks that are on the workers of a cluster, or are made there.

    What is added up of a chunk is added up where it is, and then to that of others, in a tree.
    No row travels but those that are asked for.

    Parameters
    ----------
    chunks : list of Delayed
        Of `_Chunk`.
    lengths : sequence of int
        The numbers of their rows.
    row_shape : tuple of int
        Of a row.
    dtype : dtype
        Of NumPy or torch.
    client : distributed.Client
        Of the cluster.
    """

    def __init__(self, chunks, lengths, row_shape, dtype, client):
        self._chunks, self._lengths, self._client = chunks, lengths, client
        stops = np.cumsum(lengths).tolist()
        self._bounds = list(zip([0, *stops], stops))
        self.shape, self.dtype = (stops[-1], *row_shape), dtype
        self.batch_size = automatic_batch_size(prod(row_shape) * dtype.itemsize)
        self._beside = {}

    def n_parts(self, batch_size=None):
        """The number of parts that going over all rows is reported as."""
        return n_parts(len(self._chunks), 1)

    def accumulate(self, sums, *along, task=None, name="", batch_size=None):
        """Add all rows to `sums`, in batches, and return it."""
        empty, size = delayed(sums, traverse=False), int(batch_size or self.batch_size)
        beside = zip(*(self._sent(values) for values in along)) if along else repeat(())
        parts = [
            delayed(_accumulate)(chunk, empty, size, list(values))
            for chunk, values in zip(self._chunks, beside)
        ]
        total = parts
        while len(total) > 1:
            groups = [total[i : i + _FAN_IN] for i in range(0, len(total), _FAN_IN)]
            total = [delayed(_add)(group) for group in groups]
        return self._compute(total, parts, task, name)[0]

    def _sent(self, values):
        """The parts of what lies along rows, sent to the workers once for all passes."""
        if values is None:
            return [None] * len(self._chunks)
        if id(values) not in self._beside:
            parts = [delayed(_slice(values, *bounds), traverse=False) for bounds in self._bounds]
            while len(self._beside) >= _MOST_BESIDE:
                self._beside.pop(next(iter(self._beside)))
            # With the values themselves, so that their id stays theirs.
            self._beside[id(values)] = values, self._client.persist(parts)
        return self._beside[id(values)][1]

    def take(self, index):
        """The rows that a slice or an index array selects, in its order, in memory."""
        index = np.arange(len(self))[index]
        order = np.argsort(index, kind="stable")
        some = self.subset(index[order])
        chunks = self._compute(some._chunks)
        join = torch.cat if isinstance(chunks[0].array, torch.Tensor) else np.concatenate
        return join([chunk.array for chunk in chunks])[np.argsort(order)]

    def subset(self, index):
        """The rows that a sorted index array selects, as rows."""
        if len(index) == len(self):
            return self
        first = np.searchsorted(index, [start for start, _ in self._bounds] + [len(self)])
        chunks, lengths = [], []
        for chunk, (start, _), i, j in zip(self._chunks, self._bounds, first, first[1:]):
            if i < j:
                chunks.append(delayed(_take)(chunk, index[i:j] - start))
                lengths.append(int(j - i))
        return DaskRows(chunks, lengths, self.shape[1:], self.dtype, self._client)

    def paired(self, other):
        """Rows that are pairs, of one of these and one of others in the same chunks."""
        chunks = [delayed(_pair)(a, b) for a, b in zip(self._chunks, other._chunks)]
        return DaskRows(chunks, self._lengths, (), np.dtype(object), self._client)

    def collect(self):
        """All rows, an array in memory."""
        return self._joined(self._chunks)

    def hold(self, made, memory, task, name):
        """The rows that are made of these, kept by the workers."""
        how = delayed(made, traverse=False)
        chunks = [delayed(_make)(chunk, how) for chunk in self._chunks]
        chunks = self._client.persist(chunks)
        self._wait(distributed.futures_of(chunks), task, name)
        return DaskRows(chunks, self._lengths, made.row_shape, made.dtype, self._client)

    def gather(self, made):
        """The rows that are made of these, an array in memory."""
        how = delayed(made, traverse=False)
        parts = [delayed(_make)(chunk, how) for chunk in self._chunks]
        return self._joined(parts)

    def _joined(self, chunks):
        """The rows of chunks, an array in memory."""
        return np.concatenate([as_array(chunk.array) for chunk in self._compute(chunks)])

    def _compute(self, results, parts=(), task=None, name=""):
        """The values of results, of which parts are finished one after the other."""
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
        """Wait until all are finished, and tell the task."""
        steps = iter(range(0) if task is None else task.in_parts(name, len(futures), 1))
        done, deserted = Queue(), None
        for future in futures:
            future.add_done_callback(done.put)
        for _ in futures:
            while (future := _next(done)) is None:
                deserted = self._refuse_absence(deserted)
            deserted = None
            next(steps, None)
            if future.status != "finished":
                future.result()  # raises what the worker raised
        next(steps, None)

    def _refuse_absence(self, since):
        """Since when there is no worker; RuntimeError if that is long ago."""
        if self._client.nthreads():
            return None
        since = monotonic() if since is None else since
        if monotonic() - since > _PATIENCE:
            raise RuntimeError(
                f"No worker has been left in the Dask cluster of {self._client} for {_PATIENCE} "
                "seconds: start workers and fit again."
            )
        return since


def _slice(along, start, stop):
    """A part of what lies along rows, on its own: a view of a tensor takes all of it along."""
    part = along[start:stop]
    return part.clone() if isinstance(part, torch.Tensor) else part


def _next(queue):
    """What comes next, None if nothing comes for a while."""
    with suppress(Empty):
        return queue.get(timeout=_SECONDS)


class _Chunk:
    """The rows of a chunk, which Dask can send and store: bfloat16 it cannot."""

    def __init__(self, array):
        self.array = array

    @classmethod
    def _of_bytes(cls, array, dtype):
        return cls(torch.from_numpy(array).view(dtype))

    def __reduce__(self):
        if isinstance(self.array, torch.Tensor):
            raw = self.array.contiguous().view(torch.uint8).numpy()
            return _Chunk._of_bytes, (raw, self.array.dtype)
        return _Chunk, (self.array,)

    def __sizeof__(self):
        return object.__sizeof__(self) + getattr(self.array, "nbytes", 0)


def _as_chunk(block, row_shape, dtype):
    return _Chunk(np.asarray(block).reshape(-1, *row_shape).astype(dtype, copy=False))


def _accumulate(chunk, empty, batch_size, along):
    rows = LocalRows(chunk.array)
    return rows.accumulate(deepcopy(empty), *along, batch_size=batch_size)


def _add(parts):
    total, *others = parts
    for part in others:
        total = total + part
    return total


def _take(chunk, index):
    return _Chunk(LocalRows(chunk.array).take(index))


def _pair(first, second):
    return _Chunk(LocalRows(first.array).paired(LocalRows(second.array)).array)


def _make(chunk, made):
    return _Chunk(LocalRows(chunk.array).make(made))
