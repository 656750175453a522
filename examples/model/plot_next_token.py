r"""
Next-symbol prediction: exact losses against context
====================================================

How much of a string must a language model read to predict its last symbol well? In the Random
Hierarchy Model, :cite:t:`cagnettawyart2024` find that the answer comes in steps. The loss falls
where the context reaches the next level of the tree, and a model can use this context only if it
was trained on enough strings. Here small networks are compared with the exact predictor of one
grammar.
"""

# sphinx_gallery_thumbnail_number = -1
import matplotlib.pyplot as plt
import numpy as np
import torch
from torch.nn import Flatten, Linear, ReLU, Sequential, Unflatten
from torch.nn.functional import cross_entropy, one_hot
from torch.utils.data import BatchSampler, DataLoader, SequentialSampler

from skhier.datasets import make_random_hierarchy
from skhier.theory import rhm_correlation

v, m, s, L = 16, 3, 2, 4  # symbols, synonyms, symbols of a tuple, levels
sizes = {
    "n_classes": v,
    "vocabulary_size": v,
    "n_synonyms": m,
    "tuple_size": s,
    "depth": L,
}
grammar = make_random_hierarchy(1, **sizes, return_X_y=False, random_state=0).sampler

# %%
# The lowest loss for each context
# --------------------------------
#
# :meth:`~skhier.HierarchicalSampler.conditional_entropy` averages the entropy of the exact
# distribution of the last symbol, given the c symbols before it, over 4,000 strings: standard
# errors are below 0.01. No predictor from c symbols has a lower cross-entropy loss. At c = 1, 3, 7
# and 15, the context is all other symbols of a subtree. Each farther subtree says less about the
# last symbol, so the loss levels off.

contexts = np.arange(s**L)
losses = grammar.conditional_entropy(contexts, 4000, random_state=0).entropy
complete = s ** np.arange(L + 1) - 1

fig, ax = plt.subplots(figsize=(6, 3.6), layout="constrained")
ax.step(contexts, losses, where="post", color="gray", linewidth=1)
ax.plot(contexts, losses, ".", color="#0072B2", label="each context")
ax.plot(complete, losses[complete], "o", color="#D55E00", label="complete subtrees")
ax.set(xlabel="symbols of context c", ylabel="lowest loss (nats)", xticks=complete, yscale="log")
ax.set_title("exact losses")
ax.legend()
plt.show()

# %%
# Correlations against distance
# -----------------------------
#
# A learner finds the levels by the correlations of symbols. The correlation of the last symbol and
# a symbol at a distance, the root mean square of :math:`P(a, b) - P(a) P(b)`, depends on their
# lowest common ancestor, so it decays in steps too.
# :meth:`~skhier.HierarchicalSampler.pair_frequencies` computes it for this grammar without samples,
# and :func:`~skhier.theory.rhm_correlation` its mean over grammars. The correlations of P strings
# have errors of about :math:`1 / (v \sqrt P)`: below them, a correlation cannot be seen.

joint = grammar.pair_frequencies(L, (0, s**L - 1))[0, :-1]
covariance = joint - joint.sum(axis=2)[:, :, None] * joint.sum(axis=1)[:, None]
correlation = np.sqrt((covariance**2).mean(axis=(1, 2)))[::-1]
distances = np.arange(1, s**L)
levels = np.floor(np.log2(distances)).astype(int) + 1

fig, ax = plt.subplots(figsize=(6, 3.6), layout="constrained")
ax.loglog(distances, correlation, ".", color="#0072B2", label="exact, of this grammar")
for formula, style, label in (
    ("finite", "-", "mean over grammars"),
    ("paper", ":", "the paper, for large v and m"),
):
    mean = [rhm_correlation(**sizes, level=level, formula=formula) for level in levels]
    ax.step(distances, mean, style, where="post", color="#D55E00", label=label)
for P in (10**2, 10**4, 10**6):
    ax.axhline(1 / (v * np.sqrt(P)), color="gray", linestyle="--", linewidth=0.8)
    ax.text(s**L, 1 / (v * np.sqrt(P)), f"P = {P:,}", ha="right", va="bottom", color="gray")
ax.set(xlabel="distance", ylabel="correlation", xticks=[1, 2, 4, 8], xticklabels=[1, 2, 4, 8])
ax.set_title("correlations of two symbols")
ax.legend(loc="lower left", fontsize="small")
plt.show()

# %%
# Networks
# --------
#
# One network for each context, with a layer for each level that the context reaches. A layer is a
# convolution of stride 2, so it is a linear layer on pairs. The last symbol of the input is blank.
# With ``replace=False``, all training and test strings differ. Dashed lines are losses of the exact
# predictor on the same test strings, from :meth:`~skhier.HierarchicalSampler.next_symbol_proba`.
# The losses of all networks fall together until the context of a network is used up.
# ``python benchmarks/next_token.py`` trains networks on fixed numbers of strings
# (:doc:`/benchmarks`).


def blank_last(tokens):
    """Return strings as rows, with zeros for their last symbol, and this symbol."""
    rows = one_hot(tokens, v).float().flatten(1)
    rows[:, -v:] = 0
    return rows, tokens[:, -1]


n_steps, batch_size, n_channels, n_test = 1000, 128, 96, 5000
n_train = n_steps * batch_size
strings = {"replace": False, "random_state": 1}
train = grammar.to_torch_dataset(n_train, layout="tokens", **strings)
test = grammar.to_torch_dataset(n_test, layout="tokens", first=n_train, **strings)
X_test, y_test = blank_last(test[range(n_test)][0])


def learning_curve(n_levels):
    """Train a network that sees s ** n_levels symbols; return its test loss at some steps."""
    torch.manual_seed(0)
    network, seen = Sequential(), v * s**n_levels
    for level in range(n_levels):
        size = s * (v if level == 0 else n_channels)
        network.extend([Unflatten(1, (-1, size)), Linear(size, n_channels), ReLU(), Flatten()])
    network.append(Linear(n_channels, v))
    optimizer = torch.optim.Adam(network.parameters(), fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.01, total_steps=n_steps)
    batches = BatchSampler(SequentialSampler(train), batch_size, drop_last=False)
    curve = []
    for step, (tokens, _) in enumerate(DataLoader(train, batch_size=None, sampler=batches), 1):
        X, y = blank_last(tokens)
        loss = cross_entropy(network(X[:, -seen:]), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if step in steps:
            with torch.no_grad():
                test_loss = cross_entropy(network(X_test[:, -seen:]), y_test)
            curve.append(test_loss.item())
    return curve


def exact_loss(context):
    """Return the loss of the exact predictor from `context` symbols on the test strings."""
    symbols, _ = grammar.sample(n_test, output="symbols", first=n_train, **strings)
    unknown = np.arange(s**L) < s**L - 1 - context
    p = grammar.next_symbol_proba(symbols, mask=unknown)[:, -1]
    return -np.log(p[np.arange(n_test), symbols[:, -1]]).mean()


steps = np.unique(np.geomspace(1, n_steps, 25).astype(int))
fig, ax = plt.subplots(figsize=(6, 4), layout="constrained")
for n_levels, color in ((1, "#0072B2"), (2, "#D55E00"), (L, "#009E73")):
    context = s**n_levels - 1
    curve, lowest = learning_curve(n_levels), exact_loss(context)
    ax.loglog(batch_size * steps, curve, color=color, label=f"network, c = {context}")
    ax.axhline(lowest, color=color, linestyle="--", linewidth=1)
    print(f"c = {context:2}: loss {curve[-1]:.3f}, exact predictor {lowest:.3f}")
ax.plot([], [], "k--", linewidth=1, label="exact predictor")
ax.set(xlabel="training strings", ylabel="test loss (nats)", title="networks and exact losses")
ax.legend(loc="lower left")
plt.show()
