"""Samples of a fitted sampler that are drawn when they are read."""

from collections.abc import Callable, Iterator
from math import prod
from typing import Any, Literal

import numpy as np
from numpy.typing import DTypeLike
from sklearn.utils.validation import check_is_fitted
from torch.utils.data import Dataset

from .._base._params import check_count, check_flag
from .._base._typing import DatasetLayout, RandomState, SampleOutput
from ._drawing import Drawer
from ._streams import draw_seed
from ._torch import ImageRows, SampleDataset


class LazyMixin:
    """Methods of a fitted sampler that return samples which are drawn when they are read."""

    classes_: np.ndarray
    n_jobs: int | None
    semantic_classes_: np.ndarray
    _draw: Callable
    _drawer: Callable
    _model: Any

    def iter_batches(
        self,
        n_samples: int,
        batch_size: int = 1000,
        *,
        random_state: RandomState = None,
        return_latents: bool = False,
        output: SampleOutput = "pixels",
        dtype: DTypeLike | None = None,
        first: int = 0,
        replace: bool = True,
    ) -> Iterator[tuple[Any, ...]]:
        """Draw the same samples as :meth:`sample` does, batch after batch.

        Memory is needed for one batch only, for any number of samples.

        Parameters
        ----------
        n_samples : int
            Total number of samples.

        batch_size : int, default=1000
            Number of samples in each batch; the last batch may have fewer.

        random_state : int, RandomState instance or None, default=None
            As in :meth:`sample`.

        return_latents : bool, default=False
            As in :meth:`sample`.

        output : {'pixels', 'symbols'}, default='pixels'
            As in :meth:`sample`.

        dtype : dtype, default=None
            As in :meth:`sample`.

        first : int, default=0
            As in :meth:`sample`.

        replace : bool, default=True
            As in :meth:`sample`.

        Returns
        -------
        batches : iterator of tuples
            (X, y) or (X, y, latents) of each batch.

        Examples
        --------
        >>> from skhier import HierarchicalSampler
        >>> sampler = HierarchicalSampler(random_state=0).fit()
        >>> [len(X) for X, y in sampler.iter_batches(2500, batch_size=1000)]
        [1000, 1000, 500]
        """
        drawer = self._drawer(output, dtype, replace)
        indices = drawer.range(n_samples, first)
        batch_size = check_count(batch_size, "batch_size", 1)
        check_flag(return_latents, "return_latents")
        seed = draw_seed(self, random_state)
        return (
            self._draw(drawer, indices[start : start + batch_size], seed, return_latents)
            for start in range(0, len(indices), batch_size)
        )

    def _iter_symbols(self, n_samples: int, random_state: RandomState) -> Iterator[np.ndarray]:
        """Draw symbols (n, h, w), batch after batch, as evidence takes them: level 0 has names."""
        drawer, shape = Drawer(self._model, "symbols"), self._model.level_shapes[-2]
        indices, seed = drawer.range(n_samples, 0), draw_seed(self, random_state)
        # Predictions have a probability for each class of a symbol.
        batch_size = max(1, 2**24 // (prod(shape) * self._model.rules[-1].n_classes))
        for start in range(0, n_samples, batch_size):
            symbols, _, _ = drawer.draw(indices[start : start + batch_size], seed, self.n_jobs)
            symbols = symbols.reshape(-1, *shape)
            yield self.semantic_classes_[symbols] if drawer.last == 0 else symbols

    def to_dask(
        self,
        n_samples: int,
        chunks: Literal["auto"] | int | tuple[int, ...] = "auto",
        *,
        random_state: RandomState = None,
        output: SampleOutput = "pixels",
        dtype: DTypeLike | None = None,
        first: int = 0,
        replace: bool = True,
    ) -> tuple[Any, Any]:
        """Return the samples of :meth:`sample` as Dask arrays, drawn when they are computed.

        Each chunk is drawn in the process or machine of a cluster that computes it. A sample
        depends on the seed and its index only, so `chunks` changes no sample. Dask's scheduler
        decides how many chunks are drawn at a time, not `n_jobs`.

        Parameters
        ----------
        n_samples : int
            Total number of samples.

        chunks : 'auto', int or tuple of ints, default='auto'
            Number of samples in each chunk; the last chunk may have fewer. A tuple gives the
            number of every chunk. 'auto' is the largest number that fits in 64 MiB, or 1.

        random_state : int, RandomState instance or None, default=None
            As in :meth:`sample`.

        output : {'pixels', 'symbols'}, default='pixels'
            As in :meth:`sample`.

        dtype : dtype, default=None
            As in :meth:`sample`.

        first : int, default=0
            As in :meth:`sample`.

        replace : bool, default=True
            As in :meth:`sample`.

        Returns
        -------
        X : dask.array.Array of shape (n_samples, height, width[, n_channels])
            Images or symbols, as in :meth:`sample`, in chunks along the first axis.

        y : dask.array.Array of shape (n_samples,)
            Labels, in the same chunks. ``dask.compute(X, y)`` draws each chunk once.

        Raises
        ------
        ImportError
            If Dask is not installed.

        Examples
        --------
        >>> from skhier import HierarchicalSampler
        >>> sampler = HierarchicalSampler(random_state=0).fit()
        >>> X, y = sampler.to_dask(1_000_000)
        >>> X.shape, round(X.nbytes / 1e9, 1), X.blocks[0].nbytes <= 2**26
        ((1000000, 27, 27), 2.9, True)

        The first thousand images, which :meth:`sample` draws too, and their mean:

        >>> mean = X[:1000].mean(axis=0).compute()
        >>> bool((X[:1000].compute() == sampler.sample(1000)[0]).all())
        True
        """
        from ._dask import lazy_samples, row_chunks

        drawer = self._drawer(output, dtype, replace)
        indices = drawer.range(n_samples, first)
        chunks = row_chunks(chunks, len(indices), drawer.row_shape, drawer.dtype)
        seed = draw_seed(self, random_state)
        return lazy_samples(drawer, seed, indices.start, chunks, self.classes_)

    def to_torch_dataset(
        self,
        n_samples: int,
        *,
        layout: DatasetLayout = "nchw",
        random_state: RandomState = None,
        first: int = 0,
        replace: bool = True,
    ) -> Dataset:
        """Return the samples of :meth:`sample` as a data set of torch, drawn when they are read.

        Sample i of the data set is a function of the seed and i, in any order and in any worker
        of a ``DataLoader``. To read samples that were never seen before in each epoch, make a data
        set as long as the training. ``DataLoader(..., shuffle=True)`` needs memory for all indices,
        but samples are in random order without it.

        A batch is drawn at once, but ``DataLoader`` stacks its samples one by one, unless it gets
        batches of indices: ``DataLoader(dataset, batch_size=None, sampler=BatchSampler(...))``.

        Parameters
        ----------
        n_samples : int
            Number of samples. None is drawn before it is read, so the number can be huge.

        layout : {'nchw', 'ncl', 'tokens'}, default='nchw'
            'nchw' gives images as float32 (channels, height, width). 'ncl' gives images of height
            1, such as one-hot strings, as float32 (channels, length). 'tokens' gives symbols as
            int64, (length,) or (height, width): the indices of the classes of level d - 1.

        random_state : int, RandomState instance or None, default=None
            As in :meth:`sample`. The seed is drawn at the time of the call.

        first : int, default=0
            As in :meth:`sample`.

        replace : bool, default=True
            As in :meth:`sample`.

        Returns
        -------
        dataset : torch.utils.data.Dataset
            Map-style data set. ``dataset[i]`` is the pair (tensor, label), and
            ``dataset[indices]`` with a sequence of ints is a pair of tensors (n, ...) and (n,).
            Labels are the indices 0, ..., n_labels - 1 of `classes_`, as the losses of torch take
            them, also if `classes_` are -1 and 1.

        Examples
        --------
        >>> from torch.utils.data import DataLoader
        >>> from skhier.datasets import make_random_hierarchy
        >>> rhm = make_random_hierarchy(1, return_X_y=False, random_state=0).sampler
        >>> dataset = rhm.to_torch_dataset(10**9, layout="tokens", random_state=1)
        >>> tokens, labels = next(iter(DataLoader(dataset, batch_size=128)))
        >>> tokens.shape, tokens.dtype, labels.dtype
        (torch.Size([128, 16]), torch.int64, torch.int64)
        >>> one_hot, _ = rhm.to_torch_dataset(100, layout="ncl")[5]
        >>> one_hot.shape
        torch.Size([8, 16])
        """
        check_is_fitted(self)
        rows = ImageRows(self._model, layout, replace, draw_seed(self, random_state))
        return SampleDataset(rows, rows.drawer.range(n_samples, first))
