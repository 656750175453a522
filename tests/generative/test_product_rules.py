"""Transitions and matrices of noise, against tables of all patches, which have other sums."""

from itertools import product

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skhier import HierarchicalSampler
from skhier.generative._algebra import Linear, Logarithmic
from skhier.generative._product_rules import ProductRules
from skhier.generative._rules import Rules

ALGEBRAS = [Linear, Logarithmic]


def stochastic(*shape, seed=0, zeros=True):
    """Return random rows that sum to 1; with `zeros`, some entries are 0."""
    matrix = np.random.default_rng(seed).dirichlet(np.ones(shape[-1]), size=shape[:-1])
    if zeros:
        matrix[..., 0, -1] = 0
    return matrix / matrix.sum(axis=-1, keepdims=True)


def table_of(transitions):
    """Return (patches, weights) of all patches over the next classes."""
    p, q, n_classes, n_next = transitions.shape
    patches = np.array(list(product(range(n_next), repeat=p * q)))
    places = transitions.reshape(p * q, n_classes, n_next)
    weights = places[range(p * q), :, patches].prod(axis=1).T
    patches = np.broadcast_to(patches.reshape(-1, p, q), (n_classes, len(patches), p, q))
    return patches, weights


@pytest.mark.parametrize("algebra", ALGEBRAS)
def test_messages_are_those_of_the_table_of_all_patches(algebra):
    transitions, rng = stochastic(2, 1, 3, 4), np.random.default_rng(1)
    rules, table = ProductRules(transitions), Rules(*table_of(transitions))
    beta, parents = rng.random((2, 4, 7)), rng.dirichlet(np.ones(3), size=7).T
    beta[0, :3, :2] = 0  # excludes class 0 of the parents
    children = algebra.from_probability(beta)
    message = table.ascend(children, algebra)
    assert_allclose(rules.ascend(children, algebra), message, atol=1e-14)
    parents[:, :2] *= algebra.to_probability(message)[:, :2] > 0
    expected = table.descend(children, parents, algebra)
    assert_allclose(rules.descend(children, parents, algebra), expected, atol=1e-14)
    left = [
        algebra.to_probability(r.descend_left(children, algebra.from_probability(parents), algebra))
        for r in (rules, table)
    ]
    assert_allclose(*left, atol=1e-14)


def test_far_from_the_scale_of_floats_logarithms_are_right():
    transitions = stochastic(1, 2, 3, 4)
    rules, table = ProductRules(transitions), Rules(*table_of(transitions))
    children = np.random.default_rng(1).normal(scale=2000, size=(2, 4, 9))
    message = table.ascend(children, Logarithmic)
    assert np.ptp(message) > 1000
    assert_allclose(rules.ascend(children, Logarithmic), message)
    parents = np.random.default_rng(2).dirichlet(np.ones(3), size=9).T
    expected = table.descend(children, parents, Logarithmic)
    assert_allclose(rules.descend(children, parents, Logarithmic), expected, atol=1e-12)


@pytest.mark.parametrize("algebra", ALGEBRAS)
def test_patches_are_drawn_in_proportion_to_their_posteriors(algebra):
    transitions = stochastic(1, 2, 2, 3)
    beta = np.random.default_rng(0).random((2, 3, 1))
    grid = (np.arange(90) + 0.5) / 90
    uniforms = np.array(list(product(grid, repeat=2)))
    classes, columns = np.full(len(uniforms), 1), np.zeros(len(uniforms), int)
    drawn = ProductRules(transitions).draw_children(
        algebra.from_probability(beta), columns, classes, uniforms, algebra
    )
    posterior = transitions[0, :, 1] * beta[:, :, 0]
    posterior /= posterior.sum(axis=1, keepdims=True)
    for a, b in np.ndindex(3, 3):
        share = (drawn == (a, b)).all(axis=1).mean()
        assert_allclose(share, posterior[0, a] * posterior[1, b], atol=2.2 / 90)


# Each model twice: with transitions, and with tables of all patches. Level 1 has patches drawn.
TRANSITIONS = stochastic(1, 2, 3, 4)
SAME = {
    "n_levels": 3,
    "n_semantic_classes": [3, 4, 3],
    "patch_size": [(1, 2), (2, 1), 1],
    "patches_per_class": 2,
    "root_shape": (1, 2),
    "n_root_images": 1,
    "n_channels": 2,
    "random_state": 0,
}
NOISE = {
    "clean": {},
    "pixel noise": {"pixel_noise": 0.6, "label_noise": 0.1},
    "symbol noise": {"symbol_noise": [0.1, 0.2, 0.3]},
    "matrices": {
        "symbol_noise": [
            stochastic(3, 3, seed=5),
            stochastic(4, 4, seed=6, zeros=False),
            stochastic(3, 3, seed=7),
        ],
        "pixel_noise": 0.3,
    },
}


def twins(noise):
    """Return two samplers of one distribution."""
    table = HierarchicalSampler(**SAME, **NOISE[noise]).fit()
    patches, weights = table_of(TRANSITIONS)
    lower = {"pixel_patches": table.patches_[2]}
    by_table = HierarchicalSampler(
        **SAME | NOISE[noise] | lower | {"symbol_patches": [patches, table.patches_[1]]},
        rule_weights=[weights, "uniform", "uniform"],
    )
    by_matrix = HierarchicalSampler(
        **SAME | NOISE[noise] | lower | {"symbol_patches": [None, table.patches_[1]]},
        transitions=[TRANSITIONS, None],
    )
    roots = table.root_images_, table.root_labels_
    return by_matrix.fit(*roots), by_table.fit(*roots)


def assert_same_distribution(first, second, X, levels):
    """Assert that two samplers have the same statistics and inference at pairs of levels."""
    assert_allclose(first.score_samples(X), second.score_samples(X), rtol=1e-10)
    assert_allclose(first.bayes_predict_proba(X), second.bayes_predict_proba(X), atol=1e-10)
    exact, expected = first.statistics(), second.statistics()
    rng = np.random.default_rng(0)
    for i, j in levels:
        assert_allclose(first.posterior(X, i), second.posterior(X, j), atol=1e-10)
        F = [statistics.levels[k] for statistics, k in ((exact, i), (expected, j))]
        assert_allclose(F[0].class_frequencies, F[1].class_frequencies, atol=1e-12)
        height, width = first.level_shapes_[i]
        pixel = height - 1, width // 2
        pairs = first.pair_frequencies(i, pixel), second.pair_frequencies(j, pixel)
        assert_allclose(*pairs, atol=1e-12)
        factors = rng.normal(size=(2, first.n_classes_[i], height, width))
        products = first.expected_product(i, factors), second.expected_product(j, factors)
        assert_allclose(*products, rtol=1e-10, atol=1e-14)
        logs = [
            sampler.expected_product(k, abs(factors) * 1e-200, log=True)
            for sampler, k in ((first, i), (second, j))
        ]
        assert_allclose(*logs, rtol=1e-10)


@pytest.mark.parametrize("noise", NOISE)
def test_transitions_are_the_table_of_all_patches(noise):
    by_matrix, by_table = twins(noise)
    assert by_matrix.patches_[0] is by_matrix.rule_weights_[0] is None
    assert_allclose(by_matrix.transitions_[0], TRANSITIONS)
    X, _, latents = by_table.sample(20, random_state=1, return_latents=True)
    assert_same_distribution(by_matrix, by_table, X, [(i, i) for i in range(3)])
    given = {"symbols": latents[-1], "mask": np.arange(4) % 2 == [[0], [1]]}
    for level, of in product(range(3), ("seen", "drawn")):
        masked = [s.posterior(level=level, of=of, **given) for s in (by_matrix, by_table)]
        assert_allclose(*masked, atol=1e-10)


@pytest.mark.parametrize("n_drawn", [3, 2])
@pytest.mark.parametrize("pixel_noise", [0.0, 0.5])
def test_a_matrix_of_noise_is_a_level_of_single_pixels(n_drawn, pixel_noise):
    K = stochastic(n_drawn, 3, seed=3)
    upper = np.random.default_rng(0).integers(n_drawn, size=(2, 3, 1, 2))
    upper[:, :, 0, 0] = [[0, 1, 0], [1, 0, 1]]
    upper[:, :, 0, 1] = [[0, 0, 1], [1, 1, 0]]
    same = {"pixel_patches": "one_hot", "n_channels": 3, "patches_per_class": 1, "patch_size": 1}
    same |= {"pixel_noise": pixel_noise, "random_state": 0}
    roots = np.array([[[0, 1]], [[1, 1]]]), [0, 1]
    noisy = HierarchicalSampler(
        2, symbol_patches=[upper], n_semantic_classes=3, symbol_noise=[0.0, K], **same
    ).fit(*roots)
    table = np.broadcast_to(np.arange(3).reshape(3, 1, 1), (n_drawn, 3, 1, 1))
    level = HierarchicalSampler(
        3, symbol_patches=[upper, table], n_semantic_classes=3, **same,
        rule_weights=["uniform", K, "uniform"],
    ).fit(*roots)  # fmt: skip
    assert noisy.is_noisy_
    X, _ = noisy.sample(20)
    assert_same_distribution(noisy, level, X, [(0, 0), (1, 2)])
    assert_allclose(noisy.posterior(X, 1, of="drawn"), level.posterior(X, 1), atol=1e-10)


@pytest.mark.parametrize("noise", [0.0, stochastic(3, 3, seed=8)], ids=["clean", "noisy"])
def test_next_symbols_of_strings_are_those_of_the_table_of_all_patches(noise):
    upper, lower = stochastic(1, 2, 2, 4, seed=1), stochastic(1, 3, 4, 3, seed=2)
    same = {"n_levels": 3, "root": "label", "n_semantic_classes": [2, 4, 3], "patch_size": 1}
    same |= {"pixel_patches": "one_hot", "n_channels": 3, "patches_per_class": 1}
    same |= {"symbol_noise": [0.0, 0.1, noise], "random_state": 0}
    tables, weights = zip(table_of(upper), table_of(lower))
    by_matrix = HierarchicalSampler(**same, transitions=[upper, lower]).fit()
    by_table = HierarchicalSampler(
        **same, symbol_patches=list(tables), rule_weights=[*weights, "uniform"]
    ).fit()
    symbols = by_matrix.sample(20, return_latents=True)[2][-1][:, 0]
    found, expected = (s.next_symbol_proba(symbols) for s in (by_matrix, by_table))
    assert_allclose(found, expected, atol=1e-12)
    chain = np.take_along_axis(found, symbols[..., None], axis=2)
    log_p = by_matrix.score_samples(symbols=symbols)
    assert_allclose(np.log(chain).sum(axis=(1, 2)), log_p)


def test_patches_are_legal_if_they_are_in_the_table():
    transitions = stochastic(2, 1, 3, 4)
    transitions[1, 0, 1, :2] = 0
    rules, table = ProductRules(transitions), Rules(*table_of(transitions))
    children = np.random.default_rng(0).random((2, 50, 4)) < 0.3
    found = rules.match(children)
    assert_array_equal(found, table.match(children))
    assert 0 < found.mean() < 1


def test_transitions_are_exchanged_and_drawn_as_symbols():
    by_matrix, _ = twins("matrices")
    symbols, y, latents = by_matrix.sample(50, output="symbols", return_latents=True)
    assert_array_equal(symbols, latents[-1])
    assert_array_equal(by_matrix.sample(50)[1], y)
    _, _, exchanged = by_matrix.resample(range(50), 1, 7, return_latents=True)
    for level in (0, 1):
        assert_array_equal(exchanged[level], latents[level])
    assert (exchanged[2] != latents[2]).any()
    with pytest.raises(ValueError, match="replace=False is not valid for a model that has noise"):
        by_matrix.sample(5, replace=False)
    with pytest.raises(ValueError, match=r"replace=False .* that has transitions"):
        twins("clean")[0].sample(5, replace=False)


def test_posterior_samples_agree_with_posteriors():
    sampler, _ = twins("matrices")
    X, _ = sampler.sample(2)
    n = 4000
    for of in ("seen", "drawn"):
        _, _, latents = sampler.sample_posterior(
            X, n_draws=n, of=of, return_latents=True, random_state=1
        )
        for level, drawn in enumerate(latents):
            p = sampler.posterior(X, level, of=of)
            share = (drawn[..., None] == np.arange(p.shape[-1])).mean(axis=0)
            assert (abs(share - p) <= 5 * np.sqrt(p * (1 - p) / n) + 1e-12).all()


def test_samples_have_the_exact_frequencies_of_pairs():
    by_matrix, _ = twins("matrices")
    n = 40_000
    latents = by_matrix.sample(n, return_latents=True)[2]
    for level, images in enumerate(latents):
        n_classes = by_matrix.n_classes_[level]
        joint = by_matrix.pair_frequencies(level, (0, 0))
        for row, column in np.ndindex(images.shape[1:]):
            pairs = n_classes * images[:, 0, 0] + images[:, row, column]
            seen = np.bincount(pairs, minlength=n_classes**2).reshape(n_classes, n_classes) / n
            p = joint[row, column]
            assert (abs(seen - p) <= 5 * np.sqrt(p * (1 - p) / n) + 1e-12).all()


def test_a_sample_depends_on_seed_and_index_only():
    sampler, _ = twins("matrices")
    X, _ = sampler.sample(300)
    parts = list(sampler.iter_batches(300, batch_size=7))
    assert_array_equal(np.concatenate([batch for batch, _ in parts]), X)
    assert_array_equal(sampler.sample_at([250, 3])[0], X[[250, 3]])
    assert_array_equal(sampler.set_params(n_jobs=2).sample(300)[0], X)


def test_one_matrix_is_for_all_places():
    matrix = stochastic(4, 4)
    sampler = HierarchicalSampler(patch_size=2, transitions=[matrix], random_state=0).fit()
    assert sampler.transitions_[0].shape == (2, 2, 4, 4)
    assert_allclose(sampler.transitions_[0], np.broadcast_to(matrix, (2, 2, 4, 4)))


def test_what_needs_sets_of_patches_is_refused_or_unknown():
    sampler = HierarchicalSampler(transitions=[stochastic(4, 4)], random_state=0).fit()
    X, _ = sampler.sample(2)
    for method in (sampler.parse, sampler.parse_patches, sampler.inverse_transform):
        with pytest.raises(ValueError, match="Level 0 of this sampler has transitions"):
            method(X)
    with pytest.raises(ValueError, match="level=0 is not valid: this level has transitions"):
        sampler.code_moments(0)
    assert sampler.code_moments(1).shape == (9, 9, 120)
    exact = sampler.statistics()
    assert [n is None for n in exact.n_images] == [False, True, True]
    assert [h is None for h in exact.entropy] == [False, True, True]
    report = sampler.check_assumptions()
    assert not report[1].holds
    assert "unknown at level 0, which has transitions" in report[1].evidence


M = stochastic(4, 4)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"transitions": M}, "transitions of type ndarray is not valid: it takes None, or a list"),
        ({"transitions": [M, M]}, "an array or None for each of the n_levels - 1 = 1"),
        ({"transitions": [M[0]]}, r"transitions\[0\] of shape \(4,\) is not valid"),
        ({"transitions": [M[None]]}, r"transitions\[0\] of shape \(1, 4, 4\) is not valid"),
        ({"transitions": [M * 2]}, r"transitions\[0\] has a row with the sum 2, but rows sum"),
        ({"transitions": [-M]}, r"transitions\[0\] of shape \(4, 4\) is not valid"),
        ({"transitions": [M * np.nan]}, "transitions"),
        ({"transitions": [stochastic(4, 3)]}, r"transitions\[0\] has 3 columns, but 4 classes are"),
        (
            {"transitions": [M], "symbol_patches": [np.zeros((4, 1, 3, 3), int)]},
            r"transitions\[0\] and symbol_patches\[0\] are both given",
        ),
        ({"symbol_noise": M[:, :3]}, r"symbol_noise at level 0 has a row with the sum"),
        ({"symbol_noise": stochastic(4, 3)}, r"a matrix of shape \(4, 3\), but the level has 4"),
        ({"symbol_noise": [stochastic(3, 4), 0.0]}, r"it takes the shape \(4, 4\)"),
        ({"symbol_noise": [0.0, stochastic(3, 5)]}, r"it takes the shape \(up to 4, 4\)"),
        ({"symbol_noise": [0.0, "e"]}, "symbol_noise=.* is not valid: it takes a number from 0"),
        ({"symbol_noise": 2.0}, "symbol_noise=2.0 is not valid: it takes a number from 0 to 1"),
    ],
)
def test_invalid_matrices_are_refused(params, message):
    with pytest.raises(ValueError, match=message):
        HierarchicalSampler(**params, random_state=0).fit()


def test_transitions_of_other_classes_than_the_root_are_refused():
    sampler = HierarchicalSampler(transitions=[M], n_semantic_classes=4)
    with pytest.raises(ValueError, match=r"transitions\[0\] has rows for 4 semantic classes"):
        sampler.fit([[0, 1], [2, 1]], [0, 1])
