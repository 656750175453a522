"""A fitted classifier leaves Python: torch.export and ONNX."""

import warnings

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from numpy.testing import assert_allclose

from skhier import LayerwiseCNNClassifier
from skhier import PatchKMeansOrthogonalizer as Phi

CONFIGURATIONS = [
    {},
    {"pool_size": [3, 1], "n_components": [5, 6], "patch_size": [2, (3, 2)]},
    {"orthogonalizer": [Phi(padding="valid"), None], "pool_size": 3},
    {"orthogonalizer__normalize": False, "orthogonalizer__pooling": "max"},
    {"mirror": True},
    {"orthogonalizer__encoding": "one_hot", "embedder__solver": "kmeans"},
    {"head": "mlp"},
    {"head": "kernel"},
]


@pytest.fixture(params=CONFIGURATIONS, ids=str)
def exported(request, digits):
    """A network, images to give it and the scores of the classifier that it came from."""
    X, _, y, _ = digits
    X = X.astype(np.float32)
    small = {"n_clusters": 12, "n_components": 5, "precision": "float32", "random_state": 0}
    clf = LayerwiseCNNClassifier().set_params(**small | request.param).fit(X, y)
    mlp = request.param.get("head") == "mlp"
    scores = np.log(clf.predict_proba(X)) if mlp else clf.decision_function(X)
    return clf.to_torch(), torch.from_numpy(X[:, None]), scores


def agree(outputs, scores):
    """Equal up to rounding in float32; log-probabilities up to their normalization too."""
    if scores.max() <= 0:
        outputs = outputs - np.logaddexp.reduce(outputs, axis=1, keepdims=True)
    assert_allclose(outputs, scores, rtol=1e-3, atol=1e-3)


def batches_of_any_size():
    return ({0: torch.export.Dim("n", min=2)},)


def test_torch_export(exported, tmp_path):
    network, images, scores = exported
    program = torch.export.export(
        network, (images[:3],), dynamic_shapes=batches_of_any_size(), strict=False
    )
    torch.export.save(program, tmp_path / "network.pt2")
    loaded = torch.export.load(tmp_path / "network.pt2").module()
    agree(loaded(images).detach().numpy(), scores)


def test_onnx(exported, tmp_path):
    network, images, scores = exported
    path = str(tmp_path / "network.onnx")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporter itself
        torch.onnx.export(
            network,
            (images[:3],),
            path,
            dynamo=True,
            input_names=["images"],
            dynamic_shapes=batches_of_any_size(),
            verbose=False,
        )
    onnx.checker.check_model(path)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    agree(session.run(None, {"images": images.numpy()})[0], scores)
