import numpy as np
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from strategies import batches_of_images, point_clouds, seeds

from skhier import PatchKMeansOrthogonalizer, SphericalKMeans
from skhier.clustering._lloyd import count_distinct_directions


def assume_k_directions(X, k):
    """Discard a case unless X has at least k distinct directions."""
    assume(count_distinct_directions(X, k) >= k)


@given(point_clouds(), st.integers(1, 6), st.sampled_from(["k-means++", "random"]), seeds)
def test_inertia_never_rises(X, k, init, seed):
    assume_k_directions(X, k)
    km = SphericalKMeans(k, init=init, tol=0, random_state=seed % 2**32).fit(X)
    assert (np.diff(km.inertia_curve_) <= 0).all()
    assert km.inertia_ == km.inertia_curve_[-1]


@given(point_clouds(), st.integers(1, 6), seeds)
def test_centers_are_unit_vectors_and_every_cluster_has_a_sample(X, k, seed):
    assume_k_directions(X, k)
    km = SphericalKMeans(k, random_state=seed).fit(X)
    assert_allclose(np.linalg.norm(km.cluster_centers_, axis=1), 1)
    assert len(np.unique(km.labels_[X.any(axis=1)])) == k


@given(point_clouds(), st.integers(1, 4), seeds, seeds)
def test_integer_weights_are_repetitions(X, k, seed, weight_seed):
    weight = np.random.default_rng(weight_seed).integers(4, size=len(X))
    assume_k_directions(X[weight > 0], k)
    weighted = SphericalKMeans(k, random_state=seed).fit(X, sample_weight=weight)
    repeated = SphericalKMeans(k, random_state=seed).fit(X.repeat(weight, axis=0))
    assert_allclose(weighted.inertia_, repeated.inertia_, rtol=1e-6, atol=1e-9)


@given(batches_of_images(), st.data())
def test_codes_are_equal_within_and_orthogonal_between_clusters(X, data):
    _, height, width, _ = X.shape
    patch = data.draw(st.tuples(st.integers(1, height), st.integers(1, width)))
    phi = PatchKMeansOrthogonalizer(
        patch_size=patch, stride=None, encoding="one_hot", pool_size=1, random_state=0
    ).fit(X)
    labels = phi.predict(X).ravel()
    codes = phi.transform(X).reshape(len(labels), -1)
    assert_array_equal(codes @ codes.T, labels[:, None] == labels)


@given(batches_of_images(), st.data())
def test_relu_codes_are_zero_where_the_cosine_is_small(X, data):
    bias = data.draw(st.floats(-3, 0))
    phi = PatchKMeansOrthogonalizer(
        patch_size=1,
        encoding="relu",
        bias=bias,
        normalize=False,
        pool_size=1,
        whiten_eps=None,
        random_state=0,
    ).fit(X)
    responses = X @ phi.kernels_[:, 0, 0].T
    assert_array_equal(phi.transform(X) > 0, responses + bias > 0)
