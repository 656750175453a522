"""Every estimator on little data, for tests that fit it many times."""

from typing import NamedTuple

import numpy as np
from sklearn.callback import CallbackSupportMixin
from sklearn.cluster import KMeans

from skhier import (
    Flatten,
    HierarchicalSampler,
    KernelRidgeHead,
    LayerwiseCNNClassifier,
    PatchKMeansOrthogonalizer,
    RidgeHead,
    SphericalKMeans,
    TwoLayerConvEmbedder,
)

_rng = np.random.default_rng(0)
IMAGES, LABELS = _rng.standard_normal((40, 6, 6, 1), dtype=np.float32), np.arange(40) % 2
ROWS = IMAGES.reshape(40, -1)
SEMANTIC = np.array([[[0, 1], [1, 0]], [[1, 1], [0, 0]], [[0, 0], [1, 1]], [[1, 0], [0, 1]]])
_EARLY = {"early_stopping": True, "validation_fraction": 0.25, "random_state": 0}


class Case(NamedTuple):
    """Unfitted estimator, the arguments of its `fit`, and the method that gives its results."""

    estimator: object
    data: tuple
    method: str = "transform"

    @property
    def has_callbacks(self):
        """Whether the estimator supports callbacks."""
        return isinstance(self.estimator, CallbackSupportMixin)

    def other_data(self):
        """Return data of another shape, on which an earlier fit has other results."""
        return tuple(part[:, :-1] if part.ndim > 1 else part for part in self.data)

    def results(self, estimator, data):
        """Return the results of the fitted estimator as bytes."""
        if isinstance(estimator, HierarchicalSampler):
            return b"".join(part.tobytes() for part in estimator.sample(20, random_state=0))
        return getattr(estimator, self.method)(data[0]).tobytes()


def _patches(**params):
    params = {"n_clusters": 6, "random_state": 0, "precision": "float32"} | params
    return PatchKMeansOrthogonalizer(**params)


def _embedder(solver, n_components=3, data=IMAGES, **params):
    params |= {"solver": solver, "batch_size": 16, "random_state": 0}
    return Case(TwoLayerConvEmbedder(n_components, **params), (data, LABELS))


def _classifier(**params):
    sizes = {"n_layers": 2, "n_clusters": 6, "n_components": 3}
    fixed = {**sizes, "random_state": 0, "precision": "float32"}
    return Case(LayerwiseCNNClassifier(**fixed | params), (IMAGES, LABELS), "decision_function")


CASES = {
    "flatten": Case(Flatten(), (IMAGES,)),
    "sampler": Case(HierarchicalSampler(patches_per_class=3, random_state=0), ()),
    "sampler of data": Case(
        HierarchicalSampler(1, patch_size=2, patches_per_class=2, random_state=0),
        (SEMANTIC, np.arange(4) % 2),
    ),
    "k-means": Case(SphericalKMeans(5, n_init=2, random_state=0), (ROWS,)),
    "patches": Case(_patches(), (IMAGES,)),
    "patches, KMeans": Case(_patches(kmeans=KMeans(max_iter=5, n_init=1)), (IMAGES,)),
    "exact": _embedder("exact"),
    "svd": _embedder("svd"),
    "kmeans": _embedder("kmeans", 1),  # at most one group for each channel
    "counts": _embedder("counts", 1, np.abs(IMAGES)),
    "gd": _embedder("gd", max_iter=5),
    "sgd": _embedder("sgd", max_iter=9, loss="cross_entropy"),
    "adam": _embedder("adam", max_iter=9, loss="cross_entropy", early_stopping=True),
    "ridge": Case(RidgeHead(max_iter=10, **_EARLY), (ROWS, LABELS), "decision_function"),
    "kernel": Case(KernelRidgeHead(max_iter=10), (ROWS, LABELS), "decision_function"),
    "centers": Case(
        KernelRidgeHead(n_centers=9, random_state=0), (ROWS, LABELS), "decision_function"
    ),
    "classifier": _classifier(mirror=True),
    "classifier, choices": _classifier(n_layers="auto"),
    "classifier in files": Case(
        LayerwiseCNNClassifier(
            n_layers=2,
            n_clusters=6,
            pool_size=1,
            n_components=16,
            memory_limit="1MB",
            orthogonalizer=PatchKMeansOrthogonalizer(n_patches=50),
            embedder=TwoLayerConvEmbedder(
                solver="adam", loss="cross_entropy", batch_size=16, max_iter=4
            ),
            head=RidgeHead(0.3, early_stopping=True),
            mirror=False,
            precision="float32",
            random_state=0,
        ),
        (np.tile(IMAGES, (5, 1, 1, 1)), np.tile(LABELS, 5)),
        "decision_function",
    ),
    "classifier, svm": _classifier(n_layers=1, head="svm"),
}
