r"""
Strings of varying trees: ambiguity and the lowest error
========================================================

In the varying-tree Random Hierarchy Model :cite:p:`parley2026` a symbol is replaced by a pair or a
triple of symbols, so the tree of a string is not known. The more tuples are in use, the more trees
a string has, and at some point trees of different labels. The label and the tree are inferred
exactly, from all parses of a string, by :class:`~skhier.generative.GrammarSampler`.
"""

# sphinx_gallery_thumbnail_number = 1
import matplotlib.pyplot as plt
import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from skhier.datasets import make_varying_tree_hierarchy

v, L = 8, 3


def grammar(m):
    """Return the sampler of m pairs and m v triples of each symbol: a share f = m / v of all."""
    return make_varying_tree_hierarchy(
        1,
        n_classes=v,
        vocabulary_size=v,
        n_synonyms={2: m, 3: m * v},
        depth=L,
        return_X_y=False,
        random_state=0,
    ).sampler


X, y, latents, ancestors = grammar(2).sample(3, return_latents=True)
for tokens, label in zip(X, y):
    print(label, "".join("ABCDEFGH"[token] for token in tokens[tokens >= 0]))

# %%
# Local and global ambiguity
# --------------------------
#
# Two exact errors against the share f of tuples in use: of the label, and of the symbol of the last
# level above a token. Both are small for small f, and grow from about 3 / 8 on, where the paper
# has its transition. All tuples are in use at f = 1. A guess of the label has an error of 7 / 8.
# Strings have up to 27 tokens, and each point is a mean over 100 strings.

sizes = (1, 2, 3, 4, 6, 8)
shares = np.array(sizes) / v
label_error, parent_error = np.empty((2, len(sizes)))
for i, m in enumerate(sizes):
    sampler = grammar(m)
    X, _ = sampler.sample(100, random_state=1)
    label_error[i] = 1 - sampler.bayes_predict_proba(X).max(axis=1).mean()
    p_parent = sampler.posterior(X, level=L - 1)[X >= 0]
    parent_error[i] = 1 - p_parent.max(axis=1).mean()
    print(f"f = {shares[i]:.3f}: label {label_error[i]:.3f}, parents {parent_error[i]:.3f}")

fig, ax = plt.subplots(figsize=(6, 3.8), layout="constrained")
ax.plot(shares, label_error, "o-", color="#0072B2", label="label")
ax.plot(shares, parent_error, "s-", color="#D55E00", label="symbol above a token")
ax.axvline(3 / 8, color="gray", linestyle=":", label=r"$f_c = 3/8$ of the paper")
ax.set(xlabel="share f of tuples in use", ylabel="lowest error", ylim=(0, None))
ax.set_title("Lowest error of the label in varying trees")
ax.legend(frameon=False)
plt.show()

# %%
# A network against its bound
# ---------------------------
#
# A small transformer learns the label from new strings in each step, which
# :meth:`~skhier.generative.GrammarSampler.to_torch_dataset` draws. Padding is the token v, which
# attention ignores. Here f = 1/8 and L = 2: each string has one parse, so the lowest error is 0.
# Algorithm 1 cuts strings into tuples of one length, so it cannot learn these strings.

sampler = make_varying_tree_hierarchy(
    1, n_synonyms={2: 1, 3: 8}, depth=2, return_X_y=False, random_state=0
).sampler


class Transformer(nn.Module):
    def __init__(self, n_tokens, length, n_labels, width=48):
        super().__init__()
        self.token = nn.Embedding(n_tokens + 1, width, padding_idx=n_tokens)
        self.place = nn.Parameter(0.1 * torch.randn(length, width))
        layer = nn.TransformerEncoderLayer(width, 4, 2 * width, dropout=0.0, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.label = nn.Linear(width, n_labels)

    def forward(self, tokens):
        is_padding = tokens == self.token.padding_idx
        hidden = self.encoder(self.token(tokens) + self.place, src_key_padding_mask=is_padding)
        return self.label(hidden.masked_fill(is_padding[..., None], 0).sum(dim=1))


n_steps, batch_size = 400, 128
data = sampler.to_torch_dataset(n_steps * batch_size, random_state=1)
test, test_y = sampler.to_torch_dataset(1000, random_state=2)[range(1000)]
torch.manual_seed(0)
network = Transformer(v, test.shape[1], v)
optimizer = torch.optim.Adam(network.parameters(), fused=True)
schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.003, total_steps=n_steps)
steps = np.unique(np.geomspace(10, n_steps, 8).astype(int))
errors = []
for step in range(1, n_steps + 1):
    tokens, labels = data[range((step - 1) * batch_size, step * batch_size)]
    optimizer.zero_grad()
    F.cross_entropy(network(tokens), labels).backward()
    optimizer.step()
    schedule.step()
    if step in steps:
        with torch.no_grad():
            errors.append((network(test).argmax(dim=1) != test_y).float().mean().item())
risk = sampler.bayes_risk(2000, random_state=2).risk
print(f"transformer {errors[-1]:.3f}, lowest error {risk:.3f}")

fig, ax = plt.subplots(figsize=(6, 3.4), layout="constrained")
ax.semilogx(batch_size * steps, errors, "o-", color="#0072B2", label="transformer")
ax.axhline(risk, color="k", linestyle="--", label="lowest error")
ax.set(xlabel="training strings", ylabel="error of the label", ylim=(-0.02, 1))
ax.set(
    title="Varying trees: a transformer and the lowest error",
    xticks=[2000, 10_000, 50_000],
    xticklabels=["2,000", "10,000", "50,000"],
)
ax.minorticks_off()
ax.legend(frameon=False)
plt.show()

# %%
# The transformer is far from the bound after this number of strings: it has learned some of the
# rules only.
