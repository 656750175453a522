"""skhier: deep networks learned layer by layer, and the images they provably learn."""

from ._flatten import Flatten
from .classifier import KernelRidgeHead, LayerwiseCNNClassifier, RidgeHead
from .clustering import PatchKMeansOrthogonalizer, SphericalKMeans
from .embedding import TwoLayerConvEmbedder
from .generative import HierarchicalSampler

__version__ = "0.1.0.dev0"

__all__ = [
    "Flatten",
    "HierarchicalSampler",
    "KernelRidgeHead",
    "LayerwiseCNNClassifier",
    "PatchKMeansOrthogonalizer",
    "RidgeHead",
    "SphericalKMeans",
    "TwoLayerConvEmbedder",
]
