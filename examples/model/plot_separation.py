r"""
A certificate that stops by itself: which codes are of different classes?
=========================================================================

Patches of images get codes, and patches of one class mean the same. If two codes are of one class,
which of them is seen at a place is the toss of a coin, whatever the label and the position. So
counts of codes alone can prove that two codes are of different classes, and the proof may be tried
again after every batch of images: :doc:`/theory` says why, and
:func:`~skhier.theory.separate_codes` does it.
"""

# sphinx_gallery_thumbnail_number = 1
import matplotlib.pyplot as plt
import numpy as np

from skhier import HierarchicalSampler, PatchKMeansOrthogonalizer
from skhier.theory import code_counts, separate_codes

n_classes, k, delta, batch = 4, 10, 0.01, 20
sampler = HierarchicalSampler(
    n_semantic_classes=n_classes, patches_per_class=k, patch_size=2, random_state=0
).fit()

# %%
# Codes are clusters of patches, learned from images without labels. For the pictures, clusters are
# put in the order of their true classes, which the certificate does not know.

X, _ = sampler.sample(500, random_state=0)
n_codes = n_classes * k
phi = PatchKMeansOrthogonalizer(
    n_codes, 2, stride=None, whiten_eps=None, n_patches=None, random_state=0
).fit(X)
truth = sampler.parse_patches(X)[-1]
patch_of = np.zeros(n_codes, int)
patch_of[phi.predict(X).ravel()] = truth.ravel()
order = np.argsort(patch_of)

# %%
# New images come in batches. The certificate of any time adds them up, and ends when the groups of
# codes are as many as the classes.

separation, history = None, []
while separation is None or not separation.complete:
    X, y = sampler.sample(batch, random_state=1 + len(history))
    counts = code_counts(phi.predict(X), y, n_codes=n_codes, classes=sampler.classes_)
    if separation is None:
        separation = separate_codes(counts, delta=delta, n_groups=n_classes, anytime=True)
    else:
        separation = separation.update(counts)
    history.append(separation)
print(f"after {batch * len(history):,} images:\n{separation}")
assert len({(g, p // k) for g, p in zip(separation.groups, patch_of)}) == n_classes

# %%
# The p-values of all pairs at four moments. Pairs within a class stay near 1, the blocks on the
# diagonal; all others vanish.

moments = [len(history) // part for part in (8, 4, 2, 1)]
fig, axes = plt.subplots(1, len(moments), figsize=(3 * len(moments), 3.4), layout="constrained")
for ax, moment in zip(axes, moments):
    shown = -history[moment - 1].log_p[np.ix_(order, order)] / np.log(10)
    image = ax.imshow(shown, cmap="cividis", vmin=0, vmax=10)
    certified = history[moment - 1].different.sum() // 2
    ax.set(xticks=[], yticks=[], title=f"{batch * moment:,} images", xlabel=f"{certified} pairs")
fig.colorbar(image, ax=axes, label=r"$-\log_{10} p$", extend="max", shrink=0.8)
plt.show()

# %%
# The share of pairs of different classes that are certified, image by image. No pair of one class
# ever is, except with probability :math:`\delta`.

n_different = n_codes * (n_codes - k) // 2
images = batch * np.arange(1, len(history) + 1)
share = [one.different.sum() / 2 / n_different for one in history]
fig, ax = plt.subplots(figsize=(6, 3.4), layout="constrained")
ax.plot(images, share, "o-", color="#0072B2", markersize=4)
ax.axvline(images[-1], color="0.5", linestyle=":")
ax.set(xlabel="images", ylabel="share of pairs certified", ylim=(-0.02, 1.05))
ax.annotate("complete", (images[-1], 0.5), xytext=(-6, 0), textcoords="offset points", ha="right")
plt.show()
