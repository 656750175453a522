"""
Fine-tuning: from layerwise learning to backpropagation
=======================================================

A fitted classifier is a plain PyTorch network (``to_torch``). Ordinary backpropagation can go
on from there. Beside it here is the same network, trained the same way from random weights.
"""

# %%
# Handwritten digits, a hundred of them to learn from.
import matplotlib.pyplot as plt
import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch.nn import functional as F

from skhier import LayerwiseCNNClassifier

digits = load_digits()
X_train, X_test, y_train, y_test = train_test_split(
    digits.images.astype(np.float32), digits.target, train_size=100, random_state=0
)
clf = LayerwiseCNNClassifier(n_clusters=32, n_components=32, random_state=0).fit(X_train, y_train)
print(f"learned layer by layer: {clf.score(X_test, y_test):.3f} of the test images")

# %%
# The head's scores are those of a ridge regression on labels from 0 to 1. The softmax of
# backpropagation wants larger ones, so the last layer is scaled.
layerwise = clf.to_torch()
with torch.no_grad():
    layerwise[-1].weight *= 10
    layerwise[-1].bias *= 10


def randomized():
    """The same network with random weights, as PyTorch draws them."""
    network = clf.to_torch()
    for module in network.modules():
        if hasattr(module, "reset_parameters"):
            module.reset_parameters()
    return network


# %%
# The same training for both.
def fine_tune(network, n_epochs=200):
    """Test accuracy before the first epoch of Adam and after each."""
    images, test_images = (torch.from_numpy(X[:, None]) for X in (X_train, X_test))
    labels = torch.from_numpy(y_train)
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-4)
    accuracies = []
    for epoch in range(n_epochs + 1):
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
    print(f"{name}: {curve[0]:.3f} before, {curve[-1]:.3f} after {len(curve) - 1} epochs")

# %%
# Both arrive at the same accuracy, the layerwise start after a tenth of the epochs.
figure, ax = plt.subplots(figsize=(6, 4))
for name, curve in curves.items():
    ax.plot(curve, label=name)
ax.set(xlabel="epochs of backpropagation", ylabel="test accuracy", ylim=(0.6, 1))
ax.legend(frameon=False)
plt.show()
