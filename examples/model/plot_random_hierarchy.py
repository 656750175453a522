r"""
How many samples does depth cost? A study of the Random Hierarchy Model
=======================================================================

In the Random Hierarchy Model :cite:p:`cagnetta2024`, a label becomes a string of symbols in L
steps: each symbol is replaced by one of m pairs of symbols of the next level. The number of strings
of a label grows exponentially with the length :math:`2^L` of the string. A learner that finds the
levels one by one needs far fewer samples. Deep networks trained end to end need about :math:`n_c
m^L` samples for :math:`n_c` labels. This example measures how many samples algorithm 1 needs.
"""

# sphinx_gallery_thumbnail_number = 1
import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning

from skhier import LayerwiseCNNClassifier
from skhier.datasets import make_random_hierarchy
from skhier.plotting import GenerationDisplay

n_classes, vocabulary_size, n_seeds = 8, 8, 2
sizes = np.unique(np.geomspace(24, 12_000, 11).astype(int))

# %%
# One string of depth 4, from the label to its 16 symbols. At the last level, each symbol is a
# one-hot pixel.

rhm = make_random_hierarchy(1, n_synonyms=2, depth=4, return_X_y=False, random_state=0)
GenerationDisplay.from_estimator(rhm.sampler, random_state=0)
plt.show()


# %%
# Measure the accuracy of algorithm 1 against the number of samples. It has one cluster for each
# pair of symbols of the model. Accuracies are means over two models of each depth.


def accuracies(depth, n_synonyms, seed):
    """Return the accuracy for each of `sizes`: 1 for all sizes after the first above 0.98."""
    X, y = make_random_hierarchy(
        sizes[-1] + 1000,
        n_classes=n_classes,
        vocabulary_size=vocabulary_size,
        n_synonyms=n_synonyms,
        depth=depth,
        random_state=seed,
    )
    n_clusters = [vocabulary_size * n_synonyms] * (depth - 1) + [n_classes * n_synonyms]
    learner = LayerwiseCNNClassifier.algorithm_1(
        n_clusters,
        patch_size=(1, 2),
        n_layers=depth,
        orthogonalizer__kmeans=KMeans(n_init=3),
        random_state=0,
    )
    curve = np.ones(len(sizes))
    for i, n in enumerate(sizes):
        with warnings.catch_warnings():  # few samples have fewer distinct patches than clusters
            warnings.simplefilter("ignore", ConvergenceWarning)
            curve[i] = learner.fit(X[:n], y[:n]).score(X[-1000:], y[-1000:])
        if curve[i] > 0.98:
            break
    return curve


settings = {2: [1, 2, 3, 4], 3: [1, 2, 3]}  # m -> depths
curves = {
    (m, depth): np.mean([accuracies(depth, m, seed) for seed in range(n_seeds)], axis=0)
    for m, depths in settings.items()
    for depth in depths
}

# %%
# Fit :math:`P^* = a\, b^L` to the number :math:`P^*` of samples for an accuracy of 0.9.

fig, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
colors = {2: "#0072B2", 3: "#E69F00"}
for depth, curve in ((depth, curves[2, depth]) for depth in settings[2]):
    left.plot(sizes, curve, "o-", color=plt.get_cmap("viridis")((depth - 1) / 4), label=f"{depth}")
left.axhline(0.9, color="0.5", linestyle=":")
left.set(xscale="log", xlabel="samples", ylabel="accuracy", title="m = 2")
left.legend(title="depth L", frameon=False)
for m, depths in settings.items():
    needed = []
    for depth in depths:
        i = max(1, int(np.argmax(curves[m, depth] >= 0.9)))
        needed.append(np.interp(0.9, curves[m, depth][i - 1 : i + 1], sizes[i - 1 : i + 1]))
    slope, offset = np.polyfit(depths, np.log(needed), 1)
    print(
        f"m = {m}: samples {np.round(needed).astype(int)} for L = {depths}; b = {np.exp(slope):.2f}"
    )
    right.plot(depths, needed, "o", color=colors[m], label=f"algorithm 1, m = {m}")
    line = np.exp(offset + slope * np.array(depths))
    right.plot(
        depths, line, color=colors[m], label=f"${np.exp(offset):.0f} \\cdot {np.exp(slope):.2f}^L$"
    )
    theory = n_classes * m ** np.array(depths)
    right.plot(depths, theory, ":", color=colors[m], label=f"$n_c m^L$, m = {m}")
right.set(yscale="log", xlabel="depth L", ylabel="samples for an accuracy of 0.9", title="depth")
right.set_xticks([1, 2, 3, 4])
right.legend(frameon=False, fontsize="small")
plt.show()
