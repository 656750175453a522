import pickle

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from torch.utils.data import BatchSampler, DataLoader, SequentialSampler

from skhier import HierarchicalSampler
from skhier.datasets import make_random_hierarchy
from skhier.generative import GrammarSampler


@pytest.fixture(scope="module")
def strings():
    return make_random_hierarchy(1, n_classes=2, return_X_y=False, random_state=0).sampler


@pytest.fixture(scope="module")
def pictures():
    return HierarchicalSampler(n_channels=3, pixel_noise=0.1, random_state=0).fit()


@pytest.mark.parametrize("layout", ["nchw", "ncl", "tokens"])
def test_rows_are_the_samples_of_sample(strings, layout):
    dataset = strings.to_torch_dataset(300, layout=layout, random_state=3)
    output = "symbols" if layout == "tokens" else "pixels"
    X, y = strings.sample(300, random_state=3, output=output)
    if layout == "nchw":
        X = X.transpose(0, 3, 1, 2)
    elif layout == "ncl":
        X = X[:, 0].transpose(0, 2, 1)
    rows, labels = dataset[range(300)]
    assert rows.dtype == (torch.int64 if layout == "tokens" else torch.float32)
    assert rows.is_contiguous()
    assert_array_equal(rows, X)
    assert_array_equal(labels, y)
    assert labels.dtype == torch.int64
    row, label = dataset[-1]
    assert_array_equal(row, X[-1])
    assert label == y[-1]
    assert len(dataset) == 300


def test_images_have_channels_first(pictures):
    X, y = pictures.sample(20, random_state=1)
    rows, labels = pictures.to_torch_dataset(20, random_state=1)[list(range(20))]
    assert_array_equal(rows, X.transpose(0, 3, 1, 2))
    # The labels of the sampler are -1 and 1.
    assert_array_equal(labels, (y + 1) // 2)
    tokens, _ = pictures.to_torch_dataset(20, layout="tokens", random_state=1)[0]
    assert tokens.shape == (9, 9)
    gray = HierarchicalSampler(random_state=0).fit().to_torch_dataset(5)
    assert gray[0][0].shape == (1, 27, 27)


@pytest.mark.parametrize("n_workers", [0, 2])
def test_loaders_read_every_sample_once(strings, n_workers):
    dataset = strings.to_torch_dataset(100, layout="tokens", random_state=1)
    X, y = strings.sample(100, random_state=1, output="symbols")
    by_sample = DataLoader(dataset, 33, num_workers=n_workers)
    batches = BatchSampler(SequentialSampler(dataset), 33, drop_last=False)
    by_batch = DataLoader(dataset, batch_size=None, sampler=batches, num_workers=n_workers)
    for loader in (by_sample, by_batch):
        rows, labels = (torch.cat(parts) for parts in zip(*loader))
        assert_array_equal(rows, X)
        assert_array_equal(labels, y)
        assert labels.dtype == torch.int64
    logits = torch.zeros(len(labels), 2)
    assert torch.nn.functional.cross_entropy(logits, labels).isfinite()


def test_shuffled_loaders_read_another_order(strings):
    dataset = strings.to_torch_dataset(64, layout="tokens", random_state=1)
    generator = torch.Generator().manual_seed(0)
    (rows, _), = DataLoader(dataset, 64, shuffle=True, generator=generator)  # fmt: skip
    assert sorted(rows.tolist()) == sorted(dataset[range(64)][0].tolist())


def test_batches_of_a_data_set_differ(strings):
    dataset = strings.to_torch_dataset(10**15, layout="tokens", random_state=1)
    loader = iter(DataLoader(dataset, 128))
    (first, _), (second, _) = next(loader), next(loader)
    assert not torch.equal(first, second)
    other = strings.to_torch_dataset(10**15, layout="tokens", random_state=2)
    assert not torch.equal(other[range(128)][0], first)


def test_parts_without_replacement_are_disjoint(strings):
    options = {"layout": "tokens", "random_state": 1, "replace": False}
    small = make_random_hierarchy(1, depth=2, return_X_y=False, random_state=0).sampler
    train = small.to_torch_dataset(400, **options)
    test = small.to_torch_dataset(112, first=400, **options)
    parts = [set(map(tuple, part[range(len(part))][0].tolist())) for part in (train, test)]
    assert [len(part) for part in parts] == [400, 112]
    assert not parts[0] & parts[1]


def test_pickles_are_small_and_draw_the_same(pictures):
    few, many = (pictures.to_torch_dataset(n, random_state=1) for n in (10, 10**12))
    assert abs(len(pickle.dumps(few)) - len(pickle.dumps(many))) < 50
    assert len(pickle.dumps(many)) < 2 * sum(t.nbytes for t in pictures.patches_) + 10_000
    same = pickle.loads(pickle.dumps(many))
    assert torch.equal(same[10**11][0], many[10**11][0])


def test_a_later_fit_changes_no_data_set():
    sampler = HierarchicalSampler(1, random_state=0).fit()
    dataset = sampler.to_torch_dataset(10)
    before = dataset[range(10)][0]
    sampler.set_params(patch_size=2, random_state=1).fit()
    assert torch.equal(dataset[range(10)][0], before)


def test_indices_out_of_range_and_invalid_layouts_are_refused(strings, pictures):
    dataset = strings.to_torch_dataset(10)
    for index in (10, -11, [0, 10], torch.tensor([3, -11])):
        with pytest.raises(IndexError):
            dataset[index]
    with pytest.raises(TypeError):
        dataset[0.5]
    with pytest.raises(ValueError, match="layout='nhwc' is not valid: it takes 'nchw'"):
        strings.to_torch_dataset(10, layout="nhwc")
    with pytest.raises(ValueError, match="layout='ncl' is not valid for images of 27x27 pixels"):
        pictures.to_torch_dataset(10, layout="ncl")
    with pytest.raises(ValueError, match="n_samples=0 is not valid"):
        strings.to_torch_dataset(0)


@pytest.mark.parametrize("layout", ["nchw", "ncl", "tokens"])
def test_no_indices_give_no_rows(strings, layout):
    dataset = strings.to_torch_dataset(5, layout=layout)
    (X, y), (some, _) = dataset[[]], dataset[[0]]
    assert (X.shape, X.dtype, len(y)) == ((0, *some.shape[1:]), some.dtype, 0)
    assert dataset.__getitems__([]) == []
    assert [len(rows) for rows in strings.sample_at(np.array([], int))] == [0, 0]


def test_no_indices_give_no_strings_of_a_grammar():
    dataset = GrammarSampler([[[(0, 1), (1,)]]], random_state=0).fit().to_torch_dataset(5)
    X, y = dataset[[]]
    assert (X.shape, y.shape) == ((0, 2), (0,))
