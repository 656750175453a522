"""Products of 8-bit integers, and codes that are computed by them."""

import pickle
from time import sleep

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal

from skhier import LayerwiseCNNClassifier, PatchKMeansOrthogonalizer
from skhier._base import _device, _integers
from skhier._base._integers import IntegerProduct, has_integer_products
from skhier.clustering import _orthogonalizer

WAYS = [True, False]  # the processor's product, if it has one, and the product of floats


@pytest.fixture
def fast_integers(monkeypatch):
    """Let products of integers save time for any number of images."""
    monkeypatch.setattr(_device, "_MANY_PRODUCTS", 0)
    monkeypatch.setattr(_orthogonalizer, "integers_pay", lambda *args: True)


@pytest.fixture(params=WAYS)
def way(request, monkeypatch):
    """Compute products in one of both ways."""
    if not request.param:
        monkeypatch.setattr(_integers, "has_integer_products", lambda: False)


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("n_features", [1, 3, 49, 160, 500])
def test_products_of_integers_are_exact(n_features):
    rng = np.random.default_rng(n_features)
    rows, weight = (
        rng.choice([-127, 127, *range(-127, 128)], (n, n_features)).astype(np.float32)
        for n in (20, 70)
    )
    rows[0], weight[:, 0], weight[0] = 127, 127, -127
    bias = rng.integers(-500, 500, 70).astype(np.float32)
    expected = torch.from_numpy((rows.astype(np.float64) @ weight.T + bias).astype(np.float32))
    product = IntegerProduct(torch.from_numpy(weight), torch.from_numpy(bias), 127.0)
    found = product(torch.from_numpy(rows), torch.ones(20, 1))
    assert torch.equal(found, expected.bfloat16())


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("unit", [1e-20, 1.0, 1e20])
def test_floats_are_rounded_by_half_a_step(unit):
    rng = np.random.default_rng(0)
    rows, weight = (rng.standard_normal((n, 30)).astype(np.float32) for n in (50, 40))
    weight[5] = 0
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    factors = rng.uniform(0, 2, (50, 1)).astype(np.float32)
    rows[0], factors[0] = np.eye(30)[0], 2  # the bound itself
    product = IntegerProduct(torch.from_numpy(weight * np.float32(unit)), torch.zeros(40), 2.0)
    found = product(torch.from_numpy(rows), torch.from_numpy(factors)).double().numpy() / unit
    exact = (rows * factors).astype(np.float64), weight.astype(np.float64)
    step = 2 / 127, np.abs(exact[1]).max(axis=1) / 127
    # |x w - (x + e) (w + f)| <= |x| |f| + |w| |e| + |e| |f|, summed over features
    bound = np.abs(exact[0]).sum(axis=1)[:, None] * step[1] / 2
    bound = bound + np.abs(exact[1]).sum(axis=1) * step[0] / 2 + 30 * step[0] * step[1] / 4
    expected = exact[0] @ exact[1].T
    error = np.abs(found - expected)
    assert (error <= bound + 2**-8 * np.abs(found) + 1e-6).all()
    assert error.max() > 0


def test_a_pickled_product_gives_the_same_numbers():
    generator = torch.Generator().manual_seed(0)
    weight, bias = torch.randn(20, 9, generator=generator), torch.randn(20, generator=generator)
    rows, factors = torch.rand(5, 9, generator=generator), torch.ones(5, 1)
    product = IntegerProduct(weight, bias, 1.0)
    copied = pickle.loads(pickle.dumps(product))
    assert torch.equal(copied(rows, factors), product(rows, factors))


def _saturated(rounded, step, packed, scales, bias):
    """Add pairs of products in 16 bits, as processors without VNNI do."""
    signed = packed.long()
    pairs = rounded.long()[:, None] * signed
    pairs = pairs.unflatten(2, (-1, 2)).sum(dim=3).clamp(-(2**15), 2**15 - 1)
    return ((pairs.sum(dim=2) - 128 * signed.sum(dim=1)) * step).bfloat16()


def _missing(*args):
    raise NotImplementedError("no such operator")


@pytest.mark.parametrize("product", [_saturated, _missing])
def test_processors_without_exact_products_do_not_use_them(product, monkeypatch):
    monkeypatch.setattr(_integers, "_pack", lambda integers: integers)
    monkeypatch.setattr(_integers, "_product", product)
    assert not has_integer_products.__wrapped__()


def _slow(rounded, step, packed, scales, bias):
    """Return an exact product after a while, as processors do for which torch has only a loop."""
    sleep(0.03)
    return ((rounded.double() - 128) * step @ packed.double().T).bfloat16()


def test_processors_with_slow_products_do_not_use_them(monkeypatch):
    monkeypatch.setattr(_integers, "_pack", lambda integers: integers)
    monkeypatch.setattr(_integers, "_product", _slow)
    assert _integers._are_exact()
    assert not has_integer_products.__wrapped__()


def test_integers_do_not_pay_for_few_images_or_on_a_gpu(monkeypatch):
    monkeypatch.setattr(_integers, "has_integer_products", lambda: True)
    monkeypatch.setattr(_integers, "integer_speed", lambda dtype: 2.0)
    cpu, gpu = map(torch.device, ("cpu", "cuda"))
    assert _integers.integers_pay(1e12, cpu, torch.float32)
    assert not _integers.integers_pay(1e6, cpu, torch.float32)
    assert not _integers.integers_pay(1e12, gpu, torch.float32)
    monkeypatch.setattr(_integers, "integer_speed", lambda dtype: 1.1)
    assert not _integers.integers_pay(1e12, cpu, torch.float32)


@pytest.mark.usefixtures("fast_integers", "way")
@pytest.mark.parametrize(("speed", "precision"), [(0.5, "float32"), (2.0, "bfloat16")])
@pytest.mark.parametrize("pool_size", [1, 3, "thirds"])
@pytest.mark.parametrize("encoding", ["relu", "crelu"])
@pytest.mark.parametrize("whiten_eps", [None, 0.1])
def test_codes_by_integers_are_the_codes_rounded_without_a_bias(
    few_digits, encoding, pool_size, whiten_eps, speed, precision, monkeypatch
):
    monkeypatch.setattr(_device, "bfloat16_speed", lambda device: speed)
    X = few_digits[0][:300].astype(np.float32)
    phi = PatchKMeansOrthogonalizer(
        60, encoding=encoding, pool_size=pool_size, whiten_eps=whiten_eps, random_state=0
    )
    codes = phi.fit(X).transform(X)
    assert phi.integer_products_
    assert phi.precision_ == precision
    exact = phi.transform(X.astype(np.float64))
    assert codes.dtype == np.float32
    assert np.abs(codes - exact).max() < 0.1  # of responses with mean square 1
    assert 0 < np.sqrt(np.mean((codes - exact) ** 2)) < 0.03
    assert np.abs(codes.mean() - exact.mean()) < 1e-3
    if precision == "float32":  # labels of patches are computed in floats
        assert_array_equal(phi.predict(X), phi.predict(X.astype(np.float64)))


@pytest.mark.usefixtures("fast_integers")
@pytest.mark.parametrize(
    ("params", "dtype", "is_rounded"),
    [
        ({}, np.float32, True),
        ({}, np.uint8, True),
        ({}, np.float64, False),
        ({"precision": "float32"}, np.float32, False),
        ({"normalize": False}, np.float32, False),
        ({"encoding": "one_hot"}, np.float32, False),
        ({"n_clusters": 3}, np.float32, False),  # one product
    ],
)
def test_integers_are_for_normalized_codes_in_automatic_precision(
    few_digits, params, dtype, is_rounded, monkeypatch
):
    X = few_digits[0][:100].astype(dtype)
    calls, call = [], IntegerProduct.__call__
    monkeypatch.setattr(IntegerProduct, "__call__", lambda *a: calls.append(1) or call(*a))
    phi = PatchKMeansOrthogonalizer(**{"n_clusters": 60} | params, random_state=0)
    phi.fit_transform(X)
    assert bool(calls) == is_rounded


@pytest.mark.usefixtures("fast_integers")
def test_batches_and_copies_change_no_bit_of_codes_by_integers(few_digits):
    X = few_digits[0][:50].astype(np.float32)
    phi = PatchKMeansOrthogonalizer(60, random_state=0).fit(X)
    expected = phi.transform(X)
    for batch_size in (1, 7, 50):
        assert_array_equal(phi.set_params(batch_size=batch_size).transform(X), expected)
    assert_array_equal(pickle.loads(pickle.dumps(phi)).transform(X), expected)


@pytest.mark.usefixtures("fast_integers", "way")
def test_a_classifier_that_multiplies_integers_predicts_as_one_of_floats(few_digits):
    X_train, X_test, y_train, y_test = few_digits
    X_train, X_test = X_train.astype(np.float32), X_test.astype(np.float32)
    clf = LayerwiseCNNClassifier(random_state=0).fit(X_train, y_train)
    assert all(block.orthogonalizer.integer_products_ for block in clf.layers_)
    floats = clf.predict_proba(X_test.astype(np.float64))
    assert np.abs(clf.predict_proba(X_test) - floats).max() < 0.1
    assert np.mean(clf.predict(X_test) == floats.argmax(axis=1)) > 0.99
    assert clf.score(X_test, y_test) > 0.95
    with torch.no_grad():
        scores = clf.to_torch()(torch.from_numpy(X_test[:, None])).numpy()
    assert np.mean(scores.argmax(axis=1) == floats.argmax(axis=1)) > 0.99
