"""Folders of images of all kinds, and of files that are not images."""

import sys
import warnings

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from PIL import Image

from skhier.datasets import load_image_folder

RED, GRAY, WHITE = (255, 0, 0), (128, 128, 128), (255, 255, 255)


@pytest.fixture
def folder(tmp_path):
    for label in ("b", "a"):
        (tmp_path / label).mkdir()
        Image.new("RGB", (20, 10), RED).save(tmp_path / label / "1.png")
    return tmp_path


def color_of(folder, image, name, **params):
    """Save an image in a folder, load the folder, and return the one color of the image."""
    image.save(folder / "b" / name, **params)
    last = load_image_folder(folder, (4, 6, 3)).images[-1]
    assert (last == last[0, 0]).all()
    return tuple(last[0, 0].tolist())


def test_the_name_of_a_folder_does_not_choose_its_description(folder):
    named = folder.rename(folder.parent / "CIFAR-10")
    description = load_image_folder(named, (8, 8)).DESCR
    assert "Images from a folder." in description
    assert "airplanes" not in description


def test_labels_and_files_are_in_alphabetical_order(folder):
    (folder / "b" / "below").mkdir()
    for name in ("10.png", "2.PNG", "below/0.bmp", ".DS_Store", "below/.hidden.png"):
        Image.new("L", (5, 5)).save(folder / "b" / name, "png")
    (folder / ".git").mkdir()
    data = load_image_folder(str(folder), (8, 12))
    names = ["a/1.png", "b/1.png", "b/10.png", "b/2.PNG", "b/below/0.bmp"]
    assert data.filenames == names
    assert data.target_names == ["a", "b"]
    assert data.target.tolist() == [0, 1, 1, 1, 1]
    assert data.images.shape == (5, 8, 12)
    assert data.images.dtype == np.uint8
    assert data.n_train is None
    assert data.name == folder.name
    assert "2 different labels" in data.DESCR


@pytest.mark.parametrize(
    ("mode", "color", "expected"),
    [
        ("RGB", RED, RED),
        ("L", 128, GRAY),
        ("1", 1, WHITE),
        ("P", 0, (0, 0, 0)),
        ("RGBA", (255, 0, 0, 0), WHITE),
        ("RGBA", (255, 0, 0, 255), RED),
        ("LA", (0, 0), WHITE),
        ("I;16", 128 * 257, GRAY),
        ("I", 65535, WHITE),
    ],
)
def test_images_of_all_modes_are_converted(folder, mode, color, expected):
    name = "2.tiff" if mode == "I" else "2.png"
    assert color_of(folder, Image.new(mode, (30, 20), color), name) == expected


def test_transparent_palettes_and_print_colors_are_converted(folder):
    palette = Image.new("P", (9, 9), 0)
    palette.putpalette([0, 0, 255] * 256)
    assert color_of(folder, palette, "2.gif", transparency=0) == WHITE
    assert color_of(folder, palette, "3.gif") == (0, 0, 255)
    cmyk = color_of(folder, Image.new("CMYK", (9, 9), (0, 255, 255, 0)), "4.jpg")
    assert max(abs(np.subtract(cmyk, RED))) < 5


def test_images_are_turned_upright_and_resized(folder):
    pixels = np.zeros((40, 80, 3), np.uint8)
    pixels[:, :40] = 255  # white on the left; after a quarter turn to the right, white on top
    exif = Image.Exif()
    exif[0x0112] = 6
    for name in ("2.jpg", "3.png"):
        Image.fromarray(pixels).save(folder / "b" / name, exif=exif)
        image = load_image_folder(folder, (8, 4)).images[-1]
        assert_array_equal(image[[0, 7]], np.repeat([[255], [0]], 4, axis=1))


def test_resizing_averages(folder):
    checkers = (np.indices((64, 64)).sum(axis=0) % 2 * 255).astype(np.uint8)
    Image.fromarray(checkers).save(folder / "b" / "2.png")
    image = load_image_folder(folder, (8, 8)).images[-1]
    assert abs(image.astype(float) - 127.5).max() < 3


def test_all_unreadable_files_are_named_at_once(folder):
    (folder / "a" / "notes.txt").write_text("no image")
    whole = (folder / "b" / "1.png").read_bytes()
    (folder / "b" / "half.png").write_bytes(whole[: len(whole) // 2])
    (folder / "b" / "empty.jpg").write_bytes(b"")
    Image.new("F", (3, 3)).save(folder / "b" / "float.tiff")
    with pytest.raises(ValueError, match=r"4 of 6 files in .* cannot be read as images") as raised:
        load_image_folder(folder, (8, 8))
    for name in (
        "'a/notes.txt'",
        "'b/half.png'",
        "'b/empty.jpg'",
        "'b/float.tiff' (floating-point",
    ):
        assert name in str(raised.value)


def test_long_lists_of_unreadable_files_are_cut(folder):
    for number in range(30):
        (folder / "a" / f"{number}.txt").write_text("")
    with pytest.raises(ValueError, match=r"30 of 32 files .* and 20 more\."):
        load_image_folder(folder, (8, 8))


def test_images_that_claim_to_be_enormous_are_refused(folder, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 150)
    warnings.simplefilter("default")  # Pillow would only warn
    with pytest.raises(ValueError, match=r"2 of 2 files .* exceeds limit of 150 pixels"):
        load_image_folder(folder, (8, 8))


@pytest.mark.parametrize(
    ("image_shape", "message"),
    [
        ((8, 8, 4), r"image_shape=\(8, 8, 4\) has 4 channels"),
        ((8,), r"image_shape=\(8,\) is not valid"),
        (32, "image_shape=32 is not valid"),
        ((0, 8), r"image_shape=\(0, 8\) is not valid"),
    ],
)
def test_invalid_shapes_are_refused(folder, image_shape, message):
    with pytest.raises(ValueError, match=message):
        load_image_folder(folder, image_shape)


def test_folders_without_one_subfolder_for_each_label_are_refused(folder, tmp_path_factory):
    with pytest.raises(FileNotFoundError, match=r"There is no folder .*absent"):
        load_image_folder(folder / "absent", (8, 8))
    with pytest.raises(ValueError, match="one subfolder of images for each label, but it is empty"):
        load_image_folder(tmp_path_factory.mktemp("empty"), (8, 8))
    with pytest.raises(ValueError, match=r"but it holds the files \['1.png'\]"):
        load_image_folder(folder / "a", (8, 8))
    (folder / "c").mkdir()
    with pytest.raises(ValueError, match=r"The subfolder 'c' of .* holds no files"):
        load_image_folder(folder, (8, 8))


def test_without_pillow_the_error_says_what_to_install(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(ImportError, match="pip install pillow"):
        load_image_folder(folder, (8, 8))
