"""Samples of a fitted sampler in memory."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike
from sklearn.utils.validation import check_is_fitted

from .._base._params import check_count, check_flag
from .._base._typing import RandomState, SampleOutput
from ._choices import RandomChoices
from ._drawing import Drawer, batch_size, for_batches
from ._lazy import LazyMixin
from ._streams import content_keys, draw_seed


class GenerationMixin(LazyMixin):
    """Methods of a fitted sampler that draw samples of its model."""

    n_jobs: int | None
    random_state: RandomState
    semantic_classes_: np.ndarray
    _encode_semantic: Callable

    def sample(
        self,
        n_samples: int = 1,
        *,
        random_state: RandomState = None,
        return_latents: bool = False,
        output: SampleOutput = "pixels",
        dtype: DTypeLike | None = None,
        first: int = 0,
        replace: bool = True,
    ) -> tuple[Any, ...]:
        r"""Draw labeled images, or strings of symbols.

        Parameters
        ----------
        n_samples : int, default=1
            Number of samples.

        random_state : int, RandomState instance or None, default=None
            Determines the samples. If None, the sampler's own `random_state` does, as it is set
            at the time of the call.

        return_latents : bool, default=False
            Whether to return the semantic images of all levels too.

        output : {'pixels', 'symbols'}, default='pixels'
            Whether X holds images, or only the symbols from which the last level renders them:
            the classes 0, 1, ... of level d - 1, after symbol noise. No pixel is drawn for
            symbols.

        dtype : dtype, default=None
            Type of X. Symbols can have any type of ints that holds all classes; None is the
            smallest unsigned type. Images can have any type that holds the pixels of all patches
            exactly, for example uint8 for one-hot pixels; None is float32.

        first : int, default=0
            Index of the first sample. Sample i depends on the seed and i only, so samples 0 to
            n - 1 for training and samples from n on for tests come from two calls with one seed.

        replace : bool, default=True
            Whether samples are drawn independently, so that they can repeat. If False, the
            samples of one seed are different derivations, in random order: sample i is entry i
            of a pseudorandom permutation of all derivations. A derivation is a root image and a
            patch for each pixel of each level. Different derivations are different images if no
            patch is in two sets (`overlap=0`) and root images differ.

        Returns
        -------
        X : ndarray of shape (n_samples, height, width[, n_channels])
            Images. Symbols have shape (n_samples, width) if their height is 1, as that of
            strings, or else (n_samples, height, width).

        y : ndarray of shape (n_samples,)
            Labels of the samples.

        latents : list of n_levels ndarrays of shape (n_samples, height, width)
            The semantic images at levels 0, ..., d - 1, after symbol noise. Only if
            `return_latents`.

        Raises
        ------
        ValueError
            If with `replace=False` the derivations are not equally likely, as with noise,
            `transitions`, possible patches of different `rule_weights`, or root images of different
            probabilities; or if there are fewer of them than `first + n_samples`.

        Notes
        -----
        A pixel whose class has one patch of weight above 0 uses no random number. So a symbol that
        moves among such pixels, as among the empty places of the Sparse Random Hierarchy Model,
        keeps its patches.

        A model with more than 2**63 derivations has no permutation of all of them here. With
        `replace=False`, its samples differ in the root image or in the patches of the first
        levels, of which there are at least 2**63 / k combinations for sets of k patches. All other
        patches are independent.

        Examples
        --------
        >>> from skhier import HierarchicalSampler
        >>> sampler = HierarchicalSampler(random_state=0).fit()
        >>> X, y, latents = sampler.sample(5, return_latents=True)
        >>> X.shape, y.shape, [level.shape for level in latents]
        ((5, 27, 27), (5,), [(5, 3, 3), (5, 9, 9)])

        Symbols as bytes, and a training and a test set without common strings:

        >>> from skhier.datasets import make_random_hierarchy
        >>> rhm = make_random_hierarchy(1, depth=2, return_X_y=False, random_state=0).sampler
        >>> train, _ = rhm.sample(400, output="symbols", replace=False)
        >>> test, _ = rhm.sample(112, output="symbols", replace=False, first=400)
        >>> train.shape, train.dtype
        ((400, 4), dtype('uint8'))
        >>> len({row.tobytes() for row in [*train, *test]})  # all strings of the model
        512
        """
        drawer = self._drawer(output, dtype, replace)
        indices = drawer.range(n_samples, first)
        return self._draw(drawer, indices, draw_seed(self, random_state), return_latents)

    def sample_at(
        self,
        indices: ArrayLike,
        *,
        random_state: RandomState = None,
        return_latents: bool = False,
        output: SampleOutput = "pixels",
        dtype: DTypeLike | None = None,
        replace: bool = True,
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

        output : {'pixels', 'symbols'}, default='pixels'
            As in :meth:`sample`.

        dtype : dtype, default=None
            As in :meth:`sample`.

        replace : bool, default=True
            As in :meth:`sample`.

        Returns
        -------
        X : ndarray of shape (n, height, width[, n_channels])
            Images or symbols, as in :meth:`sample`.

        y : ndarray of shape (n,)
            Labels of the samples.

        latents : list of n_levels ndarrays of shape (n, height, width)
            Semantic images, as in :meth:`sample`. Only if `return_latents`.

        Raises
        ------
        ValueError
            If an index is not in its range, or another parameter is not valid.

        Examples
        --------
        >>> from skhier import HierarchicalSampler
        >>> sampler = HierarchicalSampler(random_state=0).fit()
        >>> X, y = sampler.sample(1000)
        >>> X_again, y_again = sampler.sample_at([7, 999])
        >>> bool((X_again == X[[7, 999]]).all())
        True
        """
        drawer = self._drawer(output, dtype, replace)
        seed = draw_seed(self, random_state)
        return self._draw(drawer, drawer.indices(indices), seed, return_latents)

    def resample(
        self,
        indices: ArrayLike,
        level: int,
        new_random_state: RandomState,
        *,
        until: int | None = None,
        random_state: RandomState = None,
        return_latents: bool = False,
        output: SampleOutput = "pixels",
        dtype: DTypeLike | None = None,
        replace: bool = True,
    ) -> tuple[Any, ...]:
        r"""Draw given samples with other patches from a level on: exchange their synonyms.

        The semantic images of levels 0, ..., `level` and the labels are those of
        :meth:`sample_at`. The patches of the pixels of level `level`, all levels below and their
        noise are drawn again, independently. The share of a network's features that change is
        its sensitivity to synonyms (Cagnetta et al., 2024).

        Parameters
        ----------
        indices : array-like of ints of shape (n,)
            Indices of samples, as in :meth:`sample_at`.

        level : int
            Last level that stays, from 0 to d - 1; for symbols from 0 to d - 2.

        new_random_state : int or RandomState instance
            Determines the patches and the noise that are drawn again. It must differ from
            `random_state`.

        until : int or None, default=None
            Level below `level` from which on the random numbers of patches stay, if not None: a
            pixel of this level or below keeps the number of its patch in the set of its class. The
            noise of levels below `until` stays too. The noise of level `until` itself is drawn
            again, with its new classes. In the Sparse Random Hierarchy Model,
            ``until=level + 1`` exchanges tuples and leaves symbols at their places, or moves
            symbols with their subtrees.

        random_state : int, RandomState instance or None, default=None
            Determines the samples, as in :meth:`sample`.

        return_latents : bool, default=False
            As in :meth:`sample`.

        output : {'pixels', 'symbols'}, default='pixels'
            As in :meth:`sample`.

        dtype : dtype, default=None
            As in :meth:`sample`.

        replace : bool, default=True
            As in :meth:`sample`, for the samples. Patches drawn again are independent.

        Returns
        -------
        X : ndarray of shape (n, height, width[, n_channels])
            Images or symbols, as in :meth:`sample`.

        y : ndarray of shape (n,)
            Labels of the samples.

        latents : list of n_levels ndarrays of shape (n, height, width)
            Semantic images, as in :meth:`sample`. Only if `return_latents`.

        Raises
        ------
        ValueError
            If `new_random_state` is None, or gives the same seed as `random_state`.

        Examples
        --------
        >>> from skhier import HierarchicalSampler
        >>> sampler = HierarchicalSampler(random_state=0).fit()
        >>> X, y = sampler.sample(100)
        >>> other_X, same_y = sampler.resample(range(100), 1, new_random_state=1)
        >>> bool((same_y == y).all()), bool((other_X == X).all())
        (True, False)
        >>> bool((sampler.parse(other_X)[1] == sampler.parse(X)[1]).all())
        True
        """
        drawer = self._drawer(output, dtype, replace)
        indices = drawer.indices(indices)
        level = check_count(level, "level", 0, drawer.last - 1)
        until = (
            drawer.last if until is None else check_count(until, "until", level + 1, drawer.last)
        )
        if new_random_state is None:
            raise ValueError("new_random_state=None is not valid: it takes an int or a generator.")
        seed, new_seed = draw_seed(self, random_state), draw_seed(self, new_random_state)
        if seed == new_seed:
            raise ValueError(
                f"new_random_state={new_random_state!r} gives the seed of the samples, which "
                "would stay the same: it takes another value than random_state."
            )
        return self._draw(drawer, indices, seed, return_latents, (level, until, new_seed))

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

        Raises
        ------
        ValueError
            If images have another shape or other classes than those of `fit`.
        """
        check_is_fitted(self)
        semantic, model = self._encode_semantic(X), self._model
        keys = content_keys(draw_seed(self), semantic.reshape(len(semantic), -1))
        images = np.empty((len(semantic), *model.image_shape), np.float32)

        def render_batch(batch):
            choices = [RandomChoices(model, keys[batch])] * (1 + model.n_levels)
            model.render(semantic[batch], choices, images[batch])

        for_batches(render_batch, len(semantic), batch_size(model.level_shapes[-1]), self.n_jobs)
        return images

    def _drawer(self, output, dtype, replace):
        check_is_fitted(self)
        drawer = Drawer(self._model, output, dtype, replace)
        names = self.semantic_classes_
        if drawer.last == 0 and not np.array_equal(names, np.arange(len(names))):
            raise ValueError(
                f"output='symbols' is not valid for the classes {names.tolist()} of one level: it "
                "takes classes 0, 1, ... For names, set return_latents=True."
            )
        return drawer

    def _draw(self, drawer, indices, seed, return_latents, fresh=None):
        """Draw samples, and name their labels and the classes of level 0."""
        check_flag(return_latents, "return_latents")
        X, y, latents = drawer.draw(indices, seed, self.n_jobs, return_latents, fresh)
        if not return_latents:
            return X, self.classes_[y]
        return X, self.classes_[y], [self.semantic_classes_[latents[0]], *latents[1:]]
