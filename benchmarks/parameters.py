"""Accuracy and cost of parameters of LayerwiseCNNClassifier and its parts, changed one at a time.

Trains on at most the first --n-images training images, and scores other training images. Held-out
images are never used, with or without --validate.

Usage: python benchmarks/parameters.py DATA [DATA ...] [--n-images N] [--methods ...] [--csv FILE]
DATA is a .npz file of X (n, H, W, C) and y, or one of kinds.py, or the folder of Fashion-MNIST.
"""

from functools import partial

from _methods import compare, load_parts, make_parser

from skhier import LayerwiseCNNClassifier

CHANGES = {
    "default parameters": {},
    "n_layers=1": {"n_layers": 1},
    "n_clusters=[100, 600]": {"n_clusters": [100, 600]},
    "n_clusters=[216, 1000]": {"n_clusters": [216, 1000]},
    "n_clusters=[324, 1600]": {"n_clusters": [324, 1600]},
    "n_clusters=[324, 3200]": {"n_clusters": [324, 3200]},
    "n_components=32": {"n_components": 32},
    "n_components=128": {"n_components": 128},
    "patch_size=[3, 3]": {"patch_size": 3},
    "pool_size=[2, 4]": {"pool_size": [2, 4]},
    "pooling='max'": {"orthogonalizer__pooling": "max"},
    "encoding='relu'": {"orthogonalizer__encoding": "relu"},
    "encoding='one_hot'": {"orthogonalizer__encoding": "one_hot"},
    "normalize=False": {"orthogonalizer__normalize": False},
    "contrast=None": {"orthogonalizer__contrast": None},
    "whiten_eps=None": {"orthogonalizer__whiten_eps": None},
    "bias=-0.25": {"orthogonalizer__bias": -0.25},
    "bias=-1": {"orthogonalizer__bias": -1.0},
    "n_patches=10_000": {"orthogonalizer__n_patches": 10_000},
    "n_patches=50_000": {"orthogonalizer__n_patches": 50_000},
    "n_layers=2": {"n_layers": 2},
    "mirror=False": {"mirror": False},
    "mirror=True": {"mirror": True},
    "shift=0": {"shift": 0},
    "precision='float32'": {"precision": "float32"},
    "head__power=1": {"head__power": 1.0},
    "head='kernel'": {"head": "kernel"},
    "head='linear'": {"head": "linear"},
    **{f"head__alpha={a}": {"head__alpha": a} for a in (0.006, 0.02, 0.06, 0.2, 1.0)},
}


METHODS = {name: LayerwiseCNNClassifier().set_params(**params) for name, params in CHANGES.items()}

if __name__ == "__main__":
    parser = make_parser(__doc__, METHODS, nargs="+")
    parser.add_argument("--n-images", type=int, default=10_000)
    options = parser.parse_args()
    loads = {path.stem: partial(load_parts, path, True, options.n_images) for path in options.data}
    compare(METHODS, loads, options)
