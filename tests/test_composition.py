"""Estimators in scikit-learn's tools: pipelines, searches, persistence, callbacks."""

import pickle
import re

import joblib
import numpy as np
import pandas as pd
import pytest
import torch
from callbacks import Recorder
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.callback import ProgressBar
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.linear_model import RidgeClassifier
from sklearn.model_selection import GridSearchCV, HalvingRandomSearchCV
from sklearn.pipeline import Pipeline

from skhier import (
    Flatten,
    HierarchicalSampler,
    LayerwiseCNNClassifier,
    PatchKMeansOrthogonalizer,
    SphericalKMeans,
    TwoLayerConvEmbedder,
)
from skhier._base import _fitting


@pytest.fixture
def small(digits):
    X, _, y, _ = digits
    return X[:300], y[:300]


@pytest.fixture
def pipeline():
    def orthogonalizer(seed, **params):
        return PatchKMeansOrthogonalizer(
            12, 2, pool_size=2, n_patches=2000, random_state=seed, **params
        )

    return Pipeline(
        [
            ("codes1", orthogonalizer(0)),
            ("embed1", TwoLayerConvEmbedder(6, random_state=1)),
            ("codes2", orthogonalizer(2)),
            ("flatten", Flatten()),
            ("head", RidgeClassifier()),
        ]
    )


GRID = {"codes1__n_clusters": [8, 16], "codes2__n_clusters": [8, 12], "embed1__n_components": [4]}


@pytest.mark.parametrize("flat", [True, False])
def test_grid_search_over_both_layers_is_the_same_for_any_n_jobs(small, pipeline, flat):
    X, y = small
    if flat:
        X = X.reshape(len(X), -1)
        pipeline.set_params(codes1__image_shape=(8, 8))
    searches = [GridSearchCV(pipeline, GRID, cv=2, n_jobs=n).fit(X, y) for n in (1, 2)]
    scores = [search.cv_results_["mean_test_score"] for search in searches]
    assert_array_equal(*scores)
    assert scores[0].min() > 0.5
    assert searches[0].best_estimator_["codes2"].n_features_in_ == 4 * 4 * 4


def test_halving_random_search_over_the_classifier(small):
    X, y = small
    search = HalvingRandomSearchCV(
        LayerwiseCNNClassifier(random_state=0).set_params(orthogonalizer__n_patches=2000),
        {"n_clusters": [8, 16], "n_components": [4, 8], "orthogonalizer__bias": [-0.25, -0.75]},
        cv=2,
        min_resources=100,
        n_jobs=2,
        random_state=0,
    ).fit(X, y)
    assert search.best_score_ > 0.7


def test_a_pipeline_with_a_cache_has_the_scores_of_one_without(small, pipeline, tmp_path):
    X, y = small
    cached = clone(pipeline).set_params(memory=str(tmp_path))
    scores = [cached.fit(X, y).decision_function(X) for _ in range(2)]
    assert_array_equal(*scores)
    assert_array_equal(scores[0], pipeline.fit(X, y).decision_function(X))


@pytest.mark.parametrize("container", ["pandas", "polars"])
def test_set_output_wraps_at_flatten(small, pipeline, container):
    X, y = small
    features = pipeline[:-1].set_output(transform=container)
    frame = features.fit_transform(X, y)
    assert type(frame).__module__.startswith(container)
    assert list(frame.columns) == [f"x{i}" for i in range(2 * 2 * 24)]
    names = features.get_feature_names_out()
    assert_array_equal(names, [f"patchkmeansorthogonalizer{i}" for i in range(2 * 2 * 24)])


def test_names_of_columns_are_kept_and_checked(small):
    X, y = small
    frame = pd.DataFrame(X.reshape(len(X), -1), columns=[f"pixel{i}" for i in range(64)])
    phi = PatchKMeansOrthogonalizer(8, 2, image_shape=(8, 8), random_state=0).fit(frame, y)
    assert_array_equal(phi.feature_names_in_, frame.columns)
    without_names = PatchKMeansOrthogonalizer(8, 2, random_state=0).fit(X)
    assert_array_equal(phi.transform(frame), without_names.transform(X))
    with pytest.raises(ValueError, match="feature names should match"):
        phi.transform(frame.rename(columns={"pixel0": "other"}))


def fitted_estimators(X, y):
    """Return (fitted estimator, data for its `transform`) for each estimator of images."""
    codes = PatchKMeansOrthogonalizer(8, 2, random_state=0).fit_transform(X)
    return [
        (Flatten().fit(X), X),
        (SphericalKMeans(4, random_state=0).fit(X.reshape(len(X), -1)), X.reshape(len(X), -1)),
        (PatchKMeansOrthogonalizer(8, 2, random_state=0).fit(X), X),
        (TwoLayerConvEmbedder(4, random_state=0).fit(codes, y), codes),
        (LayerwiseCNNClassifier(n_layers=2, n_clusters=8, random_state=0).fit(X, y), X),
    ]


def test_pickle_and_joblib_keep_fitted_estimators(small, tmp_path):
    for estimator, X in fitted_estimators(*small):
        expected = estimator.transform(X)
        assert_array_equal(pickle.loads(pickle.dumps(estimator)).transform(X), expected)
        joblib.dump(estimator, tmp_path / "model.joblib")
        assert_array_equal(joblib.load(tmp_path / "model.joblib").transform(X), expected)
    sampler = HierarchicalSampler(random_state=0).fit()
    loaded = pickle.loads(pickle.dumps(sampler))
    assert_array_equal(loaded.sample(5)[0], sampler.sample(5)[0])


def test_an_estimator_that_joblib_maps_read_only_gives_equal_results(small, tmp_path):
    X, y = small
    classifiers = make_two_embeddings(), LayerwiseCNNClassifier(n_clusters=8, head="kernel")
    estimators = [*fitted_estimators(X, y), *((clf.fit(X, y), X) for clf in classifiers)]
    for number, (estimator, X) in enumerate(estimators):
        joblib.dump(estimator, tmp_path / f"{number}.joblib")
        loaded = joblib.load(tmp_path / f"{number}.joblib", mmap_mode="r")
        for method in ("transform", "predict", "decision_function", "predict_proba"):
            if hasattr(estimator, method):
                assert_array_equal(getattr(loaded, method)(X), getattr(estimator, method)(X))
        if hasattr(estimator, "to_torch"):
            images = torch.from_numpy(X[:, None])
            outputs = [each.to_torch()(images).detach() for each in (loaded, estimator)]
            assert torch.equal(*outputs)


def make_two_embeddings():
    return LayerwiseCNNClassifier(n_clusters=8, n_components=[4, 4], head="linear", random_state=0)


def is_plain(value):
    """Return whether a value is None, an array, a number or a string, or a container of these."""
    if isinstance(value, dict):
        value = tuple(value.values())
    if isinstance(value, (tuple, list)):
        return all(map(is_plain, value))
    return isinstance(value, (np.ndarray, np.generic, str, int, float, type(None)))


def test_fitted_state_is_arrays_and_plain_values(small):
    for estimator, _ in fitted_estimators(*small)[:-1]:
        assert is_plain(vars(estimator))


def test_representations_have_the_steps_and_the_changed_parameters(pipeline):
    assert "codes1" in pipeline._repr_html_()
    assert repr(PatchKMeansOrthogonalizer(5)) == "PatchKMeansOrthogonalizer(n_clusters=5)"
    assert "LayerwiseCNNClassifier" in LayerwiseCNNClassifier()._repr_html_()


def test_callbacks_see_every_stage(small):
    X, y = small
    recorder = Recorder()
    clf = LayerwiseCNNClassifier(n_clusters=8, random_state=0).set_callbacks(recorder)
    clf.fit(X, y)
    names = [name for _, name in recorder.begun]
    assert sorted(recorder.begun) == sorted(recorder.ended)
    for task in ("layer 1", "layer 2", "run 0", "iteration", "one pass", "transform"):
        assert task in names
    assert {owner for owner, _ in recorder.begun} == {
        "LayerwiseCNNClassifier",
        "PatchKMeansOrthogonalizer",
        "RidgeHead",
        "SphericalKMeans",
        "TwoLayerConvEmbedder",
    }
    recorder = Recorder()
    clf.set_params(head="linear").set_callbacks(recorder).fit(X, y)
    assert "head" in [name for _, name in recorder.begun]


def test_a_callback_can_stop_early(small):
    X, y = small
    clf = LayerwiseCNNClassifier(n_clusters=8, random_state=0)
    clf.set_callbacks(Recorder("layer 1")).fit(X, y)
    assert len(clf.layers_) == 1
    assert clf.score(X, y) > 0.5
    km = SphericalKMeans(8, random_state=0, tol=0).set_callbacks(Recorder("iteration"))
    assert km.fit(X.reshape(len(X), -1)).n_iter_ == 1
    embedder = TwoLayerConvEmbedder(2, solver="gd", max_iter=50).set_callbacks(Recorder("step"))
    assert embedder.fit(X, y).n_iter_ == 1


def test_progress_is_drawn_by_a_callback_and_printed_if_verbose(small, capsys, monkeypatch):
    X, y = small
    monkeypatch.setattr(_fitting, "_SECONDS_BETWEEN_LINES", 0)
    LayerwiseCNNClassifier(n_clusters=8, random_state=0).set_callbacks(ProgressBar()).fit(X, y)
    assert "LayerwiseCNNClassifier" in capsys.readouterr().out
    LayerwiseCNNClassifier(n_clusters=8, random_state=0, verbose=2).fit(X, y)
    printed = capsys.readouterr().out
    for text in ("patches of shape (3, 3, 1)", "iteration 1: inertia", "samples, 0 s left"):
        assert text in printed


def test_the_seconds_of_stages_are_within_the_total(small, capsys):
    X, y = small
    LayerwiseCNNClassifier(n_clusters=8, mirror=True, random_state=0, verbose=2).fit(X, y)
    line = r"^\[LayerwiseCNNClassifier\] (.*): done in ([\d.]+) s"
    times = re.findall(line, capsys.readouterr().out, flags=re.MULTILINE)
    layer_1 = ["orthogonalizer", "embedder", "transform", "layer 1 of 2"]
    layer_2 = ["orthogonalizer", "layer 2 of 2"]
    rest = ["features", "features of mirror images", "head", "fit"]
    names, seconds = zip(*times)
    assert [*names] == [*layer_1, *layer_2, *rest]
    seconds, rounding = [float(value) for value in seconds], 0.05 * len(times)
    assert sum(seconds[:3]) <= seconds[3] + rounding
    assert seconds[3] + sum(seconds[5:9]) <= seconds[9] + rounding
    LayerwiseCNNClassifier(n_clusters=8, random_state=0, verbose=1).fit(X, y)
    times = re.findall(line, capsys.readouterr().out, flags=re.MULTILINE)
    assert [name for name, _ in times] == [
        "layer 1 of 2",
        "layer 2 of 2",
        "features",
        "head",
        "fit",
    ]
