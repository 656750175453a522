import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import softmax

from skhier.datasets import make_broadcast_tree, make_filtered_hierarchy, make_transition_tree


def common_depth(i, j, branching, depth):
    """Return the number of levels from leaves i and j up to their lowest common ancestor."""
    return next(h for h in range(depth + 1) if i // branching**h == j // branching**h)


@pytest.mark.parametrize(
    ("q", "b", "depth", "theta"), [(2, 2, 3, 0.7), (3, 3, 2, -0.5), (5, 1, 3, 0.9), (4, 2, 2, 0)]
)
def test_leaves_are_correlated_by_powers_of_theta(q, b, depth, theta):
    sizes = {"n_classes": q, "branching": b, "depth": depth, "theta": theta}
    sampler = make_broadcast_tree(1, **sizes, return_X_y=False).sampler
    first = b**depth // 2
    joint = sampler.pair_frequencies(depth, (0, first))[0]
    assert_array_equal(sampler.classes_, np.arange(q))
    for leaf, found in enumerate(joint):
        correlation = theta ** (2 * common_depth(first, leaf, b, depth))
        assert_allclose(found, (1 / q + correlation * (np.eye(q) - 1 / q)) / q, atol=1e-15)
    given_root = sampler.statistics().levels[-1].class_frequencies  # label, class, row, column
    expected = 1 / q + theta**depth * (np.eye(q) - 1 / q)
    assert_allclose(given_root, np.broadcast_to(expected[..., None, None], given_root.shape))


def test_the_root_of_a_star_has_the_posterior_of_bayes():
    tree = make_broadcast_tree(
        50, n_classes=3, branching=4, depth=1, theta=0.4, return_X_y=False, random_state=0
    )
    M = 0.4 * np.eye(3) + 0.2
    p = M[:, tree.symbols].prod(axis=2).T
    p /= p.sum(axis=1, keepdims=True)
    assert_allclose(tree.sampler.bayes_predict_proba(tree.images), p)


@pytest.mark.parametrize(("theta", "risk"), [(1.0, 0.0), (0.0, 2 / 3)])
def test_the_extremes_of_broadcasting_are_copies_and_independence(theta, risk):
    tree = make_broadcast_tree(
        20, n_classes=3, depth=4, theta=theta, return_X_y=False, random_state=0
    )
    assert_allclose(tree.sampler.bayes_risk(200), (risk, 0), atol=1e-12)
    if theta == 1:
        assert (tree.symbols == tree.target[:, None]).all()


def test_roots_are_found_above_the_kesten_stigum_bound_only():
    # Above the bound, more levels hardly change the risk. Below, it tends to 1/2.
    risks = {
        (theta, depth): make_broadcast_tree(1, theta=theta, depth=depth, return_X_y=False)
        .sampler.bayes_risk(3000, random_state=0)
        .risk
        for theta in (0.5, 0.9)
        for depth in (3, 6)
    }
    assert abs(risks[0.9, 6] - risks[0.9, 3]) < 0.02
    assert risks[0.9, 6] < 0.1
    # Half the squared correlation 2 theta^2 = 1/2 is left with each level.
    assert (0.5 - risks[0.5, 6]) < 0.5 * (0.5 - risks[0.5, 3])


SIZES = {"vocabulary_size": 3, "tuple_size": 2, "depth": 3, "random_state": 0}


def filtered(k, n_samples=1, **params):
    return make_filtered_hierarchy(n_samples, filtering=k, return_X_y=False, **SIZES | params)


@pytest.mark.parametrize("params", [{}, {"tuple_size": 3, "depth": 2}, {"log_std": 0.0}])
def test_filtering_keeps_single_symbols_and_the_correlations_of_blocks(params):
    sizes = SIZES | params
    s, depth = sizes["tuple_size"], sizes["depth"]
    full = filtered(0, **params).sampler
    frequencies = full.statistics().levels[-1].class_frequencies
    joint = full.pair_frequencies(depth, (0, 0))[0]
    for k in range(1, depth + 1):
        sampler = filtered(k, **params).sampler
        level = sampler.n_levels - 1
        kept = sampler.statistics().levels[-1].class_frequencies
        assert_allclose(kept, frequencies, atol=1e-14)
        block = s ** (depth - k)
        pairs = sampler.pair_frequencies(level, (0, 0))[0]
        assert_allclose(pairs[:block], joint[:block], atol=1e-14)
        # Symbols of different blocks are independent given the label.
        given = frequencies[:, :, 0]  # label, class, column
        outside = np.einsum("la,lbc->cab", given[:, :, 0], given)[block:] / len(given)
        assert_allclose(pairs[block:], outside, atol=1e-14)
        if k > 1 and params != {"log_std": 0.0}:  # uniform pairs of symbols tell little
            assert abs(pairs[block:] - joint[block:]).max() > 1e-3


def test_all_symbols_filtered_naive_bayes_is_optimal():
    model = filtered(3, 30)
    given = model.sampler.statistics().levels[-1].class_frequencies[:, :, 0]
    p = given[:, model.symbols, np.arange(8)].prod(axis=2).T
    p /= p.sum(axis=1, keepdims=True)
    assert_allclose(model.sampler.bayes_predict_proba(model.images), p, atol=1e-12)


def test_strings_without_filtering_determine_their_trees():
    model = filtered(0, 30, vocabulary_size=4)
    for parsed, drawn in zip(model.sampler.parse(model.images), model.latents, strict=True):
        assert_array_equal(parsed, drawn)
    every_tuple = model.sampler.patches_[0].reshape(16, 2)
    assert len(np.unique(every_tuple, axis=0)) == 16
    assert_array_equal(model.sampler.patches_[0], model.sampler.patches_[2])  # one set of rules
    spread = np.std(np.log(model.sampler.rule_weights_[0]), axis=1)
    assert (spread > 0.2).all()


def test_the_error_of_the_label_grows_with_filtering():
    risks = [filtered(k).sampler.bayes_risk(2000, random_state=0).risk for k in range(4)]
    assert risks[0] < 1e-12
    assert min(np.diff(risks)) > 0.02


def test_a_transition_tree_of_one_level_has_the_posteriors_of_bayes():
    tree = make_transition_tree(
        40, n_classes=3, branching=4, depth=1, concentration=0.5, pixel_noise=0.7,
        return_X_y=False, random_state=0,
    )  # fmt: skip
    M = tree.sampler.transitions_[0][0]  # (child, label, symbol)
    assert_allclose(M.sum(axis=2), 1)
    assert len(np.unique(M)) == M.size
    likelihood = softmax(tree.images[:, 0] / 0.7**2, axis=-1)  # of each symbol, up to a factor
    of_child = np.einsum("ias,nis->nia", M, likelihood)
    p = of_child.prod(axis=1)
    p /= p.sum(axis=1, keepdims=True)
    assert_allclose(tree.sampler.bayes_predict_proba(tree.images), p, rtol=1e-5)
    symbols = np.einsum("na,ias,nis,nia->nis", p, M, likelihood, 1 / of_child)
    found = tree.sampler.posterior(tree.images, level=1)[:, 0]
    assert_allclose(found, symbols, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("concentration", [1e-3, 1e-6, 1e-300])
def test_transitions_of_any_small_concentration_are_drawn(concentration):
    for seed in range(5):
        tree = make_transition_tree(
            5, concentration=concentration, return_X_y=False, random_state=seed
        )
        for matrices in tree.sampler.transitions:
            assert_allclose(matrices.sum(axis=-1), 1)
            assert (matrices.max(axis=-1) > 0.9).mean() > 0.9


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: make_broadcast_tree(5, theta=1.5), "theta=1.5 is not valid"),
        (lambda: make_broadcast_tree(5, n_classes=3, theta=-0.6), "theta=-0.6 is not valid"),
        (lambda: make_broadcast_tree(5, n_classes=1), "n_classes=1 is not valid"),
        (lambda: make_broadcast_tree(5, return_X_y=2), "return_X_y=2 is not valid"),
        (lambda: make_transition_tree(5, concentration=0), "concentration=0 is not valid: .* > 0"),
        (lambda: make_transition_tree(5, pixel_noise=-1), "pixel_noise"),
        (lambda: make_filtered_hierarchy(5, filtering=5), "filtering=5 is not valid: .* 0 to 4"),
        (lambda: make_filtered_hierarchy(5, log_std=-1), "log_std=-1 is not valid"),
        (lambda: make_filtered_hierarchy(5, vocabulary_size=2000), "all 4000000 tuples are in use"),
    ],
)
def test_impossible_models_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
