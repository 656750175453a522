"""Numbers of images by required_samples for the whole algorithm, compared with measured numbers.

Usage: python benchmarks/required_samples.py [--models 60] [--runs 10] [--csv FILE]
           [--methods counts cluster certificate snr]

Models are appendix D with k = 4, 8 and 30, then random ones of six kinds in turn: two labels, five
labels, the Random Hierarchy Model, patches of one pixel, 10 to 20 root images a label, and levels
with a single patch a class. The measured number is the smallest number of a geometric grid, of
ratio sqrt(2), at which all runs succeed. A run draws one sample of images. It succeeds

- by 'certificate' and 'rigorous' if separate_codes(..., equally_likely=True) separates all patches
  of different classes at every level, and no patches of one class;
- by 'counts', 'rigorous_counts' and 'cluster' if the groups of every level are the classes, and a
  linear SVM on classes of level 0 makes no error on 2,000 images. Groups are those of the solvers
  'counts' and 'kmeans' of the embedder: of square roots of counts, and of code means;
- by 'snr' (not by default; 3 runs) if algorithm 1 has an accuracy of 0.99 on 2,000 images.

The columns 'coverage' and 'pixels' are lower bounds, by necessary_samples. The last lines are the
ranges of the ratios of all random models: number over measured number of the method, or, for 'lower
bounds' and 'coverage', the measured number of the first method over the larger lower bound, and
over that of coverage.
"""

import argparse

import numpy as np
from _common import Table
from sklearn.svm import LinearSVC

from skhier import HierarchicalSampler, LayerwiseCNNClassifier
from skhier.datasets import make_random_hierarchy
from skhier.embedding._factors import find_groups  # of the solvers 'counts' and 'kmeans'
from skhier.theory import necessary_samples, required_samples, separate_codes, theorem2_params

DELTA = 0.05
LOWER = ("coverage", "pixels")
PROVED = {"counts": "rigorous_counts", "certificate": "rigorous"}  # by the method measured


def draw(sampler, n, seed):
    """Draw n images; return the codes of the patches of each level, and the labels."""
    rng = np.random.default_rng(seed)
    _, size = np.unique(sampler.root_labels_, return_counts=True)
    label = rng.integers(len(size), size=n)
    order = np.argsort(sampler.root_labels_, kind="stable")
    roots = order[(np.cumsum(size) - size)[label] + rng.integers(size[label])]
    classes, codes = sampler.root_images_[roots], []
    for table in sampler.patches_:
        choice = rng.integers(table.shape[1], size=classes.shape)
        codes.append((classes * table.shape[1] + choice).reshape(n, -1))
        patches = table[classes, choice].swapaxes(2, 3)
        classes = patches.reshape(n, classes.shape[1] * table.shape[2], -1)
    return codes, sampler.root_labels_[roots]


def counts(codes, y, n_codes):
    """Return the numbers of images with each code at each position, (label, code, position)."""
    n_positions = codes.shape[1]
    cells = codes * n_positions + np.arange(n_positions)
    shape = n_codes, n_positions
    return np.array(
        [
            np.bincount(cells[y == label].ravel(), minlength=n_codes * n_positions).reshape(shape)
            for label in np.unique(y)
        ]
    )


def is_certified(table, k, delta):
    """Whether the certificate separates exactly the pairs of codes of different classes."""
    separation = separate_codes(table.swapaxes(0, 1), delta=delta, equally_likely=True)
    classes = np.arange(table.shape[1]) // k
    return np.array_equal(separation.different, classes[:, None] != classes)


def is_clustered(table, k, method):
    """Whether groups of code means, or of square roots of counts, are the classes."""
    if method == "cluster":
        points = (table - table.mean(axis=0)).swapaxes(0, 1).reshape(table.shape[1], -1)
    else:
        points = np.sqrt(np.concatenate(table, axis=1))
    rng = np.random.RandomState(0)
    labels = find_groups(points / points.std(), None, len(points) // k, rng).reshape(-1, k)
    return (labels == labels[:, :1]).all() and len(np.unique(labels[:, 0])) == len(labels)


def one_hot(codes, n_codes):
    """Return codes (n, n_positions) as one-hot rows (n, n_positions * n_codes)."""
    return (codes[..., None] == np.arange(n_codes)).reshape(len(codes), -1).astype(np.float32)


def succeeds(sampler, method, n, seed):
    """Whether a run of the method on n images succeeds."""
    if method == "snr":
        X, y = sampler.sample(n + 2000, random_state=seed)
        clf = LayerwiseCNNClassifier(**theorem2_params(sampler), random_state=seed)
        return clf.fit(X[:n], y[:n]).score(X[n:], y[n:]) >= 0.99
    codes, y = draw(sampler, n, seed)
    k = [table.shape[1] for table in sampler.patches_]
    tables = [
        counts(level, y, k_i * len(table)) for level, k_i, table in zip(codes, k, sampler.patches_)
    ]
    if method == "certificate":
        share = DELTA / (sampler.n_levels + 1)
        return all(is_certified(table, k_i, share) for table, k_i in zip(tables, k))
    if not all(is_clustered(table, k_i, method) for table, k_i in zip(tables, k)):
        return False
    held_out, labels = draw(sampler, 2000, seed + 10**6)
    n_classes = len(sampler.patches_[0])
    rule = "ovr" if len(np.unique(sampler.root_labels_)) == 2 else "crammer_singer"
    head = LinearSVC(C=1.0, multi_class=rule, random_state=0)
    head.fit(one_hot(codes[0] // k[0], n_classes), y)
    return head.score(one_hot(held_out[0] // k[0], n_classes), labels) == 1


def measured(sampler, method, start, n_runs):
    """Return the smallest number of the grid at which all runs succeed; search from `start`."""

    def all_succeed(step):
        n = round(2 ** (step / 2))
        return all(succeeds(sampler, method, n, seed) for seed in range(n_runs))

    step = round(2 * np.log2(start))
    if all_succeed(step):
        while step > 4 and all_succeed(step - 1):
            step -= 1
    else:
        step += 1
        while not all_succeed(step):
            step += 1
    return round(2 ** (step / 2))


def _random_params(kind, rng):
    """Draw the parameters of a random model of a kind."""
    depth = int(rng.integers(2, 4))
    params = {
        "n_levels": depth,
        "n_semantic_classes": [int(c) for c in rng.integers(3, 7, depth)],
        "patch_size": 2,
        "patches_per_class": [int(k) for k in rng.integers(2, 9, depth)],
        "n_root_images": int(rng.integers(2, 6)),
        "root_shape": (2, 2),
    }
    if kind == "five labels":
        params |= {"n_labels": 5, "n_root_images": int(rng.integers(2, 4))}
    elif kind == "s = 1":
        params |= {"patch_size": [2] * (depth - 1) + [1], "n_channels": 4}
    elif kind == "rare roots":
        params |= {"n_root_images": int(rng.integers(10, 21)), "root_shape": (4, 4)}
    elif kind == "k = 1":
        params["patches_per_class"][int(rng.integers(depth))] = 1
    return params


def _draw_model(kind, seed):
    rng = np.random.default_rng(seed)
    if kind != "RHM":
        return HierarchicalSampler(**_random_params(kind, rng), random_state=seed).fit()
    v = int(rng.integers(4, 9))
    return make_random_hierarchy(
        1,
        n_classes=int(rng.integers(2, v + 1)),
        vocabulary_size=v,
        n_synonyms=int(rng.integers(2, min(v, 4))),
        depth=int(rng.integers(2, 4)),
        return_X_y=False,
        random_state=seed,
    ).sampler


KINDS = ("two labels", "five labels", "RHM", "s = 1", "rare roots", "k = 1")


def models(n_random):
    """Yield (name, sampler) of appendix D, then of random models within reach of a measurement."""
    for k in (4, 8, 30):
        yield f"D, k={k}", HierarchicalSampler(patches_per_class=k, random_state=0).fit()
    seed = n_yielded = 0
    while n_yielded < n_random:
        kind = KINDS[n_yielded % len(KINDS)]
        seed += 1
        try:
            sampler = _draw_model(kind, seed)
            n = required_samples(sampler, DELTA, "snr")
        except ValueError:  # a class never occurs, or two of a level have equal frequencies
            continue
        if n <= 20_000 and min(level.delta_min for level in sampler.statistics().levels) > 0.05:
            n_yielded += 1
            yield kind, sampler


def main():
    """Print predicted and measured numbers of images of all models."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--models", type=int, default=60)
    parser.add_argument("--runs", type=int, default=10)
    methods = ["counts", "cluster", "certificate", "snr"]
    parser.add_argument("--methods", nargs="*", default=methods[:3], choices=methods)
    parser.add_argument("--csv")
    options = parser.parse_args()
    methods = options.methods
    columns = [name for method in methods for name in (method, "measured", "ratio")]
    certain = [PROVED[method] for method in methods if method in PROVED]
    table = Table("model", "classes", "k", *columns, *certain, *LOWER, csv_path=options.csv)
    ratios = {method: [] for method in [*methods, *certain, "lower bounds", "coverage"]}
    for name, sampler in models(options.models):
        row, proved = [], []
        for method in methods:
            predicted = required_samples(sampler, DELTA, method)
            n = measured(sampler, method, predicted, 3 if method == "snr" else options.runs)
            row += [predicted, n, predicted / n]
            ratios[method].append((name, predicted / n))
            if method in PROVED:
                proved.append(required_samples(sampler, DELTA, PROVED[method]))
                ratios[PROVED[method]].append((name, proved[-1] / n))
        lower = [necessary_samples(sampler, DELTA, method) for method in LOWER]
        ratios["lower bounds"].append((name, row[1] / max(lower)))
        ratios["coverage"].append((name, row[1] / lower[0]))
        shapes = [table_i.shape[:2] for table_i in sampler.patches_]
        table.add(
            name,
            "-".join(str(c) for c, _ in shapes),
            "-".join(str(k) for _, k in shapes),
            *row,
            *proved,
            *lower,
        )
    for method, values in ratios.items():
        of_random = [ratio for name, ratio in values if name in KINDS]
        if of_random:
            low, middle, high = np.quantile(of_random, [0, 0.5, 1])
            print(f"{method}: {low:.2f} to {high:.2f}, median {middle:.2f}")


if __name__ == "__main__":
    main()
