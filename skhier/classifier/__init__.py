"""The whole algorithm, layer after layer, and the network that it yields."""

from ._layerwise import LayerwiseCNNClassifier
from ._ridge_head import RidgeHead

__all__ = ["LayerwiseCNNClassifier", "RidgeHead"]
