"""Memory budget of a fit, and temporary files beyond it."""

import errno
import os
import re
import shutil
import tempfile
from contextlib import suppress
from functools import lru_cache
from math import prod
from numbers import Integral
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}
_UNITS |= {"ki": 2**10, "mi": 2**20, "gi": 2**30, "ti": 2**40}


class Work(NamedTuple):
    """Memory that one step of a fit takes.

    Attributes
    ----------
    step : str
        Description of the step, as the subject of a message.
    n_bytes : float
        Upper bound of its memory.
    advice : str
        How to lower it.
    """

    step: str
    n_bytes: float
    advice: str


class Memory:
    """Memory budget: half for the outputs of layers, half for the work of one step.

    Parameters
    ----------
    limit : int, str or None
        Number of bytes, such as 500_000_000, '500MB' or '2GiB'. None is the memory of the
        machine.

    Raises
    ------
    ValueError
        If `limit` is anything else.
    """

    def __init__(self, limit):
        self._limit = None if limit is None else _parse_bytes(limit)
        self._name = f"memory_limit={limit!r}"

    def check(self, work):
        """Raise ValueError if a step's :class:`Work` takes more than half of the limit."""
        if self._limit is not None and work.n_bytes > self._limit / 2:
            raise ValueError(
                f"{self._name} is too small: {work.step} takes {_format(work.n_bytes)}, and half "
                f"of the limit is available for it. {work.advice}"
            )

    def empty(self, shape, dtype, may_use_file=False):
        """Return an empty tensor for all images, in memory or in a temporary file.

        The input and the output of a layer exist at once, so each may take a quarter. A larger
        tensor is in a file; it is None if it may not be.
        """
        n_bytes = prod(shape) * dtype.itemsize
        if n_bytes <= (self._limit or _machine_bytes()) / 4:
            return torch.empty(shape, dtype=dtype)
        return _empty_in_file(shape, dtype, n_bytes) if may_use_file else None


THIS_MACHINE = Memory(None)


def refuse_more_than_machine(work):
    """Raise ValueError if a step's :class:`Work` takes more memory than the machine has."""
    if work.n_bytes > _machine_bytes():
        raise ValueError(
            f"{work.step} takes {_format(work.n_bytes)} of memory, and there are "
            f"{_format(_machine_bytes())}. {work.advice}"
        )


@lru_cache
def _machine_bytes():
    """Return the memory of this machine, or the smaller limit of the process's control group."""
    sizes = []
    with suppress(AttributeError, OSError, ValueError):  # not Linux
        sizes.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    with suppress(OSError, ValueError):  # no control group, or one without a limit
        sizes.append(int(Path("/sys/fs/cgroup/memory.max").read_text()))
    return min(sizes, default=np.inf)


def _parse_bytes(limit):
    if isinstance(limit, Integral) and not isinstance(limit, bool) and limit > 0:
        return int(limit)
    match = re.fullmatch(r"\s*([\d.]+)\s*([kmgt]?i?)b?\s*", str(limit).lower())
    if isinstance(limit, str) and match and match[2] in _UNITS and match[1].count(".") < 2:
        n_bytes = float(match[1]) * _UNITS[match[2]] if match[1] != "." else 0
        if n_bytes > 0:
            return n_bytes
    raise ValueError(
        f"memory_limit={limit!r} is not valid: it takes a positive integer, the number of bytes, "
        "a string with a unit from kB to TB or from KiB to TiB, such as '500MB' or '2GiB', or None."
    )


def _format(n_bytes):
    return f"{n_bytes / 1e9:.3g} GB" if n_bytes >= 1e9 else f"{n_bytes / 1e6:.3g} MB"


def _empty_in_file(shape, dtype, n_bytes):
    """Return a tensor in a file that is deleted with the tensor, or with the process."""
    with tempfile.TemporaryFile() as file:
        try:
            _reserve(file, n_bytes)
        except OSError as error:
            folder = tempfile.gettempdir()
            raise OSError(
                error.errno,
                f"The output of a layer takes {_format(n_bytes)}, and {folder}, which has "
                f"{_format(shutil.disk_usage(folder).free)} left, does not hold it "
                f"({error.strerror}). The environment variable TMPDIR names another folder.",
            ) from error
        raw = np.memmap(file, np.uint8, "r+", shape=(n_bytes,))
    return torch.from_numpy(raw).view(dtype).view(shape)


def _reserve(file, n_bytes):
    """Allocate all blocks of a file: writing to a mapped file on a full disk ends the process."""
    if n_bytes > shutil.disk_usage(tempfile.gettempdir()).free:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file.fileno(), 0, n_bytes)
