"""Pictures of what is learned, as scikit-learn's Display classes (needs matplotlib)."""

from ._centroids import CentroidsDisplay
from ._layers import LayersDisplay

__all__ = ["CentroidsDisplay", "LayersDisplay"]
