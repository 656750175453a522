"""The main job, `python -m skhier`, in process and on small data."""

import re
import subprocess
import sys

import numpy as np
import pytest

from skhier._main import _cli, _jobs, _picture


@pytest.fixture
def npz(tmp_path, digits):
    X, _, y, _ = digits
    path = tmp_path / "some-digits.npz"
    np.savez(path, X=X, y=y)
    return path


def test_prints_tables_and_draws_a_picture(npz, tmp_path, capsys, monkeypatch):
    small = _jobs.learn_synthetic_images
    monkeypatch.setattr(_cli, "learn_synthetic_images", lambda seed: small(seed, 2000, 500))
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


def test_without_matplotlib_there_is_no_picture(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    _picture.draw_picture(None, None, tmp_path / "x.png")
    assert "pip install 'skhier[plot]'" in capsys.readouterr().out
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--data", "cats"], "'cats' is not 'digits', 'fashion-mnist' or a file name"),
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


def test_help_of_the_module():
    command = [sys.executable, "-m", "skhier", "--help"]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "--data DATA" in run.stdout
