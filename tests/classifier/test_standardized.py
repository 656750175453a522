"""What ridge regression needs of standardized features: in many passes, or in one."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from skhier import RidgeHead
from skhier._base._rows import LocalRows
from skhier.classifier._standardized import GramMatrix, StandardizedFeatures


@pytest.mark.parametrize(("dtype", "rtol"), [(torch.float64, 1e-9), (torch.bfloat16, 0.02)])
def test_one_pass_gives_what_many_give(dtype, rtol):
    rng = np.random.default_rng(0)
    X = rng.gamma(2, size=(5000, 40)) + rng.gamma(2, size=(5000, 1))
    X[:, 7] = 2.0 if dtype == torch.float64 else X[:, 7]
    rows = LocalRows(torch.from_numpy(X).to(dtype))
    labels = torch.from_numpy(rng.integers(3, size=len(X)))
    wide = torch.float64 if dtype == torch.float64 else torch.float32
    weight = torch.from_numpy(rng.random(len(X)) + 0.1).to(wide)
    table = torch.eye(3, dtype=wide) - 1 / 3
    many, one = (
        kind(rows, weight, table, labels, None) for kind in (StandardizedFeatures, GramMatrix)
    )
    W = torch.from_numpy(rng.standard_normal((40, 3))).to(wide)
    for a, b in ((many.right_side, one.right_side), (many.normal(W), one.normal(W))):
        assert_allclose(b, a, atol=rtol * float(a.abs().max()))
    assert_allclose(one.eigenvalues()[-5:], many.eigenvalues()[-5:], rtol=2 * rtol)
    if dtype == torch.float64:
        assert one.normal(W)[7].abs().max() == 0  # of a constant


def test_features_that_are_made_when_read_give_the_same_head():
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((900, 20)), rng.integers(3, size=900)
    X[:, :3] += np.eye(3)[y]
    rows = LocalRows(torch.from_numpy(X))
    made = rows.derived(torch.clone, (20,), torch.float64)
    expected = RidgeHead(random_state=0)._fit_rows(rows, y, None)
    found = RidgeHead(random_state=0)._fit_rows(made, y, None)
    assert_allclose(found.coef_, expected.coef_, rtol=1e-8, atol=1e-10)
    assert_allclose(found.temperature_, expected.temperature_, rtol=1e-8)
