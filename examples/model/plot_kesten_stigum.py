r"""
Kesten-Stigum transition
========================

A symbol is broadcast from the root of a tree to its leaves: each child copies its parent with
probability :math:`\theta`, and otherwise draws a symbol uniformly :cite:p:`mossel2016`. How well
can the root be found from the leaves? With two symbols and b children of each node, the answer
changes at :math:`b \theta^2 = 1`: above, the error of the best prediction tends to a limit below
1/2 as the tree grows; below, it tends to 1/2.
"""

# %%
# Exact Bayes errors
# ------------------
#
# :func:`~skhier.datasets.make_broadcast_tree` returns a sampler with exact inference, so each
# sampled tree gives the exact probability :math:`1 - P(\hat y | \text{leaves})` that a prediction
# :math:`\hat y` is wrong. The best prediction is the most probable symbol. The simplest one is a
# majority vote of the leaves. The curves are means over the same 10,000 trees: their standard
# errors are below 0.002.

# sphinx_gallery_thumbnail_number = -1
import matplotlib.pyplot as plt
import numpy as np

from skhier.datasets import make_broadcast_tree

thetas = np.linspace(0.4, 0.95, 12)
depths = (2, 4, 6, 8)
bayes, majority = np.empty((2, len(depths), len(thetas)))
for i, depth in enumerate(depths):
    for j, theta in enumerate(thetas):
        tree = make_broadcast_tree(
            1, depth=depth, theta=theta, return_X_y=False, random_state=0
        ).sampler
        leaves, _ = tree.sample(10_000, output="symbols", random_state=0)
        p = tree.bayes_predict_proba(symbols=leaves)
        share = leaves.mean(axis=1)
        votes = np.where(share == 0.5, 0.5, share > 0.5)  # a tie is a guess
        bayes[i, j] = p.min(axis=1).mean()
        majority[i, j] = (votes * p[:, 0] + (1 - votes) * p[:, 1]).mean()

colors = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
fig, axes = plt.subplots(1, 2, figsize=(9, 3.6), sharey=True, layout="constrained")
for ax, errors, title in zip(axes, (bayes, majority), ("best prediction", "majority vote")):
    for depth, error, color in zip(depths, errors, colors):
        ax.plot(thetas, error, ".-", color=color, label=f"depth {depth}")
    ax.axvline(2**-0.5, color="gray", linestyle=":", label=r"$2 \theta^2 = 1$")
    ax.set(xlabel=r"$\theta$", title=title)
axes[0].set(ylabel="error of the root")
axes[0].legend()
plt.show()

# %%
# Below the bound, each level brings both errors closer to 1/2. Above, the errors of deep trees are
# nearly the same.
#
# Correlations of leaves
# ----------------------
#
# Leaves whose lowest common ancestor is h levels up have the correlation :math:`\theta^{2 h}`. Both
# curves are exact: the sampler's from its transitions, without samples.

depth, theta = 8, 0.8
tree = make_broadcast_tree(1, depth=depth, theta=theta, return_X_y=False, random_state=0).sampler
joint = tree.pair_frequencies(depth, (0, 0))[0]  # of the first leaf and each other leaf
correlation = 4 * joint[:, 1, 1] - 1
distance = np.arange(1, 2**depth)
levels = np.floor(np.log2(distance)) + 1

fig, ax = plt.subplots(figsize=(5, 3.6), layout="constrained")
ax.loglog(distance, correlation[1:], ".", color="#0072B2", label="exact, from the sampler")
ax.loglog(distance, theta ** (2 * levels), "k-", linewidth=1, label=r"$\theta^{2 h}$")
ax.set(xlabel="distance of two leaves", ylabel="correlation", title="correlation of two leaves")
ax.legend()
plt.show()
