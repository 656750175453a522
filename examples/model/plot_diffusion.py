r"""
Diffusion and the levels of a string
====================================

A diffusion model corrupts data and learns to undo it. In the forward-backward experiment of
:cite:t:`sclocchi2025`, a string of the Random Hierarchy Model is corrupted up to some noise level,
and a new string is drawn from the posterior given the corrupted one. Which levels of the tree
change? A perfect diffusion model draws from the exact posterior, which
:class:`~skhier.HierarchicalSampler` computes, so no network is needed here.
"""

# sphinx_gallery_thumbnail_number = 2
import matplotlib.pyplot as plt
import numpy as np

from skhier.datasets import make_random_hierarchy

v, m = 32, 8  # symbols, and pairs of symbols by which each is replaced
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "black")


def grammar(depth):
    """Return the sampler of strings of 2 ** depth symbols."""
    return make_random_hierarchy(
        1,
        n_classes=v,
        vocabulary_size=v,
        n_synonyms=m,
        depth=depth,
        return_X_y=False,
        random_state=0,
    ).sampler


# %%
# Three corruptions
# -----------------
#
# A corruption is given by the log-likelihood of each symbol, an array of shape (n, d, v). It is the
# only input of :meth:`~skhier.HierarchicalSampler.posterior` and its kin that differs between
# corruptions. At noise level t, masking hides a symbol with probability t, uniform noise replaces
# it by a random symbol with probability t, and Gaussian noise turns its one-hot vector x into
# :math:`\sqrt{1 - t}\, x + \sqrt t\, \xi`.


def masking(symbols, t, rng):
    """Corrupt symbols; return log P(corrupted symbol | symbol a) for all a, up to a constant."""
    is_hidden = rng.random(symbols.shape) < t
    with np.errstate(divide="ignore"):
        known = np.log(np.eye(v))[symbols]
    return np.where(is_hidden[..., None], 0, known)


def uniform(symbols, t, rng):
    """Corrupt symbols; return log P(corrupted symbol | symbol a) for all a."""
    is_replaced = rng.random(symbols.shape) < t
    corrupted = np.where(is_replaced, rng.integers(v, size=symbols.shape), symbols)
    return np.log((1 - t) * np.eye(v) + t / v)[corrupted]


def gaussian(symbols, t, rng):
    """Corrupt symbols; return log p(corrupted vector | symbol a) for all a, up to a constant."""
    x = np.sqrt(1 - t) * np.eye(v)[symbols] + np.sqrt(t) * rng.standard_normal((*symbols.shape, v))
    return np.sqrt(1 - t) * x / t


# %%
# The class changes at a transition
# ---------------------------------
#
# The probability that the class is kept is the mean posterior probability of the true class. Below
# a noise level, deeper trees keep the class as well as shallow ones, or better. Above it, they
# lose it: at large depth, the probability jumps from nearly 1 to 1/v, the dotted line.

noise_levels = np.linspace(0.05, 0.95, 16)
corruptions = {"masking": masking, "uniform noise": uniform, "Gaussian noise": gaussian}

fig, axes = plt.subplots(1, 3, figsize=(10, 3.4), sharey=True, layout="constrained")
for depth, color in zip((2, 4, 6, 8), COLORS):
    sampler = grammar(depth)
    symbols, y = sampler.sample(100, output="symbols", random_state=1)
    for ax, (name, corrupt) in zip(axes, corruptions.items()):
        kept = []
        for t in noise_levels:
            evidence = corrupt(symbols, t, np.random.default_rng(2))
            kept.append(sampler.bayes_predict_proba(log_evidence=evidence)[range(100), y].mean())
        ax.plot(noise_levels, kept, ".-", color=color, label=f"L = {depth}")
        ax.set(xlabel="noise level t", title=name)
for ax in axes:
    ax.axhline(1 / v, color="gray", linestyle=":")
axes[0].set(ylabel="P(class kept)")
axes[0].legend()
plt.show()

# %%
# Lower levels change smoothly
# ----------------------------
#
# Classes of several levels, of strings of 256 symbols under masking. Points are shares of classes
# that one posterior sample of each string has in common with the original. Lines are exact, from
# the posterior probabilities of the original classes. The top level changes abruptly, and the
# symbols smoothly: above the transition, a sample is of another class, and still has most symbols
# of the original.

depth = 8
sampler = grammar(depth)
symbols, _, latents = sampler.sample(100, output="symbols", return_latents=True, random_state=1)
shown = (0, 2, 4, 6, 8)
exact, drawn = np.empty((2, len(shown), len(noise_levels)))
for j, t in enumerate(noise_levels):
    evidence = masking(symbols, t, np.random.default_rng(3))
    _, _, samples = sampler.sample_posterior(
        log_evidence=evidence, return_latents=True, random_state=4
    )
    for i, level in enumerate(shown):
        original = latents[level][:, 0]
        p = sampler.posterior(log_evidence=evidence, level=level)
        exact[i, j] = np.take_along_axis(p, original[..., None], axis=-1).mean()
        drawn[i, j] = (samples[level][0, :, 0] == original).mean()

fig, ax = plt.subplots(figsize=(6, 3.8), layout="constrained")
for level, line, points, color in zip(shown, exact, drawn, COLORS):
    name = {0: "class", depth: "symbols"}.get(level, f"level {level}")
    ax.plot(noise_levels, line, color=color, label=name)
    ax.plot(noise_levels, points, ".", color=color)
ax.set(xlabel="noise level t", ylabel="share that is kept", title="masking, by level")
ax.legend()
plt.show()

# %%
# Validity of samples
# -------------------
#
# Do generated strings follow the rules? :meth:`~skhier.HierarchicalSampler.validity` answers for
# each level, also for the output of a network. Here strings are generated from nothing but masks,
# as masked diffusion models do: in each step, a part of the hidden symbols is drawn, each from its
# own exact posterior. Symbols of one step are drawn independently. So even a perfect denoiser
# breaks rules of all levels, unless it draws one symbol in each step. A joint posterior sample
# follows all rules at once.

depth, n = 4, 1000
sampler = grammar(depth)
trusted = np.log((1 - 1e-6) * np.eye(v) + 1e-6 / v)  # after a broken rule, certainty is impossible


def generate(n_steps):
    """Return strings whose symbols are drawn in `n_steps` steps of equal size."""
    rng = np.random.default_rng(5)
    strings = np.full((n, 2**depth), -1)
    step = rng.permuted(np.tile(np.arange(2**depth) * n_steps // 2**depth, (n, 1)), axis=1)
    for i in range(n_steps):
        evidence = np.where((strings < 0)[..., None], 0, trusted[strings])
        p = sampler.posterior(log_evidence=evidence, level=depth)
        drawn = (p.cumsum(axis=-1) < rng.random((n, 2**depth, 1))).sum(axis=-1)
        strings = np.where(step == i, drawn.clip(max=v - 1), strings)
    return strings


n_steps = np.array([1, 2, 4, 8, 16])
shares = np.array([sampler.validity(symbols=generate(k)).images for k in n_steps])
joint, _ = sampler.sample_posterior(symbols=np.full((n, 2**depth), -1))
print("joint samples:", sampler.validity(symbols=joint[0]).images)

fig, ax = plt.subplots(figsize=(6, 3.8), layout="constrained")
for level, color in zip(reversed(range(depth)), COLORS):
    ax.semilogx(
        n_steps, shares[:, level], "o-", base=2, color=color, label=rf"levels $\geq$ {level}"
    )
ax.set(
    xlabel="steps, of 16 symbols in all",
    ylabel="share of valid strings",
    title="strings generated by a perfect denoiser",
    xticks=n_steps,
    xticklabels=n_steps,
)
ax.legend(title="rules of")
plt.show()
