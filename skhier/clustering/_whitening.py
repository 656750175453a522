"""What is done to patches before they are clustered: they are whitened, or left as they are."""

from dataclasses import dataclass

import numpy as np


@dataclass
class Whitening:
    """The map x -> (x - m) Z of patches; without m and Z, the identity.

    Attributes
    ----------
    mean : ndarray of shape (n_values,) or None
        m.
    zca : ndarray of shape (n_values, n_values) or None
        Z, symmetric.
    """

    mean: np.ndarray | None = None
    zca: np.ndarray | None = None

    @classmethod
    def learn(cls, patches, eps, weight=None):
        """The map that makes patches white (ZCA); the identity if `eps` is None.

        `weight` is that of patches, with mean 1, or None.

        Eigenvalues of the covariance are raised by `eps` times their mean, so that
        directions of little variance are not blown up.
        """
        if eps is None:
            return cls()
        if weight is None:
            mean = patches.mean(axis=0, dtype=np.float64)
        else:
            mean = weight @ patches / len(patches)
        centered = patches - mean.astype(patches.dtype)
        if weight is not None:
            centered *= np.sqrt(weight)[:, None].astype(patches.dtype)
        covariance = (centered.T @ centered).astype(np.float64) / len(patches)
        values, vectors = np.linalg.eigh(covariance)
        variances = np.maximum(values, 0) + eps * values.mean()
        # Equal patches have no variance but that of rounding, their own and that of their mean:
        # they become zero, not noise.
        rounding = 8 * np.finfo(patches.dtype).eps + len(patches) * np.finfo(np.float64).eps
        varies = values.mean() > rounding**2 * np.square(mean).mean()
        gains = np.divide(1, np.sqrt(variances), out=np.zeros_like(values), where=varies)
        zca = (vectors * gains) @ vectors.T
        return cls(mean.astype(patches.dtype), zca.astype(patches.dtype))

    def apply(self, patches):
        """The images of patches, rows."""
        return patches if self.zca is None else (patches - self.mean) @ self.zca

    def fold(self, kernels, intercepts):
        """Kernels and intercepts that give for x what these give for its image."""
        if self.zca is None:
            return kernels, intercepts
        kernels = kernels @ self.zca
        return kernels, intercepts - kernels @ self.mean
