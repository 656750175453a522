"""
Few labels: layer by layer against end to end
=============================================

Two networks of the same shape learn handwritten digits. One is learned layer by layer. The other is
trained end to end, by backpropagation from random weights. The number of labeled images grows from
50 to 1,000.
"""

import time

import matplotlib.pyplot as plt
import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch.nn import functional as F

from skhier import LayerwiseCNNClassifier

X, y = load_digits().images.astype(np.float32), load_digits().target
X_train, X_test, y_train, y_test = train_test_split(X, y, train_size=1000, random_state=0)


def fit(X, y):
    return LayerwiseCNNClassifier(n_clusters=[24, 64], random_state=0).fit(X, y)


def learn_layerwise(X, y):
    return fit(X, y).predict


def learn_end_to_end(X, y, n_steps=250):
    """Train a network of the same shape by Adam, from random weights."""
    network = fit(X[:50], y[:50]).to_torch()
    torch.manual_seed(0)
    for module in network.modules():
        if hasattr(module, "reset_parameters"):
            module.reset_parameters()
    images, labels = torch.from_numpy(X[:, None]), torch.from_numpy(y)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    for _ in range(n_steps):
        batch = torch.randint(len(images), (32,))
        optimizer.zero_grad()
        F.cross_entropy(network(images[batch]), labels[batch]).backward()
        optimizer.step()
    network.requires_grad_(False)
    return lambda X: network(torch.from_numpy(X[:, None])).argmax(dim=1).numpy()


# %%
sizes = [50, 200, 1000]
learners = {"layer by layer": learn_layerwise, "end to end": learn_end_to_end}
accuracies, seconds = {name: [] for name in learners}, {name: [] for name in learners}
for n in sizes:
    for name, learn in learners.items():
        start = time.perf_counter()
        predict = learn(X_train[:n], y_train[:n])
        seconds[name].append(time.perf_counter() - start)
        accuracies[name].append(np.mean(predict(X_test) == y_test))
    result = [
        f"{name} {accuracies[name][-1]:.3f} in {seconds[name][-1]:.1f} s" for name in learners
    ]
    print(f"{n} labels: " + ", ".join(result))

# %%
# The left figure shows the accuracy on the 797 held-out images, and the right figure the time to
# learn. With 50 labels both are level. With more, the network that is trained end to end is more
# accurate. It always takes longer, and many times as long with few labels. The layers have few
# clusters here; the default has more.

fig, axes = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
for name, color in zip(learners, ["#0072B2", "#E69F00"]):
    axes[0].plot(sizes, accuracies[name], "o-", color=color, label=name)
    axes[1].plot(sizes, seconds[name], "o-", color=color, label=name)
axes[0].set(ylabel="accuracy on test images", title="accuracy")
axes[1].set(ylabel="seconds to learn", yscale="log", title="time")
for ax in axes:
    ax.set(xlabel="labeled images", xscale="log")
    ax.set_xticks(sizes, [str(n) for n in sizes])
    ax.minorticks_off()
axes[0].legend(frameon=False)
plt.show()
