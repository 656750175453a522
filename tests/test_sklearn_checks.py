"""scikit-learn's checks of every estimator, with default parameters and others.

One check is expected to fail where samples are drawn or set aside by index: there a sample of
weight two equals two copies only in expectation.
"""

import pytest
from sklearn.cluster import KMeans, MiniBatchKMeans
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils.estimator_checks import parametrize_with_checks

import skhier
from skhier import (
    HierarchicalSampler,
    LayerwiseCNNClassifier,
    PatchKMeansOrthogonalizer,
    RidgeHead,
    SphericalKMeans,
    TwoLayerConvEmbedder,
)

ESTIMATORS = [getattr(skhier, name)() for name in skhier.__all__] + [
    HierarchicalSampler(n_levels=1, patch_size=[(1, 2)], patches_per_class=2),
    SphericalKMeans(n_clusters=3),
    SphericalKMeans(n_clusters=3, init="random", n_init=2),
    PatchKMeansOrthogonalizer(encoding="relu", normalize=False, n_patches=12),
    PatchKMeansOrthogonalizer(encoding="one_hot", whiten_eps=None, pooling="max"),
    PatchKMeansOrthogonalizer(n_clusters=2, kmeans=KMeans()),
    PatchKMeansOrthogonalizer(n_clusters=3, kmeans=MiniBatchKMeans()),
    PatchKMeansOrthogonalizer(n_clusters=1, stride=None, padding="valid", pool_size=2),
    TwoLayerConvEmbedder(n_components=2, solver="gd", max_iter=10),
    TwoLayerConvEmbedder(n_components=2, solver="svd"),
    TwoLayerConvEmbedder(n_components=1, solver="kmeans"),
    TwoLayerConvEmbedder(n_components=1, solver="counts"),
    TwoLayerConvEmbedder(n_components=2, scale_channels=False),
    TwoLayerConvEmbedder(n_components=2, solver="sgd", batch_size=1, max_iter=10),
    TwoLayerConvEmbedder(n_components=3, loss="cross_entropy", solver="adam", max_iter=20),
    LayerwiseCNNClassifier(
        n_layers=1, head="svm", orthogonalizer=PatchKMeansOrthogonalizer(encoding="one_hot")
    ),
    LayerwiseCNNClassifier(
        n_components=[8, 8],
        orthogonalizer=[PatchKMeansOrthogonalizer(kmeans=SphericalKMeans()), None],
        embedder=TwoLayerConvEmbedder(
            loss="cross_entropy", solver="adam", learning_rate=0.05, max_iter=10
        ),
    ),
    RidgeHead(early_stopping=True, max_iter=5),
    LayerwiseCNNClassifier(head="kernel", mirror=True),
    # scikit-learn's check of class weights sets this parameter where it finds it, which it does
    # not in a part.
    LayerwiseCNNClassifier(head=DecisionTreeClassifier(min_weight_fraction_leaf=0.01)),
]


def expected_failures(estimator):
    """Return the checks that must fail for an estimator, with the reason."""
    params = estimator.get_params()
    reason = None
    if params.get("n_patches") == 12:
        reason = "patches are drawn by the index of images"
    elif type(params.get("kmeans")) in (KMeans, MiniBatchKMeans):
        reason = "scikit-learn's k-means draws its first centers by index"
    elif params.get("solver") == "sgd":
        reason = "batches are drawn by the index of images"
    elif params.get("early_stopping") is True:
        reason = "samples are set aside by index"
    return {"check_sample_weight_equivalence_on_dense_data": reason} if reason else {}


# Checks with fewer distinct samples than clusters cause this warning, as they should.
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@parametrize_with_checks(ESTIMATORS, expected_failed_checks=expected_failures)
def test_estimators_pass_the_checks_of_scikit_learn(estimator, check):
    check(estimator)
