"""Configurations of LayerwiseCNNClassifier and an end-to-end CNN on CIFAR-10, in the same run.

Trains on the first four fifths of the file (40,000 images), or on the first N of them, and scores
the other images. With --validate, trains on the first 35,000 images and scores the next 5,000. Use
it to choose parameters. The CNN has several times to train, and chooses its parameters for each.

Usage: python benchmarks/cifar10.py DATA.npz [--n-train N] [--validate] [--methods ...]
           [--threads N] [--csv FILE]
DATA.npz holds X (n, 32, 32, 3) and y.
"""

from functools import partial

from _configurations import VALID
from _methods import compare, load_parts, make_parser
from _opponents import cnn

from skhier import LayerwiseCNNClassifier
from skhier import PatchKMeansOrthogonalizer as Phi

CONFIGURATIONS = {
    "default": {},
    "one block of 2000": dict(
        n_layers=1,
        n_clusters=2000,
        pool_size="thirds",
        mirror=False,
        orthogonalizer=Phi(padding="valid", whiten_eps=1e-2),
    ),
    "400 + 1600": dict(VALID, n_clusters=[400, 1600]),
    "400 + 800 + 800": dict(
        n_layers=3,
        n_clusters=[400, 800, 800],
        n_components=128,
        pool_size=[3, 2, "thirds"],
        mirror=False,
        orthogonalizer=[
            Phi(padding="valid", whiten_eps=1e-2),
            Phi(whiten_eps=0.3),
            Phi(whiten_eps=0.3),
        ],
    ),
    "default, kernel": dict(head="kernel"),
}


METHODS = {f"CNN, {s} s": cnn(s, mirror=[True], sides=[32]) for s in (15, 30, 60, 120, 170, 240)}
METHODS |= {name: LayerwiseCNNClassifier(**params) for name, params in CONFIGURATIONS.items()}

if __name__ == "__main__":
    parser = make_parser(__doc__, METHODS)
    parser.add_argument("--n-train", type=int, help="number of images to learn from")
    options = parser.parse_args()
    load = partial(load_parts, options.data, options.validate, options.n_train)
    compare(METHODS, {options.data.stem: load}, options)
