"""Deep generative model of images (paper, section 3), its statistics and inference."""

from ._assumptions import AssumptionCheck, AssumptionReport
from ._grammar import GrammarSampler
from ._inference import BayesRisk
from ._prediction import ConditionalEntropy
from ._sampler import HierarchicalSampler
from ._statistics import HierarchyStatistics, LevelStatistics
from ._validity import Validity

__all__ = [
    "AssumptionCheck",
    "AssumptionReport",
    "BayesRisk",
    "ConditionalEntropy",
    "GrammarSampler",
    "HierarchicalSampler",
    "HierarchyStatistics",
    "LevelStatistics",
    "Validity",
]
