"""Displays of models and of learned layers, used like scikit-learn's Display classes.

Drawing needs matplotlib: ``pip install matplotlib``.
"""

from ._centroids import CentroidsDisplay
from ._distances import DistancesDisplay
from ._frequencies import FrequenciesDisplay
from ._generation import GenerationDisplay
from ._layers import LayersDisplay

__all__ = [
    "CentroidsDisplay",
    "DistancesDisplay",
    "FrequenciesDisplay",
    "GenerationDisplay",
    "LayersDisplay",
]
