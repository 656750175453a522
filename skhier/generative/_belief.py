r"""Exact inference by belief propagation on the tree of a generative model.

Take a pixel of level i. Its class is b when it is drawn and a after symbol noise. The
probability of all evidence below it, given a or b, is

.. math:: \beta'(a) = \sum_j w_{aj} \prod_{uv} \beta_{uv}(S_{a,j,u,v}), \qquad
          \beta(b) = \sum_a K(a | b) \beta'(a).

These messages go up to the root images; probabilities of classes go down. The evidence gives the
messages of the last level (`_evidence.py`), rules the sums over patches (`_rules.py`) and
channels the sums over noise (`_channels.py`). The samples are the last axis of all arrays, so that
every operation runs over contiguous memory.
"""

from math import log, prod

import numpy as np

from .._base._threads import one_blas_thread
from .._base._warnings import warn
from ._algebra import Linear, Logarithmic, choose, group_members, sum_rows
from ._drawing import for_batches
from ._streams import branch_keys, draw_uniforms

# The maximum of a linear message is 1, so a value that underflows is below 1e-307 of the maximum.
# It can matter only if the product of the maxima of later messages, up to the root, is tiny too.
# Images with products below this limit are computed again with logarithms.
_TRUSTED = log(1e-250)
_BATCH_VALUES = 2**17  # so that the largest array of a batch stays in cache
_MAX_ROUNDING = 1e-3  # rounding error of posteriors above which users are warned


class Beliefs:
    """Messages of a batch of images, and posteriors of its root images and classes.

    Attributes
    ----------
    log_roots : ndarray of shape (n_root_images, n)
        Logarithm of P(root image, image), less `log_scale`.
    log_scale : ndarray of shape (n,)
        Logarithm of the factors that the scaling removes from the messages of each image. It
        can be so large (1e16) that a sum with `log_roots` would lose their differences.
    rows : ndarray of shape (n,)
        Indices of the images.
    is_exact, is_possible : ndarrays of shape (n,)
        Whether no underflow can have changed the result of an image, and whether its evidence has
        a positive probability. After `next_symbols` the evidence is all symbols but the last.
    rounding : ndarray of shape (n,)
        Bound of the rounding error of logarithms of the messages. It is large if patches that
        never occur together explain the image far better than patches that do.
    """

    def __init__(self, model, evidence, rows, algebra):
        self._model, self._algebra, self.rows = model, algebra, rows
        last = evidence.level
        message, noisy, log_scale, lowest = evidence.messages(rows, algebra)
        n = len(rows)
        self._after_noise, self._before_noise = {last: message}, {last: noisy}  # beta', beta
        for i in reversed(range(last)):
            rules, shape = model.rules[i], (*model.level_shapes[i], n)
            message = rules.ascend(self._children(i), algebra).reshape(-1, *shape)
            log_largest = algebra.to_log(algebra.scale(message))
            log_scale = sum_rows(_places(log_scale, rules)).reshape(shape) + log_largest
            lowest = _places(lowest, rules).min(axis=0).reshape(shape) + log_largest
            self._after_noise[i] = message
            self._before_noise[i] = model.channels[i].before(message, algebra)
        log_message = algebra.to_log(self._before_noise[0])
        log_roots = np.zeros((len(model.root.images), n))
        for row, column in np.ndindex(model.level_shapes[0]):
            log_roots += log_message[model.root.images[:, row, column], row, column]
        self.log_scale = sum_rows(log_scale.reshape(-1, n))
        self.log_roots = log_roots + np.log(model.root.probabilities)[:, None]
        highest = self.log_roots.max(axis=0)
        self._lowest = lowest.min(axis=(0, 1)) + highest
        self.is_exact = self._lowest > _TRUSTED
        self.is_possible = highest > -np.inf
        self.rounding = np.finfo(float).eps * -self._lowest

    def _children(self, i):
        """Return the messages beta of the patches at the pixels of level i, as rules take them."""
        return group(self._before_noise[i + 1], self._model.rules[i].patch_size)

    def log_likelihood(self):
        """Compute the logarithm of the probability, or density, of each image: (n,)."""
        p, log_largest = self._scaled_roots()
        return self.log_scale + log_largest + Linear.to_log(sum_rows(p))

    def root_posterior(self):
        """Compute P(root image | image): (n_root_images, n)."""
        p, _ = self._scaled_roots()
        return p / sum_rows(p)

    def _scaled_roots(self):
        """Return P(root image, image), scaled to a maximum of 1, and the maximum's logarithm."""
        largest = self.log_roots.max(axis=0)
        largest[np.isneginf(largest)] = 0
        return np.exp(self.log_roots - largest), largest

    def class_posteriors(self, level, is_drawn=False):
        """Compute P(class of each pixel at `level` | image): (n_classes, h, w, n).

        A class is the class after symbol noise, or before it if `is_drawn`.
        """
        model, root_posterior = self._model, self.root_posterior()
        shape = (model.channels[0].n_drawn, *model.level_shapes[0], root_posterior.shape[1])
        drawn = np.zeros(shape)
        for image, p in zip(model.root.images, root_posterior):
            for row, column in np.ndindex(image.shape):
                drawn[image[row, column], row, column] += p
        for i in range(level):
            seen = self._posterior_after_noise(i, drawn)
            seen = seen.reshape(len(seen), -1)
            drawn = model.rules[i].descend(self._children(i), seen, self._algebra)
            drawn = _ungroup(drawn, model.level_shapes[i], model.rules[i].patch_size)
        return drawn if is_drawn else self._posterior_after_noise(level, drawn)

    def draw(self, samples, keys):
        """Draw classes of all levels from the joint posterior of each of m samples.

        Parameters
        ----------
        samples : ndarray of shape (m,)
            Index of an image in the batch.
        keys : ndarray of shape (m,)
            Key of the stream of random numbers.

        Returns
        -------
        roots : ndarray of shape (m,)
            Indices of root images.
        drawn, seen : lists of n_levels ndarrays of shape (m, h, w)
            Classes before and after symbol noise.
        """
        model, algebra, n = self._model, self._algebra, len(self.rows)
        roots = choose(self._scaled_roots()[0].T[samples], draw_uniforms(keys, 0, 1)[:, 0])
        drawn, seen, position = [model.root.images[roots]], [], 1
        for i, (channel, (h, w)) in enumerate(zip(model.channels, model.level_shapes[:-1])):
            columns = (np.arange(h * w) * n + samples[:, None]).ravel()
            after = self._after_noise[i].reshape(-1, h * w * n)
            noise = draw_uniforms(branch_keys(keys, 1 + i), 0, h * w).ravel()
            classes = channel.draw(drawn[i].ravel(), after, columns, noise, algebra)
            seen.append(classes.reshape(-1, h, w))
            if i + 1 < model.n_levels:
                rules = model.rules[i]
                uniforms = draw_uniforms(keys, position, h * w * rules.n_choices)
                uniforms = uniforms.reshape(-1, rules.n_choices)
                patches = rules.draw_children(
                    self._children(i), columns, classes, uniforms, algebra
                )
                p, q = rules.patch_size
                patches = patches.reshape(-1, h, w, p, q).swapaxes(2, 3)
                drawn.append(patches.reshape(-1, h * p, w * q))
                position += h * w * rules.n_choices
        return roots, drawn, seen

    def next_symbols(self):
        """Compute P(symbol | symbols before it) of strings: (n_classes, 1, width, n).

        The evidence of a symbol and of all symbols after it is not used.
        """
        model, algebra = self._model, self._algebra
        strings = model.root.images[:, 0]
        log_message = algebra.to_log(self._before_noise[0][:, 0])
        log_p = np.log(model.root.probabilities)[:, None] + np.zeros(len(self.rows))
        left = np.empty((model.channels[0].n_drawn, 1, strings.shape[1], len(self.rows)))
        lowest = np.zeros(len(self.rows))
        for column, symbols in enumerate(strings.T):
            highest = log_p.max(axis=0)
            lowest = np.minimum(lowest, highest)
            terms = algebra.from_log(log_p - np.where(highest > -np.inf, highest, 0))
            left[:, 0, column] = algebra.sum_groups(group_members(symbols, len(left)), terms)
            log_p = log_p + log_message[symbols, column]
        for i, (channel, rules) in enumerate(zip(model.channels, model.rules)):
            log_largest = algebra.to_log(algebra.scale(left))
            lowest = lowest + log_largest.min(axis=(0, 1))
            left = channel.forward(left, algebra)
            if i + 1 < model.n_levels:
                parents = left.reshape(len(left), -1)
                left = rules.descend_left(self._children(i), parents, algebra)
                left = _ungroup(left, model.level_shapes[i], rules.patch_size)
        self.is_exact = self._lowest + lowest > _TRUSTED
        self.is_possible = lowest > -np.inf
        p = algebra.to_probability(left)
        return p / sum(p)  # in order, for any number of strings

    def _posterior_after_noise(self, i, drawn):
        """Compute posteriors of the classes after symbol noise from posteriors before it."""
        after, before = self._after_noise[i], self._before_noise[i]
        return self._model.channels[i].posterior(drawn, after, before, self._algebra)


def group(message, patch_size):
    """Reshape (classes, h p, w q, n) to (p q, classes, h w n): a row per place in a patch."""
    n_classes, height, width, n = message.shape
    p, q = patch_size
    grouped = message.reshape(n_classes, height // p, p, width // q, q, n)
    return grouped.transpose(2, 4, 0, 1, 3, 5).reshape(p * q, n_classes, -1)


def _places(values, rules):
    """Reshape (h p, w q, n) to (p q, h w n): a row per place in a patch."""
    return group(values[None], rules.patch_size)[:, 0]


def _ungroup(grouped, level_shape, patch_size):
    """Undo `group`."""
    (height, width), (p, q) = level_shape, patch_size
    n_classes = grouped.shape[1]
    message = grouped.reshape(p, q, n_classes, height, width, -1)
    message = message.transpose(2, 3, 0, 4, 1, 5)
    return message.reshape(n_classes, height * p, width * q, -1)


def infer(model, evidence, rows, compute, allow_impossible=False):
    """Return `compute(beliefs)` of the images `rows`, with the samples last, exact at any scale.

    Raises
    ------
    ValueError
        If an image has probability 0, unless `allow_impossible`.

    Warns
    -----
    UserWarning
        If rounding can change the posteriors of an image, unless `allow_impossible`.
    """
    beliefs = Beliefs(model, evidence, rows, Linear)
    with np.errstate(all="ignore"):  # results of inexact images are replaced
        result = compute(beliefs)
    inexact = np.flatnonzero(~beliefs.is_exact)
    if len(inexact):
        beliefs = Beliefs(model, evidence, rows[inexact], Logarithmic)
        with np.errstate(invalid="ignore"):  # impossible images are refused
            result[..., inexact] = compute(beliefs)
        impossible = ~beliefs.is_possible
        if impossible.any() and not allow_impossible:
            name, index = evidence.name, rows[inexact[impossible.argmax()]]
            advice = {
                "X": "A sampler with pixel_noise > 0 allows for any image.",
                "symbols": "The method validity says which rules are broken. To allow for wrong "
                "symbols, pass log_evidence, finite for all symbols.",
                "log_evidence": "Use finite values in place of -inf.",
            }[name]
            raise ValueError(
                f"{name}[{index}] cannot come from this sampler: it has probability 0. {advice}"
            )
        is_doubtful = evidence.doubt and not allow_impossible
        if is_doubtful and (beliefs.rounding > _MAX_ROUNDING).any():
            cause, advice = evidence.doubt
            warn(
                f"{cause}: rounding can change their probabilities by more than {_MAX_ROUNDING}. "
                f"{advice}"
            )
    return result


@one_blas_thread()
def infer_batches(
    model, evidence, n, level, shape, compute, n_jobs, *, allow_impossible=False, dtype=np.float64
):
    """Return `compute(beliefs)` of n samples, computed in batches: an array (n, *shape).

    `compute` reads no beliefs of levels below `level`. Errors and warnings are those of `infer`.
    """
    evidence = evidence.lift(model, level, n)
    result = np.empty((n, *shape), dtype)

    def infer_batch(batch):
        rows = np.arange(batch.start, batch.stop)
        values = infer(model, evidence, rows, compute, allow_impossible)
        result[batch] = np.moveaxis(values, -1, 0)

    n_values = [
        prod(shape) * rules.n_classes
        for shape, rules in zip(model.level_shapes[: evidence.level + 1], model.rules)
    ]
    for_batches(infer_batch, n, max(1, _BATCH_VALUES // max(n_values)), n_jobs)
    return result
