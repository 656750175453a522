"""Parts as parameters: how they are passed, set, searched and displayed."""

import re
from inspect import signature

import optuna
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline

from skhier import (
    Flatten,
    LayerwiseCNNClassifier,
    PatchKMeansOrthogonalizer,
    RidgeHead,
    SphericalKMeans,
    TwoLayerConvEmbedder,
)

FORMS = {
    "none": {},
    "one for all": {"orthogonalizer": PatchKMeansOrthogonalizer(bias=-1.0)},
    "one for each": {
        "orthogonalizer": [
            PatchKMeansOrthogonalizer(kmeans=KMeans(n_init=2)),
            PatchKMeansOrthogonalizer(bias=-0.1),
        ],
        "embedder": (TwoLayerConvEmbedder(init_scale=0.5), None),
        "head": LogisticRegression(max_iter=2000),
    },
}
forms = pytest.mark.parametrize("params", FORMS.values(), ids=FORMS)


@pytest.fixture
def few(digits):
    return digits[0][:200], digits[2][:200]


def text(params):
    """Return parameters with the representation of each value, which can be compared."""
    return {name: repr(value) for name, value in params.items()}


def test_there_are_few_parameters():
    assert len(signature(LayerwiseCNNClassifier).parameters) <= 17


@forms
def test_parameters_survive_clone_and_set_params(few, params):
    clf = LayerwiseCNNClassifier(n_clusters=8, random_state=0, **params)
    assert text(clone(clf).get_params()) == text(clf.get_params())
    scores = clf.fit(*few).transform(few[0])
    other = LayerwiseCNNClassifier().set_params(**clone(clf).get_params())
    assert_array_equal(other.fit(*few).transform(few[0]), scores)
    assert other.get_params().keys() == clf.get_params().keys()


def test_nested_parameters_reach_the_default_parts(few):
    clf = LayerwiseCNNClassifier(n_layers=2, n_clusters=8, random_state=0)
    names = ["orthogonalizer__bias", "orthogonalizer__kmeans__n_init", "embedder__solver"]
    assert {*names, "head__alpha"} <= clf.get_params().keys()
    clf.set_params(orthogonalizer__bias=-1.0, orthogonalizer__kmeans__n_init=2, head__alpha=2.0)
    assert clf.orthogonalizer.bias == -1
    assert clf.orthogonalizer.kmeans.get_params() == (
        SphericalKMeans(max_iter=25, tol=1e-3, n_init=2).get_params()
    )
    assert clf.embedder is None
    clf.fit(*few)
    assert [layer.orthogonalizer.bias for layer in clf.layers_] == [-1, -1]
    assert clf.head_.alpha == 2


def test_nested_parameters_reach_each_part_of_a_sequence():
    first, second = PatchKMeansOrthogonalizer(), PatchKMeansOrthogonalizer()
    clf = LayerwiseCNNClassifier(orthogonalizer=(first, second))
    clf.set_params(orthogonalizer1__bias=-1.0)
    assert (first.bias, second.bias) == (-1.0, -0.5)
    other = PatchKMeansOrthogonalizer()
    clf.set_params(orthogonalizer2=other, orthogonalizer2__bias=-2.0)
    assert clf.orthogonalizer == [first, other]
    assert (other.bias, second.bias) == (-2.0, -0.5)
    # A new sequence is set before nested parameters, in any order of arguments.
    clf.set_params(orthogonalizer1__bias=0.0, orthogonalizer=[second, first])
    assert (first.bias, second.bias) == (-1.0, 0.0)


@pytest.mark.parametrize(
    "params",
    [
        {"bias": 1.0},
        {"orthogonalizer__colour": 1},
        {"orthogonalizer3__bias": 1.0},
        {"head1__alpha": 1.0},
        {"orthogonalizer__kmeans1__tol": 1.0},
        {"head": GaussianNB(), "head__alpha": 1.0},
    ],
)
def test_unknown_parameters_are_refused_and_change_nothing(params):
    clf = LayerwiseCNNClassifier()
    with pytest.raises(ValueError, match="Invalid parameter"):
        clf.set_params(**params)
    assert clf.get_params(deep=False) == LayerwiseCNNClassifier().get_params(deep=False)


@pytest.mark.parametrize(
    ("params", "hint"),
    [
        ({"bias": 1.0}, "set orthogonalizer__bias"),
        ({"alpha": 1.0}, "set head__alpha"),
        ({"n_init": 2}, "set orthogonalizer__kmeans__n_init"),
        ({"solver": "svd", "embedder": [None, None]}, "set embedder1__solver or embedder2__solver"),
    ],
)
def test_a_parameter_of_a_part_is_named_in_full(params, hint):
    with pytest.raises(ValueError, match=hint):
        LayerwiseCNNClassifier().set_params(**params)


def test_parameters_of_the_classifier_are_passed_by_name():
    with pytest.raises(TypeError, match="positional"):
        LayerwiseCNNClassifier(100)


def test_default_parts_give_the_scores_of_no_parts(few):
    X, y = few
    expected = LayerwiseCNNClassifier(random_state=0).fit(X, y)
    parts = {"orthogonalizer": PatchKMeansOrthogonalizer(), "embedder": TwoLayerConvEmbedder()}
    given = LayerwiseCNNClassifier(head=RidgeHead(power=0.5), random_state=0, **parts).fit(X, y)
    assert_array_equal(given.decision_function(X), expected.decision_function(X))
    # So does a pipeline of parts with the seeds of the classifier. Only the pooling of the last
    # layer is not the default of its class.
    seed = expected.layers_[1].orthogonalizer.random_state
    pipeline = make_pipeline(
        PatchKMeansOrthogonalizer(random_state=expected.layers_[0].orthogonalizer.random_state),
        TwoLayerConvEmbedder(random_state=expected.layers_[0].embedder.random_state),
        PatchKMeansOrthogonalizer(pool_size="thirds", random_state=seed),
        Flatten(),
        RidgeHead(power=0.5),
    )
    scores = pipeline.fit(X, y).decision_function(X)
    assert_allclose(scores, expected.decision_function(X), atol=1e-6)


def test_a_fit_clones_the_parts(few):
    X, y = few
    phi, embedder = PatchKMeansOrthogonalizer(), TwoLayerConvEmbedder()
    before = dict(vars(phi)), dict(vars(embedder))
    clf = LayerwiseCNNClassifier(n_clusters=8, orthogonalizer=phi, embedder=embedder)
    clf.fit(X, y)
    assert before == (vars(phi), vars(embedder))


def test_all_layers_but_the_last_are_embedded_unless_a_sequence_says_otherwise(few):
    X, y = few
    for params, widths in [
        ({}, [64, None]),
        ({"n_components": 4}, [4, None]),
        ({"n_components": [4, 5]}, [4, 5]),
        ({"n_components": [None, 5]}, [64, 5]),
        ({"n_components": [4, None]}, [4, None]),
        ({"embedder": TwoLayerConvEmbedder(6)}, [6, None]),
        ({"embedder": [TwoLayerConvEmbedder(6), None]}, [6, None]),
        ({"embedder": [None, TwoLayerConvEmbedder(6)]}, [64, 6]),
        ({"embedder": [None, TwoLayerConvEmbedder()], "n_components": [None, 5]}, [64, 5]),
    ]:
        clf = LayerwiseCNNClassifier(n_layers=2, n_clusters=8, random_state=0, **params).fit(X, y)
        embedders = [block.embedder for block in clf.layers_]
        assert [embedder and embedder.n_components for embedder in embedders] == widths


def test_a_part_with_a_seed_keeps_it(few):
    phi = PatchKMeansOrthogonalizer(random_state=7)
    clf = LayerwiseCNNClassifier(n_clusters=8, orthogonalizer=[phi, None], random_state=0)
    seeds = [block.orthogonalizer.random_state for block in clf.fit(*few).layers_]
    default = LayerwiseCNNClassifier(n_layers=2, n_clusters=8, random_state=0).fit(*few).layers_
    assert seeds == [7, default[1].orthogonalizer.random_state]


@pytest.mark.parametrize(
    ("params", "message"),
    [
        (
            {"n_clusters": 8, "orthogonalizer__n_clusters": 9},
            r"n_clusters is given twice, n_clusters=8 by LayerwiseCNNClassifier and n_clusters=9 "
            r"by orthogonalizer=PatchKMeansOrthogonalizer\(n_clusters=9\): drop the one in "
            "orthogonalizer",
        ),
        ({"patch_size": 3, "orthogonalizer__patch_size": 4}, "patch_size is given twice"),
        ({"pool_size": [2, 2], "orthogonalizer__pool_size": 3}, "pool_size is given twice"),
        ({"n_components": 8, "embedder__n_components": 9}, "n_components is given twice"),
        ({"device": "cpu", "embedder__device": "cpu"}, "device is given twice"),
        ({"embedder__device": "cpu"}, "device='cpu' is given by embedder.* but LayerwiseCNNCl"),
        (
            {"orthogonalizer__precision": "float32"},
            "but LayerwiseCNNClassifier decides: give it to LayerwiseCNNClassifier, and drop the",
        ),
        ({"orthogonalizer__image_shape": (8, 8)}, r"image_shape=\(8, 8\) is given by orthogonali"),
        (
            {"image_shape": (8, 8), "orthogonalizer__image_shape": (8, 8)},
            r"image_shape is given twice, image_shape=\(8, 8\) by Layer",
        ),
        ({"orthogonalizer__kmeans__n_clusters": 9}, "n_clusters=9 is given by kmeans"),
        ({"orthogonalizer": PatchKMeansOrthogonalizer}, "it takes a PatchKMeansOrthogonalizer"),
        ({"orthogonalizer": "cosine"}, "orthogonalizer='cosine' is not valid: it takes a"),
        ({"embedder": PatchKMeansOrthogonalizer()}, "it takes a TwoLayerConvEmbedder"),
        ({"embedder": [None], "n_layers": 2}, "embedder=.* has 1 entries, but n_layers=2"),
    ],
)
def test_parameters_given_twice_and_values_that_are_no_part_are_refused(few, params, message):
    clf = LayerwiseCNNClassifier().set_params(**params)
    assert set(params) <= clf.get_params().keys()
    with pytest.raises(ValueError, match=message):
        clf.fit(*few)


def test_a_grid_search_over_default_parts_leaves_them_unset(few):
    grid = {"embedder__n_components": [1, 16], "head__alpha": [0.3]}
    search = GridSearchCV(
        LayerwiseCNNClassifier(n_layers=2, n_clusters=12, random_state=0), grid, cv=2
    )
    search.fit(*few)
    assert search.best_params_.keys() == grid.keys()
    best = search.best_estimator_.layers_[0].embedder
    assert best.n_components == search.best_params_["embedder__n_components"]
    assert search.estimator.embedder is None


def test_a_search_of_optuna_sets_nested_parameters(few):
    def objective(trial):
        phi, width = PatchKMeansOrthogonalizer(), trial.suggest_int("width", 1, 16)
        clf = LayerwiseCNNClassifier(n_clusters=12, orthogonalizer=[phi, phi], random_state=0)
        clf.set_params(
            embedder__n_components=width,
            orthogonalizer2__pool_size=trial.suggest_categorical("pool_size", [2]),
        )
        return cross_val_score(clf, *few, cv=2).mean()

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    sampler = optuna.samplers.GridSampler({"width": [1, 16], "pool_size": [2]})
    study = optuna.create_study(direction="maximize", sampler=sampler)
    study.optimize(objective, n_trials=2)
    assert len({trial.value for trial in study.trials}) == 2  # each width has its own score


@pytest.mark.parametrize("fit", [False, True])
def test_html_shows_the_parts_as_boxes_in_their_order(few, fit):
    phi = [PatchKMeansOrthogonalizer(), PatchKMeansOrthogonalizer(kmeans=KMeans())]
    clf = LayerwiseCNNClassifier(n_clusters=8, orthogonalizer=phi)
    html = (clf.fit(*few) if fit else clf)._repr_html_()
    boxes = re.findall(r"<label[^>]*><div><div>([\w: ]+)</div>", html)
    assert boxes == [
        "LayerwiseCNNClassifier",
        "PatchKMeansOrthogonalizer",
        "TwoLayerConvEmbedder",
        "orthogonalizer2: PatchKMeansOrthogonalizer",
        "kmeans: KMeans",
        "KMeans",
        "RidgeHead",
    ]
    # Parameters are copied from the boxes under the names that set_params takes.
    prefixes = set(re.findall(r'data-param-prefix="(\w*)__"', html))
    names = {name.rpartition("__")[0] for name in clf.get_params()} - {""}
    assert {"orthogonalizer2__kmeans", "embedder"} <= prefixes <= names
    assert LayerwiseCNNClassifier(n_layers="x")._repr_html_()  # `fit` refuses it, not the display
