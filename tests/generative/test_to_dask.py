import pickle
import sys
from collections import Counter
from copy import copy

import dask
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from skhier import HierarchicalSampler
from skhier.generative._drawing import Drawer


@pytest.fixture(scope="module")
def sampler():
    return HierarchicalSampler(label_noise=0.2, pixel_noise=0.5, random_state=0).fit()


@st.composite
def noisy_samplers(draw):
    n_levels = draw(st.integers(1, 3))
    return HierarchicalSampler(
        n_levels,
        patch_size=draw(st.sampled_from([2, (1, 3)])),
        patches_per_class=3,
        n_channels=draw(st.sampled_from([1, 3])),
        root=draw(st.sampled_from(["images", "label"])),
        n_labels=draw(st.integers(2, 4)),
        overlap=draw(st.sampled_from([0.0, 0.5])),
        label_noise=draw(st.sampled_from([0.0, 0.3])),
        symbol_noise=draw(st.sampled_from([0.0, 0.3])),
        pixel_noise=draw(st.sampled_from([0.0, 0.5])),
        n_jobs=draw(st.sampled_from([None, 2])),
        random_state=draw(st.integers(0, 1000)),
    ).fit()


@st.composite
def counts_and_chunks(draw):
    """Draw a number of samples and a valid value of `chunks`."""
    sizes = tuple(draw(st.lists(st.integers(1, 40), min_size=1, max_size=8)))
    n = sum(sizes)
    return n, draw(st.sampled_from([sizes, "auto", draw(st.integers(1, n + 5))]))


@given(noisy_samplers(), counts_and_chunks(), st.sampled_from([None, 7]))
def test_chunks_hold_the_samples_of_sample(sampler, n_and_chunks, random_state):
    n, chunks = n_and_chunks
    expected = sampler.sample(n, random_state=random_state)
    lazy = sampler.to_dask(n, chunks, random_state=random_state)
    for values, array in zip(expected, lazy, strict=True):
        assert (array.shape, array.dtype) == (values.shape, values.dtype)
        computed = array.compute(scheduler="sync")
        assert computed.dtype == values.dtype
        assert_array_equal(computed, values)
    X, y = lazy
    assert X.chunks == (*y.chunks, *((size,) for size in X.shape[1:]))
    if isinstance(chunks, tuple):
        assert y.chunks == (chunks,)
    elif chunks != "auto":
        assert all(rows == chunks for rows in y.chunks[0][:-1])
        assert y.chunks[0][-1] <= chunks


def test_labels_may_be_strings():
    sampler = HierarchicalSampler(1, root_shape=(1, 2), random_state=0)
    sampler.fit([["a", "b"], ["b", "a"]], ["first", "second"])
    _, y = sampler.to_dask(50, 20)
    assert y.dtype == sampler.classes_.dtype
    assert_array_equal(y.compute(scheduler="sync"), sampler.sample(50)[1])


def test_to_dask_advances_a_generator_as_sample_does(sampler):
    lazy, eager = np.random.RandomState(3), np.random.RandomState(3)
    arrays = [sampler.to_dask(20, 7, random_state=lazy)[0] for _ in range(2)]
    for array in reversed(arrays):
        array.compute(scheduler="sync")
    for array in arrays:
        expected = sampler.sample(20, random_state=eager)[0]
        assert_array_equal(array.compute(scheduler="sync"), expected)
    assert not np.array_equal(*dask.compute(*arrays, scheduler="sync"))


def test_a_later_fit_changes_no_array():
    sampler = HierarchicalSampler(1, random_state=0).fit()
    expected, _ = sampler.sample(30)
    X, _ = sampler.to_dask(30, 10)
    sampler.set_params(patch_size=2, random_state=1).fit()
    assert_array_equal(X.compute(scheduler="sync"), expected)


def test_names_of_arrays_depend_on_their_samples_only(sampler):
    def name(sampler, *args, **kwargs):
        return sampler.to_dask(*args, **kwargs)[0].name

    threads = copy(sampler).set_params(n_jobs=2)
    assert name(sampler, 100, 30) == name(threads, 100, 30)
    others = [
        name(sampler, 100, 30),
        name(sampler, 101, 30),
        name(sampler, 100, 31),
        name(sampler, 100, 30, random_state=1),
        name(HierarchicalSampler().fit(), 100, 30, random_state=0),
        name(HierarchicalSampler().fit(), 100, 30, random_state=0),
    ]
    assert len(set(others)) == len(others)


@pytest.mark.parametrize(
    "computed",
    [
        lambda X, y: (X, y),
        lambda X, y: (X.sum(), y.sum()),
        lambda X, y: (X[y == 1].mean(axis=0),),
        lambda X, y: (X.sum(axis=(1, 2)) * y,),
        lambda X, y: (X.rechunk((70, -1, -1)), y.rechunk(70)),
        lambda X, y: (y,),
    ],
)
def test_no_chunk_is_drawn_twice(sampler, monkeypatch, computed):
    draw, drawn = Drawer.draw, []

    def spy(self, indices, *args, **kwargs):
        drawn.extend(indices)
        return draw(self, indices, *args, **kwargs)

    monkeypatch.setattr(Drawer, "draw", spy)
    dask.compute(*computed(*sampler.to_dask(300, 40)), scheduler="sync")
    assert sorted(drawn) == list(range(300))


def test_the_graph_holds_the_drawer_once_and_little_else(sampler):
    def graph(n_chunks):
        (optimized,) = dask.optimize(sampler.to_dask(1000 * n_chunks, 1000))
        return [dict(array.dask) for array in optimized]

    for tasks in graph(50):
        kinds = Counter("drawer" if "Drawer" in str(key) else "task" for key in tasks)
        assert kinds["drawer"] == 1
    few, many = (len(pickle.dumps(sampler.to_dask(1000 * n, 1000)[0].dask)) for n in (1, 1001))
    assert few < 3 * len(pickle.dumps(sampler))
    assert (many - few) / 1000 < 200


def test_auto_chunks_have_about_64_megabytes(sampler):
    X, _ = sampler.to_dask(10**6)
    assert 60e6 < X.blocks[0].nbytes < 70e6
    large = HierarchicalSampler(1, patch_size=4096, patches_per_class=1, root="label").fit()
    assert large.to_dask(2)[0].numblocks == (2, 1, 1)


@pytest.mark.parametrize("scheduler", ["threads", "processes"])
def test_every_scheduler_gives_the_same_samples(sampler, scheduler):
    computed = dask.compute(*sampler.to_dask(300, 70), scheduler=scheduler, num_workers=2)
    for values, expected in zip(computed, sampler.sample(300), strict=True):
        assert_array_equal(values, expected)


def test_a_cluster_gives_the_same_samples(sampler, cluster):
    X, y = sampler.to_dask(2000, 300)
    expected_X, expected_y = sampler.sample(2000)
    computed = cluster.gather(cluster.compute([X, y]))
    assert_array_equal(computed[0], expected_X)
    assert_array_equal(computed[1], expected_y)
    with cluster.as_current():
        mean = X[y == 1].mean(axis=0).compute()
    np.testing.assert_allclose(mean, expected_X[expected_y == 1].mean(axis=0), atol=1e-5)


@pytest.mark.parametrize(
    "chunks", [0, -1, 2.5, None, "10MB", [5, 5], (), (5, 4), (5, 6), (10, 0), (11, -1), (5.0, 5.0)]
)
def test_invalid_chunks_are_refused(sampler, chunks):
    rng = np.random.RandomState(0)
    with pytest.raises(ValueError, match=r"chunks=.* is not valid: .* n_samples=10\.") as refused:
        sampler.to_dask(10, chunks, random_state=rng)
    assert repr(chunks) in str(refused.value)
    assert rng.randint(2**31) == np.random.RandomState(0).randint(2**31)


def test_invalid_arguments_are_refused(sampler):
    with pytest.raises(ValueError, match="n_samples=0 is not valid"):
        sampler.to_dask(0)
    with pytest.raises(ValueError, match="random_state=-1 is not valid"):
        sampler.to_dask(10, random_state=-1)


def test_ints_of_numpy_are_accepted(sampler):
    chunks = (np.uint8(200), np.uint8(100))
    assert sampler.to_dask(np.int16(300), chunks)[1].chunks == ((200, 100),)
    assert sampler.to_dask(np.int16(300), np.uint8(200))[1].chunks == ((200, 100),)


def test_without_dask_the_error_says_what_to_install(sampler, monkeypatch):
    monkeypatch.delitem(sys.modules, "skhier.generative._dask", raising=False)
    monkeypatch.setitem(sys.modules, "dask.array", None)
    with pytest.raises(ImportError, match="pip install dask distributed"):
        sampler.to_dask(10)
