import matplotlib.pyplot as plt
import numpy as np
import pytest
from numpy.testing import assert_allclose

from skhier import LayerwiseCNNClassifier, PatchKMeansOrthogonalizer
from skhier.plotting import CentroidsDisplay, LayersDisplay


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
        assert shown.shape == (2, 2, 3)
        assert sheet.min() >= 0
        assert sheet.max() <= 1


def test_layers_show_the_strongest_channels(digits):
    X, _, y, _ = digits
    clf = LayerwiseCNNClassifier(n_clusters=9, n_components=4, random_state=0).fit(X, y)
    _, axes = plt.subplots(1, 4)
    display = LayersDisplay.from_estimator(clf, X[0], max_channels=1, axes=axes)
    maps = clf.transform(X[:1])[0]
    strongest = maps[..., maps.var(axis=(0, 1)).argmax()]
    assert_allclose(axes[3].get_images()[0].get_array(), strongest)
    assert axes[0].get_title() == "image\n8x8, 1 channel"
    assert list(display.axes_) == list(axes)
