"""Numbers of images for classes that are told by a neighbour, and a bound for its users."""

from functools import lru_cache
from itertools import product
from math import log

import numpy as np
import pytest
from numpy.testing import assert_allclose
from test_required_samples import draw_codes, small_model

from skhier.datasets import make_random_hierarchy
from skhier.theory import code_counts, necessary_samples, required_samples, separate_codes
from skhier.theory._context import context_cells, pair_changes, pair_probabilities
from skhier.theory._power import _log_moments_of_one_cell


@lru_cache
def random_hierarchy(m=2, v=4, seed=0):
    return make_random_hierarchy(
        1,
        n_classes=v,
        vocabulary_size=v,
        n_synonyms=m,
        depth=2,
        return_X_y=False,
        random_state=seed,
    ).sampler


@pytest.mark.parametrize("context", [(0, 1), (1, 0), (0, -1), (1, -2)])
def test_pair_probabilities_are_the_joint_distribution_of_a_pixel_and_its_neighbour(context):
    sampler = small_model(n_semantic_classes=[3, 4])
    pixel = max(0, -context[0]), max(0, -context[1])
    neighbour = pixel[0] + context[0], pixel[1] + context[1]
    joint = pair_probabilities(sampler, 1, context)
    assert_allclose(joint.sum(axis=0), sampler.pair_frequencies(1, pixel)[neighbour], atol=1e-14)
    frequencies = sampler.statistics().levels[1].class_frequencies[:, :, pixel[0], pixel[1]]
    assert_allclose(joint.sum(axis=2), frequencies / 2, atol=1e-14)
    assert_allclose(pair_probabilities(sampler, 1, context, labels=False), joint.sum(0)[None])


@pytest.mark.parametrize("labels", [True, False])
def test_the_change_of_pairs_is_that_of_all_labels_and_codes(labels):
    sampler = small_model(n_semantic_classes=[3, 4])
    joint, k = pair_probabilities(sampler, 1, (0, 1), labels), 3
    classes = np.arange(4 * k) // k
    expected = []
    for c in range(4):
        for e in range(c + 1, 4):
            exchanged = classes.copy()
            exchanged[[c * k, e * k]] = e, c
            P, Q = (joint[:, g[:, None], g] / k**2 for g in (classes, exchanged))
            expected.append(1 - np.sqrt(P * Q).sum())
    assert_allclose(pair_changes(joint, k), expected, atol=1e-12)


def test_moments_of_one_cell_are_those_of_all_outcomes():
    sampler = random_hierarchy()
    cells = context_cells(sampler, 1, (0, 1), True, "test")
    log_moments, rates = _log_moments_of_one_cell(cells)
    for i, (c, e) in enumerate(zip(*cells.pairs)):
        r_c, r_e = cells.probabilities[c].ravel(), cells.probabilities[e].ravel()
        u = (r_c - r_e) / np.linalg.norm(r_c - r_e)
        for j in (0, 15, 25):
            values = np.r_[np.exp(-rates[i, j] * u), np.exp(rates[i, j] * u), 1]
            outcomes = np.r_[r_c, r_e, 1 - r_c.sum() - r_e.sum()]
            assert_allclose(log_moments[i, j], log(outcomes @ values), rtol=1e-9, atol=2e-14)


@pytest.mark.parametrize("labels", [True, False])
def test_the_certificate_of_a_neighbour_is_complete_at_the_proved_number(labels):
    sampler, delta = random_hierarchy(), 0.05
    n_codes = sampler.patches_[1].shape[0] * 2
    classes = np.arange(n_codes) // 2
    sizes = {"labels": labels, "context": (0, 1), "level": 1}
    proved = required_samples(sampler, delta, "rigorous", **sizes)
    assert required_samples(sampler, delta, "certificate", **sizes) < proved
    complete = {proved: 0, proved // 30: 0}
    for n, seed in product(complete, range(8)):
        codes, y = draw_codes(sampler, 1, n, seed)
        y = y if labels else None
        counts = code_counts(codes[:, None], y, n_codes=n_codes, context=(0, 1))
        separation = separate_codes(counts, delta=delta / 2, equally_likely=True)
        complete[n] += np.array_equal(separation.different, classes[:, None] != classes)
    assert complete == {proved: 8, proved // 30: 0}


@pytest.mark.parametrize("labels", [True, False])
def test_no_test_of_pairs_errs_less_with_fewer_images(labels):
    sampler, delta = random_hierarchy(), 0.02
    n = necessary_samples(sampler, delta, "pairs", level=1, labels=labels, context=(0, 1)) - 1
    assert n > 1
    joint, k = pair_probabilities(sampler, 1, (0, 1), labels), 2
    c, e = (int(i[pair_changes(joint, k).argmin()]) for i in np.triu_indices(4, k=1))
    classes = np.arange(4 * k) // k
    exchanged = classes.copy()
    exchanged[[c * k, e * k]] = e, c
    P, Q = (joint[:, g[:, None], g].ravel() / k**2 for g in (classes, exchanged))
    P, Q = P[P > 0], Q[P > 0]
    drawn = np.random.default_rng(0).choice(P.size, size=(40_000, n), p=P / P.sum())
    with np.errstate(divide="ignore"):
        ratio = np.log(Q / P)[drawn].sum(axis=1)
    # The best test with equal errors, by symmetry, decides by the larger probability.
    assert (ratio > 0).mean() + (ratio == 0).mean() / 2 > delta


def test_errors_name_the_parameter():
    sampler, rhm = small_model(), random_hierarchy(m=4)
    with pytest.raises(ValueError, match=r"context=\(0, 1\) is not valid for method='counts'"):
        required_samples(sampler, 0.05, "counts", level=1, context=(0, 1))
    with pytest.raises(ValueError, match=r"context=\(0, 1\) is not valid .* level=None"):
        required_samples(sampler, 0.05, "rigorous", context=(0, 1))
    with pytest.raises(ValueError, match=r"context=\(0, 9\) is not valid: it takes two ints"):
        required_samples(sampler, 0.05, "rigorous", level=1, context=(0, 9))
    with pytest.raises(ValueError, match="two classes have the same probabilities beside each"):
        required_samples(rhm, 0.05, "rigorous", level=1, labels=False, context=(0, 1))
    with pytest.raises(ValueError, match=r"method='pairs', level=1 and context=None do not fit"):
        necessary_samples(sampler, 0.05, "pairs", level=1)
    with pytest.raises(ValueError, match=r"method='coverage', level=1 and context=\(0, 1\) do not"):
        necessary_samples(sampler, 0.05, level=1, context=(0, 1))
