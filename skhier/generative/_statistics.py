"""Exact statistics of the generative model: frequencies, entropies, expected products."""

from dataclasses import dataclass, field
from functools import reduce
from math import inf, log10, prod
from operator import mul

import numpy as np

from ._algebra import Linear


@dataclass(frozen=True, eq=False)
class LevelStatistics:
    r"""Exact statistics of one level.

    The labeled frequency matrix of class c is :math:`F_c = E[y 1\{X^{(i)} = c\}]` for
    two labels, y = -1 and 1 (paper, section 3.1). For more labels it has one channel for
    each label l, with the centred indicator :math:`1\{y = l\} - 1 / n_{labels}` in the place
    of y. Symbol noise and label noise are part of the distribution.

    Attributes
    ----------
    class_frequencies : ndarray of shape (n_labels, n_classes, height, width)
        Probability of each class at each pixel, given the label.

    labeled_frequencies : ndarray of shape (n_classes, height, width)
        The matrices :math:`F_c`. For more than two labels the shape is (n_classes, n_labels,
        height, width).

    angles : ndarray of shape (n_classes, n_classes)
        Angle between the :math:`F_c` of each two classes, in radians; 0 where one of the two
        is zero.

    theta : float
        Smallest angle of two classes, in radians; infinity for a single class.

    lambda_ : float
        Smallest Frobenius norm of an :math:`F_c`.

    min_abs_sin : float
        Smallest abs(sin) of an angle, 0 for parallel and for antiparallel matrices. Theta does
        not detect antiparallel ones; the matrices of a level with two classes always are,
        because :math:`\sum_c F_c = 0`. Assumption 3 holds if and only if min_abs_sin is
        positive.

    delta_min : float
        Smallest distance :math:`\|F_{c_1} - F_{c_2}\|` of two classes, by which theorem 1
        separates them.

    Examples
    --------
    >>> from skhier import HierarchicalSampler
    >>> level = HierarchicalSampler(random_state=0).fit().statistics().levels[1]
    >>> level.labeled_frequencies.shape, level.angles.shape
    ((4, 9, 9), (4, 4))
    """

    class_frequencies: np.ndarray = field(repr=False)
    labeled_frequencies: np.ndarray = field(repr=False)
    angles: np.ndarray = field(repr=False)
    theta: float
    lambda_: float
    min_abs_sin: float
    delta_min: float


@dataclass(frozen=True, eq=False)
class HierarchyStatistics:
    """Exact statistics of all levels of a generative model.

    Attributes
    ----------
    levels : list of n_levels LevelStatistics
        Statistics of levels 0, ..., d - 1, which hold classes.

    theta, lambda_, min_abs_sin, delta_min : float
        Smallest value over the levels.

    n_images : list of n_levels + 1 ints, or None where it is not known
        Number of different images at levels 0, ..., d. It is not known where an image can have
        several parses (shared patches), where symbols are replaced (symbol noise) or, at level d,
        where pixels have noise.

    entropy : list of n_levels + 1 floats, or None where it is not known
        Entropy of the image at levels 0, ..., d, in nats.

    Examples
    --------
    >>> from skhier import HierarchicalSampler
    >>> statistics = HierarchicalSampler(patches_per_class=2, random_state=0).fit().statistics()
    >>> statistics.n_images[:2]  # 8 semantic images, 2 patches for each of their 9 pixels
    [8, 4096]
    """

    levels: list
    n_images: list
    entropy: list

    @property
    def theta(self):
        return min(level.theta for level in self.levels)

    @property
    def lambda_(self):
        return min(level.lambda_ for level in self.levels)

    @property
    def min_abs_sin(self):
        return min(level.min_abs_sin for level in self.levels)

    @property
    def delta_min(self):
        return min(level.delta_min for level in self.levels)

    def __repr__(self):
        names = ["level", "theta", "lambda", "min |sin|", "Delta_min", "entropy", "images"]
        rows = [names]
        for i, (n_images, entropy) in enumerate(zip(self.n_images, self.entropy)):
            if i < len(self.levels):
                level = self.levels[i]
                values = [level.theta, level.lambda_, level.min_abs_sin, level.delta_min]
            else:
                values = [""] * 4
            values = [f"{v:.4g}" if v != "" else v for v in values]
            values += ["?" if entropy is None else f"{entropy:.4g}"]
            values += ["?" if n_images is None else _format_count(n_images)]
            rows.append([str(i), *values])
        return "\n".join("".join(f"{cell:>11}" for cell in row) for row in rows)


def _format_count(n):
    """Format a positive int: in full below 10 million, otherwise with three digits."""
    exponent = log10(n)
    if exponent < 7:
        return str(n)
    return f"{10 ** (exponent % 1):.2f}e{int(exponent)}"


def statistics(model):
    """Compute the HierarchyStatistics of a HierarchicalModel."""
    frequencies = list(frequencies_of_levels(model))
    levels = [level_statistics(level, model.label_channel) for level in frequencies]
    return HierarchyStatistics(levels, *_counts(model, frequencies))


def frequencies_of_levels(model):
    """Yield P(class | label) of levels 0, ..., d - 1."""
    n_classes = [rules.n_classes for rules in model.rules]
    frequencies = root_frequencies(model.root, n_classes[0], model.symbol_noise[0])
    yield frequencies
    for rules, n_next, noise in zip(model.rules, n_classes[1:], model.symbol_noise[1:]):
        frequencies = next_frequencies(frequencies, rules, n_next, noise)
        yield frequencies


def root_frequencies(root, n_classes, symbol_noise):
    """Compute P(class | label) of level 0: (n_labels, n_classes, height, width)."""
    return _with_noise(root.frequencies(n_classes), symbol_noise)


def next_frequencies(frequencies, rules, n_next, symbol_noise):
    """Compute P(class | label) of the next level from the frequencies of a level.

    The frequency of a class at a pixel is distributed over the pixels of the class's patches.
    """
    tables = rules.class_frequencies(n_next)
    n_labels, _, height, width = frequencies.shape
    p, q = rules.patch_size
    # (label, row, column, class, u, v)
    next_level = np.tensordot(frequencies, tables, axes=(1, 0)).transpose(0, 3, 1, 4, 2, 5)
    next_level = next_level.reshape(n_labels, n_next, height * p, width * q)
    return _with_noise(next_level, symbol_noise)


def _with_noise(frequencies, noise):
    """Return the frequencies of classes after symbol noise."""
    return (1 - noise) * frequencies + noise / frequencies.shape[1]


def level_statistics(frequencies, label_channel):
    """Compute the LevelStatistics of class frequencies given the label before label noise."""
    frequencies = np.tensordot(label_channel, frequencies, axes=1)  # the channel is symmetric
    labeled = _labeled(frequencies)
    vectors = labeled.reshape(len(labeled), -1)
    vectors = np.where(np.abs(vectors) < 1e-15, 0, vectors)  # rounding of exact zeros
    norms = np.linalg.norm(vectors, axis=1)
    directions = vectors / np.where(norms > 0, norms, 1)[:, None]
    pairs = np.triu_indices(len(vectors), k=1)
    # Arc cosines are inexact for nearly parallel vectors; half angles from chords are not.
    chord, antichord = _distances(directions, directions), _distances(directions, -directions)
    angles = 2 * np.arctan2(chord, antichord)
    angles = np.where(norms[:, None] * norms > 0, angles, 0.0)
    distances = _distances(vectors, vectors)
    abs_sin = chord * antichord / 2 * (norms[:, None] * norms > 0)
    return LevelStatistics(
        class_frequencies=frequencies,
        labeled_frequencies=labeled,
        angles=angles,
        theta=float(angles[pairs].min(initial=inf)),
        lambda_=float(norms.min()),
        min_abs_sin=float(abs_sin[pairs].min(initial=inf)),
        delta_min=float(distances[pairs].min(initial=inf)),
    )


def labeled_frequencies(frequencies, label_channel):
    """Compute the matrices F_c of class frequencies given the label before label noise."""
    return _labeled(np.tensordot(label_channel, frequencies, axes=1))


def _labeled(frequencies):
    """Compute the matrices F_c of class frequencies given the observed label."""
    if len(frequencies) == 2:
        return (frequencies[1] - frequencies[0]) / 2
    return (frequencies - frequencies.mean(axis=0)).swapaxes(0, 1) / len(frequencies)


def _distances(A, B):
    """Return the distance of each row of A to each row of B."""
    return np.array([np.linalg.norm(B - row, axis=1) for row in A])


def _counts(model, frequencies):
    """Return n_images and entropy, each a list over levels 0, ..., d."""
    images = model.root.images.reshape(len(model.root.images), -1)
    roots, root_of_image = np.unique(images, axis=0, return_inverse=True)
    p_root = np.bincount(root_of_image.ravel(), model.root.probabilities)
    is_known = model.symbol_noise[0] == 0
    n_images = [len(roots) if is_known else None]
    entropy = [float(_entropy(p_root)) if is_known else None]
    for i, rules in enumerate(model.rules):
        # The noise of X^(i + 1): of its symbols, or of its pixels.
        noise = [*model.symbol_noise[1:], model.pixel_noise][i]
        is_known &= has_disjoint_sets(rules) and noise == 0
        n_images.append(_count_images(model, roots, i + 1) if is_known else None)
        # Each pixel draws its patch independently, given its class.
        n_pixels_of_class = frequencies[i].mean(axis=0).sum(axis=(1, 2))
        added = float(n_pixels_of_class @ _entropy(rules.weights))
        entropy.append(entropy[-1] + added if is_known else None)
    return n_images, entropy


def _entropy(p):
    """Return the entropy of each row of probabilities, in nats."""
    return -(p * np.log(np.where(p > 0, p, 1))).sum(axis=-1)


def has_disjoint_sets(rules):
    """Return whether no patch belongs to two classes (assumption 2)."""
    return len(np.unique(rules.rows, axis=0)) == len(rules.rows)


def _count_images(model, roots, level):
    """Count the different images at `level`: products over pixels of sums over patches."""
    # Number of different images at `level` below a pixel of each class.
    counts = (model.rules[level - 1].weights > 0).sum(axis=1).tolist()
    for rules in reversed(model.rules[: level - 1]):
        counts = _sums_of_products(counts, rules.rows, rules.weights.ravel() > 0, rules.n_classes)
    return _sums_of_products(counts, roots, np.full(len(roots), True), 1)[0]


def _sums_of_products(counts, rows, possible, n_sums):
    """Return the sums, over possible rows of classes, of the products of the classes' counts.

    Consecutive rows belong to one of `n_sums` sums. The numbers are ints of up to millions of
    digits, so each different product is computed once.
    """
    values = list(dict.fromkeys(counts))
    value_of_class = np.array([values.index(count) for count in counts])
    powers = (value_of_class[rows][:, :, None] == np.arange(len(values))).sum(axis=1)
    powers, product_of_row = np.unique(powers, axis=0, return_inverse=True)
    products = [prod(map(pow, values, power)) for power in powers.tolist()]
    n_rows = np.zeros((n_sums, len(products)), dtype=np.int64)
    sum_of_row = np.arange(len(rows)) // (len(rows) // n_sums)
    np.add.at(n_rows, (sum_of_row, product_of_row.ravel()), possible)
    return [sum(map(mul, products, n)) for n in n_rows.tolist()]


def expected_product(model, level, factors, algebra=Linear):
    """Compute the expected product over pixels j of factors[..., c_j, j], given each root image.

    The recursion goes from the level up to the root. The factor of a pixel for class c is the
    mean, over the patches of c, of the product of the factors of the patch's pixels.

    Parameters
    ----------
    model : HierarchicalModel
        The model.
    level : int
        Level of the pixels, after its symbol noise.
    factors : ndarray of shape (..., n_classes, height, width) or (..., n_classes, 1, 1)
        Factor of each class at each pixel, or at all pixels.
    algebra : Linear or Logarithmic
        Representation of the expectations.

    Returns
    -------
    expected : ndarray of shape (..., n_root_images)
        Expectations, or their logarithms.
    """
    factors = algebra.from_probability(factors)
    for i in range(level, -1, -1):
        if i < level:
            factors = _one_level_up(factors, model.rules[i], algebra)
        if model.symbol_noise[i] > 0:
            factors = algebra.mix(factors, model.symbol_noise[i])
    shape = model.root.images.shape[1:]
    rows, columns = np.indices(shape)
    factors = np.broadcast_to(factors, (*factors.shape[:-2], *shape))
    return algebra.multiply.reduce(factors[..., model.root.images, rows, columns], axis=(-2, -1))


def _one_level_up(factors, rules, algebra):
    """Return the expected product of the factors of a patch, given the class of its pixel."""
    (p, q), (height, width) = rules.patch_size, factors.shape[-2:]
    # (..., class, patch, row, column) for each pixel of a patch
    terms = (
        factors[..., rules.patches[:, :, u, v], _every(height, u, p), _every(width, v, q)]
        for u, v in np.ndindex(p, q)
    )
    return algebra.average(reduce(algebra.multiply, terms), rules.weights)


def _every(length, first, step):
    """Return the slice of every `step`-th pixel of an axis; its only entry is for all pixels."""
    return slice(first, None, step) if length > 1 else slice(None)
