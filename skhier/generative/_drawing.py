"""Samples of a model, drawn by their indices in batches by threads."""

from math import prod

import numpy as np
from joblib import effective_n_jobs
from sklearn.utils.parallel import Parallel, delayed

from .._base._params import check_choice, check_count, check_flag
from .._base._validation import to_array
from ._algebra import slices
from ._choices import Derivations, NumberedChoices, RandomChoices
from ._permutation import Permutation
from ._streams import index_keys

_BATCH_PIXELS = 2**18  # so that all levels of a batch stay in cache
_MAX_SAMPLES = 2**63


class Drawer:
    """Function of a seed and indices that draws samples of a model.

    Parameters
    ----------
    model : HierarchicalModel
        The model.
    output : {'pixels', 'symbols'}
        What a row is: an image, or the classes of the last level of classes.
    dtype : dtype or None
        Type of the rows, by default float32 or the smallest unsigned type of the classes.
    replace : bool
        Whether samples are independent, or different derivations.

    Raises
    ------
    ValueError
        If a parameter is not valid, or does not suit the model.
    """

    def __init__(self, model, output="pixels", dtype=None, replace=True):
        check_flag(replace, "replace")
        self.model = model
        check_choice(output, "output", ("pixels", "symbols"))
        self.draws_pixels = output == "pixels"
        self.last = model.n_levels if self.draws_pixels else model.n_levels - 1
        self.dtype = (pixel_dtype if self.draws_pixels else symbol_dtype)(model, dtype)
        self._derivations = None if replace else Derivations(model)

    @property
    def row_shape(self):
        """Shape of a sample: of an image, or of symbols, which are strings if the height is 1."""
        if self.draws_pixels:
            return self.model.image_shape
        height, width = self.model.level_shapes[-2]
        return (width,) if height == 1 else (height, width)

    def range(self, n_samples, first):
        """Return the indices of `n_samples` samples from index `first` on.

        Raises
        ------
        ValueError
            If they are not valid, or more than the derivations of a model without replacement.
        """
        n_samples = check_count(n_samples, "n_samples", 1)
        first = check_count(first, "first", 0)
        self._check_stop(first + n_samples, f"n_samples={n_samples} from first={first} on")
        return range(first, first + n_samples)

    def indices(self, indices):
        """Return the given indices as an array; ValueError if they are not valid."""
        indices = to_array(indices, "indices")
        if indices.ndim != 1 or indices.dtype.kind not in "iu" or (indices < 0).any():
            raise ValueError(
                f"indices of shape {indices.shape} and dtype {indices.dtype} are not valid: "
                "it takes a one-dimensional sequence of ints >= 0."
            )
        highest = int(indices.max(initial=0))
        self._check_stop(highest + 1, f"indices up to {highest}")
        return indices

    def _check_stop(self, stop, given):
        """Raise ValueError if there are fewer than `stop` samples."""
        if stop > _MAX_SAMPLES:
            raise ValueError(f"{given} is not valid: an index is at most 2**63 - 1.")
        if self._derivations and stop > self._derivations.count:
            raise ValueError(
                f"{given} is not valid with replace=False: each of the {self._derivations.count} "
                "derivations of the model is drawn once. Draw fewer samples, or set replace=True."
            )

    def draw(self, indices, seed, n_jobs=None, return_latents=False, fresh=None):
        """Draw the samples with the given indices.

        Parameters
        ----------
        indices : range or ndarray of shape (n,)
            Indices.
        seed : int
            Seed.
        n_jobs : int or None
            Number of threads.
        return_latents : bool
            Whether to return the classes of all levels.
        fresh : three ints or None
            (Level, end, seed): rules of levels `level` to `end` - 1 are drawn with this seed.

        Returns
        -------
        rows : ndarray of shape (n, *row_shape)
            Images or symbols.
        labels : ndarray of shape (n,), int64
            Labels, by index.
        latents : list of ndarrays of shape (n, height, width)
            Classes of levels 0, ..., d - 1, by index; an empty list if not `return_latents`.
        """
        model, n = self.model, len(indices)
        shape = (n, *self.row_shape) if self.draws_pixels else (n, *model.level_shapes[-2])
        rows, labels = np.empty(shape, self.dtype), np.empty(n, np.int64)
        shapes = model.level_shapes[:-1] if return_latents else []
        latents = [np.empty((n, *shape), np.int64) for shape in shapes]

        def draw_batch(batch):
            chosen = self._choices(indices[batch], seed)
            roots = chosen.roots()
            labels[batch] = model.draw_labels(roots, chosen.keys)
            choices = [chosen] * (1 + self.last)
            if fresh is not None:
                level, end, fresh_seed = fresh
                other = RandomChoices(model, index_keys(fresh_seed, indices[batch]))
                choices[1 + level : 1 + end] = [other] * (end - level)
            levels = [latent[batch] for latent in latents]
            model.render(model.root.images[roots], choices, rows[batch], levels)

        for_batches(draw_batch, n, batch_size(model.level_shapes[self.last]), n_jobs)
        return rows.reshape(n, *self.row_shape), labels, latents

    def _choices(self, indices, seed):
        keys = index_keys(seed, indices)
        if self._derivations is None:
            return RandomChoices(self.model, keys)
        numbers = Permutation(self._derivations.count, seed)(indices)
        return NumberedChoices(self.model, keys, *self._derivations.digits(numbers))


def pixel_dtype(model, dtype):
    """Return the type of pixels; ValueError unless it holds the pixels of all patches exactly."""
    patches = model.rules[-1].patches
    if dtype is None:
        return patches.dtype
    given = as_dtype(dtype)
    if model.pixel_noise > 0:
        is_valid, allowed = given in (np.float32, np.float64), "float32 or float64 for noisy pixels"
    else:
        with np.errstate(invalid="ignore", over="ignore"):
            is_valid = given.kind in "fiu" and bool((patches.astype(given) == patches).all())
        allowed = "a type of floats or ints that holds the pixels of all patches exactly"
    if not is_valid:
        raise ValueError(f"dtype={dtype!r} is not valid with output='pixels': it takes {allowed}.")
    return given


def symbol_dtype(model, dtype):
    """Return the type of symbols; ValueError unless it is of ints and holds all classes."""
    highest = model.rules[-1].n_classes - 1
    if dtype is None:
        return np.min_scalar_type(highest)
    given = as_dtype(dtype)
    if given.kind not in "iu" or np.iinfo(given).max < highest:
        raise ValueError(
            f"dtype={dtype!r} is not valid with output='symbols': it takes a type of ints that "
            f"holds the classes 0 to {highest}."
        )
    return given


def as_dtype(dtype):
    """Return `dtype` as a NumPy dtype of native byte order; ValueError if it is none."""
    try:
        return np.dtype(dtype).newbyteorder("=")
    except TypeError as error:
        raise ValueError(f"dtype={dtype!r} is not valid: it takes a dtype of NumPy.") from error


def batch_size(level_shape):
    """Return the number of samples of a batch whose last level has this shape."""
    return max(1, _BATCH_PIXELS // prod(level_shape))


def for_batches(function, n_samples, batch_size, n_jobs):
    """Call `function` with consecutive slices of range(n_samples), in `n_jobs` threads."""
    batches = slices(n_samples, batch_size)
    n_threads = min(effective_n_jobs(n_jobs), len(batches))
    if n_threads <= 1:
        for batch in batches:
            function(batch)
        return

    def run_thread(first):
        for batch in batches[first::n_threads]:
            function(batch)

    threads = Parallel(n_jobs=n_threads, require="sharedmem")
    threads(delayed(run_thread)(first) for first in range(n_threads))
