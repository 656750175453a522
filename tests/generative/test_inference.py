import warnings
from itertools import product

import numpy as np
import pytest
from enumeration import Derivations, assert_inference_is_exact, pixel_likelihoods
from numpy.testing import assert_allclose, assert_array_equal

from skhier import HierarchicalSampler
from skhier.datasets import make_random_hierarchy


def assert_images_have_exact_posteriors(sampler, X):
    derivations = Derivations(sampler)
    likelihoods = pixel_likelihoods(sampler, derivations, X)
    assert_inference_is_exact(sampler, derivations, likelihoods, 1e-9, X=X)


MODELS = {
    "clean": {},
    "weights": {"rule_weights": "zipf"},
    "shared patches": {"overlap": 0.5},
    "nothing but shared patches": {"overlap": 1.0, "rule_weights": ["uniform", 2.0]},
    "symbol noise": {"symbol_noise": [0.0, 0.3]},
    "noise at the root": {"symbol_noise": [0.2, 0.0]},
    "noise everywhere": {"symbol_noise": 0.2, "pixel_noise": 0.5, "label_noise": 0.1},
    "pixel noise": {"pixel_noise": 0.7, "rule_weights": 1.5},
    "little pixel noise": {"pixel_noise": 0.01},
    "only noise": {"symbol_noise": 1.0},
}


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("n_labels", [2, 3])
def test_posteriors_agree_with_enumeration(name, n_labels):
    sampler = HierarchicalSampler(
        n_semantic_classes=[3, 2],
        patch_size=[(1, 3), (2, 1)],
        patches_per_class=[2, 2],
        root_shape=(1, 2),
        n_root_images=2 if n_labels == 2 else 1,
        n_labels=n_labels,
        random_state=0,
        **MODELS[name],
    ).fit()
    X, _ = sampler.sample(20)
    assert_images_have_exact_posteriors(sampler, X)


def test_images_that_contradict_the_model_have_exact_posteriors():
    # With a noise of 0.003 the best explanation has a probability of exp(-10^5), which underflows
    # in linear messages.
    sampler = HierarchicalSampler(
        n_semantic_classes=[3, 2],
        patch_size=[(1, 3), (2, 1)],
        patches_per_class=2,
        root_shape=(1, 2),
        n_root_images=2,
        pixel_noise=0.003,
        random_state=0,
    ).fit()
    X = np.random.default_rng(0).standard_normal((20, 2, 6)).astype(np.float32)
    assert (sampler.score_samples(X) < -1e4).all()
    assert_images_have_exact_posteriors(sampler, X)
    # A batch of images with linear messages and images with logarithms.
    mixed = np.concatenate([sampler.sample(5)[0], X])
    assert_images_have_exact_posteriors(sampler, mixed)


def strings_with_pixel_noise(pixel_noise, symbol_noise):
    """Return a sampler of strings of 16 symbols, one-hot, with noise at two levels."""
    return HierarchicalSampler(
        5,
        n_semantic_classes=8,
        patch_size=[*[(1, 2)] * 4, 1],
        patches_per_class=[*[4] * 4, 1],
        pixel_patches="one_hot",
        n_channels=8,
        root="label",
        n_labels=8,
        symbol_noise=[0.0, 0.0, symbol_noise, 0.0, symbol_noise],
        pixel_noise=pixel_noise,
        random_state=0,
    ).fit()


@pytest.mark.filterwarnings("ignore:X has images too far")
@pytest.mark.parametrize("symbol_noise", [0.0, 1e-9, 0.2])
def test_posteriors_sum_to_1_at_any_pixel_noise(symbol_noise):
    X, _ = strings_with_pixel_noise(0.0, symbol_noise).sample(20)
    X[:, :, 5:] = 0  # no evidence of these symbols
    contradiction = 3 * np.random.default_rng(0).standard_normal(X.shape).astype(np.float32)
    limit = strings_with_pixel_noise(1e-3, symbol_noise)
    for pixel_noise in (1e-6, 1e-8, 1e-15, 1e-30):
        sampler = strings_with_pixel_noise(pixel_noise, symbol_noise)
        for images in (X, contradiction):
            assert np.isfinite(sampler.score_samples(images)).all()
            assert_allclose(sampler.bayes_predict_proba(images).sum(axis=1), 1, atol=1e-12)
            for level in range(5):
                assert_allclose(sampler.posterior(images, level).sum(axis=-1), 1, atol=1e-12)
        # A noise of 1e-3 hides no symbol, so less noise changes no posterior.
        assert_allclose(
            sampler.bayes_predict_proba(X), limit.bayes_predict_proba(X), rtol=0, atol=1e-12
        )
        assert_allclose(sampler.posterior(X, 2), limit.posterior(X, 2), rtol=0, atol=1e-12)


def test_users_are_warned_if_and_only_if_rounding_can_change_posteriors():
    # A string with errors that pixel noise must explain. At a noise of 0.02 an error costs 2,500
    # nats and all posteriors have reached their limits. At 1e-8 it costs 1e16, and the logarithms
    # of the numbers of equally good explanations are below the rounding error.
    X, _ = HierarchicalSampler(
        **strings_with_pixel_noise(0.0, 0.0).get_params() | {"symbol_noise": [0.0] * 4 + [0.3]}
    ).fit().sample(50)  # fmt: skip
    clean, _ = strings_with_pixel_noise(0.0, 0.0).sample(50)
    exact = strings_with_pixel_noise(0.02, 0.0).bayes_predict_proba(X)
    n_warned = 0
    for pixel_noise in (1e-3, 1e-6, 1e-7, 1e-8, 1e-30):
        sampler = strings_with_pixel_noise(pixel_noise, 0.0)
        assert_array_equal(sampler.bayes_predict(clean), sampler.parse(clean)[0][:, 0, 0])
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            p = sampler.bayes_predict_proba(X)
        n_warned += bool(warned)
        assert warned or np.abs(p - exact).max() < 1e-3
        assert all("Set a larger pixel_noise" in str(warning.message) for warning in warned)
    assert n_warned == 3


def test_a_clean_image_has_its_exact_density_at_any_pixel_noise():
    # All other patches are so far away that only the drawn patches have a density.
    for pixel_noise in (1e-4, 1e-8, 1e-30):
        sampler = HierarchicalSampler(pixel_noise=pixel_noise, random_state=0).fit()
        clean = HierarchicalSampler(random_state=0).fit()
        X, _ = clean.sample(3)
        log_density = clean.score_samples(X) - 27**2 / 2 * np.log(2 * np.pi * pixel_noise**2)
        assert_allclose(sampler.score_samples(X), log_density, rtol=1e-12)


@pytest.mark.parametrize(("left", "right"), [(35, 12), (12, 35)])
def test_equally_distant_explanations_are_equally_likely_at_any_noise(left, right):
    # Root image 0 misses two pixels by `left` and two by `right`; root image 1 misses the first
    # two by 37 and no others. The sums of squares are equal, and exact in float32. At a standard
    # deviation of 1.35 the left patch of image 0 has a relative probability of 1e-292, the one of
    # image 1 less than the smallest float, and the right patches decide between them.
    assert left**2 + right**2 == 37**2
    pixels = np.array([left, 37.0, 100 + right, 100, 0]).reshape(5, 1, 1, 1)
    symbols = np.arange(4).repeat(2).reshape(4, 1, 1, 2)
    X = np.array([[[0.0, 0, 100, 100]]])
    for pixel_noise in np.geomspace(0.3, 30, 150):
        sampler = HierarchicalSampler(
            symbol_patches=[symbols], pixel_patches=pixels, pixel_noise=pixel_noise
        ).fit([[[0, 2]], [[1, 3]]], [0, 1])
        assert_allclose(sampler.bayes_predict_proba(X), [[0.5, 0.5]], atol=1e-9)
        assert_allclose(sampler.posterior(X)[0, 0, 0], [0.5, 0.5, 0, 0], atol=1e-9)
        log_density = -(37**2) / pixel_noise**2 - 2 * np.log(2 * np.pi * pixel_noise**2)
        assert_allclose(sampler.score_samples(X), [log_density], rtol=1e-9)


def test_impossible_images_have_likelihood_0_and_no_posterior():
    sampler = HierarchicalSampler(random_state=0).fit()
    X, _ = sampler.sample(4)
    X[2] = 0
    log_likelihood = sampler.score_samples(X)
    assert_array_equal(np.isneginf(log_likelihood), [False, False, True, False])
    for method in (sampler.posterior, sampler.bayes_predict_proba, sampler.bayes_predict):
        with pytest.raises(ValueError, match=r"X\[2\] cannot come from this sampler"):
            method(X)
    with pytest.raises(ValueError, match=r"X\[2\] is not a clean image"):
        sampler.parse(X)


def test_the_published_bayes_accuracy_of_the_random_hierarchy_model():
    # The numbers were measured with other code, on other draws of the rules.
    published = {0.05: 0.872, 0.1: 0.747, 0.2: 0.540, 0.3: 0.389}
    for corruption, accuracy in published.items():
        risks = [
            make_random_hierarchy(1, corruption=corruption, return_X_y=False, random_state=seed)
            .sampler.bayes_risk(4000)
            .risk
            for seed in range(3)
        ]
        assert abs(1 - np.mean(risks) - accuracy) < 0.03


def test_bayes_risk_is_the_error_of_bayes_predict():
    sampler = HierarchicalSampler(
        pixel_noise=3.0, label_noise=0.1, patches_per_class=5, random_state=0
    ).fit()
    risk, standard_error = sampler.bayes_risk(4000, random_state=1)
    X, y = sampler.sample(4000, random_state=2)
    error = (sampler.bayes_predict(X) != y).mean()
    assert 0.12 < risk < 0.4
    assert abs(error - risk) < 5 * (standard_error + np.sqrt(risk * (1 - risk) / 4000))
    clean = HierarchicalSampler(random_state=0).fit()
    assert clean.bayes_risk(500) == (0, 0)


def test_posteriors_are_calibrated():
    sampler = HierarchicalSampler(pixel_noise=1.5, patches_per_class=5, random_state=0).fit()
    X, _, latents = sampler.sample(2000, return_latents=True)
    for level, classes in enumerate(latents):
        p = sampler.posterior(X, level=level)
        assert_allclose(p.sum(axis=-1), 1)
        hits = np.take_along_axis(p, classes[..., None], axis=-1)[..., 0]
        # E[p(true class)] = E[sum p^2] holds for true posteriors only.
        difference = hits - (p**2).sum(axis=-1)
        by_image = difference.mean(axis=(1, 2))
        assert abs(by_image.mean()) < 5 * by_image.std() / np.sqrt(len(X))
        assert difference.std() > 0.01


def test_parse_recovers_all_levels_of_1000_models():
    rng = np.random.default_rng(0)
    for seed in range(1000):
        depth = rng.integers(1, 5)
        sampler = HierarchicalSampler(
            depth,
            n_semantic_classes=rng.integers(3, 6, size=depth).tolist(),
            patch_size=[(2, 3), 2, (3, 2), (1, 5), 3][seed % 5 : seed % 5 + 1] * depth,
            patches_per_class=rng.integers(1, 5, size=depth).tolist(),
            n_channels=int(rng.integers(1, 4)),
            root_shape=(2, 2),
            n_root_images=1,
            random_state=seed,
        ).fit()
        X, _, latents = sampler.sample(3, return_latents=True)
        for parsed, latent in zip(sampler.parse(X), latents, strict=True):
            assert_array_equal(parsed, latent)


def test_parsed_patches_are_the_drawn_patches():
    sampler = HierarchicalSampler(patches_per_class=3, random_state=0).fit()
    X, _, latents = sampler.sample(50, return_latents=True)
    levels = [*latents, X]
    for i, patches in enumerate(sampler.parse_patches(X)):
        drawn = sampler.patches_[i].reshape(12, 3, 3)[patches]
        n, height, width = levels[i + 1].shape
        expected = levels[i + 1].reshape(n, height // 3, 3, width // 3, 3).swapaxes(2, 3)
        assert_array_equal(drawn, expected)


def test_ambiguous_patches_are_not_parsed():
    sampler = HierarchicalSampler(overlap=[1.0, 0.0], random_state=0).fit()
    with pytest.raises(ValueError, match=r"at level 0, .* a patch of several classes. For noisy"):
        sampler.parse(sampler.sample(3)[0])


def test_the_parse_of_an_image_with_symbol_noise_is_that_of_an_equal_image_without():
    clean, noisy = (
        make_random_hierarchy(50, n_synonyms=8, corruption=p, return_X_y=False, random_state=0)
        for p in (0.0, 0.2)
    )
    parses = zip(noisy.sampler.parse(noisy.images), clean.sampler.parse(noisy.images))
    for found, expected in parses:
        assert_array_equal(found, expected)


def test_a_patch_that_is_never_drawn_changes_no_posterior():
    patches = np.array([[0.0, 38.5], [1.0, 38.5]]).reshape(2, 2, 1, 1)  # the second ones never
    sampler = HierarchicalSampler(
        1, pixel_patches=patches, rule_weights=np.array([1.0, 0.0]), pixel_noise=1.0, root="label"
    ).fit()
    # 741 and 703 nats from the drawn patches, whose densities are the smallest doubles.
    expected = np.exp([-38.0, 0.0])
    found = sampler.bayes_predict_proba(np.full((1, 1, 1), 38.5))
    assert_allclose(found[0], expected / expected.sum(), rtol=1e-9)


def test_invalid_arguments_are_refused():
    sampler = HierarchicalSampler(random_state=0).fit()
    X, _ = sampler.sample(2)
    with pytest.raises(ValueError, match="level=2 is not valid: it takes an int from 0 to 1"):
        sampler.posterior(X, level=2)
    with pytest.raises(ValueError, match="n_samples=1 is not valid"):
        sampler.bayes_risk(1)
    with pytest.raises(ValueError, match=r"images of shape \(4, 4\), but"):
        sampler.score_samples(X[:, :4, :4])
    with pytest.raises(ValueError, match="NaN"):
        sampler.score_samples(X * np.nan)


@pytest.mark.parametrize("noise", [0.0, 0.3])
def test_likelihoods_of_semantic_images_are_their_frequencies(noise):
    sampler = HierarchicalSampler(
        1, n_semantic_classes=2, root_shape=(1, 3), n_root_images=2, symbol_noise=noise
    ).fit()
    everything = np.array(list(product(range(2), repeat=3)))
    p = np.exp(sampler.score_samples(everything))
    assert_allclose(p.sum(), 1)
    _, _, (semantic,) = sampler.sample(20_000, return_latents=True)
    counts = np.bincount(semantic[:, 0] @ [4, 2, 1], minlength=8)
    assert (np.abs(counts / 20_000 - p) <= 5 * np.sqrt(p * (1 - p) / 20_000)).all()


def patches_of_one_level(patches, **params):
    sampler = HierarchicalSampler(1, pixel_patches=patches, random_state=0, **params)
    return sampler.fit(np.arange(len(patches)).reshape(-1, 1, 1), range(len(patches)))


@pytest.mark.parametrize(
    ("offset", "scale"), [(255, 1e-3), (1, 1e-6), (0, 1), (0, 1e-30), (0, 1e25), (1e6, 1)]
)
def test_patches_that_differ_by_little_are_told_apart(offset, scale):
    noise = np.random.default_rng(0).standard_normal((4, 8, 3, 3))
    sampler = patches_of_one_level((offset + scale * noise).astype(np.float32))
    X, _, (classes,) = sampler.sample(1000, return_latents=True)
    assert_array_equal(sampler.parse(X)[0], classes)
    assert_array_equal(sampler.posterior(X).argmax(axis=-1), classes)
    if scale >= 1:
        assert_array_equal(sampler.parse(X.astype(float) * (1 + 1e-7))[0], classes)


def test_a_patch_is_legal_up_to_its_own_rounding_however_large_others_are():
    rng = np.random.default_rng(0)
    patches = rng.standard_normal((4, 1, 3, 3)).astype(np.float32)
    patches[0] = 1e6
    sampler = patches_of_one_level(patches)
    assert sampler.validity(rng.standard_normal((100, 3, 3))).images == 0
    assert sampler.validity(patches[:, 0].astype(float) * (1 + 1e-7)).images == 1


def test_a_long_tuple_of_symbols_is_legal_only_if_all_symbols_are():
    n = 3000
    rule = n - 1 - np.arange(2000)[None] % 2
    sampler = HierarchicalSampler(
        2, n_semantic_classes=[2, n], patch_size=[(1, 2000), 1], root_shape=(1, 1),
        patches_per_class=1, symbol_patches=[np.stack([rule, rule[:, ::-1]])[:, None]],
        pixel_patches=np.arange(n).reshape(n, 1, 1, 1),
    ).fit([[[0]], [[1]]], [0, 1])  # fmt: skip
    other = rule.copy()
    other[0, -1] -= 1  # the least difference
    assert sampler.parse(rule[None].astype(float))[0] == 0
    with pytest.raises(ValueError, match=r"at level 0, .* is no patch of the level"):
        sampler.parse(other[None].astype(float))


def test_a_common_offset_of_pixels_changes_no_posterior():
    patches = np.random.default_rng(0).integers(-3, 4, size=(3, 4, 2, 2))
    clean = patches_of_one_level(patches, pixel_noise=1.0)
    far = patches_of_one_level(patches + 10**7, pixel_noise=1.0)
    X = clean.sample(50)[0].astype(float) + 1e7
    assert_allclose(far.posterior(X), clean.posterior(X - 1e7), rtol=1e-9)
    assert_allclose(far.score_samples(X), clean.score_samples(X - 1e7), rtol=1e-9)


def test_masked_arrays_are_refused_and_matrices_are_arrays():
    transitions, noise = np.array([[0.9, 0.1], [0.2, 0.8]]), np.array([[0.7, 0.3], [0.4, 0.6]])
    params = {
        "n_semantic_classes": 2,
        "patch_size": [(1, 2), 1],
        "root": "label",
        "random_state": 0,
    }
    sampler, same = (
        HierarchicalSampler(
            transitions=[A.view(kind)], symbol_noise=noise.view(kind), **params
        ).fit()
        for A, kind in ((transitions, np.ndarray), (transitions, np.matrix))
    )
    symbols = np.array([[0, 1], [1, 1]])
    assert_array_equal(sampler.score_samples(symbols=symbols), same.score_samples(symbols=symbols))
    masked = np.ma.array(symbols, mask=[[True, False], [False, False]])
    with pytest.raises(ValueError, match="symbols has masked values"):
        sampler.score_samples(symbols=masked)
    evidence = np.ma.masked_equal([[[0.0, 1.0], [0.0, 0.0]]], 1.0)
    with pytest.raises(ValueError, match="log_evidence has masked values"):
        sampler.score_samples(log_evidence=evidence)
