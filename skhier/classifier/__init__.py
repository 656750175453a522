"""The whole algorithm, layer after layer, and the network that it yields."""

from ._kernel_head import KernelRidgeHead
from ._layerwise import LayerwiseCNNClassifier
from ._ridge_head import RidgeHead

__all__ = ["KernelRidgeHead", "LayerwiseCNNClassifier", "RidgeHead"]
