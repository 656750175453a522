"""Rows of data, images or features, that are read in batches, again and again.

Estimators learn from data by accumulators over rows. Rows are a source (an array in memory or on
disk, or chunks on the workers of a cluster) and the operators that a batch goes through whenever
it is read.
"""

from copy import copy
from math import prod
from typing import Any, NamedTuple

import numpy as np
import torch
from sklearn.utils import gen_batches

from ._device import as_array, automatic_batch_size, numpy_dtype
from ._fitting import n_parts


class Operator(NamedTuple):
    """Map from batches of rows to tensors with the same number of rows.

    Attributes
    ----------
    function : callable
        Maps a batch, an array or a tensor, to a tensor. A check may return an array as it is, if
        `batch_size` is the number of all rows.
    row_shape : tuple of int
        Shape of a row of the result.
    dtype : dtype
        Dtype of the result, of NumPy or torch.
    batch_size : int
        Largest number of rows that `function` gets at once.
    """

    function: Any
    row_shape: tuple
    dtype: Any
    batch_size: int

    def __call__(self, rows):
        """Map rows batch by batch and concatenate the results."""
        if len(rows) <= self.batch_size:
            return self.function(rows)
        out = None
        for batch in gen_batches(len(rows), self.batch_size):
            values = self.function(rows[batch])
            if out is None:  # on the device of the values
                out = values.new_empty((len(rows), *values.shape[1:]))
            out[batch] = values
        return out


class Chain(NamedTuple):
    """Composition of operators.

    Attributes
    ----------
    operators : tuple of Operator
        The first one is applied first.
    """

    operators: tuple

    def __call__(self, batch):
        for operator in self.operators:
            batch = operator(batch)
        return batch


def compose(operators, batch_size):
    """Return the operator that applies operators one after the other, the first one first."""
    last = operators[-1]
    return Operator(Chain(tuple(operators)), last.row_shape, last.dtype, batch_size)


class Accumulator:
    """State that is learned by adding batches, and that can be merged with another one.

    Attributes
    ----------
    summed : tuple of str
        Names of the attributes that are added when two accumulators are merged.
    """

    summed: tuple = ()

    def add(self, batch, *aligned):
        """Add a batch of rows with the matching labels, weights or row numbers."""
        raise NotImplementedError

    def __add__(self, other):
        """Merge with the accumulator of later rows."""
        both = copy(self)
        for name in self.summed:
            setattr(both, name, getattr(self, name) + getattr(other, name))
        return both


class Accumulators(Accumulator):
    """Several accumulators over the same rows.

    Attributes
    ----------
    parts : tuple of Accumulator
        The accumulators.
    """

    def __init__(self, *parts):
        self.parts = parts

    def add(self, batch, *aligned):
        """Add a batch to each accumulator."""
        for part in self.parts:
            part.add(batch, *aligned)

    def __add__(self, other):
        return Accumulators(*(a + b for a, b in zip(self.parts, other.parts)))


class Rows:
    """Rows of a source, mapped by operators whenever they are read.

    Parameters
    ----------
    source : ArraySource or DaskSource
        The stored rows.
    operators : tuple of Operator
        Applied to each batch; the first one first.

    Attributes
    ----------
    shape : tuple of int
        (n, ...), the shape of the array of all rows.
    dtype : dtype
        Dtype of NumPy or torch.
    batch_size : int
        Number of rows to read at once.
    """

    def __init__(self, source, operators=()):
        self.source, self.operators = source, operators
        last = operators[-1] if operators else source
        self.shape, self.dtype = (source.n_rows, *last.row_shape), last.dtype
        self.batch_size = last.batch_size

    @classmethod
    def of_array(cls, array):
        """Return the rows of an array or a tensor, in memory or on disk."""
        return cls(ArraySource(array))

    def __len__(self):
        return self.shape[0]

    def map(self, operator):
        """Return rows that also go through `operator` whenever they are read."""
        return Rows(self.source, (*self.operators, operator))

    def subset(self, index):
        """Return the rows that a sorted index array selects, as rows."""
        is_all = len(index) == len(self)
        return self if is_all else Rows(self.source.subset(index), self.operators)

    def take(self, index):
        """Return the batch that a slice or an index array selects, in its order."""
        return Chain(self.operators)(self.source.take(index))

    def accumulate(self, accumulator, *aligned, task=None, name="", batch_size=None):
        """Add all rows to an accumulator, batch by batch, and return it.

        Parameters
        ----------
        accumulator : Accumulator
            An empty one.
        *aligned : sequence or None
            Arrays, tensors or ranges with an entry for each row. Each batch comes with the
            matching slices; None stays None.
        task : Task or None
            Receives one subtask, called `name`, for every tenth of the rows.
        name : str
            See `task`.
        batch_size : int or None
            Number of rows to read at once, if not `batch_size` of the rows.
        """
        size = int(batch_size or self.batch_size)
        return self.source.accumulate(self, accumulator, aligned, size, task, name)

    def n_subtasks(self):
        """Return the number of subtasks that `accumulate` reports."""
        return self.source.n_subtasks(self.batch_size)

    def batches(self):
        """Yield all rows as arrays of `batch_size` rows."""
        for _, batch in self.source.each(self, self.batch_size):
            yield batch.to(self.dtype).cpu().numpy()

    def collect(self):
        """Return all rows as one array in memory."""
        return self.source.collect(self)

    def cached(self, memory, task=None, name="", may_use_file=False):
        """Return equal rows that are stored, if there is room; otherwise these rows."""
        if not self.operators:
            return self
        source = self.source.cache(self, memory, task, name, may_use_file)
        return self if source is None else Rows(source)

    def map_in_place(self, operator):
        """Return `map(operator)` for results of the same shape and dtype.

        Rows that were stored by `cached` are overwritten, so that the results are stored too.
        """
        if self.operators or not self.source.is_cache:
            return self.map(operator)
        return Rows(self.source.overwrite(operator))

    def averaged(self, other):
        """Return the mean of these rows, which are cached and may be overwritten, and others."""
        return Rows(self.source.average(other))


class ArraySource:
    """Stored rows of an array or a tensor, in memory or on disk.

    Parameters
    ----------
    array : array-like
        It has a shape and a dtype, and takes slices and index arrays.
    index : ndarray of int or None
        Numbers of the rows that belong to the source; None is all.
    is_cache : bool
        Whether the array was made to store mapped rows, all of it, and may be overwritten.
    """

    def __init__(self, array, index=None, is_cache=False):
        self.array, self._index, self.is_cache = array, index, is_cache
        self.n_rows = len(array) if index is None else len(index)
        self.row_shape, self.dtype = tuple(array.shape[1:]), array.dtype
        self.batch_size = automatic_batch_size(prod(self.row_shape) * self.dtype.itemsize)

    def take(self, index):
        """Return the rows that a slice or an index array selects."""
        return self.array[index if self._index is None else self._index[index]]

    def subset(self, index):
        """Return the source of the rows that a sorted index array selects."""
        return ArraySource(self.array, index if self._index is None else self._index[index])

    def n_subtasks(self, batch_size):
        """Return the number of subtasks that `accumulate` reports."""
        return n_parts(self.n_rows, batch_size)

    def each(self, rows, batch_size, task=None, name=""):
        """Yield (slice, batch) for all batches of mapped rows."""
        sizes = self.n_rows, batch_size
        for batch in gen_batches(*sizes) if task is None else task.in_parts(name, *sizes):
            values = self.take(batch)
            for operator in rows.operators:
                values = operator(values)
            yield batch, values

    def accumulate(self, rows, accumulator, aligned, batch_size, task=None, name=""):
        """Add all mapped rows to an accumulator and return it."""
        for batch, values in self.each(rows, batch_size, task, name):
            accumulator.add(values, *(a if a is None else a[batch] for a in aligned))
        return accumulator

    def fill(self, rows, out, task=None, name=""):
        """Write all mapped rows into a tensor and return it."""
        for batch, values in self.each(rows, rows.batch_size, task, name):
            out[batch] = values
        return out

    def collect(self, rows):
        """Return all mapped rows as one array in memory."""
        if not rows.operators:
            return as_array(self.take(slice(None)))
        out = np.empty(rows.shape, numpy_dtype(rows.dtype))
        self.fill(rows, torch.from_numpy(out))
        return out

    def cache(self, rows, memory, task, name, may_use_file):
        """Return a source that stores the mapped rows; None if there is no room."""
        out = memory.empty(rows.shape, rows.dtype, may_use_file)
        return None if out is None else ArraySource(self.fill(rows, out, task, name), is_cache=True)

    def overwrite(self, operator):
        """Overwrite the stored tensor by its map, and return the source."""
        for batch in gen_batches(self.n_rows, operator.batch_size):
            self.array[batch] = operator(self.array[batch])
        return self

    def average(self, rows):
        """Overwrite the stored tensor by its mean with other rows, and return the source."""
        for batch, values in rows.source.each(rows, rows.batch_size):
            self.array[batch].add_(values.to(self.array.device)).mul_(0.5)
        return self
