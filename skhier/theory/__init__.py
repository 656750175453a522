"""The guarantees of the paper as functions: bounds, and certificates of learned layers."""

from ._certificates import certify_classifier, certify_clusters, certify_embedder
from ._code_counts import code_counts
from ._confusion import MeasuredConfusion, code_confusion, measured_confusion
from ._grouping import grouping_probability
from ._layer_certificate import Certificate, LayerCertificate, class_distances
from ._lemmas import (
    lemma1_margin,
    lemma5_probability,
    lemma7_separation,
    lemma7_success_probability,
    perceptron_iterations,
)
from ._lower_bounds import necessary_samples
from ._moments import coverage_probability, embedding_moments
from ._random_hierarchy import (
    rhm_correlation,
    rhm_level_samples,
    rhm_sample_complexity,
    zipf_learning_exponent,
)
from ._samples import required_samples
from ._separation import Separation, separate_codes
from ._theorem1 import TrainingParams, theorem1_failure_probability, theorem1_params
from ._theorem2 import theorem2_params, theorem2_runtime
from ._theorem3 import theorem3_params

__all__ = [
    "Certificate",
    "LayerCertificate",
    "MeasuredConfusion",
    "Separation",
    "TrainingParams",
    "certify_classifier",
    "certify_clusters",
    "certify_embedder",
    "class_distances",
    "code_confusion",
    "code_counts",
    "coverage_probability",
    "embedding_moments",
    "grouping_probability",
    "lemma1_margin",
    "lemma5_probability",
    "lemma7_separation",
    "lemma7_success_probability",
    "measured_confusion",
    "necessary_samples",
    "perceptron_iterations",
    "required_samples",
    "rhm_correlation",
    "rhm_level_samples",
    "rhm_sample_complexity",
    "separate_codes",
    "theorem1_failure_probability",
    "theorem1_params",
    "theorem2_params",
    "theorem2_runtime",
    "theorem3_params",
    "zipf_learning_exponent",
]
