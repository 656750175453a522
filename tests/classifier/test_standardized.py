"""What ridge regression needs of standardized features, and what it is preconditioned by."""

import numpy as np
import torch
from numpy.testing import assert_allclose

from skhier import RidgeHead
from skhier._base._rows import LocalRows
from skhier.classifier._preconditioner import InverseRoot, preconditioning_sample
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


def test_preconditioned_heads_take_fewer_iterations_to_the_same_solution(monkeypatch):
    X, y = data(6000, 400)
    rng = np.random.default_rng(1)  # features vary with few others, as those of images do
    X += rng.standard_normal((6000, 30)) * np.arange(30) @ rng.standard_normal((30, 400))
    weight = np.random.default_rng(2).integers(3, size=len(X))
    params = {"alpha": 1e-4, "tol": 1e-8, "max_iter": 400, "random_state": 0}
    found = RidgeHead(**params).fit(X, y, weight)
    monkeypatch.setattr("skhier.classifier._preconditioner._LEAST_ROWS", 10**6)
    expected = RidgeHead(**params).fit(X, y, weight)
    assert_allclose(found.coef_, expected.coef_, atol=1e-6)
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
