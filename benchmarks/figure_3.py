"""Figure 3: linear classifier, CNN and algorithm 1 on the model of appendix D and deeper models.

Usage: python benchmarks/figure_3.py [--seeds 3] [--csv FILE] [--depth [--methods ...]]

With --depth, the models have depth 2, 3 and 4, and accuracies are measured against the number of
training images. The methods are a CNN of the same size, algorithm 1 with the parameters of theorem
2, and algorithm 1 with codes grouped into classes: by class means (solver 'kmeans' of the
embedder), and in all layers by counts (solver 'counts').
"""

import argparse

from _common import Table, measure
from _paper_cnns import cnn_accuracy
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from skhier import Flatten, HierarchicalSampler, LayerwiseCNNClassifier
from skhier.theory import theorem1_params, theorem2_params

PRINTED = {
    30: ("0.96", "?", "0.65", "1.0", "1.0"),
    40: ("1.64", "0.16", "0.58", "1.0", "1.0"),
    50: ("1.65", "0.18", "0.58", "0.99", "1.0"),
}


def figure_3(n_seeds, csv_path):
    """Print the table of figure 3, with the values that the paper prints."""
    print("accuracy on 10,000 held-out images, after 40,000 training images")
    columns = ("k", "seed", "theta", "lambda", "linear", "CNN", "algorithm 1")
    table = Table(*columns, "CNN s", "alg. 1 s", "T / T exact", csv_path=csv_path)
    for k, printed in PRINTED.items():
        table.add(k, "printed", *printed, "", "", "")
        for seed in range(n_seeds):
            sampler = HierarchicalSampler(patches_per_class=k, random_state=seed).fit()
            exact = sampler.statistics()
            X, y = sampler.sample(50_000)
            parts = X[:40_000], y[:40_000], X[40_000:], y[40_000:]
            linear = make_pipeline(Flatten(), StandardScaler(), LinearSVC(C=0.01, random_state=0))
            cnn, cnn_seconds = measure(cnn_accuracy, *parts, 4 * k, 3, 2, 5000, seed)
            clf = LayerwiseCNNClassifier.algorithm_1(4 * k, patch_size=3, random_state=seed)
            _, seconds = measure(clf.fit, *parts[:2])
            level = exact.levels[1]
            n, T, _ = theorem1_params(k, 4, theta=level.theta, lambda_=level.lambda_, bound="paper")
            ratio = T / theorem1_params(k, 4, delta_min=level.delta_min, n_components=n).max_iter
            table.add(
                k,
                seed,
                exact.theta,
                exact.lambda_,
                linear.fit(*parts[:2]).score(*parts[2:]),
                cnn,
                clf.score(*parts[2:]),
                cnn_seconds,
                seconds,
                ratio,
            )


SIZES = [64, 125, 250, 500, 1000, 2000, 4000, 8000, 16_000, 32_000]


def _cnn(train, held_out, sampler, seed):
    return cnn_accuracy(*train, *held_out, 16, 2, sampler.n_levels, 3000, seed)


def _algorithm_1(train, held_out, sampler, seed):
    clf = LayerwiseCNNClassifier(**theorem2_params(sampler), random_state=seed)
    return clf.fit(*train).score(*held_out)


def _classes(train, held_out, sampler, seed):
    clf = LayerwiseCNNClassifier.algorithm_1(
        16, 2, sampler.n_levels, n_components=4, embedder__solver="kmeans", random_state=seed
    )
    return clf.fit(*train).score(*held_out)


def _counts(train, held_out, sampler, seed):
    depth = sampler.n_levels
    clf = LayerwiseCNNClassifier.algorithm_1(
        16, 2, depth, n_components=[4] * depth, embedder__solver="counts", random_state=seed
    )
    return clf.fit(*train).score(*held_out)


METHODS = {"CNN": _cnn, "algorithm 1": _algorithm_1, "classes": _classes, "counts": _counts}


def depth_model(depth, seed):
    """Return a fitted sampler of a model of this depth."""
    return HierarchicalSampler(
        depth, patches_per_class=4, patch_size=2, root_shape=(2, 2), min_lambda=0.03,
        random_state=seed,
    ).fit()  # fmt: skip


def depth(n_seeds, csv_path, methods):
    """Print accuracies against the number of training images, for each depth."""
    print("4 classes at each level, 4 patches of 2x2 per class, 2x2 semantic images;")
    print("accuracy on 4,000 held-out images against the number of training images")
    table = Table("depth", "seed", "method", *SIZES, csv_path=csv_path)
    for d in (2, 3, 4):
        for seed in range(n_seeds):
            sampler = depth_model(d, seed)
            X, y = sampler.sample(max(SIZES) + 4000)
            held_out = X[-4000:], y[-4000:]
            for name in methods:
                trains = ((X[:n], y[:n]) for n in SIZES)
                scores = [METHODS[name](train, held_out, sampler, seed) for train in trains]
                table.add(d, seed, name, *scores)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--csv")
    parser.add_argument("--depth", action="store_true")
    parser.add_argument("--methods", nargs="*", default=list(METHODS), choices=list(METHODS))
    options = parser.parse_args()
    if options.depth:
        depth(options.seeds, options.csv, options.methods)
    else:
        figure_3(options.seeds, options.csv)
