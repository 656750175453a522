"""Models of unknown origin in files of skops: trust in the types of skhier is enough, and safe."""

import io
import json
import re
import zipfile
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
import skops.io
from numpy.testing import assert_array_equal
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skops.io._protocol import PROTOCOL
from skops.io.exceptions import UntrustedTypesFoundException

from skhier import (
    Flatten,
    HierarchicalSampler,
    KernelRidgeHead,
    LayerwiseCNNClassifier,
    PatchKMeansOrthogonalizer,
    RidgeHead,
    SphericalKMeans,
    TwoLayerConvEmbedder,
)
from skhier.datasets import make_varying_tree_hierarchy

TYPES = {
    "skhier._flatten.Flatten",
    "skhier.classifier._blocks.Block",
    "skhier.classifier._kernel_head.KernelRidgeHead",
    "skhier.classifier._layerwise.LayerwiseCNNClassifier",
    "skhier.classifier._ridge_head.RidgeHead",
    "skhier.clustering._orthogonalizer.PatchKMeansOrthogonalizer",
    "skhier.clustering._spherical_kmeans.SphericalKMeans",
    "skhier.embedding._embedder.TwoLayerConvEmbedder",
    "skhier.generative._alias.AliasTable",
    "skhier.generative._channels.Identity",
    "skhier.generative._channels.MatrixChannel",
    "skhier.generative._channels.UniformNoise",
    "skhier.generative._grammar.GrammarSampler",
    "skhier.generative._grammar_model.Grammar",
    "skhier.generative._grammar_rules.GrammarRules",
    "skhier.generative._grammar_rules.Prefix",
    "skhier.generative._model.HierarchicalModel",
    "skhier.generative._product_rules.ProductRules",
    "skhier.generative._root.RootDistribution",
    "skhier.generative._rules.Rules",
    "skhier.generative._sampler.HierarchicalSampler",
}


def test_the_user_guide_names_all_types_to_trust():
    guide = Path(__file__).parents[2] / "doc" / "user_guide" / "exporting.rst"
    assert set(re.findall(r"skhier\.[\w.]+\.[A-Z]\w+", guide.read_text())) == TYPES


def cnn(**params):
    """Return a small classifier with other parameters."""
    return LayerwiseCNNClassifier(**{"n_clusters": 4, "random_state": 0, **params})


@pytest.mark.parametrize(
    "model",
    [
        cnn(),
        cnn(head=make_pipeline(StandardScaler(), LogisticRegression(max_iter=5000, tol=0.01))),
        cnn(
            n_components=[8, None],
            orthogonalizer=[
                PatchKMeansOrthogonalizer(kmeans=SphericalKMeans(), encoding="one_hot"),
                PatchKMeansOrthogonalizer(bias=-0.1),
            ],
            embedder=TwoLayerConvEmbedder(solver="adam", max_iter=2, early_stopping=True),
            mirror=True,
            memory_limit="500MB",
        ),
        cnn(head=KernelRidgeHead(n_centers=50)),
        cnn(random_state=np.random.RandomState(0)),
        make_pipeline(
            PatchKMeansOrthogonalizer(n_clusters=4), TwoLayerConvEmbedder(), Flatten(), RidgeHead()
        ),
    ],
    ids=["default", "pipeline head", "parts", "kernel", "RandomState", "pipeline"],
)
def test_skops_keeps_classifiers_and_asks_for_trust_in_types_of_skhier_only(model, digits):
    X, X_test, y, _ = digits
    names = np.array([f"digit {i}" for i in range(10)])
    data = skops.io.dumps(model.fit(X[:200], names[y[:200]]))
    trusted = skops.io.get_untrusted_types(data=data)
    assert set(trusted) <= TYPES
    loaded = skops.io.loads(data, trusted=trusted)
    assert_array_equal(loaded.decision_function(X_test), model.decision_function(X_test))
    assert_array_equal(loaded.predict(X_test), model.predict(X_test))


def test_skops_keeps_the_exported_network(digits):
    X, _, y, _ = digits
    clf = cnn(n_layers=1).fit(X[:200], y[:200])
    loaded = skops.io.loads(skops.io.dumps(clf), trusted=sorted(TYPES))
    for expected, found in zip(clf.to_torch().parameters(), loaded.to_torch().parameters()):
        assert_array_equal(found.detach(), expected.detach())


@pytest.mark.parametrize("params", [{}, {"root": "label", "pixel_noise": 0.1, "n_labels": 3}])
def test_skops_keeps_samplers(params):
    sampler = HierarchicalSampler(random_state=0, **params).fit()
    data = skops.io.dumps(sampler)
    trusted = skops.io.get_untrusted_types(data=data)
    assert set(trusted) <= TYPES
    loaded = skops.io.loads(data, trusted=trusted)
    X, y = sampler.sample(50)
    for expected, found in zip((X, y), loaded.sample(50)):
        assert_array_equal(found, expected)
    assert_array_equal(loaded.score_samples(X), sampler.score_samples(X))


def test_skops_keeps_samplers_of_grammars():
    sampler = make_varying_tree_hierarchy(1, return_X_y=False, random_state=0).sampler
    data = skops.io.dumps(sampler)
    trusted = skops.io.get_untrusted_types(data=data)
    assert set(trusted) <= TYPES
    strings, _ = sampler.sample(20)
    found = skops.io.loads(data, trusted=trusted).score_samples(strings)
    assert_array_equal(found, sampler.score_samples(strings))


class Foreign:
    """Type outside of skhier, whose loading runs code."""

    def __setstate__(self, state):
        raise AssertionError("foreign code was run")


def test_a_foreign_type_in_a_model_is_refused(digits):
    X, _, y, _ = digits
    clf = cnn(n_layers=1).fit(X[:200], y[:200])
    clf.head_.extra_ = Foreign()
    clf.head_.extra_.value = 1
    data = skops.io.dumps(clf)
    with pytest.raises(UntrustedTypesFoundException, match=r"test_skops\.Foreign"):
        skops.io.loads(data, trusted=sorted(TYPES))


def crafted(module, name, *arguments):
    """Return a skops file that calls a function of a module with strings as arguments."""

    def node(number, module, name, loader, content):
        names = {"__module__": module, "__class__": name, "__loader__": loader}
        return {**names, "__id__": number, "content": content}

    strings = [
        node(i, "builtins", "str", "JsonNode", json.dumps(s)) for i, s in enumerate(arguments, 3)
    ]
    call = node(
        1,
        module,
        name,
        "ConstructorFromReduceNode",
        node(2, "builtins", "tuple", "TupleNode", strings),
    )
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        schema = {**call, "protocol": PROTOCOL, "_skops_version": skops.__version__}
        archive.writestr("schema.json", json.dumps(schema))
    return file.getvalue()


# The last two are functions of skhier: trust in all names of skhier would run them.
@pytest.mark.parametrize(
    "function",
    ["os.system", "builtins.eval", "skhier._main.main", "skhier.datasets._openml.fetch_openml"],
)
def test_a_crafted_file_that_calls_a_function_is_refused(function):
    module, name = function.rsplit(".", 1)
    data = crafted(module, name, "argument")
    with patch(function, side_effect=AssertionError("it was run")) as called:
        assert skops.io.get_untrusted_types(data=data) == [function]
        with pytest.raises(UntrustedTypesFoundException, match=name):
            skops.io.loads(data, trusted=sorted(TYPES))
        assert not called.called
        with pytest.raises(AssertionError, match="it was run"):
            skops.io.loads(data, trusted=[function])  # the file is effective
