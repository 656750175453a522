r"""
Power laws of learning: rules that follow Zipf's law
====================================================

If the r-th rule of each symbol has a probability proportional to :math:`r^{-(1 + a)}`, the error of
a classifier on P strings decays as :math:`P^{-a / (1 + a)}` :cite:p:`cagnetta2025`: a power law,
since rare rules are learned late. This example compares the error of a network with the exponent,
and with the exact number of rules of a string that no training string has.
"""

import matplotlib.pyplot as plt
import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from skhier.datasets import make_random_hierarchy
from skhier.theory import zipf_learning_exponent

v, s, m, exponents = 16, 3, 64, [1.5, 2.0, 3.0]
sizes = np.array([250, 700, 2000, 6000])

# %%
# Strings have two levels of tuples of 3 symbols. A label has 4 equally likely tuples, and all
# others have the weight 0. A symbol of the lower level has 64 tuples with Zipf's law.


def model(exponent):
    """Return the sampler of a Random Hierarchy Model whose lower rules follow Zipf's law."""
    few = (np.arange(m) < 4).astype(float)
    return make_random_hierarchy(
        1,
        n_classes=v,
        vocabulary_size=v,
        n_synonyms=m,
        tuple_size=s,
        depth=2,
        rule_weights=[few, exponent],
        return_X_y=False,
        random_state=0,
    ).sampler


# %%
# The exact reference
# -------------------
#
# A learner knows the rules of its training strings only. Let :math:`f_r` be the probability of the
# r-th rule of a symbol, and :math:`k_c` the number of symbols c below a tuple of the label. A
# string does not use rule r of symbol c with the probability :math:`E (1 - f_r)^{k_c}`, a mean over
# the 64 tuples. So a test string has on average
#
# .. math:: \sum_{c, r} E[k_c]\, f_r\, \bigl(E (1 - f_r)^{k_c}\bigr)^P
#
# rules that are new after P training strings. For infinitely many rules this decays with the
# exponent :math:`a / (1 + a)`, for 64 faster: most rules have been seen in the end.


def new_rules(sampler, n_strings):
    """Return the mean number of lower rules of a test string that no training string has."""
    f = sampler.rule_weights_[1][0]
    tuples = sampler.patches_[0][:, :4].reshape(-1, s)
    k = (tuples[:, :, None] == np.arange(v)).sum(axis=1)  # (tuples, v)
    unused = ((1 - f) ** k[:, :, None]).mean(axis=0)  # (v, m)
    return [(k.mean(axis=0)[:, None] * f * unused**P).sum() for P in n_strings]


# %%
# The network
# -----------
#
# It has a layer for each level and no overlap, so a convolution is a linear layer on 3 symbols.


def error(sampler, n_strings, n_steps=600, width=96):
    """Return the test error of a network trained on `n_strings` strings."""

    def read(n, random_state):
        symbols, y = sampler.sample(n, output="symbols", dtype=np.int64, random_state=random_state)
        return F.one_hot(torch.from_numpy(symbols), v).float().flatten(1), torch.from_numpy(y)

    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Unflatten(1, (s, s * v)),
        nn.Linear(s * v, width),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(s * width, width),
        nn.ReLU(),
        nn.Linear(width, v),
    )
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3, fused=True)
    X, y = read(n_strings, random_state=1)
    for _ in range(n_steps):
        batch = torch.randint(n_strings, (128,))
        optimizer.zero_grad()
        F.cross_entropy(network(X[batch]), y[batch]).backward()
        optimizer.step()
    X, y = read(10_000, random_state=2)
    with torch.no_grad():
        return float((network(X).argmax(dim=1) != y).double().mean())


fig, axes = plt.subplots(1, 3, figsize=(10, 3.6), sharey=True, layout="constrained")
for ax, exponent in zip(axes, exponents):
    sampler = model(exponent)
    errors = [error(sampler, int(n)) for n in sizes]
    new = new_rules(sampler, sizes)
    predicted = zipf_learning_exponent(exponent)
    slopes = [-np.polyfit(np.log(sizes), np.log(values), 1)[0] for values in (errors, new)]
    print(
        f"1 + a = {exponent}: exponent {predicted:.2f}, new rules {slopes[1]:.2f}, "
        f"network {slopes[0]:.2f}"
    )
    ax.loglog(sizes, errors, "o", color="#0072B2", label="error of the network")
    ax.loglog(sizes, new, "k-", label="new rules of a string, exact")
    line = new[0] * (sizes / sizes[0]) ** -predicted
    ax.loglog(sizes, line, ":", color="0.4", label=r"$P^{-a / (1 + a)}$")
    ax.set(xlabel="training strings P", title=f"1 + a = {exponent}")
    ax.set_xticks(sizes, sizes)
    ax.minorticks_off()
axes[0].set(ylabel="error, number of rules")
axes[0].legend(frameon=False)
plt.show()

# %%
# Errors follow the new rules. The exponent holds while most rules are rare enough to be new: for
# all these sizes with 1 + a = 3, and for the first ones with 2. With 1.5, the last of 64 rules is
# too frequent, and the number of new rules falls faster from the start. The error is larger than
# this number where the network needs to see a rule more than once.
