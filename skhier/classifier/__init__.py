"""The whole algorithm, layer by layer, its heads, and the exported network."""

from ._kernel_head import KernelRidgeHead
from ._layerwise import LayerwiseCNNClassifier
from ._ridge_head import RidgeHead

__all__ = ["KernelRidgeHead", "LayerwiseCNNClassifier", "RidgeHead"]
