"""Fitted state decides: parameters that are set after `fit` wait for the next `fit`."""

from copy import deepcopy

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_digits

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
from skhier.plotting import FrequenciesDisplay, LayersDisplay
from skhier.theory import certify_classifier, required_samples

X, y = load_digits(return_X_y=True)
X, y = X[:200].reshape(-1, 8, 8), y[:200]
ROWS = X.reshape(len(X), -1)
# Another allowed value of each parameter, unlike the default and unlike the fitted one.
OTHER = {
    "alpha": 7.0,
    "batch_size": 3,
    "bias": 0.25,
    "border": 5.0,
    "class_weight": "balanced",
    "contrast": 2.0,
    "early_stopping": True,
    "embedder": TwoLayerConvEmbedder(3),
    "encoding": "relu",
    "gamma": 3.0,
    "head": "svm",
    "image_shape": (4, 16),
    "init": "random",
    "init_scale": 2.0,
    "init_size": 17,
    "kmeans": SphericalKMeans(max_iter=2),
    "learning_rate": 0.5,
    "loss": "cross_entropy",
    "max_iter": 3,
    "memory_limit": "1MB",
    "mirror": True,
    "n_centers": 11,
    "n_clusters": 9,
    "n_components": 5,
    "n_init": 2,
    "n_iter_no_change": 2,
    "n_layers": 1,
    "n_patches": 77,
    "normalize": False,
    "orthogonalizer": PatchKMeansOrthogonalizer(bias=-2.0),
    "padding": "valid",
    "patch_size": 2,
    "pool_size": 1,
    "pooling": "max",
    "power": 0.5,
    "precision": "float32",
    "random_state": 5,
    "readout_init": "sphere",
    "shift": 1,
    "scale_channels": False,
    "solver": "adam",
    "stride": 2,
    "tol": 0.5,
    "train_readout": True,
    "validation_fraction": 0.5,
    "verbose": True,
    "whiten_eps": 1.0,
}
DEVICES = {"device"}  # applies at once: it says where to compute, and changes no result
ESTIMATORS = {
    "classifier": (LayerwiseCNNClassifier(n_layers=2, n_clusters=8, random_state=0), X),
    "mirror": (LayerwiseCNNClassifier(n_layers=2, n_clusters=8, mirror=True, random_state=0), X),
    "kernel": (LayerwiseCNNClassifier(n_layers=1, n_clusters=8, head="kernel", random_state=0), X),
    "codes": (PatchKMeansOrthogonalizer(8, random_state=0), X),
    "one-hot": (PatchKMeansOrthogonalizer(8, encoding="one_hot", random_state=0), X),
    "embedder": (TwoLayerConvEmbedder(3, random_state=0), X),
    "k-means": (SphericalKMeans(4, random_state=0), ROWS),
    "ridge head": (RidgeHead(random_state=0), ROWS),
    "kernel head": (KernelRidgeHead(random_state=0), ROWS),
    "flatten": (Flatten(), X),
}
CASES = [
    (name, param)
    for name, (estimator, _) in ESTIMATORS.items()
    for param in estimator.get_params(deep=False)
]
FITTED = {name: clone(estimator).fit(data, y) for name, (estimator, data) in ESTIMATORS.items()}


def results(estimator, data):
    """Results of all methods of a fitted estimator."""
    names = ("transform", "predict", "decision_function", "predict_proba")
    found = {name: getattr(estimator, name)(data) for name in names if hasattr(estimator, name)}
    if hasattr(estimator, "to_torch"):
        with torch.no_grad():
            found["network"] = estimator.to_torch()(torch.from_numpy(data[:, None])).numpy()
    if hasattr(estimator, "get_feature_names_out"):
        found["names"] = estimator.get_feature_names_out()
    return found


@pytest.mark.parametrize(("name", "param"), CASES)
def test_parameters_set_after_fit_change_no_result(name, param):
    data = ESTIMATORS[name][1]
    estimator = deepcopy(FITTED[name])
    expected = results(estimator, data)
    value = not estimator.mirror_ if param == "mirror" else OTHER.get(param, "cpu")
    assert param in OTHER.keys() | DEVICES
    estimator.set_params(**{param: value})
    found = results(estimator, data)
    assert found.keys() == expected.keys()
    for method, values in found.items():
        if param == "batch_size" and method != "names":  # to rounding, as documented
            assert_allclose(values, expected[method], rtol=1e-10, atol=1e-12)
        else:
            assert_array_equal(values, expected[method])


def test_the_next_fit_uses_them():
    codes = deepcopy(FITTED["codes"]).set_params(bias=0.25, pool_size=1)
    assert codes.fit(X).transform(X).shape == (len(X), 8, 8, 16)
    assert codes.coding_["bias"] == 0.25


def as_fitted_on_a_gpu(clf):
    """Return a copy of a fitted classifier that has the state of one fitted on a GPU."""
    clf = deepcopy(clf).set_params(device="cuda:7")
    clf.device_ = "cuda:7"
    for block in clf.layers_:
        for _, part in block.parts():
            part.set_params(device="cuda:7")
            part.device_ = "cuda:7"
    return clf


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_classifier_fitted_on_a_gpu_works_without_one_after_set_params():
    fitted = FITTED["classifier"]
    loaded = as_fitted_on_a_gpu(fitted)
    with pytest.raises(ValueError, match=r"device='cuda:7' cannot .* \['cpu'\]"):
        loaded.predict(X)
    loaded.set_params(device="cpu")
    for method, values in results(loaded, X).items():
        assert_array_equal(values, results(fitted, X)[method])
    LayersDisplay.from_estimator(loaded, X[:2])
    assert len(certify_classifier(loaded, X, y)) == 2


def test_theory_and_displays_of_a_sampler_ignore_parameters_set_after_fit():
    params = {"patch_size": 2, "patches_per_class": 2, "random_state": 0}
    noisy = HierarchicalSampler(pixel_noise=3.0, **params).fit().set_params(pixel_noise=0.0)
    with pytest.raises(ValueError, match="it is noisy"):
        required_samples(noisy, 0.1, "snr")
    clean = HierarchicalSampler(**params).fit()
    expected = required_samples(clean, 0.1, "snr")
    clean.set_params(n_levels=5, label_noise=0.3)
    assert required_samples(clean, 0.1, "snr") == expected
    with pytest.raises(ValueError, match="level"):
        FrequenciesDisplay.from_estimator(clean, level=4)
    assert np.isfinite(FrequenciesDisplay.from_estimator(clean, level=1).frequencies).all()
