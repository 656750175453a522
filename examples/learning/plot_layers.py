"""
Digits: learn, and look at the layers
=====================================

The classifier learns two layers, each from clusters of patches, and a linear head. No gradient
passes from one layer to another. This example draws the filters of the first layer, the clusters
that are evidence for each label, and one image after each layer. The images are handwritten digits,
and Fashion-MNIST if there is a copy on this machine.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

from skhier import LayerwiseCNNClassifier
from skhier.datasets import load_fashion_mnist
from skhier.plotting import CentroidsDisplay, LayersDisplay


def first_kernels_by_votes(clf, X, y, n_shown=8):
    """Return the centroids of the first layer with the largest votes for each label.

    The vote of a code for a label is its mean over the images of the label, less its mean over all
    images, in standard deviations. The second half of the codes responds to negative centroids.
    """
    phi = clf.layers_[0].orthogonalizer
    codes = phi.transform(X).mean(axis=(1, 2))  # for each image, one number per channel
    codes = (codes - codes.mean(axis=0)) / codes.std(axis=0)
    votes = np.array([codes[y == label].mean(axis=0) for label in clf.classes_])
    signed = np.concatenate([phi.cluster_centers_, -phi.cluster_centers_])
    return [signed[np.argsort(vote)[::-1][:n_shown]] for vote in votes]


def show_votes(kernels, names):
    """Draw a row of kernels for each label."""
    fig, axes = plt.subplots(
        len(names), len(kernels[0]), figsize=(6, 0.62 * len(names)), layout="constrained"
    )
    limit = max(np.abs(kernel).max() for kernel in kernels)
    for row, name, shown in zip(axes, names, kernels):
        for ax, kernel in zip(row, shown):
            ax.imshow(kernel[..., 0], cmap="RdBu_r", vmin=-limit, vmax=limit)
            ax.set(xticks=[], yticks=[])
        row[0].set_ylabel(name, rotation=0, ha="right", va="center")
    fig.suptitle("clusters with the largest votes for each label")


# %%
# Handwritten digits
# ------------------
# The filters are centroids of whitened 3x3 patches: edges, corners and ends of strokes. Codes
# respond to each centroid and to its negative.

X, y = load_digits().images.astype(np.float32), load_digits().target
clf = LayerwiseCNNClassifier(random_state=0).fit(X[:1000], y[:1000])
print(f"digits: accuracy {clf.score(X[1000:], y[1000:]):.3f} on held-out images")
CentroidsDisplay.from_estimator(clf.layers_[0].orthogonalizer)
show_votes(first_kernels_by_votes(clf, X[:1000], y[:1000]), [str(label) for label in clf.classes_])

# %%
# Every channel of the codes responds to one cluster of patches, or to its negative. The embedding
# maps clusters with similar votes to similar vectors.

LayersDisplay.from_estimator(clf, X[1000:1100], index=3)
plt.show()

# %%
# Clothes
# -------
# Images and patches are larger than above. Clusters are edges of all directions, folds and
# textures.

try:
    clothes = load_fashion_mnist()
except FileNotFoundError as error:
    print(f"This part is skipped. {error}")
else:
    X, y = clothes.images[:3500], clothes.target[:3500]
    clf = LayerwiseCNNClassifier(n_clusters=[48, 80], random_state=0).fit(X[:2500], y[:2500])
    print(f"clothes: accuracy {clf.score(X[2500:], y[2500:]):.3f} on held-out images")
    CentroidsDisplay.from_estimator(clf.layers_[0].orthogonalizer)
    show_votes(first_kernels_by_votes(clf, X[:2500], y[:2500]), clothes.target_names)
    LayersDisplay.from_estimator(clf, X[2500:2600])
plt.show()

# %%
# The fitted classifier is a convolutional network.

print(clf.to_torch())
