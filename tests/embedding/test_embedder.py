"""TwoLayerConvEmbedder: its solvers, sums over classes, early stopping and errors."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone

from skhier import HierarchicalSampler, TwoLayerConvEmbedder
from skhier.embedding._codes import ChannelMoments, ClassSums


@pytest.fixture(params=[2, 3], ids=["two labels", "three labels"])
def codes(request):
    """Return codes (90, 3, 2, 5) whose means differ between labels, and labels."""
    rng = np.random.default_rng(0)
    y = rng.integers(request.param, size=90)
    X = rng.standard_normal((90, 3, 2, 5)) + y[:, None, None, None] * rng.standard_normal(5)
    return X, y


def fit(X, y, **params):
    """Fit without scaling of channels, as in the paper, unless `params` set it."""
    params = {"n_components": 4, "scale_channels": False, "random_state": 0} | params
    return TwoLayerConvEmbedder(**params).fit(X, y)


def test_exact_gives_the_kernels_of_many_steps_of_gradient_descent(codes):
    X, y = codes
    exact = fit(X, y, solver="exact", learning_rate=0.01, max_iter=300)
    gd = fit(X, y, solver="gd", learning_rate=0.01, max_iter=300)
    assert_allclose(exact.kernels_, gd.kernels_, rtol=1e-10)
    assert_array_equal(exact.readout_, gd.readout_)
    assert exact.n_iter_ == gd.n_iter_ == 300
    assert_allclose(exact.loss_curve_[0], gd.loss_curve_[0])
    fewer_steps = fit(X, y, solver="exact", learning_rate=0.01, max_iter=299)
    assert_allclose(fewer_steps.loss_curve_[-1], gd.loss_curve_[-1])


def ascent(X, y, readout):
    """Return E[y X] W_0, the negative gradient of the linear loss, from all codes at once."""
    n_labels = len(np.unique(y))
    signs = (2 * y - 1)[:, None] if n_labels == 2 else np.eye(n_labels)[y] - np.bincount(y) / len(y)
    mean_yX = np.einsum("ij,ihwc->jhwc", signs, X) / len(X)
    return np.einsum("jhwc,hwnj->cn", mean_yX, readout)


def test_lemma_3_kernels_are_K0_plus_eta_T_times_mean_yX_W0(codes):
    X, y = codes
    K_0 = fit(X, y, max_iter=0).kernels_
    embedder = fit(X, y, learning_rate=0.1, max_iter=50)
    assert_allclose(embedder.kernels_, K_0 + 0.1 * 50 * ascent(X, y, embedder.readout_))


@pytest.mark.parametrize("solver", ["exact", "gd"])
def test_lemma_3_holds_for_codes_of_several_batches(solver):
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((5000, 3, 2, 125)), rng.integers(2, size=5000)
    assert X.nbytes == 30e6  # a batch takes 8 MB
    K_0 = fit(X, y, max_iter=0).kernels_
    embedder = fit(X, y, solver=solver, learning_rate=0.1, max_iter=5)
    assert_allclose(embedder.kernels_, K_0 + 0.1 * 5 * ascent(X, y, embedder.readout_))


@pytest.mark.parametrize(
    "params", [{}, {"solver": "gd", "max_iter": 5}, {"solver": "adam", "max_iter": 5}], ids=str
)
def test_scaled_channels_are_codes_divided_by_their_standard_deviations(codes, params):
    X, y = codes
    X = X * [1, 10, 0.1, 3, 0] + [0, 1, 2, 3, 4]
    # The last channel is constant: it has no information, and its kernels are 0.
    std = np.where(np.arange(5) < 4, X.std(axis=(0, 1, 2)), np.inf)
    if "solver" in params and params["solver"] == "adam":
        params = params | {"loss": "cross_entropy"}
    scaled = fit(X, y, scale_channels=True, **params)
    reference = fit(X / std, y, **params)
    assert_allclose(scaled.kernels_, reference.kernels_ / std[:, None], rtol=1e-8)
    assert_allclose(scaled.transform(X), reference.transform(X / std), rtol=1e-8)
    assert_allclose(scaled.loss_curve_, reference.loss_curve_)


def test_moments_of_label_maps_are_moments_of_one_hot_codes():
    labels = torch.from_numpy(np.random.default_rng(0).integers(6, size=(20, 3, 2)))
    one_hot = torch.nn.functional.one_hot(labels, 7).double()
    scales = []
    for codes in (labels, one_hot):
        moments = ChannelMoments(7, torch.float64)
        moments.add(codes, None)
        scales.append(moments.scale())
    assert_allclose(*scales)
    assert_allclose(scales[0][:6], 1 / one_hot.flatten(0, 2).std(dim=0, correction=0)[:6])
    assert scales[0][6] == 0  # the last channel is constant


def test_initial_kernels_lie_on_the_sphere_of_the_paper(codes):
    K_0 = fit(*codes, max_iter=0, init_scale=3.0).kernels_
    assert_allclose(np.linalg.norm(K_0, axis=0), 3.0 / (2 * np.sqrt(4)))


def test_initial_readout_has_the_distribution_of_the_paper(codes):
    X, y = codes
    W = TwoLayerConvEmbedder(400, max_iter=0, random_state=0).fit(X, y).readout_
    assert abs(W.mean()) < 5 / np.sqrt(W.size)
    assert abs(W.var() - 1) < 5 * np.sqrt(2 / W.size)
    W = fit(X, y, max_iter=0, readout_init="sphere").readout_
    assert_allclose(np.linalg.norm(W, axis=(0, 1)), 1)


def test_sgd_with_batch_size_1_follows_appendix_B(codes):
    # The linear loss has the gradient -y_t X_t W_0 at step t, whatever K is.
    X, y = codes
    sgd = fit(X, y, solver="sgd", batch_size=1, learning_rate=0.1, max_iter=len(X))
    epoch = fit(X, y, solver="exact", learning_rate=0.1, max_iter=len(X))
    assert_allclose(sgd.kernels_, epoch.kernels_, rtol=1e-10)  # one step with each image
    assert len(sgd.loss_curve_) == sgd.n_iter_ == len(X)


@pytest.mark.parametrize("solver", ["gd", "sgd", "adam"])
@pytest.mark.parametrize("train_readout", [True, False])
def test_cross_entropy_falls(codes, solver, train_readout):
    embedder = fit(
        *codes,
        n_components=16,  # enough for a random readout that is not trained
        loss="cross_entropy",
        solver=solver,
        train_readout=train_readout,
        learning_rate=0.1,
        max_iter=300,
    )
    first, last = embedder.loss_curve_[:10].mean(), embedder.loss_curve_[-10:].mean()
    assert last < 0.9 * first
    assert embedder.readout_.shape == (3, 2, 16, len(np.unique(codes[1])))
    assert embedder.readout_bias_.any() == train_readout


@pytest.mark.parametrize("solver", ["sgd", "adam"])
def test_early_stopping_keeps_the_network_of_the_lowest_validation_loss(solver):
    # Labels are noise, so the validation loss soon rises while the training loss falls.
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((60, 3, 2, 40)), rng.integers(2, size=60)
    params = dict(loss="cross_entropy", solver=solver, learning_rate=0.05, batch_size=10)
    long = fit(X, y, early_stopping=True, n_iter_no_change=1000, max_iter=300, **params)
    best = int(long.validation_losses_.argmin()) + 1
    assert len(long.validation_losses_) == -(-300 // 6) > best
    short = fit(X, y, early_stopping=True, n_iter_no_change=3, max_iter=300, **params)
    assert len(short.validation_losses_) < len(long.validation_losses_)
    assert short.n_iter_ == 6 * len(short.validation_losses_)
    # 54 images in batches of 10 are 6 steps an epoch. This fit ends with the best epoch.
    until_best = fit(X, y, early_stopping=True, max_iter=6 * best, **params)
    assert_array_equal(long.kernels_, until_best.kernels_)
    assert fit(X, y, max_iter=5, **params).validation_losses_ is None


def test_validation_losses_are_weighted_means():
    """Of codes that are 0, the network knows nothing: each loss is log 2."""
    rng = np.random.default_rng(0)
    X, y, weight = np.zeros((60, 3, 2, 4)), rng.integers(2, size=60), rng.uniform(0.1, 9, 60)
    params = dict(loss="cross_entropy", solver="sgd", train_readout=False, max_iter=20)
    embedder = TwoLayerConvEmbedder(2, early_stopping=True, random_state=0, **params)
    embedder.fit(X, y, sample_weight=weight)
    assert_allclose(embedder.validation_losses_, np.log(2), rtol=1e-5)


def test_transform_is_a_1x1_convolution(codes):
    X, y = codes
    embedder = fit(X, y)
    assert_allclose(embedder.transform(X), X @ embedder.kernels_)
    assert embedder.output_shape_ == (3, 2, 4)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_class_sums_of_label_maps_and_of_one_hot_codes_are_exact(dtype):
    rng = np.random.default_rng(0)
    label_maps = torch.from_numpy(rng.integers(5, size=(3000, 3, 2)))
    classes = torch.from_numpy(rng.integers(4, size=3000))
    one_hot = torch.nn.functional.one_hot(label_maps, 5).to(dtype)
    expected = [one_hot[classes == c].double().sum(dim=0).reshape(6, 5) for c in range(4)]
    for codes in (label_maps, one_hot):
        sums = ClassSums((3, 2, 5), 4, dtype, "cpu")
        for index in np.array_split(np.arange(3000), 7):
            sums.add(codes[index], classes[index])
        assert_array_equal(sums.value(), torch.stack(expected))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtype_is_kept(codes, dtype):
    X, y = codes
    embedder = fit(X.astype(dtype), y)
    assert embedder.kernels_.dtype == embedder.transform(X.astype(dtype)).dtype == dtype


def test_string_labels_give_the_kernels_of_integers(codes):
    X, y = codes
    names = np.array(["bird", "cat", "dog"])[y]
    assert_array_equal(fit(X, names).kernels_, fit(X, y).kernels_)
    assert set(fit(X, names).classes_) == set(names)


def test_a_fit_draws_nothing_from_the_global_generator_of_torch(codes):
    state = torch.get_rng_state()
    fit(*codes, loss="cross_entropy", solver="adam", max_iter=5)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"solver": "exact", "loss": "cross_entropy"}, "solver='exact' needs loss='linear'"),
        ({"solver": "exact", "train_readout": True}, "solver='exact' needs .* fixed readout"),
        ({"solver": "newton"}, "solver"),
        ({"learning_rate": 0}, "learning_rate"),
        ({"early_stopping": True}, "early_stopping=True needs solver='sgd' or 'adam'"),
        (
            {"solver": "sgd", "early_stopping": True, "validation_fraction": 0.9999},
            "validation_fraction=0.9999 of .* none would be left to learn from",
        ),
        ({"device": "abacus"}, "device='abacus' cannot be used"),
        (
            {"solver": "gd", "train_readout": True, "learning_rate": 1e30},
            "learning_rate=1e\\+30 is too large",
        ),
    ],
)
def test_bad_parameters_are_refused(codes, params, message):
    with pytest.raises(ValueError, match=message):
        fit(*codes, max_iter=50, **params)


def test_bad_labels_are_refused(codes):
    X, y = codes
    with pytest.raises(ValueError, match="needs y of at least 2 classes"):
        fit(X, np.zeros(len(X)))
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        fit(X, y[:-1])


def test_population_training_gives_nearly_the_kernels_of_20000_samples():
    # The gradient on samples is within 5 standard errors of the gradient on the population.
    for n_labels in (2, 3):
        sampler = HierarchicalSampler(
            n_semantic_classes=3,
            patches_per_class=2,
            patch_size=2,
            n_labels=n_labels,
            random_state=0,
        ).fit()
        X, y = sampler.sample(20_000)
        codes = np.eye(6)[sampler.parse_patches(X)[1]]
        embedder = TwoLayerConvEmbedder(5, scale_channels=False, random_state=0)
        on_samples = embedder.fit(codes, y).kernels_
        exact = clone(embedder).fit_population(sampler.code_moments(1), sampler.classes_)
        assert_allclose(exact.kernels_, on_samples, atol=5 * np.sqrt(6 / 20_000))
        assert np.abs(exact.kernels_).max() > 0.2
        assert exact.transform(codes[:3]).shape == (3, 6, 6, 5)


def test_population_training_refuses_other_solvers_shapes_and_scaling():
    moments = np.zeros((2, 2, 3))
    with pytest.raises(ValueError, match=r"fit_population needs a solver of .* not 'gd'"):
        TwoLayerConvEmbedder(solver="gd").fit_population(moments, [0, 1])
    with pytest.raises(ValueError, match=r"moments of shape \(2, 2, 3\) are not valid for 3"):
        TwoLayerConvEmbedder(scale_channels=False).fit_population(moments, [0, 1, 2])
    with pytest.raises(ValueError, match="fit_population needs scale_channels=False"):
        TwoLayerConvEmbedder().fit_population(moments, [0, 1])
    with pytest.raises(ValueError, match="classes has 1 labels; it takes 2 or more"):
        TwoLayerConvEmbedder(scale_channels=False).fit_population(np.zeros((2, 2, 3, 1)), [0])


@pytest.mark.parametrize(
    ("solver", "value", "message"),
    [
        ("exact", np.nan, "moments holds NaN"),
        ("svd", np.nan, "moments holds NaN"),
        ("exact", 1e200, "The kernels grew to"),
    ],
)
def test_population_training_refuses_numbers_without_kernels(solver, value, message):
    moments = np.random.default_rng(0).standard_normal((2, 2, 3))
    moments[0, 1, 2] = value
    embedder = TwoLayerConvEmbedder(2, solver=solver, scale_channels=False, random_state=0)
    with pytest.raises(ValueError, match=message):
        embedder.fit_population(moments, [0, 1])
    assert not hasattr(embedder, "kernels_")


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("params", [{"learning_rate": 1e30}, {"init_scale": 1e30, "max_iter": 0}])
def test_kernels_too_large_to_embed_with_are_refused(dtype, params):
    X, y = np.random.default_rng(0).standard_normal((20, 3)).astype(dtype), np.arange(20) % 2
    embedder = TwoLayerConvEmbedder(2, random_state=0, **params)
    if dtype == np.float64:  # they are in its range
        assert np.isfinite(embedder.fit_transform(X, y)).all()
    else:
        with pytest.raises(ValueError, match=r"learning_rate=.* or init_scale=.* is too large"):
            embedder.fit(X, y)


def test_an_infinite_validation_loss_is_an_error():
    X, y = np.random.default_rng(0).standard_normal((20, 3)), np.arange(20) % 2
    params = {"loss": "cross_entropy", "solver": "sgd", "early_stopping": True, "max_iter": 9}
    embedder = TwoLayerConvEmbedder(2, learning_rate=1e30, random_state=0, **params)
    with pytest.raises(ValueError, match="learning_rate"):
        embedder.fit(X.astype(np.float32), y)


def test_missing_labels_are_refused():
    X = np.random.default_rng(0).normal(size=(2, 1, 1, 2))
    with pytest.raises(ValueError, match="y has missing labels: label 0 is None"):
        TwoLayerConvEmbedder().fit(X, [None, 1])
