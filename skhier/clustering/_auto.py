"""What 'auto' stands for in parameters of the clustering: sizes that suit the images."""

_MAX_CLUSTERS = 3200
_CLUSTERS_PER_VALUE = 6
_PATCHES_PER_CLUSTER = 4


def auto_patch_size(image_shape):
    """6 for photographs and the like, 3 for small images and for codes, 1 for plain vectors."""
    height, width, channels = image_shape
    if height == width == 1:
        return 1
    return 6 if min(height, width) >= 16 and channels <= 4 else 3


def auto_pool_size(map_shape):
    """More for larger maps, so that two layers leave a few pixels of most images."""
    side = min(map_shape)
    return 4 if side >= 24 else 3 if side >= 6 else 2


def thirds(map_shape):
    """Windows of which there are at most 3x3, and no smaller than the automatic ones."""
    least = auto_pool_size(map_shape)
    return tuple(max(least, -(-side // 3)) for side in map_shape)


def most_clusters(n_values):
    """The number of clusters for patches of `n_values` values, if there are patches enough."""
    return min(_CLUSTERS_PER_VALUE * n_values, _MAX_CLUSTERS)


def auto_n_clusters(n_values, count_distinct):
    """The number of clusters: less than `most_clusters` where distinct patches are few.

    `count_distinct(enough)` counts distinct patches, and may stop at `enough`.
    """
    most = most_clusters(n_values)
    return min(most, max(1, count_distinct(most * _PATCHES_PER_CLUSTER) // _PATCHES_PER_CLUSTER))
