"""Algorithm 1 beside a linear classifier on the model of appendix D (figure 3).

Usage: python benchmarks/appendix_d.py [--seeds 3] [--csv FILE]
"""

import argparse

from _common import Table, measure, peak_gigabytes
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from skhier import Flatten, HierarchicalSampler, LayerwiseCNNClassifier

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
parser.add_argument("--seeds", type=int, default=3)
parser.add_argument("--csv")
options = parser.parse_args()

print("40,000 images to learn from, 10,000 held out; accuracy on the held-out images")
table = Table("k", "seed", "linear", "algorithm 1", "seconds", "peak GB", csv_path=options.csv)
for k in (30, 40, 50):
    for seed in range(options.seeds):
        X, y = HierarchicalSampler(patches_per_class=k, random_state=seed).fit().sample(50_000)
        X_train, X_test, y_train, y_test = X[:40_000], X[40_000:], y[:40_000], y[40_000:]
        linear = make_pipeline(Flatten(), StandardScaler(), LinearSVC(C=0.01, random_state=seed))
        algorithm_1 = LayerwiseCNNClassifier.algorithm_1(4 * k, patch_size=3, random_state=seed)
        _, seconds = measure(algorithm_1.fit, X_train, y_train)
        table.add(
            k,
            seed,
            linear.fit(X_train, y_train).score(X_test, y_test),
            algorithm_1.score(X_test, y_test),
            seconds,
            peak_gigabytes(),
        )
