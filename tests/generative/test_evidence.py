"""Posteriors of symbols, masks and likelihoods, against sums over all draws of small models."""

from itertools import product

import numpy as np
import pytest
from enumeration import (
    GEOMETRIES,
    NOISES,
    Derivations,
    assert_inference_is_exact,
    every_image,
    small_sampler,
    symbol_likelihoods,
)
from numpy.testing import assert_allclose, assert_array_equal

from skhier import HierarchicalSampler
from skhier.datasets import make_broadcast_tree, make_random_hierarchy


def log_indicators(symbols, n_classes):
    """Return log-likelihoods of symbols, of which -1 is unknown: (..., n_classes)."""
    is_possible = (symbols[..., None] == np.arange(n_classes)) | (symbols[..., None] < 0)
    return np.where(is_possible, 0, -np.inf)


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_symbols_and_likelihoods_have_exact_posteriors(geometry, noise):
    sampler = small_sampler(geometry, noise)
    derivations = Derivations(sampler)
    rng = np.random.default_rng(0)
    symbols = sampler.sample(60, return_latents=True)[2][-1]
    n_classes = len(sampler.patches_[-1])
    masks = [None, rng.random(symbols.shape) < 0.5, rng.random(symbols.shape[1:]) < 0.3]
    for mask in masks:
        known = symbols if mask is None else np.where(mask, -1, symbols)
        likelihoods = symbol_likelihoods(derivations, log_indicators(known, n_classes))
        for given in ({"symbols": symbols, "mask": mask}, {"symbols": known}):
            assert_inference_is_exact(sampler, derivations, likelihoods, 1e-10, **given)
    # Likelihoods that a clean model can have: each symbol of the sample is possible.
    log_evidence = rng.standard_normal((*symbols.shape, n_classes))
    log_evidence[rng.random(log_evidence.shape) < 0.3] = -np.inf
    np.put_along_axis(log_evidence, symbols[..., None], 0.5, axis=-1)
    likelihoods = symbol_likelihoods(derivations, log_evidence)
    assert_inference_is_exact(sampler, derivations, likelihoods, 1e-10, log_evidence=log_evidence)


@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_probabilities_of_all_symbols_sum_to_1(geometry):
    sampler = small_sampler(geometry, "everything")
    every = every_image(sampler)
    p = np.exp(sampler.score_samples(symbols=every))
    assert_allclose(p.sum(), 1)
    # The law of total probability, of labels and of classes.
    assert_allclose(p @ sampler.bayes_predict_proba(symbols=every), 1 / len(sampler.classes_))
    frequencies = sampler.statistics().levels[1].class_frequencies.mean(axis=0)
    expected = np.tensordot(p, sampler.posterior(symbols=every, level=1), axes=1)
    assert_allclose(np.moveaxis(expected, -1, 0), frequencies, atol=1e-12)


def test_images_and_their_symbols_have_the_same_posteriors():
    rhm = make_random_hierarchy(200, corruption=0.2, return_X_y=False, random_state=0)
    sampler, symbols = rhm.sampler, rhm.symbols
    one_hot = log_indicators(symbols, 8)
    for given in ({"symbols": symbols}, {"log_evidence": one_hot}):
        assert_allclose(sampler.score_samples(**given), sampler.score_samples(rhm.images))
        assert_allclose(
            sampler.bayes_predict_proba(**given),
            sampler.bayes_predict_proba(rhm.images),
            atol=1e-12,
        )
        for level in range(5):
            found = sampler.posterior(level=level, **given)
            assert found.shape == (200, 2**level, 8)  # strings have no axis of height
            assert_allclose(found, sampler.posterior(rhm.images, level)[:, 0], atol=1e-12)
    for dtype in (np.uint8, np.int16):
        assert_array_equal(
            sampler.bayes_predict(symbols=symbols.astype(dtype)), sampler.bayes_predict(rhm.images)
        )


def test_a_constant_in_log_evidence_changes_the_likelihood_only():
    sampler = small_sampler("strings", "everything")
    rng = np.random.default_rng(0)
    values, constants = rng.standard_normal((5, 4, 3)), 1e3 * rng.standard_normal((5, 4, 1))
    shifted = values + constants
    assert_allclose(
        sampler.score_samples(log_evidence=shifted),
        sampler.score_samples(log_evidence=values) + constants.sum(axis=(1, 2)),
    )
    assert_allclose(
        sampler.posterior(log_evidence=shifted, level=2),
        sampler.posterior(log_evidence=values, level=2),
        atol=1e-10,
    )


def test_unknown_symbols_leave_the_frequencies_of_the_model():
    for geometry, noise in product(GEOMETRIES, NOISES):
        sampler = small_sampler(geometry, noise)
        unknown = np.full((1, *sampler.level_shapes_[-2]), -1)
        assert_allclose(sampler.score_samples(symbols=unknown), 0, atol=1e-12)
        for i, level in enumerate(sampler.statistics().levels):
            frequencies = np.moveaxis(level.class_frequencies.mean(axis=0), 0, -1)
            posterior = sampler.posterior(symbols=unknown, level=i)
            assert_allclose(posterior[0], frequencies, atol=1e-12)


@pytest.mark.parametrize("dtype", [str, object])
def test_symbols_of_a_model_of_one_level_are_named_classes(dtype):
    X = np.array([["a", "b"], ["b", "c"], ["c", "a"]], dtype)
    sampler = HierarchicalSampler(1, symbol_noise=0.2).fit(X, [0, 0, 1])
    semantic = np.array([["a", "c"], ["c", "c"]])
    assert_allclose(
        sampler.score_samples(symbols=semantic[:, None]), sampler.score_samples(semantic)
    )
    first = sampler.posterior(symbols=semantic, mask=[False, True], of="drawn")
    total = sum(
        np.exp(sampler.score_samples(symbols=np.array([["a", last]]))) for last in ("a", "b", "c")
    )
    assert_allclose(
        np.exp(sampler.score_samples(symbols=semantic, mask=[False, True])[0]), total[0]
    )
    assert first.shape == (2, 2, 3)
    with pytest.raises(ValueError, match=r"symbols\[0, 1\] is no such class, .* \['a', 'b', 'c'\]"):
        sampler.posterior(symbols=np.array([["a", "d"]]))


def test_the_risk_of_unknown_symbols_is_that_of_the_prior():
    rhm = make_random_hierarchy(1, depth=3, corruption=0.1, return_X_y=False, random_state=0)
    sampler = rhm.sampler
    known = np.zeros(8, bool)
    assert_allclose(
        sampler.bayes_risk(500, mask=known, random_state=0),
        sampler.bayes_risk(500, random_state=0),
        rtol=1e-10,
    )
    assert_allclose(sampler.bayes_risk(500, mask=~known).risk, 7 / 8)
    risks = [sampler.bayes_risk(500, mask=np.arange(8) >= n).risk for n in (2, 4, 8)]
    assert risks == sorted(risks, reverse=True)


def test_the_risk_of_unknown_symbols_takes_the_names_of_a_single_level():
    sampler = HierarchicalSampler(1, random_state=0).fit([["a", "b"], ["a", "c"]], [0, 1])
    assert_allclose(sampler.bayes_risk(50, mask=[True, False]), (0, 0))
    assert_allclose(sampler.bayes_risk(50, mask=[False, True]), (1 / 2, 0))


def test_wrong_evidence_is_refused():
    rhm = make_random_hierarchy(3, depth=2, return_X_y=False, random_state=0)
    sampler, symbols = rhm.sampler, rhm.symbols
    uniform = np.zeros((3, 4, 8))
    excluded, nan = uniform.copy(), uniform.copy()
    excluded[1, 2], nan[0, 3, 1] = -np.inf, np.nan
    out_of_range = symbols.copy()
    out_of_range[2, 1] = 8
    impossible = next(
        pair for pair in product(range(8), repeat=2) if pair not in set(map(tuple, pairs(sampler)))
    )
    wrong = [
        ({}, "No evidence came, but the evidence is one of X, symbols and log_evidence"),
        ({"X": rhm.images, "symbols": symbols}, "X and symbols came, but the evidence is one of"),
        ({"X": rhm.images, "mask": symbols > 3}, "mask came with X, but a mask is for symbols"),
        ({"log_evidence": uniform, "mask": symbols > 3}, "mask came with log_evidence"),
        ({"symbols": out_of_range}, r"symbols\[2, 1\] is 8, .* the integers 0 to 7, and -1"),
        ({"symbols": symbols - 2}, r"symbols\[.*\] is -2, which is not valid"),
        ({"symbols": symbols * 1.0}, "symbols of dtype float64 are not valid"),
        ({"symbols": symbols[:, :3]}, r"symbols of shape \(3, 3\) .* \(n, 1, 4\) or \(n, 4\)"),
        ({"symbols": symbols[:0]}, "with n >= 1"),
        ({"symbols": symbols, "mask": np.zeros(3, bool)}, r"mask of shape \(3,\) and dtype bool"),
        ({"symbols": symbols, "mask": symbols}, "mask of shape .* and dtype int64 is not valid"),
        ({"log_evidence": uniform[..., :7]}, r"log_evidence of shape \(3, 4, 7\) is not valid"),
        ({"log_evidence": excluded}, r"log_evidence\[1, 2\] is -inf for all symbols"),
        ({"log_evidence": nan}, r"log_evidence\[0, 3\] is NaN or infinity"),
        ({"symbols": [[*impossible, *symbols[0, 2:]]]}, r"symbols\[0\] cannot come from this"),
    ]
    for given, message in wrong:
        for method in (sampler.posterior, sampler.bayes_predict_proba, sampler.bayes_predict):
            with pytest.raises(ValueError, match=message):
                method(**given)
    assert_array_equal(sampler.score_samples(**wrong[-1][0]), [-np.inf])
    assert np.isfinite(sampler.score_samples(symbols=out_of_range, mask=out_of_range == 8)).all()
    for method in (sampler.posterior, sampler.sample_posterior):
        for of in ("clean", np.array(["seen", "drawn"])):
            with pytest.raises(ValueError, match=r"of=.* is not valid: it takes 'seen' or 'drawn'"):
                method(symbols=symbols, of=of)
    with pytest.raises(ValueError, match=r"mask of shape \(3,\)"):
        sampler.bayes_risk(10, mask=[True, False, True])


def pairs(sampler):
    """Return all pairs of symbols of the last level that occur."""
    return sampler.patches_[1].reshape(-1, 2).tolist()


def test_far_apart_likelihoods_are_warned_about():
    rhm = make_random_hierarchy(1, depth=2, return_X_y=False, random_state=0)
    values = 1e18 * np.random.default_rng(0).standard_normal((1, 4, 8))
    with pytest.warns(UserWarning, match="log_evidence has logarithms of very different sizes"):
        rhm.sampler.posterior(log_evidence=values)


@pytest.mark.parametrize("depth", [1, 17, 20, 30])
def test_losses_on_a_path_of_levels_are_exact_at_any_depth(depth):
    # A pixel of class 0 stays so at each level with probability 1e-19.
    patches = np.array([[[[0]], [[2]]], [[[1]], [[0]]], [[[2]], [[0]]]])
    weights = np.array([[1e-19, 1], [1, 0], [1, 0]])
    sampler = HierarchicalSampler(
        depth + 1, n_semantic_classes=3, patch_size=1, patches_per_class=1, n_channels=3,
        symbol_patches=[patches] * depth, rule_weights=[weights] * depth + ["uniform"],
        pixel_patches="one_hot",
    ).fit(np.arange(3).reshape(-1, 1, 1), [0, 1, 2])  # fmt: skip
    log_evidence = np.array([0.0, -800, -2000])
    log_p = log_evidence + np.array([depth * np.log(1e-19), 0, 0])
    log_p[0] = np.logaddexp(log_p[0], -2000)
    arguments = {"log_evidence": log_evidence.reshape(1, 1, 1, 3)}
    score = np.logaddexp.reduce(log_p)
    assert_allclose(sampler.score_samples(**arguments), score - np.log(3), rtol=1e-12)
    assert_allclose(sampler.bayes_predict_proba(**arguments)[0], np.exp(log_p - score), atol=1e-11)


@pytest.mark.parametrize("share", [1e-200, 1e-305, 1e-310])
@pytest.mark.parametrize("is_matrix", [False, True])
def test_posteriors_are_exact_at_the_least_noise(share, is_matrix, recwarn):
    noise = (1 - share) * np.eye(3) + share / 3 if is_matrix else share
    sampler = HierarchicalSampler(
        2, n_semantic_classes=[2, 3], patch_size=1, patches_per_class=1, n_channels=3,
        symbol_patches=[np.array([[[[0]]], [[[1]]]])], pixel_patches="one_hot",
        symbol_noise=[0, noise],
    ).fit([[[0]], [[1]]], [0, 1])  # fmt: skip
    symbols = [[[2]]]  # is not drawn, only seen after noise
    assert_allclose(sampler.posterior(symbols=symbols, level=1), [[[[0, 0, 1]]]], atol=1e-12)
    assert_allclose(sampler.posterior(symbols=symbols), [[[[0.5, 0.5]]]])
    assert (sampler.sample_posterior(symbols=symbols, n_draws=20)[0] == 2).all()
    assert not recwarn.list


def test_results_are_the_same_to_the_bit_in_any_batch():
    matrix = np.full((5, 5), 0.1) + 0.5 * np.eye(5)
    tree = make_broadcast_tree(1, n_classes=5, branching=3, depth=2, theta=0.6, return_X_y=False)
    noisy = HierarchicalSampler(
        n_semantic_classes=5, patches_per_class=3, patch_size=(1, 3), root_shape=(1, 3),
        n_root_images=9, symbol_noise=[0.1, matrix], pixel_noise=0.7, random_state=0,
    ).fit()  # fmt: skip
    for sampler in (tree.sampler, noisy):
        X, _, latents = sampler.sample(40, return_latents=True, random_state=0)
        log_evidence = np.random.default_rng(0).standard_normal((40, *latents[-1].shape[1:], 5))
        for name, rows in {"X": X, "symbols": latents[-1], "log_evidence": log_evidence}.items():
            for method in ("bayes_predict_proba", "score_samples", "posterior"):
                compute = getattr(sampler, method)
                together = compute(**{name: rows})
                for n in (1, 3, 7):
                    parts = [compute(**{name: rows[i : i + n]}) for i in range(0, 40, n)]
                    assert_array_equal(np.concatenate(parts), together)
        together = sampler.next_symbol_proba(latents[-1])
        parts = [sampler.next_symbol_proba(row[None]) for row in latents[-1]]
        assert_array_equal(np.concatenate(parts), together)
