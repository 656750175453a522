"""Groups by counts: the lemma of k-means, the theorem's parts and its number, the prediction.

Counts are simulated from the tables of the model, without the exact statistics of the sampler.
"""

from itertools import product
from math import log

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp
from scipy.stats import binom
from test_required_samples import draw_codes, draw_counts, small_model

from skhier import HierarchicalSampler
from skhier.datasets import make_random_hierarchy
from skhier.embedding._factors import find_groups
from skhier.theory import grouping_probability, necessary_samples, required_samples
from skhier.theory._cells import cell_probabilities
from skhier.theory._counts import _signal_moments, class_weights, noise_moments
from skhier.theory._grouping import _seen_in_full


def averages(groups):
    """Return X of a partition: 1 / size for two points of one group, else 0."""
    same = groups[:, None] == groups
    return same / same.sum(axis=1)


@pytest.mark.parametrize(("n_classes", "k"), [(2, 2), (2, 3), (2, 4), (3, 2), (3, 3), (4, 2)])
def test_classes_are_the_best_groups_if_distances_between_them_are_large_enough(n_classes, k):
    # The cost of a partition is <X, D> / 2. Less v^2 for all pairs of points, distances within
    # classes are from 0 to w^2 - v^2, and between classes at least b^2 - v^2. The worst distances
    # are w^2 - v^2 where X of the classes is larger and 0 where it is smaller.
    classes = np.arange(n_classes * k) // k
    same, X_0 = classes[:, None] == classes, averages(classes)
    ratios = []
    for others in product(range(n_classes), repeat=n_classes * k - 1):
        X = averages(np.array([0, *others]))
        between = X[~same].sum()
        if between > 0:
            off_diagonal = same & ~np.eye(len(X), dtype=bool)
            ratios.append((X_0 - X)[off_diagonal].clip(min=0).sum() / between)
    assert 0.5 < max(ratios) < 2


@pytest.mark.parametrize("spread", [0.0, 0.3, 1.5])
@pytest.mark.parametrize(("n_classes", "k"), [(2, 3), (2, 4), (3, 2)])
def test_weighted_classes_are_the_best_groups_if_distances_between_them_are_large_enough(
    n_classes, k, spread
):
    # S / epsilon of the proof for all partitions, and the cost of noise in proportion to 1 / w.
    classes = np.arange(n_classes * k) // k
    same, off_diagonal = classes[:, None] == classes, ~np.eye(n_classes * k, dtype=bool)
    w = np.exp(spread * np.random.default_rng(k).standard_normal(n_classes * k))
    products, noise = np.outer(w, w), (1 / w[:, None] + 1 / w) * off_diagonal
    of_classes = np.bincount(classes, w)
    X_0 = same / of_classes[classes]
    bound = 1.5 + max(1, of_classes.max() / of_classes.min() / 2)
    ratios = []
    for others in product(range(n_classes), repeat=n_classes * k - 1):
        groups = np.array([0, *others])
        X = (groups[:, None] == groups) / np.bincount(groups, w)[groups]
        n_groups = len(np.unique(groups))
        assert_allclose((X * products * noise).sum() / 2, n_classes * k - n_groups)
        epsilon = (X * products)[~same].sum()
        if epsilon > 1e-12:
            S = ((X_0 - X).clip(min=0) * products)[same & off_diagonal].sum()
            ratios.append(S / epsilon)
    assert 0.2 * bound < max(ratios) < bound


def test_moments_of_the_noise_are_exact_or_bounds():
    rates = -1.5, -0.2, 0.2, 0.5
    bounds = noise_moments(rates)

    def exact(m):
        a, u = np.arange(m + 1), np.array(rates)[:, None]
        T = (np.sqrt(a) - np.sqrt(m - a)) ** 2
        return logsumexp(binom.logpmf(a, m, 0.5) + u * T, axis=1)

    some = [0, 1, 2, 5, 17, 60, 300, 1000, 1001, 1500, 4000]
    table = np.array([exact(m) for m in some])
    for least in some:  # a bound for all m from `least` on
        larger = table[np.array(some) >= least]
        assert (larger <= bounds[:, min(least, 1001)] + 1e-9).all()
    assert_allclose(exact(1001), bounds[:, 1001], rtol=0.1)  # and no loose one
    assert_allclose(np.maximum(exact(1), exact(2))[2:], bounds[2:, 1], rtol=0.1)
    assert_allclose(exact(60), bounds[:, 60], rtol=0.05)


def test_weighted_counts_are_a_lower_bound_that_is_reached_in_proportion():
    cells = cell_probabilities(small_model(n_semantic_classes=3), 1)
    (c, e), r = cells.pairs, cells.probabilities
    first, second = class_weights(cells)
    n = np.random.default_rng(0).poisson(3, size=(50, *first.shape))
    m = np.random.default_rng(1).poisson(3, size=(50, *first.shape))
    n, m = n * (r[c] > 0), m * (r[e] > 0)  # a class that does not occur is not counted
    assert (n * first + m * second <= (np.sqrt(n) - np.sqrt(m)) ** 2 + 1e-12).all()
    distance = (np.sqrt(r[c]) - np.sqrt(r[e])) ** 2
    assert_allclose(r[c] * first + r[e] * second, distance, atol=1e-15)


@pytest.mark.parametrize("labels", [True, False])
def test_exponential_moments_of_weighted_counts_are_the_means_of_samples(labels):
    sampler, n = small_model(), 20_000
    cells = cell_probabilities(sampler, 1, labels)
    first, second = class_weights(cells)
    log_moments, rates = _signal_moments(sampler, 1, cells)
    codes, label = draw_codes(sampler, 1, n, seed=3)
    label = label if labels else 0 * label
    for i, (c, e) in enumerate(zip(*cells.pairs)):
        a, b = c * cells.k, e * cells.k + 1  # two codes
        Y = ((codes == a) * first[i, label] + (codes == b) * second[i, label]).sum(axis=1)
        for log_moment, rate in zip(log_moments[i, ::5], rates[i, ::5]):
            values = np.exp(-rate * Y)
            error = values.std() / np.sqrt(n)
            assert abs(values.mean() - np.exp(log_moment)) < 5 * error + 1e-9


def test_the_proved_number_is_the_least_that_meets_the_theorem():
    # The condition of the theorem, pair by pair, with the best rates in place of grids of rates.
    sampler, delta = small_model(n_semantic_classes=3), 0.1
    k, C, L = 3, 3, 2
    r = sampler.statistics().levels[1].class_frequencies / L  # label, class, row, column
    n_within, n_between = C * k * (k - 1) / 2, C * (C - 1) / 2 * k**2
    x = log(2 * (2 * n_within + n_between) / delta)

    def extreme(N, c, sign):
        least = binom.ppf(delta / (2 * n_within * r[:, c].size), N, 2 * r[:, c] / k)
        least = least.astype(int).ravel()

        def value(log_u):
            u = sign * np.exp(log_u)
            moments = [
                np.log((binom.pmf(a := np.arange(m + 1), m, 0.5)
                        * np.exp(u * (np.sqrt(a) - np.sqrt(m - a)) ** 2)).sum())
                for m in range(max(least) + 30)
            ]  # fmt: skip
            bounds = np.maximum.accumulate(moments[::-1])[::-1]
            return (bounds[least].sum() + x) / np.exp(log_u)

        bounds = -4, log(0.5) if sign > 0 else log(3)
        return (
            sign
            * minimize_scalar(value, bounds=bounds, method="bounded", options={"xatol": 0.1}).fun
        )

    def signal(N, c, e):
        both = (r[:, c] > 0) & (r[:, e] > 0)
        s = np.sqrt(np.where(both, r[:, e], 1) / np.where(both, r[:, c], 1))
        weights = np.where(both, 1 - s, r[:, c] > 0), np.where(both, 1 - 1 / s, r[:, e] > 0)

        def minus_B(log_rate):
            rate, moment = np.exp(log_rate), 0.0
            for label in range(L):
                factors = np.ones((C, 4, 4))
                factors[c] += (np.exp(-rate * weights[0][label]) - 1) / k
                factors[e] += (np.exp(-rate * weights[1][label]) - 1) / k
                moment += sampler.expected_product(1, factors)[label] / L
            return (N * np.log(moment) + x) / rate

        return -minimize_scalar(minus_B, bounds=(-6, 1), method="bounded").fun

    def holds(N):
        w2 = max(extreme(N, c, 1) for c in range(C))
        v2 = min(max(0, extreme(N, c, -1)) for c in range(C))
        return min(signal(N, *pair) for pair in [(0, 1), (0, 2), (1, 2)]) > 2 * w2 - v2

    N = required_samples(sampler, delta, "rigorous_counts", level=1)
    assert holds(N)
    assert not holds(int(0.98 * N))


def is_grouped(counts, k, method="counts"):
    """Whether groups of counts (label, code, position) or of class means are the classes."""
    points = counts - counts.mean(axis=0) if method == "cluster" else np.sqrt(counts)
    points = points.swapaxes(0, 1).reshape(counts.shape[1], -1)
    groups = find_groups(points, None, len(points) // k, np.random.RandomState(0)).reshape(-1, k)
    return (groups == groups[:, :1]).all() and len(np.unique(groups[:, 0])) == len(groups)


@pytest.mark.parametrize(
    ("params", "method"),
    [({}, "cluster"), ({}, "counts"), ({"patches_per_class": 2, "n_labels": 3}, "cluster")],
)
def test_the_predicted_rate_is_near_the_measured_one(params, method):
    sampler, n_runs = small_model(**params), 20
    k = sampler.patches_[1].shape[1]
    for delta in (0.7, 0.3):
        n = required_samples(sampler, delta, method, level=1)
        runs = draw_counts(sampler, 1, n, n_runs, seed=n)
        rate = sum(is_grouped(run, k, method) for run in runs) / n_runs
        predicted = grouping_probability(sampler, 1, n_samples=n, method=method)
        assert abs(rate - predicted) < 0.25 + 2 * np.sqrt(predicted * (1 - predicted) / n_runs)


def test_the_predicted_rate_is_the_measured_one_where_codes_are_seen_a_few_times():
    # Each class is in a few cells only. With normal tails 0.98 is predicted.
    sampler = make_random_hierarchy(
        1, n_classes=5, vocabulary_size=8, n_synonyms=3, depth=2, return_X_y=False, random_state=23
    ).sampler
    n, n_runs = 170, 60
    predicted = grouping_probability(sampler, 1, n_samples=n)
    rate = np.mean([is_grouped(run, 3) for run in draw_counts(sampler, 1, n, n_runs, seed=0)])
    assert abs(rate - predicted) < 3.5 * np.sqrt(predicted * (1 - predicted) / n_runs)


def test_a_third_class_of_large_noise_is_split_where_two_classes_are_alike():
    # Class 2 is at every position more often than classes 0 and 1, which differ at the first one.
    def success(n_frequent):
        roots = [[0, 1] + [2] * n_frequent, [1, 0] + [2] * n_frequent]
        sampler = HierarchicalSampler(1, n_semantic_classes=3, patches_per_class=4, patch_size=1)
        return grouping_probability(
            sampler.fit([*roots, roots[0]], [0, 1, 0]), 0, n_samples=100, method="cluster"
        )

    assert success(1) > 0.9
    assert success(200) < 0.1


@pytest.mark.parametrize(("params", "labels"), [({}, True), ({"n_labels": 3}, True), ({}, False)])
def test_classes_are_found_at_the_proved_number_and_about_as_often_as_predicted(params, labels):
    sampler, delta, n_runs, k = small_model(**params), 0.1, 16, 3
    options = {"level": 1, "labels": labels}
    proved = required_samples(sampler, delta, "rigorous_counts", **options)
    predicted = required_samples(sampler, delta, "counts", **options)
    found = {}
    for n in (proved, 2 * predicted, predicted // 2):
        counts = draw_counts(sampler, 1, n, n_runs, seed=n)
        counts = counts if labels else counts.sum(axis=1, keepdims=True)
        found[n] = sum(is_grouped(run, k) for run in counts)
    # At a rate of 1 - delta, fewer with probability 1e-4.
    fewest = binom.ppf(1e-4, n_runs, 1 - delta)
    assert found[proved] >= fewest
    assert found[2 * predicted] >= fewest
    assert found[predicted // 2] < n_runs * (1 - delta)
    assert predicted < proved < 30 * predicted


def test_probabilities_grow_with_images_and_are_those_of_the_required_number():
    sampler = small_model()
    for method in ("counts", "cluster"):
        for delta in (0.5, 0.1, 0.001):
            n = required_samples(sampler, delta, method, level=1)
            at = [grouping_probability(sampler, 1, n_samples=m, method=method) for m in (n - 1, n)]
            assert at[0] < 1 - delta <= at[1]
    assert grouping_probability(small_model(patches_per_class=1), 1, n_samples=1) == 1
    pixels = necessary_samples(sampler, 0.05, "pixels", level=1)
    assert pixels <= required_samples(sampler, 0.05, "rigorous_counts", level=1)


def test_codes_that_are_not_seen_are_not_grouped():
    # One position: an image shows one of 2 x 3 codes.
    sampler = HierarchicalSampler(
        2, n_semantic_classes=3, patches_per_class=[3, 2], patch_size=(1, 2), root="label",
        random_state=0,
    ).fit()  # fmt: skip
    for method in ("counts", "cluster"):
        p = [grouping_probability(sampler, 0, n_samples=n, method=method) for n in range(1, 30)]
        assert_allclose(p[:2], 0, atol=1e-12)  # four codes are not seen, or more
        assert (np.diff(p) >= -1e-12).all()
    # All 3 codes of one class have to be seen. A fourth image shows another class, or one again.
    for n, words in ((3, 6), (4, 3 * 24 + 3 * 12)):
        p = grouping_probability(sampler, 0, n_samples=n)
        assert_allclose(p, 2 * words / 6**n)
        runs = draw_counts(sampler, 0, n, 200, seed=n)
        assert sum(is_grouped(run, 3) for run in runs) <= binom.isf(1e-6, 200, p)


def test_all_of_many_codes_are_seen_with_the_probability_of_simulations():
    for k in (6, 29, 60):
        sampler, n = small_model(patches_per_class=k), 3 * k
        seen = _seen_in_full(sampler, 0, cell_probabilities(sampler, 0))
        counts = draw_counts(sampler, 0, n, 1000, seed=k).any(axis=(1, 3)).reshape(1000, -1, k)
        rate = counts[:, :, :30].all(axis=2).mean(axis=0)
        assert (np.abs(rate - seen(n)) < 5 * np.sqrt(seen(n) * (1 - seen(n)) / 1000) + 1e-9).all()
        assert (np.diff([seen(n) for n in range(1, 4 * k)], axis=0) > -1e-6).all()


@pytest.mark.parametrize("method", ["counts", "cluster"])
def test_risks_down_to_the_least_float_need_more_images(method):
    sampler = HierarchicalSampler(patches_per_class=4, random_state=0).fit()
    risks = [1e-3, 1e-15, 3e-16, 1e-17, 1e-50, 5e-324]
    numbers = [required_samples(sampler, risk, method, level=1) for risk in risks]
    assert numbers == sorted(numbers)
    assert numbers[2] < numbers[3] < numbers[4] < numbers[5]
    for n in (10**15, 10**18, 10**30):
        assert grouping_probability(sampler, 1, n_samples=n, method=method) == 1


def test_counts_tell_classes_that_class_means_do_not():
    # Labels are independent of the root, whose first position shows class 0 more often.
    sampler = HierarchicalSampler(1, n_semantic_classes=2, patches_per_class=3, patch_size=1)
    sampler.fit([[0, 1], [0, 0], [1, 1], [0, 1], [0, 0], [1, 1]], [0, 0, 0, 1, 1, 1])
    message = "classes of level 0 have the same labeled frequencies"
    for method in ("cluster", "snr", "rigorous"):
        with pytest.raises(ValueError, match=message):
            required_samples(sampler, method=method, level=0)
    for labels in (True, False):
        for method in ("counts", "rigorous_counts"):
            assert required_samples(sampler, method=method, level=0, labels=labels) > 1


def test_labels_can_be_left_out_where_positions_tell_the_classes_of_one_level():
    sampler = small_model()
    with pytest.raises(ValueError, match="labels=False is not valid for method='cluster'"):
        required_samples(sampler, method="cluster", level=1, labels=False)
    with pytest.raises(ValueError, match="labels=False needs a level"):
        required_samples(sampler, method="counts", labels=False)
    with pytest.raises(ValueError, match="labels=2 is not valid"):
        required_samples(sampler, method="counts", level=1, labels=2)
    one = HierarchicalSampler(1, n_semantic_classes=2, patches_per_class=3, patch_size=1)
    one.fit([[0, 0], [1, 1]], [0, 1])
    message = "classes of level 0 have the same frequencies at all positions"
    for method in ("counts", "rigorous_counts"):
        assert required_samples(one, method=method, level=0) > 1
        with pytest.raises(ValueError, match=message):
            required_samples(one, method=method, level=0, labels=False)
    with pytest.raises(ValueError, match=message):
        grouping_probability(one, 0, n_samples=9, labels=False)
    with pytest.raises(ValueError, match="labels=False is not valid for method='cluster'"):
        grouping_probability(sampler, 1, n_samples=9, labels=False, method="cluster")
    with pytest.raises(ValueError, match="method='svd' is not valid: it takes 'counts' or "):
        grouping_probability(sampler, 1, n_samples=9, method="svd")
