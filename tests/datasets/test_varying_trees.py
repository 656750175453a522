import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy.stats import chisquare

from skhier.datasets import make_varying_tree_hierarchy

SIZES = {"n_classes": 3, "vocabulary_size": 4, "n_synonyms": {2: 3, 3: 5, 1: 1}, "depth": 2}


def draw(n_samples=200, **options):
    return make_varying_tree_hierarchy(n_samples, return_X_y=False, **{**SIZES, **options})


def test_rules_are_different_tuples_of_all_symbols():
    sampler = draw(random_state=0).sampler
    assert [len(level) for level in sampler.rules] == [3, 4]
    for level in sampler.rules:
        rows = [row for of_symbol in level for row in of_symbol]
        assert len(set(rows)) == len(rows)
        assert all(symbol in range(4) for row in rows for symbol in row)
        for of_symbol in level:
            lengths = [len(row) for row in of_symbol]
            assert {s: lengths.count(s) for s in set(lengths)} == SIZES["n_synonyms"]


@pytest.mark.parametrize("m", [2, 5])  # a share of the pairs, and all pairs
def test_each_tuple_belongs_to_each_symbol_equally_often(m):
    owners = np.zeros(5)
    for seed in range(300):
        rules = draw(
            1, vocabulary_size=5, n_classes=5, n_synonyms={2: m}, depth=1, random_state=seed
        ).sampler.rules[0]
        owners += [(1, 3) in of_symbol for of_symbol in rules]
    assert chisquare(owners).pvalue > 0.001
    assert abs(owners.sum() / 300 - m / 5) < 0.1


@pytest.mark.parametrize("p", [None, {1: 0.2, 2: 0.5, 3: 0.3}])
def test_lengths_are_those_of_a_branching_process(p):
    bunch = draw(20_000, length_probabilities=p, random_state=1)
    steps = {1: 1 / 3, 2: 1 / 3, 3: 1 / 3} if p is None else p
    one = np.array([0, *(steps[s] for s in (1, 2, 3))])
    expected, power = np.zeros(10), np.ones(1)
    for n in range(4):  # n symbols of level 1, of which each has 1 to 3 tokens
        expected[: len(power)] += one[n] * power
        power = np.convolve(power, one)
    counts = np.bincount(bunch.lengths, minlength=10)
    assert chisquare(counts[1:], 20_000 * expected[1:]).pvalue > 0.001
    assert_array_equal(bunch.lengths, (bunch.symbols >= 0).sum(axis=1))


def test_labels_are_equally_likely():
    _, y = make_varying_tree_hierarchy(20_000, random_state=0, **SIZES)
    assert chisquare(np.bincount(y)).pvalue > 0.001


def test_seeds_of_rules_and_strings_are_separate():
    one, same = (draw(random_state=0, sample_random_state=1) for _ in range(2))
    other_strings = draw(random_state=0, sample_random_state=2)
    other_rules = draw(random_state=1, sample_random_state=1)
    assert_array_equal(one.symbols, same.symbols)
    assert one.sampler.rules == other_strings.sampler.rules != other_rules.sampler.rules
    assert one.symbols.tolist() != other_strings.symbols.tolist()
    X, y = make_varying_tree_hierarchy(200, random_state=0, sample_random_state=1, **SIZES)
    assert_array_equal(X, one.symbols)
    assert_array_equal(y, one.target)


def test_the_bunch_describes_itself():
    bunch = draw(random_state=0)
    assert bunch.DESCR.startswith(bunch.name)
    assert not [name for name in set(bunch) - {"DESCR", "name"} if f"{name}:" not in bunch.DESCR]


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"n_synonyms": {2: 5}}, r"n_synonyms\[2\]=5 tuples for each of 4 symbols are more than"),
        ({"n_synonyms": {0: 1}}, "a length of n_synonyms=0 is not valid"),
        ({"n_synonyms": {2: 0}}, r"n_synonyms\[2\]=0 is not valid"),
        ({"n_synonyms": {}}, r"n_synonyms={} is not valid: it takes a dict"),
        ({"n_synonyms": 2}, "n_synonyms=2 is not valid: it takes a dict"),
        ({"length_probabilities": {2: 1.0}}, r"length_probabilities=.* lengths \[1, 2, 3\]"),
        ({"length_probabilities": {1: 0.5, 2: 0.5, 3: 0.5}}, "with the sum 1"),
        ({"length_probabilities": [1, 1, 1]}, "length_probabilities=.* takes a dict"),
        ({"depth": 0}, "depth=0 is not valid"),
        ({"vocabulary_size": 8, "n_synonyms": {2: 2, 21: 4}}, r"the length 21, .* 2\*\*63 tuples"),
        ({"n_classes": 1}, "n_classes=1 is not valid"),
        ({"return_X_y": "no"}, "return_X_y='no' is not valid"),
    ],
)
def test_impossible_models_are_refused(params, message):
    with pytest.raises(ValueError, match=message):
        make_varying_tree_hierarchy(5, **{**SIZES, **params})
