"""Convolutions of images whose channels are last."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from skhier._base import _device
from skhier._base._device import batch_product, convolve, dense_product


@pytest.mark.parametrize("is_cpu", [True, False])
@pytest.mark.parametrize("stride", [(1, 1), (2, 3)])
@pytest.mark.parametrize("size", [(1, 1), (3, 2), (7, 8)])
@pytest.mark.parametrize("n_channels", [1, 3])
def test_a_convolution_is_the_product_of_each_patch_with_the_kernels(
    n_channels, size, stride, is_cpu
):
    rng = np.random.default_rng(0)
    images = rng.standard_normal((5, 7, 8, n_channels), dtype=np.float32)
    kernels = rng.standard_normal((4, n_channels, *size), dtype=np.float32)
    bias = rng.standard_normal(4, dtype=np.float32)
    windows = np.lib.stride_tricks.sliding_window_view(images, size, axis=(1, 2))
    windows = windows[:, :: stride[0], :: stride[1]]
    expected = np.einsum("nrtcij,kcij->nrtk", windows, kernels) + bias
    tensors = map(torch.from_numpy, (images, kernels, bias))
    if is_cpu:
        maps = convolve(*tensors, stride)
    else:  # the way of other devices, computed here
        images, kernels, bias = tensors
        maps = _device._convolve_by_product(images.permute(0, 3, 1, 2), kernels, bias, stride)
    assert maps.is_contiguous()
    assert_allclose(maps, expected, rtol=1e-4, atol=1e-5)


@pytest.fixture
def set_threads():
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


@pytest.mark.parametrize("n_features", [24, 200, 1080])
@pytest.mark.parametrize("n_rows", [1, 5, 24, 361, 1444])
def test_products_are_rounded_the_same_by_any_number_of_threads(n_rows, n_features, set_threads):
    rng = np.random.default_rng(0)
    rows, weight, codes = (
        torch.from_numpy(rng.standard_normal(shape, dtype=np.float32))
        for shape in ((n_rows, n_features), (27, n_features), (1, n_features, 24))
    )
    results = []
    for n in (1, 2, 3, 8):
        set_threads(n)
        results.append((dense_product(rows, weight), batch_product(rows[None], codes)))
    expected = rows.double() @ weight.double().T
    assert_allclose(results[0][0], expected, atol=1e-3)
    for dense, of_one_image in results[1:]:
        assert torch.equal(dense, results[0][0])
        assert torch.equal(of_one_image, results[0][1])
