"""Images from which codes are put in classes if patches of a class are not equally likely.

Usage: python benchmarks/unequal_weights.py [--models 18] [--runs 10] [--csv FILE]

Models are appendix D with k patches for each class, whose probabilities follow Zipf's law with an
exponent ("weights"), then random models of required_samples.py with equal ones. Codes are those of
the last level, exactly known. The number is the smallest one of a grid of ratio sqrt(2) with which
a solver of TwoLayerConvEmbedder finds all classes in all runs; NaN if 4,096 are not enough.
"""

import argparse

import numpy as np
from _common import Table
from required_samples import models

from skhier import HierarchicalSampler, TwoLayerConvEmbedder

SOLVERS = ("counts", "shares", "kmeans")
APPENDIX_D = [(4, 0.0), (8, 0.0), (30, 0.0), (6, 0.0), (6, 1.0), (6, 2.0), (4, 2.0)]
MAX_IMAGES = 2**12


def succeeds(sampler, solver, n, seed):
    """Whether a solver finds all classes of the last level from n images."""
    n_classes, k = sampler.patches_[-1].shape[:2]
    X, y = sampler.sample(n, random_state=seed)
    if len(np.unique(y)) < len(sampler.classes_):
        return False
    codes = np.eye(n_classes * k, dtype=np.float32)[sampler.parse_patches(X)[-1]]
    embedder = TwoLayerConvEmbedder(
        n_classes, solver=solver, scale_channels=False, random_state=seed
    )
    groups = embedder.fit(codes, y).kernels_.argmax(axis=1).reshape(n_classes, k)
    return (groups == groups[:, :1]).all() and len(np.unique(groups)) == n_classes


def measured(sampler, solver, n_runs):
    """Return the smallest number of the grid at which all runs succeed."""

    def all_succeed(step):
        return all(succeeds(sampler, solver, round(2 ** (step / 2)), s) for s in range(n_runs))

    step = 12
    while not all_succeed(step):
        step += 1
        if 2 ** (step / 2) > MAX_IMAGES:
            return np.nan
    while step > 4 and all_succeed(step - 1):
        step -= 1
    return round(2 ** (step / 2))


def main():
    """Print the numbers of all models."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--models", type=int, default=18)
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--csv")
    options = parser.parse_args()
    table = Table("model", "classes", "k", "weights", *SOLVERS, csv_path=options.csv)
    family = [
        ("D", HierarchicalSampler(patches_per_class=k, rule_weights=w, random_state=0).fit(), w)
        for k, w in APPENDIX_D
    ]
    family += [(name, sampler, 0.0) for name, sampler in list(models(options.models))[3:]]
    for name, sampler, weights in family:
        n_classes, k = sampler.patches_[-1].shape[:2]
        if k > 1:
            numbers = [measured(sampler, solver, options.runs) for solver in SOLVERS]
            table.add(name, n_classes, k, weights, *numbers)


if __name__ == "__main__":
    main()
