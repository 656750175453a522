"""
Random search over the parameters of the paper
==============================================

Section 6 of the paper chooses four parameters by random search: the numbers of clusters and
embedding channels, the bias of the ReLU and the number of patches to cluster. Successive halving
needs less work: many candidates learn from few images, and the best candidates learn from more.
"""

# %%
# As in a pipeline, the name of a part's parameter begins with the name of the part. A list has one
# value for each of the two layers. ``benchmarks/random_search.py`` runs the same search on a file
# of images, for example CIFAR-10.
import matplotlib.pyplot as plt
import numpy as np
from scipy.stats import uniform
from sklearn.datasets import load_digits
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import HalvingRandomSearchCV, train_test_split

from skhier import LayerwiseCNNClassifier

digits = load_digits()
X_train, X_test, y_train, y_test = train_test_split(
    digits.images.astype(np.float32), digits.target, random_state=0
)
search = HalvingRandomSearchCV(
    LayerwiseCNNClassifier(random_state=0),
    {
        "n_clusters": [[8, 16], [16, 32], [16, 64], [32, 64]],
        "n_components": [8, 16, 32],
        "orthogonalizer__bias": uniform(-1, 1),
        "orthogonalizer__n_patches": [1000, 3000, 10_000],
    },
    n_candidates=8,
    factor=2,
    min_resources=150,
    cv=2,
    random_state=0,
).fit(X_train, y_train)
print(f"best of {search.n_candidates_[0]} candidates:")
for name, value in search.best_params_.items():
    print(f"    {name} = {value}")
print(f"accuracy on the test images: {search.score(X_test, y_test):.3f}")

# %%
# The accuracy of each candidate in each round, against its bias.
results = search.cv_results_
biases = np.array([params["orthogonalizer__bias"] for params in results["params"]])
sizes = results["n_resources"]
figure, ax = plt.subplots(figsize=(5.5, 4), layout="constrained")
colors = "#56B4E9", "#E69F00", "#009E73", "#0072B2", "#000000"
for size, color, marker in zip(np.unique(sizes), colors, "os^Dv"):
    in_round = sizes == size
    ax.plot(
        biases[in_round],
        results["mean_test_score"][in_round],
        marker,
        color=color,
        label=f"{size} images",
    )
ax.set(xlabel="bias of the ReLU", ylabel="cross-validated accuracy")
ax.set_title("candidates in each round of halving")
ax.legend(frameon=False)
plt.show()
