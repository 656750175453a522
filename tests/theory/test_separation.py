"""The certificate that codes are of different classes, and mutants of it that must fail."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import brentq
from scipy.stats import binom, norm

from skhier import HierarchicalSampler, LayerwiseCNNClassifier
from skhier.datasets import make_random_hierarchy
from skhier.theory import certify_classifier, code_counts, separate_codes, theorem2_params
from skhier.theory._coins import _DRIFTS, log_evidence, log_tail

# Where every outcome of coins is enumerated, nothing but rounding is left to chance.
EXACT = 1 + 1e-9


def outcomes(coins, bias):
    """All sums of cells with these coins, the coins again, and the outcomes' probabilities."""
    heads = np.array(list(product(*(range(m + 1) for m in coins))))
    probability = binom.pmf(heads, coins, (1 + bias) / 2).prod(axis=1)
    return 2.0 * heads - coins, np.tile(np.array(coins, float), (len(heads), 1)), probability


def is_p_value(p, probability):
    """Whether P(p <= alpha) <= alpha for all alpha."""
    order = np.argsort(p)
    below = np.cumsum(probability[order])
    last_of_ties = np.append(np.diff(p[order]) > 1e-12, True)
    return (below <= EXACT * p[order])[last_of_ties].all()


def by_laurent_massart(excess, coins):
    """p with |S|^2 - sum m = excess = 2 sqrt(x sum m^2) + 2 x max m, p = exp(-x)."""
    v, c = (coins**2).sum(axis=1), coins.max(axis=1)
    root = (np.sqrt(v + 2 * c * np.maximum(excess, 0)) - np.sqrt(v)) / (2 * c)
    return np.exp(-(root**2))


def drift_evidence(sums, coins):
    """The any-time evidence in the form of its statement, with and without the log term."""
    gains = [(rho * sums**2 / (1 + rho * coins)).sum(axis=1) / 2 for rho in _DRIFTS]
    prices = [np.log1p(rho * coins).sum(axis=1) / 2 for rho in _DRIFTS]
    right = np.mean(np.exp(np.subtract(gains, prices)), axis=0)
    return right, np.mean(np.exp(gains), axis=0)


@pytest.mark.parametrize("m", range(1, 31))
def test_the_moment_of_a_cell(m):
    sums, _, probability = outcomes([m], 0)
    for u in np.linspace(0, 1, 20, endpoint=False) / (2 * m):
        assert probability @ np.exp(u * sums[:, 0] ** 2) <= EXACT / np.sqrt(1 - 2 * u * m)


@given(st.lists(st.integers(1, 9), min_size=1, max_size=4))
def test_tails_of_fair_coins(coins):
    sums, coins, probability = outcomes(coins, 0)
    p = np.exp(log_tail(sums, coins, True))
    assert is_p_value(p, probability)
    excess = (sums**2).sum(axis=1) - coins.sum(axis=1)
    printed = by_laurent_massart(excess, coins)
    assert is_p_value(printed, probability)
    assert (p <= EXACT * printed).all()  # Newton's steps find at least as good a u


@given(st.lists(st.integers(1, 9), min_size=2, max_size=4), st.floats(-1, 1))
def test_tails_and_evidence_of_coins_of_one_bias(coins, bias):
    sums, coins, probability = outcomes(coins, bias)
    assert is_p_value(np.exp(log_tail(sums, coins, False)), probability)
    assert probability @ np.exp(log_evidence(sums, coins, False)) <= EXACT


@given(st.lists(st.integers(1, 9), min_size=1, max_size=4))
def test_the_evidence_of_fair_coins_is_its_statement_and_a_supermartingale(coins):
    sums, coins, probability = outcomes(coins, 0)
    evidence = np.exp(log_evidence(sums, coins, True))
    np.testing.assert_allclose(evidence, drift_evidence(sums, coins)[0])
    assert probability @ evidence <= EXACT


def test_mutants_fail():
    sums, coins, probability = outcomes([6, 7, 8], 0)
    total = (sums**2).sum(axis=1)
    assert not is_p_value(by_laurent_massart(total, coins), probability)  # sum m not subtracted
    assert probability @ drift_evidence(sums, coins)[1] > 2  # without the log term
    sums, coins, probability = outcomes([6, 7, 8], 0.8)
    assert not is_p_value(np.exp(log_tail(sums, coins, True)), probability)  # bias uncentred
    assert probability @ np.exp(log_evidence(sums, coins, True)) > 2
    twice = outcomes([6, 7, 8], 0)  # every image counted twice
    assert not is_p_value(np.exp(log_tail(2 * twice[0], 2 * twice[1], True)), twice[2])


def test_ville():
    # P(sup E >= 20) is about 0.01, without the log term 0.4. It may be 0.05.
    rng = np.random.default_rng(0)
    n_streams, n_steps = 400, 150
    coins = np.zeros((n_streams, 5))
    sums, highest = coins.copy(), np.zeros((2, n_streams))
    for _ in range(n_steps):
        shown = rng.random(coins.shape) < [0.1, 0.3, 0.5, 0.7, 0.9]
        coins += shown
        sums += shown * rng.choice([-1, 1], coins.shape)
        ours = np.exp(log_evidence(sums, coins, True))
        highest = np.maximum(highest, [ours, drift_evidence(sums, coins)[1]])
    rejected, rejected_by_mutant = (highest >= 20).sum(axis=1)
    assert rejected <= binom.isf(1e-6, n_streams, 0.05) < rejected_by_mutant


def null_scores(sampler, n_runs=100, n_images=100, fair=True):
    """(|S|^2 - sum m) / its standard deviation and p of codes 0, 1 of each class, run by run."""
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
        p.append(np.exp(log_tail(a - b, m, fair)))
    return np.ravel(z), np.ravel(p)


def test_codes_of_a_class_are_coins_whatever_depends_on_what():
    # Positions of one image depend on each other, and labels are noisy.
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
    _, p = null_scores(sampler, fair=False)
    assert (p <= 0.05).sum() <= binom.isf(1e-6, len(p), 0.05)
    _, mutant = null_scores(sampler, fair=True)
    assert (mutant <= 0.05).sum() > binom.isf(1e-6, len(p), 0.05)


def model(seed, k=4):
    return HierarchicalSampler(patch_size=2, patches_per_class=k, random_state=seed).fit()


def predicted_images(sampler, delta):
    """N at which the certificate of the pixels' level is expected, by a normal power."""
    shown = sampler.statistics().levels[-1].class_frequencies / len(sampler.classes_)
    n_classes, k = sampler.patches_[-1].shape[:2]
    q = np.moveaxis(shown, 1, 0).reshape(n_classes, -1) / k
    x, z = np.log((n_classes * k) ** 2 / (2 * delta)), norm.isf(delta / k**2)

    def missing(n, d, v):
        noise = z * np.sqrt(2 * v @ v + 4 * n * (d**2 @ v))
        return 2 * np.sqrt(x * v @ v) + 2 * x * v.max() + noise - n * d @ d

    pairs = [(q[a] - q[b], q[a] + q[b]) for a in range(n_classes) for b in range(a)]
    return max(brentq(missing, 1, 1e9, args=pair) for pair in pairs)


def test_complete_implies_equal_and_comes_when_predicted():
    delta, n_runs = 0.01, 20
    n_complete = {2.0: 0, 0.25: 0}
    for seed in range(n_runs):
        sampler = model(seed)
        k, needed = 4, predicted_images(model(seed), delta)
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


def test_the_certificate_of_any_time_stops_by_itself():
    for seed in range(10):
        sampler, k = model(seed), 4
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


def test_what_is_next_to_a_code_needs_no_labels():
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
    shuffled = np.random.default_rng(0).permuted(codes, axis=0)  # neighbours say nothing
    assert separate_codes(code_counts(shuffled, context=(0, 1)), delta=0.01).groups.max() == 0


@given(st.integers(0, 2**32 - 1), st.sampled_from([None, (0, 1), (2, 0), (-1, 2), (1, -1)]))
def test_counts_are_counts(seed, context):
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


def test_updates_keep_the_least_p_value():
    rng = np.random.default_rng(0)
    first, second = rng.poisson(3, (2, 6, 2, 3))
    options = {"delta": 0.05, "anytime": True}
    separation = separate_codes(first, **options)
    updated = separation.update(second)
    of_all = separate_codes(first + second, **options)
    np.testing.assert_array_equal(updated.counts, of_all.counts)
    np.testing.assert_array_equal(updated.log_p, np.minimum(separation.log_p, of_all.log_p))
    assert (updated.log_p == updated.log_p.T).all()
    with pytest.raises(ValueError, match="update takes a Separation with anytime=True"):
        separate_codes(first, delta=0.05).update(second)
    with pytest.raises(ValueError, match=r"6 codes in 3 cells cannot be added to .* in 6 cells"):
        separation.update(second[:, 0])


@given(st.lists(st.floats(-12, 0), min_size=6, max_size=6))
def test_holm(log_p):
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


def test_what_is_said_of_groups():
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
def test_bad_arguments(call, message):
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
    assert not certify_classifier(clf, X, y).holds  # nobody knows how many classes there are


def test_of_photographs_it_says_that_the_test_is_a_model(digits):
    X, _, y, _ = digits
    clf = LayerwiseCNNClassifier(2, n_clusters=16, random_state=0).fit(X, y)
    certificate = certify_classifier(clf, X, y)
    assert [layer.patches_overlap for layer in certificate] == [True, True]
    assert "Patches of layer 1, 2 overlap" in repr(certificate)
    assert not certificate.holds
    with pytest.raises(ValueError, match="y of shape"):
        certify_classifier(clf, X, y[:-1])
    with pytest.raises(ValueError, match=r"X holds images of shape \(8, 7\)"):
        certify_classifier(clf, X[:, :, :7], y)
