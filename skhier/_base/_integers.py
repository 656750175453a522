"""Matrix products of 8-bit integers: processors with VNNI add four of them in one step."""

from functools import lru_cache

import torch
from torch.nn import functional as F

from ._device import WORTHWHILE, dense_product, is_much_work, shortest_times

_LARGEST = 127  # of the integers that stand for floats: -127 to 127


class IntegerProduct:
    """The product rows @ weight.T + bias of numbers rounded to 8-bit integers, in bfloat16.

    Integers are multiplied and added exactly, so the result for a row depends on no other row.
    Where the processor has no such product, the same integers are multiplied as floats.

    Parameters
    ----------
    weight : Tensor of shape (m, n_features)
        Every row is rounded to 127 steps of its own.
    bias : Tensor of shape (m,)
        Not rounded.
    bound : float
        No entry of rows is larger in absolute value. Rows are rounded to steps of bound / 127.
    """

    def __init__(self, weight, bias, bound):
        self._parameters = weight, bias, bound
        weight = weight.float()
        largest = weight.abs().amax(dim=1, keepdim=True)
        scales = torch.where(largest > 0, largest / _LARGEST, 1.0)
        integers = (weight / scales).round_().to(torch.int8)
        self._scales, self._bias, self._step = scales[:, 0], bias.float(), bound / _LARGEST
        self._packed = _pack(integers) if has_integer_products() else None
        self._rounded = integers * scales if self._packed is None else None

    def __reduce__(self):  # packed weights depend on the processor
        return IntegerProduct, self._parameters

    def __call__(self, rows, factors):
        """Return the product for rows (n, n_features), each times its factor (n, 1)."""
        # Products of two dtypes are slow. Halves are added because conversion rounds down, 128
        # because negative bytes are slower.
        rounded = (rows.float() * (factors / self._step)).add_(_LARGEST + 1.5).to(torch.uint8)
        if self._packed is None:
            rows = rounded.float().sub_(_LARGEST + 1)
            return F.linear(rows.mul_(self._step), self._rounded, self._bias).bfloat16()
        return _product(rounded, self._step, self._packed, self._scales, self._bias)


def _pack(integers):
    return torch.ops.onednn.qlinear_prepack(integers, None)


def _product(rounded, step, packed, scales, bias):
    """Return (rounded - 128) * step @ (scales * integers).T + bias in bfloat16."""
    zeros = torch.zeros(len(scales), dtype=torch.int64)
    rows = rounded, step, _LARGEST + 1
    result = 1.0, 0, torch.bfloat16, "none", [], ""
    return torch.ops.onednn.qlinear_pointwise(*rows, packed, scales, zeros, bias, *result)


@lru_cache
def has_integer_products():
    """Return whether torch has fast, exact products of 8-bit integers on this processor."""
    try:
        return _are_exact() and not _are_emulated()
    except (AttributeError, RuntimeError, TypeError):
        return False


def _are_exact():
    """Return whether products of the largest bytes are exact.

    Some processors add two of them in 16 bits, where they do not fit.
    """
    rounded = torch.tensor([[255, 255, 255, 255], [1, 1, 1, 1], [255, 1, 128, 255]]).byte()
    integers = torch.tensor([[_LARGEST] * 4, [-_LARGEST] * 4, [0, 0, 0, 1]]).to(torch.int8)
    rounded, integers = rounded.tile(1, 64), integers.tile(1, 64)
    step = 2.0**-14
    expected = (rounded.double() - 128) * step @ integers.double().T
    scales, bias = torch.ones(3, dtype=torch.float32), torch.zeros(3, dtype=torch.float32)
    found = _product(rounded, step, _pack(integers), scales, bias)
    return torch.equal(found, expected.bfloat16())


def _are_emulated():
    """Return whether products take ten times as long as those of floats: torch has only a loop."""
    rows, weight = (torch.ones(n, 256, dtype=torch.float32) for n in (16, 256))
    bias = torch.zeros(256, dtype=torch.float32)
    rounded, packed = rows.byte(), _pack(weight.to(torch.int8))
    floats, integers = shortest_times(
        lambda: dense_product(rows, weight, bias),
        lambda: _product(rounded, 1.0, packed, weight[0], bias),
    )
    return integers > 10 * floats


def integers_pay(n_products, device, dtype):
    """Return whether products of integers save time, beside those of floats of a dtype.

    Parameters
    ----------
    n_products : int
        Number of multiplications of all images of a fit.
    device : torch.device
        Where to compute.
    dtype : torch.dtype
        bfloat16 or float32.
    """
    is_possible = device.type == "cpu" and is_much_work(n_products) and has_integer_products()
    return is_possible and integer_speed(dtype) >= WORTHWHILE


@lru_cache
def integer_speed(dtype):
    """Measure, once, how many times as fast as of floats a matrix product of integers is."""
    generator = torch.Generator().manual_seed(0)
    rows, weight = (torch.rand(n, 160, generator=generator).to(dtype) for n in (320, 1600))
    bias = torch.zeros(len(weight), dtype=dtype)
    factors = torch.ones(len(rows), 1, dtype=torch.float32)
    product = IntegerProduct(weight, bias, 1.0)
    floats, integers = shortest_times(
        lambda: dense_product(rows, weight, bias), lambda: product(rows, factors)
    )
    return floats / integers
