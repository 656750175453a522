"""Closed forms for the Random Hierarchy Model of Cagnetta et al. (2024)."""

from functools import partial
from math import inf
from typing import Literal

from .._base._params import check_choice, check_count, check_real
from ._checks import check_counts, check_overflow, within_floats


@within_floats
def rhm_sample_complexity(
    n_classes: int, vocabulary_size: int, n_synonyms: int, tuple_size: int, depth: int
) -> float:
    r"""Compute the number of images N_1 at which synonyms of a Random Hierarchy Model stand out.

    :math:`N_1 = n_c m^L (1 - 1/v)\, \rho^{-(L-1)}` with :math:`\rho = v^{s-1} (v - 1) / (v^s - 1)`:
    the :math:`P^* = n_c m^L` of :cite:t:`cagnetta2024`, with its constant.

    Parameters
    ----------
    n_classes : int
        Number of labels :math:`n_c`, at least 2.

    vocabulary_size : int
        Number of symbols v.

    n_synonyms : int
        Number of tuples m for each symbol.

    tuple_size : int
        Length s of a tuple.

    depth : int
        Number of levels L.

    Returns
    -------
    n_samples : float
        The number :math:`N_1`. At this number, the mean squared distance between the means of
        tuples of the last level is twice as large for different symbols as for synonyms.

    Raises
    ------
    ValueError
        If a parameter is not an int in its range, or `n_synonyms` tuples for each symbol are
        more than there are.

    See Also
    --------
    skhier.datasets.make_random_hierarchy : Samples of the model.
    required_samples : The same ratio for a given model ('snr').
    rhm_level_samples : Number of strings at which correlations between symbols stand out.

    Notes
    -----
    Exact for the ratio of means over all models. Let :math:`A_i = \sum_c E |F_c(j)|^2` at
    a position of level i. At level 0 it is :math:`(1 - 1/n_c) / n_c`. A level down, :math:`F_b(j,
    u) = \sum_c F_c(j) n_{cb} / m`, with :math:`n_{cb}` the number of tuples of c with b at u.
    Two different tuples agree at u with probability :math:`\kappa = (v^{s-1} - 1) / (v^s - 1)
    = 1 - \rho`, so :math:`E \sum_b n_{cb} n_{c'b} = m^2 \kappa + m \rho 1\{c = c'\}`. As
    :math:`\sum_c F_c = 0`, :math:`A_{i+1} = A_i \rho / m`. With :math:`\sum_b F_b = 0` again,
    :math:`E \|\Delta\|^2 = 2 P A_{L-1} / (v - 1)`, and :math:`N_1 = k^2 (\mu_a + \mu_b) (1 -
    1/n_c) / E \|\Delta\|^2` with k = m and :math:`\mu_a = P / (v m)`.

    With depth 1 the symbols are the labels, and v is :math:`n_c`.

    Examples
    --------
    Here :math:`\rho = 8/9`, so :math:`N_1 = 8 \cdot 4^3 \cdot \frac78 \cdot (9/8)^2`:

    >>> from skhier.theory import rhm_sample_complexity
    >>> round(rhm_sample_complexity(8, 8, 4, tuple_size=2, depth=3))
    567
    """
    sizes = n_classes, vocabulary_size, n_synonyms, tuple_size, depth
    n_classes, v, m, s, depth = _check_sizes(*sizes)
    symbols = n_classes if depth == 1 else v  # of the level whose tuples are counted
    return n_classes * float(m) ** depth * (1 - 1 / symbols) * _differ(v, s) ** (1 - depth)


@within_floats
def rhm_correlation(
    n_classes: int,
    vocabulary_size: int,
    n_synonyms: int,
    tuple_size: int,
    depth: int,
    *,
    level: int,
    formula: Literal["finite", "paper"] = "finite",
) -> float:
    r"""Compute the correlation of two symbols of a string, over all Random Hierarchy Models.

    The correlation of symbols at positions i and j is the root mean square of

    .. math:: P(x_i = a, x_j = b) - P(x_i = a) P(x_j = b)

    over all a, b and all rules. It depends on their lowest common ancestor only, so it decays in
    steps with the distance. The correlations of one model are
    :meth:`~skhier.HierarchicalSampler.pair_frequencies`.

    Parameters
    ----------
    n_classes : int
        Number of labels :math:`n_c`, at least 2.

    vocabulary_size : int
        Number of symbols v, at least 2.

    n_synonyms : int
        Number of tuples m for each symbol.

    tuple_size : int
        Length s of a tuple, at least 2.

    depth : int
        Number of levels L.

    level : int
        Number :math:`\ell` of levels from the symbols up to their lowest common ancestor, from 1
        for symbols of one tuple to `depth` for symbols below different children of the label.

    formula : {'finite', 'paper'}, default='finite'
        'paper': as printed by :cite:t:`cagnettawyart2024`, for many symbols and synonyms.
        'finite': with the factors of finite numbers.

    Returns
    -------
    correlation : float
        Root mean square. It is 0 if all tuples are in use and equally likely, as with `n_classes`
        = v and :math:`m = v^{s-1}`.

    Raises
    ------
    ValueError
        If a parameter is not an int in its range, or `n_synonyms` tuples for each symbol are
        more than there are.

    See Also
    --------
    rhm_level_samples : Number of strings at which the correlation stands out.

    Notes
    -----
    The paper has :math:`C_\ell^2 = (1 - m / v^{s-1}) / (v^3 m^{2 \ell - 1})`. Two terms are missing
    where numbers are small. First, the symbols of a level are not equally likely: let :math:`Q_i =
    E \sum_c P(c)^2` at a position i levels below the label, and :math:`\kappa = (v^{s-1} - 1) /
    (v^s - 1)` the probability that two different tuples agree at a position. Then :math:`Q_0 = 1 /
    n_c` and :math:`Q_{i+1} = Q_i / m + (1 - Q_i / m) \kappa`. Second, covariances sum to 0 over
    each symbol. So symbols of one tuple have, but for products of deviations of :math:`P(x_i =
    a)`,

    .. math:: v^2 C_1^2 = \left(1 - \frac1v\right)^2 \frac{v^s Q_{L-1} / m - 1}{v^s - 1} ,

    and each level in between, on both sides, divides :math:`C^2` by :math:`(m / \rho)^2`, with
    :math:`\rho = 1 - \kappa`, as in :func:`rhm_sample_complexity`; rules of a level that both
    sides use are taken as different ones. With two or more synonyms and v from 4 to 16, this is
    within 20 % of the mean over models, from 600 models each. The paper's formula is far off where
    the number of labels is far from v: for tuples of two symbols at :math:`\ell = L = 1` it is 7
    times too large at :math:`n_c = 12, v = 5, m = 2`, and 5.7 times too small at :math:`n_c = 2, v
    = 10, m = 9`. At :math:`m = v^{s-1}` it is 0, also for :math:`n_c < v`, where symbols correlate.

    Examples
    --------
    >>> from skhier.theory import rhm_correlation
    >>> sizes = {"n_classes": 8, "vocabulary_size": 8, "n_synonyms": 4, "tuple_size": 2, "depth": 3}
    >>> [round(rhm_correlation(**sizes, level=level), 4) for level in (1, 2, 3)]
    [0.0155, 0.0034, 0.0007]
    >>> round(rhm_correlation(**sizes, level=1, formula="paper") ** 2 * 8**3 * 4, 3)  # 1 - m / v
    0.5
    """
    sizes = n_classes, vocabulary_size, n_synonyms, tuple_size, depth
    _, v, m, s, depth = sizes = _check_sizes(*sizes, min_tuple_size=2)
    level = check_count(level, "level", 1, depth)
    check_choice(formula, "formula", ("finite", "paper"))
    if formula == "paper":
        share = max(0.0, 1 - m / float(v) ** (s - 1))
        return (share / (v**3 * float(m) ** (2 * level - 1))) ** 0.5
    siblings, decay = _correlation_of_deviations(sizes, level)
    return (1 - 1 / v) / v * siblings * decay ** (level - 1)


@partial(within_floats, may_be_infinite=True)
def rhm_level_samples(
    n_classes: int,
    vocabulary_size: int,
    n_synonyms: int,
    tuple_size: int,
    depth: int,
    *,
    level: int,
    formula: Literal["finite", "paper"] = "finite",
) -> float:
    r"""Compute the number of strings at which symbols of a Random Hierarchy Model correlate.

    From :math:`P_\ell` strings on, the correlation of symbols whose lowest common ancestor is
    :math:`\ell` levels up (:func:`rhm_correlation`) is larger than its error, the frequencies of
    unrelated symbols. A next-symbol predictor can use the context up to there.

    Parameters
    ----------
    n_classes : int
        Number of labels :math:`n_c`, at least 2.

    vocabulary_size : int
        Number of symbols v, at least 2.

    n_synonyms : int
        Number of tuples m for each symbol.

    tuple_size : int
        Length s of a tuple, at least 2.

    depth : int
        Number of levels L.

    level : int
        Number :math:`\ell` of levels up to the lowest common ancestor, from 1 to `depth`.

    formula : {'finite', 'paper'}, default='finite'
        'paper': :math:`v m^{2 \ell - 1} / (1 - m / v^{s-1})` of :cite:t:`cagnettawyart2024`.
        'finite': with the factors of finite numbers, as in :func:`rhm_correlation`.

    Returns
    -------
    n_samples : float
        Number of strings; infinity if all tuples are in use and equally likely, as with
        `n_classes` = v and :math:`m = v^{s-1}`.

    Raises
    ------
    ValueError
        If a parameter is not an int in its range, or `n_synonyms` tuples for each symbol are
        more than there are.

    See Also
    --------
    rhm_correlation : The correlation.
    rhm_sample_complexity : Number of labeled strings at which synonyms stand out.

    Notes
    -----
    On P strings, the covariance of two independent symbols, each uniform, has the standard error
    :math:`(1 - 1/v) / (v \sqrt P)`, in the paper :math:`1 / (v \sqrt P)`.

    Examples
    --------
    >>> from skhier.theory import rhm_level_samples
    >>> sizes = {"n_classes": 8, "vocabulary_size": 8, "n_synonyms": 4, "tuple_size": 2, "depth": 3}
    >>> [round(rhm_level_samples(**sizes, level=level)) for level in (1, 2, 3)]
    [50, 1044, 25834]
    >>> [round(rhm_level_samples(**sizes, level=level, formula="paper")) for level in (1, 2, 3)]
    [64, 1024, 16384]
    """
    sizes = n_classes, vocabulary_size, n_synonyms, tuple_size, depth
    _, v, m, s, depth = sizes = _check_sizes(*sizes, min_tuple_size=2)
    level = check_count(level, "level", 1, depth)
    check_choice(formula, "formula", ("finite", "paper"))
    if formula == "paper":
        share = 1 - m / float(v) ** (s - 1)
        return check_overflow(v * float(m) ** (2 * level - 1) / share) if share > 0 else inf
    siblings, decay = _correlation_of_deviations(sizes, level)
    return check_overflow((siblings * decay ** (level - 1)) ** -2) if siblings else inf


def zipf_learning_exponent(exponent: float) -> float:
    r"""Compute the exponent of the learning curve of rules that follow Zipf's law.

    If the r-th rule of each symbol has a probability proportional to :math:`r^{-(1 + a)}`, the
    error of a classifier on P strings decays as :math:`P^{-a / (1 + a)}` :cite:p:`cagnetta2025`:
    rules are learned in the order of their probabilities. It is not the exponent of next-symbol
    prediction, which by the same paper does not depend on the probabilities of rules at large
    scales.

    Parameters
    ----------
    exponent : float
        Exponent 1 + a > 1 of Zipf's law, as in `rule_weights` of
        :class:`~skhier.HierarchicalSampler`.

    Returns
    -------
    learning_exponent : float
        The exponent a / (1 + a), between 0 and 1.

    Raises
    ------
    ValueError
        If the exponent is not a finite number > 1.

    Notes
    -----
    It is the exponent of the probability of the rules that P draws do not show, :math:`\sum_r f_r
    (1 - f_r)^P`, which holds from :math:`1 / f_1` to :math:`1 / f_m` draws of m rules: beyond, all
    rules are known and the error drops faster. Depth changes the factor, not the exponent.

    Examples
    --------
    >>> from skhier.theory import zipf_learning_exponent
    >>> zipf_learning_exponent(2.0)  # a = 1
    0.5
    """
    exponent = check_real(exponent, "exponent", 1, or_equal=False)
    return (exponent - 1) / exponent


def _correlation_of_deviations(sizes, level):
    """Compute the correlation in units of (1 - 1/v) / v, the deviation of independent symbols.

    Returns
    -------
    siblings, decay : float
        The correlation is ``siblings * decay ** (level - 1)``, which can be too small for a float.
    """
    n_classes, v, m, s, depth = sizes
    # v^s Q / m - 1 times m, from differences of ints: exactly 0 if all tuples are equally likely.
    rho, excess = _differ(v, s), (v**s - n_classes * m) / n_classes
    for _ in range(depth - level):
        excess = v ** (s - 1) - m + rho / m * excess
    return (excess / m / (float(v) ** s - 1)) ** 0.5, rho / m


def _differ(v, s):
    """Return rho = v^(s-1) (v - 1) / (v^s - 1): P(two different tuples differ at a position)."""
    return float(v) ** (s - 1) * (v - 1) / (float(v) ** s - 1)


def _check_sizes(n_classes, vocabulary_size, n_synonyms, tuple_size, depth, min_tuple_size=1):
    """Return the sizes of a model; ValueError unless there are enough tuples."""
    v = check_count(vocabulary_size, "vocabulary_size", 2)
    n_classes = check_count(n_classes, "n_classes", 2)
    s = check_count(tuple_size, "tuple_size", min_tuple_size)
    m, depth = check_counts(n_synonyms=n_synonyms, depth=depth)
    largest = n_classes if depth == 1 else max(n_classes, v)
    if largest * m > v**s:
        raise ValueError(
            f"n_synonyms={m} tuples for each of {largest} symbols are more than there are: "
            f"vocabulary_size ** tuple_size = {v**s}."
        )
    return n_classes, v, m, s, depth
