"""Five-fold accuracy on scikit-learn's digits, with default parameters.

Usage: python benchmarks/digits.py [--csv FILE]
"""

import argparse

from _common import Table, measure
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from skhier import Flatten, LayerwiseCNNClassifier

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
parser.add_argument("--csv")
options = parser.parse_args()

X, y = load_digits().images, load_digits().target
methods = {
    "logistic": make_pipeline(Flatten(), StandardScaler(), LogisticRegression(C=0.01)),
    "RBF SVM": make_pipeline(Flatten(), StandardScaler(), SVC(C=5)),
    "layerwise": LayerwiseCNNClassifier(random_state=0),
}
print("mean and standard deviation of the accuracy over 5 folds (stratified, shuffled, seed 0)")
table = Table("method", "accuracy", "deviation", "s per fold", csv_path=options.csv)
for name, method in methods.items():
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    scores, seconds = measure(cross_val_score, method, X, y, cv=folds)
    table.add(name, float(scores.mean()), float(scores.std()), seconds / 5)
