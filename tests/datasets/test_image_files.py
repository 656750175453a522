"""Images from a list of files, without labels."""

import os
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from PIL import Image

from skhier.datasets import load_image_folder, load_images


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    for i, size in enumerate([(9, 5), (4, 4), (3, 8)]):
        (tmp_path / f"label{i}").mkdir()
        pixels = rng.integers(256, size=(*size, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"label{i}" / "image.png")
    return tmp_path


@pytest.mark.parametrize("image_shape", [(4, 6), (4, 6, 1), (4, 6, 3)])
def test_images_are_those_of_a_folder_in_the_order_of_the_files(folder, image_shape):
    data = load_image_folder(folder, image_shape)
    files = [folder / name for name in data.filenames]
    images = load_images(reversed(files), image_shape)
    assert images.dtype == np.uint8
    assert_array_equal(images, data.images[::-1])


def test_one_file_and_relative_names_are_read(folder, monkeypatch):
    (expected,) = load_images([folder / "label1" / "image.png"], (4, 4))
    monkeypatch.chdir(folder)
    for file in (Path("label1", "image.png"), os.path.join("label1", "image.png")):
        assert_array_equal(load_images(file, (4, 4)), [expected])


def test_the_scale_of_16_bits_is_that_of_the_training_images(tmp_path):
    for name, value in (("dark", 1000), ("light", 3000)):
        pixels = np.full((4, 4), value, np.uint16)
        (tmp_path / name).mkdir()
        Image.fromarray(pixels).save(tmp_path / name / "1.png")
    data = load_image_folder(tmp_path, (4, 4))
    dark = load_images([tmp_path / "dark" / "1.png"], (4, 4), max_value=data.max_value)
    assert_array_equal(dark, data.images[:1])
    assert not np.array_equal(load_images([tmp_path / "dark" / "1.png"], (4, 4)), dark)


def test_files_that_cannot_be_read_are_named(folder):
    missing = [folder / "label0" / "image.png", folder / "none.png"]
    with pytest.raises(ValueError, match=r"1 of 2 files cannot be read .*none.png' .*Leave them"):
        load_images(missing, (4, 4))
    with pytest.raises(ValueError, match=r"1 of 1 files cannot be read .*label0"):
        load_images(folder / "label0", (4, 4))
    with pytest.raises(ValueError, match="files is empty"):
        load_images([], (4, 4))
    with pytest.raises(ValueError, match=r"image_shape=.* has 2 channels"):
        load_images(missing, (4, 4, 2))
    for files in (3, [3]):
        with pytest.raises(TypeError, match="files=3 is not valid"):
            load_images(files, (4, 4))
