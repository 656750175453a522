import matplotlib.pyplot as plt
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skhier import (
    HierarchicalSampler,
    LayerwiseCNNClassifier,
    PatchKMeansOrthogonalizer,
    TwoLayerConvEmbedder,
)
from skhier.datasets import (
    make_digits_hierarchy,
    make_random_hierarchy,
    make_sparse_random_hierarchy,
)
from skhier.plotting import (
    CentroidsDisplay,
    DistancesDisplay,
    FrequenciesDisplay,
    GenerationDisplay,
    LayersDisplay,
)
from skhier.theory import certify_embedder


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


@pytest.mark.parametrize("channels", [1, 3, 5])
def test_centroids_lie_on_a_grid_with_gaps(channels):
    X = np.random.default_rng(0).standard_normal((50, 4, 4, channels))
    phi = PatchKMeansOrthogonalizer(7, 2, random_state=0).fit(X)
    display = CentroidsDisplay.from_estimator(phi, max_centroids=6)
    (drawn,) = display.ax_.get_images()
    sheet = np.asarray(drawn.get_array(), dtype=float)
    assert sheet.shape[:2] == (2 * 3 - 1, 4 * 3 - 1)  # 6 patches of 2x2 in 2 rows of 4
    centroid = phi.cluster_centers_[5]
    shown = sheet[3:5, 3:5]
    if channels == 1:
        assert_allclose(shown, centroid[..., 0])
    elif channels == 5:
        assert_allclose(shown, np.linalg.norm(centroid, axis=-1))
    else:
        low, high = phi.cluster_centers_[:6].min(), phi.cluster_centers_[:6].max()
        assert_allclose(shown[..., :3], (centroid - low) / (high - low))
        assert_allclose(sheet[2, :, 3], 0)  # gaps are transparent
    assert display.ax_.get_title() == "6 of 7 centroids of 2x2 patches"


def test_centroids_of_a_classifier_are_those_of_its_first_layer(digits):
    X, _, y, _ = digits
    clf = LayerwiseCNNClassifier(n_clusters=8, random_state=0).fit(X[:100], y[:100])
    display = CentroidsDisplay.from_estimator(clf)
    assert_allclose(display.centroids, clf.layers_[0].orthogonalizer.cluster_centers_)
    with pytest.raises(TypeError, match="PatchKMeansOrthogonalizer or LayerwiseCNNClassifier"):
        CentroidsDisplay.from_estimator(clf.layers_[0].embedder)


@pytest.mark.parametrize("n", [1, 3, 300])
def test_any_number_of_constant_centroids_can_be_drawn(n):
    for channels in (1, 3, 4):
        display = CentroidsDisplay(np.zeros((n, 2, 3, channels))).plot(max_centroids=n)
        display.figure_.canvas.draw()
        assert display.ax_.get_title() == f"{n} centroids of 2x3 patches"


@pytest.mark.parametrize("sign", [1, -1])
def test_signed_values_are_drawn_on_a_color_scale_that_is_symmetric_around_0(sign):
    values = sign * np.linspace(-3, 2, 12).reshape(2, 2, 3)
    for display in (
        CentroidsDisplay(values[..., None]).plot(),
        CentroidsDisplay(values[:1, :1, :, None]).plot(),  # values of one sign only
        FrequenciesDisplay(values, level=0).plot(),
    ):
        (drawn,) = display.ax_.get_images()
        assert drawn.get_clim() == (-3, 3)


def test_layers_show_the_channels_that_differ_most_between_images(digits):
    X, _, y, _ = digits
    params = {"n_clusters": 9, "n_components": 4, "mirror": False, "random_state": 0}
    clf = LayerwiseCNNClassifier(n_layers=2, **params).fit(X, y)
    _, axes = plt.subplots(1, 4)
    display = LayersDisplay.from_estimator(clf, X[:50], index=3, max_channels=1, axes=axes)
    maps = clf.transform(X[:50])
    best = maps.var(axis=0).sum(axis=(0, 1)).argmax()
    assert display.channels_[3] == [best]
    assert_allclose(axes[3].get_images()[0].get_array(), maps[3, ..., best])
    assert axes[0].get_title() == "image\n8x8, 1 channel"
    assert axes[3].get_title() == f"layer 2: codes\n2x2, 1 of {maps.shape[-1]} channels"
    assert list(display.axes_) == list(axes)


def test_layers_have_a_color_key_for_each_stage_but_colors():
    rng = np.random.default_rng(0)
    maps = rng.random((3, 4, 4, 5))
    display = LayersDisplay([("a", maps[..., :3]), ("b", maps), ("c", maps - 0.5)]).plot()
    keys = [image.colorbar for ax in display.axes_ for image in ax.get_images()]
    assert keys[0] is None
    assert keys[1].vmin == 0
    assert -keys[2].vmin == keys[2].vmax  # values of both signs: zero is in the middle


def test_layers_leave_out_background_and_near_duplicates():
    rng = np.random.default_rng(0)
    a, b, c = rng.standard_normal((3, 20, 4, 4))
    background = np.broadcast_to(100 * rng.standard_normal((4, 4)), a.shape)
    maps = np.stack([background, b, 3 * a, -2.9 * a + 0.1 * b, 2 * c, 2.5 * a + 1], axis=-1)
    display = LayersDisplay([("maps", maps)]).plot(max_channels=4)
    assert display.channels_[0].tolist() == [2, 4, 1]  # all others are linear functions of these


def test_layers_refuse_images_that_predict_refuses():
    X = np.random.default_rng(0).random((40, 6, 8, 3))
    clf = LayerwiseCNNClassifier(n_clusters=4, random_state=0).fit(X, np.arange(40) % 2)
    other, single = "fitted on images of shape", r"\(6, 8, 3\) is one image"
    for images, message in [
        (X.transpose(0, 3, 1, 2), other),
        (X.swapaxes(1, 2), other),
        (X.reshape(-1, 12, 12), other),
        (X[0], single),
    ]:
        with pytest.raises(ValueError, match=message) as refused:
            clf.predict(images)
        with pytest.raises(ValueError, match=message) as error:
            LayersDisplay.from_estimator(clf, images)
        assert str(error.value) == str(refused.value)
    assert not plt.get_fignums()


def test_layers_of_a_single_image_have_the_channels_that_differ_between_its_pixels():
    flat, steps = np.ones((1, 4, 4)), np.arange(16.0).reshape(1, 4, 4)
    display = LayersDisplay([("codes", np.stack([flat, steps], axis=3))]).plot(max_channels=1)
    assert display.channels_[0].tolist() == [1]


def test_layers_need_one_axes_for_each_stage(digits):
    X, _, y, _ = digits
    params = {"n_layers": 2, "n_clusters": 9, "n_components": 4, "random_state": 0}
    clf = LayerwiseCNNClassifier(**params).fit(X, y)
    with pytest.raises(ValueError, match="axes has 2 axes, but there are 4 stages"):
        LayersDisplay.from_estimator(clf, X[:2], axes=plt.subplots(1, 2)[1])


def test_generation_shows_each_level_of_one_sample():
    sampler = HierarchicalSampler(random_state=0).fit()
    X, _, latents = sampler.sample(1, return_latents=True, random_state=3)
    display = GenerationDisplay.from_estimator(sampler, pixel=(0, 2), random_state=3)
    for ax, level in zip(display.axes_, [latents[0][0], latents[1][0], X[0]]):
        assert_allclose(ax.get_images()[0].get_array(), level)
    written = [int(text.get_text()) for text in display.axes_[1].texts]
    assert written == latents[1][0].ravel().tolist()
    assert display.trace_ == [(0, 2), (1, 7)]
    # Rows 0 to 2 and columns 6 to 8, the patch that replaces pixel (0, 2), are framed.
    patch = display.axes_[1].patches[0]
    assert (patch.get_xy(), patch.get_width(), patch.get_height()) == ((5.5, -0.5), 3, 3)
    with pytest.raises(ValueError, match=r"pixel=\(3, 0\) is not one of the 3x3 pixels"):
        display.plot(pixel=(3, 0))


def test_the_whole_tree_of_a_string_is_drawn():
    rhm = make_random_hierarchy(5, depth=3, return_X_y=False, random_state=0)
    display = GenerationDisplay.from_estimator(rhm.sampler, random_state=1)
    X, _ = rhm.sampler.sample(1, random_state=1)
    symbols = display.axes_[-1].get_images()[0].get_array()
    assert_allclose(symbols, X[0].reshape(1, 8, -1).argmax(axis=-1))
    n_lines = 2 * (1 + 2 + 4 + 8)  # two from each symbol to its patch
    n_traced = 2 * (len(display.levels) - 1)
    assert len(display.figure_.artists) == n_lines + n_traced


def test_pixels_without_a_symbol_are_drawn_as_a_class_of_their_own():
    sparse = make_sparse_random_hierarchy(1, return_X_y=False, random_state=0)
    display = GenerationDisplay.from_estimator(sparse.sampler, random_state=0)
    X, _ = sparse.sampler.sample(1, random_state=0)
    drawn, is_empty = display.axes_[-1].get_images()[0].get_array(), ~X[0].any(axis=-1)
    assert is_empty.any()
    assert_array_equal(drawn == X.shape[-1], is_empty.reshape(drawn.shape))


def test_names_of_classes_are_written():
    digits = make_digits_hierarchy(1, return_X_y=False, random_state=0)
    levels = [*(latent[0] for latent in digits.latents), digits.images[0]]
    display = GenerationDisplay(levels, class_names=digits.stroke_names).plot()
    for ax, level, names in zip(display.axes_, levels, digits.stroke_names):
        assert [text.get_text() for text in ax.texts] == [names[c] for c in level.ravel()]
    # Pixels of one-hot channels are drawn by number; names are for the semantic level only.
    display = GenerationDisplay([[[1, 0]], np.eye(4)[[[3, 2]]]], class_names=[["a", "b"]]).plot()
    assert [[text.get_text() for text in ax.texts] for ax in display.axes_] == [
        ["b", "a"],
        ["3", "2"],
    ]


@pytest.mark.parametrize(
    "classes", [["sand", "sea", "sky"], [-7, -1, 3], [-0.5, 0.25, 2.0], [True, False, True]]
)
def test_classes_of_any_kind_are_drawn_with_their_names(classes):
    X = np.array(classes)[[[[0, 1], [2, 0]], [[1, 1], [2, 2]]]]
    sampler = HierarchicalSampler(random_state=0).fit(X, ["a", "b"])
    display = GenerationDisplay.from_estimator(sampler, random_state=3)
    _, _, latents = sampler.sample(1, return_latents=True, random_state=3)
    written = [text.get_text() for text in display.axes_[0].texts]
    assert written == [str(c) for c in latents[0].ravel().tolist()]
    drawn = np.asarray(display.axes_[0].get_images()[0].get_array())
    assert_allclose(sampler.semantic_classes_[drawn] == latents[0][0], True)
    assert len(display.axes_[1].texts) == 36


def test_color_images_are_generated_in_color():
    sampler = HierarchicalSampler(n_channels=3, random_state=0).fit()
    display = GenerationDisplay.from_estimator(sampler, random_state=0)
    assert display.axes_[-1].get_images()[0].get_array().shape == (27, 27, 4)


@pytest.mark.parametrize(("n_labels", "n_classes"), [(2, 4), (2, 40), (3, 4)])
def test_frequencies_are_exact_statistics_of_the_sampler(n_labels, n_classes):
    sampler = HierarchicalSampler(
        n_semantic_classes=n_classes, n_labels=n_labels, patches_per_class=2, random_state=0
    ).fit()
    F = sampler.statistics().levels[1].labeled_frequencies
    display = FrequenciesDisplay.from_estimator(sampler, level=1)
    image = display.ax_.get_images()[0]
    sheet = np.asarray(image.get_array().filled(np.nan))
    if n_labels == 3:
        assert_allclose(sheet[20:29, 10:19], F[1, 2])
        assert len(display.ax_.get_yticks()) == 3
    else:
        assert_allclose(sheet[:9, 10:19], F[1])
    assert_allclose(image.get_clim(), [-np.abs(F).max(), np.abs(F).max()])
    with pytest.raises(ValueError, match="level=2 is not valid: it takes an int from 0 to 1"):
        FrequenciesDisplay.from_estimator(sampler, level=2)


def test_distances_agree_with_the_certificate():
    sampler = HierarchicalSampler(patches_per_class=5, random_state=0).fit()
    embedder = TwoLayerConvEmbedder(10, max_iter=100, scale_channels=False, random_state=0)
    embedder.fit_population(sampler.code_moments(1), sampler.classes_)
    display = DistancesDisplay.from_estimator(embedder, n_classes=4, sigma=0.5, gamma=0.25)
    (certificate,) = certify_embedder(sampler, embedder, 1, sigma=0.5, gamma=0.25)
    assert_allclose(display.within_.max(), certificate.within)
    assert_allclose(display.between_.min(), certificate.between)
    assert (len(display.within_), len(display.between_)) == (40, 150)
    within, between = (sum(bar.get_height() for bar in bars) for bars in display.ax_.containers)
    assert_allclose([within, between], 1)
    assert [line.get_xdata()[0] for line in display.ax_.get_lines()] == [0.5, 0.25]


def test_with_one_patch_per_class_there_are_no_distances_within_classes():
    display = DistancesDisplay(np.eye(3), n_classes=3).plot()
    assert len(display.within_) == 0
    assert_allclose(display.between_, np.sqrt(2))
    assert not display.ax_.get_lines()


ZEROS = np.zeros((2, 2))


@pytest.mark.parametrize(
    ("display", "params", "message"),
    [
        (CentroidsDisplay(np.zeros((2, 3, 3))), {}, r"centroids of shape \(2, 3, 3\) is not valid"),
        (CentroidsDisplay("c"), {}, "centroids is no array of numbers"),
        (CentroidsDisplay(np.zeros((2, 3, 3, 1))), {"max_centroids": 0}, "max_centroids=0 is not"),
        (CentroidsDisplay(np.zeros((2, 3, 3, 1))), {"ax": 3}, "ax is not valid"),
        (DistancesDisplay(ZEROS, n_classes=2, sigma=[1]), {}, r"sigma=\[1\] is not valid"),
        (DistancesDisplay(ZEROS, n_classes=2.0), {}, "n_classes=2.0 is not valid"),
        (DistancesDisplay(ZEROS, n_classes=2), {"n_bins": "auto"}, "n_bins='auto' is not valid"),
        (FrequenciesDisplay(ZEROS, level=0), {}, r"frequencies of shape \(2, 2\) is not valid"),
        (GenerationDisplay(3), {}, "levels of shapes"),
        (GenerationDisplay([ZEROS, np.zeros((3, 3))]), {}, "levels of shapes"),
        (GenerationDisplay([ZEROS, ZEROS]), {"pixel": (0, 0.5)}, r"pixel=\(0, 0.5\) is not valid"),
        (GenerationDisplay([ZEROS, ZEROS]), {"pixel": (0, 2)}, r"pixel=\(0, 2\) is not one"),
        (GenerationDisplay([ZEROS, ZEROS]), {"axes": [1, 2]}, "axes is not valid"),
        (GenerationDisplay([ZEROS.astype(int), ZEROS], class_names=[[]]), {}, "class_names is not"),
        (LayersDisplay([("image", ZEROS)]), {}, r"stages of shape \(2, 2\) is not valid"),
        (LayersDisplay(["image"]), {}, r"stages=\['image'\] is not valid"),
        (LayersDisplay([("a", np.ones((2, 2, 2, 1))), ("b", np.ones((3, 1, 1, 1)))]), {}, "same"),
        (LayersDisplay([("a", np.ones((2, 2, 2, 1)))]), {"index": 2}, "index=2 is not valid"),
    ],
)
def test_invalid_data_is_refused_before_a_figure_is_created(display, params, message):
    with pytest.raises((ValueError, TypeError), match=message):
        display.plot(**params)
    assert not plt.get_fignums()


@pytest.mark.parametrize(
    ("display", "params"),
    [
        (CentroidsDisplay, {}),
        (DistancesDisplay, {"n_classes": 2}),
        (FrequenciesDisplay, {}),
        (GenerationDisplay, {}),
        (LayersDisplay, {"X": ZEROS}),
    ],
)
def test_a_display_refuses_a_wrong_estimator(display, params):
    with pytest.raises(TypeError, match="estimator=3 is not valid: it takes a fitted"):
        display.from_estimator(3, **params)
