"""The two-layer network that embeds codes (paper, section 4 and appendix B)."""

from ._embedder import TwoLayerConvEmbedder

__all__ = ["TwoLayerConvEmbedder"]
