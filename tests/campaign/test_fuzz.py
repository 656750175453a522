"""Odd input for everything public: it is refused by an error that names it, or computed.

No call changes its arguments or global state, leaves a file behind, or gives a warning that no
docstring documents.
"""

import inspect
import re
import tempfile
from pathlib import Path

import dask
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from _calls import Subject, arguments, assert_no_nan, call
from _estimators import (
    MAPS_IMAGES,
    NEEDS_LABELS,
    READS_IMAGES,
    TAKES_GROUPS,
    TAKES_ROWS,
    TAKES_WEIGHTS,
    USES_WITHOUT_DATA,
    fitted_samplers,
    methods,
    subject,
)
from _functions import GENERATORS, LOADERS, THEORY, displays
from _inputs import EXTREME, MODERATE, groups, images, labels, n_images, weights, wrong_images
from _odd import odd_values
from _unchanged import unchanged
from hypothesis import given
from hypothesis import strategies as st
from sklearn.exceptions import NotFittedError

import skhier

pytestmark = pytest.mark.filterwarnings("ignore:the matrix subclass")
ESTIMATORS = [getattr(skhier, name) for name in skhier.__all__]


@pytest.fixture(autouse=True, scope="module")
def own_folders(tmp_path_factory):
    """Provide an empty working directory and an empty folder for temporary files."""
    torch.optim.SGD([torch.zeros(1)])  # the first optimizer changes global state
    with dask.config.set(scheduler="synchronous"), pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("cwd"))
        patch.setattr(tempfile, "tempdir", str(tmp_path_factory.mktemp("tmp")))
        yield


@st.composite
def training_sets(draw, estimator_class, odd):
    """Draw the arguments of `fit`; the ones named in `odd` are wrong."""
    is_rows = estimator_class in TAKES_ROWS
    if "X" in odd:
        X = draw(wrong_images())
    else:
        shape = (1, 1, draw(st.integers(1, 4))) if is_rows else None
        kinds = draw(st.sampled_from([MODERATE, MODERATE, MODERATE, EXTREME]))
        X = draw(images(shape, kinds=kinds, is_flat=is_rows))
    if estimator_class is skhier.HierarchicalSampler and draw(st.booleans()):
        return {}
    training_set = {"X": X}
    if estimator_class in (*NEEDS_LABELS, skhier.HierarchicalSampler):
        training_set["y"] = draw(labels(n_images(X), wrong="y" in odd))
    is_odd = "sample_weight" in odd
    if estimator_class in TAKES_WEIGHTS and (is_odd or draw(st.booleans())):
        training_set["sample_weight"] = draw(weights(n_images(X), wrong=is_odd))
    is_odd = "groups" in odd
    if estimator_class in TAKES_GROUPS and (is_odd or draw(st.booleans())):
        training_set["groups"] = draw(groups(n_images(X), wrong=is_odd))
    return training_set


@pytest.mark.parametrize("estimator_class", ESTIMATORS)
@given(data=st.data())
def test_estimators_name_wrong_input_or_compute(estimator_class, data):
    params, _ = data.draw(arguments(subject(estimator_class)), "params")
    odd_data = data.draw(
        st.sampled_from([set(), set(), set(), {"X"}, {"y"}, {"sample_weight"}, {"groups"}])
    )
    training_set = data.draw(training_sets(estimator_class, odd_data), "training set")
    names = {*subject(estimator_class).table, "X", "y", "sample_weight", "groups"}
    if estimator_class is skhier.HierarchicalSampler and params.get("random_state") is None:
        params["random_state"] = 0  # whether rules exist must not depend on chance
    with unchanged(params):
        estimator = estimator_class(**params)
    for method in data.draw(st.sets(st.sampled_from(READS_IMAGES), max_size=1)):
        if hasattr(estimator, method):
            refused = call(getattr(estimator, method), training_set, names, (NotFittedError,))
            assert isinstance(refused, Exception) or method == "transform"
    before = dict(vars(estimator))
    result = call(estimator.fit, training_set, names, others=params)
    if isinstance(result, Exception):
        assert vars(estimator).keys() == before.keys()
        assert all(vars(estimator)[name] is value for name, value in before.items())
        return
    assert result is estimator
    assert not ("groups" in odd_data and "groups" in training_set)
    assert params.keys() <= vars(estimator).keys()
    for _ in range(data.draw(st.integers(0, 4), "n uses")):
        use(data, estimator, training_set, names)


def computed(method):
    """Return a method whose result is in memory: it is lazy for an array of Dask."""

    def compute(**args):
        return dask.compute(method(**args))[0]

    return compute


def use(data, estimator, training_set, names):
    """Use a fitted estimator once."""
    fitted = vars(estimator)
    reads = [method for method in READS_IMAGES if hasattr(estimator, method)]
    name = data.draw(
        st.sampled_from([*reads, *reads, "score", *USES_WITHOUT_DATA, "set device"]), "use"
    )
    if name in reads or name == "score":
        is_trained_on = data.draw(st.booleans())
        if is_trained_on:
            X = training_set.get("X")
        elif data.draw(st.booleans()):
            X = data.draw(wrong_images())
        else:
            shape = getattr(estimator, "image_shape_", None) or (1, 1, estimator.n_features_in_)
            X = data.draw(images(shape, is_flat=type(estimator) in TAKES_ROWS))
        if X is None or not hasattr(estimator, name):
            return
        args = {"X": X}
        if name == "score" and type(estimator) in NEEDS_LABELS:
            args["y"] = data.draw(labels(n_images(X)))
        if name == "score" and type(estimator) is skhier.SphericalKMeans:
            args["sample_weight"] = data.draw(weights(n_images(X), wrong=data.draw(st.booleans())))
        result = call(computed(getattr(estimator, name)), args, names, others=fitted)
        must_work = is_trained_on and name in MAPS_IMAGES
        if isinstance(result, Exception):
            # Other images may have another unit, and the device may be odd.
            assert not must_work or re.search("must have their unit|device=", str(result))
            return
        assert_no_nan(result, allow_infinite=not must_work)
        if name == "predict_proba":
            assert (result >= 0).all()
            np.testing.assert_allclose(result.sum(axis=1), 1, atol=1e-5)
    elif name == "set device":
        if hasattr(estimator, "device"):
            estimator.set_params(device=data.draw(odd_values))
    elif hasattr(estimator, name) or name in ("clone", "pickle", "deepcopy", "repr"):
        call(
            lambda: USES_WITHOUT_DATA[name](estimator),
            {},
            {*names, "head", "encoding"},
            others=fitted,
        )


@given(data=st.data())
def test_methods_of_a_sampler_name_wrong_input_or_compute(data):
    sampler = data.draw(st.sampled_from(fitted_samplers()), "sampler")
    method = data.draw(st.sampled_from(list(methods(sampler).items())), "method")[1]
    args, _ = data.draw(arguments(method), "arguments")
    result = call(method.function, args, set(method.table), others=vars(sampler))
    if not isinstance(result, Exception):
        assert_no_nan(result)


@pytest.mark.parametrize("function", THEORY, ids=lambda function: function.__name__)
@given(data=st.data())
def test_theory_names_wrong_arguments_or_computes(function, data):
    parameters = inspect.signature(function).parameters.values()
    required = tuple(p.name for p in parameters if p.default is p.empty)
    subject = Subject(function, THEORY[function], required)
    args, _ = data.draw(arguments(subject), "arguments")
    result = call(function, args, set(subject.table), (NotFittedError,))
    if not isinstance(result, Exception):
        assert_no_nan(result)


@pytest.mark.parametrize("function", GENERATORS, ids=lambda function: function.__name__)
@given(data=st.data())
def test_generators_of_datasets_name_wrong_arguments_or_compute(function, data):
    args, _ = data.draw(arguments(Subject(function, GENERATORS[function])), "arguments")
    call(function, args, set(GENERATORS[function]), (MemoryError,))  # images may be huge


@pytest.mark.parametrize("function", LOADERS, ids=lambda function: function.__name__)
@given(data=st.data())
def test_loaders_of_datasets_name_the_path_that_they_cannot_read(function, data):
    table = LOADERS[function]
    args, _ = data.draw(arguments(Subject(function, table, tuple(table))), "arguments")
    files = [str(Path(value)) for value in args.values() if isinstance(value, str | Path)]
    call(function, args, {*table, *map(repr, files), *files}, (OSError,))


@given(data=st.data())
def test_displays_name_wrong_arguments_and_leave_no_figure_open(data):
    subjects = displays()
    subject = subjects[data.draw(st.sampled_from(list(subjects)), "display")]
    args, _ = data.draw(arguments(subject), "arguments")
    n_figures = len(plt.get_fignums())
    result = call(subject.function, args, set(subject.table), (NotFittedError,))
    assert len(plt.get_fignums()) == n_figures or not isinstance(result, Exception)
    plt.close("all")
