"""Parameters of LayerwiseCNNClassifier that several benchmarks share."""

# Section 6 of the paper with the widths of its figure 5, N, (l_1, l_2), (l_1', l_2'): 3x3
# patches, ReLU of one sign, max-pooling. Patches are whitened here, which the paper does not
# say; without it, k-means finds little but brightness.
_SECTION_6 = dict(
    patch_size=3,
    encoding="relu",
    normalize=False,
    bias=-0.5,
    pool_size=2,
    pooling="max",
    whiten_eps=0.1,
    scale_channels=True,
    kmeans_init="random",
    kmeans_max_iter=10,
    head="ridge",
)
_TRAINED = dict(loss="cross_entropy", solver="adam", max_iter=1200)
FC = dict(n_patches=47_509, n_clusters=[1377, 3534], n_components=[155, 216])
LINEAR = dict(n_patches=32_124, n_clusters=[1384, 2576], n_components=[97, 211])
JL = dict(n_patches=57_893, n_clusters=[5004, 6813], n_components=[345, 407], max_iter=0)
CONFIGURATIONS = {
    "paper, linear": _SECTION_6 | LINEAR,
    "paper, FC": _SECTION_6 | FC,
    "paper, linear, Adam": _SECTION_6 | LINEAR | _TRAINED,
    "paper, FC, Adam": _SECTION_6 | FC | _TRAINED,
    "clustering + JL": _SECTION_6 | JL | dict(scale_channels=False),
    "default": {},
}
