"""Random numbers addressed by (key, position): the same for any batch, order or process.

Each key starts a SplitMix64 stream (Steele, Lea and Flood, 2014). The key of a sample depends
on the seed and its index only, so a sample is drawn without drawing the samples before it.
"""

import numpy as np

from .._base._params import make_rng

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_BRANCH = np.uint64(0xD1B54A32D192ED03)


def _mix(z):
    """Apply the finalizer of SplitMix64, in place: a bijection that scatters every bit."""
    shifted = z >> np.uint64(30)
    z ^= shifted
    z *= np.uint64(0xBF58476D1CE4E5B9)
    np.right_shift(z, np.uint64(27), out=shifted)
    z ^= shifted
    z *= np.uint64(0x94D049BB133111EB)
    np.right_shift(z, np.uint64(31), out=shifted)
    z ^= shifted
    return z


def draw_seed(sampler, random_state=None):
    """Draw a seed from `random_state`, or if it is None from the sampler's own."""
    rng = make_rng(sampler.random_state if random_state is None else random_state)
    return rng.randint(2**63 - 1, dtype=np.int64)


def index_keys(seed, indices):
    """Return one key for each (seed, index), an int or keys that are broadcast with `indices`."""
    seed = np.atleast_1d(np.asarray(seed, dtype=np.uint64))
    indices = np.asarray(indices).astype(np.uint64)
    return _mix(_mix(seed + _GOLDEN) ^ _mix(indices * _GOLDEN + _GOLDEN))


def content_keys(seed, rows):
    """Return one key for each row of integers: a function of the seed and the row's values."""
    keys = np.full(len(rows), seed, dtype=np.uint64)
    for column in rows.T:
        keys = _mix((keys ^ column.astype(np.uint64)) + _GOLDEN)
    return keys


def branch_keys(keys, number):
    """Return keys of further streams: one for each key, different for each `number` >= 0."""
    return _mix(keys ^ (_BRANCH * np.array([number + 1], dtype=np.uint64)))


def random_words(keys, positions):
    """Return 64 random bits of each stream at each position, broadcast against each other."""
    return _mix(keys + (positions.astype(np.uint64) + np.uint64(1)) * _GOLDEN)


def random_bits(keys, first, n_draws):
    """Return draws `first`, `first` + 1, ... of each stream: uint32, (len(keys), n_draws)."""
    bits = random_words(keys[:, None], np.arange(first // 2, (first + n_draws + 1) // 2))
    return bits.astype("<u8", copy=False).view("<u4")[:, first % 2 : first % 2 + n_draws]


def multiply_bits(bits, high):
    """Return bits * high as uint64. Its high word is a random integer in range(high).

    The low word holds the remaining random bits. The relative error of an integer's probability
    is less than high / 2**32.
    """
    product = bits.astype(np.uint64)
    product *= np.asarray(high, dtype=np.uint64)
    return product


def draw_integers(keys, first, n_draws, high):
    """Draw integers in range(high), an array (len(keys), n_draws); `high` may be an array."""
    product = multiply_bits(random_bits(keys, first, n_draws), high)
    product >>= np.uint64(32)
    return product.view(np.int64)


def draw_uniforms(keys, first, n_draws):
    """Draw float64 numbers in [0, 1) with 53 random bits: (len(keys), n_draws)."""
    bits = random_words(keys[:, None], np.arange(first, first + n_draws))
    return (bits >> np.uint64(11)) * 2.0**-53


def draw_replacements(keys, n_draws, probability, n_values):
    """Draw whether each value is replaced, and its new value from range(n_values)."""
    bits = random_bits(keys, 0, n_draws)
    limit = round(probability * 2**32)
    is_replaced = bits < np.uint64(limit)
    # The same bits choose the new value: if they are below the limit, they are uniform below it.
    new = multiply_bits(bits, n_values) // np.uint64(max(limit, 1))
    return is_replaced, new.view(np.int64)


def draw_normals(keys, n_draws):
    """Draw float32 N(0, 1) of shape (len(keys), n_draws), by Box and Muller (1958)."""
    n_pairs = (n_draws + 1) // 2
    uniforms = random_bits(keys, 0, 2 * n_pairs).astype(np.float32)
    uniforms += np.float32(0.5)
    uniforms *= np.float32(2.0**-32)
    radius = np.sqrt(np.float32(-2) * np.log(uniforms[:, :n_pairs]))
    angle = np.float32(2 * np.pi) * uniforms[:, n_pairs:]
    return np.hstack([radius * np.cos(angle), radius * np.sin(angle)])[:, :n_draws]
