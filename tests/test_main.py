"""The command `python -m skhier`, in process and on small data."""

import re
import subprocess
import sys

import joblib
import numpy as np
import pytest
import skops.io
from matplotlib import font_manager
from numpy.testing import assert_array_equal
from PIL import Image
from sklearn.utils import Bunch

from skhier import LayerwiseCNNClassifier
from skhier._main import _cli, _data, _jobs, _model, _picture
from skhier._main._folder_survey import FolderSurvey
from skhier.datasets import load_image_folder


@pytest.fixture
def npz(tmp_path, digits):
    X, _, y, _ = digits
    path = tmp_path / "some-digits.npz"
    np.savez(path, X=X, y=y)
    return path


def test_the_command_prints_tables_and_draws_pictures(npz, tmp_path, capsys, monkeypatch):
    learn = _jobs.learn_synthetic_images
    monkeypatch.setattr(_cli, "learn_synthetic_images", lambda seed: learn(seed, 1500, 500))
    picture = tmp_path / "picture.png"
    arguments = ["--synthetic", "--data", str(npz), "--picture", str(picture)]
    assert _cli.main([*arguments, "--max-train", "300"]) == 0
    printed = capsys.readouterr().out
    rows = re.findall(r"^ +(\S.*?) +([0-9.]+)% ", printed, flags=re.MULTILINE)
    accuracy = {name: float(value) for name, value in rows}
    assert accuracy["algorithm 1 (skhier)"] > accuracy["linear classifier on pixels"] + 20
    assert accuracy["layerwise CNN (skhier)"] > 90
    assert set(accuracy) >= {"logistic regression on pixels", "RBF SVM on pixels"}
    assert "300 images to learn from, 225 held out" in printed
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "picture-mistakes.png").read_bytes().startswith(b"\x89PNG")


@pytest.fixture
def photos(tmp_path):
    """Draw a folder of stripes, upright and lying; each image has noisy pixels of its own."""
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


def test_a_folder_of_images_is_learned_drawn_and_saved(photos, tmp_path, capsys):
    picture, model = tmp_path / "picture.png", tmp_path / "model"
    arguments = ["--data", str(photos), "--image-size", "16", "--picture", str(picture)]
    assert _cli.main([*arguments, "--save", str(model)]) == 0
    printed = capsys.readouterr().out
    assert "Synthetic" not in printed
    classifier = joblib.load(tmp_path / "model.joblib")
    images = load_image_folder(photos, image_shape=(16, 16, 3)).images
    assert set(classifier.predict(images)) == {"lying", "upright"}
    assert "photos, 16x16x3, 2 labels" in printed
    accuracy = re.search(r"layerwise CNN \(skhier\) +([0-9.]+)%", printed)[1]
    assert float(accuracy) > 90
    assert (tmp_path / "picture-mistakes.png").is_file()


def test_mistakes_are_drawn_for_any_labels(digits, tmp_path, monkeypatch):
    X, X_test, y, y_test = digits
    for names in (np.arange(2), np.array(["a", "b", "c"])):
        is_drawn, held = y < len(names), y_test < len(names)
        clf = LayerwiseCNNClassifier(n_clusters=4, random_state=0)
        clf.fit(X[is_drawn], names[y[is_drawn]])
        path = tmp_path / "mistakes.png"
        _picture.draw_mistakes(clf, X_test[held], names[y_test[held]], path)
        assert path.stat().st_size > 10_000


@pytest.mark.parametrize(("n_wrong", "n_columns"), [(0, 0), (1, 1), (5, 2), (30, 3)])
def test_the_picture_of_mistakes_has_no_empty_column(n_wrong, n_columns):
    import matplotlib.pyplot as plt

    y = np.arange(40) % 2
    predicted = np.where(np.arange(40) < n_wrong, 1 - y, y)
    names, X = {0: "a", 1: "b"}, np.ones((40, 4, 4))
    figure = _picture._mistakes_figure(plt, X, y, predicted, np.ones(40), [0, 1], names)
    parts = [figure, *figure.subfigs]
    assert len(parts) == (3 if n_wrong else 1)
    matrix = parts[min(1, n_wrong)]
    assert matrix.get_suptitle() == f"{40 - n_wrong} of 40 predictions are correct"
    mistakes = parts[2].axes if n_wrong else []
    assert len(mistakes) == 4 * n_columns
    assert sum(bool(ax.get_images()) for ax in mistakes) == min(n_wrong, 12)
    plt.close(figure)


def test_without_matplotlib_a_hint_is_printed_instead_of_a_picture(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    _picture.draw_picture(None, None, tmp_path / "x.png")
    _picture.draw_mistakes(None, None, None, tmp_path / "x.png")
    assert "pip install matplotlib" in capsys.readouterr().out
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--data", "cats"], "there is no file or folder 'cats', and it is not 'digits'"),
        (["--data", "setup.cfg"], "'setup.cfg' is neither a folder nor a file name ending in .npz"),
        (["--gray"], "--gray is for a folder of images, but --data is not given"),
        (["--max-value", "9", "--data", "digits"], "--max-value is for a folder of images, but"),
        (["--image-size", "9", "--data", "a.npz"], "--image-size is for a folder of images, but"),
        (["--arrays", "a", "b", "--data", "tests"], "--arrays is for a file .npz, but --data is"),
        (["--save", "tests"], "--save: tests is a folder: name a file in it"),
        (["--save", "model.onnx"], "model.onnx has a suffix that is neither .skops nor .joblib"),
        (["--save", "absent/model.skops"], "there is no folder absent"),
        (["--data", "tests"], "must hold one subfolder of images for each label"),
        (["--image-size", "2"], "--image-size: 2 is less than 4"),
        (["--data", "absent.npz"], "There is no file 'absent.npz'"),
        (["--max-train", "5"], "--max-train: 5 is less than 100"),
        (["--picture", "absent/x.png"], "there is no folder absent"),
        (["--picture", "x.txt"], "--picture: x.txt has a suffix that is none of"),
        (["--picture", "x.pgf"], "--picture: x.pgf has a suffix that is none of"),
        (["--picture", "tests"], "--picture: tests is a folder: name a file in it, such as tests"),
        (["--picture", "~"], "is a folder"),
        (["--picture", "~/absent/x.png"], "there is no folder /"),
        (["--data", "~/absent.npz"], "There is no file '/"),
        (["--data", "absent.NPZ"], "There is no file 'absent.NPZ'"),
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
        (np.zeros((400, 8, 8)), np.arange(400), "the labels ['0', '1', '2'"),
    ],
)
def test_images_that_cannot_be_learned_are_an_argument_error(X, y, message, tmp_path, capsys):
    np.savez(tmp_path / "bad.npz", X=X, y=y)
    with pytest.raises(SystemExit) as exit_:
        _cli.main(["--data", str(tmp_path / "bad.npz")])
    assert exit_.value.code == 2
    assert message in capsys.readouterr().err.splitlines()[-1]


def failure(arguments, capsys):
    """Return the last line of an error of the command."""
    with pytest.raises(SystemExit):
        _cli.main(list(map(str, arguments)))
    return capsys.readouterr().err.splitlines()[-1]


def test_arrays_of_other_names_are_named_by_an_option(digits, tmp_path, capsys, monkeypatch):
    X, _, y, _ = digits
    path = tmp_path / "a.npz"
    np.savez(path, x_train=X, y_train=y)
    line = failure(["--data", path], capsys)
    assert "no array X, but ['x_train', 'y_train']: name two of them" in line
    assert "--arrays" in line
    options = _cli._parse(["--data", str(path), "--arrays", "x_train", "y_train"])
    assert len(options.dataset.images) == len(X)
    assert "no array images, but" in failure(
        ["--data", path, "--arrays", "images", "labels"], capsys
    )


def test_the_white_value_of_a_folder_is_an_option(tmp_path, capsys):
    for label in ("cat", "dog"):
        (tmp_path / label).mkdir()
        for number in range(4):
            image = Image.fromarray(np.full((8, 8), 100, np.uint16))
            image.save(tmp_path / label / f"{number}.png")
    options = _cli._parse(["--data", str(tmp_path), "--max-value", "200"])
    assert (options.dataset.images == 128).all()
    line = failure(["--data", tmp_path, "--max-value", "0"], capsys)
    assert "max_value=0" in line


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ({"cat": 9, "cow": 1, "dog": 1}, "the labels ['cow', 'dog'] have one image only"),
        ({"cat": 2, "dog": 2}, "4 images of 2 labels: at least 5 are needed"),
        ({"cat": 4, "cow": 2, "dog": 2}, "8 images of 3 labels: at least 9 are needed"),
    ],
)
def test_folders_of_too_few_images_are_refused_by_the_names_of_labels(
    counts, message, tmp_path, capsys
):
    for label, count in counts.items():
        (tmp_path / label).mkdir()
        for number in range(count):
            Image.new("L", (8, 8)).save(tmp_path / label / f"{number}.png")
    assert message in failure(["--data", tmp_path], capsys)


@pytest.mark.parametrize("n_labels", range(2, 9))
def test_the_least_number_of_images_is_enough(n_labels):
    y = np.zeros(4 * n_labels - 3, int)
    y[: 2 * n_labels] = np.repeat(np.arange(n_labels), 2)
    dataset = Bunch(images=np.zeros((len(y), 4, 4)), target=y, n_train=None)
    _, _, y_train, y_test = _data.split_images(dataset, 100, seed=0)
    assert len(y_train) + len(y_test) == len(y)
    dataset.images, dataset.target = dataset.images[:-1], y[:-1]
    with pytest.raises(ValueError, match=f"at least {4 * n_labels - 3} are needed"):
        _data.split_images(dataset, 100, seed=0)


def test_training_images_of_a_sorted_folder_are_drawn_from_all_labels():
    y = np.repeat([0, 1, 0, 1], [300, 300, 20, 20])
    X = np.arange(640.0).reshape(-1, 1, 1)
    dataset = Bunch(images=X, target=y, n_train=600)
    X_train, X_test, y_train, _ = _data.split_images(dataset, 100, seed=0)
    assert len(X_train) == 100
    assert 20 < y_train.sum() < 80
    assert len(set(X_train.ravel().tolist())) == 100
    assert X_train.max() < 600
    assert X_test.ravel().tolist() == list(range(600, 640))


def test_a_picture_without_a_suffix_is_a_png(tmp_path):
    assert _picture.check_picture(tmp_path / "out") == tmp_path / "out.png"
    assert _picture.check_picture(tmp_path / "out.svg") == tmp_path / "out.svg"


def test_pictures_that_cannot_be_written_are_refused(tmp_path, monkeypatch):
    (tmp_path / "a-mistakes.png").mkdir()
    with pytest.raises(ValueError, match=r"a-mistakes\.png cannot be written"):
        _picture.check_picture(tmp_path / "a.png")
    monkeypatch.setattr("os.access", lambda path, mode: False)
    with pytest.raises(ValueError, match=r"b\.png cannot be written"):
        _picture.check_picture(tmp_path / "b.png")


def test_without_matplotlib_any_suffix_passes(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.backend_bases", None)
    assert _picture.check_picture(tmp_path / "x.txt") == tmp_path / "x.txt"


def test_labels_are_drawn_by_a_font_that_has_their_characters():
    families, missing = _picture._find_fonts(set("a\u1d81"))
    assert not missing
    assert len(families) > 1
    families, missing = _picture._find_fonts(set("жé$ a"))
    assert (len(families), missing) == (1, set())


def test_labels_that_no_font_draws_are_numbered_and_printed(digits, tmp_path, capsys, monkeypatch):
    manager = font_manager.fontManager
    latin = [font for font in manager.ttflist if font.name == "DejaVu Sans"]
    monkeypatch.setattr(manager, "ttflist", latin)
    X, X_test, y, y_test = digits
    names = np.array(["cat", "猫", "犬"])
    clf = LayerwiseCNNClassifier(n_layers=1, n_clusters=4, random_state=0)
    clf.fit(X[y < 3], names[y[y < 3]])
    held = y_test < 3
    path = tmp_path / "mistakes.png"
    _picture.draw_mistakes(clf, X_test[held], names[y_test[held]], path)
    assert "all characters of these labels: #1 犬, #2 猫\n" in capsys.readouterr().out
    assert path.stat().st_size > 10_000


def test_long_labels_are_numbered_and_printed(digits, tmp_path, capsys):
    X, X_test, y, y_test = digits
    names = np.array(["zero", "1" * 30, "2" * 31])
    clf = LayerwiseCNNClassifier(n_layers=1, n_clusters=4, random_state=0)
    clf.fit(X[y < 3], names[y[y < 3]])
    held = y_test < 3
    _picture.draw_mistakes(clf, X_test[held], names[y_test[held]], tmp_path / "mistakes.png")
    assert f"no room for the names of these labels: #1 {'2' * 31}\n" in capsys.readouterr().out


COLOR = Image.new("RGB", (99, 99), "red")


def write_images(folder, images):
    """Write images of two labels, each at least twice, to a folder."""
    for label in ("a", "b"):
        (folder / label).mkdir(parents=True)
        for number, image in enumerate(images * 3):
            image.save(folder / label / f"{number}.png")


@pytest.mark.parametrize(
    ("images", "shape", "notes"),
    [
        ([Image.new("L", (8, 8))], (8, 8), ["6 gray files of 8x8 pixels"]),
        ([Image.new("RGB", (9, 7))], (7, 9, 3), ["6 files of 7x9 pixels"]),
        ([Image.new("I;16", (8, 8))], (8, 8), ["6 gray files of 8x8 pixels"]),
        (
            [Image.new("L", (8, 8)), Image.new("RGB", (12, 10))],
            (12, 12, 3),
            ["12 files of 2 sizes, 8x8 to 10x12 pixels: resized to 12x12", "6 gray files: conv"],
        ),
        (
            [COLOR.convert(mode) for mode in ("RGBA", "P", "LA")],
            (32, 32, 3),
            ["18 files of 99x99 pixels: resized to 32x32", "6 gray files", "12 files with trans"],
        ),
    ],
)
def test_files_are_changed_no_more_than_needed_and_changes_are_noted(
    images, shape, notes, tmp_path
):
    write_images(tmp_path, images)
    survey = FolderSurvey.of_folder(tmp_path)
    assert survey.image_shape() == shape
    lines = survey.describe(shape)
    assert len(lines) == len(notes)
    assert all(line.startswith(note) for line, note in zip(lines, notes))
    assert survey.image_shape(5, gray=True) == (5, 5)
    assert len(load_image_folder(tmp_path, shape).images) == survey.sizes.total()


def test_the_size_of_a_turned_photograph_is_that_of_the_upright_one(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    for label in ("a", "b"):
        (tmp_path / label).mkdir()
        Image.new("RGB", (20, 10)).save(tmp_path / label / "1.jpg", exif=exif)
    assert FolderSurvey.of_folder(tmp_path).image_shape() == (20, 10, 3)


def test_palettes_of_grays_are_gray(tmp_path):
    gray = Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8)).convert("P")
    write_images(tmp_path, [gray])
    assert FolderSurvey.of_folder(tmp_path).image_shape() == (8, 8)


def test_an_existing_folder_comes_before_a_data_set_of_the_same_name(tmp_path, monkeypatch):
    write_images(tmp_path / "digits", [Image.new("L", (8, 8))])
    monkeypatch.chdir(tmp_path)
    options = _cli._parse(["--data", "digits", "--gray"])
    assert set(options.dataset.target) == {"a", "b"}
    assert options.dataset.notes[-1] == "loaded by load_image_folder('digits', image_shape=(8, 8))"
    assert len(_cli._parse([]).dataset.images) == 1797


def test_a_saved_model_is_loaded_as_printed(digits, tmp_path, capsys):
    X, _, y, _ = digits
    clf = LayerwiseCNNClassifier(n_layers=1, n_clusters=4, random_state=0).fit(X[:99], y[:99])
    for name in ("model.joblib", "model.skops"):
        _model.save_model(clf, _model.check_model(tmp_path / name))
        line = capsys.readouterr().out.splitlines()[-1]
        variables = {"joblib": joblib, "skops": skops}
        exec(line.strip(), variables)
        assert_array_equal(variables["classifier"].predict(X), clf.predict(X))


def test_skops_that_is_not_installed_is_an_argument_error(monkeypatch, capsys):
    monkeypatch.setattr(_model, "find_spec", lambda name: None)
    assert "pip install skops, or choose a file .joblib" in failure(["--save", "a.skops"], capsys)


def test_an_interrupt_is_one_line_and_status_130(monkeypatch, capsys):
    def interrupt(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(_cli, "learn_real_images", interrupt)
    assert _cli.main(["--data", "digits"]) == 130
    assert capsys.readouterr().err == "\nInterrupted.\n"


def test_output_that_nobody_reads_ends_the_command():
    command = [sys.executable, "-m", "skhier", "--data", "digits"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as run:
        run.stdout.close()
        assert run.stderr.read() == b""
    assert run.returncode == 141


def test_the_module_prints_help():
    command = [sys.executable, "-m", "skhier", "--help"]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "--data DATA" in run.stdout
