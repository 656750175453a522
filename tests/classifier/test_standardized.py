"""Ridge regression on implicitly standardized features, and its preconditioner."""

import numpy as np
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse.linalg import cg

from skhier import RidgeHead
from skhier._base._rows import Operator, Rows
from skhier.classifier._conjugate_gradients import InverseRoot, preconditioning_sample
from skhier.classifier._standardized import StandardizedFeatures


def data(n, n_features):
    """Return correlated features of different variances, and three classes that they depend on."""
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((n, n_features)), rng.integers(3, size=n)
    X[:, :3] += np.eye(3)[y]
    return X @ (0.1 + np.diag(rng.gamma(1, size=n_features))), y


def normal_equations(X, targets, weight, alpha):
    """Return the matrix and the right side of the normal equations, and the scale of features.

    Features are standardized; constant features are 0.
    """
    Z = X - np.average(X, axis=0, weights=weight)
    scale = np.sqrt(np.average(Z**2, axis=0, weights=weight))
    scale[scale == 0] = np.inf
    Z /= scale
    products = (Z.T * weight) @ (targets - np.average(targets, axis=0, weights=weight))
    return (Z.T * weight) @ Z + alpha * X.shape[1] * np.eye(X.shape[1]), products, scale


def closed_form(X, y, weight, alpha):
    """Return the coefficients (3, n_features) of weighted ridge regression on three classes."""
    A, B, scale = normal_equations(X, np.eye(3)[y], weight, alpha)
    return (np.linalg.solve(A, B) / scale[:, None]).T


def test_coefficients_are_the_closed_form_for_weights_and_constant_features():
    X, y = data(60, 5)
    X[:, 4] = 2.0
    weight = np.random.default_rng(1).integers(3, size=60)
    head = RidgeHead(0.3, tol=1e-13, max_iter=300).fit(X, y, weight)
    assert_allclose(head.coef_, closed_form(X, y, weight, 0.3), rtol=1e-9)
    assert_array_equal(head.coef_[:, 4], 0)


def test_preconditioned_coefficients_are_the_closed_form():
    X, y = data(2400, 220)
    weight = np.random.default_rng(2).integers(3, size=len(X))
    head = RidgeHead(0.3, tol=1e-9, max_iter=300, random_state=0).fit(X, y, weight)
    assert_allclose(head.coef_, closed_form(X, y, weight, 0.3), atol=1e-7)


def test_preconditioned_heads_take_fewer_iterations_than_plain_conjugate_gradients():
    rng = np.random.default_rng(1)  # variances fall as a power, as for images
    Z = rng.standard_normal((6000, 1200)) * np.arange(1.0, 1201) ** -0.7
    X = Z @ np.linalg.qr(rng.standard_normal((1200, 1200)))[0]
    y = Z[:, 10] * 10**0.7 + Z[:, 100] * 100**0.7 > 0
    head = RidgeHead(1e-3, tol=1e-2, random_state=0).fit(X, y)
    A, b, _ = normal_equations(X, 2.0 * y - 1, np.ones(len(X)), 1e-3)
    solutions = []
    cg(A, b, rtol=1e-2, callback=lambda x: solutions.append(x.copy()))
    assert head.n_iter_ < 0.7 * len(solutions)


def test_a_sample_of_all_rows_has_the_products_of_the_features():
    X, y = data(60, 5)
    X[:, 4] = 2.0  # constant
    weight = torch.from_numpy(np.random.default_rng(1).integers(3, size=60).astype(float))
    table = torch.eye(3, dtype=torch.float64)
    rows = Rows.of_array(torch.from_numpy(X))
    features = StandardizedFeatures(rows, weight, table, torch.from_numpy(y), None)
    sample = features.sample(np.arange(60))
    products = features.normal(torch.eye(5, dtype=torch.float64))
    assert_allclose(sample.T @ sample, products, atol=1e-9)
    assert_allclose(np.diag(products), [weight.sum()] * 4 + [0], rtol=1e-9, atol=1e-9)


def test_the_inverse_root_is_a_root_of_the_inverse():
    S = torch.from_numpy(np.random.default_rng(0).standard_normal((20, 50)))
    S[3] = S[4]  # less rank than rows
    identity = torch.eye(50, dtype=torch.float64)
    root = InverseRoot(S, 0.3)(identity)
    assert_allclose(root @ (S.T @ S + 0.3 * identity) @ root, identity, atol=1e-12)
    assert_allclose(root, root.T, atol=1e-12)


def test_the_inverse_root_is_exact_in_float32_beside_a_large_eigenvalue():
    # That of a kernel's mean is 80,000 times the second one here.
    rng = np.random.default_rng(0)
    S = torch.from_numpy((1 + 0.05 * rng.standard_normal((300, 6000))).astype(np.float32))
    columns = torch.from_numpy((1 + rng.standard_normal((6000, 3))).astype(np.float32))
    out = InverseRoot(S, 0.01)(columns).double()
    _, values, vectors = torch.linalg.svd(S.double(), full_matrices=False)
    change = (1 + values**2 / 0.01).sqrt() - 1  # P^(1/2) = (1 + V change V^T) sqrt(0.01)
    back = 0.1 * (out + vectors.T @ (change[:, None] * (vectors @ out)))
    assert ((back - columns).norm(dim=0) < 0.02 * columns.norm(dim=0)).all()


def test_samples_of_weight_zero_are_not_drawn_for_the_preconditioner():
    weight = np.ones(4000)
    weight[::2] = 0
    index = preconditioning_sample(weight, 1000, np.random.RandomState(0))
    assert len(index) == 250
    assert (index % 2 == 1).all()
    assert preconditioning_sample(weight[:1000], 1000, np.random.RandomState(0)) is None


def test_features_that_are_computed_when_they_are_read_give_the_head_of_stored_features():
    X, y = data(1200, 220)
    stored = Rows.of_array(torch.from_numpy(X))
    computed = stored.map(Operator(torch.clone, (220,), torch.float64, 100))
    expected = RidgeHead(random_state=0)._fit_samples(stored, y, None, None)
    found = RidgeHead(random_state=0)._fit_samples(computed, y, None, None)
    assert_allclose(found.coef_, expected.coef_, rtol=1e-8, atol=1e-10)
    assert_allclose(found.temperature_, expected.temperature_, rtol=1e-8)
