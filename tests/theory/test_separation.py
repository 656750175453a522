"""The certificate that codes are of different classes."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import brentq
from scipy.stats import binom, norm

from skhier import HierarchicalSampler, LayerwiseCNNClassifier
from skhier.datasets import make_random_hierarchy
from skhier.theory import (
    certify_classifier,
    code_counts,
    required_samples,
    separate_codes,
    theorem2_params,
)
from skhier.theory._coins import log_evidence, tuned_concentrations


def null_scores(sampler, n_runs=100, n_images=100, is_fair=True):
    """Return standardized |S|^2 - sum m, and p, of codes 0 and 1 of each class in each run."""
    X, y = sampler.sample(n_runs * n_images, random_state=1)
    codes = sampler.parse_patches(X)[-1]
    k = sampler.patches_[-1].shape[1]
    z, p = [], []
    for run in np.split(np.arange(len(X)), n_runs):
        counts = code_counts(codes[run], y[run], n_codes=len(sampler.patches_[-1]) * k)
        a, b = (counts.reshape(len(counts), -1)[j::k].astype(float) for j in (0, 1))
        m = a + b
        spread = np.sqrt(2 * (m * (m - 1)).sum(axis=1))
        z.append((((a - b) ** 2).sum(axis=1) - m.sum(axis=1)) / spread)
        p.append(np.exp(-log_evidence(a, b, tuned_concentrations(m, np.log(20)), is_fair)))
    return np.ravel(z), np.ravel(p)


def test_codes_of_a_class_are_independent_coins_even_if_positions_depend_on_each_other():
    # Labels are noisy too.
    sampler = HierarchicalSampler(
        patch_size=2, patches_per_class=3, n_root_images=4, label_noise=0.2, random_state=0
    ).fit()
    z, p = null_scores(sampler)
    assert abs(z.mean()) < 4.5 / np.sqrt(len(z))
    assert 0.8 < z.std() < 1.2
    assert (p <= 0.05).sum() <= binom.isf(1e-6, len(p), 0.05)


def test_codes_of_unequal_weights_are_coins_of_one_bias():
    sampler = HierarchicalSampler(
        patch_size=2, patches_per_class=3, rule_weights="zipf", random_state=0
    ).fit()
    _, p = null_scores(sampler, is_fair=False)
    assert (p <= 0.05).sum() <= binom.isf(1e-6, len(p), 0.05)
    _, as_if_fair = null_scores(sampler, is_fair=True)
    assert (as_if_fair <= 0.05).sum() > binom.isf(1e-6, len(p), 0.05)


def small_model(seed, k=4):
    return HierarchicalSampler(patch_size=2, patches_per_class=k, random_state=seed).fit()


def predicted_images(sampler, delta):
    """Predict N at which the certificate of the pixels' level is complete, as if S were normal."""
    frequencies = sampler.statistics().levels[-1].class_frequencies / len(sampler.classes_)
    n_classes, k = sampler.patches_[-1].shape[:2]
    q = np.moveaxis(frequencies, 1, 0).reshape(n_classes, -1) / k
    x, z = np.log((n_classes * k) ** 2 / (2 * delta)), norm.isf(delta / k**2)

    def missing(n, d, v):
        noise = z * np.sqrt(2 * v @ v + 4 * n * (d**2 @ v))
        return 2 * np.sqrt(x * v @ v) + 2 * x * v.max() + noise - n * d @ d

    pairs = [(q[a] - q[b], q[a] + q[b]) for a in range(n_classes) for b in range(a)]
    return max(brentq(missing, 1, 1e9, args=pair) for pair in pairs)


def test_a_complete_certificate_has_the_true_groups_and_is_reached_as_predicted():
    delta, n_runs = 0.01, 20
    n_complete = {2.0: 0, 0.25: 0}
    for seed in range(n_runs):
        sampler = small_model(seed)
        k, needed = 4, predicted_images(sampler, delta)
        for times in n_complete:
            X, y = sampler.sample(int(np.ceil(times * needed)), random_state=seed)
            codes = sampler.parse_patches(X)[-1]
            counts = code_counts(codes, y, n_codes=4 * k)
            separation = separate_codes(counts, delta=delta, n_groups=4, equally_likely=True)
            if separation.complete:
                np.testing.assert_array_equal(separation.groups, np.arange(4 * k) // k)
            n_complete[times] += separation.complete
    assert n_complete[2.0] >= 0.9 * n_runs
    assert n_complete[0.25] <= 0.5 * n_runs


def test_the_anytime_certificate_is_completed_by_more_batches():
    for seed in range(10):
        sampler, k = small_model(seed), 4
        batches = (sampler.sample(100, random_state=1000 * seed + i) for i in range(100))
        separation = None
        for X, y in batches:
            codes = sampler.parse_patches(X)[-1]
            counts = code_counts(codes, y, n_codes=4 * k, classes=sampler.classes_)
            if separation is None:
                separation = separate_codes(counts, delta=0.01, n_groups=4, anytime=True)
            else:
                separation = separation.update(counts)
            if separation.complete:
                break
        assert separation.complete
        np.testing.assert_array_equal(separation.groups, np.arange(4 * k) // k)


def test_neighbours_of_codes_separate_classes_without_labels():
    n_classes, m = 8, 2  # complete from about 1,300 strings on
    rhm = make_random_hierarchy(
        6000, n_classes=n_classes, vocabulary_size=8, n_synonyms=m, depth=3, return_X_y=False,
        random_state=0,
    )  # fmt: skip
    codes = rhm.sampler.parse_patches(rhm.images)[-2]  # pairs of symbols
    counts = code_counts(codes, context=(0, 1))
    separation = separate_codes(counts, delta=0.01, n_groups=8)
    assert separation.complete
    np.testing.assert_array_equal(separation.groups, np.arange(8 * m) // m)
    shuffled = np.random.default_rng(0).permuted(codes, axis=0)  # neighbours are independent
    assert separate_codes(code_counts(shuffled, context=(0, 1)), delta=0.01).groups.max() == 0


@given(st.integers(0, 2**32 - 1), st.sampled_from([None, (0, 1), (2, 0), (-1, 2), (1, -1)]))
def test_counts_equal_a_plain_loop_and_no_neighbour_is_counted(seed, context):
    rng = np.random.default_rng(seed)
    codes, y = rng.integers(3, size=(4, 5, 6)), rng.integers(2, size=4)
    found = code_counts(codes, y, n_codes=3, classes=[0, 1], context=context)
    expected = np.zeros((3, 2, *((5, 6) if context is None else (3,))))
    roles = {"counted": set(), "context": set()}
    for row, column in np.ndindex(5, 6):
        there = row, column
        if context is not None:
            down, right = context
            there = row + down, column + right
            step = row // abs(down) if down else column // abs(right)
            if step % 2 or not (0 <= there[0] < 5 and 0 <= there[1] < 6):
                continue
            roles["counted"].add((row, column))
            roles["context"].add(there)
        for image, label in zip(codes, y):
            cell = there if context is None else (image[there],)
            expected[(image[row, column], label, *cell)] += 1
    np.testing.assert_array_equal(found, expected)
    assert not roles["counted"] & roles["context"]


def test_an_update_keeps_the_least_p_value_of_each_pair():
    rng = np.random.default_rng(0)
    first, second = rng.poisson(3, (2, 6, 2, 3))
    options = {"delta": 0.05, "anytime": True}
    separation = separate_codes(first, **options)
    updated = separation.update(second)
    together = separate_codes(first + second, **options)
    np.testing.assert_array_equal(updated.counts, together.counts)
    np.testing.assert_array_equal(updated.log_p, np.minimum(separation.log_p, together.log_p))
    assert (updated.log_p == updated.log_p.T).all()
    with pytest.raises(ValueError, match="update takes a Separation with anytime=True"):
        separate_codes(first, delta=0.05).update(second)
    with pytest.raises(ValueError, match=r"6 codes in 3 cells cannot be added to .* in 6 cells"):
        separation.update(second[:, 0])


@given(st.lists(st.floats(-12, 0), min_size=6, max_size=6))
def test_pairs_are_certified_by_the_method_of_holm(log_p):
    matrix = np.zeros((4, 4))
    matrix[np.triu_indices(4, 1)] = log_p
    start = separate_codes(np.ones((4, 2)), delta=0.05)
    found = replace(start, log_p=matrix + matrix.T).different
    expected = 0
    for left, p in zip(range(6, 0, -1), np.sort(np.exp(log_p))):
        if p > 0.05 / left:
            break
        expected += 1
    assert found.sum() == 2 * expected
    assert all(matrix[a, b] <= np.sort(log_p)[expected - 1] for a, b in np.argwhere(found) if a < b)


def test_the_printed_certificate_says_if_groups_are_too_few_or_too_many():
    counts = [[90, 10], [80, 20], [10, 90], [0, 0]]
    assert "cannot tell yet" in repr(separate_codes(counts, delta=0.05, n_groups=2))
    assert "1 group, so at least 1 class" in repr(separate_codes(counts, delta=0.05))
    assert "an assumption does not hold" in repr(separate_codes(counts[:3], delta=0.05, n_groups=1))
    alone = separate_codes([[3, 4]], delta=0.05, n_groups=1)
    assert alone.complete
    assert not alone.different.any()
    in_proportion = [[1000, 4000], [200, 800]]
    assert not separate_codes(in_proportion, delta=0.05).different.any()
    assert separate_codes(in_proportion, delta=0.05, equally_likely=True).different[0, 1]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: separate_codes([1, 2], delta=0.1), r"counts of shape \(2,\) are not valid"),
        (lambda: separate_codes([[1, -2]], delta=0.1), "whole numbers >= 0"),
        (lambda: separate_codes([[1, 0.5]], delta=0.1), "whole numbers >= 0"),
        (lambda: separate_codes([[1e15, 1e15]] * 2, delta=0.1), "counts have the sum 4e.15"),
        (
            lambda: separate_codes([[6e11], [0]], delta=0.1, anytime=True).update([[6e11], [0]]),
            "counts have the sum 1.2e.12",
        ),
        (lambda: separate_codes([[1]], delta=0), "delta=0 is not valid"),
        (lambda: separate_codes([[1]], delta=0.1, n_groups=2), "n_groups=2 is not valid"),
        (lambda: separate_codes([[1]], delta=0.1, anytime=1), "anytime=1 is not valid"),
        (lambda: code_counts([[0, 1]]), r"codes of shape \(1, 2\)"),
        (lambda: code_counts([[[0.0]]]), "dtype float64 are not valid"),
        (lambda: code_counts([[[4]]], n_codes=3), "n_codes=3 is not valid: it takes an int >= 5"),
        (lambda: code_counts([[[4]]], [1, 2]), r"y of shape \(2,\) is not valid"),
        (lambda: code_counts([[[4]]], [1], classes=[0, 2]), "y has the label .*1"),
        (lambda: code_counts([[[4]]], context=(0, 1)), r"context=\(0, 1\) is not valid"),
        (lambda: code_counts([[[4, 4]]], context=(0, 0)), r"context=\(0, 0\) is not valid"),
        (lambda: code_counts([[[4, 4]]], context=1), "context=1 is not valid"),
    ],
)
def test_arguments_out_of_range_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_a_classifier_is_certified_without_a_sampler():
    sampler = HierarchicalSampler(patches_per_class=3, random_state=0).fit()
    X, y = sampler.sample(3000)
    clf = LayerwiseCNNClassifier(**theorem2_params(sampler), random_state=0).fit(X, y)
    X, y = sampler.sample(1000, random_state=1)
    certificate = certify_classifier(clf, X, y, n_groups=[4, 4])
    first, last = certificate
    assert certificate.holds
    assert first.separation.complete
    assert first.within < first.between
    assert (last.within, last.between, last.level, last.is_patch_mapping) == (None,) * 4
    assert not first.patches_overlap
    against = certify_classifier(clf, X, y, sampler=sampler)
    assert against.holds
    np.testing.assert_allclose(
        [first.within, first.between], [against[0].within, against[0].between]
    )
    few = certify_classifier(clf, X[:20], y[:20], n_groups=4)
    assert not few.holds  # cannot tell yet
    assert few[0].within is None
    assert not certify_classifier(clf, X, y).holds  # the number of classes is not known


def test_the_certificate_of_overlapping_patches_says_so(digits):
    X, _, y, _ = digits
    clf = LayerwiseCNNClassifier(n_layers=2, n_clusters=16, random_state=0).fit(X, y)
    certificate = certify_classifier(clf, X, y)
    assert [layer.patches_overlap for layer in certificate] == [True, True]
    assert "Patches of layer 1, 2 overlap" in repr(certificate)
    assert not certificate.holds
    with pytest.raises(ValueError, match="y of shape"):
        certify_classifier(clf, X, y[:-1])
    with pytest.raises(ValueError, match=r"X holds images of shape \(8, 7\)"):
        certify_classifier(clf, X[:, :, :7], y)


@pytest.mark.parametrize("context", [(0.5, 1), [0.5, float("nan")], 1, "ab", (0, 0), (1, 2, 3)])
def test_contexts_that_are_not_two_integers_are_refused(context):
    codes = np.random.default_rng(0).integers(3, size=(5, 2, 3))
    with pytest.raises(ValueError, match=r"context=.* is not valid: it takes two ints"):
        code_counts(codes, context=context)


def test_the_proved_number_is_that_of_equally_likely_codes():
    # Label 0 shows one class twice as often as the other in every cell, so codes of the two
    # differ by how often they are seen, not by where.
    X = np.array([[0, 3], [1, 3], [1, 3], [2, 4]])
    sampler = HierarchicalSampler(
        1, n_semantic_classes=5, patch_size=2, patches_per_class=3, random_state=0
    ).fit(X, [0, 0, 0, 1])
    n = required_samples(sampler, 0.05, "rigorous", level=0)
    codes = sampler.parse_patches(sampler.sample(n, random_state=1)[0])[0]
    y = sampler.sample(n, random_state=1)[1]
    counts = code_counts(codes, y, n_codes=15)
    assert separate_codes(counts, delta=0.05, n_groups=5, equally_likely=True).complete
    assert not separate_codes(1000 * counts, delta=0.05).different[:3, 3:6].any()


def test_unequal_weights_cost_few_images():
    # The bias of coins that are rarely heads has a small variance. All pairs of different classes
    # are certified from 724 images on, where the bound of fair coins needs 11,585.
    sampler = HierarchicalSampler(patches_per_class=6, rule_weights=2.0, random_state=0).fit()
    different = np.arange(24)[:, None] // 6 != np.arange(24) // 6
    for seed in range(3):
        X, y = sampler.sample(1000, random_state=seed)
        counts = code_counts(sampler.parse_patches(X)[1], y, n_codes=24)
        for anytime in (False, True):
            separation = separate_codes(counts, delta=0.05, anytime=anytime)
            np.testing.assert_array_equal(separation.different, different)


def test_a_classifier_is_certified_with_equally_likely_codes_and_a_confusion():
    sampler = HierarchicalSampler(patches_per_class=3, random_state=0).fit()
    X, y = sampler.sample(1000)
    clf = LayerwiseCNNClassifier(**theorem2_params(sampler), random_state=0).fit(X, y)
    X, y = sampler.sample(1000, random_state=1)
    plain = certify_classifier(clf, X, y, n_groups=4)
    fair = certify_classifier(clf, X, y, n_groups=4, equally_likely=True)
    assert fair[0].separation.equally_likely
    assert (fair[0].separation.different >= plain[0].separation.different).all()
    order = np.random.default_rng(0).permutation(12)
    named = certify_classifier(clf, X, y, n_groups=4, confusion=[np.eye(12)[order], None])
    assert named[0].separation.complete
    assert (named[0].within, named[0].between) == (plain[0].within, plain[0].between)
    with pytest.raises(ValueError, match=r"confusion=.* is not valid: .* n_layers=2 layers"):
        certify_classifier(clf, X, y, confusion=[None])
    noisy = HierarchicalSampler(patches_per_class=3, pixel_noise=0.1, random_state=0).fit()
    with pytest.raises(ValueError, match="sampler has pixel noise"):
        certify_classifier(clf, X, y, sampler=noisy)
