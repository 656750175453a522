"""The whole algorithm, layer after layer, and the network that it yields."""

from ._layerwise import LayerwiseCNNClassifier

__all__ = ["LayerwiseCNNClassifier"]
