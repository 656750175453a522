import numpy as np
import pytest
from numpy.testing import assert_allclose

from skhier import HierarchicalSampler
from skhier.generative._root import linear_separator


@pytest.mark.parametrize(
    ("images", "labels", "separable"),
    [
        ([[0, 0], [0, 1], [1, 0], [1, 1]], [0, 0, 0, 1], True),
        ([[0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 0], False),  # exclusive or
        ([[0, 0], [0, 0]], [0, 1], False),
        ([[0, 0], [1, 1], [2, 2]], [0, 1, 2], True),
    ],
)
def test_a_separator_is_found_if_and_only_if_one_exists(images, labels, separable):
    images = np.array(images)[:, None]
    assert (linear_separator(images, np.array(labels), 3) is not None) == separable


def test_the_separator_of_one_pixel_is_known():
    # w_0 <= -1, w_1 >= 1: norm sqrt(2).
    sampler = HierarchicalSampler(1, root="label", random_state=0).fit()
    assert_allclose(sampler.separator_.ravel(), [-1, 1])
    assert_allclose(sampler.margin_, 1 / np.sqrt(2))
    # Three labels: W_y,y - W_l,y >= 1 for both other labels l, and the columns are independent.
    # Each column has the entries 2/3, -1/3, -1/3.
    sampler = HierarchicalSampler(1, root="label", n_labels=3, random_state=0).fit()
    assert_allclose(sampler.separator_[:, :, 0, 0], np.eye(3) - 1 / 3, atol=1e-9)
    assert_allclose(sampler.margin_, 1 / np.sqrt(2))


@pytest.mark.parametrize("n_labels", [2, 3, 5])
@pytest.mark.parametrize("shape", [(1, 1), (1, 3), (2, 2)])
def test_the_separator_of_images_that_share_no_class_at_a_pixel_is_known(n_labels, shape):
    # Images of a single pixel are an example. An image x of n pixels has <x, x> = n and is
    # orthogonal to all others, so the constraints are independent. The smallest solution of
    # <W_y - W_l, x> >= 1 is W_y = (1 - 1 / n_labels) x / n and W_l = -x / (n_labels n). For two
    # labels, y = -1 and 1, it is w = y x / n.
    labels = np.repeat(np.arange(n_labels), 2)[1:]  # one label has one image only
    images = np.arange(len(labels))[:, None] + np.arange(np.prod(shape))
    images = images.reshape(-1, *shape) % 16
    separator = linear_separator(images, labels, 16)
    one_hot = (images[:, None] == np.arange(16)[:, None, None]) / np.prod(shape)
    targets = 2 * labels - 1 if n_labels == 2 else np.eye(n_labels)[:, labels] - 1 / n_labels
    assert_allclose(separator, np.tensordot(targets, one_hot, axes=1), atol=1e-12)


def test_the_closed_form_is_the_solution_of_the_solver(monkeypatch):
    rng = np.random.default_rng(0)
    for n_labels in (2, 4):
        labels = np.r_[np.arange(n_labels), rng.integers(n_labels, size=9)]
        images = rng.permutation(20)[: len(labels)].reshape(-1, 1, 1)
        closed_form = linear_separator(images, labels, 20)
        with monkeypatch.context() as patched:
            patched.setattr("skhier.generative._root._are_orthogonal", lambda columns: False)
            assert_allclose(linear_separator(images, labels, 20), closed_form, atol=1e-9)


def test_the_separator_of_many_labels_of_one_pixel_is_immediate():
    sampler = HierarchicalSampler(1, root="label", n_labels=300, random_state=0).fit()
    separator = sampler.separator_[:, :, 0, 0]
    assert_allclose(separator, np.eye(300) - 1 / 300, atol=1e-12)


def test_labels_that_are_not_separable_are_reported():
    X = np.array([[[0, 0]], [[1, 1]], [[0, 1]], [[1, 0]]])
    sampler = HierarchicalSampler(random_state=0).fit(X, [0, 0, 1, 1])
    assert sampler.separator_ is None
    assert sampler.margin_ == 0
    first = sampler.check_assumptions()[0]
    assert not first.holds
    assert "no separator exists" in first.evidence


def test_a_separator_of_many_images_separates_them():
    # There are 400 constraints; at most 64 are added at a time.
    rng = np.random.default_rng(0)
    X = rng.integers(3, size=(400, 5, 5))
    labels = (X[:, 0, 0] == 1).astype(int)
    separator = linear_separator(X, labels, 3)
    scores = (np.eye(3)[X].transpose(0, 3, 1, 2) * separator).sum(axis=(1, 2, 3))
    assert ((2 * labels - 1) * scores).min() > 1 - 1e-6
    assert np.linalg.norm(separator) < np.sqrt(3)  # the norm of w = (-1, 1, -1) at one pixel


LABELS = {"n_labels": 3, "n_root_images": 2, "patches_per_class": 3, "random_state": 0}
PRIOR = np.array([0.6, 0.3, 0.1])


def with_prior(**params):
    """Return samplers with and without a prior of labels, of the same patches."""
    uniform = HierarchicalSampler(**LABELS, **params).fit()
    return HierarchicalSampler(**LABELS, **params, label_probabilities=PRIOR).fit(), uniform


def test_a_prior_of_labels_changes_posteriors_by_the_formula_of_bayes():
    sampler, uniform = with_prior(pixel_noise=2.0, symbol_noise=0.2)
    X, _ = uniform.sample(20)
    joint = uniform.bayes_predict_proba(X) * PRIOR * 3
    assert_allclose(sampler.bayes_predict_proba(X), joint / joint.sum(axis=1, keepdims=True))
    ratio = sampler.score_samples(X) - uniform.score_samples(X)
    assert_allclose(ratio, np.log(joint.sum(axis=1)))


def test_statistics_given_the_label_do_not_depend_on_its_prior_but_their_weights_do():
    sampler, uniform = with_prior(symbol_noise=0.2)
    exact, expected = sampler.statistics(), uniform.statistics()
    for level, (found, other) in enumerate(zip(exact.levels, expected.levels)):
        given = other.class_frequencies  # label, class, row, column
        assert_allclose(found.class_frequencies, given)
        joint = PRIOR[:, None, None, None] * given
        F = joint.swapaxes(0, 1) - joint.sum(axis=0)[:, None] / 3  # E[(1{y = l} - 1/3) 1{X = c}]
        assert_allclose(found.labeled_frequencies, F, atol=1e-15)
        pairs = sampler.pair_frequencies(level, (0, 0))
        assert_allclose(pairs.sum(axis=2), joint.sum(axis=0).transpose(1, 2, 0), atol=1e-12)
        factors = np.array([0.5, 1.5, 1, 0.8]).reshape(4, 1, 1)
        product = uniform.expected_product(level, factors)
        assert_allclose(sampler.expected_product(level, factors), product)
    p = PRIOR[np.searchsorted(sampler.classes_, sampler.root_labels_)] / 2
    clean, _ = with_prior()
    assert_allclose(clean.statistics().entropy[0], -(p * np.log(p)).sum())


def test_labels_are_drawn_by_their_prior_and_then_replaced():
    sampler, _ = with_prior(label_noise=0.2)
    _, y = sampler.sample(40_000)
    observed = 0.8 * PRIOR + 0.1 * (1 - PRIOR)
    share = (y[:, None] == sampler.classes_).mean(axis=0)
    assert (abs(share - observed) < 5 * np.sqrt(observed / 40_000)).all()
    # P(class | observed label) is a mean over labels, with their posterior weights.
    given = HierarchicalSampler(**LABELS).fit().statistics().levels[0].class_frequencies
    joint = np.where(np.eye(3), 0.8, 0.1) * PRIOR
    expected = np.tensordot(joint / joint.sum(axis=1, keepdims=True), given, axes=1)
    assert_allclose(sampler.statistics().levels[0].class_frequencies, expected)


@pytest.mark.parametrize("prior", [[0.5, 0.5], [0.5, 0.5, 0.0], [1, 1, 1], [2, -0.5, -0.5], "abc"])
def test_wrong_priors_are_refused(prior):
    with pytest.raises(ValueError, match="label_probabilities"):
        HierarchicalSampler(**LABELS, label_probabilities=prior).fit()
