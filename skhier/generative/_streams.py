"""Random numbers addressed by (key, position): the same for any batch, order or process.

Each key opens a SplitMix64 stream (Steele, Lea and Flood, 2014). A sample whose key
depends on a seed and its index only is thus drawn without drawing those before it.
"""

import numpy as np

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def mix(z):
    """The finalizer of SplitMix64: a bijection of uint64 that scatters every bit."""
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def index_keys(seed, indices):
    """One key for each (seed, index)."""
    seed = np.array([seed], dtype=np.uint64)
    indices = np.asarray(indices, dtype=np.uint64)
    return mix(mix(seed + _GOLDEN) ^ mix(indices * _GOLDEN + _GOLDEN))


def content_keys(seed, rows):
    """One key for each row of integers, a function of the seed and the row's content."""
    keys = np.full(len(rows), seed, dtype=np.uint64)
    for column in rows.T:
        keys = mix((keys ^ column.astype(np.uint64)) + _GOLDEN)
    return keys


def draw_integers(keys, first, n_draws, high):
    """Integers in range(high), an array (len(keys), n_draws); `high` may be an array.

    Draws `first`, `first` + 1, ... of each key's stream, 32 bits each: a value is off
    its exact probability by less than high / 2**32, relatively.
    """
    words = np.arange(first // 2, (first + n_draws + 1) // 2, dtype=np.uint64)
    bits = mix(keys[:, None] + (words + np.uint64(1)) * _GOLDEN)
    halves = bits.astype("<u8", copy=False).view("<u4")[:, first % 2 : first % 2 + n_draws]
    return ((halves.astype(np.uint64) * np.asarray(high, dtype=np.uint64)) >> np.uint64(32)).astype(
        np.intp
    )
