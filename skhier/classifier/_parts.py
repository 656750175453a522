"""From the classifier's parameters to the unfitted parts of its layers."""

from numbers import Integral

from .._base._params import is_sequence, value_at
from .._base._random import make_rng
from ..clustering import PatchKMeansOrthogonalizer
from ..embedding import TwoLayerConvEmbedder
from ._blocks import Block
from ._heads import make_head

# Parameter of the classifier -> parameter of the part that it sets.
ORTHOGONALIZER_PARAMS = {
    "n_clusters": "n_clusters",
    "patch_size": "patch_size",
    "stride": "stride",
    "padding": "padding",
    "metric": "metric",
    "encoding": "encoding",
    "bias": "bias",
    "normalize": "normalize",
    "pool_size": "pool_size",
    "pooling": "pooling",
    "whiten": "whiten",
    "whiten_eps": "whiten_eps",
    "n_patches": "n_patches",
    "kmeans_init": "init",
    "kmeans_n_init": "n_init",
    "kmeans_max_iter": "max_iter",
    "kmeans_tol": "tol",
}
EMBEDDER_PARAMS = {
    "n_components": "n_components",
    "loss": "loss",
    "solver": "solver",
    "learning_rate": "learning_rate",
    "max_iter": "max_iter",
    "init_scale": "init_scale",
    "readout_init": "readout_init",
    "train_readout": "train_readout",
    "scale_channels": "scale_channels",
    "batch_size": "batch_size",
    "early_stopping": "early_stopping",
}
_PAIRS = {"patch_size", "stride", "padding", "pool_size"}


def make_parts(classifier):
    """The unfitted blocks and head of a classifier, each part with a seed of its own.

    Raises
    ------
    ValueError
        If a sequence has not one value per layer, or a layer below the last no embedding.
    """
    rng = make_rng(classifier.random_state)
    seeds = iter(rng.randint(2**31 - 1, size=2 * classifier.n_layers + 1).tolist())
    shared = {"device": classifier.device, "verbose": max(int(classifier.verbose) - 1, 0)}
    blocks = []
    for layer in range(classifier.n_layers):
        orthogonalizer = PatchKMeansOrthogonalizer(
            **_params_of_layer(classifier, layer, ORTHOGONALIZER_PARAMS),
            **shared,
            precision=classifier.precision,
            random_state=next(seeds),
        )
        params = _params_of_layer(classifier, layer, EMBEDDER_PARAMS)
        embedder = TwoLayerConvEmbedder(**params, **shared, random_state=next(seeds))
        blocks.append(Block(orthogonalizer, embedder if _embeds(classifier, layer) else None))
    return blocks, make_head(classifier.head, next(seeds), shared["verbose"])


def _params_of_layer(classifier, layer, names):
    which = layer, "n_layers", classifier.n_layers
    return {
        part_name: value_at(getattr(classifier, name), name, *which, is_pair=name in _PAIRS)
        for name, part_name in names.items()
    }


def _embeds(classifier, layer):
    """Whether a layer has an embedder."""
    value, n_layers = classifier.n_components, classifier.n_layers
    width = value_at(value, "n_components", layer, "n_layers", n_layers)
    is_last = layer == n_layers - 1
    if is_last and (width is None or not is_sequence(value)):
        return False
    if not isinstance(width, Integral):
        raise ValueError(
            f"n_components={value!r} is not valid for layer {layer + 1} of {n_layers}: it "
            "takes a positive int; None, no embedding, is for the last layer only."
        )
    return True
