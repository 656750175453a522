"""scikit-learn's own checks on every estimator, with default parameters and others.

None is expected to fail.
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
    LayerwiseCNNClassifier(head=DecisionTreeClassifier()),
]


# Some checks have fewer distinct samples than clusters, which is rightly warned of.
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@parametrize_with_checks(ESTIMATORS)
def test_sklearn_check(estimator, check):
    check(estimator)
