"""scikit-learn's own checks on every estimator, with default parameters and others.

One is expected to fail, where parts of the data are drawn or set aside by index: there samples
with weights are the same as copies of them only in expectation.
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
            loss="cross_entropy", solver="adam", learning_rate=0.01, max_iter=50
        ),
    ),
    LayerwiseCNNClassifier(mirror=True),
    RidgeHead(early_stopping=True, max_iter=5),
    LayerwiseCNNClassifier(head="kernel"),
    # The check of weights of classes lets trees have no leaf of little weight.
    LayerwiseCNNClassifier(head=DecisionTreeClassifier(min_weight_fraction_leaf=0.01)),
]


def expected_failures(estimator):
    """Checks that must fail, and why."""
    params = estimator.get_params()
    why = None
    if params.get("n_patches") == 12:
        why = "patches are drawn by the index of images"
    elif type(params.get("kmeans")) in (KMeans, MiniBatchKMeans):
        why = "scikit-learn's k-means draws its first centers by index"
    elif params.get("solver") == "sgd":
        why = "batches are drawn by the index of images"
    elif params.get("early_stopping") is True:
        why = "samples are set aside by index"
    return {"check_sample_weight_equivalence_on_dense_data": why} if why else {}


# Some checks have fewer distinct samples than clusters, which is rightly warned of.
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@parametrize_with_checks(ESTIMATORS, expected_failed_checks=expected_failures)
def test_sklearn_check(estimator, check):
    check(estimator)
