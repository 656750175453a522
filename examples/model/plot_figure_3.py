"""
Figure 3: a linear classifier, a CNN and algorithm 1
====================================================

The paper compares three methods on the model of its appendix D. A label becomes an image of 3x3
symbols, then of 9x9 symbols, then of 27x27 pixels, with k patches for each of four symbols. A
linear classifier cannot learn the labels. Algorithm 1 recovers the levels one by one. This example
repeats figure 3 with a tenth of its images. ``benchmarks/figure_3.py`` uses all images, and three
models for each k.
"""

# sphinx_gallery_thumbnail_number = -1
import time

import matplotlib.pyplot as plt
import numpy as np
import torch
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from torch.nn import functional as F

from skhier import Flatten, LayerwiseCNNClassifier
from skhier.datasets import make_appendix_d
from skhier.plotting import GenerationDisplay

n_train, n_test = 4000, 2000

# %%
# One image of the model, level by level.

model = make_appendix_d(1, return_X_y=False, random_state=0)
GenerationDisplay.from_estimator(model.sampler, random_state=0)
plt.show()


# %%
# The CNN has the convolutions of algorithm 1's network, and is trained end to end by Adam. Here it
# has 300 steps. To do better, it needs thousands of steps and ten times as many images.


def learn_cnn(X, y, k, n_steps=300):
    torch.manual_seed(0)
    network = torch.nn.Sequential(
        torch.nn.Conv2d(1, 4 * k, 3, stride=3),
        torch.nn.ReLU(),
        torch.nn.Conv2d(4 * k, 64, 1),
        torch.nn.Conv2d(64, 4 * k, 3, stride=3),
        torch.nn.ReLU(),
        torch.nn.Flatten(),
        torch.nn.Linear(9 * 4 * k, 2),
    )
    images, labels = torch.from_numpy(X[:, None]), torch.from_numpy((y > 0).astype(np.int64))
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    for _ in range(n_steps):
        batch = torch.randint(len(images), (64,))
        optimizer.zero_grad()
        F.cross_entropy(network(images[batch]), labels[batch]).backward()
        optimizer.step()
    network.requires_grad_(False)
    return lambda X: 2 * network(torch.from_numpy(X[:, None])).argmax(dim=1).numpy() - 1


def learn_linear(X, y, k):
    svm = LinearSVC(C=0.01, random_state=0)
    return make_pipeline(Flatten(), StandardScaler(), svm).fit(X, y).predict


# %%
# Algorithm 1 has one cluster for each patch of the model.


def learn_by_algorithm_1(X, y, k):
    return LayerwiseCNNClassifier.algorithm_1(4 * k, patch_size=3, random_state=0).fit(X, y).predict


learners = {"linear": learn_linear, "CNN": learn_cnn, "algorithm 1": learn_by_algorithm_1}
accuracies = {name: [] for name in learners}
for k in (10, 20):
    X, y = make_appendix_d(n_train + n_test, patches_per_class=k, random_state=0)
    for name, learn in learners.items():
        start = time.perf_counter()
        predict = learn(X[:n_train], y[:n_train], k)
        seconds = time.perf_counter() - start
        accuracies[name].append(np.mean(predict(X[n_train:]) == y[n_train:]))
        print(f"k = {k}, {name}: {accuracies[name][-1]:.3f} ({seconds:.0f} s)")

# %%
# The accuracies of the three methods, for two values of k.

fig, ax = plt.subplots(figsize=(6, 4), layout="constrained")
for i, (name, color) in enumerate(zip(learners, ["0.6", "#E69F00", "#0072B2"])):
    ax.bar(np.arange(2) + 0.27 * (i - 1), accuracies[name], 0.25, label=name, color=color)
ax.set_xticks(range(2), ["k = 10", "k = 20"])
ax.set(ylim=(0.5, 1.12), ylabel="accuracy on held-out images", yticks=np.arange(0.5, 1.01, 0.1))
ax.set_title("four symbols, k patches each; 4,000 training images")
ax.legend(frameon=False, ncols=3, loc="upper center")
plt.show()
