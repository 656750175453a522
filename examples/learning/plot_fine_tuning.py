"""
Fine-tuning: from layerwise learning to backpropagation
=======================================================

``to_torch`` returns a fitted classifier as a PyTorch network, and backpropagation can continue from
its weights. This example compares it with the same training from random weights.
"""

# %%
# The images are handwritten digits, 100 for training and 800 for tests.
import matplotlib.pyplot as plt
import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch.nn import functional as F

from skhier import LayerwiseCNNClassifier, RidgeHead

digits = load_digits()
X_train, X_test, y_train, y_test = train_test_split(
    digits.images.astype(np.float32), digits.target, train_size=100, random_state=0
)
X_test, y_test = X_test[:800], y_test[:800]
# The default head takes square roots, whose gradients are large near 0. This one does not.
clf = LayerwiseCNNClassifier(n_clusters=[32, 32], n_components=32, head=RidgeHead(), random_state=0)
clf.fit(X_train, y_train)
print(f"learned layer by layer: {clf.score(X_test, y_test):.3f} of the test images")

# %%
# The head is a ridge regression on targets from 0 to 1. Its scores are too small for the softmax of
# the logistic loss, so the last layer is multiplied by 10.
layerwise = clf.to_torch()
with torch.no_grad():
    layerwise[-1].weight *= 10
    layerwise[-1].bias *= 10


def randomized():
    """Return the same network with PyTorch's random initial weights."""
    network = clf.to_torch()
    for module in network.modules():
        if hasattr(module, "reset_parameters"):
            module.reset_parameters()
    return network


# %%
# Train both networks in the same way.
epochs = np.arange(0, 161, 8)  # after which the accuracy is measured


def fine_tune(network):
    """Train by Adam; return the test accuracy after each of `epochs`."""
    images, test_images = (torch.from_numpy(X[:, None]) for X in (X_train, X_test))
    labels = torch.from_numpy(y_train)
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-4)
    accuracies = []
    for epoch in range(epochs[-1] + 1):
        if epoch in epochs:
            with torch.no_grad():
                predicted = network(test_images).argmax(dim=1).numpy()
            accuracies.append((predicted == y_test).mean())
        for batch in torch.randperm(len(images)).split(32):
            optimizer.zero_grad()
            F.cross_entropy(network(images[batch]), labels[batch]).backward()
            optimizer.step()
    return accuracies


torch.manual_seed(0)
curves = {
    "layerwise start": fine_tune(layerwise),
    "random start": fine_tune(randomized()),
}
for name, curve in curves.items():
    print(f"{name}: {curve[0]:.3f} before, {curve[-1]:.3f} after {epochs[-1]} epochs")

# %%
# Both reach nearly the same accuracy. The layerwise start needs a tenth of the epochs.
figure, ax = plt.subplots(figsize=(5.5, 4), layout="constrained")
for (name, curve), color in zip(curves.items(), ["#0072B2", "#E69F00"]):
    ax.plot(epochs, curve, color=color, label=name)
ax.set(xlabel="epochs of backpropagation", ylabel="test accuracy", ylim=(0.6, 1))
ax.set_title("backpropagation from two starts")
ax.legend(frameon=False)
plt.show()
