"""The deep generative model of images (paper, section 3)."""

from ._sampler import HierarchicalSampler

__all__ = ["HierarchicalSampler"]
