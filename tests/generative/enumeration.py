"""Every possible draw of a small model, and its exact posteriors by sums over them."""

from itertools import product

import numpy as np
from numpy.testing import assert_allclose
from scipy.special import logsumexp

from skhier import HierarchicalSampler

GEOMETRIES = {
    "strings": {
        "n_levels": 3,
        "n_semantic_classes": [2, 2, 3],
        "patch_size": [(1, 2), (1, 2), 1],
        "patches_per_class": [2, 2, 1],
        "root": "label",
    },
    "images": {
        "n_semantic_classes": [2, 2],
        "patch_size": [(2, 1), 1],
        "patches_per_class": [2, 1],
        "root_shape": (1, 2),
        "n_root_images": 2,
    },
}
NOISES = {
    "clean": {},
    "weights": {"rule_weights": 1.5},
    "shared patches": {"overlap": 0.5},
    "corruption": {"symbol_noise": 0.3},
    "everything": {"symbol_noise": 0.2, "label_noise": 0.1, "overlap": 0.5, "rule_weights": "zipf"},
}


def small_sampler(geometry, noise, **options):
    """Return a sampler that is small enough for `Derivations`."""
    geometry = dict(GEOMETRIES[geometry])
    noise = dict(NOISES[noise])
    if noise == {"symbol_noise": 0.3}:  # of the last symbols only
        noise["symbol_noise"] = [0.0] * (geometry.get("n_levels", 2) - 1) + [0.3]
    params = {**geometry, **noise, **options, "pixel_patches": "one_hot", "n_channels": 6}
    return HierarchicalSampler(**params, random_state=0).fit()


def every_image(sampler):
    """Return all images of symbols of the last level, (n, h, w), whether or not they occur."""
    shape, n_classes = sampler.level_shapes_[-2], len(sampler.patches_[-1])
    return np.array(list(product(range(n_classes), repeat=np.prod(shape)))).reshape(-1, *shape)


class Derivations:
    """All draws of the classes of a fitted sampler.

    Attributes
    ----------
    log_p : ndarray of shape (n,)
    labels : ndarray of shape (n,)
        Labels before label noise.
    drawn, seen : lists of n_levels ndarrays of shape (n, height, width)
        Classes before and after symbol noise.
    """

    def __init__(self, sampler):
        draws = _draws(sampler)
        self.log_p = np.array([log_p for log_p, *_ in draws])
        self.labels = np.array([label for _, label, _, _ in draws])
        levels = range(sampler.n_levels)
        self.drawn = [np.array([drawn[i] for *_, drawn, _ in draws]) for i in levels]
        self.seen = [np.array([seen[i] for *_, seen in draws]) for i in levels]


def _draws(sampler):
    """Return all possible draws of the latents: tuples (log p, label, drawn, seen)."""
    draws = []
    for image, label in zip(sampler.root_images_, sampler.root_labels_):
        n_images = (sampler.root_labels_ == label).sum()
        draws.append((-np.log(len(sampler.classes_) * n_images), label, [image], []))
    for i, table in enumerate(sampler.patches_):
        noise = np.broadcast_to(sampler.symbol_noise, sampler.n_levels)[i]
        draws = [new for draw in draws for new in _corrupt(*draw, noise, len(table))]
        if i < sampler.n_levels - 1:
            weights = sampler.rule_weights_[i]
            draws = [new for draw in draws for new in _expand(*draw, table, weights)]
    return draws


def _corrupt(log_p, label, drawn, seen, noise, n_classes):
    """Yield a draw with every possible result of symbol noise on its last level."""
    image = drawn[-1]
    if not noise:
        yield log_p, label, drawn, [*seen, image]
        return
    for new in product(range(n_classes), repeat=image.size):
        new = np.reshape(new, image.shape)
        p = np.where(new == image, 1 - noise + noise / n_classes, noise / n_classes)
        yield log_p + np.log(p).sum(), label, drawn, [*seen, new]


def _expand(log_p, label, drawn, seen, table, weights):
    """Yield a draw with every possible next level."""
    image = seen[-1]
    for choice in product(range(table.shape[1]), repeat=image.size):
        choice = np.reshape(choice, image.shape)
        p = weights[image, choice].prod()
        if p > 0:
            new = np.block([*map(list, table[image, choice])])
            yield log_p + np.log(p), label, [*drawn, new], seen


def pixel_likelihoods(sampler, derivations, X):
    """Compute log P(X | classes of the last level) of each draw and image: (n_draws, n)."""
    table, weights = sampler.patches_[-1].astype(float), sampler.rule_weights_[-1]
    p, q = table.shape[2:]
    total = np.zeros((len(derivations.log_p), len(X)))
    for row, column in np.ndindex(*derivations.seen[-1].shape[1:]):
        patch = X[:, p * row : p * row + p, q * column : q * column + q].astype(float)
        squares = ((patch[:, None, None] - table) ** 2).sum(axis=(3, 4))
        if sampler.pixel_noise:
            sigma = sampler.pixel_noise
            log_p = -squares / (2 * sigma**2) - p * q / 2 * np.log(2 * np.pi * sigma**2)
        else:
            log_p = np.where(squares == 0, 0, -np.inf)
        with np.errstate(divide="ignore"):
            log_p = logsumexp(log_p + np.log(weights), axis=2)  # image, class
        total += log_p.T[derivations.seen[-1][:, row, column]]
    return total


def symbol_likelihoods(derivations, log_evidence):
    """Compute sums of log-likelihoods (n, h, w, n_symbols) over each draw's symbols."""
    symbols = derivations.seen[-1]
    rows, columns = np.indices(symbols.shape[1:])
    return log_evidence[:, rows, columns, symbols].sum(axis=(2, 3)).T


def assert_inference_is_exact(sampler, derivations, log_likelihood, atol, **evidence):
    """Assert that all results agree with the log-likelihood (n_draws, n) of the evidence."""
    log_joint = derivations.log_p[:, None] + log_likelihood
    log_p = logsumexp(log_joint, axis=0)
    assert_allclose(sampler.score_samples(**evidence), log_p, rtol=atol, atol=atol)
    p_draw = np.exp(log_joint - log_p).T
    for of in ("seen", "drawn"):
        for i, table in enumerate(sampler.patches_):
            images = getattr(derivations, of)[i]
            expected = [np.tensordot(p_draw, images == c, axes=1) for c in range(len(table))]
            found = sampler.posterior(**evidence, level=i, of=of)
            expected = np.stack(expected, axis=-1).reshape(found.shape)
            assert_allclose(found, expected, atol=atol)
    is_label = derivations.labels[:, None] == sampler.classes_
    p_label = p_draw @ is_label
    flip = sampler.label_noise / (len(sampler.classes_) - 1)
    p_label = (1 - sampler.label_noise) * p_label + flip * (1 - p_label)
    assert_allclose(sampler.bayes_predict_proba(**evidence), p_label, atol=atol)
    return p_draw
