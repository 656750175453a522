"""Posterior samples and next-symbol probabilities, against sums over all draws and strings."""

import numpy as np
import pytest
from enumeration import GEOMETRIES, NOISES, Derivations, every_image, small_sampler
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import entr
from scipy.stats import chisquare

from skhier import HierarchicalSampler
from skhier.datasets import make_random_hierarchy


def joint(labels, levels):
    """Return one row of integers for each draw: its label, then its classes of all levels."""
    return np.column_stack([labels, *(level.reshape(len(labels), -1) for level in levels)])


@pytest.mark.parametrize("of", ["seen", "drawn"])
@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_posterior_samples_have_the_joint_posterior_of_all_levels(geometry, noise, of):
    sampler = small_sampler(geometry, noise, label_noise=0.0)  # as the enumeration has it
    derivations = Derivations(sampler)
    symbols = sampler.sample(1, return_latents=True)[2][-1]
    mask = np.random.default_rng(0).random(symbols.shape) < 0.5
    agrees = ((derivations.seen[-1] == symbols) | mask).all(axis=(1, 2))
    p = np.where(agrees, np.exp(derivations.log_p), 0)
    rows = joint(derivations.labels, getattr(derivations, of))
    n = 20_000
    _, y, latents = sampler.sample_posterior(
        symbols=symbols, mask=mask, n_draws=n, of=of, return_latents=True, random_state=0
    )
    drawn = joint(y[:, 0], [level[:, 0] for level in latents])
    _, index = np.unique(np.concatenate([rows, drawn]), axis=0, return_inverse=True)
    index = index.ravel()
    expected = n * np.bincount(index[: len(rows)], p / p.sum(), index.max() + 1)
    counts = np.bincount(index[len(rows) :], minlength=len(expected))
    assert (counts[expected == 0] == 0).all()
    is_rare = expected < 5
    observed = np.append(counts[~is_rare], counts[is_rare].sum())
    expected = np.append(expected[~is_rare], expected[is_rare].sum())
    if len(expected) > 2:
        kept = expected > 0
        assert chisquare(observed[kept], expected[kept]).pvalue > 1e-3


def test_posterior_samples_of_noisy_images_agree_with_posteriors():
    sampler = HierarchicalSampler(
        pixel_noise=3.0, symbol_noise=0.1, label_noise=0.1, patches_per_class=5, random_state=0
    ).fit()
    X, _ = sampler.sample(2)
    n = 4000
    for of in ("seen", "drawn"):
        symbols, y, latents = sampler.sample_posterior(
            X, n_draws=n, of=of, return_latents=True, random_state=1
        )
        assert_array_equal(symbols, latents[-1])
        for level, drawn in enumerate(latents):
            p = sampler.posterior(X, level, of=of)
            share = (drawn[..., None] == np.arange(4)).mean(axis=0)
            assert (np.abs(share - p) <= 5 * np.sqrt(p * (1 - p) / n) + 1e-12).all()
        p = sampler.bayes_predict_proba(X)
        share = (y[..., None] == sampler.classes_).mean(axis=0)
        assert (np.abs(share - p) <= 5 * np.sqrt(p * (1 - p) / n)).all()


def test_a_posterior_sample_depends_on_seed_sample_and_draw_only():
    rhm = make_random_hierarchy(300, corruption=0.2, return_X_y=False, random_state=0)
    sampler = rhm.sampler
    given = {"symbols": rhm.symbols, "mask": rhm.symbols > 5, "random_state": 3}
    symbols, y, latents = sampler.sample_posterior(**given, n_draws=5, return_latents=True)
    assert symbols.shape == (5, 300, 16)
    assert [level.shape for level in latents] == [(5, 300, 1, 2**i) for i in range(5)]
    again, y_again = sampler.set_params(n_jobs=2).sample_posterior(**given, n_draws=2)
    assert_array_equal(again, symbols[:2])
    assert_array_equal(y_again, y[:2])
    for n in (1, 2, 5):
        first, _ = sampler.sample_posterior(
            symbols=rhm.symbols[:n], mask=rhm.symbols[:n] > 5, random_state=3, n_draws=5
        )
        assert_array_equal(first, symbols[:, :n])
    other, _ = sampler.sample_posterior(**given | {"random_state": 4})
    assert (other[0] != symbols[0]).any()
    # The string itself is known but for its unknown symbols.
    assert_array_equal(symbols[0][rhm.symbols <= 5], rhm.symbols[rhm.symbols <= 5])


def test_samples_of_contradicting_images_are_drawn_with_logarithms():
    # The pixels contradict each other: linear messages would underflow.
    sampler = HierarchicalSampler(pixel_noise=0.003, random_state=0).fit()
    X = np.random.default_rng(0).standard_normal((3, 27, 27)).astype(np.float32)
    _, _, latents = sampler.sample_posterior(X, n_draws=3, return_latents=True, random_state=0)
    for level, drawn in enumerate(latents):
        p = sampler.posterior(X, level)
        assert_array_equal(drawn, np.broadcast_to(p.argmax(axis=-1), drawn.shape))


def strings(noise, root="label"):
    """Return a sampler of strings, of one or two root symbols."""
    if root == "label":
        return small_sampler("strings", noise)
    return HierarchicalSampler(
        n_semantic_classes=[2, 3],
        patch_size=[(1, 3), 1],
        patches_per_class=[3, 1],
        root_shape=(1, 2),
        n_root_images=2,
        pixel_patches="one_hot",
        n_channels=6,
        random_state=0,
        **NOISES[noise],
    ).fit()


@pytest.mark.parametrize("root", ["label", "images"])
@pytest.mark.parametrize("noise", NOISES)
def test_next_symbol_probabilities_are_ratios_of_prefixes(noise, root):
    sampler = strings(noise, root)
    every = every_image(sampler)[:, 0]
    p = np.exp(sampler.score_samples(symbols=every))
    possible, p_possible = every[p > 0], p[p > 0]
    found = sampler.next_symbol_proba(possible)
    width, n_classes = possible.shape[1], found.shape[2]
    for i in range(width):
        # Strings are in lexicographic order: blocks of n_classes ** (width - i) have a prefix.
        prefix = p.reshape(n_classes**i, n_classes, -1).sum(axis=2)
        with np.errstate(invalid="ignore"):
            prefix /= prefix.sum(axis=1, keepdims=True)
        index = possible[:, :i] @ n_classes ** np.arange(i)[::-1]
        assert_allclose(found[:, i], prefix[index], atol=1e-12)
    # The chain rule, of probabilities and of entropies.
    chain = np.take_along_axis(found, possible[..., None], axis=2)[..., 0]
    assert_allclose(np.log(chain).sum(axis=1), np.log(p_possible), atol=1e-12)
    conditional = p_possible @ entr(found).sum(axis=2)
    assert_allclose(conditional.sum(), entr(p_possible).sum())


def test_next_symbols_do_not_depend_on_later_symbols_and_on_unknown_ones():
    rhm = make_random_hierarchy(50, corruption=0.1, return_X_y=False, random_state=0)
    sampler, symbols = rhm.sampler, rhm.symbols
    p = sampler.next_symbol_proba(symbols)
    for end in (1, 6, 15):
        later = np.where(np.arange(16) < end, symbols, -1)
        assert_allclose(sampler.next_symbol_proba(later)[:, : end + 1], p[:, : end + 1])
    # Given all symbols but one, the next symbol is the unknown last one.
    mask = np.arange(16) == 15
    last = sampler.posterior(symbols=symbols, mask=mask, level=4)[:, -1]
    assert_allclose(p[:, -1], last, atol=1e-12)
    mask = np.arange(16) < 9
    windowed = sampler.next_symbol_proba(symbols, mask=mask)[:, -1]
    mask[-1] = True
    last = sampler.posterior(symbols=symbols, mask=mask, level=4)[:, -1]
    assert_allclose(windowed, last, atol=1e-12)


@pytest.mark.parametrize("corruption", [1e-200, 1e-30, 0.3])
def test_the_chain_rule_holds_for_strings_of_tiny_probability(corruption):
    rhm = make_random_hierarchy(1, corruption=corruption, return_X_y=False, random_state=0)
    symbols = np.random.default_rng(0).integers(8, size=(40, 16))
    p = rhm.sampler.next_symbol_proba(symbols)
    assert_allclose(p.sum(axis=-1), 1)
    log_p = np.log(np.take_along_axis(p, symbols[..., None], axis=2)).sum(axis=(1, 2))
    assert_allclose(log_p, rhm.sampler.score_samples(symbols=symbols), rtol=1e-12)


def test_an_impossible_last_symbol_has_probability_0():
    rhm = make_random_hierarchy(20, depth=2, return_X_y=False, random_state=0)
    sampler = rhm.sampler
    p = sampler.next_symbol_proba(rhm.symbols)
    last = p[:, -1].argmin(axis=1)
    assert_allclose(p[np.arange(20), -1, last], 0)
    changed = np.column_stack([rhm.symbols[:, :3], last])
    assert_allclose(sampler.next_symbol_proba(changed), p)
    assert np.isneginf(sampler.score_samples(symbols=changed)).all()
    with pytest.raises(ValueError, match=r"symbols\[20\] cannot come from this sampler"):
        sampler.next_symbol_proba(np.concatenate([rhm.symbols, changed[:1, [2, 3, 0, 1]]]))


def test_conditional_entropies_sum_to_the_entropy_of_the_string():
    rhm = make_random_hierarchy(1, depth=3, return_X_y=False, random_state=0)
    sampler = rhm.sampler
    entropy, error = sampler.conditional_entropy(n_samples=2000, random_state=0)
    exact = np.log(8 * 4**7)  # one of 8 labels, and 4 pairs for each of 1 + 2 + 4 symbols
    assert 0 < error.sum() < 0.1
    assert abs(entropy.sum() - exact) < 5 * error.sum()
    context, error = sampler.conditional_entropy([0, 7], 2000, random_state=0)
    frequencies = sampler.statistics().levels[-1].class_frequencies.mean(axis=0)[:, 0, -1]
    assert_allclose(context, [entr(frequencies).sum(), entropy[-1]], atol=1e-12)
    assert_allclose(error[0], 0, atol=1e-12)
    one = sampler.conditional_entropy(3, 500, random_state=0)
    assert np.shape(one.entropy) == np.shape(one.standard_error) == ()
    assert context[1] < one.entropy < context[0]


def test_invalid_arguments_are_refused():
    rhm = make_random_hierarchy(2, depth=2, return_X_y=False, random_state=0)
    sampler, symbols = rhm.sampler, rhm.symbols
    with pytest.raises(ValueError, match="n_draws=0 is not valid"):
        sampler.sample_posterior(symbols=symbols, n_draws=0)
    with pytest.raises(ValueError, match="of='clean' is not valid"):
        sampler.sample_posterior(symbols=symbols, of="clean")
    with pytest.raises(ValueError, match="X and symbols came"):
        sampler.sample_posterior(rhm.images, symbols=symbols)
    with pytest.raises(ValueError, match="context=4 is not valid: it takes an int from 0 to 3"):
        sampler.conditional_entropy(4)
    with pytest.raises(ValueError, match=r"context=array\(.*\) is not valid: .* not empty"):
        sampler.conditional_entropy(np.array([], int))
    images = HierarchicalSampler(random_state=0).fit()
    with pytest.raises(ValueError, match=r"symbols is for strings, .* has 9 x 9 symbols"):
        images.next_symbol_proba(np.zeros((1, 9, 9), int))
    with pytest.raises(ValueError, match="context is for strings"):
        images.conditional_entropy()
    with pytest.raises(ValueError, match="No evidence came"):
        sampler.next_symbol_proba(None)
