import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from scipy.special import softmax
from sklearn.cluster import KMeans
from sklearn.naive_bayes import GaussianNB
from torch import nn

from skhier import LayerwiseCNNClassifier
from skhier import PatchKMeansOrthogonalizer as Phi
from skhier._base import _device
from skhier.clustering._export import WeightedPool2d

SMALL = {"n_clusters": 12, "n_components": 5, "random_state": 0}


def make(**params):
    return LayerwiseCNNClassifier().set_params(**SMALL | params)


def outputs(clf, X):
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
def test_network_equals_the_classifier(digits, params, dtype):
    X, _, y, _ = digits
    X = X.astype(dtype)
    precision = "float32" if dtype == np.float32 else "auto"
    clf = make(precision=precision, **params).fit(X, y)
    tolerance = 1e-3 if dtype == np.float32 else 1e-9
    assert_allclose(outputs(clf, X), clf.decision_function(X), rtol=tolerance, atol=tolerance)


def test_network_of_a_bfloat16_classifier(digits, monkeypatch):
    X, _, y, _ = digits
    X = X.astype(np.float32)
    monkeypatch.setattr(_device, "bfloat16_speed", lambda device: 2.0)
    clf = make(precision="bfloat16").fit(X, y)
    scores = clf.decision_function(X)
    difference = outputs(clf, X) - scores
    assert 0 < np.sqrt((difference**2).mean()) < 0.03 * scores.std()
    assert (outputs(clf, X).argmax(axis=1) == scores.argmax(axis=1)).mean() > 0.99


def test_color_images_and_two_labels(images):
    X, y = images
    clf = make().fit(X, y)
    assert_allclose(outputs(clf, X)[:, 0], clf.decision_function(X), atol=1e-9)


def test_mlp_head(digits):
    X, _, y, _ = digits
    clf = make(n_layers=1, head="mlp").fit(X, y)
    assert_allclose(softmax(outputs(clf, X), axis=1), clf.predict_proba(X), atol=1e-6)


def test_network_is_plain_and_trainable(digits):
    X, _, y, _ = digits
    clf = make(orthogonalizer=[Phi(normalize=False, pooling="max"), Phi(normalize=False)])
    network = clf.fit(X, y).to_torch()
    kinds = [nn.Conv2d, nn.ReLU, nn.MaxPool2d, nn.Conv2d, nn.Conv2d, nn.ReLU, WeightedPool2d]
    assert [type(m) for m in network] == [*kinds, nn.Flatten, nn.Linear]
    loss = network(torch.from_numpy(X[:8, None])).sum()
    loss.backward()
    assert all(p.grad is not None for p in network.parameters())


def test_the_global_generator_of_torch_is_left_alone(digits):
    X, _, y, _ = digits
    clf = make().fit(X, y)
    before = torch.get_rng_state()
    clf.to_torch()
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"head": GaussianNB()}, "neither linear, nor an MLPClassifier, nor a KernelRidgeHead"),
    ],
)
def test_what_no_standard_layer_expresses(digits, params, message):
    X, _, y, _ = digits
    clf = make(**params).fit(X, y)
    with pytest.raises(ValueError, match=message):
        clf.to_torch()
