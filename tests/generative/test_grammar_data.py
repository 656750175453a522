"""Strings of grammars as data sets of torch, and their validity."""

import pickle
from itertools import product

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from torch.utils.data import DataLoader

from skhier.datasets import make_random_hierarchy, make_varying_tree_hierarchy
from skhier.generative import GrammarSampler


@pytest.fixture(scope="module")
def grammar():
    return make_varying_tree_hierarchy(1, depth=2, return_X_y=False, random_state=0).sampler


@pytest.mark.parametrize("n_workers", [0, 2])
def test_loaders_read_the_strings_of_sample(grammar, n_workers):
    X, y = grammar.sample(100, random_state=1, width=9)
    dataset = grammar.to_torch_dataset(100, random_state=1)
    loader = DataLoader(dataset, 33, num_workers=n_workers)
    rows, labels = (torch.cat(parts) for parts in zip(*loader))
    assert_array_equal(rows, np.where(X < 0, 8, X))
    assert_array_equal(labels, y)
    assert rows.dtype == labels.dtype == torch.int64
    rest = grammar.to_torch_dataset(60, random_state=1, first=40, padding=-1)
    assert_array_equal(rest[range(60)][0], X[40:])
    assert_array_equal(rest[-1][0], X[-1])


def test_data_sets_of_any_length_are_small(grammar):
    dataset = grammar.to_torch_dataset(10**15, random_state=1)
    same = pickle.loads(pickle.dumps(dataset))
    assert torch.equal(same[10**14][0], dataset[10**14][0])
    with pytest.raises(IndexError):
        dataset[10**15]


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"padding": 3}, r"padding=3 is not valid: it is a token. It takes -1, or an int >= 8"),
        ({"padding": -2}, "padding=-2 is not valid"),
        ({"n_samples": 0}, "n_samples=0 is not valid"),
        ({"first": -1}, "first=-1 is not valid"),
    ],
)
def test_invalid_data_sets_are_refused(grammar, params, message):
    with pytest.raises(ValueError, match=message):
        grammar.to_torch_dataset(**{"n_samples": 5, **params})


def test_validity_is_that_of_the_random_hierarchy_model_for_tuples_of_one_length():
    rhm = make_random_hierarchy(1, depth=3, return_X_y=False, random_state=0).sampler
    rules = [[[tuple(row) for row in of_class[:, 0]] for of_class in t] for t in rhm.patches_[:-1]]
    grammar = GrammarSampler(rules, n_tokens=8).fit()
    legal, _ = rhm.sample(200, output="symbols")
    strings = np.random.default_rng(0).integers(8, size=(2000, 8))
    strings[:400, :4] = legal[:, :4].repeat(2, axis=0)
    strings[:200] = legal
    strings[200:300, 4:6] = legal[:100, 4:6]
    shares = grammar.validity(strings)
    assert_allclose(shares, rhm.validity(symbols=strings).images)
    assert 0.1 <= shares[0] < shares[1] < shares[2] < 1


def test_legal_strings_are_rows_of_spans_of_the_level():
    rules = [[[(0, 1), (1, 1, 0)], [(1,)]], [[(0, 1), (0,)], [(1, 1, 0)]]]
    grammar = GrammarSampler(rules).fit()
    of_symbol = [set(level) for level in rules[1]]
    of_label = {
        sum(choice, ())
        for tuples in rules[0]
        for row in tuples
        for choice in product(*(sorted(of_symbol[symbol]) for symbol in row))
    }

    def is_row(string):
        spans = of_symbol[0] | of_symbol[1]
        return not string or any(
            string[: len(span)] == span and is_row(string[len(span) :]) for span in spans
        )

    for n in range(1, 7):
        strings = list(product(range(2), repeat=n))
        expected = [np.mean([s in of_label for s in strings]), np.mean([*map(is_row, strings)])]
        assert_allclose(grammar.validity(strings), expected)
    X, _ = grammar.sample(100)
    assert_array_equal(grammar.set_params(n_jobs=2).validity(X), [1, 1])
