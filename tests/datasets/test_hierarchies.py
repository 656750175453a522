import re

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skhier.datasets import (
    make_appendix_d,
    make_broadcast_tree,
    make_digits_hierarchy,
    make_filtered_hierarchy,
    make_random_hierarchy,
    make_sparse_random_hierarchy,
    make_transition_tree,
)


def test_arrays_and_bunches_of_appendix_d_hold_the_same_samples():
    X, y = make_appendix_d(50, patches_per_class=10, random_state=0)
    assert X.shape == (50, 27, 27)
    model = make_appendix_d(50, patches_per_class=10, return_X_y=False, random_state=0)
    assert_array_equal(model.images, X)
    assert_array_equal(model.target, y)
    assert [len(level) for level in model.latents] == [50, 50]


def test_strings_of_the_random_hierarchy_model_follow_its_rules():
    model = make_random_hierarchy(
        300,
        n_classes=5,
        vocabulary_size=6,
        n_synonyms=3,
        tuple_size=3,
        depth=2,
        return_X_y=False,
        random_state=0,
    )
    assert model.images.shape == (300, 1, 9, 6)
    assert_array_equal(model.images[:, 0].argmax(axis=2), model.symbols)
    assert_array_equal(model.images.sum(axis=3), 1)
    assert_array_equal(model.latents[0].ravel(), model.target)
    for upper, lower, table in zip(model.latents, model.latents[1:], model.sampler.patches_):
        assert table.shape[1:] == (3, 1, 3)
        tuples = lower.reshape(*upper.shape, 3)
        assert (tuples[:, :, :, None] == table[upper][:, :, :, :, 0]).all(-1).any(-1).all()
    X, y = make_random_hierarchy(300, corruption=1.0, random_state=0)
    assert X.shape == (300, 1, 16, 8)
    assert set(y) == set(range(8))


def test_a_small_random_hierarchy_repeats_its_strings_and_says_so():
    rhm = make_random_hierarchy(4000, depth=2, return_X_y=False, random_state=0)
    train, test = ({row.tobytes() for row in rows} for rows in np.split(rhm.symbols, [3200]))
    assert len(test & train) > 0.98 * len(test)
    assert rhm.sampler.statistics().n_images[-1] == 8 * 4**3 == 512
    assert "8 * 4**3 different strings" in rhm.DESCR


@pytest.mark.parametrize(("tuple_size", "depth"), [(1, 3), (2, 4), (3, 2)])
def test_the_number_of_strings_in_the_description_is_exact(tuple_size, depth):
    rhm = make_random_hierarchy(
        2, n_synonyms=1 if tuple_size == 1 else 3, tuple_size=tuple_size, depth=depth,
        return_X_y=False, random_state=0,
    )  # fmt: skip
    formula = re.search(r"(\d+) \* (\d+)\*\*(\d+) different", rhm.DESCR)
    n_classes, n_synonyms, n_choices = map(int, formula.groups())
    assert rhm.sampler.statistics().n_images[-1] == n_classes * n_synonyms**n_choices


@pytest.mark.parametrize("make", [make_appendix_d, make_random_hierarchy])
def test_two_random_states_are_two_models_and_two_seeds_of_sample_are_two_samples(make):
    first, second = (make(20, return_X_y=False, random_state=seed) for seed in range(2))
    assert "Two values of random_state are two" in first.DESCR
    assert not np.array_equal(first.sampler.patches_[0], second.sampler.patches_[0])
    X, _ = first.sampler.sample(20, random_state=1)
    assert not np.array_equal(X, first.images)
    assert not (first.sampler.score_samples(X) == -np.inf).any()


MAKERS = [
    make_appendix_d,
    make_broadcast_tree,
    make_digits_hierarchy,
    make_filtered_hierarchy,
    make_random_hierarchy,
    make_sparse_random_hierarchy,
    make_transition_tree,
]


@pytest.mark.parametrize("make", MAKERS)
def test_bunches_describe_themselves(make):
    bunch = make(7, return_X_y=False, random_state=0)
    assert bunch.DESCR.startswith(bunch.name)
    assert f"shape {bunch.images.shape}" in bunch.DESCR
    named = set(bunch) - {"DESCR", "name", "target_names"}
    assert not [field for field in named if f"{field}:" not in bunch.DESCR]


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"n_synonyms": 9, "vocabulary_size": 2}, "n_synonyms=9 tuples for each of 8 symbols"),
        ({"depth": 0}, "depth=0 is not valid"),
        ({"corruption": 2}, "corruption=2 is not valid"),
        ({"return_X_y": "no"}, "return_X_y='no' is not valid"),
        ({"n_classes": 1.5}, "n_classes=1.5 is not valid"),
    ],
)
def test_impossible_random_hierarchies_are_refused(params, message):
    with pytest.raises(ValueError, match=message):
        make_random_hierarchy(5, **params)


def test_labels_of_the_random_hierarchy_are_numbered_from_0():
    for n_classes in (2, 3):
        rhm = make_random_hierarchy(200, n_classes=n_classes, return_X_y=False, random_state=0)
        assert_array_equal(np.unique(rhm.target), np.arange(n_classes))
        assert_array_equal(rhm.latents[0].ravel(), rhm.target)
        assert_array_equal(rhm.sampler.bayes_predict(rhm.images), rhm.target)


def test_the_grammar_and_the_strings_have_seeds_of_their_own():
    def make(random_state, sample_random_state):
        return make_random_hierarchy(
            50, return_X_y=False, random_state=random_state, sample_random_state=sample_random_state
        )

    bunches = [make(0, None), make(0, 1), make(0, 2), make(1, 1)]
    assert_array_equal(bunches[1].symbols, make(0, 1).symbols)
    assert len({bunch.symbols.tobytes() for bunch in bunches}) == len(bunches)
    for table, same, other in zip(bunches[0].sampler.patches_[:-1], bunches[2].sampler.patches_,
                                  bunches[3].sampler.patches_):  # fmt: skip
        assert_array_equal(same, table)
        assert not np.array_equal(other, table)
    sampler = bunches[0].sampler
    assert_array_equal(sampler.sample(50, random_state=2)[0], bunches[2].images)


def test_strings_without_replacement_are_all_strings():
    rhm = make_random_hierarchy(512, depth=2, replace=False, return_X_y=False, random_state=0)
    assert len(np.unique(rhm.symbols, axis=0)) == 512
    assert "All strings of this sample differ" in rhm.DESCR
    with pytest.raises(ValueError, match=r"n_samples=513 .* 512 derivations"):
        make_random_hierarchy(513, depth=2, replace=False)
    with pytest.raises(ValueError, match=r"replace=False .* has noise"):
        make_random_hierarchy(1, corruption=0.1, replace=False)


def test_symbols_come_without_pixels():
    options = {"n_samples": 30, "random_state": 0}
    X, y = make_random_hierarchy(**options, output="symbols")
    bunch = make_random_hierarchy(**options, output="symbols", return_X_y=False)
    pixels = make_random_hierarchy(**options, return_X_y=False)
    assert X.dtype == np.uint8
    assert "images" not in bunch
    assert "images:" not in bunch.DESCR
    for symbols in (X, bunch.symbols):
        assert_array_equal(symbols, pixels.symbols)
    for target in (y, bunch.target):
        assert_array_equal(target, pixels.target)


def test_rule_weights_are_those_of_each_level():
    def weights(rule_weights):
        rhm = make_random_hierarchy(
            2, n_synonyms=3, depth=2, rule_weights=rule_weights, return_X_y=False, random_state=0
        )
        return [level[0] for level in rhm.sampler.rule_weights_]

    def zipf(exponent):
        return np.arange(1, 4.0) ** -exponent / (np.arange(1, 4.0) ** -exponent).sum()

    for given, expected in [
        (1.5, [zipf(1.5)] * 2),
        ([2.0, 0.5], [zipf(2.0), zipf(0.5)]),
        (["zipf", "uniform"], [zipf(1), zipf(0)]),
        (np.array([2.0, 1, 1]), [[0.5, 0.25, 0.25]] * 2),
    ]:
        assert_allclose(weights(given)[:-1], expected)
        assert weights(given)[-1] == 1
    with pytest.raises(ValueError, match=r"rule_weights=\[1.0\] has 1 entries, but depth=2"):
        weights([1.0])
    with pytest.raises(ValueError, match=r"rule_weights=\[3, 1\] is ambiguous"):
        make_random_hierarchy(1, n_synonyms=2, depth=2, rule_weights=[3, 1])
