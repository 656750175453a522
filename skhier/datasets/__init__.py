"""Data sets: samples of generative models, and real images."""

from ._cifar10 import load_cifar10
from ._digits_hierarchy import make_digits_hierarchy
from ._fashion_mnist import load_fashion_mnist
from ._hierarchies import make_appendix_d, make_random_hierarchy
from ._image_folder import load_image_folder, load_images
from ._npz import load_npz
from ._openml import fetch_cifar10, fetch_fashion_mnist
from ._sparse_hierarchy import make_sparse_random_hierarchy
from ._tree_processes import make_broadcast_tree, make_filtered_hierarchy, make_transition_tree
from ._varying_trees import make_varying_tree_hierarchy

__all__ = [
    "fetch_cifar10",
    "fetch_fashion_mnist",
    "load_cifar10",
    "load_fashion_mnist",
    "load_image_folder",
    "load_images",
    "load_npz",
    "make_appendix_d",
    "make_broadcast_tree",
    "make_digits_hierarchy",
    "make_filtered_hierarchy",
    "make_random_hierarchy",
    "make_sparse_random_hierarchy",
    "make_transition_tree",
    "make_varying_tree_hierarchy",
]
