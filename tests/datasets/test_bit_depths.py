"""Image files of more than 8 bits: one scale for a folder, transparency and orientation."""

import struct
import warnings
import zlib

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from PIL import Image

from skhier.datasets import load_image_folder

RAMP = np.arange(256).reshape(16, 16)  # each of 256 gray levels once


def save(folder, **files):
    """Write arrays to `folder`/a/NAME.tiff; the kind of file follows from the dtype."""
    (folder / "a").mkdir(exist_ok=True)
    for name, values in files.items():
        Image.fromarray(values).save(folder / "a" / f"{name}.tiff")
    return folder


def png(values, color_type, transparent=None, n_bits=16, orientation=None):
    """Return a PNG file of 16-bit or packed values, with one transparent color."""

    def chunk(kind, data):
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    rows = values.astype(">u2" if n_bits == 16 else "u1")
    width = rows.shape[1] * max(1, 8 // n_bits)
    header = struct.pack(">IIBBBBB", width, len(rows), n_bits, color_type, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header)
    if transparent is not None:
        data += chunk(b"tRNS", np.array(transparent, ">u2").tobytes())
    if orientation is not None:
        exif = Image.Exif()
        exif[0x0112] = orientation
        data += chunk(b"eXIf", exif.tobytes().removeprefix(b"Exif\0\0"))
    pixels = b"".join(b"\0" + row.tobytes() for row in rows)
    return data + chunk(b"IDAT", zlib.compress(pixels)) + chunk(b"IEND", b"")


@pytest.mark.parametrize("n_bits", [8, 10, 12, 14, 16])
@pytest.mark.parametrize("dtype", [np.uint16, np.int32])
def test_values_of_any_number_of_bits_become_the_same_picture(n_bits, dtype, tmp_path):
    wide = (RAMP << (n_bits - 8)).astype(dtype)
    data = load_image_folder(save(tmp_path, wide=wide, plain=RAMP.astype(np.uint8)), (16, 16))
    assert_array_equal(data.images[0], RAMP)  # "plain" comes first
    assert_array_equal(data.images[1], RAMP)
    assert data.max_value == 2**n_bits - 1
    assert f"max_value: {2**n_bits - 1}" in data.DESCR


def test_a_folder_has_one_scale(tmp_path):
    bright, dark = RAMP.astype(np.uint16) * 16, RAMP.astype(np.uint16)
    data = load_image_folder(save(tmp_path, bright=bright, dark=dark), (16, 16))
    assert data.max_value == 4095
    assert_array_equal(data.images, [RAMP, RAMP // 16])


def test_files_of_8_bits_have_no_scale(tmp_path):
    data = load_image_folder(save(tmp_path, plain=RAMP.astype(np.uint8)), (16, 16))
    assert data.max_value is None
    assert "max_value" not in data.DESCR


def test_a_given_scale_is_used_and_larger_values_are_white(tmp_path):
    folder = save(tmp_path, a=(16 * RAMP).astype(np.uint16))
    with pytest.warns(UserWarning, match="max_value=65535 leaves 16 of their 256 gray levels"):
        data = load_image_folder(folder, (16, 16), max_value=65535)
    assert_array_equal(data.images[0], RAMP // 16)
    assert data.max_value == 65535
    data = load_image_folder(folder, (16, 16), max_value=1023)
    assert_array_equal(data.images[0], np.minimum(4 * RAMP, 255))
    train = load_image_folder(folder, (16, 16))
    again = load_image_folder(folder, (16, 16), max_value=train.max_value)
    assert_array_equal(train.images, again.images)


def test_a_mask_of_two_values_becomes_black_and_white(tmp_path):
    folder = save(tmp_path, a=(RAMP % 2).astype(np.int32))
    data = load_image_folder(folder, (16, 16), max_value=1)
    assert_array_equal(data.images[0], RAMP % 2 * 255)


def test_a_given_scale_reads_floats_and_integers_of_32_bits(tmp_path):
    folder = save(tmp_path, a=(RAMP / 255).astype(np.float32), b=RAMP.astype(np.float32) / 256)
    data = load_image_folder(folder, (16, 16), max_value=1.0)
    assert abs(data.images - RAMP.astype(float)).max() <= 1
    folder = save(tmp_path, a=(RAMP << 22).astype(np.int32), b=(RAMP << 21).astype(np.int32))
    data = load_image_folder(folder, (16, 16), max_value=2**30 - 1)
    assert_array_equal(data.images, [RAMP, RAMP // 2])


@pytest.mark.parametrize(
    ("values", "max_value", "message"),
    [
        (np.full((4, 4), 70_000, np.int32), None, "values from 70000 to 70000.*give max_value"),
        (np.full((4, 4), -1, np.int32), None, "values from -1 to -1"),
        (np.full((4, 4), -1, np.int32), 255, "values from -1 to -1"),
        (np.full((4, 4), np.nan, np.float32), 255, "values from nan to nan"),
        (np.full((4, 4), np.inf, np.float32), 255, "values from inf to inf"),
        (np.full((4, 4), 0.5, np.float32), None, "floating-point values.*give max_value"),
    ],
)
def test_values_of_unknown_range_are_refused(values, max_value, message, tmp_path):
    with pytest.raises(ValueError, match=rf"1 of 1 files .* 'a/x.tiff' \({message}"):
        load_image_folder(save(tmp_path, x=values), (4, 4), max_value=max_value)


@pytest.mark.parametrize("max_value", [0, -1, "255", np.nan])
def test_invalid_scales_are_refused(max_value, tmp_path):
    with pytest.raises(ValueError, match="max_value="):
        load_image_folder(save(tmp_path, a=RAMP.astype(np.uint8)), (4, 4), max_value=max_value)


def test_a_scale_that_leaves_few_gray_levels_warns(tmp_path):
    hot = np.where(RAMP == 0, 65535, 3 * RAMP).astype(np.uint16)  # one hot pixel in a dark image
    folder = save(tmp_path, hot=hot)
    with pytest.warns(UserWarning, match=r"max_value=65535 leaves 4 of their 256 gray levels"):
        load_image_folder(folder, (16, 16))
    data = load_image_folder(folder, (16, 16), max_value=1023)
    assert len(np.unique(data.images)) > 100


def test_files_of_few_gray_levels_do_not_warn(tmp_path):
    masks = {
        name: np.full((4, 4), value, np.uint16) for name, value in zip("abc", (0, 32768, 65535))
    }
    assert_array_equal(
        load_image_folder(save(tmp_path, **masks), (4, 4)).images[:, 0, 0], [0, 128, 255]
    )


@pytest.mark.parametrize(("color_type", "n_channels"), [(2, 3), (4, 2), (6, 4)])
def test_color_files_of_16_bits_that_would_be_nearly_black_warn(color_type, n_channels, tmp_path):
    (tmp_path / "a").mkdir()
    for n_bits in (16, 12):
        values = np.stack([RAMP << (n_bits - 8)] * n_channels, axis=-1)
        if n_channels != 3:
            values[..., -1] = 65535
        (tmp_path / "a" / "1.png").write_bytes(png(values, color_type))
        if n_bits == 12:
            with pytest.warns(UserWarning, match="color files of 16 bits .* save them in 8 bits"):
                load_image_folder(tmp_path, (16, 16, 3))
        else:
            images = load_image_folder(tmp_path, (16, 16, 3)).images
            assert_array_equal(images[0], np.stack([RAMP] * 3, axis=-1))


@pytest.mark.parametrize(
    ("values", "params"),
    [
        (np.array([[0, 500], [1023, 0]]), {"color_type": 0, "transparent": 500}),
        (np.array([[0, 500], [65535, 0]]), {"color_type": 0, "transparent": 500}),
        (
            np.array([[[0] * 3, [0, 500, 900]], [[65535] * 3, [0] * 3]]),
            {"color_type": 2, "transparent": (0, 500, 900)},
        ),
        (np.array([[0b00000101], [0b11110000]]), {"color_type": 0, "transparent": 1, "n_bits": 2}),
        (np.array([[0x03], [0xF0]]), {"color_type": 0, "transparent": 3, "n_bits": 4}),
    ],
)
def test_one_transparent_color_becomes_white_at_any_depth(values, params, tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "1.png").write_bytes(png(values, **params))
    width = values.shape[1] * max(1, 8 // params.get("n_bits", 16))
    image = load_image_folder(tmp_path, (2, width)).images[0]
    half = width // 2
    expected = [[0] * half + [255] * half, [255] * half + [0] * half]
    assert_array_equal(image, expected)


def test_images_of_any_depth_are_turned_upright(tmp_path):
    (tmp_path / "a").mkdir()
    values = np.where(np.arange(8) < 4, 4095, 0) * np.ones((4, 1), int)  # white on the left
    (tmp_path / "a" / "1.png").write_bytes(png(values, 0, orientation=6))
    exif = Image.Exif()
    exif[0x0112] = 6
    for array in (values.astype(np.uint16), values.astype(np.int32), values.astype(np.uint8)):
        name = f"{array.dtype}.tiff"
        Image.fromarray(array).save(tmp_path / "a" / name, exif=exif)
    images = load_image_folder(tmp_path, (8, 4)).images
    for image in images:
        assert_array_equal(image[[0, 7]], np.repeat([[255], [0]], 4, axis=1))


def test_big_endian_files_are_read(tmp_path):
    (tmp_path / "a").mkdir()
    data = struct.pack(">2sHI", b"MM", 42, 8 + 512)
    tags = [(256, 4, 16), (257, 4, 16), (258, 3, 16), (259, 3, 1), (262, 3, 1), (273, 4, 8)]
    tags += [(277, 3, 1), (278, 4, 16), (279, 4, 512)]
    entries = b"".join(
        struct.pack(">HHI", tag, kind, 1) + struct.pack(">HH" if kind == 3 else ">I", *value)
        for tag, kind, number in tags
        for value in [(number, 0) if kind == 3 else (number,)]
    )
    pixels = (RAMP * 16).astype(">u2").tobytes()
    directory = struct.pack(">H", len(tags)) + entries + bytes(4)
    (tmp_path / "a" / "1.tiff").write_bytes(data + pixels + directory)
    assert_array_equal(load_image_folder(tmp_path, (16, 16)).images[0], RAMP)


def test_folders_of_8_bits_are_opened_once(tmp_path, monkeypatch):
    opened, open_image = [], Image.open
    monkeypatch.setattr(Image, "open", lambda file: opened.append(file) or open_image(file))
    load_image_folder(save(tmp_path, a=RAMP.astype(np.uint8), b=RAMP.astype(np.uint8)), (4, 4))
    assert len(opened) == 2


def test_two_classes_of_different_brightness_stay_apart(tmp_path):
    rng = np.random.default_rng(0)
    for label, brightness in (("dark", 100), ("light", 700)):  # of 1023
        (tmp_path / label).mkdir()
        for i in range(3):
            values = brightness + rng.integers(-90, 90, size=(8, 8))
            Image.fromarray(values.astype(np.uint16)).save(tmp_path / label / f"{i}.png")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        data = load_image_folder(tmp_path, (8, 8))
    means = data.images.mean(axis=(1, 2)) / 255
    assert abs(means[:3] - 100 / 1023).max() < 0.03
    assert abs(means[3:] - 700 / 1023).max() < 0.03
