r"""
Theorem 1 at work: embeddings of patches, from mixed to separated
=================================================================

The two-layer network starts from random kernels, so that its embedding of patches is random. Then T
steps of gradient descent on the labels of whole images move patches of different classes apart.
Distances within a class stay the same. No patch is ever labeled. The embedding of a patch x of
class c is :math:`K_T^\top x = K_0^\top x + \frac{\eta T}{k} W_0^\top F_c`: a random projection of
the labeled frequencies of the class, plus noise from the random start.
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
# The labeled frequencies of the four classes show at which positions a class is evidence for which
# label. They differ between classes.

FrequenciesDisplay.from_estimator(sampler, level=1)
plt.show()

# %%
# The exact form of theorem 1 gives the number of steps T: with probability 1 - delta, all classes
# are gamma apart after T steps, and two patches of a class are less than sigma apart.

exact = sampler.statistics().levels[1]
n, T, eta = theorem1_params(
    k, n_classes, delta=0.05, sigma=sigma, gamma=gamma, delta_min=exact.delta_min
)
print(f"width n = {n}, T = {T} steps of size {eta}")

# %%
# Run gradient descent on the population: expectations are exact, and nothing is sampled. All
# pictures are projections to the same plane, each at its own scale. Classes move apart, and
# distances within a class do not change.


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
# The distances in all n dimensions, and the bounds of the theorem.

DistancesDisplay.from_estimator(embed(T), n_classes=n_classes, sigma=sigma, gamma=gamma)
plt.show()
