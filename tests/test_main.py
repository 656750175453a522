"""The command `python -m skhier`, in this process and on small data."""

import re
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from skhier import LayerwiseCNNClassifier
from skhier._main import _cli, _jobs, _picture


@pytest.fixture
def npz(tmp_path, digits):
    X, _, y, _ = digits
    path = tmp_path / "digits.npz"
    np.savez(path, X=X, y=y)
    return path


def test_the_command_prints_tables_and_draws_pictures(npz, tmp_path, capsys, monkeypatch):
    learn = _jobs.learn_synthetic_images
    monkeypatch.setattr(_cli, "learn_synthetic_images", lambda seed: learn(seed, 2000, 500))
    picture = tmp_path / "picture.png"
    assert _cli.main(["--data", str(npz), "--picture", str(picture), "--max-train", "400"]) == 0
    printed = capsys.readouterr().out
    rows = re.findall(r"^ +(\S.*?) +([0-9.]+)% ", printed, flags=re.MULTILINE)
    accuracy = {name: float(value) for name, value in rows}
    assert accuracy["algorithm 1 (skhier)"] > accuracy["linear classifier on pixels"] + 20
    assert accuracy["layerwise CNN (skhier)"] > 90
    assert set(accuracy) >= {"logistic regression on pixels", "RBF SVM on pixels"}
    assert "400 images to learn from, 225 held out" in printed
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "picture-mistakes.png").read_bytes().startswith(b"\x89PNG")


@pytest.fixture
def photos(tmp_path):
    """Return a folder of images of horizontal and vertical stripes with a few random pixels."""
    rng = np.random.default_rng(0)
    for label in ("lying", "upright"):
        (tmp_path / "photos" / label).mkdir(parents=True)
        for number in range(100):
            image = np.zeros((24, 24, 3), np.uint8)
            image[rng.integers(2) :: 4] = 200
            image[rng.integers(24, size=9), rng.integers(24, size=9)] = 255
            image = image.swapaxes(0, 1) if label == "upright" else image
            Image.fromarray(image).save(tmp_path / "photos" / label / f"{number:03}.png")
    return tmp_path / "photos"


def test_a_folder_of_images_is_learned_and_drawn(photos, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(_cli, "learn_synthetic_images", lambda seed: None)
    picture = tmp_path / "picture.png"
    arguments = ["--data", str(photos), "--image-size", "16", "--picture", str(picture)]
    assert _cli.main(arguments) == 0
    printed = capsys.readouterr().out
    assert "photos, 16x16x3, 2 labels" in printed
    accuracy = re.search(r"layerwise CNN \(skhier\) +([0-9.]+)%", printed)[1]
    assert float(accuracy) > 90
    assert (tmp_path / "picture-mistakes.png").is_file()


def test_mistakes_are_drawn_for_any_labels(digits, tmp_path):
    X, X_test, y, y_test = digits
    for names, is_drawn in (
        (None, y < 2),
        (["a", "b", "c"], y < 3),
        (np.array(["a", "b", "c"]), y < 3),
    ):
        clf = LayerwiseCNNClassifier(n_clusters=4, random_state=0).fit(X[is_drawn], y[is_drawn])
        held = y_test <= y[is_drawn].max()
        path = tmp_path / "mistakes.png"
        _picture.draw_mistakes(clf, X_test[held], y_test[held], names, path)
        assert path.stat().st_size > 10_000


def test_without_matplotlib_a_hint_is_printed_instead_of_a_picture(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    _picture.draw_picture(None, None, tmp_path / "x.png")
    _picture.draw_mistakes(None, None, None, None, tmp_path / "x.png")
    assert "pip install 'skhier[plot]'" in capsys.readouterr().out
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--data", "cats"], "'cats' is not 'digits', 'fashion-mnist', a file name"),
        (["--data", "tests"], "must hold one subfolder of images for each label"),
        (["--image-size", "2"], "--image-size: 2 is less than 4"),
        (["--data", "absent.npz"], "There is no file 'absent.npz'"),
        (["--max-train", "5"], "--max-train: 5 is less than 100"),
        (["--picture", "absent/x.png"], "there is no folder absent"),
        (["--seed", "-1"], "--seed: -1 is not in"),
    ],
)
def test_argument_errors_are_one_line_and_status_2(arguments, message, capsys):
    with pytest.raises(SystemExit) as exit_:
        _cli.main(arguments)
    assert exit_.value.code == 2
    assert message in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize(
    ("X", "y", "message"),
    [
        (np.full((400, 8, 8), np.nan), np.arange(400) % 2, "values that are not finite"),
        (np.zeros((400, 8, 8)), np.zeros(400), "y holds one class only"),
        (np.zeros((400, 8, 8)), np.arange(400), "least populated class"),
    ],
)
def test_images_that_cannot_be_learned_are_an_argument_error(X, y, message, tmp_path, capsys):
    np.savez(tmp_path / "bad.npz", X=X, y=y)
    with pytest.raises(SystemExit) as exit_:
        _cli.main(["--data", str(tmp_path / "bad.npz")])
    assert exit_.value.code == 2
    assert message in capsys.readouterr().err.splitlines()[-1]


def test_the_module_prints_help():
    command = [sys.executable, "-m", "skhier", "--help"]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "--data DATA" in run.stdout
