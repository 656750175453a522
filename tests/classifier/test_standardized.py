"""What ridge regression needs of standardized features, and what it is preconditioned by."""

import numpy as np
import torch
from numpy.testing import assert_allclose
from skhier.classifier._preconditioner import InverseRoot, preconditioning_sample
from sklearn.base import clone

from skhier import RidgeHead
from skhier._base._rows import LocalRows
from skhier.classifier import _preconditioner
from skhier.classifier._standardized import StandardizedFeatures


def data(n, n_features):
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((n, n_features)), rng.integers(3, size=n)
    X[:, :3] += np.eye(3)[y]
    return X @ (0.1 + np.diag(rng.gamma(1, size=n_features))), y


def test_the_products_of_all_rows_of_a_sample_are_those_of_all():
    X, y = data(60, 5)
    X[:, 4] = 2.0  # constant
    weight = torch.from_numpy(np.random.default_rng(1).integers(3, size=60).astype(float))
    table = torch.eye(3, dtype=torch.float64)
    rows = LocalRows(torch.from_numpy(X))
    features = StandardizedFeatures(rows, weight, table, torch.from_numpy(y), None)
    sample = features.sample(np.arange(60))
    products = features.normal(torch.eye(5, dtype=torch.float64))
    assert_allclose(sample.T @ sample, products, atol=1e-9)
    assert_allclose(np.diag(products), [weight.sum()] * 4 + [0], rtol=1e-9, atol=1e-9)


def test_the_inverse_root_is_that_of_the_sample():
    S = torch.from_numpy(np.random.default_rng(0).standard_normal((20, 50)))
    S[3] = S[4]  # less rank than rows
    identity = torch.eye(50, dtype=torch.float64)
    root = InverseRoot(S, 0.3)(identity)
    assert_allclose(root @ (S.T @ S + 0.3 * identity) @ root, identity, atol=1e-12)
    assert_allclose(root, root.T, atol=1e-12)


def without_preconditioner(monkeypatch, head, *data):
    with monkeypatch.context() as patched:
        patched.setattr(_preconditioner, "_LEAST_ROWS", np.inf)
        return head.fit(*data)


def test_preconditioned_heads_have_the_same_solution(monkeypatch):
    X, y = data(2400, 220)
    weight = np.random.default_rng(2).integers(3, size=len(X))
    head = RidgeHead(tol=1e-9, max_iter=300, random_state=0)
    found = clone(head).fit(X, y, weight)
    expected = without_preconditioner(monkeypatch, head, X, y, weight)
    assert_allclose(found.coef_, expected.coef_, atol=1e-7)
    assert found.residual_curve_[0] != expected.residual_curve_[0]


def test_preconditioned_heads_take_fewer_iterations(monkeypatch):
    rng = np.random.default_rng(1)  # variances fall as a power, as those of images do
    Z = rng.standard_normal((8000, 1600)) * np.arange(1.0, 1601) ** -0.7
    X = Z @ np.linalg.qr(rng.standard_normal((1600, 1600)))[0]
    y = Z[:, 10] * 10**0.7 + Z[:, 100] * 100**0.7 > 0
    head = RidgeHead(1e-3, random_state=0)
    found = clone(head).fit(X, y)
    expected = without_preconditioner(monkeypatch, head, X, y)
    assert found.n_iter_ < 0.7 * expected.n_iter_


def test_samples_without_weight_are_not_in_the_sample():
    weight = np.ones(4000)
    weight[::2] = 0
    index = preconditioning_sample(weight, 1000, np.random.RandomState(0))
    assert len(index) == 100
    assert (index % 2 == 1).all()
    assert preconditioning_sample(weight[:1000], 1000, np.random.RandomState(0)) is None


def test_features_that_are_made_when_read_give_the_same_head():
    X, y = data(1200, 220)
    rows = LocalRows(torch.from_numpy(X))
    made = rows.derived(torch.clone, (220,), torch.float64)
    expected = RidgeHead(random_state=0)._fit_rows(rows, y, None)
    found = RidgeHead(random_state=0)._fit_rows(made, y, None)
    assert_allclose(found.coef_, expected.coef_, rtol=1e-8, atol=1e-10)
    assert_allclose(found.temperature_, expected.temperature_, rtol=1e-8)
