"""Clustering of patches and the orthogonal codes made of it (paper, section 5.1)."""

from ._orthogonalizer import PatchKMeansOrthogonalizer
from ._spherical_kmeans import SphericalKMeans

__all__ = ["PatchKMeansOrthogonalizer", "SphericalKMeans"]
