import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from strategies import samplers, seeds

from skhier import HierarchicalSampler


@st.composite
def partly_known_symbols(draw):
    """Draw (sampler, symbols, mask): samples of a model, and which of their symbols are unknown."""
    sampler = draw(samplers(noisy=True))
    rng = np.random.default_rng(draw(seeds))
    latents = sampler.sample(8, random_state=draw(seeds), return_latents=True)[2]
    return sampler, latents[-1], rng.random(latents[-1].shape) < draw(st.sampled_from([0.1, 0.7]))


@given(partly_known_symbols())
def test_more_evidence_is_less_likely(case):
    sampler, symbols, mask = case
    some = sampler.score_samples(symbols=symbols, mask=mask)
    every = sampler.score_samples(symbols=symbols)
    assert (every <= some + 1e-9).all()
    assert (some <= 1e-9).all()


@given(partly_known_symbols(), seeds)
def test_the_mean_posterior_over_an_unknown_symbol_is_the_posterior_without_it(case, seed):
    sampler, symbols, mask = case
    row, column = np.unravel_index(seed % mask[0].size, mask.shape[1:])
    mask[:, row, column] = True
    last = sampler.n_levels - 1
    p_symbol = sampler.posterior(symbols=symbols, mask=mask, level=last)[:, row, column]
    without = sampler.bayes_predict_proba(symbols=symbols, mask=mask)
    mask[:, row, column] = False
    total = np.zeros_like(without)
    for symbol in range(p_symbol.shape[1]):
        is_possible = p_symbol[:, symbol] > 1e-12
        if not is_possible.any():
            continue
        known = symbols[is_possible]
        known[:, row, column] = sampler.semantic_classes_[symbol] if last == 0 else symbol
        p_label = sampler.bayes_predict_proba(symbols=known, mask=mask[is_possible])
        total[is_possible] += p_symbol[is_possible, symbol, None] * p_label
    assert_allclose(total, without, atol=1e-9)


@given(partly_known_symbols(), seeds)
def test_posterior_samples_have_positive_probability(case, seed):
    sampler, symbols, mask = case
    drawn, y = sampler.sample_posterior(symbols=symbols, mask=mask, n_draws=2, random_state=seed)
    assert_array_equal(drawn[:, ~mask], np.stack([symbols[~mask]] * 2))
    p = sampler.bayes_predict_proba(symbols=symbols, mask=mask)
    for strings, labels in zip(drawn, y):
        assert np.isfinite(sampler.score_samples(symbols=strings)).all()
        assert (p[labels[:, None] == sampler.classes_] > 0).all()


@st.composite
def partly_known_strings(draw):
    """Draw (sampler, symbols, mask) of strings, of one or more root symbols and any noise."""
    n_levels = draw(st.integers(1, 3))

    def per_level(strategy):
        return [draw(strategy) for _ in range(n_levels)]

    n_classes = per_level(st.integers(2, 4))
    sampler = HierarchicalSampler(
        n_levels,
        n_semantic_classes=n_classes,
        patch_size=[(1, p) for p in per_level(st.sampled_from([3, 4]))],
        patches_per_class=per_level(st.integers(1, 2)),
        rule_weights=per_level(st.sampled_from(["uniform", 3.0])),
        overlap=per_level(st.sampled_from([0.0, 0.5, 1.0])),
        symbol_noise=per_level(st.sampled_from([0.0, 0.1, 1e-12])),
        root=draw(st.sampled_from(["images", "label"])),
        root_shape=(1, draw(st.integers(3, 4))),
        n_root_images=1,
        random_state=draw(seeds),
    ).fit()
    rng = np.random.default_rng(draw(seeds))
    symbols = sampler.sample(8, random_state=draw(seeds), return_latents=True)[2][-1][:, 0]
    if sampler.symbol_noise[-1]:  # any string is possible
        symbols = rng.integers(len(sampler.patches_[-1]), size=symbols.shape)
    return sampler, symbols, rng.random(symbols.shape) < draw(st.sampled_from([0.0, 0.5]))


@given(partly_known_strings())
def test_the_chain_rule(case):
    sampler, symbols, mask = case
    p = sampler.next_symbol_proba(symbols, mask=mask)
    assert_allclose(p.sum(axis=-1), 1)
    log_p = np.log(np.take_along_axis(p, symbols[..., None], axis=2)[..., 0])
    log_p = np.where(mask, 0, log_p).sum(axis=1)
    expected = sampler.score_samples(symbols=symbols, mask=mask)
    assert_allclose(log_p, expected, rtol=1e-12, atol=1e-12)
