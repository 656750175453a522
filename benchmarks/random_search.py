"""Random search as in section 6 of the paper, at reduced size, by successive halving.

A candidate is a draw of the numbers of clusters and embedding channels, the bias of the ReLU and
the number N of patches. Candidates learn from a part of the training images and are scored on other
training images. The best third is fitted again to three times as many images. In the end, the best
candidate learns from the first four fifths of the file (or from --final images), and is scored on
the last fifth.

Usage: python benchmarks/random_search.py DATA.npz [--n-images N] [--n-candidates N]
           [--final N] [--csv FILE]
DATA.npz holds X (n, H, W, C) and y.
"""

import argparse

import numpy as np
import pandas as pd
from _common import measure
from scipy.stats import loguniform, randint, uniform
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import HalvingRandomSearchCV, ShuffleSplit

from skhier import LayerwiseCNNClassifier
from skhier.datasets import load_npz

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
parser.add_argument("data")
parser.add_argument("--n-images", type=int, default=9000, help="training images of the search")
parser.add_argument("--n-candidates", type=int, default=9)
parser.add_argument("--final", type=int, help="training images of the best candidate in the end")
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--csv")
options = parser.parse_args()


class PerLayer:
    """Distribution of lists of ints, with one distribution for each layer."""

    def __init__(self, *distributions):
        self._distributions = distributions

    def rvs(self, random_state=None):
        draws = [d.rvs(random_state=random_state) for d in self._distributions]
        return [int(draw) for draw in draws]


bunch = load_npz(options.data)
X, y = bunch.images, bunch.target
n_train = 4 * len(X) // 5
search = HalvingRandomSearchCV(
    LayerwiseCNNClassifier(random_state=options.seed),
    {
        "n_clusters": PerLayer(loguniform(50, 400), loguniform(200, 1600)),
        "n_components": randint(32, 192),
        "orthogonalizer__bias": uniform(-1, 1),
        "orthogonalizer__n_patches": randint(10_000, 60_000),
    },
    n_candidates=options.n_candidates,
    factor=3,
    min_resources=options.n_images // 9,
    max_resources=options.n_images,
    cv=ShuffleSplit(1, test_size=0.3, random_state=options.seed),
    refit=False,
    random_state=options.seed,
    verbose=1,
)
_, seconds = measure(search.fit, X[:n_train], y[:n_train])
columns = ["iter", "n_resources", "mean_test_score", "mean_fit_time"]
results = pd.DataFrame(search.cv_results_)
results = results[columns].join(pd.DataFrame(results.pop("params").tolist()))
print(results.sort_values(["iter", "mean_test_score"]).to_string(index=False))
if options.csv:
    results.to_csv(options.csv, index=False)
print(f"search: {seconds:.0f} s; best: {search.best_params_}")
n_final = options.final or n_train
clf = LayerwiseCNNClassifier(random_state=options.seed).set_params(**search.best_params_)
_, seconds = measure(clf.fit, X[:n_final], y[:n_final])
accuracy = np.mean(clf.predict(X[n_train:]) == y[n_train:])
print(f"learned from {n_final} images in {seconds:.0f} s: {accuracy:.4f} of {len(X) - n_train}")
