"""Right answers or a clear word: containers, axes, units and chunks that users pass by mistake."""

import pickle
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext

import dask.array as da
import numpy as np
import pandas as pd
import polars as pl
import pytest
import sklearn
import torch
import zarr
from numpy.testing import assert_array_equal
from scipy.sparse import coo_array
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.callback import ProgressBar
from sklearn.cluster import KMeans
from sklearn.datasets import load_digits
from sklearn.ensemble import StackingClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, Perceptron, Ridge, RidgeClassifier
from sklearn.model_selection import GroupKFold
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC, NuSVC, OneClassSVM
from threadpoolctl import threadpool_info, threadpool_limits
from torch.utils.data import DataLoader

import skhier
from skhier import (
    Flatten,
    KernelRidgeHead,
    LayerwiseCNNClassifier,
    PatchKMeansOrthogonalizer,
    RidgeHead,
    SphericalKMeans,
    TwoLayerConvEmbedder,
)
from skhier._base import _blocked
from skhier._base._integers import has_integer_products
from skhier.datasets import make_random_hierarchy

X, y = load_digits(return_X_y=True)
X, y = X[:300].reshape(-1, 8, 8), y[:300]
COLOR = np.stack([X] * 3, axis=-1)
ROWS = X.reshape(len(X), -1)


def small(**params):
    fixed = {"n_layers": 2, "n_clusters": 12, "orthogonalizer__n_patches": 2000, "random_state": 0}
    return LayerwiseCNNClassifier().set_params(**fixed | params)


@pytest.fixture(scope="module")
def fitted():
    return small().fit(X, y)


# Axes


@pytest.mark.parametrize(
    "images", [X[:, None], np.moveaxis(COLOR, 3, 1), torch.from_numpy(X[:, None])]
)
@pytest.mark.parametrize("estimator", [small(), PatchKMeansOrthogonalizer(4), Flatten()])
def test_channels_first_is_doubted(images, estimator):
    with pytest.warns(UserWarning, match=r"permute its axes to \(0, 2, 3, 1\)"):
        estimator.fit(images, y)


@pytest.mark.parametrize("images", [X, X[..., None], COLOR, np.zeros((20, 3, 3, 64)), ROWS])
def test_channels_last_and_codes_are_not_doubted(images):
    Flatten().fit(images)  # warnings are errors


def test_strings_of_the_random_hierarchy_model_are_not_doubted():
    strings, labels = make_random_hierarchy(200, depth=3, n_synonyms=2, random_state=0)
    LayerwiseCNNClassifier.algorithm_1(16, (1, 2), n_layers=3, random_state=0).fit(strings, labels)


@pytest.mark.parametrize("images", [X, X[..., None], COLOR])
@pytest.mark.parametrize("estimator", [small(), PatchKMeansOrthogonalizer(4), Flatten()])
def test_one_image_in_place_of_an_array_is_named(images, estimator):
    method = "predict" if hasattr(estimator, "predict") else "transform"
    predict = getattr(estimator.fit(images, y), method)
    with pytest.raises(ValueError, match=r"is one image: .* Pass X\[None\]"):
        predict(images[0])
    assert len(predict(images[0][None])) == 1


def test_a_given_image_shape_is_not_doubted():
    Flatten(image_shape=(1, 8, 8)).fit(X[:, None])


def test_flat_images_without_a_shape_are_named_if_verbose(capsys):
    small(verbose=1).fit(ROWS, y)
    assert "set image_shape=(8, 8, 1)" in capsys.readouterr().out
    small(verbose=1, image_shape=(8, 8)).fit(ROWS, y)
    assert "image_shape" not in capsys.readouterr().out


# Units


@pytest.mark.parametrize("factor", [1 / 255, 1 / 65535, 257])
def test_images_of_another_unit_are_doubted(fitted, factor):
    for method in ("predict", "transform"):
        with pytest.warns(UserWarning, match="X seems to have another unit"):
            getattr(fitted, method)(X * factor)
    with pytest.warns(UserWarning, match="X seems to have another unit"):
        fitted.layers_[0].orthogonalizer.transform(X * factor)


@pytest.mark.parametrize(
    "images",
    [X, X / 10, X[:1] / 255, X[:9] / 255, np.full((50, 8, 8), 0.01), np.zeros((50, 8, 8))],
)
def test_dark_constant_or_few_images_are_not_doubted(fitted, images):
    fitted.predict(images)


def test_a_bright_image_among_many_dark_ones_is_no_other_unit(fitted):
    dark = np.repeat(X / 100, 4, axis=0)
    dark[100] = X[0]  # not among the images that are compared first
    fitted.predict(dark)
    with pytest.warns(UserWarning, match="X seems to have another unit"):
        fitted.predict(np.delete(dark, 100, axis=0))


def test_images_far_beyond_the_range_of_fit_are_refused_wherever_they_are(fitted):
    wild = np.repeat(X, 4, axis=0)
    wild[100] *= 1e17
    for data in (wild, wild.reshape(len(wild), -1), zarr.array(wild, chunks=(90, 8, 8))):
        for estimator in (fitted, fitted.layers_[0].orthogonalizer):
            with pytest.raises(ValueError, match="must have the unit of the images of fit"):
                estimator.predict(data)


def test_predict_reads_each_block_of_a_file_about_once(fitted, monkeypatch):
    monkeypatch.setattr(_blocked, "_BLOCK_BYTES", 1)
    read, images = [], np.tile(X, (10, 1, 1))

    class File:
        shape, dtype, chunks = images.shape, images.dtype, (50, 8, 8)

        def __getitem__(self, rows):
            read.append(rows)
            return images[rows]

    assert_array_equal(fitted.predict(File()), fitted.predict(images))
    assert len(images) // 50 <= len(read) <= len(images) // 50 + 8


def test_an_offset_is_no_other_unit():
    small().fit(X + 1e4, y).predict(X + 1e4)
    (uint8,) = [(X * 15).astype(np.uint8)]
    small().fit(uint8, y).predict(uint8.astype(np.float32))


# Containers


@pytest.mark.parametrize(
    "container",
    [
        lambda: list(X),
        lambda: pd.Series(list(X)),
        lambda: pd.DataFrame({"image": list(X)})["image"],
        lambda: pl.DataFrame({"image": pl.Series(X)})["image"],
        lambda: pl.Series(X.tolist()),
    ],
)
def test_columns_of_images_are_stacked(fitted, container):
    found = small().fit(container(), y)
    assert_array_equal(found.predict(container()), fitted.predict(X))


@pytest.mark.parametrize("column", [lambda Z: pd.Series(list(Z)), pl.Series])
def test_columns_of_flat_images_are_stacked(fitted, column):
    flat = column(X.reshape(len(X), -1))
    assert_array_equal(small(image_shape=(8, 8)).fit(flat, y).predict(flat), fitted.predict(X))


def archive(tmp_path):
    np.savez(tmp_path / "x.npz", images=X, labels=y)
    return np.load(tmp_path / "x.npz")


@pytest.mark.parametrize(
    ("container", "message"),
    [
        (archive, r"NpzFile of \['images', 'labels'\], not an array: pass one of its arrays"),
        (lambda _: {"a": X}, "X is a dict"),
        (lambda folder: [folder / "a.png"] * 300, "load them first, .*load_image_folder"),
        (lambda _: np.array(["a.png"] * 300), "X holds names such as 'a.png'"),
        (lambda _: [X[0], X[0][:4]] * 150, r"several shapes, .*\(4, 8\), \(8, 8\)"),
        (lambda _: np.ma.masked_greater(X, 14), r"masked values.*X.filled\(value\)"),
        (lambda _: iter(X), "X is a .*, not an array: pass an array of images"),
        (lambda _: zarr.group(), "X is a Group, not an array: pass an array of images"),
        (lambda _: DataLoader(torch.from_numpy(X)), "X is a DataLoader, not an array"),
        (lambda _: pd.DataFrame({"image": list(X)}), r"'image' holds arrays.*X\['image'\]"),
        (lambda _: X.astype("M8[s]"), r"X has dtype datetime64\[s\]"),
    ],
)
@pytest.mark.parametrize("estimator", [small(), PatchKMeansOrthogonalizer(4), Flatten()])
def test_containers_that_are_no_images_are_named(estimator, container, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        estimator.fit(container(tmp_path), y)


def test_names_of_features_do_not_go_stale():
    frame = pd.DataFrame(ROWS).rename(columns=str)
    flatten = Flatten().fit(frame).fit(da.zeros((10, 5, 5)))
    assert flatten.n_features_in_ == len(flatten.get_feature_names_out()) == 25
    head = RidgeHead().fit(frame, y).fit_features(torch.from_numpy(ROWS[:, :9]), y)
    assert not hasattr(head, "feature_names_in_")


# Chunks


def lying(array, chunks):
    """An array of Dask with the values of another one, and false metadata."""
    return da.Array(array.dask, array.name, chunks=chunks, dtype=array.dtype)


LIES = {
    "channels first": lying(
        da.from_array(np.moveaxis(COLOR, 3, 1), chunks=(50, 3, 8, 8)), ((50,) * 6, (8,), (8,), (3,))
    ),
    "fewer rows": lying(da.from_array(X, chunks=(50, 8, 8)), ((51,) * 6, (8,), (8,))),
    "more rows": lying(da.from_array(X, chunks=(50, 8, 8)), ((49,) * 6, (8,), (8,))),
}


@pytest.mark.parametrize("lie", LIES)
@pytest.mark.parametrize("on_cluster", [False, True])
def test_chunks_unlike_their_metadata_are_refused(lie, on_cluster, cluster):
    data = LIES[lie]
    labels = np.resize(y, len(data))
    match = r"A chunk of X has shape \(50, .*\), but X declares"
    where = cluster.as_current() if on_cluster else nullcontext()
    with where, pytest.raises(ValueError, match=match):
        small().fit(data, labels)
    if not on_cluster:
        for estimator in (small(n_layers=1), PatchKMeansOrthogonalizer(4, random_state=0)):
            fitted = estimator.fit(COLOR if data.ndim == 4 else X, y)
            with pytest.raises(ValueError, match=match):
                fitted.transform(data).compute()


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("container", [zarr.array, da.from_array])
def test_nan_in_blocks_is_refused(value, container):
    images = X.copy()
    images[123, 4, 4] = value
    rows = container(images.reshape(len(X), -1), chunks=(70, 64))
    images = container(images, chunks=(70, 8, 8))
    match = "Input X contains (NaN|infinity)"
    for estimator in (SphericalKMeans(3, init="random"), RidgeHead(), KernelRidgeHead()):
        with pytest.raises(ValueError, match=match):
            estimator.fit(rows, y)
        found = estimator.fit(ROWS, y)
        with pytest.raises(ValueError, match=match):
            np.asarray(found.predict(rows))
    for estimator in (small(), PatchKMeansOrthogonalizer(3), TwoLayerConvEmbedder(3)):
        with pytest.raises(ValueError, match=match):
            estimator.fit(images, y)
        found = estimator.fit(X, y)
        with pytest.raises(ValueError, match=match):
            np.asarray(found.transform(images))


# Heads and parts


@pytest.mark.parametrize("head", [Ridge(), KMeans(3), OneClassSVM()])
def test_heads_that_are_no_classifiers_are_refused(head):
    with pytest.raises(ValueError, match="is not valid: it takes a classifier"):
        small(head=head).fit(X, y)


@pytest.mark.parametrize("n_labels", [2, 3, 10])
@pytest.mark.parametrize(
    "head", [SVC(kernel="linear"), NuSVC(kernel="linear", nu=0.1), LinearSVC(), Perceptron(),
             LogisticRegression(), RidgeClassifier()],
    ids=str,
)  # fmt: skip
def test_exported_heads_have_one_score_for_each_class(head, n_labels):
    chosen = y < n_labels
    clf = small(n_layers=1, head=head).fit(X[chosen], y[chosen])
    if n_labels > 2 and isinstance(head, (SVC, NuSVC)):  # one score for each pair of classes
        with pytest.raises(ValueError, match="do not give one score for each class"):
            clf.to_torch()
        return
    with torch.no_grad():
        scores = clf.to_torch()(torch.from_numpy(X[chosen][:, None])).numpy()
    index = scores[:, 0] > 0 if n_labels == 2 else scores.argmax(axis=1)
    assert_array_equal(clf.classes_[index.astype(int)], clf.predict(X[chosen]))


@pytest.mark.parametrize("patch_size", [18, 99, (3, 40)])
def test_patches_much_larger_than_images_are_refused(patch_size):
    with pytest.raises(ValueError, match="more than twice as large as the 8x8 image"):
        small(patch_size=patch_size).fit(X, y)


@pytest.mark.parametrize("padding", ["same", "valid"])
def test_the_advice_on_tiling_is_no_padding_that_is_set(padding):
    with pytest.raises(ValueError, match="does not tile") as raised:
        PatchKMeansOrthogonalizer(4, 3, stride=4, padding=padding).fit(X)
    assert ("or use padding='same'" in str(raised.value)) == (padding == "valid")


def test_parts_that_are_not_given_are_reached_by_name():
    clf = LayerwiseCNNClassifier().set_params(orthogonalizer1__bias=0.5)
    assert clf.orthogonalizer[0].bias == 0.5
    assert clf.orthogonalizer[1] is None
    clf = LayerwiseCNNClassifier(orthogonalizer=[PatchKMeansOrthogonalizer(), None])
    assert clf.set_params(orthogonalizer2__bias=0.5).orthogonalizer[1].bias == 0.5
    clf = LayerwiseCNNClassifier(embedder=[TwoLayerConvEmbedder(), None])
    assert clf.set_params(**clf.get_params()).embedder[1] is None
    clf = LayerwiseCNNClassifier().set_params(embedder1__max_iter=7)
    assert clf.embedder[0].max_iter == 7
    assert clf.embedder[1] is None


def test_numbered_parameters_are_of_one_layer():
    given = PatchKMeansOrthogonalizer(bias=-0.7)
    clf = LayerwiseCNNClassifier(n_layers=2, orthogonalizer=given)
    clf.set_params(orthogonalizer1__bias=-1.0)
    assert [part.bias for part in clf.orthogonalizer] == [-1.0, -0.7]
    assert given.bias == -0.7
    clf = LayerwiseCNNClassifier(n_layers=3, embedder=TwoLayerConvEmbedder(max_iter=9))
    first, second, last = clf.set_params(embedder2__max_iter=7).embedder
    assert (first.max_iter, second.max_iter, last) == (9, 7, None)


@pytest.mark.parametrize("param", [{"contrast": 0.5}, {"border": 0.3}, {}])
def test_a_numbered_parameter_with_the_value_it_has_changes_nothing(param):
    clf = small(orthogonalizer=PatchKMeansOrthogonalizer(4, 3, n_patches=2000, **param))
    expected = clf.set_params(n_clusters=None).fit(X, y).decision_function(X)
    clf.set_params(orthogonalizer1__bias=clf.orthogonalizer.bias)
    assert_array_equal(clf.fit(X, y).decision_function(X), expected)


@pytest.mark.parametrize(
    "estimator",
    [
        small(head=LogisticRegression(C=-1.0)),
        small(head=RidgeClassifier(alpha=-5.0)),
        PatchKMeansOrthogonalizer(8, kmeans=KMeans(tol=-1.0)),
    ],
)
def test_estimators_of_the_user_check_their_parameters(estimator):
    with pytest.raises(ValueError, match=r"The '(C|alpha|tol)' parameter"):
        estimator.fit(X, y)


def test_a_stack_of_classifiers_is_a_head():
    stack = StackingClassifier([("nb", GaussianNB()), ("ridge", RidgeClassifier())])
    assert small(head=stack, n_layers=1).fit(X, y).score(X, y) > 0.8


def test_an_unknown_nested_parameter_changes_nothing():
    head = LogisticRegression(C=2.0)
    clf = LayerwiseCNNClassifier(head=head)
    for unknown in ("orthogonalizer__nonsense", "nonsense", "head__nonsense", "embedder3__bias"):
        with pytest.raises(ValueError, match="Invalid parameter"):
            clf.set_params(**{"head__C": 9.0, unknown: 1})
        assert head.C == 2.0
        assert clf.orthogonalizer is None


def test_looking_at_a_classifier_draws_nothing():
    rng = np.random.RandomState(0)
    clf = small(random_state=rng)
    before = rng.get_state()[2]
    clf._repr_html_()
    clf.to_pipeline()
    repr(clf)
    assert rng.get_state()[2] == before


# Numbers


@pytest.mark.parametrize(("power", "gamma"), [(1, 1000), (4, 1e6)])
def test_groups_are_left_out_of_a_kernel_of_rounding_errors(power, gamma):
    Z = np.random.default_rng(0).lognormal(size=(60, 1)).astype(np.float32)
    head = KernelRidgeHead(1e-6, gamma=gamma, power=power)
    with pytest.warns(ConvergenceWarning):
        head.fit(Z, np.arange(60) % 2, groups=np.arange(60) // 3)
    assert np.isfinite(head.decision_function(Z)).all()


def test_a_singular_kernel_of_centers_is_warned_of():
    Z = np.random.default_rng(0).standard_normal((50, 4))
    Z, labels = np.r_[Z, Z], np.arange(100) % 2
    head = KernelRidgeHead(1e-300, n_centers=80, random_state=0)
    with pytest.warns(ConvergenceWarning, match="singular to rounding"):
        head.fit(Z, labels)
    assert np.isfinite(head.decision_function(Z)).all()


@pytest.mark.parametrize("solver", ["gd", "sgd", "adam"])
def test_embedders_learn_where_gradients_are_off(solver):
    embedder = TwoLayerConvEmbedder(3, solver=solver, max_iter=3, random_state=0)
    expected = embedder.fit(X, y).kernels_
    with torch.no_grad():
        found = embedder.fit(X, y).kernels_
        assert not torch.is_grad_enabled()
    assert_array_equal(found, expected)


@pytest.mark.parametrize("solver", ["svd", "adam"])
@pytest.mark.parametrize(
    "mode",
    [
        torch.inference_mode,
        lambda: torch.autocast("cpu", torch.bfloat16),
        lambda: torch.device("meta"),  # as torch.set_default_device does
    ],
)
def test_the_modes_of_torch_change_nothing(mode, solver):
    clf = small(n_layers=2, embedder=TwoLayerConvEmbedder(3, solver=solver, max_iter=3))
    expected = clf.fit(X, y).decision_function(X)
    with mode():
        assert_array_equal(clf.decision_function(X), expected)
        assert_array_equal(clf.fit(X, y).decision_function(X), expected)
        network = clf.to_torch()
        score = SphericalKMeans(3, random_state=0).fit(ROWS).score(ROWS)
    network(torch.from_numpy(X[:2, None])).sum().backward()  # it can be trained
    assert score == SphericalKMeans(3, random_state=0).fit(ROWS).score(ROWS)


def test_measured_speeds_do_not_depend_on_the_default_dtype():
    expected = has_integer_products()
    has_integer_products.cache_clear()
    torch.set_default_dtype(torch.float64)
    try:
        assert has_integer_products() == expected
    finally:
        torch.set_default_dtype(torch.float32)


def test_a_model_of_another_version_is_loaded_with_a_warning(fitted):
    data = pickle.dumps(fitted)
    assert_array_equal(pickle.loads(data).predict(X), fitted.predict(X))
    version = skhier.__version__.encode()
    with pytest.warns(UserWarning, match="was saved by skhier .* and is loaded by skhier"):
        pickle.loads(data.replace(version, b"9" * len(version)))


# Of scikit-learn: nested parts, frozen heads, routing, warnings, threads


def test_a_nested_part_is_replaced_and_its_parameters_are_set_together():
    head = Pipeline([("scale", StandardScaler()), ("clf", LogisticRegression())])
    clf = small(head=head).set_params(head__clf=SVC(), head__clf__kernel="linear")
    assert clf.head["clf"].kernel == "linear"
    clf.set_params(orthogonalizer__kmeans=KMeans(), orthogonalizer__kmeans__algorithm="elkan")
    assert clf.orthogonalizer.kmeans.algorithm == "elkan"
    before = head["clf"]
    with pytest.raises(ValueError, match="Invalid parameter 'colour'"):
        clf.set_params(head__clf=SVC(), head__clf__colour=1)
    assert clf.head["clf"] is before
    with pytest.raises(ValueError, match="Invalid parameter 'foo__bar'"):
        clf.set_params(foo__bar__x=1, foo__bar=2)


def test_a_frozen_estimator_is_a_head():
    features = small().fit(X, y).transform(X).reshape(len(X), -1)
    frozen = FrozenEstimator(LogisticRegression(max_iter=500).fit(features, y))
    assert small(head=frozen).fit(X, y).score(X, y) > 0.9


def test_groups_reach_the_splitter_of_the_last_step_of_a_head():
    calibrated = CalibratedClassifierCV(LogisticRegression(), cv=GroupKFold(2))
    clf = small(head=make_pipeline(StandardScaler(), calibrated), n_layers=1)
    with sklearn.config_context(enable_metadata_routing=True):
        assert clf.fit(X, y, groups=np.arange(len(X)) % 30).score(X, y) > 0.8


def test_lazy_predictions_are_those_of_the_fit_before_them(fitted):
    clf = clone(fitted).fit(X[:150], y[:150])
    blocks = da.from_array(X, chunks=(100, 8, 8))
    expected, lazy = clf.predict_proba(X), clf.predict_proba(blocks)
    clf.fit(X[150:], y[150:])
    assert_array_equal(lazy.compute(), expected)


@pytest.mark.parametrize(
    "call",
    [
        lambda: small().fit(X[:, None], y),
        lambda: Flatten().fit(X[:, None]),
        lambda: small().fit(da.from_array(X, chunks=(100, 4, 8)), y),
        lambda: RidgeHead().fit(da.from_array(ROWS, chunks=(100, 8)), y),
    ],
)
def test_warnings_are_at_the_line_of_the_user(call):
    with pytest.warns(UserWarning, match="^X ") as caught:
        call()
    assert caught[0].filename == __file__


def test_the_warning_of_another_unit_is_at_the_line_of_the_user(fitted):
    for method in (fitted.predict, fitted.predict_proba, fitted.transform):
        with pytest.warns(UserWarning, match="another unit") as caught:
            method(X / 1000)
        assert caught[0].filename == __file__


def test_fits_in_several_threads_leave_the_threads_of_blas_as_they_were():
    def n_threads():
        return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]

    with threadpool_limits(2, user_api="blas"):
        before = n_threads()
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda n: small(n_layers=n).fit(X[:60], y[:60]), (1, 1, 2)))
        assert n_threads() == before


@pytest.mark.parametrize("name", ["y", "sample_weight"])
def test_masked_labels_and_weights_are_refused(name):
    values = {"y": y, "sample_weight": np.ones(len(y))}
    values[name] = np.ma.array(values[name], mask=np.arange(len(y)) == 3)
    for estimator, data in ((small(), X), (RidgeHead(), ROWS)):
        with pytest.raises(ValueError, match=f"{name} has masked values"):
            estimator.fit(data, **values)


def test_infinity_is_refused_also_where_scikit_learn_does_not_look(fitted):
    images = np.where(np.arange(64).reshape(8, 8) == 5, np.inf, X)
    with sklearn.config_context(assume_finite=True), pytest.raises(ValueError, match="infinity"):
        small().fit(images, y)


class Table:
    """Stand-in for a table of pyarrow."""

    columns = [f"pixel {i}" for i in range(64)]
    shape = ROWS.shape

    def to_pandas(self):
        return pd.DataFrame(ROWS, columns=self.columns)


def test_tables_of_pyarrow_are_taken():
    codes = PatchKMeansOrthogonalizer(4, image_shape=(8, 8), random_state=0)
    assert_array_equal(codes.fit_transform(Table()), codes.fit_transform(Table().to_pandas()))


def test_sparse_images_are_refused_with_the_remedy():
    with pytest.raises(TypeError, match=r"X\.toarray\(\)"):
        small().fit(coo_array(X), y)


def test_a_progress_bar_of_a_pipeline_takes_flatten():
    pipeline = make_pipeline(Flatten(), RidgeHead())
    pipeline.set_callbacks(ProgressBar()).fit(X, y)  # warnings are errors
