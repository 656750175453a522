"""
What the layers learn
=====================

The classifier learns two layers, each from clusters of patches, and a linear head. No
gradient passes from one layer to another. Here is what the layers look for, which clusters
speak for which label, and one image on its way through the layers: on handwritten digits, and
on Fashion-MNIST if there is a copy on this machine.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

from skhier import LayerwiseCNNClassifier
from skhier.datasets import load_fashion_mnist
from skhier.plotting import CentroidsDisplay, LayersDisplay


def first_kernels_by_votes(clf, X, y, n_shown=8):
    """For each label, the clusters of the first layer whose codes are largest for it.

    A code's vote is its mean over the images of a label, less its mean over all images, in
    standard deviations. The second half of the codes answers to the negative of centroids.
    """
    phi = clf.layers_[0].orthogonalizer
    codes = phi.transform(X).mean(axis=(1, 2))  # of an image: one number for each channel
    codes = (codes - codes.mean(axis=0)) / codes.std(axis=0)
    votes = np.array([codes[y == label].mean(axis=0) for label in clf.classes_])
    signed = np.concatenate([phi.cluster_centers_, -phi.cluster_centers_])
    return [signed[np.argsort(vote)[::-1][:n_shown]] for vote in votes]


def show_votes(kernels, names):
    fig, axes = plt.subplots(
        len(names), len(kernels[0]), figsize=(6, 0.62 * len(names)), layout="constrained"
    )
    limit = max(np.abs(kernel).max() for kernel in kernels)
    for row, name, shown in zip(axes, names, kernels):
        for ax, kernel in zip(row, shown):
            ax.imshow(kernel[..., 0], cmap="RdBu_r", vmin=-limit, vmax=limit)
            ax.set(xticks=[], yticks=[])
        row[0].set_ylabel(name, rotation=0, ha="right", va="center")
    fig.suptitle("clusters whose codes speak most for each label")


# %%
# Handwritten digits
# ------------------
# The filters are centroids of whitened 3x3 patches: edges, corners, ends of strokes. Each is a
# direction in the space of patches, and with it its negative.

X, y = load_digits().images.astype(np.float32), load_digits().target
clf = LayerwiseCNNClassifier(random_state=0).fit(X[:1400], y[:1400])
print(f"digits: {clf.score(X[1400:], y[1400:]):.3f} of the images that were not learned from")
CentroidsDisplay.from_estimator(clf.layers_[0].orthogonalizer)
show_votes(first_kernels_by_votes(clf, X[:1400], y[:1400]), [str(label) for label in clf.classes_])

# %%
# Every channel of the codes answers to one cluster of patches, or to its negative. The
# embedding joins clusters that vote alike for the labels.

LayersDisplay.from_estimator(clf, X[1403])
plt.show()

# %%
# Clothes
# -------
# Larger patches of larger images: here clusters are edges of all directions, folds, and textures.

try:
    clothes = load_fashion_mnist()
except FileNotFoundError as error:
    print(f"This part is left out. {error}")
else:
    X, y = clothes.images[:6000], clothes.target[:6000]
    clf = LayerwiseCNNClassifier(n_clusters=[64, 200], random_state=0).fit(X[:5000], y[:5000])
    print(f"clothes: {clf.score(X[5000:], y[5000:]):.3f} of the images that were not learned from")
    CentroidsDisplay.from_estimator(clf.layers_[0].orthogonalizer)
    show_votes(first_kernels_by_votes(clf, X[:2000], y[:2000]), clothes.target_names)
    LayersDisplay.from_estimator(clf, X[5000])
plt.show()

# %%
# The result is a plain convolutional network.

print(clf.to_torch())
