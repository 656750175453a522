r"""
A certificate at any time: which codes belong to different classes?
===================================================================

Patches of images have codes, and patches of one class are synonyms. If two codes belong to one
class, a coin decides which of the two occurs at a position, independent of the label and the
position. Counts of codes can therefore prove that two codes belong to different classes. The proof
may be repeated after every batch of images. :doc:`/theory` has the reasons, and
:func:`~skhier.theory.separate_codes` computes the certificate.
"""

# sphinx_gallery_thumbnail_number = 2
import matplotlib.pyplot as plt
import numpy as np

from skhier import HierarchicalSampler, PatchKMeansOrthogonalizer
from skhier.theory import code_counts, separate_codes

n_classes, k, delta, batch = 4, 10, 0.01, 40
sampler = HierarchicalSampler(
    n_semantic_classes=n_classes, patches_per_class=k, patch_size=2, random_state=0
).fit()

# %%
# Codes are clusters of patches, learned from images without labels. In the pictures, clusters are
# sorted by their true classes. The certificate does not know these classes.

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
# New images come in batches. The certificate adds the counts of each batch. It is complete when the
# number of groups of codes equals the number of classes.

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
# The p-values of all pairs of codes, after four numbers of images. Pairs within a class are the
# blocks on the diagonal, and their p-values stay near 1. All other p-values vanish.

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
# The share of certified pairs among all pairs of different classes, against the number of images.
# With probability :math:`1 - \delta`, no pair of one class is ever certified.

n_different = n_codes * (n_codes - k) // 2
images = batch * np.arange(1, len(history) + 1)
share = [step.different.sum() / 2 / n_different for step in history]
fig, ax = plt.subplots(figsize=(6, 3.4), layout="constrained")
ax.plot(images, share, "o-", color="#0072B2", markersize=4)
ax.axvline(images[-1], color="0.5", linestyle=":")
ax.set(xlabel="images", ylabel="share of pairs certified", ylim=(-0.02, 1.05))
ax.set_title("pairs of codes that are proved to differ")
ax.annotate("complete", (images[-1], 0.5), xytext=(-6, 0), textcoords="offset points", ha="right")
plt.show()
