"""Parts of a classifier: an orthogonalizer and an embedder for each layer, and a head."""

from copy import copy

from .._base._params import is_auto, is_one_for_each, is_sequence, value_at
from .._base._parts import make_part
from ..clustering import PatchKMeansOrthogonalizer
from ..embedding import TwoLayerConvEmbedder
from ._blocks import Block
from ._heads import make_head

# Parts of a layer: class, and the parameters that the classifier has too.
LAYER_PARTS = {
    "orthogonalizer": (PatchKMeansOrthogonalizer, ("n_clusters", "patch_size", "pool_size")),
    "embedder": (TwoLayerConvEmbedder, ("n_components",)),
}
_PAIRS = {"patch_size", "pool_size"}
_N_LAYERS = 2  # 'auto', unless one layer is better


def count_layers(classifier):
    """Return the number of layers; for 'auto' that of values in sequences, or 2 without any."""
    if not is_auto(classifier.n_layers):
        return int(classifier.n_layers)
    return next(map(len, _per_layer(classifier)), _N_LAYERS) or _N_LAYERS


def _per_layer(classifier):
    """Return the parameters that are sequences with one value for each layer."""
    names = [name for kind, (_, params) in LAYER_PARTS.items() for name in (kind, *params)]
    values = [(getattr(classifier, name), name in _PAIRS) for name in names]
    return [value for value, is_pair in values if is_one_for_each(value, is_pair)]


def make_parts(classifier, rng):
    """Return the unfitted blocks and head of a classifier, each part with a seed of `rng`.

    Raises
    ------
    ValueError
        If a sequence does not have one value per layer, if a part is no estimator of its kind,
        or if a parameter is set both in the classifier and in a part.
    """
    n_layers = count_layers(classifier)
    # One layer has the seeds of two, so that the fit of n_layers='auto' is that of its choice.
    seeds = rng.randint(2**31 - 1, size=2 * max(n_layers, _N_LAYERS) + 1).tolist()
    head_seed, seeds = seeds[-1], iter(seeds)
    verbose = max(int(classifier.verbose) - 1, 0)
    blocks = []
    for layer in range(n_layers):
        parts = {
            kind: _make_layer_part(classifier, kind, layer, next(seeds), verbose)
            for kind in LAYER_PARTS
        }
        if not _embeds(classifier, layer):
            parts["embedder"] = None
        blocks.append(Block(**parts))
    return blocks, make_head(classifier.head, head_seed, classifier.class_weight, verbose)


def only_layer(classifier, first):
    """Return the orthogonalizer of the only layer, if there may be one layer instead of two.

    It is that of the first layer, unfitted, with the pooling of one layer. Otherwise it is None.
    """
    if not is_auto(classifier.n_layers) or _per_layer(classifier):
        return None
    return copy(first).set_params(pool_size=_last_pool_size(first.pool_size, 1))


def _last_pool_size(pool_size, n_layers):
    """Return the pooling of the last layer: the head gets few pixels, of images of any size."""
    if is_auto(pool_size):
        return "thirds" if n_layers > 1 else "eighths"
    return pool_size


def _make_layer_part(classifier, kind, layer, seed, verbose):
    part_class, names = LAYER_PARTS[kind]
    part = _value_at(classifier, kind, layer)
    if part is None:
        part = part_class()
    if not isinstance(part, part_class):
        raise ValueError(
            f"{kind}={getattr(classifier, kind)!r} is not valid: it takes a "
            f"{part_class.__name__}, a list with one for each layer, or None."
        )
    decided = {name: _value_at(classifier, name, layer) for name in names}
    decided = {name: value for name, value in decided.items() if value is not None}
    decided |= {"image_shape": None, "device": classifier.device, "precision": classifier.precision}
    part = make_part(part, kind, classifier, decided, seed=seed, verbose=verbose)
    if kind == "orthogonalizer":
        # Images are surrounded by a color, codes by 0, unless their own part says otherwise.
        if is_auto(part.border):
            part.set_params(border="dark" if layer == 0 and part.whiten_eps is not None else 0)
        if layer > 0 and not is_sequence(classifier.orthogonalizer):
            as_for_codes(part)
        elif layer > 0 and is_auto(part.contrast):
            part.set_params(contrast=None)
        if layer == count_layers(classifier) - 1:
            part.set_params(pool_size=_last_pool_size(part.pool_size, layer + 1))
    return part


def as_for_codes(*orthogonalizers):
    """Set parameters of orthogonalizers, or None, that an estimator for all layers has for images.

    Codes are surrounded by 0 and have no light.
    """
    for orthogonalizer in filter(None, orthogonalizers):
        orthogonalizer.set_params(border=0, contrast=None)


def _value_at(classifier, name, layer):
    value, n_layers = getattr(classifier, name), count_layers(classifier)
    return value_at(value, name, layer, "n_layers", n_layers, is_pair=name in _PAIRS)


def _embeds(classifier, layer):
    """Return whether a layer has an embedder: the last one only if a sequence gives one."""
    return layer < count_layers(classifier) - 1 or any(
        is_sequence(getattr(classifier, name)) and _value_at(classifier, name, layer) is not None
        for name in ("n_components", "embedder")
    )


def named_steps(blocks, classifier=None):
    """Return (name, part) of the parts of blocks: 'orthogonalizer1', 'embedder1', ...

    With a classifier, names are its parameters: numbered only if they are sequences.
    """
    return [
        (kind if classifier and not is_sequence(getattr(classifier, kind)) else f"{kind}{i}", part)
        for i, block in enumerate(blocks, 1)
        for kind, part in block.parts()
    ]
