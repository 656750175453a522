"""The parts of a classifier: an orthogonalizer and an embedder for each layer, and a head."""

from .._base._params import is_auto, is_sequence, value_at
from .._base._parts import make_part
from .._base._random import make_rng
from ..clustering import PatchKMeansOrthogonalizer
from ..embedding import TwoLayerConvEmbedder
from ._blocks import Block
from ._heads import make_head

# The parts of a layer, and which of their parameters the classifier has too.
LAYER_PARTS = {
    "orthogonalizer": (PatchKMeansOrthogonalizer, ("n_clusters", "patch_size", "pool_size")),
    "embedder": (TwoLayerConvEmbedder, ("n_components",)),
}
_PAIRS = {"patch_size", "pool_size"}


def make_parts(classifier):
    """The unfitted blocks and head of a classifier, each part with a seed of its own.

    Raises
    ------
    ValueError
        If a sequence has not one value per layer, if a part is no estimator of its kind, or
        if a parameter is given both by the classifier and by a part.
    """
    rng = make_rng(classifier.random_state)
    seeds = iter(rng.randint(2**31 - 1, size=2 * classifier.n_layers + 1).tolist())
    verbose = max(int(classifier.verbose) - 1, 0)
    blocks = []
    for layer in range(classifier.n_layers):
        parts = {
            kind: _make_layer_part(classifier, kind, layer, next(seeds), verbose)
            for kind in LAYER_PARTS
        }
        if not _embeds(classifier, layer):
            parts["embedder"] = None
        blocks.append(Block(**parts))
    return blocks, make_head(classifier.head, next(seeds), classifier.class_weight, verbose)


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
    given = {name: _value_at(classifier, name, layer) for name in names}
    given = {name: value for name, value in given.items() if value is not None}
    # Of the whole: the images' shape is that of the first layer only, which knows it.
    given |= {"image_shape": None, "device": classifier.device, "precision": classifier.precision}
    part = make_part(part, kind, classifier, given, seed=seed, verbose=verbose)
    if kind == "orthogonalizer":
        _set_border(part, layer, is_own=is_sequence(classifier.orthogonalizer))
        if is_auto(part.pool_size) and 0 < layer == classifier.n_layers - 1:
            part.set_params(pool_size="thirds")  # what the head sees has no more parts
    return part


def _set_border(part, layer, is_own):
    """Images have a border, of a color; beyond the border of codes there are none."""
    if is_auto(part.border):
        part.set_params(border="dark" if layer == 0 and part.whiten_eps is not None else 0)
    elif layer > 0 and not is_own:
        part.set_params(border=0)


def _value_at(classifier, name, layer):
    which = layer, "n_layers", classifier.n_layers
    return value_at(getattr(classifier, name), name, *which, is_pair=name in _PAIRS)


def _embeds(classifier, layer):
    """Whether a layer has an embedder: all but the last, which must be given one."""
    return layer < classifier.n_layers - 1 or any(
        is_sequence(getattr(classifier, name)) and _value_at(classifier, name, layer) is not None
        for name in ("n_components", "embedder")
    )


def named_steps(blocks, classifier=None):
    """(name, part) of the parts of blocks, in order: 'orthogonalizer1', 'embedder1', ...

    With a classifier, names are those of its parameters: numbered only where they are sequences.
    """
    return [
        (kind if classifier and not is_sequence(getattr(classifier, kind)) else f"{kind}{i}", part)
        for i, block in enumerate(blocks, 1)
        for kind, part in block._asdict().items()
        if part is not None
    ]
