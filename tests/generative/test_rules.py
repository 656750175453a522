"""Messages of the rules and channels of one level, against sums over all patches and classes."""

from itertools import product

import numpy as np
import pytest
from numpy.testing import assert_allclose

from skhier.generative._algebra import Linear, Logarithmic, choose
from skhier.generative._channels import noise_channel
from skhier.generative._rules import Rules, rule_weights

ALGEBRAS = [Linear, Logarithmic]
N_NEXT, N = 3, 7


def one_level(weights, seed=0):
    """Return rules of 2 classes with 4 patches of 3 places, beta (3, 3, 7) and P(a) (2, 7)."""
    rng = np.random.default_rng(seed)
    every = np.array(list(product(range(N_NEXT), repeat=3)))
    patches = np.stack([rng.permutation(every)[:4] for _ in range(2)]).reshape(2, 4, 1, 3)
    weights = rng.dirichlet(np.ones(4), size=2) if weights else np.full((2, 4), 0.25)
    beta, parents = rng.random((3, N_NEXT, N)), rng.dirichlet(np.ones(2), size=N).T
    beta[0, 1, :3] = 0  # a class that the evidence excludes
    return Rules(patches, weights), beta, parents


def explanations(rules, beta):
    """Yield (a, patch, w_aj prod_u beta_u(patch_u) of each pixel) of all rules."""
    for a, j in np.ndindex(rules.weights.shape):
        patch = rules.patches[a, j].ravel()
        yield a, patch, rules.weights[a, j] * beta[range(3), patch].prod(axis=0)


@pytest.mark.parametrize("algebra", ALGEBRAS)
@pytest.mark.parametrize("weights", [False, True])
def test_messages_are_sums_over_all_patches(weights, algebra):
    rules, beta, parents = one_level(weights)
    message, posterior = np.zeros((2, N)), np.zeros((3, N_NEXT, N))
    for a, _, p in explanations(rules, beta):
        message[a] += p
    for a, patch, p in explanations(rules, beta):
        posterior[range(3), patch] += parents[a] * p / message[a]
    children = algebra.from_probability(beta)
    assert_allclose(algebra.to_probability(rules.ascend(children, algebra)), message)
    assert_allclose(rules.descend(children, parents, algebra), posterior, atol=1e-15)


@pytest.mark.parametrize("algebra", ALGEBRAS)
@pytest.mark.parametrize("weights", [False, True])
def test_left_context_is_evidence_without_what_is_right_of_it(weights, algebra):
    rules, beta, parents = one_level(weights)
    expected = np.zeros((3, N_NEXT, N))
    for u in range(3):
        left = np.concatenate([beta[:u], np.ones((3 - u, N_NEXT, N))])
        for a, patch, p in explanations(rules, left):
            expected[u, patch[u]] += parents[a] * p
    found = rules.descend_left(
        algebra.from_probability(beta), algebra.from_probability(parents), algebra
    )
    assert_allclose(algebra.to_probability(found), expected, atol=1e-15)


@pytest.mark.parametrize("algebra", ALGEBRAS)
def test_patches_are_drawn_in_proportion_to_their_posteriors(algebra):
    rules, beta, _ = one_level(weights=True)
    m = 2000
    columns, classes = np.repeat(np.arange(N), 2 * m), np.tile(np.repeat([0, 1], m), N)
    uniforms = np.tile((np.arange(m) + 0.5) / m, 2 * N)[:, None]  # a grid: errors of at most 1 / m
    drawn = rules.draw_children(
        algebra.from_probability(beta), columns, classes, uniforms, algebra
    ).reshape(N, 2, m, 3)
    total = np.zeros((2, N))
    for a, _, p in explanations(rules, beta):
        total[a] += p
    for a, patch, p in explanations(rules, beta):
        share = (drawn[:, a] == patch).all(axis=-1).mean(axis=-1)
        assert_allclose(share, p / total[a], atol=1.1 / m)


@pytest.mark.parametrize("algebra", ALGEBRAS)
@pytest.mark.parametrize("noise", [0.0, 0.3, 1.0, "matrix"])
def test_channels_are_sums_over_all_classes(noise, algebra):
    n_classes, m = 4, 3000
    rng = np.random.default_rng(0)
    if noise == "matrix":  # of 3 classes before noise and 4 after it
        noise = rng.dirichlet(np.ones(n_classes), size=3)
        noise[0, 1:3] = 0
        noise /= noise.sum(axis=1, keepdims=True)
        K = noise.T
    else:
        K = np.full((n_classes, n_classes), noise / n_classes) + (1 - noise) * np.eye(n_classes)
    n_drawn = K.shape[1]
    after, drawn = rng.random((n_classes, N)), rng.dirichlet(np.ones(n_drawn), size=N).T
    before = K.T @ after
    joint = K[..., None] * after[:, None] / before  # P(a | b) of each pixel
    channel = noise_channel(noise, n_classes)
    assert (channel.n_drawn, channel.n_seen) == (n_drawn, n_classes)
    assert_allclose(channel.matrix, K)
    message = algebra.from_probability(after)
    assert_allclose(algebra.to_probability(channel.before(message, algebra)), before)
    seen = channel.posterior(drawn, message, algebra.from_probability(before), algebra)
    assert_allclose(seen, np.einsum("abn,bn->an", joint, drawn))
    forward = channel.forward(algebra.from_probability(drawn), algebra)
    assert_allclose(algebra.to_probability(forward), K @ drawn)
    uniforms = (np.arange(m) + 0.5) / m
    for b in range(n_drawn):
        found = channel.draw(np.full(m, b), message, np.full(m, 5), uniforms, algebra)
        assert_allclose(np.bincount(found, minlength=4) / m, joint[:, b, 5], atol=1.1 / m)


def test_a_weight_of_0_is_never_chosen():
    weights = np.array([[0.0, 0, 2, 0, 1, 0]])
    edges = np.array([0.0, 2 / 3, 1 - 2**-53])
    assert choose(weights.repeat(3, axis=0), edges).tolist() == [2, 4, 4]


def test_probabilities_are_those_of_weights_of_any_size():
    for size in (1e308, 1e-308, 1.0):
        assert_allclose(rule_weights(np.array([1.0, 1.5]) * size, 3, 2, 0), [[0.4, 0.6]] * 3)
