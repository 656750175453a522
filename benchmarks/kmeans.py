"""SphericalKMeans against faiss and scikit-learn on whitened patches of images.

Same patches, number of clusters and iterations; each ends with its own centers, and the
objective is the mean cosine distance of all patches to the nearest of them. Needs faiss-cpu.

Usage: python benchmarks/kmeans.py DATA.npz [--n-patches N] [--n-clusters K] [--max-iter T]
           [--repeats R] [--csv FILE]
DATA.npz holds images X (n, H, W, C).
"""

import argparse

import faiss
import numpy as np
from _common import Table, measure
from sklearn.cluster import KMeans

from skhier import SphericalKMeans
from skhier._base._rows import LocalRows
from skhier.clustering._patches import PatchGrid, sample_patches
from skhier.clustering._whitening import Whitening
from skhier.datasets import load_npz

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
parser.add_argument("data")
parser.add_argument("--n-patches", type=int, default=200_000)
parser.add_argument("--patch-size", type=int, default=6)
parser.add_argument("--n-clusters", type=int, default=1024)
parser.add_argument("--max-iter", type=int, default=25)
parser.add_argument("--repeats", type=int, default=3)
parser.add_argument("--csv")
options = parser.parse_args()

images = load_npz(options.data).images.astype(np.float32)
grid = PatchGrid.from_params(images.shape[1:], options.patch_size, 1, "valid")
rng = np.random.RandomState(0)
border = np.zeros(images.shape[3], np.float32)
patches, _ = sample_patches(LocalRows(images), grid, border, options.n_patches, rng)
units = Whitening.learn(patches, 1e-2).apply(patches)
units /= np.linalg.norm(units, axis=1, keepdims=True)
k, T = options.n_clusters, options.max_iter


def ours(init, seed):
    km = SphericalKMeans(k, init=init, max_iter=T, tol=0, random_state=seed)
    return km.fit(units).cluster_centers_


def with_faiss(seed):
    km = faiss.Kmeans(
        units.shape[1], k, niter=T, spherical=True, seed=seed, max_points_per_centroid=10**6
    )
    km.train(units)
    return km.centroids


def with_sklearn(seed):
    km = KMeans(k, init="random", n_init=1, max_iter=T, tol=0, random_state=seed)
    return km.fit(units).cluster_centers_


METHODS = {
    "skhier, random": lambda seed: ours("random", seed),
    "skhier, k-means++": lambda seed: ours("k-means++", seed),
    "faiss": with_faiss,
    "scikit-learn, random": with_sklearn,
}
table = Table("method", "run", "seconds", "objective", csv_path=options.csv, first_width=22)
for run in range(options.repeats):
    for name, cluster in METHODS.items():
        centers, seconds = measure(cluster, run)
        centers = centers / np.linalg.norm(centers, axis=1, keepdims=True)
        nearest = np.concatenate(
            [(part @ centers.T).max(axis=1) for part in np.array_split(units, 20)]
        )
        table.add(name, run, seconds, float(1 - nearest.mean()))
print(f"{len(units)} patches of {units.shape[1]} values, {k} clusters, {T} iterations")
