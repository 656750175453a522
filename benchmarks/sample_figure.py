"""The figure "how many images suffice": predictions and measurements in three panels.

Usage: python benchmarks/figure_3.py --depth --csv FILE.csv
       python benchmarks/sample_figure.py FILE.csv ... --plot doc/images/how_many_images.png

(a) Share of 50 runs in which k-means of square roots of counts groups the patches of the last
    level without error, on models of appendix D, and the predicted probability. A run draws one
    sample of images.
(b) Ratio of the mean squared distances of code means between classes and within classes, on 20
    Random Hierarchy Models for each m and L.
(c) Accuracy against the number of training images: medians over the seeds in the files of
    figure_3.py.

The tables of (a) and (b) are printed.
"""

import argparse
import csv
from collections import defaultdict

import matplotlib.pyplot as plt
import numpy as np
from _common import Table
from figure_3 import depth_model
from matplotlib.lines import Line2D
from required_samples import DELTA, counts, is_clustered, models
from required_samples import draw as draw_codes

from skhier.datasets import make_random_hierarchy
from skhier.theory import (
    grouping_probability,
    necessary_samples,
    required_samples,
    rhm_sample_complexity,
)

V = 8  # labels, and symbols of each level
COLORS = ["#0072B2", "#D55E00", "#009E73"]
SHARES = 2.0 ** np.arange(-2, 1.1, 0.5)  # of the predicted number of images


def is_grouped(sampler, n, seed):
    """Whether k-means of counts on n images finds the classes of the last level."""
    codes, y = draw_codes(sampler, n, seed)
    n_classes, k = sampler.patches_[-1].shape[:2]
    return is_clustered(counts(codes[-1], y, n_classes * k), k, "counts")


def success(n_runs=50):
    """Return a dict of k and (sampler, predicted number, success rate at each of `SHARES`)."""
    table, results = Table("k", "predicted", *[f"{share:.3g}" for share in SHARES]), {}
    for _, sampler in models(n_random=0):
        k = sampler.patches_[0].shape[1]
        predicted = required_samples(sampler, DELTA, "counts", level=1)
        rates = [
            np.mean([is_grouped(sampler, round(n), seed) for seed in range(n_runs)])
            for n in SHARES * predicted
        ]
        table.add(k, predicted, *rates)
        results[k] = sampler, predicted, rates
    return results


def squared_distances(m, depth, n_images, seed):
    """Return mean squared distances of code means at the last level: (between, within classes)."""
    bunch = make_random_hierarchy(
        n_images, n_classes=V, vocabulary_size=V, n_synonyms=m, depth=depth,
        return_X_y=False, random_state=seed,
    )  # fmt: skip
    codes = bunch.sampler.parse_patches(bunch.images)[depth - 1].reshape(n_images, -1)
    labeled = codes + V * m * bunch.target[:, None]
    counts = [np.bincount(column, minlength=V * V * m) for column in labeled.T]
    means = np.stack(counts, axis=1).reshape(V, V, m, -1) / n_images  # label, class, synonym
    means = np.moveaxis(means - means.mean(axis=0), 0, -1).reshape(V, m, -1)
    # The mean squared distance of two points is twice the variance.
    within = 2 * means.var(axis=1, ddof=1).sum(axis=1).mean()
    of_classes = 2 * means.mean(axis=1).var(axis=0, ddof=1).sum()
    return of_classes + within * (1 - 1 / m), within


def ratios(n_models=20, min_images=16, max_images=2**17):
    """Return a dict of (m, L) and (images / (n_c m^L), ratios of the mean squared distances)."""
    table, results = Table("m", "L", "images", "share", "between/within", "1 + N/N_1"), {}
    for depth in (2, 3, 4):
        for m in (2, 4, 8):
            rows = []
            for share in 4.0 ** np.arange(-2, 3):
                n = round(share * V * m**depth)
                if not min_images <= n <= max_images:
                    continue
                distances = [squared_distances(m, depth, n, seed) for seed in range(n_models)]
                between, within = np.mean(distances, axis=0)
                rows.append((share, between / within))
                expected = 1 + n / rhm_sample_complexity(V, V, m, 2, depth)
                table.add(m, depth, n, share, between / within, expected)
            results[m, depth] = np.transpose(rows)
    return results


def read_accuracies(paths):
    """Read files of figure_3.py.

    Returns a dict of (depth, method) and (sizes, medians over seeds), and the seeds of each depth.
    """
    scores, seeds = defaultdict(list), defaultdict(set)
    for path in paths:
        with open(path, newline="") as file:
            names, *rows = csv.reader(file)
        for depth, seed, method, *accuracies in rows:
            scores[int(depth), method].append([float(a) for a in accuracies])
            seeds[int(depth)].add(int(seed))
    sizes = np.array(names[3:], int)
    return {key: (sizes, np.median(rows, axis=0)) for key, rows in scores.items()}, seeds


def draw_success(ax, results):
    """Draw panel (a)."""
    for color, (k, (sampler, predicted, rates)) in zip(COLORS, results.items()):
        ax.plot(SHARES, rates, "o", color=color, markersize=4, label=f"$k$ = {k}")
        numbers = np.maximum(1, np.round(predicted * np.geomspace(SHARES[0], SHARES[-1], 60)))
        curve = [grouping_probability(sampler, 1, n_samples=int(n)) for n in numbers]
        ax.plot(numbers / predicted, curve, color=color)
        ax.plot(
            necessary_samples(sampler, DELTA, level=1) / predicted,
            0,
            "^",
            color=color,
            markersize=8,
        )
    ax.axvline(1, color="0.6", linestyle=":")
    ax.set(xscale="log", xlabel="images / predicted number", ylabel="grouped without error")
    ax.set_xticks([0.25, 0.5, 1, 2], ["0.25", "0.5", "1", "2"], minor=False)
    ax.set_xticks([], minor=True)
    ax.set_title("(a) Models of appendix D")
    marks = [
        Line2D([], [], color="0.3", label="predicted"),
        Line2D([], [], color="0.3", marker="^", linestyle="", label="lower bound"),
    ]
    ax.legend(handles=[*ax.get_legend_handles_labels()[0], *marks], frameon=False, loc=(0, 0.45))


def draw_ratios(ax, results):
    """Draw panel (b)."""
    depths = sorted({depth for _, depth in results})
    shares = np.geomspace(0.04, 20)
    for color, depth in zip(COLORS, depths):
        N_1 = rhm_sample_complexity(V, V, 4, 2, depth) / (V * 4**depth)  # equal for all m
        ax.plot(shares, 1 + shares / N_1, color=color, label=f"$1 + N/N_1$, $L$ = {depth}")
    for marker, m in zip("os^", sorted({m for m, _ in results})):
        for color, depth in zip(COLORS, depths):
            ax.plot(*results[m, depth], marker, color=color, fillstyle="none", markersize=6)
        ax.plot([], [], marker, color="0.3", fillstyle="none", label=f"measured, $m$ = {m}")
    ax.set(xscale="log", yscale="log", xlabel="images / $n_c m^L$")
    ax.set_ylabel(r"between$^2$ / within$^2$")
    ax.set_title("(b) Random Hierarchy Model")
    ax.legend(frameon=False)


def draw_accuracies(ax, accuracies, seeds):
    """Draw panel (c)."""
    styles = {"counts": "-", "classes": "-.", "algorithm 1": "--", "CNN": ":"}
    for color, (depth, seeds_of_depth) in zip(COLORS, sorted(seeds.items())):
        for method, style in styles.items():
            if (depth, method) in accuracies:
                ax.plot(*accuracies[depth, method], style, color=color)
        samplers = [depth_model(depth, seed) for seed in sorted(seeds_of_depth)]
        for method, marker, height in (("counts", "v", 1.03), ("snr", "d", 1.06)):
            predicted = np.median([required_samples(s, 0.01, method) for s in samplers])
            ax.plot(predicted, height, marker, color=color)
    ax.set(xscale="log", xlabel="images", ylabel="accuracy on held-out images")
    ax.set_title("(c) Models of depth 2, 3 and 4")
    handles = [Line2D([], [], color=c, label=f"depth {d}") for c, d in zip(COLORS, sorted(seeds))]
    handles += [Line2D([], [], color="0.3", linestyle=s, label=m) for m, s in styles.items()]
    handles += [
        Line2D([], [], color="0.3", marker=marker, linestyle="", label=label)
        for marker, label in (("v", "counts, predicted"), ("d", "algorithm 1, predicted"))
    ]
    ax.legend(handles=handles, frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))


def draw(success, ratios, accuracies, seeds, path):
    """Draw all panels, and write the figure to `path`."""
    figure, axes = plt.subplots(1, 3, figsize=(15.5, 4.2), layout="constrained")
    draw_success(axes[0], success)
    draw_ratios(axes[1], ratios)
    draw_accuracies(axes[2], accuracies, seeds)
    for ax in axes:
        ax.grid(alpha=0.3)
        ax.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("results", nargs="+", help="files written by figure_3.py --depth --csv")
    parser.add_argument("--plot", required=True)
    options = parser.parse_args()
    draw(success(), ratios(), *read_accuracies(options.results), options.plot)
