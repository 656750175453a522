"""Where images lie in a folder: splits, clutter, dangling links."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from skhier.datasets import load_cifar10, load_fashion_mnist, load_image_folder, load_npz


def draw(root, *names):
    """Save small images; each has a gray value of its own."""
    for i, name in enumerate(names):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (4, 4), 10 * i).save(root / name)
    return root


@pytest.mark.parametrize(
    ("train", "held_out"),
    [("train", "test"), ("Training", "Testing"), ("train", "val"), ("train", "valid")],
)
def test_a_train_and_a_test_folder_are_a_split(train, held_out, tmp_path):
    draw(
        tmp_path,
        f"{held_out}/cat/1.png",
        f"{train}/dog/1.png",
        f"{train}/cat/2.png",
        f"{train}/cat/1.png",
        f"{train}/ant/deep/1.png",
    )
    data = load_image_folder(tmp_path, (4, 4))
    assert data.n_train == 4
    assert data.target_names == ["ant", "cat", "dog"]
    assert data.target.tolist() == [0, 1, 1, 2, 1]
    assert data.filenames == [
        f"{train}/ant/deep/1.png",
        f"{train}/cat/1.png",
        f"{train}/cat/2.png",
        f"{train}/dog/1.png",
        f"{held_out}/cat/1.png",
    ]
    assert data.images[:, 0, 0].tolist() == [40, 30, 20, 10, 0]


def test_a_label_of_the_test_folder_alone_is_refused(tmp_path):
    draw(tmp_path, "train/cat/1.png", "train/dog/1.png", "test/cat/1.png", "test/cow/1.png")
    with pytest.raises(ValueError, match=r"labels \['cow'\] of .*test' are not in .*train'"):
        load_image_folder(tmp_path, (4, 4))


@pytest.mark.parametrize(
    "names",
    [
        ("train/cat/1.png", "train/dog/1.png", "val/cat/1.png", "test/cat/1.png"),
        ("cats-and-dogs/cat/1.png", "cats-and-dogs/dog/1.png"),
        ("train/cat/1.png", "train/dog/1.png"),
        ("2019/cat/1.png", "2019/dog/1.png", "2020/cat/1.png", "2020/dog/1.png"),
        ("train/cat/1.png", "train/dog/1.png", "test/1.png", "test/2.png"),
    ],
)
def test_folders_whose_labels_lie_deeper_are_refused(names, tmp_path):
    draw(tmp_path, *names)
    with pytest.raises(ValueError, match=r"\['cat', 'dog'\]") as raised:
        load_image_folder(tmp_path, (4, 4))
    folder = tmp_path / (tmp_path / names[0]).relative_to(tmp_path).parts[0]
    assert f"path={str(folder)!r}" in str(raised.value)
    assert load_image_folder(folder, (4, 4)).target_names == ["cat", "dog"]


def test_labels_may_have_different_subfolders(tmp_path):
    draw(tmp_path, "animal/cat/1.png", "animal/dog/1.png", "vehicle/car/1.png")
    assert load_image_folder(tmp_path, (4, 4)).target_names == ["animal", "vehicle"]


def test_a_label_may_be_named_train(tmp_path):
    draw(tmp_path, "train/1.png", "bus/1.png")
    assert load_image_folder(tmp_path, (4, 4)).target_names == ["bus", "train"]


CLUTTER = ["Thumbs.db", "DESKTOP.INI", "README", "readme.MD", "LICENSE.txt", "__MACOSX", "@eaDir"]


@pytest.mark.parametrize("name", CLUTTER)
@pytest.mark.parametrize("place", [".", "a", "a/below"])
def test_clutter_is_ignored(name, place, tmp_path):
    draw(tmp_path, "a/1.png", "a/below/2.png", "b/1.png")
    if name in ("__MACOSX", "@eaDir"):
        (tmp_path / place / name / "a").mkdir(parents=True)
        (tmp_path / place / name / "a" / "._1.png").write_text("no image")
        (tmp_path / place / name / "1.png").write_text("no image")
    else:
        (tmp_path / place / name).write_text("no image")
    data = load_image_folder(tmp_path, (4, 4))
    assert data.filenames == ["a/1.png", "a/below/2.png", "b/1.png"]


def test_clutter_does_not_hide_a_split(tmp_path):
    draw(tmp_path, "train/a/1.png", "test/a/1.png")
    for name in ("README.txt", "train/Thumbs.db", "test/desktop.ini"):
        (tmp_path / name).write_text("no image")
    assert load_image_folder(tmp_path, (4, 4)).n_train == 1


@pytest.mark.parametrize("name", ["license", "README", "b/license"])
def test_folders_with_names_of_other_files_hold_images(name, tmp_path):
    data = load_image_folder(draw(tmp_path, "a/1.png", f"{name}/2.png"), (4, 4))
    assert f"{name}/2.png" in data.filenames


def test_an_image_named_readme_is_an_image(tmp_path):
    assert len(load_image_folder(draw(tmp_path, "a/readme.png"), (4, 4)).images) == 1


@pytest.mark.parametrize("name", ["labels.csv", "a/boxes.json"])
def test_the_error_of_other_files_says_how_to_go_on(name, tmp_path):
    draw(tmp_path, "a/1.png", "b/1.png")
    (tmp_path / name).write_text("{}")
    with pytest.raises(ValueError, match=r"Move .* or begin their names with a dot") as raised:
        load_image_folder(tmp_path, (4, 4))
    assert Path(name).name in str(raised.value)
    (tmp_path / name).rename((tmp_path / name).with_name("." + Path(name).name))
    assert len(load_image_folder(tmp_path, (4, 4)).images) == 2


def test_dangling_links_are_unreadable_files(tmp_path):
    draw(tmp_path, "a/1.png")
    for number in range(2, 11):
        (tmp_path / "a" / f"{number}.png").symlink_to("../.git/annex/objects/missing")
    with pytest.raises(
        ValueError, match=r"9 of 10 files .*'a/10.png' \(link to the missing '../.g"
    ):
        load_image_folder(tmp_path, (4, 4))
    (tmp_path / "a" / "1.png").unlink()
    with pytest.raises(ValueError, match="9 of 9 files"):
        load_image_folder(tmp_path, (4, 4))


def test_a_label_that_is_a_dangling_link_is_named(tmp_path):
    draw(tmp_path, "a/1.png")
    (tmp_path / "b").symlink_to("/mnt/absent")
    with pytest.raises(ValueError, match=r"the links \['b'\], which lead nowhere"):
        load_image_folder(tmp_path, (4, 4))


@pytest.mark.parametrize("load", [load_npz, load_cifar10, load_fashion_mnist])
def test_a_tilde_is_the_home_folder(load, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(FileNotFoundError, match=str(tmp_path / "absent")):
        load("~/absent")


def test_a_folder_in_the_home_folder_is_loaded(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(draw(tmp_path, "photos/a/1.png")))
    assert load_image_folder("~/photos", (4, 4)).name == "photos"


@pytest.mark.parametrize("load", [load_npz, load_cifar10, load_fashion_mnist, load_image_folder])
@pytest.mark.parametrize("path", [["a.png", "b.png"], np.zeros(3), b"a.png"])
def test_anything_but_one_path_is_refused(load, path):
    shape = [(4, 4)] if load is load_image_folder else []
    with pytest.raises(TypeError, match="is not valid: it takes a path"):
        load(path, *shape)
