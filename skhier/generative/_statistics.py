"""Exact statistics of the generative model: frequencies, entropies, expected products."""

from dataclasses import dataclass, field
from math import inf, log10, prod
from operator import mul

import numpy as np

from ._algebra import Linear
from ._model import label_channel
from ._rules import Rules


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
        is zero. Here and below, entries of :math:`F_c` under 1e-15 before label noise count as 0.

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
    prior = model.root.label_probabilities
    levels = [level_statistics(level, prior, model.label_noise) for level in frequencies]
    return HierarchyStatistics(levels, *_counts(model, frequencies))


def frequencies_of_levels(model):
    """Yield P(class | label) of levels 0, ..., d - 1."""
    frequencies = root_frequencies(model.root, model.channels[0])
    yield frequencies
    for rules, channel in zip(model.rules, model.channels[1:]):
        frequencies = next_frequencies(frequencies, rules, channel)
        yield frequencies


def root_frequencies(root, channel):
    """Compute P(class | label) of level 0: (n_labels, n_classes, height, width)."""
    return seen_frequencies(root.frequencies(channel.n_drawn), channel)


def next_frequencies(frequencies, rules, channel):
    """Compute P(class | label) of the next level from the frequencies of a level.

    The frequency of a class at a pixel is distributed over the pixels of the class's patches.
    """
    n_next = channel.n_drawn
    tables = rules.class_frequencies(n_next)
    n_labels, _, height, width = frequencies.shape
    p, q = rules.patch_size
    # (label, row, column, class, u, v)
    next_level = np.tensordot(frequencies, tables, axes=(1, 0)).transpose(0, 3, 1, 4, 2, 5)
    next_level = next_level.reshape(n_labels, n_next, height * p, width * q)
    return seen_frequencies(next_level, channel)


def seen_frequencies(frequencies, channel, axis=1):
    """Return the frequencies of classes, which `axis` counts, after symbol noise."""
    drawn = np.moveaxis(frequencies, axis, 0)
    return np.moveaxis(channel.forward(drawn, Linear), 0, axis)


def level_statistics(frequencies, label_probabilities, label_noise):
    """Compute the LevelStatistics of class frequencies given the label before label noise."""
    joint = label_channel(label_noise, len(label_probabilities)) * label_probabilities
    observed = np.tensordot(joint, frequencies, axes=1) / joint.sum(axis=1)[:, None, None, None]
    labeled = labeled_frequencies(frequencies, label_probabilities, 0.0)
    vectors = labeled.reshape(len(labeled), -1)
    vectors = np.where(np.abs(vectors) < 1e-15, 0, vectors)  # rounding of exact zeros
    signal = _label_signal(label_noise, len(label_probabilities))
    norms = np.linalg.norm(vectors, axis=1)
    directions = vectors / np.where(norms > 0, norms, 1)[:, None]
    norms, vectors = abs(signal) * norms, signal * vectors
    pairs = np.triu_indices(len(vectors), k=1)
    # Arc cosines are inexact for nearly parallel vectors; half angles from chords are not.
    chord, antichord = _distances(directions, directions), _distances(directions, -directions)
    angles = 2 * np.arctan2(chord, antichord)
    angles = np.where(norms[:, None] * norms > 0, angles, 0.0)
    distances = _distances(vectors, vectors)
    abs_sin = chord * antichord / 2 * (norms[:, None] * norms > 0)
    return LevelStatistics(
        class_frequencies=observed,
        labeled_frequencies=signal * labeled,
        angles=angles,
        theta=float(angles[pairs].min(initial=inf)),
        lambda_=float(norms.min()),
        min_abs_sin=float(abs_sin[pairs].min(initial=inf)),
        delta_min=float(distances[pairs].min(initial=inf)),
    )


def labeled_frequencies(frequencies, label_probabilities, label_noise):
    """Compute the matrices F_c of class frequencies given the label before label noise."""
    joint = label_probabilities[:, None, None, None] * frequencies
    n_labels = len(joint)
    labeled = joint[1] - joint[0] if n_labels == 2 else (joint - joint.mean(axis=0)).swapaxes(0, 1)
    return _label_signal(label_noise, n_labels) * labeled


def _label_signal(label_noise, n_labels):
    """Return the factor of F_c by label noise. In sums over labels, a small one would cancel."""
    return 1 - n_labels / (n_labels - 1) * label_noise


def _distances(A, B):
    """Return the distance of each row of A to each row of B."""
    return np.array([np.linalg.norm(B - row, axis=1) for row in A])


def _counts(model, frequencies):
    """Return n_images and entropy, each a list over levels 0, ..., d."""
    images = model.root.images.reshape(len(model.root.images), -1)
    roots, root_of_image = np.unique(images, axis=0, return_inverse=True)
    p_root = np.bincount(root_of_image.ravel(), model.root.probabilities)
    is_known = not model.channels[0].is_noisy
    n_images = [len(roots) if is_known else None]
    entropy = [float(_entropy(p_root)) if is_known else None]
    for i, rules in enumerate(model.rules):
        # The noise of X^(i + 1): of its symbols, or of its pixels.
        is_noisy = [*(channel.is_noisy for channel in model.channels[1:]), model.pixel_noise > 0][i]
        is_known &= has_disjoint_sets(rules) and not is_noisy
        n_images.append(_count_images(model, roots, i + 1) if is_known else None)
        if is_known:  # each pixel draws its patch independently, given its class
            p_class = np.tensordot(model.root.label_probabilities, frequencies[i], axes=1)
            n_pixels_of_class = p_class.sum(axis=(1, 2))
            added = float(n_pixels_of_class @ _entropy(rules.weights))
        entropy.append(entropy[-1] + added if is_known else None)
    return n_images, entropy


def _entropy(p):
    """Return the entropy of each row of probabilities, in nats."""
    return -(p * np.log(np.where(p > 0, p, 1))).sum(axis=-1)


def has_disjoint_sets(rules):
    """Return whether rules have sets of patches, and no patch belongs to two (assumption 2)."""
    return isinstance(rules, Rules) and bool((rules.n_sets == 1).all())


def _count_images(model, roots, level):
    """Count the different images at `level`: products over pixels of sums over patches."""
    # Number of different images at `level` below a pixel of each class.
    counts = model.rules[level - 1].is_possible.sum(axis=1).tolist()
    for rules in reversed(model.rules[: level - 1]):
        counts = _sums_of_products(counts, rules.rows, rules.is_possible.ravel(), rules.n_classes)
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
    *lead, n_classes, height, width = np.shape(factors)
    # In the layout of messages: (n_classes, height, width, n)
    message = np.moveaxis(np.reshape(factors, (-1, n_classes, height, width)), 0, -1)
    message = algebra.from_probability(message)
    for i in range(level, -1, -1):
        if i < level:
            message = _one_level_up(message, model.rules[i], algebra)
        message = model.channels[i].before(message, algebra)
    shape = model.root.images.shape[1:]
    message = np.broadcast_to(message, (len(message), *shape, message.shape[-1]))
    rows, columns = np.indices(shape)
    expected = algebra.multiply.reduce(message[model.root.images, rows, columns], axis=(1, 2))
    return expected.T.reshape(*lead, -1)


def observed_label_probabilities(sampler):
    """Return the probability of each label of a fitted sampler, after label noise."""
    return sampler._model.label_channel @ sampler._model.root.label_probabilities


def shown_probability(sampler, level, shares):
    """Compute P(an image shows some of several patches) of a level.

    It is 1 less an expected product, which would lose small probabilities.

    Parameters
    ----------
    sampler : HierarchicalSampler
        A fitted sampler.
    level : int
        Level.
    shares : ndarray of shape (n_classes, n)
        Probability, given the class of a pixel, that it shows one of the patches.

    Returns
    -------
    shown : ndarray of shape (n,)
        Probabilities.
    """
    model, n = sampler._model, shares.shape[1]
    shares = model.channels[level].before(shares, Linear)
    for rules, channel in zip(model.rules[:level][::-1], model.channels[:level][::-1]):
        # Some place is the first that shows a patch; those to its left show none.
        children = np.tile(shares, (prod(rules.patch_size), 1, rules.n_classes))
        parents = np.repeat(np.eye(rules.n_classes), n, axis=1)
        first = rules.descend_left(1 - children, parents, Linear) * children
        shares = channel.before(first.sum(axis=(0, 1)).reshape(-1, n), Linear)
    root = model.root
    with np.errstate(divide="ignore"):
        logs = np.log1p(-np.minimum(shares, 1))[root.images].sum(axis=(1, 2))
    return root.probabilities @ -np.expm1(logs)


def _one_level_up(message, rules, algebra):
    """Return the expected product of the factors of a patch, given the class of its pixel."""
    (p, q), (n_next, height, width, n) = rules.patch_size, message.shape
    children = [
        message[:, _every(height, u, p), _every(width, v, q)].reshape(n_next, -1)
        for u, v in np.ndindex(p, q)
    ]
    above = rules.ascend(np.stack(children), algebra)
    return above.reshape(len(above), -(-height // p), -(-width // q), n)


def _every(length, first, step):
    """Return the slice of every `step`-th pixel of an axis; its only entry is for all pixels."""
    return slice(first, None, step) if length > 1 else slice(None)
