"""Random Hierarchy Model with trees of varying shape."""

from typing import Any

import numpy as np
from sklearn.utils.random import sample_without_replacement

from .._base._params import check_count, check_flag, make_rng
from .._base._typing import RandomState
from .._base._validation import to_floats
from ..generative import GrammarSampler
from ._io import make_bunch


def make_varying_tree_hierarchy(
    n_samples: int = 1000,
    *,
    n_classes: int = 8,
    vocabulary_size: int = 8,
    n_synonyms: dict[int, int] | None = None,
    length_probabilities: dict[int, float] | None = None,
    depth: int = 3,
    return_X_y: bool = True,
    random_state: RandomState = None,
    sample_random_state: RandomState = None,
) -> Any:
    r"""Draw strings of the varying-tree Random Hierarchy Model (Parley et al., 2026).

    The label is the root symbol. At each of `depth` levels every symbol is replaced by a tuple of 2
    or 3 symbols: first the length s is drawn, then one of the symbol's :math:`m_s` tuples of this
    length. No two symbols of a level share a tuple. The tuples are drawn without replacement from
    all :math:`v^s` tuples of v symbols. Strings have from :math:`2^L` to :math:`3^L` symbols, and
    one string can have several trees. The authors set the ambiguity by the share f of tuples that
    are in use, :math:`m_2 = f v` and :math:`m_3 = f v^2`, and report a transition to strings whose
    label is ambiguous at :math:`f_c = 3 / 8`. The smallest possible error of a classifier is
    ``sampler.bayes_risk()``.

    Parameters
    ----------
    n_samples : int, default=1000
        Number of strings.

    n_classes : int, default=8
        Number of labels 0, 1, ..., which are equally likely.

    vocabulary_size : int, default=8
        Number v of symbols at each level below the label.

    n_synonyms : dict of int to int, or None, default=None
        Number :math:`m_s` of tuples of each symbol, for each length s. None is ``{2: 2, 3: 16}``,
        which is f = 1/4 for 8 symbols. Any lengths >= 1 are allowed. With one length, the model is
        the Random Hierarchy Model.

    length_probabilities : dict of int to float, or None, default=None
        Probability :math:`p_s` of each length: positive numbers that sum to 1. None is uniform.

    depth : int, default=3
        Number L of levels.

    return_X_y : bool, default=True
        Whether to return arrays, or a Bunch.

    random_state : int, RandomState instance or None, default=None
        Determines the rules, and the strings if `sample_random_state` is None. Two values are two
        grammars.

    sample_random_state : int, RandomState instance or None, default=None
        Determines the strings. Two values are two samples of the grammar of `random_state`.

    Returns
    -------
    X : ndarray of shape (n_samples, width)
        The strings as integers, padded with -1; `width` is the length of the longest one. If
        `return_X_y` is False, a Bunch is returned instead, with `symbols`, `target`, `lengths` (of
        the strings), `latents` and `ancestors` (the trees, see
        :meth:`skhier.generative.GrammarSampler.sample`), `sampler` (the fitted GrammarSampler),
        `name` and `DESCR`.

    y : ndarray of shape (n_samples,)
        Labels 0, ..., n_classes - 1.

    Raises
    ------
    ValueError
        If a parameter is not valid, or there are fewer tuples than the symbols need.

    See Also
    --------
    make_random_hierarchy : The model whose tuples have one length, with noise and other options.

    References
    ----------
    J. T. Parley, F. Cagnetta and M. Wyart, "Deep networks learn to parse uniform-depth context-free
    languages from local statistics", arXiv:2602.06065, 2026.

    Examples
    --------
    >>> from skhier.datasets import make_varying_tree_hierarchy
    >>> bunch = make_varying_tree_hierarchy(100, depth=2, return_X_y=False, random_state=0)
    >>> bunch.symbols.shape, sorted({int(length) for length in bunch.lengths})
    ((100, 9), [4, 5, 6, 7, 8, 9])
    >>> bunch.sampler.bayes_predict_proba(bunch.symbols).shape
    (100, 8)

    The more tuples are in use, the more ambiguous is the label:

    >>> for m in 1, 2, 4, 8:
    ...     model = make_varying_tree_hierarchy(
    ...         1, n_synonyms={2: m, 3: 8 * m}, depth=2, return_X_y=False, random_state=0
    ...     )
    ...     print(f"f = {m / 8}: {model.sampler.bayes_risk(1000).risk:.2f}")
    f = 0.125: 0.00
    f = 0.25: 0.00
    f = 0.5: 0.05
    f = 1.0: 0.36
    """
    check_flag(return_X_y, "return_X_y")
    n_classes = check_count(n_classes, "n_classes", 2)
    v = check_count(vocabulary_size, "vocabulary_size", 1)
    depth = check_count(depth, "depth", 1)
    sizes = _sizes(n_synonyms, v, max(n_classes, v) if depth > 1 else n_classes)
    p_lengths = _length_probabilities(length_probabilities, sizes)
    rng = make_rng(random_state)
    rules = [_draw_tuples(n_classes if i == 0 else v, v, sizes, rng) for i in range(depth)]
    of_symbol = np.repeat([p_lengths[s] / m for s, m in sizes.items()], list(sizes.values()))
    sampler = GrammarSampler(
        rules,
        rule_weights=[[of_symbol] * len(level) for level in rules],
        n_tokens=v,
        random_state=rng.randint(2**31 - 1) if sample_random_state is None else sample_random_state,
    ).fit()
    if return_X_y:
        return sampler.sample(n_samples)
    X, target, latents, ancestors = sampler.sample(n_samples, return_latents=True)
    return make_bunch(
        "varying-tree hierarchy",
        None,
        target,
        symbols=X,
        lengths=(X >= 0).sum(axis=1),
        latents=latents,
        ancestors=ancestors,
        sampler=sampler,
    )


def _sizes(n_synonyms, v, n_symbols):
    """Return the number of tuples of each length; ValueError unless they are valid."""
    sizes = {2: 2, 3: 16} if n_synonyms is None else n_synonyms
    if not isinstance(sizes, dict) or not sizes:
        raise ValueError(
            f"n_synonyms={n_synonyms!r} is not valid: it takes a dict of the number of tuples of "
            "each length, for example {2: 2, 3: 16}."
        )
    checked = {}
    for s, m in sizes.items():
        s = check_count(s, "a length of n_synonyms", 1)
        checked[s] = check_count(m, f"n_synonyms[{s}]", 1)
        if n_symbols * checked[s] > v**s:
            raise ValueError(
                f"n_synonyms[{s}]={m} tuples for each of {n_symbols} symbols are more than the "
                f"vocabulary_size ** {s} = {v**s} tuples that exist."
            )
        if v**s >= 2**63:
            raise ValueError(
                f"n_synonyms has the length {s}, with vocabulary_size ** {s} = {v**s} tuples: it "
                "takes lengths with fewer than 2**63 tuples, as tuples are numbered."
            )
    return checked


def _length_probabilities(length_probabilities, sizes):
    """Return the probability of each length; ValueError unless they are valid."""
    if length_probabilities is None:
        return dict.fromkeys(sizes, 1 / len(sizes))
    given = length_probabilities
    if isinstance(given, dict) and set(given) == set(sizes):
        p = to_floats(list(given.values()), "length_probabilities")
        if p.ndim == 1 and (p > 0).all() and abs(p.sum() - 1) <= 1e-6:
            return dict(zip(given, p))
    raise ValueError(
        f"length_probabilities={given!r} is not valid: it takes a dict of a number > 0 for each of "
        f"the lengths {sorted(sizes)}, with the sum 1."
    )


def _draw_tuples(n_symbols, v, sizes, rng):
    """Draw the tuples of each symbol of a level, all different."""
    rows = [[] for _ in range(n_symbols)]
    for s, m in sizes.items():
        numbers = sample_without_replacement(v**s, n_symbols * m, random_state=rng)
        rng.shuffle(numbers)  # scikit-learn returns many numbers in increasing order
        tuples = numbers[:, None] // v ** np.arange(s) % v
        for i, row in enumerate(tuples.tolist()):
            rows[i // m].append(tuple(row))
    return rows
