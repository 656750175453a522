r"""
Theorem 1 at work: the printed bound, the exact bound, and the truth
====================================================================

Gradient descent moves the embeddings of two classes apart if their labeled frequency matrices
differ. How many steps T does it need? In the paper, the width n and the number of steps depend on
the angle :math:`\theta` and the smallest norm :math:`\lambda` of the matrices. For small angles,
they are not enough. The exact bound depends on the distance between the matrices only, and holds
for every width.
"""

import matplotlib.pyplot as plt
import numpy as np

from skhier import TwoLayerConvEmbedder
from skhier.theory import theorem1_failure_probability, theorem1_params

delta, sigma, gamma, eta = 0.05, 0.1, 1.0, 1e-3
n_runs = 300

# %%
# There are two classes of one patch each. Their labeled frequency matrices have equal norms and the
# angle theta. The gradient does not depend on K, so that K_0 and K_1 give K_T for all T.


def distances(F, n, steps):
    """Return the distances of the two embeddings after `steps`, of shape (n_runs, len(steps))."""
    embedder = TwoLayerConvEmbedder(n, init_scale=sigma, learning_rate=eta, scale_channels=False)
    K = np.empty((2, n_runs, n))
    for seed in range(n_runs):
        for T in (0, 1):
            embedder.set_params(max_iter=T, random_state=seed)
            kernels = embedder.fit_population(F.T[None], [-1, 1]).kernels_
            K[T, seed] = kernels[0] - kernels[1]
    return np.array([np.linalg.norm(K[0] + T * (K[1] - K[0]), axis=1) for T in steps]).T


fig, axes = plt.subplots(1, 3, figsize=(11, 4), sharey=True, layout="constrained")
for ax, theta in zip(axes, [2.0, 0.2, 0.005]):
    F = np.array([[1.0, 0.0], [np.cos(theta), np.sin(theta)]])
    apart = np.linalg.norm(F[0] - F[1])
    limits = {"delta": delta, "sigma": sigma, "gamma": gamma, "learning_rate": eta}
    printed = theorem1_params(1, 2, theta=theta, lambda_=1.0, bound="paper", **limits)
    n = printed.n_components
    exact = theorem1_params(1, 2, delta_min=apart, n_components=n, **limits)
    steps = np.unique(np.geomspace(30, 10_000, 300).astype(int))
    truth = (distances(F, n, steps) < gamma).mean(axis=0)
    bound = theorem1_failure_probability(
        steps, 1, [apart], n_components=n, learning_rate=eta, sigma=sigma, gamma=gamma
    )
    ax.plot(steps, truth, color="C0", lw=2.5, label=f"truth ({n_runs} runs)")
    ax.plot(steps, bound, color="C1", ls="--", label="exact bound")
    ax.axvline(exact.max_iter, color="C1", ls=":", label=rf"T, exact ($\delta$ = {delta})")
    ax.axvline(printed.max_iter, color="C3", ls="-.", label=rf"T, as printed ($\delta$ = {delta})")
    ax.set(xscale="log", xlabel="gradient steps T", title=rf"$\theta$ = {theta}, n = {n}")
    failed = truth[np.searchsorted(steps, printed.max_iter)]
    print(f"theta = {theta}: T = {exact.max_iter} (exact), {printed.max_iter} (printed);")
    print(f"    after the printed T, classes are not gamma apart in {failed:.0%} of the runs")
axes[0].set_ylabel(r"P(classes less than $\gamma$ apart)")
fig.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
plt.show()
