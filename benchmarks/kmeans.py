"""SphericalKMeans, faiss and scikit-learn on the same whitened patches of images.

All methods have the same patches, number of clusters and number of iterations. The objective is
the mean cosine distance between a patch and the nearest center. Needs faiss-cpu.

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
from skhier._base._rows import Rows
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
patches, _ = sample_patches(Rows.of_array(images), grid, border, options.n_patches, rng)
whitening = Whitening.learn(patches, 1e-2)
directions = whitening.restore(whitening.apply(patches))
directions /= np.linalg.norm(directions, axis=1, keepdims=True)
k, T = options.n_clusters, options.max_iter


def with_skhier(init, seed):
    """Return the centers of SphericalKMeans."""
    km = SphericalKMeans(k, init=init, max_iter=T, tol=0, random_state=seed)
    return km.fit(directions).cluster_centers_


def with_faiss(seed):
    """Return the centers of faiss."""
    km = faiss.Kmeans(
        directions.shape[1], k, niter=T, spherical=True, seed=seed, max_points_per_centroid=10**6
    )
    km.train(directions)
    return km.centroids


def with_sklearn(seed):
    """Return the centers of scikit-learn's KMeans, which are not of unit norm."""
    km = KMeans(k, init="random", n_init=1, max_iter=T, tol=0, random_state=seed)
    return km.fit(directions).cluster_centers_


METHODS = {
    "skhier, random": lambda seed: with_skhier("random", seed),
    "skhier, k-means++": lambda seed: with_skhier("k-means++", seed),
    "faiss": with_faiss,
    "scikit-learn, random": with_sklearn,
}
table = Table("method", "run", "seconds", "objective", csv_path=options.csv, first_width=22)
for run in range(options.repeats):
    for name, cluster in METHODS.items():
        centers, seconds = measure(cluster, run)
        centers = centers / np.linalg.norm(centers, axis=1, keepdims=True)
        nearest = np.concatenate(
            [(batch @ centers.T).max(axis=1) for batch in np.array_split(directions, 20)]
        )
        table.add(name, run, seconds, float(1 - nearest.mean()))
print(f"{len(directions)} patches of {directions.shape[1]} values, {k} clusters, {T} iterations")
