"""Parameters of LayerwiseCNNClassifier that several benchmarks share."""

from skhier import LayerwiseCNNClassifier, SphericalKMeans
from skhier import PatchKMeansOrthogonalizer as Phi

# Two blocks that reduce images of 32x32 or 28x28 pixels to 3x3.
VALID = dict(
    n_components=128,
    pool_size=[3, "thirds"],
    mirror=False,
    orthogonalizer=[Phi(padding="valid", whiten_eps=1e-2), Phi(whiten_eps=0.3)],
)

# Figure 5 of the paper: (l_1, l_2), (l_1', l_2'), bias and N. Biases are for whitened patches.
_FC = [1377, 3534], [155, 216], -0.5, 47_509
_LINEAR = [1384, 2576], [97, 211], -0.5, 32_124
_JL = [5004, 6813], [345, 407], -0.5, 57_893
_ADAM = dict(embedder__learning_rate=3e-3, embedder__max_iter=1200)
_ONE_PASS = dict(embedder__loss="linear", embedder__solver="exact")
_UNTRAINED = _ONE_PASS | dict(embedder__max_iter=0, embedder__scale_channels=False)


def make_classifier(configuration, random_state):
    """Return an unfitted classifier with the configuration of this name in CONFIGURATIONS."""
    return CONFIGURATIONS[configuration]().set_params(random_state=random_state)


def _section_6(*sizes, **params):
    kmeans = SphericalKMeans(init="random", max_iter=10, tol=1e-3)
    return LayerwiseCNNClassifier.section_6(
        *sizes, orthogonalizer__kmeans=kmeans, head="ridge", **params
    )


CONFIGURATIONS = {
    "paper, linear": lambda: _section_6(*_LINEAR, **_ADAM),
    "paper, FC": lambda: _section_6(*_FC, **_ADAM),
    "one pass, linear": lambda: _section_6(*_LINEAR, **_ONE_PASS),
    "one pass, FC": lambda: _section_6(*_FC, **_ONE_PASS),
    "clustering + JL": lambda: _section_6(*_JL, **_UNTRAINED),
    "default": LayerwiseCNNClassifier,
}
