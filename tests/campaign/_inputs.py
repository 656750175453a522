"""Strategies for images, labels, weights and groups, of many values, dtypes, layouts and types."""

from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import scipy.sparse as sp
import torch
from _containers import BLOCKED, in_file, read_only
from _odd import odd_values, seeds
from hypothesis import strategies as st


def _pixels(kind, shape, rng):
    """Return float64 pixels of a kind."""
    normal = rng.standard_normal(shape)
    return {
        "normal": lambda: normal,
        "gray": lambda: rng.integers(0, 256, shape).astype(float),
        "ink": lambda: (normal > 0.5).astype(float),
        "zero": lambda: np.zeros(shape),
        "constant": lambda: np.full(shape, 7.0),
        "repeated": lambda: np.repeat(normal[:1], len(normal), axis=0),
        "offset": lambda: normal + 1e4,
        "large": lambda: normal * 1e18,
        "small": lambda: normal * 1e-18,
        "mixed": lambda: normal * 10.0 ** rng.integers(-12, 12, shape),
        "channels": lambda: normal * 10.0 ** rng.integers(-14, 14, shape[-1]),
        "outlier": lambda: np.where(normal == normal.max(), 1e14, normal),
        "distant": lambda: normal + 1e14,
        "huge": lambda: normal * 1e150,
        "tiny": lambda: normal * 1e-150,
        "subnormal": lambda: normal * 1e-310,
        "greatest": lambda: np.sign(normal) * np.finfo(float).max,
    }[kind]()


MODERATE = ["normal", "gray", "ink", "zero", "constant", "repeated", "offset"]
EXTREME = [
    *("large", "small", "mixed", "channels", "outlier", "distant"),
    *("tiny", "subnormal", "huge", "greatest"),
]


def _flat(X):
    return X.reshape(len(X), -1)


def _cast(X, dtype):
    with np.errstate(all="ignore"):
        return X.astype(dtype)


def _frame(frame_class, X):
    return frame_class({f"x{i}": column for i, column in enumerate(_flat(X).T)})


DTYPES = ["f8", "f8", "f4", "f2", ">f8", ">f4", "g", "u1", "i1", "u2", ">u2", "i8", "u8", "?", "O"]
LAYOUTS = {
    "plain": lambda X: X,
    "Fortran": np.asfortranarray,
    "reversed": lambda X: np.flip(np.flip(X).copy()),
    "strided": lambda X: np.repeat(X, 2, axis=-1)[..., ::2],
    "broadcast": lambda X: np.broadcast_to(X[:1], X.shape),
    "read-only": lambda X: read_only(X.copy()),
    "masked": lambda X: np.ma.array(X, mask=np.zeros(X.shape, bool)),
    "matrix": lambda X: np.asmatrix(_flat(X)),
    "lists": lambda X: X.tolist(),
    "tuple of lists": lambda X: tuple(X.tolist()),
    "list of arrays": list,
    "DataFrame": lambda X: _frame(pd.DataFrame, X),
    "polars": lambda X: _frame(pl.DataFrame, _cast(X, "f8")),
    "memory-mapped": lambda X: in_file(_cast(X, "f4")),
    "read-only memory": lambda X: read_only(in_file(_cast(X, "f8"))),
    "tensor": lambda X: torch.tensor(_cast(X, "f4")),
    "double tensor": lambda X: torch.tensor(_cast(X, "f8")),
    "byte tensor": lambda X: torch.tensor(_cast(X, "u1")),
    "half tensor": lambda X: torch.tensor(_cast(X, "f4")).half(),
    "bfloat16 tensor": lambda X: torch.tensor(_cast(X, "f4")).bfloat16(),
    "tensor with gradient": lambda X: torch.tensor(_cast(X, "f8"), requires_grad=True),
    **BLOCKED,
    # Channels first, which shapes of images rarely show.
    "permuted": lambda X: np.moveaxis(X, -1, 1),
}
WRONG_IMAGES = {
    "NaN": lambda X: np.where(X.max(initial=0) == X, np.nan, X),
    "infinite": lambda X: np.where(X.max(initial=0) == X, -np.inf, X),
    "complex": lambda X: X + 1j,
    "words": lambda X: np.full(X.shape, "a"),
    "bytes": lambda X: np.full(X.shape, b"a"),
    "dates": lambda X: np.full(X.shape, "2020", "M8[Y]"),
    "times": lambda X: np.full(X.shape, 2, "m8[s]"),
    "records": lambda X: np.full(X.shape, 0, "i4,f8"),
    "objects": lambda X: np.full(X.shape, None),
    "ragged": lambda X: [row[:1].tolist() if i else row.tolist() for i, row in enumerate(_flat(X))],
    "sparse": lambda X: sp.csr_matrix(_flat(X)),
    "names": lambda X: ["a.png"] * len(X),
    "paths": lambda X: [Path("a.png")] * len(X),
    "of several shapes": lambda X: [x[: 1 + i % 2] for i, x in enumerate(X)],
    "zarr with NaN": lambda X: BLOCKED["zarr"](np.full_like(X, np.nan)),
    "Dask with NaN": lambda X: BLOCKED["Dask"](np.full_like(X, np.nan)),
    "Dask of words": lambda X: BLOCKED["Dask"](np.full(X.shape, "a")),
    "unknown chunks": lambda X: BLOCKED["Dask"](_flat(X))[BLOCKED["Dask"](_flat(X)[:, 0]) > 0],
    "one vector": np.ravel,
    "a scalar": lambda X: np.array(3.0),
    "five axes": lambda X: X.reshape(len(X), 1, 1, 1, -1),
    "no images": lambda X: X[:0],
    "one image": lambda X: X[:1],
    "no pixels": lambda X: X[..., :0],
    "other shape": lambda X: np.concatenate([X, X], axis=-1),
    "masked out": lambda X: np.ma.masked_all_like(X),
    "text frame": lambda X: pd.DataFrame(np.full((len(X), 2), "a")),
    "frame with NA": lambda X: pd.DataFrame({"a": pd.array([pd.NA] * len(X), dtype="Int64")}),
    "sparse tensor": lambda X: torch.eye(max(len(X), 1)).to_sparse(),
    "a text": lambda X: "images",
    "a dict": lambda X: {"X": X},
    "a set": lambda X: {1.0, 2.0},
    "a generator": iter,
}


@st.composite
def images(draw, shape=None, *, kinds=MODERATE, max_images=10, is_flat=False):
    """Draw valid images (n, H, W, C), (n, H, W) or flat, in any dtype, layout and type."""
    X = draw(raw_images(shape, kinds=kinds, max_images=max_images))
    dtype = draw(st.sampled_from(DTYPES))
    largest = np.abs(X).max(initial=0)
    if dtype not in ("f8", "O") and largest > np.finfo("f2").max:  # other dtypes are too narrow
        dtype = draw(st.sampled_from(["f4", ">f8"])) if largest < np.finfo("f4").max else ">f8"
    layout = draw(st.sampled_from(list(LAYOUTS)))
    if layout.endswith("tensor") and dtype != "f8":
        dtype = "f4"
    if layout in BLOCKED and dtype in ("O", "g"):
        dtype = "f8"
    is_flat = is_flat or draw(st.sampled_from([False, False, False, True]))
    X = _cast(_flat(X) if is_flat else X, dtype)
    if X.ndim == 4 and X.shape[3] == 1 and draw(st.booleans()):
        X = X[..., 0]
    return LAYOUTS[layout](X)


@st.composite
def raw_images(draw, shape=None, *, kinds=MODERATE, max_images=10):
    """Draw float64 images (n, H, W, C)."""
    if shape is None:
        shape = draw(st.tuples(st.integers(1, 6), st.integers(1, 6), st.sampled_from([1, 1, 2, 3])))
    n = draw(st.integers(2, max_images))
    return _pixels(draw(st.sampled_from(kinds)), (n, *shape), np.random.default_rng(draw(seeds)))


@st.composite
def wrong_images(draw, shape=None):
    """Draw invalid images, an unexpected number or shape of images, or an odd value."""
    X = draw(raw_images(shape))
    kind = draw(st.sampled_from([*WRONG_IMAGES, None]))
    return draw(odd_values) if kind is None else WRONG_IMAGES[kind](X)


LABELS = {
    "ints": lambda y: y,
    "negative": lambda y: -y,
    "short": lambda y: y.astype("i1"),
    "big-endian": lambda y: y.astype(">i8"),
    "unsigned": lambda y: y.astype("u8"),
    "floats": lambda y: y.astype(float),
    "words": lambda y: np.array(["one", "two", "three"])[y],
    "objects": lambda y: np.array(["one", "two", "three"], object)[y],
    "is first": lambda y: y == 0,
    "list": lambda y: y.tolist(),
    "list of words": lambda y: [["one", "two", "three"][c] for c in y],
    "Series": lambda y: pd.Series(y, index=y + 5),
    "categories": lambda y: pd.Series(y).astype("category"),
    "polars": lambda y: pl.Series(y),
    "tensor": torch.tensor,
    "read-only": lambda y: read_only(y.copy()),
    "reversed": lambda y: y[::-1],
}
WRONG_LABELS = {
    "none": lambda y: None,
    "one class": np.zeros_like,
    "too few": lambda y: y[:-1],
    "too many": lambda y: np.append(y, 0),
    "empty": lambda y: y[:0],
    "fractions": lambda y: y + 0.5 * np.arange(len(y)),
    "NaN": lambda y: np.where(y == 0, np.nan, y),
    "infinite": lambda y: np.where(y == 0, np.inf, y),
    "complex": lambda y: y + 1j,
    "dates": lambda y: np.full(y.shape, "2020", "M8[Y]") + y,
    "records": lambda y: np.array([(c, c) for c in y], "i4,f8"),
    "column": lambda y: y[:, None],
    "columns": lambda y: np.stack([y, y], axis=1),
    "with None": lambda y: [None if c == 0 else c for c in y],
    "of several types": lambda y: ["a" if c == 0 else c for c in y],
    "lists of labels": lambda y: [[c] * (1 + c) for c in y],
    "objects": lambda y: [object() for _ in y],
    "missing": lambda y: pd.array([pd.NA, *y[1:]], dtype="Int64"),
    "sparse": lambda y: sp.csr_matrix(y[:, None]),
    "bytes": lambda y: np.full(len(y), b"a"),
    "tensor with gradient": lambda y: torch.tensor(y, dtype=torch.float32, requires_grad=True),
}


@st.composite
def labels(draw, n, *, wrong=False):
    """Draw labels of n images, of two or three classes, or invalid labels."""
    n_classes = draw(st.sampled_from([2, 2, 3]))
    rng = np.random.default_rng(draw(seeds))
    y = rng.permutation(np.arange(n) % n_classes)
    if not wrong:
        return LABELS[draw(st.sampled_from(list(LABELS)))](y)
    kind = draw(st.sampled_from([*WRONG_LABELS, None]))
    return draw(odd_values) if kind is None else WRONG_LABELS[kind](y)


WEIGHTS = {
    "none": lambda w: None,
    "ones": np.ones_like,
    "floats": lambda w: w,
    "ints": lambda w: np.ceil(w).astype(int),
    "bytes": lambda w: np.ceil(w).astype("u1"),
    "is first": lambda w: np.arange(len(w)) < len(w) - 1,
    "a third zero": lambda w: w * (np.arange(len(w)) % 3 > 0),
    "one": lambda w: 1.0 * (np.arange(len(w)) == 1),
    "equal": lambda w: np.full(len(w), 0.1),
    "single": lambda w: w.astype("f4"),
    "half": lambda w: w.astype("f2"),
    "big-endian": lambda w: w.astype(">f8"),
    "long": lambda w: w.astype("g"),
    "objects": lambda w: w.astype(object),
    "list": lambda w: w.tolist(),
    "tuple": lambda w: tuple(w.tolist()),
    "Series": lambda w: pd.Series(w, index=np.arange(len(w)) + 5),
    "polars": lambda w: pl.Series(w),
    "tensor": torch.tensor,
    "read-only": lambda w: read_only(w.copy()),
    "reversed": lambda w: w[::-1],
    "masked": lambda w: np.ma.array(w, mask=np.zeros(len(w), bool)),
    "a scalar": lambda w: 2.5,
    "an int": lambda w: 3,
    "large": lambda w: w * 1e30,
    "small": lambda w: w * 1e-30,
    "mixed": lambda w: w * 10.0 ** (np.arange(len(w)) % 25 - 12),
    "far apart": lambda w: w * 10.0 ** (np.arange(len(w)) % 2 * -200),
    "huge": lambda w: w * 1e300,
    "tiny": lambda w: w * 1e-300,
    "subnormal": lambda w: w * 1e-310,
    "greatest": lambda w: np.full(len(w), np.finfo(float).max),
}
WRONG_WEIGHTS = {
    "negative": lambda w: -w,
    "one negative": lambda w: w * np.where(np.arange(len(w)), 1, -1e-9),
    "NaN": lambda w: np.where(np.arange(len(w)), w, np.nan),
    "infinite": lambda w: np.where(np.arange(len(w)), w, np.inf),
    "all zero": np.zeros_like,
    "minus zero": lambda w: -np.zeros_like(w),
    "too few": lambda w: w[:-1],
    "too many": lambda w: np.append(w, 1),
    "empty": lambda w: w[:0],
    "column": lambda w: w[:, None],
    "columns": lambda w: np.stack([w, w], axis=1),
    "words": lambda w: np.full(len(w), "a"),
    "digits": lambda w: np.full(len(w), "2"),
    "complex": lambda w: w + 1j,
    "dates": lambda w: np.full(len(w), "2020", "M8[Y]"),
    "times": lambda w: np.full(len(w), 2, "m8[s]"),
    "records": lambda w: np.full(len(w), 1, "i4,f8"),
    "with None": lambda w: [None, *w[1:].tolist()],
    "missing": lambda w: pd.array([pd.NA, *w[1:]], dtype="Float64"),
    "lists of weights": lambda w: [[1.0] * (1 + i % 2) for i in range(len(w))],
    "beyond float64": lambda w: np.full(len(w), 10**400, object),
    "masked out": lambda w: np.ma.masked_all_like(w),
    "sparse": lambda w: sp.csr_matrix(w[:, None]),
    "frame": lambda w: pd.DataFrame({"a": w}),
    "tensor with gradient": lambda w: torch.tensor(w, requires_grad=True),
    "sparse tensor": lambda w: torch.tensor(w).to_sparse(),
    "a generator": iter,
    "a negative scalar": lambda w: -1.0,
    "a NaN": lambda w: np.nan,
}


@st.composite
def weights(draw, n, *, wrong=False):
    """Draw weights of n samples, or invalid weights."""
    w = np.random.default_rng(draw(seeds)).uniform(0.1, 3, n)
    if not wrong:
        return WEIGHTS[draw(st.sampled_from(list(WEIGHTS)))](w)
    kind = draw(st.sampled_from([*WRONG_WEIGHTS, None]))
    return draw(odd_values) if kind is None else WRONG_WEIGHTS[kind](w)


GROUPS = {
    "none": lambda g: None,
    "ints": lambda g: g,
    "negative": lambda g: -g,
    "bytes": lambda g: g.astype("u1"),
    "big-endian": lambda g: g.astype(">i8"),
    "floats": lambda g: g / 2,
    "is first": lambda g: g == 0,
    "words": lambda g: np.char.add("person ", g.astype(str)),
    "objects": lambda g: g.astype(str).astype(object),
    "dates": lambda g: np.datetime64("2020-01-01") + g,
    "list": lambda g: g.tolist(),
    "list of words": lambda g: [f"person {i}" for i in g],
    "Series": lambda g: pd.Series(g, index=g + 5),
    "categories": lambda g: pd.Series(g.astype(str)).astype("category"),
    "polars": lambda g: pl.Series(g),
    "tensor": torch.tensor,
    "Dask": BLOCKED["Dask"],
    "read-only": lambda g: read_only(g.copy()),
    "reversed": lambda g: g[::-1],
    "masked": lambda g: np.ma.array(g, mask=np.zeros(len(g), bool)),
    "each its own": lambda g: np.arange(len(g)),
}
WRONG_GROUPS = {
    "one group": np.zeros_like,
    "one word": lambda g: ["a"] * len(g),
    "too few": lambda g: g[:-1],
    "too many": lambda g: np.append(g, 0),
    "empty": lambda g: g[:0],
    "column": lambda g: g[:, None],
    "columns": lambda g: np.stack([g, g], axis=1),
    "a scalar": lambda g: 2,
    "a word": lambda g: "a",
    "NaN": lambda g: np.where(g == 0, np.nan, g),
    "NaN objects": lambda g: np.where(g == 0, np.nan, g).astype(object),
    "not a time": lambda g: np.where(g == 0, np.datetime64("NaT"), np.datetime64("2020", "D")),
    "with None": lambda g: [None if i == 0 else i for i in g],
    "of several types": lambda g: np.array(["a" if i == 0 else i for i in g], object),
    "missing": lambda g: pd.array([pd.NA, *g[1:]], dtype="Int64"),
    "masked out": lambda g: np.ma.masked_all_like(g),
    "lists of groups": lambda g: [[i] * (1 + i) for i in g],
    "objects": lambda g: [object() for _ in g],
    "sparse": lambda g: sp.csr_matrix(g[:, None]),
    "frame": lambda g: pd.DataFrame({"a": g}),
    "a dict": lambda g: {"groups": g},
    "a set": lambda g: {1, 2},
    "a generator": iter,
}


@st.composite
def groups(draw, n, *, wrong=False):
    """Draw groups of n samples, two or more, or invalid groups."""
    n_groups = draw(st.integers(2, max(2, n)))
    g = np.random.default_rng(draw(seeds)).permutation(np.arange(n) % n_groups)
    table = WRONG_GROUPS if wrong else GROUPS
    return table[draw(st.sampled_from(list(table)))](g)


def n_images(X):
    """Return the number of images in X, 3 if it has none."""
    try:
        return len(X)
    except (TypeError, ValueError):  # of unknown chunks
        return 3
