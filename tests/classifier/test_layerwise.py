"""LayerwiseCNNClassifier: accuracy, its parts, memory, parameters and interrupts."""

import numpy as np
import pytest
import torch
from callbacks import Interrupter, Recorder
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_validate
from sklearn.naive_bayes import GaussianNB
from sklearn.svm import LinearSVC

from skhier import (
    HierarchicalSampler,
    LayerwiseCNNClassifier,
    PatchKMeansOrthogonalizer,
    SphericalKMeans,
    TwoLayerConvEmbedder,
)
from skhier.datasets import make_random_hierarchy
from skhier.theory import required_samples

SMALL = {
    "n_layers": 2,
    "n_clusters": 24,
    "n_components": 8,
    "orthogonalizer__n_patches": 5000,
    "random_state": 0,
}
ALGORITHM_1 = {
    name: LayerwiseCNNClassifier.algorithm_1(1, 2).get_params(deep=False)[name]
    for name in ("orthogonalizer", "embedder", "patch_size", "pool_size", "head")
}
VALID = PatchKMeansOrthogonalizer(padding="valid")
BY_ADAM = TwoLayerConvEmbedder(loss="cross_entropy", solver="adam", max_iter=20)


def make(**params):
    """Return a small classifier with (nested) parameters; estimators among these are cloned."""
    params = {name: clone(value, safe=False) for name, value in (SMALL | params).items()}
    return LayerwiseCNNClassifier().set_params(**params)


def test_defaults_are_accurate_on_digits(digits):
    X_train, X_test, y_train, y_test = digits
    clf = LayerwiseCNNClassifier(random_state=0).fit(X_train, y_train)
    assert clf.score(X_test, y_test) >= 0.97


@pytest.mark.parametrize(("n_levels", "root"), [(2, (3, 3)), (3, (2, 1))])
def test_algorithm_1_learns_its_model(n_levels, root):
    sampler = HierarchicalSampler(
        n_levels, patches_per_class=10, root_shape=root, n_root_images=3, random_state=0
    ).fit()
    X, y = sampler.sample(6_000)

    def is_learned(seed):
        clf = LayerwiseCNNClassifier.algorithm_1(
            40, patch_size=3, n_layers=n_levels, embedder__max_iter=10**6, random_state=seed
        ).fit(X[:5_000], y[:5_000])
        assert clf.output_shape_ == (*root, 40)
        return clf.score(X[5_000:], y[5_000:]) == 1.0

    assert any(is_learned(seed) for seed in range(3))  # one start of k-means may miss a patch
    pixels = X.reshape(len(X), -1)
    linear = LinearSVC(C=0.01, random_state=0).fit(pixels[:5_000], y[:5_000])
    assert linear.score(pixels[5_000:], y[5_000:]) < 0.9


@pytest.mark.parametrize("seed", [0, 1])
def test_algorithm_1_makes_no_error_at_the_number_of_images_that_is_proved(seed):
    sampler = HierarchicalSampler(patches_per_class=4, random_state=seed).fit()
    n = required_samples(sampler, 1e-6, "rigorous_counts")
    X, y = sampler.sample(n + 1000)
    clf = LayerwiseCNNClassifier.algorithm_1(
        16, patch_size=3, n_components=[4, 4], embedder__solver="counts", random_state=seed
    ).fit(X[:n], y[:n])
    assert clf.score(X[n:], y[n:]) == 1.0


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"n_layers": 1},
        {"n_layers": 3, "pool_size": [1, 2, 2]},
        {"embedder": BY_ADAM, "n_components": [8, 6]},
        ALGORITHM_1,
        ALGORITHM_1 | {"pool_size": [2, 1]},
        {"head": "svm"},
        {"image_shape": (8, 8)},
        {"orthogonalizer__encoding": "relu", "orthogonalizer__normalize": False},
        {"orthogonalizer__pooling": "max", "embedder__scale_channels": False},
        {"head": "ridge"},
    ],
    ids=str,
)
def test_equals_the_pipeline_of_its_parts(few_digits, params):
    X_train, X_test, y_train, _ = few_digits
    if "image_shape" in params:
        X_train, X_test = X_train.reshape(-1, 64), X_test.reshape(-1, 64)
    clf = make(**params).fit(X_train, y_train)
    pipeline = clf.to_pipeline().fit(X_train, y_train)
    scores = pipeline.decision_function(X_test)
    tolerance = 1e-4 if params.get("head") == "svm" else 1e-5  # LinearSVC stops at tol=1e-4
    assert_allclose(clf.decision_function(X_test), scores, rtol=tolerance, atol=tolerance)
    assert_array_equal(clf.predict(X_test), pipeline.predict(X_test))
    flat = clf.transform(X_test).reshape(len(X_test), -1)
    assert_allclose(flat, pipeline[:-1].transform(X_test), rtol=1e-6, atol=1e-8)


def test_a_dark_border_of_codes_gives_the_scores_of_the_pipeline(few_digits):
    X, _, y, _ = few_digits
    parts = [None, PatchKMeansOrthogonalizer(border="dark")]
    clf = LayerwiseCNNClassifier(n_clusters=24, orthogonalizer=parts, mirror=False, random_state=0)
    clf.fit(X, y)
    pipeline = clf.to_pipeline().fit(X, y)
    assert_allclose(clf.decision_function(X), pipeline.decision_function(X), atol=1e-6)


def test_hand_built_layers_equal_the_classifier(few_digits):
    X_train, X_test, y_train, _ = few_digits
    clf = make(n_layers=1).fit(X_train, y_train)
    seed = clf.layers_[0].orthogonalizer.random_state
    phi = PatchKMeansOrthogonalizer(
        24, 3, pool_size=3, n_patches=5000, random_state=seed,
        kmeans=SphericalKMeans(max_iter=25, tol=1e-3),
    )  # fmt: skip
    assert_allclose(phi.fit(X_train).transform(X_test), clf.transform(X_test))


def test_codes_never_exist_for_all_images(few_digits):
    X_train, X_test, y_train, _ = few_digits
    params = {"orthogonalizer__n_patches": 1000, "head__alpha": 0.3, "mirror": False}
    expected = make(**params).fit(X_train, y_train).decision_function(X_test)
    clf = make(orthogonalizer__batch_size=10, **params)
    with torch.profiler.profile(profile_memory=True) as profile:
        scores = clf.fit(X_train, y_train).decision_function(X_test)
    largest = max(event.self_cpu_memory_usage for event in profile.events())
    code_bytes = 8 * 8 * 48 * 8  # of one image, before pooling
    assert 10 * code_bytes <= largest < 0.1 * len(X_train) * code_bytes
    assert_allclose(scores, expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    ("head", "methods"),
    [
        ("ridge", {"decision_function", "predict_proba"}),
        ("svm", {"decision_function"}),
        ("linear", {"decision_function", "predict_proba"}),
        (GaussianNB(), {"predict_proba"}),
    ],
)
def test_heads_have_the_methods_of_their_classifier(few_digits, head, methods):
    X_train, X_test, y_train, y_test = few_digits
    clf = make(head=head)
    fitted = clone(clf).fit(X_train, y_train)
    for estimator in (clf, fitted):
        for method in ("decision_function", "predict_proba"):
            assert hasattr(estimator, method) == (method in methods)
    assert fitted.score(X_test, y_test) > 0.6
    for method in methods:
        assert getattr(fitted, method)(X_test).shape == (len(X_test), 10)


def test_an_error_about_a_method_that_the_head_lacks_names_the_heads_that_have_it():
    with pytest.raises(AttributeError) as raised:
        _ = LayerwiseCNNClassifier(head="svm").predict_proba
    assert str(raised.value.__cause__) == (
        "head='svm' has no predict_proba; these have: ['ridge', 'kernel', 'linear', 'mlp']."
    )


def test_mirror_images_have_the_scores_of_the_images_with_mirror(few_digits):
    X_train, X_test, y_train, _ = few_digits
    clf = make(mirror=True).fit(X_train, y_train)
    mirrored = X_test[:, :, ::-1]
    assert_allclose(clf.decision_function(mirrored), clf.decision_function(X_test))
    plain = clone(clf).set_params(mirror=False).fit(X_train, y_train)
    both = (plain.transform(X_test) + plain.transform(mirrored)) / 2
    assert_allclose(clf.transform(X_test), both, atol=1e-12)
    with pytest.raises(ValueError, match="mirror=True"):
        clf.to_pipeline()


def test_an_mlp_head_is_accurate(digits):
    X_train, X_test, y_train, y_test = digits
    clf = make(n_layers=1, head="mlp").fit(X_train, y_train)
    assert clf.score(X_test, y_test) > 0.95


def test_a_given_head_is_cloned_and_its_parameters_are_reachable(few_digits):
    X_train, _, y_train, _ = few_digits
    head = LogisticRegression(max_iter=1000)
    clf = make(head=head).set_params(head__C=0.5)
    clf.fit(X_train, y_train)
    assert clf.head_ is not head
    assert clf.head_.C == 0.5
    assert not hasattr(head, "coef_")


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_features_have_the_dtype_of_images(few_digits, dtype):
    X_train, _, y_train, _ = few_digits
    clf = make().fit(X_train.astype(dtype), y_train)
    assert clf.transform(X_train[:5].astype(dtype)).dtype == dtype


@pytest.mark.parametrize(("n_layers", "side"), [(1, 8), (2, 3)])
def test_the_head_sees_few_positions_of_images_of_any_size(n_layers, side):
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1], 6)
    clf = LayerwiseCNNClassifier(n_layers=n_layers, n_clusters=4, random_state=0)
    for shape in [(32, 32, 3), (64, 64), (96, 64, 3), (224, 224)]:
        X = rng.standard_normal((12, *shape), dtype=np.float32)
        assert clf.fit(X, y).output_shape_ == (side, side, 8)


def test_a_tuple_is_a_pair_for_all_layers_and_a_list_has_one_value_for_each():
    X, y = make_random_hierarchy(300, depth=2, n_synonyms=2, random_state=0)
    with_pair, with_list = (
        LayerwiseCNNClassifier.algorithm_1(16, size, random_state=0).fit(X, y)
        for size in ((1, 2), [(1, 2), (1, 2)])
    )
    assert_array_equal(with_pair.decision_function(X), with_list.decision_function(X))
    for size, message in ((2, "patch_size=2 is larger"), ((1, 2, 1), "a pair of ints")):
        with pytest.raises(ValueError, match=message):
            LayerwiseCNNClassifier.algorithm_1(16, size, random_state=0).fit(X, y)


def test_memory_mapped_images_give_the_same_model(few_digits, tmp_path):
    X, X_test, y, _ = few_digits
    np.save(tmp_path / "X.npy", X.astype(np.uint8))
    on_disk = np.load(tmp_path / "X.npy", mmap_mode="r")
    from_disk, from_memory = (make().fit(images, y) for images in (on_disk, np.array(on_disk)))
    assert_array_equal(from_disk.decision_function(X_test), from_memory.decision_function(X_test))


def test_uint8_and_scaled_float_images_give_the_same_model(few_digits):
    X_train, X_test, y_train, _ = few_digits
    from_uint8 = make().fit(X_train.astype(np.uint8), y_train)
    # Division by a power of two is exact; by 255 it would add rounding errors.
    scaled = (X_train / 256).astype(np.float32)
    from_float = make().fit(scaled, y_train)
    assert_allclose(
        from_uint8.decision_function(X_test.astype(np.uint8)),
        from_float.decision_function((X_test / 256).astype(np.float32)),
        rtol=1e-3,
        atol=1e-3,
    )


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"n_clusters": [8, 8, 8]}, r"n_clusters=\[8, 8, 8\] has 3 entries, but n_layers=2"),
        ({"n_components": [8, "x"]}, "n_components"),
        (
            {"patch_size": [3, 20], "orthogonalizer__padding": "valid"},
            "patch_size=20 is larger than the",
        ),
        (
            {"patch_size": 3, "orthogonalizer__stride": None, "orthogonalizer__padding": "valid"},
            "does not tile the 8x8 image",
        ),
        ({"n_clusters": [8, 10**6]}, "n_clusters=1000000 is more than the number of patches, 2700"),
        ({"head": "tree"}, "head"),
        ({"n_layers": 0}, "n_layers"),
        ({"device": "gpu"}, "device='gpu' cannot be used"),
        ({"embedder__solver": "exact", "embedder__loss": "cross_entropy"}, "solver='exact' needs"),
        ({"image_shape": (4, 8)}, r"image_shape=\(4, 8\) does not match X of shape"),
    ],
)
def test_bad_parameters_are_refused(few_digits, params, message):
    X_train, _, y_train, _ = few_digits
    clf = make(**params)
    with pytest.raises(ValueError, match=message):
        clf.fit(X_train, y_train)
    assert not hasattr(clf, "n_features_in_")


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"patch_size": 9, "orthogonalizer": [None, VALID]}, "patch_size=9 is larger than the 3x3"),
        ({"orthogonalizer": [None, PatchKMeansOrthogonalizer(bias="x")]}, "'bias'"),
        ({"orthogonalizer": [None, PatchKMeansOrthogonalizer(kmeans="x")]}, "'kmeans'"),
        ({"pool_size": [1, 0]}, "pool_size=0"),
        ({"n_clusters": [8, 10**5]}, "n_clusters=100000 is more than the number of patches, 2700"),
        ({"embedder": [None, TwoLayerConvEmbedder(loss="hinge")]}, "'loss'"),
        ({"embedder": [None, TwoLayerConvEmbedder(loss="cross_entropy")]}, "solver='exact'"),
        (
            {
                "n_clusters": 8,
                "n_components": [16, 17],
                "embedder": TwoLayerConvEmbedder(solver="kmeans"),
            },
            "n_components=17 groups are more than the 16 channels",
        ),
    ],
)
def test_upper_layers_are_checked_before_work_starts(few_digits, params, message):
    recorder = Recorder()
    with pytest.raises(ValueError, match=message):
        LayerwiseCNNClassifier(**params).set_callbacks(recorder).fit(few_digits[0], few_digits[2])
    assert recorder.begun == []


def test_the_error_about_patches_of_flat_images_asks_for_image_shape(few_digits):
    X, _, y, _ = few_digits
    with pytest.raises(ValueError, match=r"Give image_shape=\(H, W, C\)"):
        LayerwiseCNNClassifier(patch_size=[3, 1]).fit(X.reshape(len(X), -1), y)


def test_padding_of_plain_vectors_is_refused(few_digits):
    X, _, y, _ = few_digits
    with pytest.raises(ValueError, match="padding=1 is for images"):
        LayerwiseCNNClassifier().set_params(orthogonalizer__padding=1).fit(X.reshape(len(X), -1), y)


@pytest.mark.parametrize("head", ["ridge", "kernel", "svm", "linear", "mlp"])
def test_rounding_in_a_constant_frame_changes_no_prediction(few_digits, head):
    X, _, y, _ = few_digits
    rng = np.random.default_rng(0)

    def framed():
        ulps = rng.integers(-1, 2, (300, 14, 14))
        frame = np.float32(16) * (1 + ulps * np.finfo(np.float32).eps)
        frame[:, 3:11, 3:11] = X[:300]
        return frame.astype(np.float32)

    params = {"n_layers": 1, "patch_size": 3, "pool_size": 1}
    clf = make(**params, orthogonalizer__padding="valid", head=head).fit(framed(), y[:300])
    scores = clf.predict_proba if head == "mlp" else clf.decision_function
    expected = scores(framed())
    assert_allclose(scores(framed()), expected, atol=2e-3 * expected.std())


def test_constant_images_raise_a_warning_alone_and_none_among_others(few_digits):
    X, _, y, _ = few_digits
    with pytest.warns(ConvergenceWarning, match="have no direction, all are 0"):
        clf = make(n_layers=1, orthogonalizer__padding="valid").fit(np.ones_like(X), y)
    assert set(clf.predict(X)) == {np.bincount(y).argmax()}
    mixed = X.copy()
    mixed[::10] = 3.0
    clf = make().fit(mixed, y)
    assert np.isfinite(clf.decision_function(mixed)).all()
    assert clf.score(X, y) > 0.8


def test_a_label_may_be_missing_from_a_fold(few_digits):
    X, _, y, _ = few_digits
    folds = [(np.flatnonzero(y != missing), np.arange(len(y))) for missing in (0, 9)]
    clf = make(head="linear")
    results = cross_validate(clf, X, y, cv=folds, return_estimator=True)
    for missing, fitted, score in zip((0, 9), results["estimator"], results["test_score"]):
        best = (y != missing).mean()
        assert 0.95 * best < score <= best
        assert fitted.predict_proba(X).shape == (len(y), 9)


def test_one_class_is_refused(few_digits):
    with pytest.raises(ValueError, match="at least 2 classes"):
        LayerwiseCNNClassifier().fit(few_digits[0], np.ones(len(few_digits[0])))


def test_interrupted_fit_changes_nothing(few_digits):
    X_train, X_test, y_train, _ = few_digits
    interrupter = Interrupter("TwoLayerConvEmbedder", "fit")
    clf = make().fit(X_train, y_train).set_callbacks(interrupter)
    before, scores = dict(vars(clf)), clf.decision_function(X_test)
    with pytest.raises(KeyboardInterrupt):
        clf.fit(X_train[:, :6], y_train)
    assert vars(clf).keys() == before.keys()
    assert all(vars(clf)[name] is value for name, value in before.items())
    assert_array_equal(clf.decision_function(X_test), scores)
    unfitted = make().set_callbacks(interrupter)
    before = dict(vars(unfitted))
    with pytest.raises(KeyboardInterrupt):
        unfitted.fit(X_train, y_train)
    assert vars(unfitted) == before


@pytest.mark.parametrize("dtype", [np.uint8, np.float64])
def test_batches_of_the_network_may_be_larger_than_those_of_large_images(dtype):
    X = np.random.default_rng(0).integers(0, 255, (300, 96, 96, 3)).astype(dtype)
    y = np.arange(300) % 2
    params = {"n_clusters": 2, "patch_size": 8, "orthogonalizer__stride": 8, "pool_size": 1}
    clf = (
        LayerwiseCNNClassifier(n_layers=1, shift=0, random_state=0)
        .set_params(**params)
        .fit(X[:40], y[:40])
    )
    alone = np.concatenate([clf.decision_function(image) for image in X[:, None]])
    assert_allclose(clf.decision_function(X), alone, rtol=1e-3, atol=1e-3)
    codes = clf.layers_[0].orthogonalizer
    assert_allclose(codes.transform(X)[-5:], codes.transform(X[-5:]), rtol=1e-3, atol=1e-3)
