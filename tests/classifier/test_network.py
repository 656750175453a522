"""The torch network of a classifier, compared with the classifier."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from scipy.special import softmax
from sklearn.cluster import KMeans
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skhier import LayerwiseCNNClassifier, RidgeHead
from skhier import PatchKMeansOrthogonalizer as Phi

SMALL = {"n_layers": 2, "n_clusters": 12, "n_components": 5, "random_state": 0}


def make(**params):
    return LayerwiseCNNClassifier().set_params(**SMALL | params)


def outputs(clf, X):
    """Return the outputs of the network of a classifier, for images with channels last."""
    X = X[..., None] if X.ndim == 3 else X
    x = torch.from_numpy(np.ascontiguousarray(X.transpose(0, 3, 1, 2)))
    return clf.to_torch()(x).detach().numpy()


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"n_layers": 1, "patch_size": 5, "orthogonalizer__stride": 3},
        {"n_components": [5, 6], "orthogonalizer": [None, Phi(bias=0.1)], "pool_size": [3, 1]},
        {"patch_size": [2, (3, 2)]},
        {
            "patch_size": 3,
            "orthogonalizer": [Phi(padding=0), Phi(padding=(1, 0), whiten_eps=None)],
            "pool_size": 2,
        },
        {"head": "svm"},
        {"orthogonalizer__normalize": False, "pool_size": [2, 3]},
        {"orthogonalizer": [Phi(encoding="relu", pooling="max"), None]},
        {"orthogonalizer__kmeans": KMeans(), "embedder__scale_channels": False},
        {"orthogonalizer__encoding": "one_hot"},
        {"orthogonalizer__encoding": "one_hot", "embedder__solver": "kmeans", "pool_size": 1},
        {"mirror": True},
    ],
    ids=str,
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_network_equals_the_classifier(few_digits, params, dtype):
    X, _, y, _ = few_digits
    X = X.astype(dtype)
    precision = "float32" if dtype == np.float32 else "auto"
    clf = make(precision=precision, **params).fit(X, y)
    tolerance = 1e-3 if dtype == np.float32 else 1e-9
    assert_allclose(outputs(clf, X), clf.decision_function(X), rtol=tolerance, atol=tolerance)


@pytest.mark.usefixtures("fast_bfloat16")
def test_network_of_a_bfloat16_classifier_has_its_scores_to_rounding(few_digits):
    X, _, y, _ = few_digits
    X = X.astype(np.float32)
    clf = make(precision="bfloat16").fit(X, y)
    scores = clf.decision_function(X)
    difference = outputs(clf, X) - scores
    assert 0 < np.sqrt((difference**2).mean()) < 0.03 * scores.std()
    assert (outputs(clf, X).argmax(axis=1) == scores.argmax(axis=1)).mean() > 0.99


def test_network_of_color_images_and_two_labels_equals_the_classifier(images):
    X, y = images
    clf = make().fit(X, y)
    assert_allclose(outputs(clf, X)[:, 0], clf.decision_function(X), atol=1e-9)


def test_outputs_of_an_mlp_head_are_logits(few_digits):
    X, _, y, _ = few_digits
    clf = make(n_layers=1, head="mlp").fit(X, y)
    assert_allclose(softmax(outputs(clf, X), axis=1), clf.predict_proba(X), atol=1e-6)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("scales", [{"with_mean": False}, {"with_std": False}, {}], ids=str)
@pytest.mark.parametrize("final", [LogisticRegression(), MLPClassifier(8, max_iter=20)])
def test_scalers_before_a_head_are_part_of_the_network(few_digits, scales, final):
    X, _, y, _ = few_digits
    clf = make(n_layers=1, head=make_pipeline(StandardScaler(**scales), final))
    clf.fit(X, y)
    assert_allclose(softmax(outputs(clf, X), axis=1), clf.predict_proba(X), atol=1e-6)


def test_network_has_standard_modules_that_can_be_trained(few_digits):
    X, _, y, _ = few_digits
    clf = make(orthogonalizer=[Phi(normalize=False, pooling="max"), Phi(normalize=False)])
    network = clf.fit(X, y).to_torch()
    layer_1 = ["LocalContrast", "Conv2d", "ReLU", "MaxPool2d", "Conv2d"]
    layer_2 = ["Conv2d", "ReLU", "WeightedPool2d"]
    names = [type(module).__name__ for module in network]
    assert names == ["ToFloat", *layer_1, *layer_2, "Flatten", "SignedPower", "Linear"]
    loss = network(torch.from_numpy(X[:8, None])).sum()
    loss.backward()
    assert all(p.grad.isfinite().all() for p in network.parameters())  # codes that are 0 too


def test_to_torch_draws_nothing_from_the_global_generator(few_digits):
    X, _, y, _ = few_digits
    clf = make().fit(X, y)
    before = torch.get_rng_state()
    clf.to_torch()
    assert torch.equal(before, torch.get_rng_state())


def test_to_torch_refuses_powers_of_scaled_features(few_digits):
    X, _, y, _ = few_digits
    clf = make(head=make_pipeline(StandardScaler(), RidgeHead(power=0.5))).fit(X, y)
    with pytest.raises(ValueError, match="scales features before it takes their powers"):
        clf.to_torch()


def test_to_torch_refuses_a_head_without_standard_modules(few_digits):
    X, _, y, _ = few_digits
    clf = make(head=GaussianNB()).fit(X, y)
    message = "neither linear, nor an MLPClassifier, nor a KernelRidgeHead"
    with pytest.raises(ValueError, match=message):
        clf.to_torch()
