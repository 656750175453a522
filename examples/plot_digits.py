"""
A network learned layer by layer on handwritten digits
======================================================

The classifier learns two layers, each from clusters of patches, and a linear head. No
gradient passes from one layer to another. We look at what the first layer looks for, and
at one digit on its way through the layers.
"""

import matplotlib.pyplot as plt
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from skhier import LayerwiseCNNClassifier
from skhier.plotting import CentroidsDisplay, LayersDisplay

X, y = load_digits().images, load_digits().target
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)

clf = LayerwiseCNNClassifier(random_state=0).fit(X_train, y_train)
print(f"held-out accuracy: {clf.score(X_test, y_test):.3f}")

# %%
# The filters are centroids of whitened 3x3 patches: edges, corners, ends of strokes.

CentroidsDisplay.from_estimator(clf.layers_[0].orthogonalizer)

# %%
# Every channel of the codes answers to one cluster of patches, or to its negative. The
# embedding joins clusters that vote alike for the labels.

LayersDisplay.from_estimator(clf, X_test[0])
plt.show()

# %%
# The result is a plain convolutional network.

print(clf.to_torch())
