r"""
Theorem 1 at work: embeddings of patches, from mixed to separated
=================================================================

The two-layer network starts from random kernels, and its embedding of patches means nothing. T
steps of gradient descent on labels of whole images pull patches of one class together, in
comparison, and patches of different classes apart, although no patch was ever labeled. The
embedding of a patch of class c is :math:`K_T^\top x = K_0^\top x + \frac{\eta T}{k} W_0^\top F_c`:
a random projection of the class's labeled frequencies, with a little noise from the start.
"""

# sphinx_gallery_thumbnail_number = -1
import matplotlib.pyplot as plt
import numpy as np

from skhier import HierarchicalSampler, TwoLayerConvEmbedder
from skhier.plotting import DistancesDisplay, FrequenciesDisplay
from skhier.theory import theorem1_params

sigma, gamma = 1.0, 2.0
n_classes, k = 4, 30
sampler = HierarchicalSampler(patches_per_class=k, random_state=0).fit()

# %%
# The labeled frequencies of the four classes: where each speaks for which label. They differ.

FrequenciesDisplay.from_estimator(sampler, level=1)
plt.show()

# %%
# How many steps T until all classes are gamma apart, except with probability delta, and patches of
# a class are within sigma? The exact form of theorem 1 says.

exact = sampler.statistics().levels[1]
n, T, eta = theorem1_params(
    k, n_classes, delta=0.05, sigma=sigma, gamma=gamma, delta_min=exact.delta_min
)
print(f"width n = {n}, T = {T} steps of size {eta}")

# %%
# Gradient descent on the population: expectations are exact, nothing is sampled. All pictures are
# projections to the same plane, each at its own scale: classes move apart while the distances
# within a class stay what they were.


def embed(steps):
    embedder = TwoLayerConvEmbedder(
        n,
        init_scale=sigma,
        learning_rate=eta,
        max_iter=steps,
        scale_channels=False,
        random_state=0,
    )
    return embedder.fit_population(sampler.code_moments(1), sampler.classes_)


steps = [0, T // 500, T // 100, T]
kernels = [embed(t).kernels_ for t in steps]
means = kernels[-1].reshape(n_classes, k, n).mean(axis=1)
plane = np.linalg.svd(means - means.mean(axis=0), full_matrices=False)[2][:2].T
fig, axes = plt.subplots(1, 4, figsize=(12, 3.3), layout="constrained")
for ax, t, K in zip(axes, steps, kernels):
    points = ((K - K.mean(axis=0)) @ plane).reshape(n_classes, k, 2)
    for c, (color, marker) in enumerate(zip(["#0072B2", "#E69F00", "#009E73", "#CC79A7"], "osD^")):
        ax.scatter(*points[c].T, s=14, color=color, marker=marker, label=f"class {c}")
    ax.set(title=f"T = {t:,}", xticks=[], yticks=[])
    ax.axis("equal")
axes[0].legend(fontsize="small")
plt.show()

# %%
# Distances in all n dimensions, and what the theorem promises.

DistancesDisplay.from_estimator(embed(T), n_classes=n_classes, sigma=sigma, gamma=gamma)
plt.show()
