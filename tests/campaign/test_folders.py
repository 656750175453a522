"""Folders with clutter, files of any bit depth and archives of any names: read right, or named."""

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from PIL import Image

from skhier.datasets import load_image_folder, load_npz

FULL_RANGES = (255, 1023, 4095, 16383, 65535)
# Names that are ignored wherever they are, and contents that are no images.
IGNORED = st.sampled_from(
    ["Thumbs.db", "THUMBS.DB", ".DS_Store", "desktop.ini", "README.md", "License", ".hidden.csv"]
)
STRAY = st.sampled_from(["labels.csv", "meta.json", "notes.txt", "photo.jpg", "x", "é.db"])
CONTENTS = st.sampled_from(
    [b"", b"no image", b"\x89PNG\r\n\x1a\n", bytes(999), b"PK\x03\x04", None]
)
IGNORED_FOLDERS = st.sampled_from(
    ["__MACOSX", ".git", "@eaDir", "lost+found", ".ipynb_checkpoints"]
)


def write(file, content):
    """Write a file, or a dangling link for None."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.symlink_to("nowhere") if content is None else file.write_bytes(content)


@given(
    ignored=st.dictionaries(IGNORED, CONTENTS, max_size=2),
    folders=st.dictionaries(IGNORED_FOLDERS, CONTENTS, max_size=1),
    stray=st.dictionaries(STRAY, CONTENTS, max_size=1),
    place=st.sampled_from([(), ("a",), ("b", "deep"), ("train", "a")]),
)
def test_clutter_is_ignored_and_stray_files_are_named(
    ignored, folders, stray, place, tmp_path_factory
):
    root = tmp_path_factory.mktemp("photos", numbered=True)
    is_split = "train" in place
    for i, name in enumerate(["a/1.png", "b/deep/1.png", "b/2.png"]):
        for part in ("train", "test") if is_split else (".",):
            (root / part / name).parent.mkdir(parents=True, exist_ok=True)
            Image.new("L", (4, 4), 10 * i).save(root / part / name)
    expected = load_image_folder(root, (4, 4))
    for name, content in {**ignored, **stray}.items():
        write(root.joinpath(*place, name), content)
    for name, content in folders.items():
        write(root.joinpath(*place, name, "1.png"), content)
    if stray:
        with pytest.raises(
            ValueError, match=r"begin their names with a dot|lead nowhere"
        ) as raised:
            load_image_folder(root, (4, 4))
        assert next(iter(stray)) in str(raised.value)
        return
    found = load_image_folder(root, (4, 4))
    assert found.filenames == expected.filenames
    assert found.n_train == expected.n_train
    assert_array_equal(found.images, expected.images)


@given(
    n_bits=st.integers(1, 16),
    kinds=st.lists(st.sampled_from(["u1", "u2", "i4"]), min_size=1, max_size=3),
    ending=st.sampled_from(["png", "tiff"]),
    max_value=st.sampled_from([None, None, 1, 100, 255, 4095, 65535, 1000.5]),
    seed=st.integers(0, 99),
)
def test_gray_files_of_any_depth_are_scaled_alike(
    n_bits, kinds, ending, max_value, seed, tmp_path_factory
):
    root = tmp_path_factory.mktemp("gray", numbered=True)
    (root / "a").mkdir()
    rng, arrays = np.random.default_rng(seed), []
    for i, kind in enumerate(kinds):
        kind = "u2" if (kind, ending) == ("i4", "png") else kind
        high = 2 ** min(n_bits, 8 * np.dtype(kind).itemsize)
        arrays.append(rng.integers(high, size=(4, 5)).astype(kind))
        Image.fromarray(arrays[-1]).save(root / "a" / f"{i}.{ending}")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Gray files of more than 8 bits")
        data = load_image_folder(root, (4, 5), max_value=max_value)
    wide = [array for array in arrays if array.dtype != np.uint8]
    if wide and max_value is None:
        max_value = min(full for full in FULL_RANGES if full >= np.max(wide))
    assert data.max_value == (max_value if wide else None)
    for image, values in zip(data.images, arrays, strict=True):
        if values.dtype != np.uint8:
            values = np.minimum(np.minimum(values.astype(int), max_value) * 256 // max_value, 255)
        assert_array_equal(image, values)


names = st.sampled_from(["X", "y", "x_train", "images", "labels", "arr_0", "a b", "é", "a/b", "0"])


@given(in_file=st.lists(names, min_size=2, max_size=4, unique=True), wanted=st.tuples(names, names))
def test_arrays_of_any_names_are_read_or_listed(in_file, wanted, tmp_path_factory):
    path = tmp_path_factory.getbasetemp() / "names.npz"
    arrays = {name: np.full((3, 2, 2), i) for i, name in enumerate(in_file)}
    X, y = wanted
    if y in arrays and y != X:
        arrays[y] = np.arange(3)
    np.savez(path, **arrays)
    if X in arrays and y in arrays and y != X:
        data = load_npz(path, arrays=wanted)
        assert_array_equal(data.images, arrays[X])
        assert_array_equal(data.target, arrays[y])
        return
    with pytest.raises(ValueError, match="arrays=") as raised:
        load_npz(path, arrays=wanted)
    assert y == X or all(repr(name) in str(raised.value) for name in in_file)
