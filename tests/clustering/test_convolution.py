"""Convolutions of images whose channels are last."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from skhier._base import _device
from skhier._base._device import convolve


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
