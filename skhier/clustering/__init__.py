"""Spherical k-means, patches, and their orthogonal codes (paper, sections 5 and 6)."""

from ._orthogonalizer import PatchKMeansOrthogonalizer
from ._spherical_kmeans import SphericalKMeans

__all__ = ["PatchKMeansOrthogonalizer", "SphericalKMeans"]
