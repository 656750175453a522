"""
Images that a deep network provably learns
==========================================

The generative model of the paper draws a label, a small semantic image, and then replaces
every pixel by a patch of its class, level by level. The label is hidden from a linear
classifier. Algorithm 1 recovers the levels one by one and classifies without an error.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from skhier import Flatten, HierarchicalSampler, LayerwiseCNNClassifier

sampler = HierarchicalSampler(patches_per_class=15, random_state=0).fit()
X, y, latents = sampler.sample(6000, return_latents=True)

# %%
# Two images of each label, from the semantic image on the left to the pixels.

rows = np.concatenate([np.flatnonzero(y == label)[:2] for label in sampler.classes_])
fig, axes = plt.subplots(len(rows), 3, figsize=(6, 7), layout="constrained")
for i, row in zip(rows, axes):
    for level, ax in zip([*latents, X], row):
        is_semantic = level is not X
        ax.imshow(level[i], cmap="cividis" if is_semantic else "gray")
        ax.set_axis_off()
    row[0].set_title(f"label {y[i]}", fontsize=9)
plt.show()

# %%
# A linear classifier, and algorithm 1 with one cluster for each patch that exists.

linear = make_pipeline(Flatten(), StandardScaler(), LinearSVC(C=0.01, random_state=0))
algorithm_1 = LayerwiseCNNClassifier.algorithm_1(60, patch_size=3, random_state=0)
for name, method in [("linear", linear), ("algorithm 1", algorithm_1)]:
    print(f"{name}: {method.fit(X[:5000], y[:5000]).score(X[5000:], y[5000:]):.3f}")
