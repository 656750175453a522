"""Markov processes on trees: broadcasting, transitions of each place, hierarchical filtering."""

from typing import Any

import numpy as np
from scipy.special import softmax

from .._base._params import check_count, check_real, make_rng
from .._base._typing import RandomState
from ..generative import HierarchicalSampler
from ._hierarchies import draw_samples

_MAX_TUPLES = 10**6


def make_broadcast_tree(
    n_samples: int = 1000,
    *,
    n_classes: int = 2,
    branching: int = 2,
    depth: int = 6,
    theta: float = 0.8,
    return_X_y: bool = True,
    random_state: RandomState = None,
) -> Any:
    r"""Draw leaves of a tree on which a symbol is broadcast with mutations (Mossel, 2016).

    The label is the symbol of the root, uniform over q symbols. Each child copies the symbol of its
    parent with probability :math:`\theta`, and otherwise draws a symbol uniformly. How well the
    leaves determine the root changes at the Kesten-Stigum bound :math:`b \theta^2 = 1` for b
    children of each node: below, the number of leaves of each symbol says nothing about the root
    of a deep tree. The smallest possible error is ``sampler.bayes_risk()``.

    Parameters
    ----------
    n_samples : int, default=1000
        Number of trees.

    n_classes : int, default=2
        Number q of symbols, which are the labels 0, 1, ...

    branching : int, default=2
        Number b of children of each node.

    depth : int, default=6
        Number L of levels; a tree has :math:`b^L` leaves.

    theta : float, default=0.8
        Second eigenvalue :math:`\theta` of the transition :math:`M = \theta I + (1 - \theta) / q`,
        from -1 / (q - 1) to 1. A negative one makes children differ from their parents.

    return_X_y : bool, default=True
        Whether to return arrays, or a Bunch.

    random_state : int, RandomState instance or None, default=None
        Determines the trees.

    Returns
    -------
    X : ndarray of shape (n_samples, 1, branching ** depth, n_classes), float32
        The leaves as images of height 1, each symbol a one-hot pixel. If `return_X_y` is False, a
        Bunch is returned instead, with `images`, `target`, `symbols` (the leaves as integers),
        `latents` (the symbols of all levels, from the root to the leaves), `sampler` (the fitted
        HierarchicalSampler), `name` and `DESCR`.

    y : ndarray of shape (n_samples,)
        Labels.

    Raises
    ------
    ValueError
        If a parameter is not in its range.

    See Also
    --------
    make_filtered_hierarchy : A grammar whose upper levels are a Markov process.

    Examples
    --------
    At :math:`2 \theta^2 = 0.5` and 1.6, the error of the best prediction of the root:

    >>> from skhier.datasets import make_broadcast_tree
    >>> for theta in (0.5, 0.9):
    ...     tree = make_broadcast_tree(theta=theta, return_X_y=False, random_state=0)
    ...     print(f"{tree.sampler.bayes_risk(1000).risk:.2f}")
    0.46
    0.06
    """
    q, b = check_count(n_classes, "n_classes", 2), check_count(branching, "branching", 1)
    depth = check_count(depth, "depth", 1)
    theta = check_real(theta, "theta", -1 / (q - 1), maximum=1)
    transition = np.maximum(theta * np.eye(q) + (1 - theta) / q, 0)  # 0 is rounded at the bound
    level = np.broadcast_to(transition, (1, b, q, q))
    sampler = _strings([level] * depth, q, random_state)
    return draw_samples("broadcast tree", sampler, n_samples, return_X_y, are_strings=True)


def make_transition_tree(
    n_samples: int = 1000,
    *,
    n_classes: int = 6,
    branching: int = 2,
    depth: int = 4,
    concentration: float = 0.05,
    pixel_noise: float = 0.0,
    return_X_y: bool = True,
    random_state: RandomState = None,
) -> Any:
    r"""Draw leaves of a tree with a transition for each level and each child (Mei, 2024).

    The label is the symbol of the root, uniform over S symbols. Given the symbol a of a parent at
    level :math:`\ell - 1`, its children are independent, and child :math:`\iota` has the symbol b
    with probability :math:`\psi^{(\ell)}_\iota(a, b)`. In this generative hierarchical model, the
    steps of belief propagation are those of a convolutional network that finds the label, and of a
    U-net that removes Gaussian noise from the leaves. The exact results of both are
    ``sampler.bayes_predict_proba(X)`` and ``sampler.posterior(X, level=depth)``.

    Parameters
    ----------
    n_samples : int, default=1000
        Number of trees.

    n_classes : int, default=6
        Number S of symbols, which are the labels 0, 1, ...

    branching : int, default=2
        Number m of children of each node.

    depth : int, default=4
        Number L of levels; a tree has :math:`d = m^L` leaves.

    concentration : float, default=0.05
        Parameter > 0 of the symmetric Dirichlet distribution, from which the rows of all
        transitions are drawn. If it is small, a child is nearly determined by its parent.

    pixel_noise : float, default=0.0
        Standard deviation of the Gaussian noise of the images: 0, or from 1e-30 to 1e30.

    return_X_y : bool, default=True
        Whether to return arrays, or a Bunch.

    random_state : int, RandomState instance or None, default=None
        Determines the transitions and the trees: two values are two models. For training and test
        trees, split one sample, or call `sampler.sample` with two values.

    Returns
    -------
    X : ndarray of shape (n_samples, 1, branching ** depth, n_classes), float32
        The leaves as images of height 1, each symbol a one-hot pixel, with noise. If `return_X_y`
        is False, a Bunch is returned instead, with `images`, `target`, `symbols` (the leaves as
        integers, without noise), `latents` (the symbols of all levels, from the root to the
        leaves), `sampler` (the fitted HierarchicalSampler), `name` and `DESCR`.

    y : ndarray of shape (n_samples,)
        Labels.

    Raises
    ------
    ValueError
        If a parameter is not in its range.

    See Also
    --------
    make_broadcast_tree : One transition for all levels and children.

    Notes
    -----
    The bounds of the paper are for transitions of at least 1 / K. Dirichlet rows have no such
    bound. For other transitions, pass them to :class:`~skhier.HierarchicalSampler`.

    References
    ----------
    S. Mei, "U-Nets as belief propagation: efficient classification, denoising, and diffusion in
    generative hierarchical models", arXiv:2404.18444, 2024.

    Examples
    --------
    The posterior mean of one-hot leaves, given leaves with noise, is closer to the leaves than the
    mean given the own pixel only:

    >>> import numpy as np
    >>> from scipy.special import softmax
    >>> from skhier.datasets import make_transition_tree
    >>> tree = make_transition_tree(pixel_noise=0.5, return_X_y=False, random_state=0)
    >>> leaves = np.eye(6)[tree.symbols]
    >>> exact = tree.sampler.posterior(tree.images, level=4)[:, 0]
    >>> prior = leaves.mean(axis=0)
    >>> alone = softmax(np.log(prior + 1e-9) + tree.images[:, 0] / 0.5**2, axis=-1)
    >>> for denoised in alone, exact:
    ...     print(f"{((denoised - leaves) ** 2).sum(axis=-1).mean():.2f}")
    0.29
    0.16
    """
    q, b = check_count(n_classes, "n_classes", 2), check_count(branching, "branching", 1)
    depth = check_count(depth, "depth", 1)
    concentration = check_real(concentration, "concentration", 0, or_equal=False)
    rng = make_rng(random_state)
    # RandomState.dirichlet gives NaN for a small concentration.
    rows, generator = np.full(q, concentration), np.random.default_rng(rng.randint(2**31 - 1))
    levels = [generator.dirichlet(rows, size=(1, b, q)) for _ in range(depth)]
    sampler = _strings(levels, q, rng.randint(2**31 - 1), pixel_noise)
    return draw_samples("transition tree", sampler, n_samples, return_X_y, are_strings=True)


def make_filtered_hierarchy(
    n_samples: int = 1000,
    *,
    vocabulary_size: int = 4,
    tuple_size: int = 2,
    depth: int = 4,
    filtering: int = 0,
    log_std: float = 1.0,
    return_X_y: bool = True,
    random_state: RandomState = None,
) -> Any:
    r"""Draw strings of a grammar with filtered correlations (Garnier-Brun et al., 2025).

    The label is the root symbol, uniform over q symbols. At each of :math:`\ell` levels a symbol
    is replaced by a tuple, by the same rules. All tuples are in use, and no two symbols share one,
    so without filtering a string determines its whole tree.

    Hierarchical filtering removes the upper levels: the symbols at depth k are drawn
    independently given the label, each with the probabilities that it has without filtering.
    Below, nothing changes. So each symbol of the string keeps its distribution given the label,
    blocks of :math:`s^{\ell - k}` symbols keep their correlations, and different blocks depend on
    each other only by the label. With :math:`k = \ell` all symbols are independent given the
    label, and naive Bayes is optimal.

    Parameters
    ----------
    n_samples : int, default=1000
        Number of strings.

    vocabulary_size : int, default=4
        Number q of symbols, of labels too.

    tuple_size : int, default=2
        Number s of symbols in a tuple, 2 in the paper.

    depth : int, default=4
        Number :math:`\ell` of levels; strings have :math:`s^\ell` symbols.

    filtering : int, default=0
        Level k of filtering, from 0 for none to `depth`. Models of all k with one `random_state`
        have the same rules.

    log_std : float, default=1.0
        Standard deviation of the logarithms of the rules' weights, which are log-normal; 0 for
        equally likely rules.

    return_X_y : bool, default=True
        Whether to return arrays, or a Bunch.

    random_state : int, RandomState instance or None, default=None
        Determines the rules and the strings: two values are two grammars. For training and test
        strings, split one sample, or call `sampler.sample` with two values.

    Returns
    -------
    X : ndarray of shape (n_samples, 1, tuple_size ** depth, vocabulary_size), float32
        The strings as images of height 1, each symbol a one-hot pixel. If `return_X_y` is False,
        a Bunch is returned instead, with `images`, `target`, `symbols` (the strings as integers),
        `latents` (the symbols of all levels that are not removed), `sampler` (the fitted
        HierarchicalSampler), `name` and `DESCR`.

    y : ndarray of shape (n_samples,)
        Labels.

    Raises
    ------
    ValueError
        If a parameter is not in its range.

    See Also
    --------
    make_random_hierarchy : Rules that differ between levels, and unused tuples.

    Notes
    -----
    Let :math:`M_u(a, b)` be the probability that the symbol at place u of a tuple of a is b. A
    node at depth k that is reached from the root by the places :math:`u_1, \dots, u_k` has the
    transition :math:`M_{u_1} \cdots M_{u_k}`. Here each symbol has :math:`q^{s-1}` tuples.

    Examples
    --------
    The error of the best prediction of the label grows with the level of filtering:

    >>> from skhier.datasets import make_filtered_hierarchy
    >>> for k in range(4):
    ...     model = make_filtered_hierarchy(
    ...         depth=3, filtering=k, return_X_y=False, random_state=0
    ...     )
    ...     print(f"{model.sampler.bayes_risk(2000).risk:.2f}")
    0.00
    0.18
    0.26
    0.36
    """
    q, s = (
        check_count(vocabulary_size, "vocabulary_size", 2),
        check_count(tuple_size, "tuple_size", 1),
    )
    depth = check_count(depth, "depth", 1)
    k = check_count(filtering, "filtering", 0, depth)
    log_std = check_real(log_std, "log_std", 0)
    if q**s > _MAX_TUPLES:
        raise ValueError(
            f"vocabulary_size={q} and tuple_size={s} are not valid: all {q**s} tuples are in use, "
            f"but a model has at most {_MAX_TUPLES}."
        )
    rng = make_rng(random_state)
    tuples = rng.permutation(q**s)[:, None] // q ** np.arange(s) % q
    tuples = tuples.reshape(q, -1, 1, s)
    weights = softmax(log_std * rng.standard_normal(tuples.shape[:2]), axis=1)
    levels: list[Any] = [(tuples, weights)] * (depth - k)
    if k > 0:
        one_step = np.einsum("aj,ajub->uab", weights, np.eye(q)[tuples[:, :, 0]])  # M_u
        paths = np.eye(q)[None]
        for _ in range(k):
            paths = np.einsum("pab,ubc->puac", paths, one_step).reshape(-1, q, q)
        levels.insert(0, paths[None])
    sampler = _strings(levels, q, rng.randint(2**31 - 1))
    return draw_samples("filtered hierarchy", sampler, n_samples, return_X_y, are_strings=True)


def _strings(levels, q, random_state, pixel_noise=0.0):
    """Return the fitted sampler of strings of q symbols, whose label is the root symbol.

    A level is an array of transitions, or a pair (patches, weights).
    """
    is_table = [isinstance(level, tuple) for level in levels]
    labels = np.arange(q)
    return HierarchicalSampler(
        len(levels) + 1,
        n_semantic_classes=q,
        symbol_patches=[level[0] if table else None for level, table in zip(levels, is_table)],
        rule_weights=[level[1] if table else "uniform" for level, table in zip(levels, is_table)]
        + ["uniform"],
        transitions=[None if table else level for level, table in zip(levels, is_table)],
        patch_size=1,
        patches_per_class=1,
        pixel_patches="one_hot",
        n_channels=q,
        pixel_noise=pixel_noise,
        random_state=random_state,
    ).fit(labels.reshape(-1, 1, 1), labels)
