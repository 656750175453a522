"""T gradient steps of the two-layer network (section 4.1), and the same T steps in one pass.

Solver 'gd' is timed for T = 1,000, and its time is extrapolated to T = 1,000,000. Solver 'exact'
computes all T = 1,000,000 steps in one pass.

Usage: python benchmarks/exact_tlgd.py
"""

import numpy as np
from _common import Table, measure

from skhier import HierarchicalSampler, PatchKMeansOrthogonalizer, TwoLayerConvEmbedder

sampler = HierarchicalSampler(random_state=0).fit()
X, y = sampler.sample(500)
phi = PatchKMeansOrthogonalizer(
    120, 3, stride=None, encoding="one_hot", pool_size=1, whiten_eps=None, random_state=0
)
codes = phi.fit_transform(X.astype(np.float64))
print(f"codes of shape {codes.shape}, n_components = 32, float64")


def fit(solver, T):
    """Return a fitted embedder and the seconds of its fit."""
    embedder = TwoLayerConvEmbedder(
        32, solver=solver, max_iter=T, scale_channels=False, random_state=0
    )
    return measure(embedder.fit, codes, y)


fit("exact", 1)
exact, _ = fit("exact", 1_000)
_, exact_seconds = fit("exact", 1_000_000)
gd, gd_seconds = fit("gd", 1_000)
difference = np.abs(exact.kernels_ - gd.kernels_).max()
table = Table("solver", "T", "seconds")
table.add("gd", 1_000, gd_seconds)
table.add("gd", "1,000,000*", 1000 * gd_seconds)
table.add("exact", 1_000_000, exact_seconds)
print("* extrapolated")
print(f"ratio at T = 1,000,000: {1000 * gd_seconds / exact_seconds:.3g}")
print(
    f"largest difference in K_T at T = 1,000: {difference:.2g}, "
    f"relative to the largest entry {difference / np.abs(gd.kernels_).max():.2g}"
)
