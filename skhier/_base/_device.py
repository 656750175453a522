"""Devices and precisions of tensors, and conversions between arrays and tensors."""

from contextlib import contextmanager, nullcontext
from functools import lru_cache
from time import perf_counter

import numpy as np
import torch

from ._threads import one_torch_thread

# Batches are sized so that their largest map stays in a processor's last-level cache.
_BATCH_BYTES = 8 * 2**20
# Rounding pays where it makes a matrix product this many times as fast ...
WORTHWHILE = 1.3
# ... and where encoding all images of a fit takes more multiplications than to measure that.
_MANY_PRODUCTS = 5e9
_MEASURING_SECONDS = 0.3


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
            f"device={device!r} cannot be used here ({reason}). It takes 'auto' or a device that "
            f"torch has on this machine: {_devices()}."
        ) from error
    if resolved.type == "meta":
        raise ValueError(f"device={device!r} holds no data; it takes 'auto' or 'cpu'.")
    return resolved


def _devices():
    """Return the names of the devices that torch has on this machine."""
    if not torch.accelerator.is_available():
        return ["cpu"]
    kind = torch.accelerator.current_accelerator().type
    return ["cpu", *(f"{kind}:{i}" for i in range(torch.accelerator.device_count()))]


def computing_dtype(array):
    """Return the dtype of results: float64 for float64 data, float32 for all other."""
    is_double = array.dtype in (np.float64, torch.float64)
    return np.dtype(np.float64 if is_double else np.float32)


@contextmanager
def own_modes():
    """Leave the caller's modes of torch, in a context.

    In inference mode no gradient is computed, autocast rounds products, and a default device gets
    tensors that belong to the CPU.
    """
    on_cpu, on_cuda = (torch.autocast(device, enabled=False) for device in ("cpu", "cuda"))
    # A default device, also the CPU, takes time at every operation.
    is_default = torch.get_default_device().type == "cpu"
    with (
        torch.inference_mode(False),
        on_cpu,
        on_cuda,
        nullcontext() if is_default else torch.device("cpu"),
    ):
        yield


def torch_dtype(dtype):
    """Return a dtype of NumPy or torch as a dtype of torch."""
    if isinstance(dtype, torch.dtype):
        return dtype
    return torch.from_numpy(np.empty(0, dtype)).dtype


def numpy_dtype(dtype):
    """Return the NumPy dtype of results in a torch dtype; bfloat16 becomes float32."""
    return torch.empty(0, dtype=torch.float32 if dtype == torch.bfloat16 else dtype).numpy().dtype


def automatic_precision(n_products, device):
    """Return the precision of float32 images for precision='auto'.

    It is 'bfloat16' where that saves time.

    Parameters
    ----------
    n_products : int
        Number of multiplications that encode all images of a fit.
    device : torch.device
        Where to compute.
    """
    is_worthwhile = is_much_work(n_products) and bfloat16_speed(str(device)) >= WORTHWHILE
    return "bfloat16" if is_worthwhile else "float32"


def precision_here(precision, device):
    """Return the precision to predict in with a model that was fitted in `precision`.

    It is 'float32' if the model comes from a machine with faster products in bfloat16 than this.
    """
    is_slow = precision == "bfloat16" and bfloat16_speed(str(device)) < 1
    return "float32" if is_slow else precision


def is_much_work(n_products):
    """Return whether multiplications take more time than to measure how to save it."""
    return n_products >= _MANY_PRODUCTS


def refuse_slow_precision(precision, device):
    """Raise ValueError for 'bfloat16' on a device that computes faster in float32."""
    if precision == "bfloat16" and bfloat16_speed(str(device)) < WORTHWHILE:
        raise ValueError(
            f"precision='bfloat16' is not for this device ({device}): its bfloat16 matrix product "
            f"was measured to run at {bfloat16_speed(str(device)):.2g} times the speed of the "
            "float32 one. Use 'auto' or 'float32'."
        )


@lru_cache
def bfloat16_speed(device):
    """Measure, once, how many times as fast as in float32 a matrix product is in bfloat16."""
    generator = torch.Generator().manual_seed(0)
    A = torch.rand(384, 384, generator=generator, dtype=torch.float32).to(device)
    B = A.bfloat16()
    single, half = shortest_times(lambda: (A @ A)[0, 0].item(), lambda: (B @ B)[0, 0].item())
    return single / half


@one_torch_thread()
def shortest_times(*functions):
    """Return the seconds of the fastest of up to 30 calls of each function, on one thread.

    Calls should take a few milliseconds: also on a busy machine, some are not interrupted. Several
    threads would wait for each other, and for one that is not running, and the choice of a
    precision would depend on what else the machine does. Where calls take much longer, there are
    fewer.
    """
    seconds, begin = np.full(len(functions), np.inf), perf_counter()
    for _ in range(30):
        for i, function in enumerate(functions):
            start = perf_counter()
            function()
            seconds[i] = min(seconds[i], perf_counter() - start)
        if perf_counter() - begin > _MEASURING_SECONDS:
            break
    return seconds


def as_tensor(array):
    """Convert an array to a tensor; tensors are returned as they are.

    The array is copied: it may be read-only, and torch would warn.
    """
    is_tensor = isinstance(array, torch.Tensor)
    return array if is_tensor else torch.from_numpy(np.array(array, order="C"))


def as_array(values):
    """Convert a tensor to an array, bfloat16 to float32; arrays are returned as they are."""
    if not isinstance(values, torch.Tensor):
        return values
    return values.to(torch_dtype(numpy_dtype(values.dtype))).cpu().numpy()


def automatic_batch_size(row_bytes):
    """Return the number of rows of `row_bytes` that fit the cache together."""
    return max(1, int(_BATCH_BYTES // max(row_bytes, 1)))


def as_bits(tensor):
    """View a tensor as an array for storing: bfloat16, which NumPy lacks, becomes int16."""
    return (tensor.view(torch.int16) if tensor.dtype == torch.bfloat16 else tensor).numpy()


def of_bits(array):
    """View an array from :func:`as_bits` as a tensor again; read-only memory is copied."""
    tensor = torch.from_numpy(array if array.flags.writeable else array.copy())
    return tensor.view(torch.bfloat16) if tensor.dtype == torch.int16 else tensor


def dense_product(rows, weight, bias=None):
    """Compute rows @ weight.T + bias, for rows (n, n_features) and weight (m, n_features).

    Phrased as a 1x1 convolution: oneDNN's runs at up to twice the rate of the BLAS that torch
    calls for float32 matrices, and at three times if m is small. In other precisions it is no
    slower unless m is small.
    """
    if rows.device.type != "cpu":
        return torch.nn.functional.linear(rows, weight, bias)
    image = rows[None, :, None].permute(0, 3, 1, 2)
    kernels = weight[:, :, None, None].contiguous(memory_format=torch.channels_last)
    onednn = torch.backends.mkldnn
    if rows.dtype == torch.float32 and len(rows) and onednn.is_available() and onednn.enabled:
        # conv2d leaves one thread, and few rows, to the BLAS, which rounds otherwise: k-means
        # would turn another number of threads into other clusters.
        product = torch.mkldnn_convolution(image, kernels, bias, (0, 0), (1, 1), (1, 1), 1)
    else:
        product = torch.nn.functional.conv2d(image, kernels, bias)
    return product.permute(0, 2, 3, 1).reshape(len(rows), len(weight))


def batch_product(a, b):
    """Compute the product of each pair of matrices, the same for any number of threads.

    A thread computes a whole product. If there is only one product, the BLAS divides it between
    threads, which rounds otherwise: then it is computed twice.
    """
    if len(a) == 1:
        return torch.bmm(a.repeat(2, 1, 1), b.repeat(2, 1, 1))[:1]
    return torch.bmm(a, b)


def convolve(images, kernels, bias, stride):
    """Convolve images (n, H, W, C) with kernels (k, C, h, w): a contiguous (n, rows, columns, k).

    The memory of `kernels` should be in the order of `torch.channels_last`, as that of images is.
    """
    if kernels.shape[2:] == (1, 1):  # many images of one pixel are slow as images
        pixels = images[:, :: stride[0], :: stride[1]]
        rows = dense_product(pixels.flatten(0, 2), kernels[:, :, 0, 0], bias)
        return rows.unflatten(0, pixels.shape[:3])
    images = images.permute(0, 3, 1, 2)
    if images.device.type != "cpu":
        return _convolve_by_product(images, kernels, bias, stride)
    maps = torch.nn.functional.conv2d(images, kernels, bias, stride)
    return maps.permute(0, 2, 3, 1).contiguous()


def _convolve_by_product(images, kernels, bias, stride):
    """Convolve (n, C, H, W) by a matrix product: cuDNN would round float32 to fewer digits."""
    sides = zip(images.shape[2:], kernels.shape[2:], stride)
    shape = [(side - size) // step + 1 for side, size, step in sides]
    patches = torch.nn.functional.unfold(images, kernels.shape[2:], stride=stride)
    maps = torch.nn.functional.linear(patches.mT, kernels.flatten(1), bias)
    return maps.unflatten(1, shape)
