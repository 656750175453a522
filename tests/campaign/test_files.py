"""Files from strangers: they are read right, or refused by a ValueError that names them."""

import gzip
import inspect
import io
import os
import pickle
import struct
import sys
import tracemalloc
import zipfile

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from PIL import Image, ImageFile

from skhier import LayerwiseCNNClassifier
from skhier._main import _cli
from skhier.datasets import load_cifar10, load_fashion_mnist, load_image_folder, load_npz

# Arrays.

IMAGES = np.arange(2 * 5 * 6 * 3).reshape(2, 5, 6, 3)


def npz(compressed=False, **arrays):
    file = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(file, **arrays)
    return file.getvalue()


def npy(array, version=(1, 0), header=None):
    """Return the bytes of an .npy file, with another header if it is given."""
    file = io.BytesIO()
    if header is None:
        np.lib.format.write_array(file, array, version=version)
        return file.getvalue()
    length = struct.pack("<H" if version == (1, 0) else "<I", len(header))
    return np.lib.format.magic(*version) + length + header.encode() + array.tobytes()


def archive(*members, **params):
    """Return a zip file of members (name, bytes)."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", **params) as members_of:
        for name, data in members:
            members_of.writestr(name, data)
    return file.getvalue()


def header(descr="'|u1'", shape="(2, 5, 6)", order="False"):
    return f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}}}\n"


Y = ("y.npy", npy(np.arange(2)))


def load(data, path, **params):
    path.write_bytes(data)
    return load_npz(path, **params)


@pytest.mark.parametrize("dtype", ["<f8", ">f8", "<f4", ">i2", "u1", "?", "f2", "<i8", "g"])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("compressed", [False, True])
def test_arrays_of_all_kinds_of_numbers_are_read(dtype, order, compressed, tmp_path):
    X = np.asarray(IMAGES % 100, dtype=dtype, order=order)
    y = np.array([1, 2], dtype=dtype)
    data = load(npz(compressed, X=X, y=y), tmp_path / "a.npz")
    assert data.images.dtype == X.dtype
    assert_array_equal(data.images, X)
    assert_array_equal(data.target, y)


def test_other_arrays_and_old_formats_are_no_obstacle(tmp_path):
    odd = npz(X=IMAGES[..., 0], y=["é", "label"], z=np.array([None]))
    assert_array_equal(load(odd, tmp_path / "odd.npz").target, ["é", "label"])
    python_2 = npy(np.zeros(60, np.uint8), header=header(shape="(2L, 5L, 6L)"))
    version_2 = npy(np.arange(2), version=(2, 0))
    old = archive(("X.npy", python_2), ("y.npy", version_2))
    assert_array_equal(load(old, tmp_path / "old.npz").images, np.zeros((2, 5, 6)))


def test_images_of_other_machines_are_learned_from(tmp_path, digits):
    X, X_test, y, _ = digits
    X, y = X[:200], y[:200]
    theirs = np.asfortranarray(X.astype(">f8"))
    data = load(npz(X=theirs, y=y.astype(">i4")), tmp_path / "a.npz")
    clf = LayerwiseCNNClassifier(n_layers=1, n_clusters=8, random_state=0)
    predicted = clf.fit(data.images, data.target).predict(X_test)
    assert_array_equal(predicted, clf.fit(X, y).predict(X_test))


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"X": np.array([["a"]])}, "X is of dtype <U1; numbers are needed"),
        ({"X": IMAGES.astype(complex)}, "X is of dtype complex128"),
        ({"X": IMAGES.astype("M8[s]")}, r"X is of dtype datetime64\[s\]"),
        ({"X": IMAGES.astype(object)}, "X is of dtype object"),
        ({"X": np.zeros((2, 3, 3), "u1,f4")}, "X is of dtype"),
        ({"X": IMAGES[..., None]}, r"X has shape \(2, 5, 6, 3, 1\)"),
        ({"X": IMAGES[:0], "y": []}, r"X has shape \(0, 5, 6, 3\).* at least one"),
        ({"X": IMAGES[:, :0]}, r"X has shape \(2, 0, 6, 3\)"),
        ({"y": [0.5, 1]}, "y holds numbers that are not whole"),
        ({"y": [np.nan, 1]}, "y holds numbers that are not whole"),
        ({"y": [1j, 1]}, "y is of dtype complex128; whole numbers or strings are needed"),
        ({"y": [b"a", b"b"]}, r"y is of dtype \|S1"),
        ({"y": np.array([None, "a"])}, "y is of dtype object"),
        ({"y": np.array([2**31, 65], "<u4").view("<U1")}, "character"),
        ({"y": np.zeros((2, 1))}, r"and y \(2, 1\)"),
        ({"y": 3}, r"and y \(\)"),
    ],
)
def test_arrays_of_wrong_types_and_shapes_are_refused(arrays, message, tmp_path):
    data = npz(**{"X": IMAGES, "y": np.arange(2), **arrays})
    with pytest.raises(ValueError, match=rf"a\.npz' is not an \.npz file of .*{message}"):
        load(data, tmp_path / "a.npz")


def lying(data, claimed):
    """Return an archive whose directory claims another size of its first member."""
    start = data.index(b"PK\x01\x02")
    return data[: start + 24] + struct.pack("<I", claimed) + data[start + 28 :]


X_FILE = ("X.npy", npy(IMAGES))
DAMAGED = {
    "pickle": pickle.dumps(IMAGES),
    "one array": npy(IMAGES),
    "bad sum": npz(X=IMAGES, y=[0, 1]).replace(IMAGES[1].tobytes(), IMAGES[0].tobytes()),
    "claims more": lying(archive(X_FILE, Y), 10**9),
    "claims less": lying(archive(X_FILE, Y), 300),
    "claims nothing": lying(archive(X_FILE, Y), 0),
    "deflated, claims more": lying(archive(X_FILE, Y, compression=zipfile.ZIP_DEFLATED), 10**9),
    "deflated, claims less": lying(archive(X_FILE, Y, compression=zipfile.ZIP_DEFLATED), 300),
    "too little": archive(("X.npy", npy(np.zeros(59, np.uint8), header=header())), Y),
    "too much": archive(("X.npy", npy(np.zeros(61, np.uint8), header=header())), Y),
    "negative": archive(("X.npy", npy(IMAGES[0, 0], header=header(shape="(2, -3, -3)"))), Y),
    "enormous": archive(("X.npy", npy(IMAGES, header=header(shape=f"(2, {10**30}, 1)"))), Y),
    "floats": archive(("X.npy", npy(IMAGES, header=header(shape="(2., 3., 3.)"))), Y),
    "nested": archive(("X.npy", npy(IMAGES, header="(" * 9000)), Y),
    "nested in names": archive(("X.npy", npy(IMAGES, header="-" * 9000 + "1")), Y),
    "bad escape": archive(("X.npy", npy(IMAGES, header="'\\d'")), Y),
    "long header": archive(("X.npy", npy(IMAGES, header=header() + " " * 20_000)), Y),
    "endless header": archive(
        ("X.npy", npy(IMAGES, (2, 0), header=header() + " " * 2**24)), Y, compression=8
    ),
    "version 3": archive(("X.npy", npy(IMAGES, (3, 0))), Y),
    "version 9": archive(("X.npy", npy(IMAGES).replace(b"NUMPY\x01", b"NUMPY\x09")), Y),
    "empty member": archive(("X.npy", b""), Y),
    "no dtype": archive(("X.npy", npy(IMAGES, header=header("'nonsense'"))), Y),
    "bz2": archive(X_FILE, Y, compression=zipfile.ZIP_BZIP2),
    "lzma": archive(X_FILE, Y, compression=zipfile.ZIP_LZMA),
    "empty": b"",
    "nothing in it": archive(),
}


def attempt(read, *args, **params):
    """Return (result, None), or (None, message of the ValueError)."""
    try:
        return read(*args, **params), None
    except ValueError as error:
        return None, str(error)


def peak_of(function):
    """Return (message of the ValueError, peak of memory in bytes) of a call."""
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=r".") as raised:
            function()
        return str(raised.value), tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("name", DAMAGED)
def test_damaged_and_crafted_files_are_refused_in_little_memory(name, tmp_path):
    path = tmp_path / "a.npz"
    path.write_bytes(DAMAGED[name])
    message, peak = peak_of(lambda: load_npz(path))
    assert message.startswith(f"{str(path)!r} is not an .npz file of images and labels: ")
    assert "\n" not in message
    assert peak < 2**22


def test_two_members_of_one_name_are_refused(tmp_path):
    with pytest.warns(UserWarning, match="Duplicate name"):
        data = archive(X_FILE, Y, ("X.npy", npy(IMAGES + 1)))
    with pytest.raises(ValueError, match="it has 2 arrays X"):
        load(data, tmp_path / "a.npz")


@pytest.mark.parametrize("compressed", [False, True])
def test_bombs_take_no_more_memory_than_allowed(compressed, tmp_path):
    X, y = np.zeros((2, 1024, 1024 * 8), np.uint8), np.arange(2)
    path = tmp_path / "bomb.npz"
    path.write_bytes(npz(compressed, X=X, y=y))
    size = X.nbytes + y.nbytes
    message, peak = peak_of(lambda: load_npz(path, max_bytes=size - 1))
    assert "bomb.npz" in message
    assert f"X and y take {size} bytes, but max_bytes={size - 1}" in message
    assert peak < 2**20
    assert load_npz(path, max_bytes=size).images.nbytes == X.nbytes


@pytest.mark.parametrize("max_bytes", [0, -1, 1.5, "1GB", None])
def test_invalid_limits_of_memory_are_refused(max_bytes, tmp_path):
    with pytest.raises((TypeError, ValueError), match="max_bytes"):
        load(npz(X=IMAGES, y=[0, 1]), tmp_path / "a.npz", max_bytes=max_bytes)


def test_paths_that_are_no_files_are_refused(tmp_path):
    with pytest.raises(ValueError, match="null characters"):
        load_npz("a\0b")
    for path in (tmp_path, tmp_path / "absent.npz"):
        with pytest.raises(FileNotFoundError, match="There is no file"):
            load_npz(path)
    (tmp_path / "loop.npz").symlink_to(tmp_path / "loop.npz")
    with pytest.raises(FileNotFoundError, match="There is no file"):
        load_npz(tmp_path / "loop.npz")


@st.composite
def damages(draw):
    """Draw a function that cuts bytes, changes bits, or inserts other bytes."""
    edits = st.tuples(
        st.sampled_from(["cut", "flip", "set", "insert", "drop"]),
        st.floats(0, 1, exclude_max=True),
        st.binary(min_size=1, max_size=8),
    )
    chosen = draw(st.lists(edits, min_size=1, max_size=4))

    def damage(data):
        for kind, where, new in chosen:
            at = int(where * len(data))
            if kind == "cut":
                data = data[:at]
            elif kind == "flip" and data:
                data = data[:at] + bytes([data[at] ^ 1 << new[0] % 8]) + data[at + 1 :]
            elif kind == "set":
                data = data[:at] + new + data[at + len(new) :]
            elif kind == "insert":
                data = data[:at] + new + data[at:]
            elif kind == "drop":
                data = data[:at] + data[at + new[0] :]
        return data

    return damage


VALID = {
    "stored": (IMAGES.astype(np.uint8), np.array([4, 7])),
    "deflated": (IMAGES.astype(np.float32), np.array(["a", "bc"])),
}


@given(which=st.sampled_from(sorted(VALID)), damage=damages())
def test_a_damaged_npz_is_read_right_or_refused(which, damage, tmp_path_factory):
    X, y = VALID[which]
    path = tmp_path_factory.getbasetemp() / "damaged.npz"
    path.write_bytes(damage(npz(which == "deflated", X=X, y=y)))
    data, message = attempt(load_npz, path)
    if message:
        assert "damaged.npz" in message
    else:
        assert data.images.dtype == X.dtype
        assert_array_equal(data.images, X)
        assert_array_equal(data.target, y)


@given(damage=damages())
def test_headers_of_any_text_are_understood_or_refused(damage, tmp_path_factory):
    """The header is damaged before the checksums are computed, as in a crafted file."""
    path = tmp_path_factory.getbasetemp() / "header.npz"
    whole = npy(IMAGES)
    path.write_bytes(archive(("X.npy", damage(whole[:128]) + whole[128:]), Y))
    data, message = attempt(load_npz, path, max_bytes=10**6)
    if message:
        assert "header.npz" in message
    else:
        assert data.images.size > 0
        assert data.images.nbytes <= 10**6
        assert len(data.images) == 2


# Data sets.

ROWS = np.arange(2 * 3072).reshape(2, 3072).astype(np.uint8)
BATCHES = {
    "data_batch_1": pickle.dumps({b"data": ROWS, b"labels": [3, 7]}, protocol=2),
    "data_batch_2": (  # as Python 2 and its NumPy wrote the published files
        b"\x80\x02}(U\x04datacnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
        b"(K\x01K\x02M\x00\x0c\x86cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R(K\x03U\x01|NNNJ\xff\xff\xff\xff"
        b"J\xff\xff\xff\xffK\x00tb\x89T\x00\x18\x00\x00"
        + ROWS.tobytes()
        + b"tbU\x06labels](K\x03K\x07eu."
    ),
    "data_batch_1.bin": np.c_[np.uint8([3, 7]), ROWS].tobytes(),
}


@pytest.mark.parametrize("name", BATCHES)
def test_batches_of_cifar10_of_all_kinds_are_read(name, tmp_path):
    (tmp_path / name).write_bytes(BATCHES[name])
    data = load_cifar10(tmp_path)
    assert_array_equal(data.images.transpose(0, 3, 1, 2).reshape(2, 3072), ROWS)
    assert data.target.tolist() == [3, 7]


@given(name=st.sampled_from(sorted(BATCHES)), damage=damages())
@example(name="data_batch_1", damage=lambda data: b"\x80\x02r\xff\xff\xff\x7f.")  # a huge memo
@example(name="data_batch_1", damage=lambda data: b"\x80\x04\x8e" + b"\xff" * 7 + b"\x00.")
def test_a_damaged_batch_of_cifar10_is_images_or_refused(name, damage, tmp_path_factory):
    """These files have no checksums: damage can change pixels, but not their shape or dtype."""
    folder = tmp_path_factory.mktemp("cifar", numbered=True)
    (folder / name).write_bytes(damage(BATCHES[name]))
    data, message = attempt(load_cifar10, folder)
    if message:
        assert str(folder) in message
    else:
        assert data.images.dtype == np.uint8
        assert data.images.shape == (len(data.target), 32, 32, 3)
        assert set(data.target) <= set(range(10))


class Call:
    """Object whose pickle calls a function when it is loaded."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize(
    "call",
    [
        Call(os.system, "true"),
        Call(eval, "1"),
        Call(np.load, "a.npy"),
        Call(getattr, "", "upper"),
        Call(np.ndarray, (2**40, 3072), np.uint8),
    ],
)
def test_pickles_call_nothing(call, tmp_path):
    (tmp_path / "data_batch_1").write_bytes(pickle.dumps({b"data": call, b"labels": [0]}))
    with pytest.raises(ValueError, match=r"data_batch_1 of .* is not a batch of CIFAR-10"):
        load_cifar10(tmp_path)


def test_gzipped_bombs_and_damaged_gzip_files_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("skhier.datasets._io.MAX_FILE_BYTES", 10**5)
    bomb = tmp_path / "train-images-idx3-ubyte.gz"
    bomb.write_bytes(gzip.compress(bytes(10**7)))
    for name in ("train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"):
        (tmp_path / f"{name}-ubyte").write_bytes(b"")
    for read in (lambda: load_cifar10(bomb), lambda: load_fashion_mnist(tmp_path)):
        message, peak = peak_of(read)
        assert message.endswith("ubyte.gz' holds more than 100000 bytes.")
        assert peak < 10**6
    bomb.write_bytes(gzip.compress(bytes(1000))[:-9])
    with pytest.raises(ValueError, match="is damaged"):
        load_cifar10(bomb)


@given(damage=damages())
def test_a_damaged_idx_file_is_images_or_refused(damage, tmp_path_factory):
    folder = tmp_path_factory.mktemp("idx", numbered=True)
    images = bytes([0, 0, 8, 3]) + np.array([2, 28, 28], ">u4").tobytes() + bytes(2 * 784)
    labels = bytes([0, 0, 8, 1]) + np.array([2], ">u4").tobytes() + bytes(2)
    for part in ("train", "t10k"):
        (folder / f"{part}-images-idx3-ubyte").write_bytes(damage(images))
        (folder / f"{part}-labels-idx1-ubyte").write_bytes(labels)
    data, message = attempt(load_fashion_mnist, folder)
    if message:
        assert str(folder) in message
    else:
        assert data.images.shape == (4, 28, 28)


# Folders of images.

PICTURE = Image.fromarray((np.indices((12, 16)).sum(axis=0)[..., None] * [9, 5, 2]).astype("uint8"))
FORMATS = {
    "PNG": {},
    "JPEG": {},
    "GIF": {"save_all": True, "append_images": [PICTURE.rotate(90)]},
    "TIFF": {},
    "WEBP": {},
    "BMP": {},
    "ICO": {"sizes": [(12, 12)]},
    "PPM": {},
}


def encoded(kind):
    file = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    PICTURE.save(file, kind, exif=exif, **FORMATS[kind])
    return file.getvalue()


@given(kind=st.sampled_from(sorted(FORMATS)), damage=damages())
def test_a_damaged_image_is_an_image_or_named(kind, damage, tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos", numbered=True)
    (folder / "label").mkdir()
    (folder / "label" / "photo.jpg").write_bytes(damage(encoded(kind)))
    data, message = attempt(load_image_folder, folder, (8, 8, 3))
    if message:
        assert "'label/photo.jpg' (" in message
    else:
        assert data.images.shape == (1, 8, 8, 3)


def test_warnings_of_pillow_are_not_shown(tmp_path):
    (tmp_path / "a").mkdir()
    palette = PICTURE.quantize(8)
    palette.save(tmp_path / "a" / "1.png", transparency=bytes([0, 128, 255]))
    data = encoded("JPEG")
    at = data.index(b"Exif\0\0") + 6
    (tmp_path / "a" / "2.jpg").write_bytes(data[:at] + b"II*\0\xff\xff\xff\0" + data[at + 8 :])
    assert len(load_image_folder(tmp_path, (8, 8)).images) == 2


def test_an_error_without_a_message_is_reported_by_its_type(tmp_path, monkeypatch):
    def load(self):
        raise MemoryError

    monkeypatch.setattr(ImageFile.ImageFile, "load", load)
    (tmp_path / "a").mkdir()
    PICTURE.save(tmp_path / "a" / "1.bmp")
    with pytest.raises(ValueError, match=r"'a/1\.bmp' \(MemoryError\)"):
        load_image_folder(tmp_path, (8, 8))


def test_no_program_is_run_to_read_an_image(tmp_path, monkeypatch):
    monkeypatch.setattr("PIL.EpsImagePlugin.Ghostscript", lambda *_, **__: PICTURE.im)
    (tmp_path / "a").mkdir()
    PICTURE.save(tmp_path / "a" / "1.png", "EPS")
    with pytest.raises(ValueError, match=r"'a/1\.png' \(PostScript is a program"):
        load_image_folder(tmp_path, (8, 8))


@pytest.fixture
def photos(tmp_path):
    (tmp_path / "photos" / "a").mkdir(parents=True)
    PICTURE.save(tmp_path / "photos" / "a" / "1.png")
    return tmp_path / "photos"


def test_links_and_pipes_and_folders_are_no_images(photos):
    (photos / "a" / "up").symlink_to("..")
    os.mkfifo(photos / "a" / "pipe.png")
    (photos / "a" / "folder.png").mkdir()
    assert load_image_folder(photos, (8, 8)).filenames == ["a/1.png"]
    (photos / "b").symlink_to("b")
    with pytest.raises(ValueError, match=r"the links \['b'\], which lead nowhere"):
        load_image_folder(photos, (8, 8))
    (photos / "b").rename(photos / "a" / "b")
    with pytest.raises(ValueError, match=r"'a/b' \(link to the missing 'b'"):
        load_image_folder(photos, (8, 8))
    (photos / "a" / "b").rename(photos / "b")
    for path in (photos / "b", photos / "a" / "1.png"):
        with pytest.raises(FileNotFoundError, match="There is no folder"):
            load_image_folder(path, (8, 8))


def test_names_that_are_not_utf_8_are_loaded_and_printed(photos):
    strange = os.fsdecode(b"\xff")
    (photos / strange).mkdir()
    (photos / strange / strange).write_bytes((photos / "a" / "1.png").read_bytes())
    data = load_image_folder(photos, (8, 8))
    assert data.filenames == ["a/1.png", f"{strange}/{strange}"]
    assert data.target_names == ["a", r"\udcff"]
    (photos / strange / strange).write_bytes(b"no image")
    with pytest.raises(ValueError, match=r"1 of 2 files") as raised:
        load_image_folder(photos, (8, 8))
    assert str(raised.value).isprintable()


def test_folders_deeper_than_the_stack_are_searched(photos, monkeypatch):
    deep = photos.joinpath("a", *"b" * 250)
    deep.mkdir(parents=True)
    PICTURE.save(deep / "2.png")
    limit = sys.getrecursionlimit()
    try:
        sys.setrecursionlimit(len(inspect.stack(0)) + 150)
        assert len(load_image_folder(photos, (8, 8)).images) == 2
    finally:
        sys.setrecursionlimit(limit)


# The main job.


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (DAMAGED["bad sum"], "Bad CRC-32"),
        (DAMAGED["enormous"], "X claims shape"),
        (DAMAGED["pickle"], "not a zip file"),
        (npz(X=IMAGES.astype(object), y=[0, 1]), "X is of dtype object"),
    ],
)
def test_the_main_job_refuses_in_one_line(data, message, tmp_path, capsys):
    path = tmp_path / os.fsdecode(b"\xff.npz")
    path.write_bytes(data)
    with pytest.raises(SystemExit) as exit_:
        _cli.main(["--data", str(path)])
    assert exit_.value.code == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.startswith("python -m skhier: error: argument --data: ")
    assert message in line


def test_the_main_job_takes_any_name(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(_cli, "learn_synthetic_images", lambda seed: None)
    rng = np.random.default_rng(0)
    folder = tmp_path / os.fsdecode(b"\xff")
    for shade, label in enumerate(["$\\no formula$", os.fsdecode(b"\xfe")]):
        (folder / label).mkdir(parents=True)
        for i in range(60):
            pixels = rng.integers(0, 100, size=(8, 8)) + 120 * shade
            Image.fromarray(pixels.astype(np.uint8)).save(folder / label / f"{i}.png")
    picture = str(tmp_path / "picture.png")
    arguments = ["--data", str(folder), "--image-size", "8", "--picture", picture]
    assert _cli.main(arguments) == 0
    assert r"\udcff, 8x8, 2 labels" in capsys.readouterr().out
