import gzip

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from skhier.datasets import load_fashion_mnist, load_npz


def idx(array):
    header = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes()
    return header + array.astype(np.uint8).tobytes()


@pytest.fixture
def folder(tmp_path):
    """Files in the format of Fashion-MNIST: 6 training and 2 test images, some gzipped."""
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


def test_fashion_mnist(folder, monkeypatch):
    path, arrays = folder
    data = load_fashion_mnist(path)
    assert data.n_train == 6
    assert_array_equal(data.images[6:], arrays["t10k-images-idx3-ubyte"])
    assert_array_equal(data.target, [0, 1, 2, 3, 4, 5, 8, 9])
    assert len(data.target_names) == 10
    monkeypatch.setenv("SKHIER_FASHION_MNIST", str(path))
    assert_array_equal(load_fashion_mnist().images, data.images)


def test_fashion_mnist_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError, match="apt install dataset-fashion-mnist"):
        load_fashion_mnist(tmp_path)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"X": np.zeros((3, 4, 4))}, "has no array y"),
        ({"X": np.zeros((3, 16)), "y": np.zeros(3)}, "holds X of shape \\(3, 16\\)"),
        ({"X": np.zeros((3, 4, 4)), "y": np.zeros(2)}, "and y of shape \\(2,\\)"),
        ({"X": np.array([None] * 3), "y": np.zeros(3)}, "is not an .npz file of plain arrays"),
    ],
)
def test_bad_npz(tmp_path, arrays, message):
    path = tmp_path / "data.npz"
    np.savez(path, **arrays)
    with pytest.raises(ValueError, match=message):
        load_npz(path)


def test_a_file_that_is_no_npz(tmp_path):
    path = tmp_path / "data.npz"
    path.write_text("no zip file")
    with pytest.raises(ValueError, match=r"is not an \.npz file"):
        load_npz(path)
