"""Estimators: strategies for their parameters, and uses of a fitted estimator."""

import pickle
from copy import deepcopy
from functools import cache

import numpy as np
import torch
from _calls import Subject
from _inputs import images, wrong_images
from _odd import built_by, counts, reals, seeds
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.cluster import KMeans, MiniBatchKMeans
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier

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

booleans = st.sampled_from([True, False, np.True_, np.False_])
random_states = counts(0, 99) | built_by(lambda: None, lambda: np.random.RandomState(0))
devices = built_by(lambda: "auto", lambda: "cpu", lambda: torch.device("cpu"))
image_shapes = st.sampled_from([None, None, (2, 2), (3, 4), (2, 2, 3), [4, 4], np.array([2, 3, 1])])
pairs = counts(1, 3) | st.sampled_from([(1, 2), (2, 1), (2, 2), [1, 1], np.array([2, 1])])
precisions = st.sampled_from(["auto", "float32", "bfloat16"])
early_stopping = {
    "early_stopping": booleans,
    "validation_fraction": reals(0.1, 0.5, 0.9),
    "n_iter_no_change": counts(1, 3),
}
shared = {"image_shape": image_shapes, "device": devices, "random_state": random_states}

CLASS_WEIGHTS = built_by(
    *(lambda: None, lambda: "balanced", lambda: "balanced", dict, lambda: {0: 2.0, 1: 0.5}),
    *(lambda: {0: 2}, lambda: {1: np.float32(0.1)}, lambda: {"one": 2.0}, lambda: {True: 3}),
    *(lambda: {0: 1e-300}, lambda: {1: 1e300}, lambda: {0: 1e-320}, lambda: {0: np.uint8(2)}),
    # The others are invalid.
    *(lambda: {7: 1.0}, lambda: {None: 1.0}, lambda: {"a": 1, 0: 1}, lambda: {(0, 1): 2.0}),
    *(lambda: {0: -1.0}, lambda: {1: 0}, lambda: {0: np.nan}, lambda: {0: np.inf}),
    *(lambda: {0: None}, lambda: {0: "2"}, lambda: {0: "a"}, lambda: {0: [1, 2]}, lambda: {0: 1j}),
    *(lambda: {0: 10**400}, lambda: {np.nan: 1.0}, lambda: {0: torch.tensor(2.0)}),
    *(lambda: "balanced_subsample", lambda: [{0: 1.0}]),
)
KMEANS = built_by(
    lambda: None,
    lambda: SphericalKMeans(n_init=2, max_iter=3),
    lambda: KMeans(n_init=1, max_iter=3),
    lambda: MiniBatchKMeans(n_init=1, max_iter=3),
)


def _array(shape, high=2):
    return seeds.map(lambda seed: np.random.default_rng(seed).integers(high, size=shape))


PARAMETERS = {
    Flatten: {"image_shape": image_shapes},
    SphericalKMeans: {
        "n_clusters": counts(1, 4),
        "init": built_by(
            *(lambda: "k-means++", lambda: "random", lambda: np.eye(2, 4), lambda: [[1, 2]])
        ),
        "n_init": counts(1, 2),
        "max_iter": counts(1, 5),
        "tol": reals(0, 1e-4, 0.5),
        "init_size": counts(1, 20) | st.none(),
        "device": devices,
        "random_state": random_states,
    },
    PatchKMeansOrthogonalizer: {
        "n_clusters": counts(1, 4) | st.just("auto"),
        "patch_size": pairs | st.just("auto"),
        "stride": pairs | st.none(),
        "border": reals(0.0, 0.5, -3.0, 1e20, 1e-300) | st.sampled_from(["auto", "dark", 2]),
        "padding": counts(0, 2) | st.sampled_from(["same", "same", "valid", (0, 1)]),
        "encoding": st.sampled_from(["one_hot", "relu", "crelu"]),
        "bias": reals(-0.5, 0.0, 1.0, -100.0),
        "normalize": booleans,
        "pool_size": pairs | st.just("auto"),
        "pooling": st.sampled_from(["max", "average"]),
        "contrast": reals(0.3, 1e-3, 1e3) | st.sampled_from(["auto", None]),
        "whiten_eps": reals(0.1, 1e-6, 10.0) | st.none(),
        "n_patches": counts(2, 30) | st.sampled_from(["auto", None]),
        "kmeans": KMEANS,
        "batch_size": counts(1, 3) | st.none(),
        "precision": precisions,
        **shared,
    },
    TwoLayerConvEmbedder: {
        "n_components": counts(1, 4),
        "loss": st.sampled_from(["linear", "cross_entropy"]),
        "solver": st.sampled_from(
            ["exact", "svd", "kmeans", "counts", "shares", "gd", "sgd", "adam"]
        ),
        "learning_rate": reals(1e-3, 0.1),
        "max_iter": counts(0, 4),
        "init_scale": reals(1.0, 0.01),
        "readout_init": st.sampled_from(["normal", "sphere"]),
        "train_readout": booleans | st.just("auto"),
        "scale_channels": booleans,
        "batch_size": counts(1, 5),
        **early_stopping,
        **shared,
    },
    RidgeHead: {
        "alpha": reals(0.3, 0, 10.0),
        "max_iter": counts(1, 8),
        "tol": reals(0, 1e-3, 0.9),
        "class_weight": CLASS_WEIGHTS,
        **early_stopping,
        "random_state": random_states,
    },
    KernelRidgeHead: {
        "alpha": reals(0.03, 1e-3, 10.0),
        "gamma": reals(0.5, 1e-2, 10.0),
        "power": reals(1.0, 0.5, 2.0),
        "n_centers": st.none() | counts(1, 8),
        "max_iter": counts(1, 8),
        "tol": reals(0, 1e-3, 0.9),
        "class_weight": CLASS_WEIGHTS,
        "random_state": random_states,
    },
    LayerwiseCNNClassifier: {
        "n_layers": counts(1, 2) | st.just("auto"),
        "n_clusters": counts(1, 3) | st.sampled_from([[2, 3], (2, "auto")]),
        "patch_size": pairs | st.sampled_from([None, "auto", [1, 2], [(1, 2), 1]]),
        "pool_size": pairs | st.sampled_from([None, "auto", [1, 2]]),
        "n_components": counts(1, 3) | st.sampled_from([[2, 2], [2, None]]),
        "orthogonalizer": built_by(
            lambda: None,
            lambda: PatchKMeansOrthogonalizer(encoding="one_hot", whiten_eps=None),
            lambda: PatchKMeansOrthogonalizer(kmeans=KMeans(n_init=1, max_iter=3), bias=0.0),
            lambda: [PatchKMeansOrthogonalizer(pooling="max"), None],
        ),
        "embedder": built_by(
            lambda: None,
            lambda: TwoLayerConvEmbedder(max_iter=2, loss="cross_entropy", solver="adam"),
            lambda: [TwoLayerConvEmbedder(scale_channels=False), None],
        ),
        "head": built_by(
            *(lambda: "ridge", lambda: "ridge", lambda: RidgeHead(max_iter=3, early_stopping=True)),
            *(lambda: "kernel", lambda: KernelRidgeHead(n_centers=3)),
            *(DecisionTreeClassifier, lambda: LogisticRegression(max_iter=1000)),
        ),
        "class_weight": CLASS_WEIGHTS,
        "mirror": booleans | st.just("auto"),
        "memory_limit": st.sampled_from([None, 10**9, "100MB", "20MiB"]),
        "precision": precisions,
        **shared,
    },
    HierarchicalSampler: {
        "n_levels": counts(1, 2),
        "n_semantic_classes": counts(1, 4) | st.sampled_from([[2, 3], (3, 2)]),
        "patch_size": pairs | st.sampled_from([[1, 2], [(1, 2), 1]]),
        "patches_per_class": counts(1, 2) | st.just([1, 2]),
        "rule_weights": st.sampled_from(["uniform", "zipf", 1.5, [0.5, "zipf"], [2, 0]]),
        "overlap": reals(0.0, 0.5, 1.0) | st.just([0.5, 0]),
        "symbol_patches": st.none() | _array((2, 2, 1, 2)).map(lambda table: [table]),
        "transitions": st.none() | st.sampled_from([[np.full((2, 2), 0.5)], [np.eye(3)]]),
        "pixel_patches": st.sampled_from(["gaussian", "orthonormal", "one_hot"])
        | _array((2, 2, 2, 2), 9),
        "n_channels": counts(1, 3),
        "root": st.sampled_from(["images", "label"]),
        "n_labels": counts(2, 3),
        "label_probabilities": st.none() | st.sampled_from([[0.4, 0.6], np.array([0.2, 0.3, 0.5])]),
        "n_root_images": counts(1, 2),
        "root_shape": st.sampled_from([None, (1, 2), (2, 2), [1, 3], 2]),
        "label_noise": reals(0, 0.2, 1.0),
        "symbol_noise": reals(0, 0.1, 1.0) | st.sampled_from([[0.1, 0.0], np.full((2, 2), 0.5)]),
        "pixel_noise": reals(0, 1e-3, 1.0),
        "min_theta": reals(0, 0.1),
        "min_lambda": reals(0, 0.01),
        "max_draws": counts(1, 30),
        "n_jobs": st.sampled_from([None, 1, 2]),
        "random_state": random_states,
    },
}
UNBOUNDED = (
    *("n_clusters", "stride", "pool_size", "batch_size", "n_patches"),
    *("init_size", "image_shape", "n_iter_no_change", "random_state"),
    *("alpha", "tol", "bias", "border", "memory_limit", "device"),
)
TAKES_ROWS = (SphericalKMeans, RidgeHead, KernelRidgeHead)
NEEDS_LABELS = (TwoLayerConvEmbedder, RidgeHead, KernelRidgeHead, LayerwiseCNNClassifier)
TAKES_GROUPS = NEEDS_LABELS
TAKES_WEIGHTS = (*NEEDS_LABELS, PatchKMeansOrthogonalizer, SphericalKMeans)


def subject(estimator_class):
    """Return the constructor of an estimator as a :class:`Subject`."""
    unbounded = () if estimator_class is HierarchicalSampler else UNBOUNDED
    # Layers of the default width take seconds, not milliseconds.
    required = ("n_clusters", "n_components") if estimator_class is LayerwiseCNNClassifier else ()
    return Subject(estimator_class, PARAMETERS[estimator_class], required, unbounded)


# Methods that accept the X of any fit, and all methods that take images.
MAPS_IMAGES = ("transform", "predict", "decision_function", "predict_proba")
READS_IMAGES = (*MAPS_IMAGES, "inverse_transform")
USES_WITHOUT_DATA = {
    "clone": clone,
    "pickle": lambda estimator: pickle.loads(pickle.dumps(estimator)),
    "deepcopy": deepcopy,
    "repr": repr,
    "_repr_html_": lambda estimator: estimator._repr_html_(),
    "get_params": lambda estimator: estimator.get_params(),
    "set_params": lambda estimator: estimator.set_params(**estimator.get_params(deep=False)),
    "get_feature_names_out": lambda estimator: estimator.get_feature_names_out(),
    "to_torch": lambda estimator: estimator.to_torch(),
    "to_pipeline": lambda estimator: estimator.to_pipeline(),
}


@cache
def fitted_samplers():
    """Return fitted samplers of different kinds."""
    common = {"patches_per_class": 2, "random_state": 0}
    return [
        HierarchicalSampler(1, patch_size=2, root_shape=(2, 2), **common).fit(),
        HierarchicalSampler(2, patch_size=2, n_labels=3, pixel_noise=0.5, **common).fit(),
        HierarchicalSampler(2, patch_size=(1, 2), root="label", n_channels=3, **common).fit(),
        HierarchicalSampler(2, patch_size=2, overlap=0.5, symbol_noise=0.1, **common).fit(),
        HierarchicalSampler(1, patch_size=(1, 2), **common).fit([["a", "b"], ["b", "a"]], [0, 1]),
        HierarchicalSampler(
            2,
            patch_size=(1, 2),
            transitions=[np.full((2, 2), 0.5)],
            symbol_noise=[0.0, np.array([[0.9, 0.1], [0.0, 1.0]])],
            n_semantic_classes=2,
            label_probabilities=[0.3, 0.7],
            **common,
        ).fit([[0, 1], [1, 0]], [0, 1]),
    ]


def methods(sampler):
    """Return {name: Subject} of the methods of a fitted sampler."""
    shape = sampler.sample(1, random_state=0)[0].shape[1:]
    draws = {
        "n_samples": counts(1, 5),
        "random_state": random_states,
        "return_latents": booleans,
    }
    clean = seeds.map(lambda seed: sampler.sample(3, random_state=seed)[0])
    pictures = {"X": clean | clean | images((*shape, 1)[:3]) | wrong_images()}
    strings = seeds.map(
        lambda seed: sampler.sample(3, random_state=seed, return_latents=True)[2][-1]
    )
    semantic = st.sampled_from([0, 1, 2]).map(lambda i: sampler.root_images_[i : i + 2])
    levels = counts(0, sampler.n_levels - 1)
    indices = st.lists(st.integers(0, 2**63 - 1), min_size=1, max_size=4)
    options = {
        "output": st.sampled_from(["pixels", "symbols"]),
        "dtype": st.sampled_from([None, None, np.int64, np.float64]),
        "replace": booleans,
    }
    firsts = {"first": counts(0, 3)}
    tokens = seeds.map(lambda seed: sampler.sample(3, random_state=seed, return_latents=True)[2])
    symbols = tokens.map(lambda latents: latents[-1])
    subjects = {
        "sample": Subject(sampler.sample, {**draws, **options, **firsts}),
        "sample_at": Subject(
            sampler.sample_at,
            {
                "indices": indices,
                "random_state": random_states,
                "return_latents": booleans,
                **options,
            },
            ("indices",),
        ),
        "resample": Subject(
            sampler.resample,
            {
                "indices": indices,
                "level": levels,
                "new_random_state": random_states,
                "until": st.none() | counts(1, 2),
                "random_state": random_states,
                "return_latents": booleans,
                **options,
            },
            ("indices", "level", "new_random_state"),
            ("level",),
        ),
        "to_torch_dataset": Subject(
            lambda **args: sampler.to_torch_dataset(**args)[[0]],
            {
                "n_samples": counts(1, 5),
                "layout": st.sampled_from(["nchw", "ncl", "tokens"]),
                "random_state": random_states,
                "replace": booleans,
                **firsts,
            },
            ("n_samples",),
        ),
        "validity": Subject(sampler.validity, {"X": pictures["X"], "symbols": symbols}),
        "iter_batches": Subject(
            lambda **args: list(sampler.iter_batches(**args)),
            {"batch_size": counts(1, 3), **draws, **options, **firsts},
            ("n_samples",),
            ("batch_size",),
        ),
        "to_dask": Subject(
            lambda **args: [part.compute(scheduler="sync") for part in sampler.to_dask(**args)],
            {
                "n_samples": counts(1, 5),
                "chunks": counts(1, 3) | st.just("auto"),
                "random_state": random_states,
                **options,
                **firsts,
            },
            ("n_samples",),
            ("chunks",),
        ),
        "transform": Subject(
            sampler.transform, {"X": semantic | semantic | wrong_images()}, ("X",)
        ),
        "posterior": Subject(sampler.posterior, {**pictures, "level": levels}, ("X",), ("level",)),
        "pair_frequencies": Subject(
            sampler.pair_frequencies,
            {"level": levels, "pixel": st.tuples(counts(0, 1), counts(0, 3))},
            ("level", "pixel"),
            ("level",),
        ),
        "code_moments": Subject(sampler.code_moments, {"level": levels}, ("level",), ("level",)),
        "expected_product": Subject(
            sampler.expected_product,
            {"level": levels, "factors": st.sampled_from([[[[1.0]]] * n for n in (2, 3, 4)])},
            ("level", "factors"),
            ("level",),
        ),
        "bayes_risk": Subject(
            sampler.bayes_risk,
            {"n_samples": counts(2, 5), "random_state": random_states},
            ("n_samples",),
        ),
        "sample_posterior": Subject(
            sampler.sample_posterior,
            {
                **pictures,
                "n_draws": counts(1, 3),
                "of": st.sampled_from(["seen", "drawn"]),
                "return_latents": booleans,
                "random_state": random_states,
            },
            ("X",),
        ),
        "next_symbol_proba": Subject(
            sampler.next_symbol_proba, {"symbols": strings | wrong_images()}, ("symbols",)
        ),
        "conditional_entropy": Subject(
            sampler.conditional_entropy,
            {
                "context": st.none() | counts(0, 3),
                "n_samples": counts(2, 5),
                "random_state": random_states,
            },
            (),
            ("context",),
        ),
        "statistics": Subject(lambda: repr(sampler.statistics()), {}),
        "check_assumptions": Subject(lambda: repr(sampler.check_assumptions()), {}),
    }
    for name in ("parse", "parse_patches", "inverse_transform", "score_samples"):
        subjects[name] = Subject(getattr(sampler, name), pictures, ("X",))
    for name in ("bayes_predict", "bayes_predict_proba"):
        subjects[name] = Subject(getattr(sampler, name), pictures, ("X",))
    return subjects
