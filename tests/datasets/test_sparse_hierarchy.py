from math import comb

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


def draw(name, n_empty, n_samples=200, **options):
    options = {"random_state": 0, **SIZES[name], **options}
    return make_sparse_random_hierarchy(n_samples, n_empty=n_empty, return_X_y=False, **options)


def without_empty(level, empty):
    """Return the rows of a level without its empty pixels."""
    return level[level != empty].reshape(len(level), -1)


@pytest.mark.parametrize("sparsity", ["A", "B"])
@pytest.mark.parametrize("n_empty", [0, 1, 2])
@pytest.mark.parametrize("name", SIZES)
def test_without_empty_places_strings_are_strings_of_the_dense_model(name, n_empty, sparsity):
    srhm = draw(name, n_empty, sparsity=sparsity)
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


def test_sparsity_b_puts_the_symbols_of_a_tuple_at_any_places_in_their_order():
    srhm = draw("small", 1, 5000, sparsity="B")
    for places in srhm.latents[2::2]:
        is_symbol = places.reshape(-1, 4) < 2
        _, counts = np.unique(is_symbol[is_symbol.any(axis=1)], axis=0, return_counts=True)
        assert len(counts) == comb(4, 2)
        assert (abs(counts / counts.sum() - 1 / 6) < 5 / np.sqrt(6 * counts.sum())).all()


@pytest.mark.parametrize("sparsity", ["A", "B"])
@pytest.mark.parametrize(("name", "n_empty"), [("small", 1), ("triples", 2), ("one level", 3)])
def test_the_number_of_strings_is_that_of_rules_times_that_of_places(name, n_empty, sparsity):
    sampler = draw(name, n_empty, 1, sparsity=sparsity).sampler
    sizes = {"tuple_size": 2, **SIZES[name]}
    s, depth = sizes["tuple_size"], sizes["depth"]
    n_choices = sum(s**level for level in range(depth))
    n_strings = sizes["n_classes"] * sizes["n_synonyms"] ** n_choices
    exact = sampler.statistics()
    placements = {"A": (n_empty + 1) ** s, "B": comb(s * (n_empty + 1), s)}[sparsity]
    assert exact.n_images[-1] == n_strings * placements**n_choices
    assert_allclose(exact.entropy[-1], np.log(float(exact.n_images[-1])))
    assert sampler.check_assumptions()[1].holds  # no tuple has two parses


@pytest.mark.parametrize("sparsity", ["A", "B"])
def test_without_replacement_every_string_is_drawn_once(sparsity):
    sizes = {"n_classes": 2, "vocabulary_size": 2, "n_synonyms": 1, "depth": 2}
    options = {"sparsity": sparsity, "return_X_y": False, "random_state": 0, **sizes}
    sampler = make_sparse_random_hierarchy(1, **options).sampler
    count = sampler.statistics().n_images[-1]
    X, y = sampler.sample(count, output="symbols", replace=False, random_state=1)
    assert len({row.tobytes() for row in X}) == count == {"A": 2 * 4**3, "B": 2 * 6**3}[sparsity]
    assert_array_equal(np.bincount(y), count // 2)
    options |= {"output": "symbols", "replace": False, "sample_random_state": 1}
    assert_array_equal(make_sparse_random_hierarchy(count, **options).symbols, X)
    with pytest.raises(ValueError, match=f"each of the {count} derivations"):
        make_sparse_random_hierarchy(count + 1, **options)


@pytest.mark.parametrize("sparsity", ["A", "B"])
@pytest.mark.parametrize("name", SIZES)
def test_strings_are_parsed_and_have_their_exact_probability(name, sparsity):
    srhm = draw(name, 1, 20, sparsity=sparsity)
    for parsed, drawn in zip(srhm.sampler.parse(srhm.images), srhm.latents, strict=True):
        assert_array_equal(parsed, drawn)
    n_strings = srhm.sampler.statistics().n_images[-1]
    assert_allclose(srhm.sampler.score_samples(srhm.images), -np.log(float(n_strings)))


@pytest.mark.parametrize("name", SIZES)
def test_symbols_outside_their_own_places_are_impossible(name):
    srhm = draw(name, 1, 20)
    moved = np.roll(srhm.images, 1, axis=2)  # a symbol leaves its group of places
    possible = np.isfinite(srhm.sampler.score_samples(moved))
    n_places = srhm.images.shape[2]
    groups = (np.roll(srhm.symbols, 1, axis=1) < srhm.images.shape[-1]).reshape(
        20, n_places // 2, 2
    )
    assert not possible[(groups.sum(axis=2) > 1).any(axis=1)].any()


@pytest.mark.parametrize("sparsity", ["A", "B"])
@pytest.mark.parametrize("name", ["small", "triples"])
def test_synonyms_and_places_are_exchanged_apart(name, sparsity):
    srhm = draw(name, 2, sparsity=sparsity)
    v, sampler = srhm.images.shape[-1], srhm.sampler
    empty = [n - (i > 1) for i, n in enumerate(sampler.n_classes_)]  # level 0 and 1 have none
    options = {"return_latents": True, "output": "symbols"}
    for level in (0, 2):
        _, y, new = sampler.resample(range(200), level, 1, until=level + 1, **options)
        assert_array_equal(y, srhm.target)
        assert_array_equal(new[level], srhm.latents[level])
        for i in range(level + 1, 5):
            assert_array_equal(new[i] == empty[i], srhm.latents[i] == empty[i])  # none has moved
        assert (new[level + 1] != srhm.latents[level + 1]).any()
    for level in (1, 3):
        symbols, y, new = sampler.resample(range(200), level, 1, until=level + 1, **options)
        assert_array_equal(y, srhm.target)
        for i in range(5):  # each symbol moves with its subtree
            assert_array_equal(
                without_empty(new[i], empty[i]), without_empty(srhm.latents[i], empty[i])
            )
        assert ((symbols == v) != (srhm.symbols == v)).any()
        assert (sampler.validity(symbols=symbols).images == 1).all()
    for until in (2, 6, "3"):
        with pytest.raises(ValueError, match=r"until=.* is not valid"):
            sampler.resample([0], 2, 1, until=until)


@pytest.mark.parametrize("sparsity", ["A", "B"])
def test_ints_of_numpy_are_accepted(sparsity):
    sizes = {
        "n_classes": 2, "vocabulary_size": 16, "n_synonyms": 16, "tuple_size": 2, "depth": 2,
        "n_empty": 1,
    }  # fmt: skip
    as_numpy = {name: np.uint8(value) for name, value in sizes.items()}
    options = {"sparsity": sparsity, "output": "symbols", "random_state": 0}
    X, same = (make_sparse_random_hierarchy(20, **s, **options)[0] for s in (sizes, as_numpy))
    assert_array_equal(X, same)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"n_empty": -1}, "n_empty=-1 is not valid"),
        ({"n_empty": 0.5}, "n_empty=0.5 is not valid"),
        ({"sparsity": "B", "tuple_size": 4, "n_empty": 10}, "32 tuples have 135751 placements"),
        ({"sparsity": "C"}, "sparsity='C' is not valid: it takes 'A' or 'B'"),
        ({"vocabulary_size": 1}, "vocabulary_size=1 is not valid"),
        ({"n_synonyms": 9}, "n_synonyms=9 tuples for each of 8 symbols"),
        ({"return_X_y": "no"}, "return_X_y='no' is not valid"),
    ],
)
def test_impossible_models_are_refused(params, message):
    with pytest.raises(ValueError, match=message):
        make_sparse_random_hierarchy(5, **params)


@pytest.mark.parametrize("replace", [True, False])
@pytest.mark.parametrize("sparsity", ["A", "B"])
def test_strings_do_not_depend_on_batches_or_threads(sparsity, replace):
    sampler = draw("small", 1, 1, sparsity=sparsity).sampler
    options = {"output": "symbols", "random_state": 3, "replace": replace}
    X, _ = sampler.sample(50, **options)
    batches = sampler.set_params(n_jobs=2).iter_batches(50, 7, **options)
    assert_array_equal(np.concatenate([rows for rows, _ in batches]), X)
    assert_array_equal(sampler.sample_at(np.arange(49, -1, -1), **options)[0], X[::-1])


@pytest.mark.parametrize("sparsity", ["A", "B"])
def test_posteriors_of_masked_strings_are_sums_over_all_strings(sparsity):
    sampler = draw("small", 1, 1, sparsity=sparsity).sampler
    strings, y = sampler.sample(
        sampler.statistics().n_images[-1], output="symbols", replace=False, random_state=0
    )
    rng = np.random.default_rng(0)
    given = strings[rng.integers(len(strings), size=10)]
    mask = rng.random(given.shape) < 0.6
    labels = sampler.bayes_predict_proba(symbols=given, mask=mask)
    symbols = sampler.posterior(symbols=given, mask=mask, level=4)
    for i in range(10):
        is_like = ((strings == given[i]) | mask[i]).all(axis=1)
        share = np.bincount(y[is_like], minlength=2) / is_like.sum()
        assert_allclose(labels[i], share, atol=1e-12)
        shares = (strings[is_like][..., None] == np.arange(3)).mean(axis=0)
        assert_allclose(symbols[i].reshape(shares.shape), shares, atol=1e-12)
