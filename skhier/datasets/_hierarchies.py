"""Models of appendix D and of Cagnetta et al. (2024), and samples of any model as a Bunch."""

from numbers import Real
from typing import Any, Literal

import numpy as np

from .._base._params import check_count, check_flag, check_real
from .._base._typing import PerLevel, RandomState, SampleOutput
from ..generative import HierarchicalSampler
from ._io import make_bunch

_SPLIT = "For training\nand test samples, split one sample, or call sampler.sample with two seeds."


def make_appendix_d(
    n_samples: int = 1000,
    *,
    patches_per_class: int = 30,
    return_X_y: bool = True,
    random_state: RandomState = None,
) -> Any:
    """Draw images of the model of appendix D, on which figure 3 compares classifiers.

    Four semantic classes at each level, four 3x3 semantic images for each of two labels,
    3x3 patches; the patches of the last level have independent N(0, 1) pixels. Sets of
    patches are disjoint.

    Parameters
    ----------
    n_samples : int, default=1000
        Number of images. The paper has 50,000, of which the last 10,000 are the test set.

    patches_per_class : int, default=30
        Number k of patches of a class. The paper has 30, 40 and 50.

    return_X_y : bool, default=True
        Whether to return arrays, or a Bunch.

    random_state : int, RandomState instance or None, default=None
        Determines the model and the images: two values are two models. For training and test
        images, split one sample, or call `sampler.sample` with two values.

    Returns
    -------
    X : ndarray of shape (n_samples, 27, 27), float32
        Images. If `return_X_y` is False, a Bunch is returned instead, with `images`,
        `target`, `latents` (the semantic images of both levels), `sampler` (the fitted
        HierarchicalSampler), `name` and `DESCR`.

    y : ndarray of shape (n_samples,)
        Labels, -1 and 1.

    Examples
    --------
    >>> from skhier.datasets import make_appendix_d
    >>> X, y = make_appendix_d(100, random_state=0)
    >>> X.shape, y.shape
    ((100, 27, 27), (100,))
    """
    sampler = HierarchicalSampler(patches_per_class=patches_per_class, random_state=random_state)
    bunch = draw_samples("appendix D", sampler.fit(), n_samples, return_X_y)
    if not return_X_y:
        bunch.DESCR += f"\nTwo values of random_state are two models. {_SPLIT}\n"
    return bunch


def make_random_hierarchy(
    n_samples: int = 1000,
    *,
    n_classes: int = 8,
    vocabulary_size: int = 8,
    n_synonyms: int = 4,
    tuple_size: int = 2,
    depth: int = 4,
    rule_weights: PerLevel[Literal["uniform", "zipf"] | float | np.ndarray] = "uniform",
    corruption: float = 0.0,
    output: SampleOutput = "pixels",
    replace: bool = True,
    return_X_y: bool = True,
    random_state: RandomState = None,
    sample_random_state: RandomState = None,
) -> Any:
    """Draw strings of the Random Hierarchy Model (Cagnetta et al., 2024).

    The label is the root symbol. At each of `depth` levels every symbol is replaced by one of
    its `n_synonyms` tuples of `tuple_size` symbols. No two symbols of a level share a tuple.

    There are :math:`P_{max} = n_c m^{(s^L - 1) / (s - 1)}` derivations for :math:`n_c` classes, m
    synonyms, tuples of size s > 1 and depth L, and before corruption each is another string. By
    default, strings are drawn independently, so they repeat: with the default sizes and
    `depth=2` there are 512, and of 4,000 strings nearly all test strings are training strings
    too. To measure generalization, set `replace=False`. Then all strings of a sample differ, and
    its parts are a training and a test set. To draw the parts one by one, see `first` of
    :meth:`skhier.HierarchicalSampler.sample`.

    Parameters
    ----------
    n_samples : int, default=1000
        Number of strings.

    n_classes : int, default=8
        Number :math:`n_c` of labels.

    vocabulary_size : int, default=8
        Number v of symbols at each level below the label.

    n_synonyms : int, default=4
        Number m of tuples by which a symbol can be replaced.

    tuple_size : int, default=2
        Number s of symbols in a tuple.

    depth : int, default=4
        Number L of levels; strings have s ** L symbols.

    rule_weights : {'uniform', 'zipf'}, float, ndarray, or list of these, default='uniform'
        Weight of each tuple of a symbol, proportional to its probability. A float is the exponent
        of Zipf's law: the r-th tuple of a symbol has the weight :math:`r^{-e}`; 'zipf' is e = 1.
        Cagnetta, Kang and Wyart (2025) have e = 1 + a. An array of shape (n_synonyms,) holds
        the weights. A list has one of these for each of the `depth` levels, from the label down.

    corruption : float, default=0.0
        Probability that a symbol of the string is replaced by a symbol drawn uniformly.

    output : {'pixels', 'symbols'}, default='pixels'
        Whether X holds one-hot pixels, or the symbols as unsigned ints of the smallest type.

    replace : bool, default=True
        Whether strings are drawn independently, or without replacement. False takes uniform rules
        and no corruption, and refuses more than :math:`P_{max}` strings.

    return_X_y : bool, default=True
        Whether to return arrays, or a Bunch.

    random_state : int, RandomState instance or None, default=None
        Determines the rules, and the strings if `sample_random_state` is None. Two values are two
        grammars.

    sample_random_state : int, RandomState instance or None, default=None
        Determines the strings. Two values are two samples of the grammar of `random_state`.

    Returns
    -------
    X : ndarray of shape (n_samples, 1, tuple_size ** depth, vocabulary_size), float32
        The strings as images of height 1, each symbol a one-hot pixel; or an array of shape
        (n_samples, tuple_size ** depth) of symbols. If `return_X_y` is False, a Bunch is returned
        instead, with `images` (not with symbols as output), `target`, `symbols` (the strings as
        integers), `latents` (the symbols of all levels, from the label to the string), `sampler`
        (the fitted HierarchicalSampler), `name` and `DESCR`.

    y : ndarray of shape (n_samples,)
        Labels 0, ..., n_classes - 1.

    Examples
    --------
    >>> from skhier.datasets import make_random_hierarchy
    >>> rhm = make_random_hierarchy(100, return_X_y=False, random_state=0)
    >>> rhm.images.shape, rhm.symbols.shape
    ((100, 1, 16, 8), (100, 16))

    Training and test strings without common strings, for a network that takes tokens:

    >>> X, y = make_random_hierarchy(
    ...     500, depth=2, output="symbols", replace=False, random_state=0, sample_random_state=1
    ... )
    >>> train, test = X[:400], X[400:]
    >>> {row.tobytes() for row in train} & {row.tobytes() for row in test}
    set()
    """
    n_classes = check_count(n_classes, "n_classes", 2)
    n_synonyms = check_count(n_synonyms, "n_synonyms", 1)
    vocabulary_size = check_count(vocabulary_size, "vocabulary_size", 1)
    tuple_size, depth = check_count(tuple_size, "tuple_size", 1), check_count(depth, "depth", 1)
    corruption = check_real(corruption, "corruption", 0, maximum=1)
    n_symbols = max(n_classes, vocabulary_size) if depth > 1 else n_classes
    if n_symbols * n_synonyms > vocabulary_size**tuple_size:
        raise ValueError(
            f"n_synonyms={n_synonyms} tuples for each of {n_symbols} symbols are more than the "
            f"vocabulary_size ** tuple_size = {vocabulary_size**tuple_size} tuples that exist."
        )
    # The last level writes each symbol of the string as a one-hot pixel.
    sampler = HierarchicalSampler(
        depth + 1,
        n_semantic_classes=[n_classes, *[vocabulary_size] * depth],
        patch_size=[(1, tuple_size)] * depth + [1],
        patches_per_class=[n_synonyms] * depth + [1],
        rule_weights=[*_tuple_weights(rule_weights, n_synonyms, depth), "uniform"],
        pixel_patches="one_hot",
        n_channels=vocabulary_size,
        root="label",
        n_labels=n_classes,
        symbol_noise=[0.0] * depth + [corruption],
        random_state=random_state,
    )
    options = {"random_state": sample_random_state, "output": output, "replace": replace}
    bunch = draw_samples(
        "random hierarchy", sampler.fit(), n_samples, return_X_y, options, are_strings=True
    )
    if not return_X_y:
        n_choices = sum(tuple_size**level for level in range(depth))  # one for each symbol above
        bunch.DESCR += (
            f"\nBefore corruption, there are {n_classes} * {n_synonyms}**{n_choices} different "
            "strings.\n"
        )
        bunch.DESCR += (
            "Strings are drawn independently, so they repeat. Two values of random_state are two\n"
            "grammars, and two values of sample_random_state are two samples of one grammar.\n"
            if replace
            else "All strings of this sample differ: for training and test strings, split it.\n"
        )
    return bunch


def _tuple_weights(rule_weights, n_synonyms, depth):
    """Return the value of the parameter `rule_weights` at each level."""
    if not isinstance(rule_weights, (list, tuple)):
        return [rule_weights] * depth
    if len(rule_weights) != depth:
        raise ValueError(
            f"rule_weights={rule_weights!r} has {len(rule_weights)} entries, but depth={depth}: a "
            "list gives one value for each level. For weights of tuples, pass an array."
        )
    are_numbers = all(isinstance(value, Real) for value in rule_weights)
    if depth == n_synonyms and are_numbers and len(set(rule_weights)) > 1:
        raise ValueError(
            f"rule_weights={rule_weights!r} is ambiguous: a list gives one value for each level, "
            f"and a number is an exponent of Zipf's law, but depth={depth} is n_synonyms too. For "
            "weights of tuples, pass an array. For exponents e, pass a list of the array "
            "np.arange(1, n_synonyms + 1.0) ** -e for each level."
        )
    return list(rule_weights)


def draw_samples(name, sampler, n_samples, return_X_y, options=None, are_strings=False, **fields):
    """Return samples of a fitted sampler as (X, y), or as a Bunch with their latents.

    `options` are passed to the method `sample`. A Bunch has its X as `images` or as `symbols`. With
    `are_strings`, it always has `symbols`.
    """
    check_flag(return_X_y, "return_X_y")
    options = options or {}
    if return_X_y:
        return sampler.sample(n_samples, **options)
    X, target, latents = sampler.sample(n_samples, return_latents=True, **options)
    if options.get("output") == "symbols":
        X, fields["symbols"] = None, X
    elif are_strings:
        fields["symbols"] = latents[-1][:, 0]
    return make_bunch(name, X, target, latents=latents, sampler=sampler, **fields)
