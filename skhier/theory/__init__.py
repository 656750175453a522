"""The guarantees of the paper as functions: bounds, and certificates of learned layers."""

from ._certificates import certify_classifier, certify_clusters, certify_embedder
from ._grouping import grouping_probability
from ._layer_certificate import Certificate, LayerCertificate, class_distances
from ._lemmas import (
    lemma1_margin,
    lemma5_probability,
    lemma7_separation,
    lemma7_success_probability,
    perceptron_iterations,
)
from ._moments import coverage_probability, embedding_moments, rhm_sample_complexity
from ._samples import necessary_samples, required_samples
from ._separation import Separation, code_counts, separate_codes
from ._theorem1 import TrainingParams, theorem1_failure_probability, theorem1_params
from ._theorem2 import theorem2_params, theorem2_runtime
from ._theorem3 import theorem3_params

__all__ = [
    "Certificate",
    "LayerCertificate",
    "Separation",
    "TrainingParams",
    "certify_classifier",
    "certify_clusters",
    "certify_embedder",
    "class_distances",
    "code_counts",
    "coverage_probability",
    "embedding_moments",
    "grouping_probability",
    "lemma1_margin",
    "lemma5_probability",
    "lemma7_separation",
    "lemma7_success_probability",
    "necessary_samples",
    "perceptron_iterations",
    "required_samples",
    "rhm_sample_complexity",
    "separate_codes",
    "theorem1_failure_probability",
    "theorem1_params",
    "theorem2_params",
    "theorem2_runtime",
    "theorem3_params",
]
