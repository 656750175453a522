r"""
Synonyms and diffeomorphisms: sensitivities on the Sparse Random Hierarchy Model
================================================================================

In the Sparse Random Hierarchy Model :cite:p:`tomasini2024` the label of a string does not change if
symbols are exchanged for synonyms, or if they are moved to other places, a discrete diffeomorphism.
A network that has learned the label is insensitive to both. This example measures at which layer,
and from how many training strings on.
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
from skhier.datasets import make_sparse_random_hierarchy

v, m, n_test, n_seeds = 8, 4, 1000, 2
sizes = [250, 500, 1000, 2000, 4000]

# %%
# A label becomes two symbols at 4 places. Each of these becomes two symbols again, so strings have
# 16 places, of which 4 hold a symbol.

rhm = make_sparse_random_hierarchy(3, return_X_y=False, random_state=0)
print(*("".join("ABCDEFGH-"[symbol] for symbol in string) for string in rhm.symbols), sep="\n")

# %%
# Exchanges
# ---------
#
# Levels 0 and 2 of the sampler draw tuples, levels 1 and 3 the places of their symbols. An exchange
# draws one of these levels again: :meth:`~skhier.HierarchicalSampler.resample`. With new places,
# symbols move with their subtrees.
#
# The sensitivity of a representation f is the mean of :math:`\|f(x') - f(x)\|^2` for strings x and
# their exchanged strings x', divided by the same mean for two different strings.

EXCHANGES = {
    "synonyms, lower": {"level": 2, "until": 3},
    "places, lower": {"level": 3},
    "synonyms, upper": {"level": 0, "until": 1},
    "places, upper": {"level": 1, "until": 2},
}


def one_hot(symbols):
    """Return strings as images of height 1, with a channel for the empty place too."""
    return np.eye(v + 1, dtype=np.float32)[symbols][:, None]


def sensitivities(represent, symbols, exchanged):
    """Return the sensitivity of a function of strings to each exchange."""
    f = represent(symbols)
    between = ((f - f[::-1]) ** 2).sum()
    return [((represent(other) - f) ** 2).sum() / between for other in exchanged]


# %%
# Learners
# --------
#
# Algorithm 1 has one cluster for each patch of a tuple and its places, and groups them: into 8
# symbols and an empty place after layer 1, into 8 labels after layer 2. The other learner is a
# network of convolutions of the same size, trained end to end. Each returns its test error and a
# function for the output of each layer.


def algorithm_1(symbols, y):
    learner = LayerwiseCNNClassifier.algorithm_1(
        [v * m * 4 + 1, v * m * 4],
        patch_size=(1, 4),
        n_components=[v + 1, v],
        embedder__solver="kmeans",
        image_shape=(1, 16, v + 1),
        random_state=0,
    )
    with warnings.catch_warnings():  # few strings have fewer distinct patches than clusters
        warnings.simplefilter("ignore", ConvergenceWarning)
        learner.fit(one_hot(symbols), y)

    def output(n_layers):
        def represent(symbols):
            X = one_hot(symbols)
            for orthogonalizer, embedder in learner.layers_[:n_layers]:
                X = embedder.transform(orthogonalizer.transform(X))
            return X

        return represent

    return lambda symbols: learner.predict(one_hot(symbols)), output


def end_to_end(symbols, y, n_steps=600, width=64):
    torch.manual_seed(0)
    # Patches do not overlap, so a convolution is a linear layer on patches of 4 places.
    network = nn.Sequential(
        nn.Sequential(nn.Unflatten(1, (4, -1)), nn.Linear(4 * (v + 1), width), nn.ReLU()),
        nn.Sequential(nn.Flatten(), nn.Linear(4 * width, width), nn.ReLU()),
        nn.Linear(width, v),
    )
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3, fused=True)
    rows, labels = torch.from_numpy(one_hot(symbols)).flatten(1), torch.from_numpy(y)
    for _ in range(n_steps):
        batch = torch.randint(len(rows), (128,))
        optimizer.zero_grad()
        F.cross_entropy(network(rows[batch]), labels[batch]).backward()
        optimizer.step()

    def output(n_layers):
        def represent(symbols):
            with torch.no_grad():
                return network[:n_layers](torch.from_numpy(one_hot(symbols)).flatten(1)).numpy()

        return represent

    return lambda symbols: output(3)(symbols).argmax(axis=1), output


LEARNERS = {"algorithm 1": algorithm_1, "network, end to end": end_to_end}
errors = {name: np.empty((n_seeds, len(sizes))) for name in LEARNERS}
measured = {name: np.empty((n_seeds, len(sizes), 2, len(EXCHANGES))) for name in LEARNERS}
exact = np.empty((n_seeds, 3, len(EXCHANGES)))
for seed in range(n_seeds):
    sampler = make_sparse_random_hierarchy(
        1, n_synonyms=m, return_X_y=False, random_state=seed
    ).sampler
    test, y = sampler.sample(n_test, output="symbols", random_state=1)
    exchanged = [
        sampler.resample(
            range(n_test), new_random_state=2, random_state=1, output="symbols", **levels
        )[0]
        for levels in EXCHANGES.values()
    ]
    exact[seed, 0] = sensitivities(one_hot, test, exchanged)
    for layer, level in [(1, 2), (2, 0)]:  # the level whose symbols a layer should find

        def posterior(symbols, sampler=sampler, level=level):
            return sampler.posterior(symbols=symbols, level=level)

        exact[seed, layer] = sensitivities(posterior, test, exchanged)
    for name, fit in LEARNERS.items():
        for i, size in enumerate(sizes):
            predict, output = fit(*sampler.sample(size, output="symbols", random_state=3))
            errors[name][seed, i] = (predict(test) != y).mean()
            for layer in range(2):
                found = sensitivities(output(layer + 1), test, exchanged)
                measured[name][seed, i, layer] = found

# %%
# Error and sensitivities fall together
# -------------------------------------
#
# Means over two grammars. Exact posteriors of the label have no error and are insensitive to
# all exchanges.

styles = dict(zip(EXCHANGES, ["C0o-", "C1o-", "C0s--", "C1s--"]))
fig, axes = plt.subplots(1, 2, figsize=(10, 4), sharey=True, layout="constrained")
for ax, name in zip(axes, LEARNERS):
    of_layer_2 = measured[name].mean(axis=0)[:, 1]
    for values, (exchange, style) in zip(of_layer_2.T, styles.items()):
        ax.semilogx(sizes, values, style, label=exchange)
    ax.semilogx(sizes, errors[name].mean(axis=0), "k-", linewidth=2, label="test error")
    ax.axhline(0, color="0.5", linewidth=1, label="exact posterior")
    ax.set(xlabel="training strings", title=name, xticks=sizes, xticklabels=sizes)
    ax.minorticks_off()
axes[0].set(ylabel="error, sensitivity of layer 2")
axes[0].legend(frameon=False)
plt.show()

# %%
# Sensitivities by layer
# ----------------------
#
# Layer 1 sees 4 places, so it can lose the synonyms and places of the lower level only. The exact
# reference, a black line, is the posterior of the symbols that a layer should find: those above the
# lower tuples for layer 1, the label for layer 2.

fig, axes = plt.subplots(1, 2, figsize=(10, 3.6), sharey=True, layout="constrained")
x = np.arange(len(EXCHANGES))
for ax, title, layer in zip(axes, ["layer 1", "layer 2"], [0, 1]):
    for shift, name in zip([-0.2, 0.2], LEARNERS):
        ax.bar(x + shift, measured[name].mean(axis=0)[-1, layer], 0.38, label=name)
    reference = exact.mean(axis=0)
    ax.hlines(reference[1 + layer], x - 0.45, x + 0.45, color="k", label="exact posterior")
    ax.hlines(reference[0], x - 0.45, x + 0.45, color="0.6", linestyle=":", label="input")
    ax.set(xticks=x, title=f"{title}, {sizes[-1]} training strings")
    ax.set_xticklabels([name.replace(", ", "\n") for name in EXCHANGES])
axes[0].set(ylabel="sensitivity")
axes[1].legend(frameon=False, loc="upper right", ncols=2, fontsize="small")
axes[1].set(ylim=(0, 0.9))
plt.show()
for name in LEARNERS:
    print(f"{name:<20} test errors", *(f"{error:.3f}" for error in errors[name].mean(axis=0)))

# %%
# From 2,000 strings on, the layers of algorithm 1 are the exact posteriors: layer 1 forgets
# synonyms and places of the lower level together, and layer 2 all others. The network learns the
# label with about as many strings and becomes insensitive to places first, but its layers still
# represent synonyms of the upper level.
