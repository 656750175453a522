"""
A grid search over the classifier
=================================

scikit-learn's searches take the classifier as it is. The name of a part's parameter begins with the
name of the part: ``head__alpha`` is the regularization of the head. A list has one value for each
layer, so ``[32, 64]`` means 32 clusters in the first layer and 64 in the second.
"""

import matplotlib.pyplot as plt
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV, train_test_split

from skhier import LayerwiseCNNClassifier

X, y = load_digits().images, load_digits().target
X_train, X_test, y_train, y_test = train_test_split(X, y, train_size=400, random_state=0)
sizes, alphas = [[8, 16], [16, 32], [32, 64]], [0.01, 0.1, 1]
search = GridSearchCV(
    LayerwiseCNNClassifier(shift=0, random_state=0),
    {"n_clusters": sizes, "head__alpha": alphas},
    cv=3,
).fit(X_train, y_train)

# %%
# Each setting is scored on three folds of the training images. The best one learns from all
# training images, and is scored on images that the search has not seen.

print(f"best: {search.best_params_}, cross-validated accuracy {search.best_score_:.3f}")
print(f"accuracy on the test images: {search.score(X_test, y_test):.3f}")

# %%
# Differences as small as the bars, the standard deviations between folds, may be chance.

results = search.cv_results_
fig, ax = plt.subplots(figsize=(5.5, 4), layout="constrained")
for size, color in zip(sizes, ["#0072B2", "#E69F00", "#009E73"]):
    rows = [params["n_clusters"] == size for params in results["params"]]
    means, stds = results["mean_test_score"][rows], results["std_test_score"][rows]
    ax.errorbar(alphas, means, stds, fmt="o-", capsize=3, color=color, label=str(size))
ax.set(xscale="log", xlabel="regularization alpha of the head", ylabel="cross-validated accuracy")
ax.set_xticks(alphas, [str(alpha) for alpha in alphas])
ax.minorticks_off()
ax.set_title("clusters of two layers, and regularization")
ax.legend(title="n_clusters", frameon=False)
plt.show()
