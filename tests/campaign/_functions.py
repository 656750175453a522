"""Functions of theory and datasets, and displays, with strategies for their arguments."""

import tempfile
from functools import cache
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from _calls import Subject
from _estimators import booleans, fitted_samplers, random_states
from _inputs import images, wrong_images
from _odd import built_by, counts, reals, seeds
from hypothesis import strategies as st

from skhier import (
    HierarchicalSampler,
    LayerwiseCNNClassifier,
    PatchKMeansOrthogonalizer,
    TwoLayerConvEmbedder,
    datasets,
    plotting,
    theory,
)

bounds = st.sampled_from(["exact", "paper"])
positive = reals(0.05, 0.5, 1.0, 20.0) | counts(1, 40)
deltas = reals(0.05, 0.5, 1e-6)
none_or_positive = st.none() | positive


def _embedded(n_classes=2):
    return seeds.map(lambda seed: np.random.default_rng(seed).normal(size=(2 * n_classes, 3)))


@cache
def learned():
    """Return (sampler, its images, classifier, embedder of level 1, orthogonalizer)."""
    sampler = HierarchicalSampler(patch_size=2, patches_per_class=2, random_state=0).fit()
    X, y = sampler.sample(400)
    classifier = LayerwiseCNNClassifier.algorithm_1(8, patch_size=2, random_state=0).fit(X, y)
    embedder = TwoLayerConvEmbedder(5, scale_channels=False, max_iter=100)
    embedder.fit_population(sampler.code_moments(1), sampler.classes_)
    colored = np.random.default_rng(0).random((20, 6, 6, 3))
    codes = PatchKMeansOrthogonalizer(6, 2, random_state=0).fit(colored)
    return sampler, X[:50], classifier, embedder, codes


def _confusion(seed):
    """Return probabilities of four codes given each of four patches."""
    return np.random.default_rng(seed).dirichlet(np.ones(4), size=4)


def _learned(i):
    return st.builds(lambda: learned()[i])


any_sampler = st.sampled_from(range(5)).map(lambda i: fitted_samplers()[i]) | _learned(0)


THEORY = {
    theory.lemma1_margin: {"separator_norm": positive, "k": counts(1, 40)},
    theory.perceptron_iterations: {
        "separator_norm": positive,
        "k": counts(1, 40),
        "n_positions": counts(1, 40),
        "n_labels": counts(2, 40),
    },
    theory.lemma5_probability: {"theta": reals(0.0, 0.1, 1.0, np.pi, 1e-9), "bound": bounds},
    theory.lemma7_success_probability: {
        "n_clusters": counts(1, 40),
        "separation": positive,
        "diameter": positive,
        "size_ratio": reals(1.0, 4.0, 1e6),
        "n_trials": counts(1, 9),
    },
    theory.lemma7_separation: {
        "n_clusters": counts(1, 40),
        "delta": deltas,
        "diameter": positive,
        "size_ratio": reals(1.0, 4.0, 1e6),
        "n_trials": counts(1, 9),
        "bound": bounds,
    },
    theory.theorem1_params: {
        "k": counts(1, 40),
        "n_classes": counts(2, 40),
        "delta": deltas,
        "sigma": positive | st.just(0),
        "gamma": positive,
        "learning_rate": positive,
        "n_components": st.none() | counts(1, 100),
        "delta_min": positive,
        "theta": positive,
        "lambda_": positive,
        "bound": bounds,
    },
    theory.theorem1_failure_probability: {
        "max_iter": counts(0, 99) | st.just([1, 1000]) | st.just(np.array([[5], [7]], "u2")),
        "k": counts(1, 40),
        "distances": st.sampled_from([[0.3], (0.1, 0.2), np.array([1e-3, 2, 0], "f4"), [0]]),
        "n_components": counts(1, 40),
        "learning_rate": positive,
        "sigma": positive | st.just(0),
        "gamma": positive,
    },
    theory.theorem3_params: {
        "k": counts(1, 40),
        "n_classes": counts(2, 40),
        "n_positions": counts(1, 40),
        "delta": deltas,
        "sigma": positive,
        "gamma": positive,
        "n_components": st.none() | counts(1, 40),
        "delta_min": positive,
        "theta": positive,
        "lambda_": positive,
        "bound": bounds,
    },
    theory.theorem2_params: {
        "sampler": any_sampler,
        "delta": deltas,
        "learning_rate": positive,
        "n_components": st.none() | counts(1, 40),
        "bound": bounds,
    },
    theory.required_samples: {
        "sampler": any_sampler,
        "delta": deltas,
        "method": st.sampled_from(["rigorous", "certificate", "cluster", "snr"]),
        "level": st.none() | counts(0, 2),
        "context": st.none() | st.sampled_from([(0, 1), (-1, 0)]),
    },
    theory.necessary_samples: {
        "sampler": any_sampler,
        "delta": deltas,
        "method": st.sampled_from(["coverage", "pixels", "pairs", "gaussian"]),
        "level": st.none() | counts(0, 2),
        "context": st.none() | st.sampled_from([(0, 1), (-1, 0)]),
    },
    theory.embedding_moments: {
        "sampler": any_sampler,
        "level": counts(0, 2),
        "n_samples": counts(1, 100),
    },
    theory.coverage_probability: {
        "sampler": any_sampler,
        "level": counts(0, 2),
        "n_samples": counts(1, 100),
    },
    theory.rhm_sample_complexity: {
        "n_classes": counts(1, 40),
        "vocabulary_size": counts(2, 40),
        "n_synonyms": counts(1, 40),
        "tuple_size": counts(1, 40),
        "depth": counts(1, 40),
    },
    **{
        function: {
            "n_classes": counts(1, 40),
            "vocabulary_size": counts(2, 40),
            "n_synonyms": counts(1, 40),
            "tuple_size": counts(1, 40),
            "depth": counts(1, 40),
            "level": counts(1, 40),
            "formula": st.sampled_from(["finite", "paper"]),
        }
        for function in (theory.rhm_correlation, theory.rhm_level_samples)
    },
    theory.zipf_learning_exponent: {"exponent": positive},
    theory.theorem2_runtime: {
        "n_levels": counts(1, 40),
        "n_classes": counts(1, 40),
        "k": counts(1, 40),
        "max_iter": counts(1, 100),
        "separator_norm": positive,
        "n_positions": counts(1, 40),
    },
    theory.class_distances: {"embedded": _embedded(), "n_classes": counts(1, 4)},
    theory.certify_embedder: {
        "sampler": _learned(0),
        "embedder": _learned(3),
        "level": counts(0, 1),
        "sigma": positive,
        "gamma": positive,
    },
    theory.certify_clusters: {
        "sampler": _learned(0),
        "labels": seeds.map(lambda seed: np.random.default_rng(seed).integers(3, size=(50, 6, 6))),
        "X": _learned(1) | wrong_images(),
        "level": counts(0, 1),
    },
    theory.certify_classifier: {
        "classifier": _learned(2),
        "X": _learned(1) | images((12, 12, 1)),
        "y": seeds.map(lambda seed: np.random.default_rng(seed).integers(2, size=50)),
        "delta": deltas,
        "n_groups": st.none() | counts(1, 8),
        "sampler": st.none() | _learned(0),
        "sigma": none_or_positive,
        "gamma": none_or_positive,
        "equally_likely": booleans,
        "confusion": st.none() | st.just([None, None]),
    },
    theory.separate_codes: {
        "counts": seeds.map(lambda seed: np.random.default_rng(seed).integers(9, size=(4, 2, 3))),
        "delta": deltas,
        "n_groups": st.none() | counts(1, 4),
        "anytime": booleans,
        "equally_likely": booleans,
        "confusion": st.none() | seeds.map(_confusion),
    },
    theory.code_confusion: {"sampler": any_sampler, "level": counts(0, 2)},
    theory.code_counts: {
        "codes": seeds.map(lambda seed: np.random.default_rng(seed).integers(3, size=(5, 2, 3))),
        "y": st.none() | st.just([0, 1, 1, 0, 1]),
        "n_codes": st.none() | counts(3, 5),
        "classes": st.none() | st.just([0, 1]),
        "context": st.sampled_from([None, (0, 1), (1, 0), (-1, 2)]),
    },
}


def paths():
    """Return a strategy of paths of nothing, of an empty folder and of a file of a wrong kind."""
    nowhere = st.sampled_from(["nowhere", "no.npz", "no\0where", "a/b/c", "x" * 300, ""])
    return nowhere | nowhere.map(Path) | st.just(tempfile.gettempdir()) | st.just(__file__)


GENERATORS = {
    datasets.make_digits_hierarchy: {
        "n_samples": counts(1, 3),
        "target": st.sampled_from(["parity", "digit"]),
        "pixel_noise": reals(0, 0.5),
        "return_X_y": booleans,
        "random_state": random_states,
    },
    datasets.make_appendix_d: {
        "n_samples": counts(1, 3),
        "patches_per_class": counts(1, 3),
        "return_X_y": booleans,
        "random_state": random_states,
    },
    datasets.make_random_hierarchy: {
        "n_samples": counts(1, 3),
        "n_classes": counts(2, 4),
        "vocabulary_size": counts(1, 4),
        "n_synonyms": counts(1, 3),
        "tuple_size": counts(1, 3),
        "depth": counts(1, 3),
        "corruption": reals(0, 0.3, 1.0),
        "rule_weights": st.sampled_from(["uniform", "zipf", 1.5]),
        "output": st.sampled_from(["pixels", "symbols"]),
        "replace": booleans,
        "return_X_y": booleans,
        "random_state": random_states,
        "sample_random_state": random_states,
    },
    datasets.make_broadcast_tree: {
        "n_samples": counts(1, 3),
        "n_classes": counts(2, 4),
        "branching": counts(1, 3),
        "depth": counts(1, 3),
        "theta": reals(-0.3, 1.0),
        "return_X_y": booleans,
        "random_state": random_states,
    },
    datasets.make_transition_tree: {
        "n_samples": counts(1, 3),
        "n_classes": counts(2, 4),
        "branching": counts(1, 3),
        "depth": counts(1, 3),
        "concentration": reals(0.05, 1.0),
        "pixel_noise": reals(0.0, 1.0),
        "return_X_y": booleans,
        "random_state": random_states,
    },
    datasets.make_filtered_hierarchy: {
        "n_samples": counts(1, 3),
        "vocabulary_size": counts(2, 4),
        "tuple_size": counts(1, 3),
        "depth": counts(1, 3),
        "filtering": counts(0, 3),
        "log_std": reals(0.0, 2.0),
        "return_X_y": booleans,
        "random_state": random_states,
    },
    datasets.make_sparse_random_hierarchy: {
        "n_samples": counts(1, 3),
        "n_classes": counts(2, 4),
        "vocabulary_size": counts(2, 4),
        "n_synonyms": counts(1, 3),
        "tuple_size": counts(1, 3),
        "n_empty": counts(0, 2),
        "sparsity": st.sampled_from(["A", "B"]),
        "depth": counts(1, 2),
        "output": st.sampled_from(["pixels", "symbols"]),
        "replace": booleans,
        "return_X_y": booleans,
        "random_state": random_states,
        "sample_random_state": random_states,
    },
    datasets.make_varying_tree_hierarchy: {
        "n_samples": counts(1, 3),
        "n_classes": counts(2, 4),
        "vocabulary_size": counts(2, 4),
        "n_synonyms": st.just({2: 1}) | st.dictionaries(counts(1, 3), counts(1, 2), max_size=2),
        "length_probabilities": st.none() | st.just({2: 1.0}),
        "depth": counts(1, 2),
        "return_X_y": booleans,
        "random_state": random_states,
        "sample_random_state": random_states,
    },
}
LOADERS = {
    datasets.load_cifar10: {"path": paths()},
    datasets.load_npz: {
        "path": paths(),
        "max_bytes": counts(1, 127),
        "arrays": st.sampled_from([("X", "y"), ["images", "labels"], ("x_train", "y_train")]),
    },
    datasets.load_image_folder: {
        "path": paths(),
        "image_shape": st.sampled_from([(4, 4), (4, 4, 3), [2, 3]]),
        "max_value": st.none() | counts(1, 127) | reals(0.5, 1.0, 65535.0),
    },
    datasets.load_fashion_mnist: {"folder": paths()},
}


def _axes(n=1):
    return built_by(
        lambda: None, lambda: None, lambda: list(plt.subplots(1, n, squeeze=False)[1][0])
    )


def _ax():
    return _axes().map(lambda axes: axes and axes[0])


def _arrays(*shapes):
    return st.sampled_from(shapes).map(lambda shape: np.random.default_rng(0).normal(size=shape))


def _plot(display_class, init_table, plot_table):
    """Return a :class:`Subject` that constructs a display and plots it."""

    def plot(**args):
        plot_args = {name: args.pop(name) for name in list(args) if name in plot_table}
        return display_class(**args).plot(**plot_args)

    return Subject(plot, init_table | plot_table, tuple(init_table))


def displays():
    """Return {name: Subject} of displays of estimators and of arrays."""
    sampler, classifier, embedder = (st.builds(lambda i=i: learned()[i]) for i in (0, 2, 3))
    maybe_pixel = st.none() | st.tuples(counts(0, 1), counts(0, 1))
    sizes = counts(1, 9)
    from_estimators = {
        plotting.CentroidsDisplay: {"estimator": _learned(4), "max_centroids": sizes, "ax": _ax()},
        plotting.DistancesDisplay: {
            "estimator": embedder,
            "n_classes": st.sampled_from([1, 2, 4, 3]),
            "sigma": none_or_positive,
            "gamma": none_or_positive,
            "ax": _ax(),
        },
        plotting.FrequenciesDisplay: {"estimator": sampler, "level": counts(0, 1), "ax": _ax()},
        plotting.GenerationDisplay: {
            "estimator": sampler,
            "pixel": maybe_pixel,
            "random_state": random_states,
            "axes": _axes(3),
        },
        plotting.LayersDisplay: {
            "estimator": classifier,
            "image": st.builds(lambda: learned()[1][0]) | wrong_images(),
            "max_channels": sizes,
            "axes": _axes(4),
        },
    }
    required = ("estimator", "image", "n_classes")
    subjects = {
        f"{display.__name__}.from_estimator": Subject(
            display.from_estimator, table, tuple(set(required) & set(table)), ("level",)
        )
        for display, table in from_estimators.items()
    }
    stages = _arrays((2, 2, 1), (3, 3, 3), (2, 3, 5)).map(lambda X: [("image", X), ("codes", X)])
    from_arrays = {
        plotting.CentroidsDisplay: (
            {"centroids": _arrays((3, 2, 2, 1), (5, 2, 3, 3), (1, 1, 1, 2))},
            {"max_centroids": sizes, "ax": _ax()},
        ),
        plotting.DistancesDisplay: (
            {
                "embedded": _embedded(),
                "n_classes": counts(1, 2),
                "sigma": none_or_positive,
                "gamma": none_or_positive,
            },
            {"n_bins": sizes, "ax": _ax()},
        ),
        plotting.FrequenciesDisplay: (
            {"frequencies": _arrays((2, 3, 3), (17, 1, 1), (2, 3, 2, 2)), "level": counts(0, 1)},
            {"ax": _ax()},
        ),
        plotting.GenerationDisplay: (
            {
                "levels": st.builds(
                    lambda X: [np.zeros((2, 2), int), np.ones((2, 4), int), X],
                    _arrays((4, 4), (4, 4, 3), (2, 4, 1), (2, 4, 5)),
                ),
                "class_names": st.sampled_from([None, ["ab", "cd"]]),
            },
            {"pixel": maybe_pixel, "axes": _axes(3)},
        ),
        plotting.LayersDisplay: ({"stages": stages}, {"max_channels": sizes, "axes": _axes(2)}),
    }
    for display, tables in from_arrays.items():
        subjects[f"{display.__name__}.plot"] = _plot(display, *tables)
    return subjects
