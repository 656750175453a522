r"""
U-nets as belief propagation: exact denoising
=============================================

In a generative hierarchical model, the exact denoiser is belief propagation: messages go up the
tree and down again. :cite:t:`mei2024` shows that a U-net can compute them: its convolutions of
stride 2 are the way up, its transposed convolutions the way down, and each skip connection brings
the message of a node to the node of the same level. Here small U-nets are compared with the exact
posterior mean.
"""

# sphinx_gallery_thumbnail_number = 1
import warnings

import matplotlib.pyplot as plt
import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from torch import nn
from torch.nn import functional as F

from skhier import LayerwiseCNNClassifier
from skhier.datasets import make_transition_tree

S, L = 6, 4  # symbols, levels
sizes = {"n_classes": S, "depth": L, "return_X_y": False, "random_state": 0}


def error(denoised, symbols):
    """Return the mean squared distance of denoised leaves from one-hot symbols."""
    return ((denoised - np.eye(S)[symbols]) ** 2).sum(axis=-1).mean()


# %%
# How much of the tree does a denoiser need?
# ------------------------------------------
#
# Each level of the tree has a transition of its own for left and right children. The leaves are
# one-hot vectors with Gaussian noise. A denoiser that sees subtrees of height h is exact for one
# model: that in which all of these subtrees are independent. Its posterior is that of the whole
# tree if all other leaves are unknown: in ``log_evidence``, a row of zeros.


def posterior_of_subtrees(sampler, images, sigma, height):
    """Return the posterior of each leaf, given the leaves of its subtree only."""
    evidence = images[:, 0] / sigma**2  # log p(pixel | symbol), up to a constant
    p, width = np.empty_like(evidence, dtype=float), 2**height
    for start in range(0, 2**L, width):
        part = np.s_[:, start : start + width]
        known = np.zeros_like(evidence)
        known[part] = evidence[part]
        p[part] = sampler.posterior(log_evidence=known, level=L)[part]
    return p


sigmas = np.geomspace(0.2, 2, 7)
exact = np.empty((L + 1, len(sigmas)))
for j, sigma in enumerate(sigmas):
    tree = make_transition_tree(500, pixel_noise=sigma, **sizes)
    for height in range(L + 1):
        p = posterior_of_subtrees(tree.sampler, tree.images, sigma, height)
        exact[height, j] = error(p, tree.symbols)

fig, ax = plt.subplots(figsize=(6, 3.8), layout="constrained")
for height, errors in enumerate(exact):
    label = f"{2**height} leaves" if height else "the leaf alone"
    ax.semilogx(sigmas, errors, ".-", color=plt.get_cmap("viridis")(height / (L + 1)), label=label)
ax.set(xlabel=r"noise $\sigma$", ylabel="lowest mean squared error", title="Exact denoisers")
ax.set(xticks=[0.2, 0.5, 1, 2], xticklabels=["0.2", "0.5", "1", "2"])
ax.minorticks_off()
ax.legend(frameon=False, title="which see")
plt.show()

# %%
# U-nets
# ------
#
# A U-net with h levels sees subtrees of height h. Both are trained on the same new trees in each
# step, to minimize the squared error. Its minimum is the posterior mean. The U-net of the whole
# tree comes close to it. That of two leaves does not reach the exact denoiser of two leaves: its
# convolutions are the same at all places, and symbols have other frequencies at each place.

sigma, n_steps, batch_size, width = 0.5, 400, 128, 32
sampler = make_transition_tree(1, pixel_noise=sigma, **sizes).sampler


class UNet(nn.Module):
    def __init__(self, n_levels):
        super().__init__()
        levels = range(n_levels)
        self.first = nn.Conv1d(S, width, 1)
        self.down = nn.ModuleList(nn.Conv1d(width, width, 2, stride=2) for _ in levels)
        self.up = nn.ModuleList(nn.ConvTranspose1d(width, width, 2, stride=2) for _ in levels)
        self.join = nn.ModuleList(nn.Conv1d(2 * width, width, 1) for _ in levels)
        self.last = nn.Conv1d(width, S, 1)

    def forward(self, x):
        x, skips = F.relu(self.first(x)), []
        for down in self.down:
            skips.append(x)
            x = F.relu(down(x))
        for up, join in zip(self.up, self.join):
            x = F.relu(join(torch.cat([F.relu(up(x)), skips.pop()], dim=1)))
        return self.last(x).softmax(dim=1)


def channels_first(images):
    return torch.from_numpy(images.swapaxes(1, 2).astype(np.float32))


X, _, latents = sampler.sample(n_steps * batch_size, return_latents=True, random_state=1)
leaves = np.eye(S)[latents[-1][:, 0]]
batches = list(
    zip(channels_first(X[:, 0]).split(batch_size), channels_first(leaves).split(batch_size))
)
X_test, _, latents = sampler.sample(2000, return_latents=True, random_state=2)
test_symbols = latents[-1][:, 0]


def learning_curve(network):
    """Train a network; return its test errors at some steps."""
    optimizer = torch.optim.Adam(network.parameters(), fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.01, total_steps=n_steps)
    curve = []
    for step, (noisy, clean) in enumerate(batches, 1):
        optimizer.zero_grad()
        ((network(noisy) - clean) ** 2).sum(dim=1).mean().backward()
        optimizer.step()
        schedule.step()
        if step in steps:
            with torch.no_grad():
                denoised = network(channels_first(X_test[:, 0])).numpy().swapaxes(1, 2)
            curve.append(error(denoised, test_symbols))
    return curve


steps = np.unique(np.geomspace(10, n_steps, 15).astype(int))
fig, ax = plt.subplots(figsize=(6, 3.8), layout="constrained")
for n_levels, color in ((1, "#0072B2"), (L, "#D55E00")):
    torch.manual_seed(0)
    curve = learning_curve(UNet(n_levels))
    best = error(posterior_of_subtrees(sampler, X_test, sigma, n_levels), test_symbols)
    ax.loglog(batch_size * steps, curve, color=color, label=f"U-net, {2**n_levels} leaves")
    ax.axhline(best, color=color, linestyle="--", linewidth=1)
    print(f"{2**n_levels:2} leaves: U-net {curve[-1]:.3f}, exact denoiser {best:.3f}")
ax.plot([], [], "k--", linewidth=1, label="exact denoiser")
ax.set(xlabel="training trees", ylabel="mean squared error", title="U-nets and exact denoisers")
ax.set(xticks=[2000, 10_000, 50_000], xticklabels=["2,000", "10,000", "50,000"])
ax.set(yticks=[0.1, 0.2, 0.4, 0.8], yticklabels=["0.1", "0.2", "0.4", "0.8"])
ax.minorticks_off()
ax.legend(frameon=False)
plt.show()

# %%
# Labels
# ------
#
# For the label, the way up is enough: a convolutional network. Both learners get 10,000 trees
# without noise. Algorithm 1 has a cluster for each pair of symbols and puts pairs in S groups, as
# if each pair had one parent. Here a pair has a posterior of parents, which the network can hold.

clean = make_transition_tree(1, **sizes).sampler
train, y = clean.sample(10_000, random_state=1)
test, y_test = clean.sample(5000, random_state=2)
learner = LayerwiseCNNClassifier.algorithm_1(
    S * S, (1, 2), L, n_components=S, embedder__solver="shares", random_state=0
)
with warnings.catch_warnings():  # some pairs never occur, so there are fewer pairs than clusters
    warnings.simplefilter("ignore", ConvergenceWarning)
    learner.fit(train, y)

torch.manual_seed(0)
layers = [nn.Conv1d(S if i == 0 else width, width, 2, stride=2) for i in range(L)]
network = nn.Sequential(
    *(layer for conv in layers for layer in (conv, nn.ReLU())), nn.Flatten(), nn.Linear(width, S)
)
optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)
X_train, y_train = channels_first(train[:, 0]), torch.from_numpy(y)
for _ in range(4):
    for rows in torch.randperm(len(y)).split(batch_size):
        optimizer.zero_grad()
        F.cross_entropy(network(X_train[rows]), y_train[rows]).backward()
        optimizer.step()
with torch.no_grad():
    predicted = network(channels_first(test[:, 0])).argmax(dim=1).numpy()
print(f"lowest error  {1 - clean.bayes_predict_proba(test).max(axis=1).mean():.3f}")
print(f"network       {(predicted != y_test).mean():.3f}")
print(f"algorithm 1   {1 - learner.score(test, y_test):.3f}")
