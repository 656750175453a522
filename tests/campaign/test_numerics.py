"""Threads, batches, precision and the exported network change scores by rounding errors only.

The deviation of a geometry is the largest difference over all images and classes, in standard
deviations of the scores. Each law bounds the worst geometry and the median of all geometries.
Geometries in which the input of a layer hardly varies are the worst. Whitening (by a factor of up
to `whiten_eps ** -0.5`, here 30) and the scale of patches amplify the variation of the input, and
with it the rounding errors of the layer before.
"""

import warnings
from contextlib import contextmanager
from copy import deepcopy

import numpy as np
import onnxruntime
import pytest
import torch
from _geometries import fit, geometry
from hypothesis import settings
from numpy.testing import assert_allclose, assert_array_equal
from scipy.ndimage import gaussian_filter
from scipy.special import softmax
from sklearn.base import clone
from threadpoolctl import threadpool_limits

from skhier import LayerwiseCNNClassifier
from skhier._base._device import batch_product, dense_product

N_GEOMETRIES = 20 if settings.default.max_examples > 1000 else 5
THREADS = (1, 2, 4)
RUNS = [(1, 1), (1, 3), (2, None), (4, None), (4, 3)]  # threads, batch_size

# Bounds of deviations (worst, median). Relative rounding errors are 1e-16, 6e-8 and 4e-3.
FLOAT64 = 1e-10, 1e-12
FLOAT32 = 3e-3, 1e-4
BFLOAT16_MEDIAN = 0.2
DTYPES = {np.dtype(np.float64): FLOAT64, np.dtype(np.float32): FLOAT32}
# bfloat16 has 16 bits fewer than float32, so its deviation is 2^16 times as large, up to this
# factor. A geometry amplifies the errors of both by the same unknown factor.
LUCK = 8
# Fractions of patches whose label changes (worst, median): two centroids are nearly equally near.
# In bfloat16 any label may change if the offset of the images is ten times their contrast and
# `border` does not remove the offset.
OTHER_LABELS = {"float32": (1e-3, 0), "bfloat16": (1, 0.03)}
# Rounding can lead k-means to another local minimum; the inertias differ by less than this factor.
OTHER_MINIMUM = 0.03


@pytest.fixture(scope="module")
def geometries():
    return [geometry(number) for number in range(N_GEOMETRIES)]


def computed_in(dtype, geometries):
    """Return the geometries that are computed in `dtype`: float32 unless images are float64."""
    chosen = [g for g in geometries if (g.X.dtype == np.float64) == (dtype == np.float64)]
    assert len(chosen) >= 2
    return chosen


def dense(geometries):
    """Return the geometries without one-hot codes, which are discontinuous between clusters."""
    chosen = [g for g in geometries if not g.has_one_hot]
    assert len(chosen) >= len(geometries) / 2
    return chosen


@contextmanager
def threads(n):
    """Let torch and BLAS compute in n threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(n)
    try:
        with threadpool_limits(n, user_api="blas"):
            yield
    finally:
        torch.set_num_threads(before)


def with_batch_size(clf, batch_size):
    """Return a copy of a fitted classifier that encodes `batch_size` images at a time."""
    clf = deepcopy(clf)
    for block in clf.layers_:
        block.orthogonalizer.set_params(batch_size=batch_size)
    return clf


def with_precision(clf, precision):
    """Return a copy of a fitted classifier that encodes in a precision."""
    clf = deepcopy(clf)
    for block in clf.layers_:
        set_precision(block.orthogonalizer, precision)
    return clf


def set_precision(orthogonalizer, precision):
    """Let a fitted orthogonalizer encode in a precision.

    `set_params` waits for the next `fit`, which refuses 'bfloat16' on most processors.
    """
    orthogonalizer._precision = precision


def scores_of(clf, X):
    """Return decision scores, or the probabilities of a head that has no scores."""
    return clf.predict_proba(X) if clf.head == "mlp" else clf.decision_function(X)


def deviation(scores, expected):
    """Return the largest difference, in standard deviations of the expected scores."""
    return np.abs(scores - expected.astype(np.float64)).max() / expected.std()


def assert_small(deviations, bounds):
    """Assert the bounds (worst, median) of the deviations of geometries."""
    print(f"worst {max(deviations):.2g}, median {np.median(deviations):.2g}")  # pytest -rP shows it
    assert max(deviations) <= bounds[0], f"number {np.argmax(deviations)}: {deviations}"
    assert np.median(deviations) <= bounds[1], deviations


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_threads_and_batches_change_no_score(geometries, dtype):
    def worst(g):
        expected, found = scores_of(g.clf, g.X_test), []
        for n, batch_size in RUNS:
            with threads(n):
                found.append(scores_of(with_batch_size(g.clf, batch_size), g.X_test))
        return max(deviation(scores, expected) for scores in found)

    assert_small([worst(g) for g in computed_in(dtype, geometries)], DTYPES[dtype])


def fits(g):
    """Yield fits of a geometry with several numbers of threads."""
    for n in THREADS:
        with threads(n):
            yield fit(clone(g.clf), g.X, g.y)


def test_fits_in_float64_are_equal_to_the_bit_for_any_number_of_threads(geometries):
    for g in computed_in(np.float64, geometries):
        expected = scores_of(g.clf, g.X_test)
        # Threads share the matrix products of a kernel head, but no products of layers and no sums.
        rounding = 1e-12 if g.clf.head == "kernel" else 0
        for clf in fits(g):
            assert deviation(scores_of(clf, g.X_test), expected) <= rounding


def test_layers_in_float32_are_equal_to_the_bit_for_any_number_of_threads():
    rng = np.random.default_rng(0)
    y = np.arange(100) % 5
    templates = gaussian_filter(rng.standard_normal((5, 24, 24, 3)), (0, 1, 1, 0))
    X = (templates[y] + 0.1 * rng.standard_normal((100, 24, 24, 3))).astype(np.float32)
    clf = LayerwiseCNNClassifier(
        n_layers=2, n_clusters=[60, 200], precision="float32", shift=0, random_state=0
    )

    def layers(n):
        with threads(n):
            first, second = clf.fit(X, y).layers_
        parts = first.orthogonalizer, second.orthogonalizer
        return [*(part.cluster_centers_ for part in parts), first.embedder.kernels_]

    # The last batch has one image, whose products threads would share.
    expected = layers(1)
    for n in (2, 3, 8):
        for array, of_one in zip(layers(n), expected, strict=True):
            assert_array_equal(array, of_one)


@pytest.mark.parametrize("n_features", [24, 200, 1080])
@pytest.mark.parametrize("n_rows", [1, 5, 24, 361, 1444])
def test_products_are_rounded_the_same_by_any_number_of_threads(n_rows, n_features):
    rng = np.random.default_rng(0)
    rows, weight, codes = (
        torch.from_numpy(rng.standard_normal(shape, dtype=np.float32))
        for shape in ((n_rows, n_features), (27, n_features), (1, n_features, 24))
    )
    results = []
    for n in (1, 2, 3, 8):
        with threads(n):
            results.append((dense_product(rows, weight), batch_product(rows[None], codes)))
    expected = rows.double() @ weight.double().T
    assert_allclose(results[0][0], expected, atol=1e-3)
    for dense, of_one_image in results[1:]:
        assert torch.equal(dense, results[0][0])
        assert torch.equal(of_one_image, results[0][1])


def test_fits_in_float32_differ_by_rounding_or_by_another_minimum(geometries):
    deviations = []
    for g in computed_in(np.float32, geometries):
        expected, inertia = scores_of(g.clf, g.X_test), inertia_of(g.clf)
        for clf in fits(g):
            assert inertia_of(clf) == pytest.approx(inertia, rel=OTHER_MINIMUM)
            deviations.append(deviation(scores_of(clf, g.X_test), expected))
    assert_small(deviations, (np.inf, FLOAT32[1]))


def inertia_of(clf):
    """Return the inertia of the first layer; later layers cluster other patches."""
    return clf.layers_[0].orthogonalizer.inertia_


def test_precision_changes_scores_by_rounding(geometries):
    single, half = [], []
    for g in dense(geometries):
        expected, X = scores_of(g.clf, g.X_test.astype(np.float64)), g.X_test.astype(np.float32)
        for precision, found in (("float32", single), ("bfloat16", half)):
            found.append(deviation(scores_of(with_precision(g.clf, precision), X), expected))
    assert_small(single, FLOAT32)
    # Scores are rounded to float32 in both precisions.
    expected = 2**16 * np.maximum(single, np.finfo(np.float32).eps)
    assert_small(half / expected, (LUCK, 1))
    assert 1e-3 < np.median(half) < BFLOAT16_MEDIAN


@pytest.mark.parametrize("precision", OTHER_LABELS)
def test_precision_changes_few_labels_of_patches(geometries, precision):
    other = []
    for g in geometries:
        phi = deepcopy(g.clf.layers_[0].orthogonalizer)
        expected = phi.predict(g.X_test.astype(np.float64))
        set_precision(phi, precision)
        labels = phi.predict(g.X_test.astype(np.float32))
        other.append(np.mean(labels != expected))
    assert_small(other, OTHER_LABELS[precision])


@pytest.mark.parametrize("fitted", DTYPES, ids=str)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_exported_networks_give_the_scores(geometries, fitted, dtype):
    deviations = []
    for g in dense(computed_in(fitted, geometries)):
        expected, images = scores_of(g.clf, g.X_test.astype(dtype)), channels_first(g.X_test, dtype)
        with torch.no_grad():
            outputs = g.clf.to_torch().to(images.dtype)(images)
        deviations.append(deviation(as_scores(outputs.numpy(), g.clf), expected))
    # Networks of fits in float32 have float32 weights, also if they compute in float64.
    assert_small(deviations, max(DTYPES[fitted], DTYPES[dtype]))


def test_onnx_networks_give_the_scores(geometries, tmp_path):
    deviations = []
    for g in dense(geometries)[:1]:  # an export takes seconds
        images = channels_first(g.X_test, np.float32)
        outputs = run_onnx(g.clf.to_torch().float(), images, str(tmp_path / "network.onnx"))
        expected = scores_of(g.clf, g.X_test.astype(np.float32))
        deviations.append(deviation(as_scores(outputs, g.clf), expected))
    assert_small(deviations, FLOAT32)


def channels_first(X, dtype):
    """Return images (n, C, H, W) as a tensor."""
    return torch.from_numpy(np.ascontiguousarray(X.transpose(0, 3, 1, 2), dtype))


def as_scores(outputs, clf):
    """Return the scores of a classifier (see `scores_of`) from the outputs of its network."""
    if clf.head != "mlp":
        return outputs.squeeze(axis=1) if outputs.shape[1] == 1 else outputs
    if outputs.shape[1] == 1:  # log odds of the second of two labels
        outputs = np.pad(outputs, ((0, 0), (1, 0)))
    return softmax(outputs, axis=1)


def run_onnx(network, images, path):
    """Export a network to ONNX, for any number of images, and return its outputs."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # warnings of the exporter
        torch.onnx.export(
            network,
            (images[:3],),
            path,
            dynamo=True,
            input_names=["images"],
            dynamic_shapes=({0: torch.export.Dim("n", min=2)},),
            verbose=False,
        )
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return session.run(None, {"images": images.numpy()})[0]
