"""scikit-learn's own checks on every estimator, in several configurations.

None is expected to fail.
"""

from sklearn.tree import DecisionTreeClassifier
from sklearn.utils.estimator_checks import parametrize_with_checks

from skhier import (
    Flatten,
    HierarchicalSampler,
    LayerwiseCNNClassifier,
    PatchKMeansOrthogonalizer,
    RidgeHead,
    SphericalKMeans,
    TwoLayerConvEmbedder,
)

ESTIMATORS = [
    Flatten(),
    HierarchicalSampler(),
    HierarchicalSampler(n_levels=1, patch_size=[(1, 2)], patches_per_class=2),
    SphericalKMeans(n_clusters=3),
    SphericalKMeans(n_clusters=3, init="random", n_init=2),
    PatchKMeansOrthogonalizer(),
    PatchKMeansOrthogonalizer(encoding="relu", whiten=True, n_patches=12),
    PatchKMeansOrthogonalizer(encoding="crelu", normalize=True, pooling="average"),
    PatchKMeansOrthogonalizer(n_clusters=2, metric="euclidean"),
    PatchKMeansOrthogonalizer(n_clusters=1, stride=1, padding="same", pool_size=2),
    TwoLayerConvEmbedder(),
    TwoLayerConvEmbedder(n_components=2, solver="gd", max_iter=10),
    TwoLayerConvEmbedder(n_components=2, scale_channels=True),
    TwoLayerConvEmbedder(n_components=2, solver="sgd", batch_size=1, max_iter=10),
    TwoLayerConvEmbedder(n_components=3, loss="cross_entropy", solver="adam", max_iter=20),
    LayerwiseCNNClassifier(),
    LayerwiseCNNClassifier(n_layers=1, head="svm", encoding="one_hot"),
    LayerwiseCNNClassifier(
        n_components=[8, 8],
        loss="cross_entropy",
        solver="adam",
        learning_rate=0.01,
        max_iter=50,
    ),
    LayerwiseCNNClassifier(encoding="crelu", normalize=True, mirror=True, head="ridge"),
    RidgeHead(),
    RidgeHead(early_stopping=True, max_iter=5),
    LayerwiseCNNClassifier(head=DecisionTreeClassifier()),
]


@parametrize_with_checks(ESTIMATORS)
def test_sklearn_check(estimator, check):
    check(estimator)
