"""The end-to-end network that benchmarks compare with."""

from itertools import count

import _cnn
import numpy as np
import pytest
import torch
from _cnn import Augmentation, CNNClassifier, one_cycle, reduced, whitening_convolution
from sklearn.datasets import load_digits
from torch.nn import functional as F


@pytest.fixture(scope="module")
def digits():
    """Return images in float32 and their labels."""
    return load_digits().images.astype(np.float32), load_digits().target


def test_it_learns_digits(digits):
    X, y = digits
    cnn = CNNClassifier(n_epochs=5, random_state=0).fit(X[:1000], y[:1000])
    assert cnn.score(X[1000:], y[1000:]) > 0.94


def test_whitened_patches_have_a_diagonal_covariance_in_both_signs(digits):
    X = torch.from_numpy(digits[0][:200, None])
    eps = 1e-2
    responses = whitening_convolution(X, eps)(X).detach().double()
    positive, negative = responses.transpose(0, 1).flatten(1).chunk(2)
    torch.testing.assert_close(negative, -positive)
    patches = F.unfold(X.double(), 2).transpose(0, 1).flatten(1)
    values = torch.linalg.eigvalsh(patches.cov())
    expected = torch.diag(values / (values + eps * values.mean()))
    torch.testing.assert_close(positive.cov(), expected, atol=1e-3, rtol=0)


def test_the_clock_ends_the_training(digits, monkeypatch):
    seconds = count()  # the clock advances by one second each time it is read
    monkeypatch.setattr(_cnn.time, "perf_counter", lambda: next(seconds))
    X, y = digits[0][:64], digits[1][:64]
    assert CNNClassifier(seconds=10, random_state=0).fit(X, y).n_steps_ == 9
    assert CNNClassifier(seconds=10, n_epochs=4, random_state=0).fit(X, y).n_steps_ == 4


def test_the_learning_rate_rises_and_falls_once():
    rates = [one_cycle(progress) for progress in np.linspace(0, 1, 101)]
    assert (rates[0], max(rates), rates[-1]) == (0, 1, 0)
    assert np.count_nonzero(np.diff(np.sign(np.diff(rates)))) == 1


def test_the_same_seed_gives_the_same_network_and_global_generators_are_untouched(digits):
    X, y = digits[0][:150], digits[1][:150]
    cnn = CNNClassifier(n_epochs=2, mirror=True, random_state=3)
    state = torch.get_rng_state()
    p = cnn.fit(X, y).predict_proba(X)
    torch.testing.assert_close(torch.get_rng_state(), state, rtol=0, atol=0)
    np.testing.assert_array_equal(cnn.fit(X, y).predict_proba(X), p)


def test_shifted_images_are_windows_of_the_reflected_image():
    X = torch.rand(6, 2, 7, 5)
    shifted = Augmentation(6, shift=2, mirror=False)(X, torch.arange(6), epoch=0)
    wide = F.pad(X, [2] * 4, mode="reflect")
    windows = wide.unfold(2, 7, 1).unfold(3, 5, 1).flatten(2, 3)
    assert (windows == shifted[:, :, None]).all(dim=(1, 3, 4)).any(dim=1).all()


def test_every_image_is_mirrored_in_one_of_two_epochs():
    X, rows = torch.rand(20, 1, 4, 4), torch.arange(20)
    augment = Augmentation(20, shift=0, mirror=True)
    epochs = torch.stack([augment(X, rows, epoch) for epoch in (0, 1)])
    torch.testing.assert_close(epochs.sum(dim=0), X + X.flip(3))
    assert ((epochs == X) | (epochs == X.flip(3))).all(dim=(2, 3, 4)).all()


def test_mirror_images_have_the_same_probabilities(digits):
    X, y = digits[0][:100], digits[1][:100]
    cnn = CNNClassifier(n_epochs=1, mirror=True, random_state=0).fit(X, y)
    p, p_mirror = (cnn.predict_proba(images) for images in (X, X[:, :, ::-1].copy()))
    np.testing.assert_allclose(p_mirror, p, atol=1e-6)


@pytest.mark.parametrize("shape", [(2, 3), (5, 19, 1), (33, 8, 3), (70, 40)])
def test_images_of_any_size(shape):
    X = np.random.default_rng(0).random((9, *shape))
    y = np.array(list("abc") * 3)
    p = CNNClassifier(n_epochs=1, random_state=0).fit(X, y).predict_proba(X)
    assert p.shape == (9, 3)
    np.testing.assert_allclose(p.sum(axis=1), 1, rtol=1e-5)


def test_large_images_are_reduced_by_means():
    X = np.random.default_rng(0).random((2, 9, 6, 3), dtype=np.float32)
    small = reduced(X, max_side=3).permute(0, 2, 3, 1).numpy()
    blocks = X.reshape(2, 3, 3, 2, 3, 3).mean(axis=(2, 4))
    np.testing.assert_allclose(small, blocks, rtol=1e-5)


def test_training_without_an_end_is_refused(digits):
    with pytest.raises(ValueError, match=r"seconds=None and n_epochs=None: .* positive"):
        CNNClassifier().fit(*digits)
