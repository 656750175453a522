"""
A grid search over a pipeline of parts
======================================

The parts of a layer are scikit-learn transformers from images to images, so that any pipeline can
contain them. This pipeline has the codes of patches, an embedding and a linear support vector
machine. A grid search over the number of clusters and the width of the embedding shows how the
accuracy depends on both.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from skhier import Flatten, PatchKMeansOrthogonalizer, TwoLayerConvEmbedder

X, y = load_digits().images.astype(np.float32), load_digits().target
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)

pipeline = Pipeline(
    [
        ("patches", PatchKMeansOrthogonalizer(pool_size=2, random_state=0)),
        ("embed", TwoLayerConvEmbedder(random_state=0)),
        ("flatten", Flatten()),
        ("scale", StandardScaler()),
        ("svm", LinearSVC(C=0.01, random_state=0)),
    ]
)
pipeline

# %%
# The name of a parameter begins with the name of its step. Each setting is scored on three folds.

clusters, widths = [8, 16, 32], [4, 8, 16]
search = GridSearchCV(
    pipeline, {"patches__n_clusters": clusters, "embed__n_components": widths}, cv=3
).fit(X_train, y_train)
print(f"best: {search.best_params_}")
print(f"accuracy on the test images: {search.score(X_test, y_test):.3f}")

# %%
# The cross-validated accuracy of each setting.

scores = search.cv_results_["mean_test_score"].reshape(len(widths), len(clusters))
fig, ax = plt.subplots(figsize=(5, 4), layout="constrained")
image = ax.imshow(scores, cmap="viridis", origin="lower")
middle = (scores.min() + scores.max()) / 2
for (i, j), score in np.ndenumerate(scores):
    color = "black" if score > middle else "white"
    ax.text(j, i, f"{score:.3f}", ha="center", va="center", color=color)
ax.set_xticks(range(len(clusters)), clusters)
ax.set_yticks(range(len(widths)), widths)
ax.set(xlabel="clusters of patches", ylabel="width of the embedding")
ax.set_title("a pipeline of parts")
fig.colorbar(image, ax=ax, label="cross-validated accuracy")
plt.show()
