"""Numbers of images by required_samples for the whole algorithm, compared with measured numbers.

Usage: python benchmarks/required_samples.py [--models 20] [--runs 10] [--csv FILE] [--algorithm-1]

Models are appendix D with k = 4, 8 and 30, then random models of depth 2 and 3. The measured number
is the smallest number of a geometric grid, of ratio sqrt(2), at which all runs succeed. A run draws
one sample of images. It succeeds

- by 'certificate' and 'rigorous' if the certificate separates all patches of different classes at
  every level, and no patches of one class;
- by 'cluster' if k-means of code means finds the classes of every level but level 0, and a linear
  SVM on patches of level 0 makes no error on 2,000 images;
- by 'counts' and 'rigorous_counts' if k-means of square roots of counts finds the classes of every
  level, and a linear SVM on classes of level 0 makes no such error;
- by 'snr' (with --algorithm-1; 3 runs) if algorithm 1 has an accuracy of 0.99 on 2,000 images.
"""

import argparse
from math import log

import numpy as np
from _common import Table
from sklearn.cluster import KMeans
from sklearn.svm import LinearSVC

from skhier import HierarchicalSampler, LayerwiseCNNClassifier
from skhier.theory import required_samples, theorem2_params

DELTA = 0.05
PROVED = ["rigorous_counts", "rigorous"]


def draw(sampler, n, seed):
    """Draw n images; return the codes of the patches of each level, and the labels."""
    rng = np.random.default_rng(seed)
    _, size = np.unique(sampler.root_labels_, return_counts=True)
    roots = rng.integers(2, size=n) * size[0]
    roots = roots + rng.integers(size[(roots > 0).astype(int)])
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
            for label in (-1, 1)
        ]
    )


def is_certified(table, k, delta):
    """Whether the certificate separates exactly the pairs of codes of different classes."""
    n_codes = table.shape[1]
    x = log(n_codes * (n_codes - 1) / (2 * delta))
    cells = np.concatenate(table, axis=1)  # a column for each label and position
    for a, row in enumerate(cells[:-1]):
        S, m = row - cells[a + 1 :], row + cells[a + 1 :]
        bound = m.sum(axis=1) + 2 * np.sqrt(x * (m**2).sum(axis=1)) + 2 * x * m.max(axis=1)
        if np.any(((S**2).sum(axis=1) >= bound) != (np.arange(a + 1, n_codes) // k != a // k)):
            return False
    return True


def is_clustered(table, k, method):
    """Whether k-means of code means, or of square roots of counts, finds the classes."""
    points = table[1] - table[0] if method == "cluster" else np.sqrt(np.concatenate(table, axis=1))
    labels = KMeans(len(points) // k, n_init=20, random_state=0).fit_predict(points / points.std())
    labels = labels.reshape(-1, k)
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
    first = 1 if method == "cluster" else 0
    if not all(is_clustered(table, k_i, method) for table, k_i in zip(tables[first:], k[first:])):
        return False
    held_out, labels = draw(sampler, 2000, seed + 10**6)
    size = 1 if method == "cluster" else k[0]  # of the codes that the head cannot tell apart
    n_codes = tables[0].shape[1] // size
    head = LinearSVC(C=1.0, random_state=0).fit(one_hot(codes[0] // size, n_codes), y)
    return head.score(one_hot(held_out[0] // size, n_codes), labels) == 1


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


def models(n_random):
    """Yield (name, sampler) of appendix D, then of random models within reach of a measurement."""
    for k in (4, 8, 30):
        yield f"D, k={k}", HierarchicalSampler(patches_per_class=k, random_state=0).fit()
    seed = n_yielded = 0
    while n_yielded < n_random:
        rng = np.random.default_rng(seed)
        depth = 2 + n_yielded % 2
        sampler = HierarchicalSampler(
            depth,
            n_semantic_classes=[int(c) for c in rng.integers(3, 7, depth)],
            patch_size=2,
            patches_per_class=[int(k) for k in rng.integers(2, 9, depth)],
            n_root_images=int(rng.integers(2, 6)),
            root_shape=(2, 2),
            random_state=seed,
        ).fit()
        seed += 1
        try:
            n = required_samples(sampler, DELTA, "snr")
        except ValueError:  # two classes of a level have equal frequencies
            continue
        if n <= 20_000 and min(level.delta_min for level in sampler.statistics().levels) > 0.05:
            n_yielded += 1
            yield f"depth {depth}", sampler


def main():
    """Print predicted and measured numbers of images of all models."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--models", type=int, default=20)
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--algorithm-1", action="store_true")
    parser.add_argument("--csv")
    options = parser.parse_args()
    methods = ["counts", "cluster", "certificate"] + ["snr"] * options.algorithm_1
    columns = [name for method in methods for name in (method, "measured", "ratio")]
    table = Table("model", "classes", "k", *columns, *PROVED, csv_path=options.csv)
    for name, sampler in models(options.models):
        row = []
        for method in methods:
            predicted = required_samples(sampler, DELTA, method)
            n = measured(sampler, method, predicted, 3 if method == "snr" else options.runs)
            row += [predicted, n, predicted / n]
        shapes = [table_i.shape[:2] for table_i in sampler.patches_]
        table.add(
            name,
            "-".join(str(c) for c, _ in shapes),
            "-".join(str(k) for _, k in shapes),
            *row,
            *[required_samples(sampler, DELTA, method) for method in PROVED],
        )


if __name__ == "__main__":
    main()
