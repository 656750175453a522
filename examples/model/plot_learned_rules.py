r"""
Which rules does a diffusion model learn?
=========================================

:cite:t:`favero2025` find that diffusion models learn the rules of a grammar level by level: trained
on few strings, they generate strings that follow the rules of the lowest level only, and each
higher level takes more strings. Here, a small network learns to fill in masked symbols of the
Random Hierarchy Model. Its loss is compared with the exact denoiser, and the strings that it
generates with the rules.
"""

# sphinx_gallery_thumbnail_number = -1
import matplotlib.pyplot as plt
import numpy as np
import torch
from torch.nn import Linear, Module, ModuleList
from torch.nn.functional import cross_entropy, one_hot

from skhier.datasets import make_random_hierarchy

v, m, L = 8, 3, 3  # symbols, pairs for each symbol, levels
d, n_channels = 2**L, 48
grammar = make_random_hierarchy(
    1, n_classes=v, vocabulary_size=v, n_synonyms=m, depth=L, return_X_y=False, random_state=0
).sampler


class UNet(Module):
    """Network along the tree: each layer joins pairs of positions, and then splits them again."""

    def __init__(self):
        super().__init__()
        sizes = [v + 1] + [n_channels] * L
        self.down = ModuleList(Linear(2 * size, n_channels) for size in sizes[:-1])
        self.up = ModuleList(
            Linear(n_channels * (1 if i == 0 else 2), 2 * n_channels) for i in range(L)
        )
        self.out = Linear(n_channels + v + 1, v)

    def forward(self, x):
        skipped = []
        for layer in self.down:
            skipped.append(x)
            x = layer(x.reshape(len(x), -1, 2 * x.shape[2])).relu()
        for layer in self.up:
            x = layer(x).reshape(len(x), -1, n_channels).relu()
            x = torch.cat([x, skipped.pop()], dim=2)
        return self.out(x)


def predict(network, strings, is_hidden):
    """Return scores of all symbols, given those that are not hidden."""
    x = torch.cat([one_hot(strings, v), is_hidden[..., None]], dim=2).float()
    x[..., :v][is_hidden] = 0
    return network(x)


def hide(strings, rng):
    """Hide each symbol of a string with the same probability, which is uniform."""
    return torch.rand(strings.shape, generator=rng) < torch.rand(len(strings), 1, generator=rng)


def denoising_loss(network, strings, rng):
    """Return the loss of the prediction of hidden symbols."""
    is_hidden = hide(strings, rng)
    return cross_entropy(predict(network, strings, is_hidden)[is_hidden], strings[is_hidden])


# %%
# Training and generation
# -----------------------
#
# P strings for training, and 1,000 others for validation. The step with the lowest validation loss
# is kept. A string is generated symbol by symbol, in random order, each from the network's
# probabilities given the symbols before: with the exact denoiser, this would be a sample of the
# grammar.


def strings(n, first):
    """Return n strings of the grammar; parts of one random order have no string in common."""
    options = {"output": "symbols", "dtype": np.int64, "replace": False, "random_state": 1}
    return torch.from_numpy(grammar.sample(n, first=first, **options)[0])


validation = strings(1000, first=0)


def train(n_strings, n_steps=700):
    """Return (validation loss, network) of the best step."""
    X, rng = strings(n_strings, first=1000), torch.Generator().manual_seed(0)
    torch.manual_seed(0)
    network, best = UNet(), (np.inf, None)
    optimizer = torch.optim.Adam(network.parameters(), fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.01, total_steps=n_steps)
    for step in range(1, n_steps + 1):
        batch = X[torch.randint(n_strings, (128,), generator=rng)]
        optimizer.zero_grad()
        denoising_loss(network, batch, rng).backward()
        optimizer.step()
        schedule.step()
        if step % 50 == 0:
            with torch.no_grad():
                seed = torch.Generator().manual_seed(1)
                loss = denoising_loss(network, validation, seed).item()
            if loss < best[0]:
                best = loss, {name: value.clone() for name, value in network.state_dict().items()}
    network.load_state_dict(best[1])
    return best[0], network


@torch.no_grad()
def generate(network, n):
    """Return n strings that a network generates."""
    rng, rows = torch.Generator().manual_seed(2), torch.arange(n)
    generated, is_hidden = torch.zeros(n, d, dtype=torch.int64), torch.ones(n, d, dtype=torch.bool)
    for place in torch.rand(n, d, generator=rng).argsort(dim=1).T:
        p = predict(network, generated, is_hidden)[rows, place].softmax(dim=1)
        generated[rows, place] = torch.multinomial(p, 1, generator=rng)[:, 0]
        is_hidden[rows, place] = False
    return generated


sizes = 4 ** np.arange(2, 7)
losses, networks = zip(*(train(int(n)) for n in sizes))
generated = [generate(network, 1000).numpy() for network in networks]

# %%
# Losses and rules
# ----------------
#
# The exact denoiser is the posterior of hidden symbols, on the same strings and masks.

is_hidden = hide(validation, torch.Generator().manual_seed(1)).numpy()
symbols = validation.numpy()
p = grammar.posterior(symbols=symbols, mask=is_hidden, level=L)
exact = -np.log(np.take_along_axis(p, symbols[..., None], axis=2)[..., 0][is_hidden]).mean()

fig, ax = plt.subplots(figsize=(5.5, 3.8), layout="constrained")
ax.semilogx(sizes, losses, "o-", color="#0072B2", label="network")
ax.axhline(exact, color="black", linestyle="--", linewidth=1, label="exact denoiser")
ax.set(xlabel="training strings", ylabel="loss of hidden symbols (nats)", title="loss")
ax.legend()
plt.show()

# %%
# The share of generated pairs that the rules allow: at level 2 pairs of symbols, at level 0 pairs
# below the label. A pair is counted if all pairs below it are allowed. Of random pairs, m / v are.
# The network learns the rules from the last level up, and each level takes more strings. The rules
# of level 0 take more than the 700 steps of this example, too.

shares = np.array([grammar.validity(symbols=S).patches for S in generated])
fig, ax = plt.subplots(figsize=(5.5, 3.8), layout="constrained")
for level, color in zip(reversed(range(L)), ("#D55E00", "#009E73", "#CC79A7")):
    ax.semilogx(sizes, shares[:, level], "o-", color=color, label=f"level {level}")
ax.axhline(1, color="black", linestyle="--", linewidth=1, label="exact denoiser")
ax.axhline(m / v, color="gray", linestyle=":", label="random strings")
ax.set(xlabel="training strings", ylabel="share of pairs that are allowed", ylim=(0, 1.05))
ax.set_title("rules that generated strings follow")
ax.legend(fontsize="small")
plt.show()
