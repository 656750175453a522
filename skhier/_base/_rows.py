"""Rows of data, images or features, wherever they are: read in batches, and added up.

All that is learned from data is learned from sums over rows. So the data may be whatever can be
read again: an array in memory or in a file, what a function makes of other rows, or chunks on the
workers of a cluster.
"""

from copy import copy
from math import prod
from typing import Any, NamedTuple

import numpy as np
import torch
from sklearn.utils import gen_batches

from ._device import as_array, automatic_batch_size, numpy_dtype
from ._fitting import n_parts


class Sums:
    """What is learned from rows by adding up.

    Attributes
    ----------
    summed : tuple of str
        The attributes that are sums over rows.
    """

    summed: tuple = ()

    def add(self, batch, *along):
        """Add some rows, with what lies along them: labels, weights, row numbers."""
        raise NotImplementedError

    def __add__(self, other):
        """The sums over the rows of both, of which those of `other` come later."""
        both = copy(self)
        for name in self.summed:
            setattr(both, name, getattr(self, name) + getattr(other, name))
        return both


class Together(Sums):
    """Several sums over the same rows.

    Attributes
    ----------
    parts : tuple of Sums
        Each of them.
    """

    def __init__(self, *parts):
        self.parts = parts

    def add(self, batch, *along):
        """Add some rows to each."""
        for part in self.parts:
            part.add(batch, *along)

    def __add__(self, other):
        return Together(*(a + b for a, b in zip(self.parts, other.parts)))


class Made(NamedTuple):
    """What a function makes of each batch of rows, as many rows of another kind.

    Attributes
    ----------
    function : callable
        From batches, arrays or tensors, to tensors.
    row_shape : tuple of int
        Of a row that it gives.
    dtype : torch.dtype
        Of what it gives.
    batch_size : int
        How many rows it takes at a time.
    """

    function: Any
    row_shape: tuple
    dtype: Any
    batch_size: int


class Rows:
    """Rows that can be read again and again.

    Attributes
    ----------
    shape : tuple of int
        (n, ...), as of an array.
    dtype : dtype
        Of NumPy or torch.
    batch_size : int
        How many rows to read at a time.
    is_held : bool
        Whether reading takes no computing.
    """

    shape: tuple
    dtype: Any
    batch_size: int
    is_held = True

    def __len__(self):
        return self.shape[0]

    def derived(self, function, row_shape, dtype, batch_size=None):
        """The rows that a function makes of batches of these, each time they are read."""
        return DerivedRows(self, Made(function, row_shape, dtype, batch_size or self.batch_size))

    def accumulate(self, sums, *along, task=None, name="", batch_size=None):
        """Add all rows to `sums`, in batches, and return it.

        Parameters
        ----------
        sums : Sums
            Empty.
        *along : sequence or None
            What is sliced as the rows are: arrays, tensors or ranges; None stays None.
        task : Task or None
            Of which tenths of the way are parts, of the given name.
        name : str
            See `task`.
        batch_size : int or None
            Rows to read at a time, if not the usual number.
        """
        raise NotImplementedError

    def n_parts(self, batch_size=None):
        """The number of parts that going over all rows is reported as."""
        raise NotImplementedError

    def take(self, index):
        """The rows that an index array selects, in its order, in memory."""
        raise NotImplementedError

    def subset(self, index):
        """The rows that a sorted index array selects, as rows."""
        raise NotImplementedError

    def paired(self, other):
        """Rows that are pairs, of one of these and one of others, as many."""
        raise NotImplementedError

    def held(self, memory, task=None, name=""):
        """These rows, kept so that reading them takes no computing, if there is room."""
        return self

    def collect(self):
        """All rows, an array in memory."""
        raise NotImplementedError

    # What DerivedRows are made of:

    def hold(self, made, memory, task, name):
        """The rows that are made of these, kept; None if there is no room."""
        raise NotImplementedError

    def gather(self, made):
        """The rows that are made of these, an array in memory."""
        raise NotImplementedError


class LocalRows(Rows):
    """The rows of an array or a tensor, or those that `index` selects.

    Parameters
    ----------
    array : array-like
        With a shape, a dtype, and slices; in memory or in a file.
    batch_size : int or None
        See :class:`Rows`; None suits the cache.
    index : ndarray of int or None
        All if None.

    Attributes
    ----------
    array : array-like
        The array.
    """

    def __init__(self, array, batch_size=None, index=None):
        self.array, self._index = array, index
        self.shape = (len(array) if index is None else len(index), *array.shape[1:])
        self.dtype = array.dtype
        row_bytes = prod(self.shape[1:]) * self.dtype.itemsize
        self.batch_size = int(batch_size or 0) or automatic_batch_size(row_bytes)

    def n_parts(self, batch_size=None):
        """The number of parts that going over all rows is reported as."""
        return n_parts(len(self), int(batch_size or self.batch_size))

    def take(self, index):
        """The rows that a slice or an index array selects."""
        return self.array[index if self._index is None else self._index[index]]

    def subset(self, index):
        """The rows that a sorted index array selects, as rows."""
        if len(index) == len(self):
            return self
        index = index if self._index is None else self._index[index]
        return LocalRows(self.array, self.batch_size, index)

    def accumulate(self, sums, *along, task=None, name="", batch_size=None):
        """Add all rows to `sums`, in batches, and return it."""
        sizes = len(self), int(batch_size or self.batch_size)
        for batch in gen_batches(*sizes) if task is None else task.in_parts(name, *sizes):
            sums.add(self.take(batch), *(a if a is None else a[batch] for a in along))
        return sums

    def paired(self, other):
        """Rows that are pairs, of one of these and one of others, as many."""
        return LocalRows(_Pairs(self, other), min(self.batch_size, other.batch_size))

    def collect(self):
        """All rows, an array in memory."""
        return as_array(self.take(slice(None)))

    def hold(self, made, memory, task, name):
        """The rows that are made of these, kept in memory or in a temporary file."""
        out = memory.empty((len(self), *made.row_shape), made.dtype)
        if out is None:
            return None
        self._copy(made, out, task, name)
        return LocalRows(out)

    def make(self, made):
        """The rows that are made of these, a tensor."""
        out = torch.empty((len(self), *made.row_shape), dtype=made.dtype)
        self._copy(made, out)
        return out

    def gather(self, made):
        """The rows that are made of these, an array in memory."""
        out = np.empty((len(self), *made.row_shape), numpy_dtype(made.dtype))
        self._copy(made, torch.from_numpy(out))
        return out

    def _copy(self, made, out, task=None, name=""):
        copies = _Copies(made.function, out)
        numbers, size = range(len(self)), made.batch_size
        self.accumulate(copies, numbers, task=task, name=name, batch_size=size)


class _Copies:
    """Makes rows, and puts them where they belong."""

    def __init__(self, function, out):
        self._function, self._out = function, out

    def add(self, batch, numbers):
        self._out[numbers.start : numbers.stop] = self._function(batch)


class _Pairs:
    """Two rows at a time, as an array whose slices are pairs of slices."""

    dtype = np.dtype(object)

    def __init__(self, first, second):
        self._first, self._second = first, second
        self.shape = (len(first),)

    def __len__(self):
        return len(self._first)

    def __getitem__(self, index):
        return self._first.take(index), self._second.take(index)


class DerivedRows(Rows):
    """Rows that are made of others each time they are read.

    Parameters
    ----------
    source : Rows
        The others.
    made : Made
        How.
    """

    is_held = False

    def __init__(self, source, made):
        self._source, self._made = source, made
        self.shape = (len(source), *made.row_shape)
        self.dtype, self.batch_size = made.dtype, made.batch_size

    def accumulate(self, sums, *along, task=None, name="", batch_size=None):
        """Add all rows to `sums`, in batches, and return it."""
        sums, size = _OfMade(sums, self._made.function), batch_size or self.batch_size
        return self._source.accumulate(sums, *along, task=task, name=name, batch_size=size).sums

    def n_parts(self, batch_size=None):
        """The number of parts that going over all rows is reported as."""
        return self._source.n_parts(batch_size or self.batch_size)

    def take(self, index):
        """The rows that an index array selects, in its order, in memory."""
        return self._made.function(self._source.take(index))

    def subset(self, index):
        """The rows that a sorted index array selects, as rows."""
        return DerivedRows(self._source.subset(index), self._made)

    def paired(self, other):
        """Rows that are pairs, of one of these and one of others, as many."""
        return self._source.paired(other).derived(
            _OfFirst(self._made.function), (), other.dtype, min(self.batch_size, other.batch_size)
        )

    def held(self, memory, task=None, name=""):
        """These rows, kept so that reading them takes no computing, if there is room."""
        return self._source.hold(self._made, memory, task, name) or self

    def collect(self):
        """All rows, an array in memory."""
        return self._source.gather(self._made)

    def hold(self, made, memory, task, name):
        """The rows that are made of these, kept; None if there is no room."""
        return self._source.hold(self._composed(made), memory, task, name)

    def gather(self, made):
        """The rows that are made of these, an array in memory."""
        return self._source.gather(self._composed(made))

    def _composed(self, made):
        return made._replace(function=_Composed(self._made.function, made.function))


class _OfMade(NamedTuple):
    """Sums over what a function makes of rows."""

    sums: Any
    function: Any

    def add(self, batch, *along):
        self.sums.add(self.function(batch), *along)

    def __add__(self, other):
        return _OfMade(self.sums + other.sums, self.function)


class _Composed(NamedTuple):
    first: Any
    then: Any

    def __call__(self, batch):
        return self.then(self.first(batch))


class _OfFirst(NamedTuple):
    function: Any

    def __call__(self, pair):
        return self.function(pair[0]), pair[1]
