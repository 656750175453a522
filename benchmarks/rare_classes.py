"""Balanced accuracy where one label is a hundred times as rare as the other.

The task is one digit against all other digits, for three digits with three splits each. Training
images are 8 of the digit and 800 others, and all other images are held out. The logistic
regressions get the features of the classifier with class_weight.

Usage: python benchmarks/rare_classes.py [--csv FILE]
"""

import argparse

import numpy as np
from _common import Table
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.class_weight import compute_sample_weight

from skhier import LayerwiseCNNClassifier


def logistic(C):
    """Return a logistic regression with balanced class weights on standardized features."""
    regression = LogisticRegression(C=C, class_weight="balanced", max_iter=500)
    return make_pipeline(StandardScaler(), regression)


def scores_of_heads(digit, seed):
    """Return the balanced accuracy of each head on held-out images, by its name."""
    digits, rng = load_digits(), np.random.default_rng(seed)
    X, y = digits.images, digits.target == digit
    rare, other = rng.permutation(np.flatnonzero(y)), rng.permutation(np.flatnonzero(~y))
    train, test = np.r_[rare[:8], other[:800]], np.r_[rare[8:], other[800:]]

    def score(predicted):
        return balanced_accuracy_score(y[test], predicted)

    unweighted = LayerwiseCNNClassifier(n_clusters=[32, 64], random_state=seed)
    weight = compute_sample_weight("balanced", y[train])
    weighted = clone(unweighted).fit(X[train], y[train], sample_weight=weight)
    balanced = clone(unweighted).set_params(class_weight="balanced").fit(X[train], y[train])
    features = balanced.transform(X).reshape(len(X), -1)
    return {
        "no weights": score(unweighted.fit(X[train], y[train]).predict(X[test])),
        "sample_weight": score(weighted.predict(X[test])),
        "class_weight": score(balanced.predict(X[test])),
    } | {
        f"logistic, C = {C}": score(
            logistic(C).fit(features[train], y[train]).predict(features[test])
        )
        for C in (1, 0.01)
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--csv")
    options = parser.parse_args()
    runs = [scores_of_heads(digit, seed) for digit in (1, 3, 8) for seed in range(3)]
    table = Table("head", "mean", "least", csv_path=options.csv, first_width=20)
    for head in runs[0]:
        scores = [run[head] for run in runs]
        table.add(head, float(np.mean(scores)), float(min(scores)))
