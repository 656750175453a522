"""Where tensors live and how arrays become batches of them."""

import numpy as np
import torch
from sklearn.utils import gen_batches

# Batches are sized so that their largest map stays in a processor's last-level cache.
_BATCH_BYTES = 16 * 2**20


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
    """The dtype computed in: float64 for float64 data, float32 for all else."""
    return np.dtype(np.float64 if array.dtype == np.float64 else np.float32)


def to_tensor(array, dtype, device):
    """A tensor of its own memory with the values of `array` (which may be read-only)."""
    return torch.from_numpy(np.array(array, dtype=dtype, order="C")).to(device)


def automatic_batch_size(bytes_per_image):
    """The number of images whose maps of `bytes_per_image` fit the cache together."""
    return max(1, int(_BATCH_BYTES // max(bytes_per_image, 1)))


def map_batches(function, n_samples, batch_size, out):
    """Fill `out` with `function(batch)` over consecutive slices of range(n_samples)."""
    for batch in gen_batches(n_samples, batch_size):
        out[batch] = function(batch)
    return out
