import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skhier.datasets import make_random_hierarchy, make_sparse_random_hierarchy

SIZES = {
    "small": {"n_classes": 2, "vocabulary_size": 2, "n_synonyms": 2, "depth": 2},
    "triples": {"n_classes": 3, "vocabulary_size": 3, "n_synonyms": 9, "tuple_size": 3, "depth": 2},
    "one level": {"n_classes": 5, "vocabulary_size": 4, "n_synonyms": 3, "depth": 1},
    "single symbols": {
        "n_classes": 4,
        "vocabulary_size": 4,
        "n_synonyms": 1,
        "tuple_size": 1,
        "depth": 2,
    },
}


def draw(name, n_empty, n_samples=200):
    return make_sparse_random_hierarchy(
        n_samples, n_empty=n_empty, return_X_y=False, random_state=0, **SIZES[name]
    )


@pytest.mark.parametrize("n_empty", [0, 1, 3])
@pytest.mark.parametrize("name", SIZES)
def test_without_empty_places_strings_are_strings_of_the_dense_model(name, n_empty):
    srhm = draw(name, n_empty)
    dense = make_random_hierarchy(
        1, return_X_y=False, random_state=0, **{"depth": 2, **SIZES[name]}
    )
    v, depth = dense.images.shape[-1], dense.sampler.n_levels - 1
    s = dense.sampler.patches_[0].shape[3]
    assert srhm.images.shape == (200, 1, (s * (n_empty + 1)) ** depth, v)
    assert_array_equal(srhm.images[:, 0], np.eye(v + 1, v)[srhm.symbols])
    is_symbol = srhm.symbols < v
    assert (is_symbol.sum(axis=1) == s**depth).all()
    strings = srhm.symbols[is_symbol].reshape(200, 1, s**depth)
    labels = dense.sampler.inverse_transform(np.eye(v, dtype=np.float32)[strings])
    assert_array_equal(labels.ravel(), srhm.target)


@pytest.mark.parametrize("name", SIZES)
def test_each_symbol_has_a_group_of_places_of_its_own(name):
    srhm = draw(name, 2)
    v = srhm.images.shape[-1]
    for tuples, places in zip(srhm.latents[1::2], srhm.latents[2::2]):
        is_symbol = places.reshape(len(places), -1, 3) < v
        assert_array_equal(is_symbol.sum(axis=2), tuples[:, 0] < v)
        # Every place is used equally often.
        share = is_symbol.sum(axis=(0, 1)) / is_symbol.sum()
        assert (abs(share - 1 / 3) < 5 / np.sqrt(is_symbol.sum())).all()


@pytest.mark.parametrize(("name", "n_empty"), [("small", 1), ("triples", 2), ("one level", 3)])
def test_the_number_of_strings_is_that_of_rules_times_that_of_places(name, n_empty):
    sampler = draw(name, n_empty, 1).sampler
    sizes = {"tuple_size": 2, **SIZES[name]}
    s, depth = sizes["tuple_size"], sizes["depth"]
    n_choices = sum(s**level for level in range(depth))
    n_strings = sizes["n_classes"] * sizes["n_synonyms"] ** n_choices
    exact = sampler.statistics()
    assert exact.n_images[-1] == n_strings * (n_empty + 1) ** (s * n_choices)
    assert_allclose(exact.entropy[-1], np.log(float(exact.n_images[-1])))
    assert sampler.check_assumptions()[1].holds  # no tuple has two parses


@pytest.mark.parametrize("name", SIZES)
def test_strings_are_parsed_and_have_their_exact_probability(name):
    srhm = draw(name, 1, 20)
    for parsed, drawn in zip(srhm.sampler.parse(srhm.images), srhm.latents, strict=True):
        assert_array_equal(parsed, drawn)
    n_strings = srhm.sampler.statistics().n_images[-1]
    assert_allclose(srhm.sampler.score_samples(srhm.images), -np.log(float(n_strings)))
    moved = np.roll(srhm.images, 1, axis=2)  # a symbol leaves its group of places
    possible = np.isfinite(srhm.sampler.score_samples(moved))
    n_places = srhm.images.shape[2]
    groups = (np.roll(srhm.symbols, 1, axis=1) < srhm.images.shape[-1]).reshape(
        20, n_places // 2, 2
    )
    assert not possible[(groups.sum(axis=2) > 1).any(axis=1)].any()


@pytest.mark.parametrize("name", ["small", "triples"])
def test_synonyms_and_places_are_exchanged_apart(name):
    srhm = draw(name, 2)
    v, sampler = srhm.images.shape[-1], srhm.sampler
    options = {"return_latents": True, "output": "symbols"}
    for level in (0, 2):
        _, y, new = sampler.resample(range(200), level, 1, until=level + 1, **options)
        assert_array_equal(y, srhm.target)
        assert_array_equal(new[level], srhm.latents[level])
        for i in range(level + 1, 5):
            assert_array_equal(new[i] == v, srhm.latents[i] == v)  # no symbol has moved
        assert (new[level + 1] != srhm.latents[level + 1]).any()
    symbols, _, new = sampler.resample(range(200), 3, 1, **options)
    assert_array_equal(new[3], srhm.latents[3])
    assert_array_equal(symbols[symbols < v], srhm.symbols[srhm.symbols < v])  # none has changed
    assert ((symbols == v) != (srhm.symbols == v)).any()
    assert (sampler.validity(symbols=symbols).images == 1).all()
    for until in (2, 6, "3"):
        with pytest.raises(ValueError, match=r"until=.* is not valid"):
            sampler.resample([0], 2, 1, until=until)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"n_empty": -1}, "n_empty=-1 is not valid"),
        ({"n_empty": 0.5}, "n_empty=0.5 is not valid"),
        ({"vocabulary_size": 1}, "vocabulary_size=1 is not valid"),
        ({"n_synonyms": 9}, "n_synonyms=9 tuples for each of 8 symbols"),
        ({"return_X_y": "no"}, "return_X_y='no' is not valid"),
    ],
)
def test_impossible_models_are_refused(params, message):
    with pytest.raises(ValueError, match=message):
        make_sparse_random_hierarchy(5, **params)
