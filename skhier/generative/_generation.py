"""Samples of a fitted sampler, drawn in batches by threads."""

from collections.abc import Callable, Iterator
from math import prod
from typing import Any, Literal

import numpy as np
from joblib import effective_n_jobs
from numpy.typing import ArrayLike
from sklearn.utils import gen_batches
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import check_is_fitted

from .._base._params import check_count, check_flag, make_rng
from .._base._typing import RandomState
from .._base._validation import to_array
from ._streams import content_keys, index_keys

_BATCH_PIXELS = 2**18  # so that all levels of a batch stay in cache


class GenerationMixin:
    """Methods of a fitted sampler that draw samples of its model."""

    _encode_semantic: Callable
    _model: Any

    def sample(
        self, n_samples: int = 1, *, random_state: RandomState = None, return_latents: bool = False
    ) -> tuple[Any, ...]:
        r"""Draw labeled images.

        Parameters
        ----------
        n_samples : int, default=1
            Number of images.

        random_state : int, RandomState instance or None, default=None
            Determines the samples. If None, the sampler's own `random_state` does, as it is set
            at the time of the call.

        return_latents : bool, default=False
            Whether to return the semantic images of all levels too.

        Returns
        -------
        X : ndarray of shape (n_samples, height, width[, n_channels]), float32
            Images. Only the images and labels of all samples are in memory.

        y : ndarray of shape (n_samples,)
            Labels of the images.

        latents : list of n_levels ndarrays of shape (n_samples, height, width)
            The semantic images at levels 0, ..., d - 1, after symbol noise. Only if
            `return_latents`.

        Examples
        --------
        >>> from skhier import HierarchicalSampler
        >>> sampler = HierarchicalSampler(random_state=0).fit()
        >>> X, y, latents = sampler.sample(5, return_latents=True)
        >>> X.shape, y.shape, [level.shape for level in latents]
        ((5, 27, 27), (5,), [(5, 3, 3), (5, 9, 9)])
        """
        check_is_fitted(self)
        n_samples = check_count(n_samples, "n_samples", 1)
        return self._draw(range(n_samples), self._draw_seed(random_state), return_latents)

    def sample_at(
        self, indices: ArrayLike, *, random_state: RandomState = None, return_latents: bool = False
    ) -> tuple[Any, ...]:
        """Draw the samples with the given indices: rows `indices` of a large enough `sample`.

        Sample i depends on the seed and i only, so no other sample is drawn.

        Parameters
        ----------
        indices : array-like of ints of shape (n,)
            Indices of samples, from 0 to 2**63 - 1, in any order.

        random_state : int, RandomState instance or None, default=None
            As in :meth:`sample`.

        return_latents : bool, default=False
            As in :meth:`sample`.

        Returns
        -------
        X : ndarray of shape (n, height, width[, n_channels]), float32
            Images.

        y : ndarray of shape (n,)
            Labels of the images.

        latents : list of n_levels ndarrays of shape (n, height, width)
            Semantic images, as in :meth:`sample`. Only if `return_latents`.

        Examples
        --------
        >>> from skhier import HierarchicalSampler
        >>> sampler = HierarchicalSampler(random_state=0).fit()
        >>> X, y = sampler.sample(1000)
        >>> X_again, y_again = sampler.sample_at([7, 999])
        >>> bool((X_again == X[[7, 999]]).all())
        True
        """
        check_is_fitted(self)
        indices = to_array(indices, "indices")
        if indices.ndim != 1 or indices.dtype.kind not in "iu" or (indices < 0).any():
            raise ValueError(
                f"indices of shape {indices.shape} and dtype {indices.dtype} are not valid: "
                "it takes a one-dimensional sequence of ints >= 0."
            )
        return self._draw(indices, self._draw_seed(random_state), return_latents)

    def iter_batches(
        self,
        n_samples: int,
        batch_size: int = 1000,
        *,
        random_state: RandomState = None,
        return_latents: bool = False,
    ) -> Iterator[tuple[Any, ...]]:
        """Draw the same samples as :meth:`sample` does, batch after batch.

        Memory is needed for one batch only, for any number of samples.

        Parameters
        ----------
        n_samples : int
            Total number of images.

        batch_size : int, default=1000
            Number of images in each batch; the last batch may have fewer.

        random_state : int, RandomState instance or None, default=None
            As in :meth:`sample`.

        return_latents : bool, default=False
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
        check_is_fitted(self)
        n_samples = check_count(n_samples, "n_samples", 1)
        batch_size = check_count(batch_size, "batch_size", 1)
        seed = self._draw_seed(random_state)
        return (
            self._draw(range(n_samples)[first : first + batch_size], seed, return_latents)
            for first in range(0, n_samples, batch_size)
        )

    def to_dask(
        self,
        n_samples: int,
        chunks: Literal["auto"] | int | tuple[int, ...] = "auto",
        *,
        random_state: RandomState = None,
    ) -> tuple[Any, Any]:
        """Return the samples of :meth:`sample` as Dask arrays, drawn when they are computed.

        Each chunk is drawn in the process or machine of a cluster that computes it. A sample
        depends on the seed and its index only, so `chunks` changes no sample. Dask's scheduler
        decides how many chunks are drawn at a time, not `n_jobs`.

        Parameters
        ----------
        n_samples : int
            Total number of images.

        chunks : 'auto', int or tuple of ints, default='auto'
            Number of images in each chunk; the last chunk may have fewer. A tuple gives the
            number of every chunk. 'auto' is the largest number that fits in 64 MiB, or 1.

        random_state : int, RandomState instance or None, default=None
            As in :meth:`sample`.

        Returns
        -------
        X : dask.array.Array of shape (n_samples, height, width[, n_channels]), float32
            Images, in chunks along the first axis.

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

        check_is_fitted(self)
        n_samples = check_count(n_samples, "n_samples", 1)
        chunks = row_chunks(chunks, n_samples, self._model.image_shape)
        return lazy_samples(self, self._draw_seed(random_state), chunks)

    def transform(self, X: ArrayLike) -> np.ndarray:
        """Render semantic images: draw their patches, level by level, and noise.

        Each image is a function of its semantic image and the parameter `random_state`, as it
        is set at the time of the call. With an int, equal semantic images become equal images.
        To draw other images of them, set another `random_state`; the sets of patches drawn in
        `fit` stay.

        Parameters
        ----------
        X : array-like of shape (n, height, width) or (n, height * width)
            Semantic images with the classes seen in `fit`.

        Returns
        -------
        images : ndarray of shape (n, height, width[, n_channels]), float32
            Images.
        """
        check_is_fitted(self)
        semantic = self._encode_semantic(X)
        keys = content_keys(self._draw_seed(), semantic.reshape(len(semantic), -1))
        images = np.empty((len(semantic), *self._model.image_shape), np.float32)
        self._for_batches(
            lambda batch: self._model.render(semantic[batch], keys[batch], images[batch]),
            len(semantic),
        )
        return images

    def _draw_seed(self, random_state=None):
        """Draw a seed from `random_state`, or if it is None from the sampler's own."""
        rng = make_rng(self.random_state if random_state is None else random_state)
        return rng.randint(2**63 - 1, dtype=np.int64)

    def _draw(self, indices, seed, return_latents):
        """Draw the samples with the given indices, a range or an array."""
        check_flag(return_latents, "return_latents")
        model, n_samples = self._model, len(indices)
        images = np.empty((n_samples, *model.image_shape), np.float32)
        labels = np.empty(n_samples, np.int64)
        shapes = model.level_shapes[:-1] if return_latents else []
        latents = [np.empty((n_samples, *shape), np.int64) for shape in shapes]

        def draw_batch(batch):
            keys = index_keys(seed, indices[batch])
            roots = model.root.draw(keys)
            labels[batch] = model.draw_labels(roots, keys)
            levels = [level[batch] for level in latents] or None
            model.render(model.root.images[roots], keys, images[batch], levels)

        self._for_batches(draw_batch, n_samples)
        y = self.classes_[labels]
        if not return_latents:
            return images, y
        return images, y, [self.semantic_classes_[latents[0]], *latents[1:]]

    def _for_batches(self, function, n_samples):
        n_pixels = prod(self._model.level_shapes[-1])
        for_batches(function, n_samples, max(1, _BATCH_PIXELS // n_pixels), self.n_jobs)


def for_batches(function, n_samples, batch_size, n_jobs):
    """Call `function` with consecutive slices of range(n_samples), in `n_jobs` threads."""
    batches = list(gen_batches(n_samples, batch_size))
    n_threads = min(effective_n_jobs(n_jobs), len(batches))
    if n_threads == 1:
        for batch in batches:
            function(batch)
        return

    def run_thread(first):
        for batch in batches[first::n_threads]:
            function(batch)

    threads = Parallel(n_jobs=n_threads, require="sharedmem")
    threads(delayed(run_thread)(first) for first in range(n_threads))
