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
# :func:`~skhier.datasets.make_broadcast_tree` returns a sampler with exact inference, so the error
# of the best prediction is the mean of :math:`1 - \max_y P(y | \text{leaves})` over sampled trees.
# The simplest prediction is a majority vote of the leaves, whose error is counted on 20,000 trees:
# its standard error is up to 0.0035.

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
        bayes[i, j] = tree.bayes_risk(2000).risk
        leaves, root = tree.sample(20_000, output="symbols", random_state=1)
        share = leaves.mean(axis=1)
        wrong = (share > 0.5) != root
        majority[i, j] = np.where(share == 0.5, 0.5, wrong).mean()  # a tie is a guess

fig, axes = plt.subplots(1, 2, figsize=(9, 3.6), sharey=True)
for ax, errors, title in zip(axes, (bayes, majority), ("best prediction", "majority vote")):
    for depth, error in zip(depths, errors):
        ax.plot(thetas, error, ".-", label=f"depth {depth}")
    ax.axvline(2**-0.5, color="gray", linestyle=":", label=r"$2 \theta^2 = 1$")
    ax.set(xlabel=r"$\theta$", title=title)
axes[0].set(ylabel="error of the root")
axes[0].legend()
fig.tight_layout()

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

fig, ax = plt.subplots(figsize=(5, 3.4))
ax.loglog(distance, correlation[1:], ".", label="exact, from the sampler")
ax.loglog(distance, theta ** (2 * levels), "-", linewidth=1, label=r"$\theta^{2 h}$")
ax.set(xlabel="distance of two leaves", ylabel="correlation")
ax.legend()
fig.tight_layout()
