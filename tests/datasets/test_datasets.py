import gzip
import io
import pickle
import tarfile
from urllib.error import URLError

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from skhier.datasets import (
    fetch_cifar10,
    fetch_fashion_mnist,
    load_cifar10,
    load_fashion_mnist,
    load_npz,
)


def idx(array):
    """Return an array in the IDX format."""
    header = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes()
    return header + array.astype(np.uint8).tobytes()


@pytest.fixture
def folder(tmp_path):
    """Write files in the format of Fashion-MNIST: 6 training and 2 test images, two gzipped."""
    rng = np.random.default_rng(0)
    arrays = {
        "train-images-idx3-ubyte": rng.integers(256, size=(6, 28, 28)),
        "train-labels-idx1-ubyte": np.arange(6),
        "t10k-images-idx3-ubyte": rng.integers(256, size=(2, 28, 28)),
        "t10k-labels-idx1-ubyte": np.array([8, 9]),
    }
    for i, (name, array) in enumerate(arrays.items()):
        if i % 2:
            (tmp_path / name).write_bytes(idx(array))
        else:
            (tmp_path / f"{name}.gz").write_bytes(gzip.compress(idx(array)))
    return tmp_path, arrays


def test_fashion_mnist_is_read_from_a_folder(folder, monkeypatch):
    path, arrays = folder
    data = load_fashion_mnist(path)
    assert data.n_train == 6
    assert_array_equal(data.images[6:], arrays["t10k-images-idx3-ubyte"])
    assert_array_equal(data.target, [0, 1, 2, 3, 4, 5, 8, 9])
    assert len(data.target_names) == 10
    assert "images: uint8 of shape (8, 28, 28); target: 8 different labels." in data.DESCR
    monkeypatch.setenv("SKHIER_FASHION_MNIST", str(path))
    assert_array_equal(load_fashion_mnist().images, data.images)


@pytest.mark.parametrize("place", ["FashionMNIST/raw", "raw", "."])
@pytest.mark.parametrize("is_given", [True, False])
def test_fashion_mnist_is_found_with_other_names_and_below_the_folder(
    place, is_given, folder, monkeypatch
):
    path, _ = folder
    data = load_fashion_mnist(path)
    (path / place).mkdir(parents=True, exist_ok=True)
    for file in list(path.glob("*ubyte*")):
        file.rename(path / place / file.name.replace("-idx", ".idx"))
    monkeypatch.setenv("SKHIER_FASHION_MNIST", str(path))
    again = load_fashion_mnist(path if is_given else None)
    assert_array_equal(again.images, data.images)
    assert_array_equal(again.target, data.target)


def test_a_broken_file_beside_a_good_one_of_fashion_mnist_does_not_matter(folder):
    path, arrays = folder
    for name, array in arrays.items():
        for file in (path / name, path / f"{name}.gz"):
            if not file.exists():
                file.write_bytes(gzip.compress(idx(array))[:-20])
    assert_array_equal(load_fashion_mnist(path).target, [0, 1, 2, 3, 4, 5, 8, 9])
    (path / "t10k-labels-idx1-ubyte").write_bytes(b"broken too")
    with pytest.raises(ValueError, match=r"t10k-labels-idx1-ubyte' does not hold n bytes"):
        load_fashion_mnist(path)


@pytest.mark.parametrize("missing", ["t10k-labels-idx1-ubyte", "train-images-idx3-ubyte.gz"])
def test_missing_files_of_fashion_mnist_are_named(missing, folder):
    path, _ = folder
    (path / missing).unlink()
    name = missing.removesuffix(".gz")
    with pytest.raises(FileNotFoundError, match=rf"not found in .* \(without {name}\)\. Get its"):
        load_fashion_mnist(path)


def test_without_files_the_error_says_how_to_get_fashion_mnist(tmp_path):
    with pytest.raises(FileNotFoundError, match="apt install dataset-fashion-mnist"):
        load_fashion_mnist(tmp_path)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"X": np.zeros((3, 4, 4))}, r"has no array y, but \['X'\]: name two of them by arrays="),
        ({"x_train": np.zeros((3, 4, 4)), "labels": np.zeros(3)}, r"\['labels', 'x_train'\]: name"),
        ({"X": np.zeros((3, 16)), "y": np.zeros(3)}, "X has shape \\(3, 16\\)"),
        ({"X": np.zeros((3, 4, 4)), "y": np.zeros(2)}, "and y \\(2,\\)"),
        ({"X": np.array([None] * 3), "y": np.zeros(3)}, "X is of dtype object"),
    ],
)
def test_npz_files_without_images_and_labels_are_refused(tmp_path, arrays, message):
    path = tmp_path / "data.npz"
    np.savez(path, **arrays)
    with pytest.raises(ValueError, match=message):
        load_npz(path)


def test_files_that_are_not_npz_are_refused(tmp_path):
    path = tmp_path / "data.npz"
    path.write_text("no zip file")
    with pytest.raises(ValueError, match=r"is not an \.npz file"):
        load_npz(path)


def test_arrays_of_an_npz_file_can_have_other_names(tmp_path):
    images = np.arange(48).reshape(3, 4, 4)
    np.savez(tmp_path / "a.npz", x_test=images, y_test=["a", "b", "a"], X=images[:1], y=[0])
    dataset = load_npz(tmp_path / "a.npz", arrays=("x_test", "y_test"))
    assert_array_equal(dataset.images, images)
    assert_array_equal(dataset.target, ["a", "b", "a"])
    with pytest.raises(ValueError, match=r"x_test has shape \(3, 4, 4\) and y \(1,\)"):
        load_npz(tmp_path / "a.npz", arrays=("x_test", "y"))
    with pytest.raises(ValueError, match="y_test is of dtype <U1; numbers are needed"):
        load_npz(tmp_path / "a.npz", arrays=("y_test", "y"))


@pytest.mark.parametrize("arrays", ["Xy", ("X",), ("X", "X"), ("X", 3), None])
def test_names_of_arrays_that_are_no_pair_are_refused(arrays, tmp_path):
    np.savez(tmp_path / "a.npz", X=np.zeros((3, 4, 4)), y=np.zeros(3))
    with pytest.raises(ValueError, match=r"arrays=.* is not valid: it takes two different names"):
        load_npz(tmp_path / "a.npz", arrays=arrays)


def test_arrays_of_objects_are_refused_with_the_remedy(tmp_path):
    images = np.empty(2, object)
    images[:] = [np.zeros((4, 4)), np.zeros((4, 4))]
    np.savez(tmp_path / "a.npz", X=images, y=[0, 1])
    with pytest.raises(ValueError, match=r"X is of dtype object.*save np\.stack\(X\)"):
        load_npz(tmp_path / "a.npz")


@pytest.fixture
def cifar10():
    """Return batches in the format of CIFAR-10: 3 training and 2 test images."""
    rng = np.random.default_rng(0)
    images = rng.integers(256, size=(5, 32, 32, 3)).astype(np.uint8)
    target = np.array([3, 1, 4, 1, 9])
    rows = images.transpose(0, 3, 1, 2).reshape(5, -1)
    batches = {"data_batch_1": slice(0, 2), "data_batch_2": slice(2, 3), "test_batch": slice(3, 5)}
    python = {
        name: pickle.dumps({b"data": rows[part], b"labels": target[part].tolist()}, protocol=2)
        for name, part in batches.items()
    }
    binary = {
        f"{name}.bin": np.c_[target[part], rows[part]].astype(np.uint8).tobytes()
        for name, part in batches.items()
    }
    return images, target, {"python": python, "binary": binary}


@pytest.mark.parametrize("version", ["python", "binary"])
def test_cifar10_from_a_folder_or_an_archive(cifar10, version, tmp_path):
    images, target, versions = cifar10
    folder = tmp_path / "cifar-10"
    folder.mkdir()
    with tarfile.open(tmp_path / "cifar-10.tar.gz", "w:gz") as archive:
        for name, data in reversed(versions[version].items()):
            (folder / name).write_bytes(data)
            info = tarfile.TarInfo(f"cifar-10-batches/{name}")
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    for path in (folder, tmp_path / "cifar-10.tar.gz"):
        dataset = load_cifar10(path)
        assert_array_equal(dataset.images, images)
        assert_array_equal(dataset.target, target)
        assert dataset.n_train == 3
        assert dataset.target_names[1] == "automobile"


def test_cifar10_from_npz(cifar10, tmp_path):
    images, target, _ = cifar10
    np.savez(tmp_path / "cifar.npz", X=images, y=target)
    (tmp_path / "cifar.npz").rename(tmp_path / "CIFAR.NPZ")
    dataset = load_cifar10(tmp_path / "CIFAR.NPZ")
    assert_array_equal(dataset.images, images)
    assert dataset.n_train is None
    np.savez(tmp_path / "small.npz", X=images[:, :8, :8], y=target)
    with pytest.raises(ValueError, match="images of CIFAR-10 have shape"):
        load_cifar10(tmp_path / "small.npz")


@pytest.mark.parametrize(
    ("version", "place"), [("python", "cifar-10-batches-py"), ("binary", "cifar-10-batches-bin")]
)
def test_cifar10_is_found_below_the_folder(cifar10, version, place, tmp_path):
    images, _, versions = cifar10
    (tmp_path / place).mkdir()
    for name, data in versions[version].items():
        (tmp_path / place / name).write_bytes(data)
    assert_array_equal(load_cifar10(tmp_path).images, images)


def test_missing_and_damaged_cifar10_files_are_reported(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"cifar-10-python.tar.gz from .* fetch_cifar10"):
        load_cifar10(tmp_path)
    (tmp_path / "test_batch.bin").write_bytes(b"short")
    with pytest.raises(
        ValueError, match=r"test_batch of .* is not a batch of CIFAR-10: it has 5 bytes"
    ):
        load_cifar10(tmp_path)
    with pytest.raises(ValueError, match="is not a tar archive"):
        load_cifar10(tmp_path / "test_batch.bin")


def test_a_pickle_that_would_run_code_is_refused(tmp_path):
    (tmp_path / "data_batch_1").write_bytes(pickle.dumps({b"data": print, b"labels": []}))
    with pytest.raises(ValueError, match=r"data_batch_1 of .* it holds builtins.print"):
        load_cifar10(tmp_path)


@pytest.fixture
def no_local_files(monkeypatch):
    """Hide local files; no setting hides the folder of Debian's package, if it is installed."""

    def load(folder=None):
        raise FileNotFoundError("Get its files")

    monkeypatch.setattr("skhier.datasets._openml.load_fashion_mnist", load)


def test_offline_the_error_says_how_to_get_the_images(no_local_files, monkeypatch):
    def fetch_openml(**kwargs):
        raise URLError("no route to host")

    monkeypatch.setattr("skhier.datasets._openml.fetch_openml", fetch_openml)
    with pytest.raises(OSError, match=r"Fashion-MNIST could not .* offline\? Get its files"):
        fetch_fashion_mnist()
    with pytest.raises(OSError, match=r"no route to host.* offline\? load_cifar10 reads"):
        fetch_cifar10()


def test_downloaded_images_have_their_shape_and_colors(no_local_files, monkeypatch):
    def fetch_openml(data_id, **kwargs):
        n_values = {40996: 784, 40927: 3072}[data_id]
        return np.arange(2.0 * n_values).reshape(2, -1) % 251, np.array(["7", "2"])

    monkeypatch.setattr("skhier.datasets._openml.fetch_openml", fetch_openml)
    clothes, cifar = fetch_fashion_mnist(), fetch_cifar10()
    assert clothes.images.shape == (2, 28, 28)
    assert cifar.images.shape == (2, 32, 32, 3)
    assert cifar.images[0, 0, 1, 0] == 1  # a row of OpenML holds all red values first
    assert cifar.images[0, 0, 0, 1] == 1024 % 251
    assert_array_equal(clothes.target, [7, 2])


def test_local_files_are_not_downloaded(folder, monkeypatch):
    path, _ = folder
    monkeypatch.setenv("SKHIER_FASHION_MNIST", str(path))
    assert len(fetch_fashion_mnist().images) == 8
