"""Where tensors live, how precise they are, and how arrays become batches of them."""

from functools import lru_cache
from time import perf_counter

import numpy as np
import torch
from sklearn.utils import gen_batches

# Batches are sized so that their largest map stays in a processor's last-level cache.
_BATCH_BYTES = 8 * 2**20
# bfloat16 pays where its matrix product is this many times as fast as the float32 one.
_WORTHWHILE = 1.3
# And where the products that encode all images of a fit take a second or more.
_MANY_PRODUCTS = 1e11


def resolve_device(device):
    """Return the torch.device that the parameter `device` names.

    'auto' is a GPU if torch has one ready and the CPU otherwise.

    Raises
    ------
    ValueError
        If the device is unknown to torch or not present on this machine.
    """
    if isinstance(device, str) and device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        resolved = torch.device(device)
        torch.empty(1, device=resolved)
    except (RuntimeError, AssertionError, NotImplementedError, TypeError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(
            f"device={device!r} cannot be used here ({reason}). It takes 'auto', 'cpu' "
            "or any device that torch has on this machine, such as 'cuda' or 'cuda:1'."
        ) from error
    if resolved.type == "meta":
        raise ValueError(f"device={device!r} holds no data; it takes 'auto' or 'cpu'.")
    return resolved


def computing_dtype(array):
    """The dtype of results: float64 for float64 data, float32 for all else."""
    is_double = array.dtype in (np.float64, torch.float64)
    return np.dtype(np.float64 if is_double else np.float32)


def torch_dtype(dtype):
    """The torch dtype that a dtype of NumPy or torch is."""
    if isinstance(dtype, torch.dtype):
        return dtype
    return torch.from_numpy(np.empty(0, dtype)).dtype


def automatic_precision(n_products, device):
    """What precision='auto' stands for with float32 images: 'bfloat16' where it saves time.

    Parameters
    ----------
    n_products : int
        The number of products of numbers that encode all images of a fit.
    device : torch.device
        Where to compute.
    """
    is_worthwhile = n_products >= _MANY_PRODUCTS and bfloat16_speed(str(device)) >= _WORTHWHILE
    return "bfloat16" if is_worthwhile else "float32"


def refuse_slow_precision(precision, device):
    """Raise ValueError if 'bfloat16' is asked of a device that computes faster in float32."""
    if precision == "bfloat16" and bfloat16_speed(str(device)) < _WORTHWHILE:
        raise ValueError(
            f"precision='bfloat16' is not for this device ({device}): its bfloat16 matrix product "
            f"was measured to run at {bfloat16_speed(str(device)):.2g} times the speed of the "
            "float32 one. Use 'auto' or 'float32'."
        )


@lru_cache
def bfloat16_speed(device):
    """How many times as fast as in float32 a product is in bfloat16, measured once."""
    seconds = {torch.float32: np.inf, torch.bfloat16: np.inf}
    generator = torch.Generator().manual_seed(0)
    for _ in range(5):
        for dtype in seconds:
            A = torch.rand(768, 768, generator=generator).to(device, dtype)
            (A @ A)[0, 0].item()
            start = perf_counter()
            (A @ A)[0, 0].item()
            seconds[dtype] = min(seconds[dtype], perf_counter() - start)
    return seconds[torch.float32] / seconds[torch.bfloat16]


def numpy_dtype(dtype):
    """The NumPy dtype of results in a torch dtype; bfloat16 becomes float32."""
    return torch.empty(0, dtype=torch.float32 if dtype == torch.bfloat16 else dtype).numpy().dtype


def to_tensor(array, dtype, device):
    """A tensor of its own memory with the values of an array (which may be read-only).

    Parameters
    ----------
    array : ndarray or Tensor
        The values.
    dtype : torch.dtype
        Of the tensor.
    device : torch.device
        Of the tensor.
    """
    return as_tensor(array).to(device, dtype)


def as_tensor(array):
    """The tensor of an array (a copy: it may be read-only) or of a tensor (itself)."""
    is_tensor = isinstance(array, torch.Tensor)
    return array if is_tensor else torch.from_numpy(np.array(array, order="C"))


def as_array(values):
    """The array of a tensor (bfloat16, not in NumPy, becomes float32) or of an array (itself)."""
    if not isinstance(values, torch.Tensor):
        return values
    return values.to(torch_dtype(computing_dtype(values))).cpu().numpy()


def automatic_batch_size(bytes_per_image):
    """The number of images whose maps of `bytes_per_image` fit the cache together."""
    return max(1, int(_BATCH_BYTES // max(bytes_per_image, 1)))


def as_bits(tensor):
    """An array on the memory of a tensor, for storing: bfloat16, not in NumPy, becomes int16."""
    return (tensor.view(torch.int16) if tensor.dtype == torch.bfloat16 else tensor).numpy()


def of_bits(array):
    """The tensor that :func:`as_bits` was of, on the same memory unless that is read-only."""
    tensor = torch.from_numpy(array if array.flags.writeable else array.copy())
    return tensor.view(torch.bfloat16) if tensor.dtype == torch.int16 else tensor


def in_batches(function, rows, batch_size):
    """What a function makes of rows, a tensor, of so many at a time."""
    if len(rows) <= batch_size:
        return function(rows)
    out = None
    for batch in gen_batches(len(rows), batch_size):
        made = function(rows[batch])
        if out is None:
            out = made.new_empty((len(rows), *made.shape[1:]))
        out[batch] = made
    return out


def dense_product(rows, weight, bias=None):
    """rows @ weight.T + bias, for a matrix of n rows; `weight` has shape (m, n_features).

    Phrased as a 1x1 convolution: oneDNN's runs at twice the rate of the BLAS that torch
    calls for float32 matrices, and no slower in other precisions.
    """
    if rows.device.type != "cpu":
        return torch.nn.functional.linear(rows, weight, bias)
    image = rows[None, :, None].permute(0, 3, 1, 2)
    kernels = weight[:, :, None, None].contiguous(memory_format=torch.channels_last)
    product = torch.nn.functional.conv2d(image, kernels, bias)
    return product.permute(0, 2, 3, 1).reshape(len(rows), len(weight))
