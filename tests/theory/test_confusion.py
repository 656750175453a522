"""The certificate of codes seen through noise."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skhier import HierarchicalSampler, PatchKMeansOrthogonalizer
from skhier.datasets import make_sparse_random_hierarchy
from skhier.theory import (
    MeasuredConfusion,
    code_confusion,
    code_counts,
    measured_confusion,
    separate_codes,
)
from skhier.theory._coins import ANYTIME_CONCENTRATIONS, log_evidence
from skhier.theory._confusion import Unmixer, _evidence


def noisy_model(seed=0, **params):
    """Return a model whose pairs of symbols are all patches, so that every image is parsed."""
    settings = {
        "n_semantic_classes": 4, "patches_per_class": [4, 2], "patch_size": [(1, 2), 1],
        "n_channels": 3, "symbol_noise": [0, 0.1], "random_state": seed,
    }  # fmt: skip
    return HierarchicalSampler(2, **settings | params).fit()


def of_one_class(n_codes, k):
    """Return which pairs of codes are of one class."""
    classes = np.arange(n_codes) // k
    return (classes[:, None] == classes) & ~np.eye(n_codes, dtype=bool)


def random_confusion(rng, n_patches, n_codes, noise):
    """Return probabilities of codes, some of them of no code at all."""
    wrong = rng.dirichlet(np.ones(n_codes + 1), size=n_patches)[:, :n_codes]
    return (1 - noise) * np.eye(n_patches, n_codes) + noise * wrong


def all_counts(codes_given_class, places):
    """Enumerate the codes at places of known classes; return counts by cell, and probabilities.

    `places` holds the class of each place of each cell. The last outcome is no code.
    """
    outcomes = np.column_stack([codes_given_class, 1 - codes_given_class.sum(axis=1)])
    n_codes = outcomes.shape[1] - 1
    flat = [(cell, c) for cell, classes in enumerate(places) for c in classes]
    for drawn in product(range(n_codes + 1), repeat=len(flat)):
        counts, probability = np.zeros((n_codes + 1, len(places))), 1.0
        for (cell, c), code in zip(flat, drawn):
            counts[code, cell] += 1
            probability *= outcomes[c, code]
        yield counts[:n_codes], probability


# Patches 0 and 1 are of class 0, patch 2 is of class 1.
@settings(max_examples=settings.default.max_examples // 8)
@given(st.integers(0, 2**32 - 1), st.booleans(), st.floats(0.01, 0.6))
def test_the_mean_of_the_evidence_given_the_classes_is_at_most_1(seed, is_fair, noise):
    rng = np.random.default_rng(seed)
    confusion = random_confusion(rng, 3, 3, noise)
    p = 0.5 if is_fair else rng.uniform(0.05, 0.95)
    by_class = np.array([p * confusion[0] + (1 - p) * confusion[1], confusion[2]])
    unmixer = Unmixer.from_confusion(confusion, 3)
    mean = 0.0
    for counts, probability in all_counts(by_class, [[0, 0], [1, 1]]):
        if counts.any():
            mean += probability * np.exp(unmixer.log_evidence(counts, 0, 1, is_fair))
        else:
            mean += probability
    assert mean <= 1 + 1e-9
    if is_fair:  # each factor has the mean 1
        assert mean >= 1 - 1e-9


# As above, with an estimate of the confusion in place of it.
@settings(max_examples=settings.default.max_examples // 8)
@given(st.integers(0, 2**32 - 1), st.booleans(), st.floats(0.01, 0.4), st.floats(0.001, 0.05))
def test_the_mean_of_the_evidence_is_at_most_1_for_all_confusions_in_the_radius(
    seed, is_fair, noise, size
):
    rng = np.random.default_rng(seed)
    estimate = random_confusion(rng, 3, 3, noise)
    true = np.clip(estimate + size * rng.uniform(-1, 1, estimate.shape), 0, None)
    true /= np.maximum(true.sum(axis=1, keepdims=True), 1)
    measured = MeasuredConfusion(estimate, np.abs(true - estimate))
    p = 0.5 if is_fair else rng.uniform(0.05, 0.95)
    by_class = np.array([p * true[0] + (1 - p) * true[1], true[2]])
    unmixer = Unmixer.from_confusion(measured, 3)
    mean = 0.0
    for counts, probability in all_counts(by_class, [[0, 0], [1]]):
        evidence = unmixer.log_evidence(counts, 0, 1, is_fair) if counts.any() else 0.0
        mean += probability * np.exp(evidence)
    assert mean <= 1 + 1e-9


def test_an_estimate_taken_as_exact_certifies_one_class_as_two():
    # Codes of patch 2 are mistaken for patch 0 more often than estimated, and never for patch 1.
    true = np.array([[1, 0, 0], [0, 1, 0], [0.05, 0, 0.95]])
    estimate = np.array([[1, 0, 0], [0, 1, 0], [0.02, 0, 0.98]])
    counts = np.array([[500, 500], [500, 0], [0, 9500]])  # in proportion to true
    options = {"delta": 0.05, "equally_likely": True}
    assert separate_codes(counts, confusion=estimate, **options).different[0, 1]
    measured = MeasuredConfusion(estimate, np.abs(true - estimate))
    separation = separate_codes(counts, confusion=measured, **options)
    assert not separation.different[0, 1]
    assert separation.different[0, 2]


def test_errors_of_a_measured_confusion_are_in_its_radius():
    # Of 200 draws at delta = 0.2, more than 70 exceed the radius with probability below 1e-6.
    rng, delta = np.random.default_rng(0), 0.2
    true = random_confusion(rng, 3, 4, 0.3)
    true /= true.sum(axis=1, keepdims=True)
    exceeded, radii = 0, []
    for _ in range(200):
        table = np.array([rng.multinomial(150, row) for row in true])
        measured = measured_confusion(table, delta=delta)
        exceeded += (np.abs(measured.probabilities - true) > measured.radius).any()
        radii.append(measured.radius)
    assert exceeded <= 70
    error = np.sqrt(true * (1 - true) / 150)
    assert (np.mean(radii, axis=0) < 4 * error + 6 / 150).all()


def test_with_many_counts_a_measured_confusion_is_as_good_as_an_exact_one():
    sampler = noisy_model()
    X, y = sampler.sample(4000, random_state=1)
    counts = code_counts(sampler.parse_patches(X)[0], y, n_codes=16)
    options = {"delta": 0.05, "n_groups": 4, "equally_likely": True}
    exact = code_confusion(sampler, 0)
    drawn = np.round(exact * 10**6)
    close = separate_codes(counts, confusion=measured_confusion(drawn, delta=0.01), **options)
    separation = separate_codes(counts, confusion=exact, **options)
    assert separation.complete
    assert close.complete
    evidence = [-s.log_p[~of_one_class(16, 4)].min() for s in (close, separation)]
    assert 0.7 * evidence[1] < evidence[0] < evidence[1]
    few = measured_confusion(np.round(exact * 50), delta=0.01)
    with pytest.raises(ValueError, match="confusion is known with too large an error"):
        separate_codes(counts, confusion=few, **options)


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ([[1, 0], [0, 0]], "patch 1 was never drawn"),
        ([[1.5, 0]], "whole numbers"),
        ([1, 2], r"counts of shape \(2,\)"),
    ],
)
def test_counts_of_which_no_confusion_is_measured_are_refused(counts, message):
    with pytest.raises(ValueError, match=message):
        measured_confusion(counts, delta=0.1)
    with pytest.raises(ValueError, match=r"confusion.radius of shape \(1, 1\) is not valid"):
        separate_codes(
            np.ones((2, 2)), delta=0.1, confusion=MeasuredConfusion(np.eye(2), np.ones((1, 1)))
        )


def test_evidence_that_ignores_the_confusion_is_void():
    # All places of the second cell are of another class, and most of its errors look like patch 0.
    confusion = np.array([[0.9, 0.05, 0.05], [0.05, 0.9, 0.05], [0.4, 0.01, 0.59]])
    by_class = np.array([confusion[:2].mean(axis=0), confusion[2]])
    rng, unmixer = np.random.default_rng(0), Unmixer.from_confusion(confusion, 3)
    ignored, taken = [], []
    for _ in range(50):
        cells = [rng.multinomial(n, row) for n, row in zip((400, 400), by_class)]
        counts = np.array(cells, float).T
        heads, tails = counts[:1], counts[1:2]
        ignored.append(log_evidence(heads, tails, ANYTIME_CONCENTRATIONS, True)[0])
        taken.append(unmixer.log_evidence(counts, 0, 1, True))
    assert min(ignored) > 10
    assert max(taken) < 3.9  # 50 runs, each exceeds it with probability at most 0.02
    assert np.mean(taken) < 0


@pytest.mark.parametrize("equally_likely", [True, False])
def test_no_pair_of_a_class_is_certified_through_symbol_noise(equally_likely):
    sampler = noisy_model()
    X, y = sampler.sample(20_000, random_state=1)
    counts = code_counts(sampler.parse_patches(X)[0], y, n_codes=16)
    same = of_one_class(16, 4)
    options = {"delta": 0.05, "n_groups": 4, "equally_likely": equally_likely}
    assert separate_codes(counts, **options).different[same].any()  # void under noise
    separation = separate_codes(counts, confusion=code_confusion(sampler, 0), **options)
    assert separation.complete
    np.testing.assert_array_equal(separation.different, ~same & ~np.eye(16, dtype=bool))


def test_symbol_noise_of_the_level_and_labels_is_no_confusion():
    sampler = noisy_model(symbol_noise=[0.2, 0.0], label_noise=0.2)
    np.testing.assert_array_equal(code_confusion(sampler, 0), np.eye(16))
    X, y = sampler.sample(20_000, random_state=1)
    counts = code_counts(sampler.parse_patches(X)[0], y, n_codes=16)
    plain = separate_codes(counts, delta=0.05)
    assert not plain.different[of_one_class(16, 4)].any()


def test_clusters_of_noisy_pixels_are_certified_with_a_measured_confusion():
    params = {"patches_per_class": 4, "patch_size": 2, "root_shape": (2, 2), "random_state": 2}
    noisy = HierarchicalSampler(pixel_noise=0.4, **params).fit()
    clean = HierarchicalSampler(**params).fit()
    phi = PatchKMeansOrthogonalizer(16, 2, stride=None, whiten_eps=None, random_state=0)
    phi.fit(noisy.sample(1000, random_state=3)[0])

    def draw(n, seed):
        X, y = noisy.sample(n, random_state=seed)
        drawn = clean.parse_patches(clean.sample(n, random_state=seed)[0])[1]
        return phi.predict(X), drawn, y

    clusters, drawn, _ = draw(10_000, 4)
    table = np.zeros((16, 16))
    np.add.at(table, (drawn.ravel(), clusters.ravel()), 1)
    clusters, _, y = draw(4000, 5)
    counts = code_counts(clusters, y, n_codes=16)
    measured = measured_confusion(table, delta=0.01)
    confusion = measured.probabilities
    assert (
        not separate_codes(counts, delta=0.04, equally_likely=True, confusion=measured)
        .different[of_one_class(16, 4)]
        .any()
    )
    separation = separate_codes(counts, delta=0.05, equally_likely=True, confusion=confusion)
    same = of_one_class(16, 4)
    assert not separation.different[same].any()
    assert separation.different[~same].sum() >= 96  # half of all pairs
    owner = confusion.argmax(axis=0) // 4  # of each cluster
    in_class = (owner[:, None] == owner) & ~np.eye(16, dtype=bool)
    assert separate_codes(counts, delta=0.05, equally_likely=True).different[in_class].any()


def test_without_confusion_the_evidence_is_nearly_that_of_coins():
    rng = np.random.default_rng(0)
    unmixer = Unmixer.from_confusion(np.eye(3), 3)
    for p in (0.5, 0.2):
        heads = rng.binomial(1000, p * np.array([0.6, 1.4, 1, 1])).astype(float)
        counts = np.array([heads, 1000 - heads, [5, 5, 5, 5]])
        for is_fair in (True, False):
            (coins,) = log_evidence(counts[:1], counts[1:2], ANYTIME_CONCENTRATIONS, is_fair)
            found = unmixer.log_evidence(counts, 0, 1, is_fair)
            assert coins > 5
            assert 0.85 * coins - 1 <= found <= coins + 1


@pytest.mark.parametrize("p", [None, [0.2, 0.8]])
def test_the_confusion_of_a_model_is_the_frequency_of_codes_given_the_class_and_label(p):
    sampler = noisy_model(rule_weights="zipf", label_probabilities=p)
    X, y, latents = sampler.sample(20_000, return_latents=True, random_state=1)
    codes = sampler.parse_patches(X)[0]
    expected = np.einsum(
        "cj,cja->ca", sampler.rule_weights_[0], code_confusion(sampler, 0).reshape(4, 4, 16)
    )
    assert expected.sum(axis=1) == pytest.approx(1)
    for c, label in product(range(4), sampler.classes_):
        seen = codes[(latents[0] == c) & (y == label)[:, None, None]]
        frequency = np.bincount(seen, minlength=16) / len(seen)
        error = np.sqrt(expected[c] * (1 - expected[c]) / len(seen))
        assert (np.abs(frequency - expected[c]) <= 5 * error).all()


def test_noise_two_levels_below_confuses_codes_too():
    sampler = HierarchicalSampler(
        3, n_semantic_classes=4, patches_per_class=[4, 4, 2], patch_size=[(1, 2), (1, 2), 1],
        n_channels=3, symbol_noise=[0, 0, 0.2], random_state=0,
    ).fit()  # fmt: skip
    below, top = code_confusion(sampler, 1), code_confusion(sampler, 0)
    channel = below.reshape(4, 4, 4, 4).sum(axis=3).mean(axis=1)
    cells = sampler.patches_[0].reshape(16, 2)
    for a, b in product(range(16), repeat=2):
        (a1, a2), (b1, b2) = cells[a], cells[b]
        assert top[a, b] == pytest.approx(channel[a1, b1] * channel[a2, b2])


def model_with_impossible_patches(seed):
    """Return a model whose last patches of classes 0 and 1 have weight 0; one is of class 2 too."""
    rng = np.random.default_rng(seed)
    tuples = np.array(list(product(range(3), repeat=2)))
    tables, weights = [], []
    for _ in range(2):
        table = tuples[rng.permutation(9)].reshape(3, 3, 1, 2)
        table[1, 2] = table[2, 0]
        tables.append(table)
        weights.append(rng.uniform(0.2, 1, (3, 3)))
        weights[-1][:2, 2] = 0
    return HierarchicalSampler(
        3, symbol_patches=tables, rule_weights=[*weights, "uniform"], patch_size=1,
        patches_per_class=1, n_semantic_classes=3, pixel_patches="one_hot", n_channels=3,
        symbol_noise=[0, 0.1, 0.3],
    ).fit(np.arange(3).reshape(3, 1, 1), np.arange(3))  # fmt: skip


def noisy_sparse_hierarchy(seed):
    sizes = {"n_classes": 2, "vocabulary_size": 3, "n_synonyms": 2, "depth": 2}
    sampler = make_sparse_random_hierarchy(1, **sizes, return_X_y=False, random_state=seed).sampler
    labels = np.arange(2)
    sampler.set_params(symbol_noise=[0, 0, 0, 0, 0.2])
    return sampler.fit(labels.reshape(2, 1, 1), labels)


def enumerated_confusion(sampler, level):
    """Compute `code_confusion` by all replacements of the symbols of each patch."""

    def code_probabilities(i, rule):
        channel = sampler.symbol_noise_[i + 1] @ class_probabilities(i + 1)
        row = dict.fromkeys(codes[i].values(), 0.0)
        for seen in product(range(channel.shape[1]), repeat=rows[i].shape[1]):
            if seen in codes[i]:
                row[codes[i][seen]] += channel[rows[i][rule], seen].prod()
        return row

    def class_probabilities(i):
        n_classes, k = sampler.rule_weights_[i].shape
        if i == len(rows) - 1:
            return np.eye(n_classes)
        table = np.zeros((n_classes, n_classes))
        for rule in codes[i].values():
            for code, p in code_probabilities(i, rule).items():
                table[rule // k, code // k] += sampler.rule_weights_[i].flat[rule] * p
        return table

    rows = [patches.reshape(-1, np.prod(patches.shape[2:])) for patches in sampler.patches_]
    codes = [
        {tuple(rows[i][rule]): rule for rule in np.flatnonzero(weights)}
        for i, weights in enumerate(sampler.rule_weights_)
    ]
    expected = np.zeros((len(codes[level]), len(rows[level])))
    for row, rule in enumerate(sorted(codes[level].values())):
        for code, p in code_probabilities(level, rule).items():
            expected[row, code] = p
    return expected


@pytest.mark.parametrize(
    ("make", "levels"),
    [(model_with_impossible_patches, (0, 1)), (noisy_sparse_hierarchy, (2, 3))],
)
def test_patches_of_weight_0_are_no_codes(make, levels):
    for seed in range(3):
        sampler = make(seed)
        assert any((weights == 0).any() for weights in sampler.rule_weights_)
        for level in levels:
            confusion = code_confusion(sampler, level)
            assert confusion.sum(axis=1).max() <= 1 + 1e-12
            np.testing.assert_allclose(confusion, enumerated_confusion(sampler, level), atol=1e-12)


def test_a_patch_of_weight_0_that_looks_like_another_class_certifies_nothing_false():
    # The second patch of class 2 is never drawn, and equal to a patch of class 0.
    tables = [
        [[[[0, 1]], [[1, 2]]], [[[2, 0]], [[0, 2]]]],
        [[[[0, 1]], [[2, 3]]], [[[1, 2]], [[3, 0]]], [[[2, 1]], [[0, 1]]]],
    ]
    sampler = HierarchicalSampler(
        3, symbol_patches=tables, rule_weights=["uniform", np.array([[1, 1], [1, 1], [1, 0]]), 1.0],
        patch_size=1, patches_per_class=1, n_semantic_classes=4, pixel_patches="one_hot",
        n_channels=4, symbol_noise=[0, 0, 0.2], random_state=0,
    ).fit([[[0, 0, 0]], [[0, 0, 1]], [[1, 1, 0]], [[1, 1, 1]]], [0, 0, 1, 1])  # fmt: skip
    # The expected counts of 10^6 images: far more than a false certificate needs.
    given_class = enumerated_confusion(sampler, 0).reshape(2, 2, 4).mean(axis=1)
    shares = sampler.statistics().levels[0].class_frequencies[:, :, 0]  # label, class, position
    counts = np.round(10**6 * np.einsum("lcp,ca->alp", shares, given_class))
    separation = separate_codes(
        counts, delta=0.05, confusion=code_confusion(sampler, 0), equally_likely=True
    )
    assert not separation.different[of_one_class(4, 2)].any()


@pytest.mark.parametrize(
    "rounded",
    [
        lambda confusion: confusion.astype(np.float32),
        lambda confusion: confusion / confusion.astype(np.float32).sum(axis=1).min() * (1 + 5e-7),
    ],
)
def test_rounded_probabilities_are_taken_with_their_errors(rounded):
    exact = random_confusion(np.random.default_rng(3), 3, 3, 0.3)
    exact /= exact.sum(axis=1, keepdims=True)
    given = rounded(exact)
    assert given.astype(float).sum(axis=1).max() > 1 + 1e-9  # the sums alone would be refused
    counts = np.round(10**5 * exact.T[:, [0, 1, 2]])
    options = {"delta": 0.05, "equally_likely": True}
    separation = separate_codes(counts, confusion=given, **options)
    assert (np.abs(separation.confusion.probabilities - exact) <= separation.confusion.radius).all()
    of_exact = separate_codes(counts, confusion=exact, **options)
    assert (separation.log_p >= of_exact.log_p).all()
    np.testing.assert_allclose(separation.log_p, of_exact.log_p, rtol=1e-3)


def test_matrices_are_arrays_and_masked_counts_are_refused():
    confusion, counts = np.array([[0.9, 0.1], [0.2, 0.8]]), np.array([[300, 100], [100, 300]])
    expected = separate_codes(counts, delta=0.05, confusion=confusion).log_p
    as_matrix = [table.view(np.matrix) for table in (counts, confusion)]
    separation = separate_codes(as_matrix[0], delta=0.05, confusion=as_matrix[1])
    np.testing.assert_array_equal(separation.log_p, expected)
    plain, measured = (measured_confusion(c, delta=0.1) for c in (counts, as_matrix[0]))
    np.testing.assert_array_equal(measured.radius, plain.radius)
    masked = np.ma.array(counts, mask=[[True, False], [False, False]])
    for call in (
        lambda: separate_codes(masked, delta=0.05),
        lambda: measured_confusion(masked, delta=0.05),
        lambda: code_counts(masked[None]),
    ):
        with pytest.raises(ValueError, match="has masked values"):
            call()


@pytest.mark.parametrize(
    ("confusion", "message"),
    [
        ([[1.0, 0.0]], r"confusion of shape \(1, 2\) is not valid: .* n_codes=3"),
        (np.eye(3) + 0.1, "a sum of at most 1"),
        (np.eye(4, 3), "at most 3 patches"),
        ([[1, 0, 0], [1, 0, 0]], "condition number .*codes do not tell all patches apart"),
    ],
)
def test_confusions_that_are_no_probabilities_or_hide_patches_are_refused(confusion, message):
    with pytest.raises(ValueError, match=message):
        separate_codes(np.ones((3, 2)), delta=0.05, confusion=confusion)


def test_models_whose_confusion_is_not_known_are_refused():
    with pytest.raises(ValueError, match=r"sampler has pixel_noise=0\.5"):
        code_confusion(noisy_model(pixel_noise=0.5), 0)
    with pytest.raises(ValueError, match="share patches"):
        code_confusion(HierarchicalSampler(overlap=[0.5, 0.0], random_state=0).fit(), 0)


def test_fewer_patches_than_codes_are_separated_by_patch():
    rng = np.random.default_rng(0)
    confusion = np.array([[0.6, 0.3, 0.1], [0.0, 0.1, 0.9]])  # two clusters share patch 0
    cells = [rng.multinomial(300, share @ confusion) for share in ([0.7, 0.3], [0.3, 0.7])]
    separation = separate_codes(np.transpose(cells), delta=0.05, n_groups=2, confusion=confusion)
    assert separation.complete
    assert separation.log_p.shape == (2, 2)
    assert "2 codes" not in repr(separation)


def test_evidence_against_an_interval_of_shares_is_at_most_that_against_each():
    rng = np.random.default_rng(0)
    for radius in (0, 0.02):
        table = MeasuredConfusion(np.eye(4) * 0.7 + 0.075, np.full((4, 4), radius))
        unmixer = Unmixer.from_confusion(table, 4)
        arguments = rng.poisson(20, (4, 5)), unmixer.weights[:, :2], unmixer.safety
        for low, high in ((0.3, 0.4), (0.03125, 0.0625), (0.9, 0.93), (0, 2.0**-20)):
            bound = _evidence(*arguments, low, high)
            values = [_evidence(*arguments, p, p) for p in np.linspace(low, high, 20)[1:-1]]
            assert bound <= min(values)
