"""Exports of fitted classifiers, by torch.export and to ONNX."""

import warnings

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from numpy.testing import assert_allclose

from skhier import LayerwiseCNNClassifier
from skhier import PatchKMeansOrthogonalizer as Phi

SMALL = {
    "n_layers": 2,
    "n_clusters": 12,
    "n_components": 5,
    "precision": "float32",
    "random_state": 0,
}
CONFIGURATIONS = [
    {},
    {"mirror": True, "pool_size": [3, 1], "n_components": [5, 6], "patch_size": [2, (3, 2)]},
    {"orthogonalizer": [Phi(padding="valid"), None], "pool_size": 3},
    {"orthogonalizer__normalize": False, "orthogonalizer__pooling": "max", "head": "mlp"},
    {"orthogonalizer__encoding": "one_hot", "embedder__solver": "kmeans"},
    {"n_layers": 1, "head": "kernel"},
]


@pytest.fixture(params=CONFIGURATIONS, ids=str)
def exported(request, few_digits):
    """Return the network of a fitted classifier, images, and the classifier's scores of them."""
    X, _, y, _ = few_digits
    X = X.astype(np.float32)
    clf = LayerwiseCNNClassifier().set_params(**SMALL | request.param).fit(X, y)
    is_mlp = request.param.get("head") == "mlp"
    scores = np.log(clf.predict_proba(X)) if is_mlp else clf.decision_function(X)
    return clf.to_torch(), torch.from_numpy(X[:, None]), scores


def assert_equal_scores(outputs, scores):
    """Compare up to rounding in float32; logits are normalized if scores are log-probabilities."""
    if scores.max() <= 0:
        outputs = outputs - np.logaddexp.reduce(outputs, axis=1, keepdims=True)
    assert_allclose(outputs, scores, rtol=1e-3, atol=1e-3)


def batches_of_any_size():
    """Return the dynamic shapes of an export whose only dynamic axis is the first."""
    return ({0: torch.export.Dim("n", min=2)},)


def test_the_torch_export_has_the_scores_of_the_classifier(exported, tmp_path):
    network, images, scores = exported
    program = torch.export.export(
        network, (images[:3],), dynamic_shapes=batches_of_any_size(), strict=False
    )
    torch.export.save(program, tmp_path / "network.pt2")
    loaded = torch.export.load(tmp_path / "network.pt2").module()
    assert_equal_scores(loaded(images).detach().numpy(), scores)


def export_to_onnx(network, example, path):
    """Export a network for batches of any size; return a session of onnxruntime."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter warns of its own code
        torch.onnx.export(
            network,
            (example,),
            path,
            dynamo=True,
            input_names=["images"],
            dynamic_shapes=batches_of_any_size(),
            verbose=False,
        )
    onnx.checker.check_model(path)
    return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])


def test_the_onnx_model_has_the_scores_of_the_classifier(exported, tmp_path):
    network, images, scores = exported
    session = export_to_onnx(network, images[:3], str(tmp_path / "network.onnx"))
    assert_equal_scores(session.run(None, {"images": images.numpy()})[0], scores)


def test_a_network_fitted_on_bytes_takes_bytes_and_floats(few_digits, tmp_path):
    X, _, y, _ = few_digits
    X = (15 * X).astype(np.uint8)
    clf = LayerwiseCNNClassifier(**SMALL | {"n_layers": 1}).fit(X, y)
    network, images, scores = clf.to_torch(), torch.from_numpy(X[:, None]), clf.decision_function(X)
    for values in (images, images.float(), images.double(), images.int()):
        assert_equal_scores(network(values).detach().numpy(), scores)
    assert_equal_scores(network.double()(images).detach().numpy(), scores)
    network.float()
    for values in (images, images.float()):
        session = export_to_onnx(network, values[:3], str(tmp_path / "network.onnx"))
        assert_equal_scores(session.run(None, {"images": values.numpy()})[0], scores)
