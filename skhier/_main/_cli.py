"""Arguments of the main job and its course."""

import argparse
from pathlib import Path

from ..datasets import load_fashion_mnist, load_npz
from ._jobs import (
    learn_real_images,
    learn_synthetic_images,
    load_bundled_digits,
    split_images,
)
from ._picture import draw_picture

_DESCRIPTION = """\
Learn deep convolutional networks layer by layer, without backpropagation through them.

First on images of a hierarchical model (Malach and Shalev-Shwartz, appendix D), where
a linear classifier fails and algorithm 1 provably works; then on real images. Prints
the accuracy on held-out images, and draws what was learned.
"""


def _parse(arguments):
    parser = argparse.ArgumentParser(
        prog="python -m skhier",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--data",
        default="digits",
        metavar="DATA",
        help="real images to learn: 'digits' (bundled with scikit-learn, the default), "
        "'fashion-mnist' (a copy on this machine) or FILE.npz with arrays X (images) and "
        "y (labels)",
    )
    parser.add_argument(
        "--max-train",
        type=int,
        default=10_000,
        metavar="N",
        help="train on at most N real images (default: %(default)s; the RBF SVM's time "
        "grows with the square of it)",
    )
    parser.add_argument(
        "--picture",
        type=Path,
        default=Path("skhier.png"),
        metavar="FILE",
        help="where to write the picture (default: %(default)s)",
    )
    parser.add_argument(
        "--seed", type=int, default=0, metavar="N", help="random seed (default: %(default)s)"
    )
    options = parser.parse_args(arguments)
    if options.max_train < 100:
        parser.error(f"argument --max-train: {options.max_train} is less than 100")
    if not 0 <= options.seed < 2**32:
        parser.error(f"argument --seed: {options.seed} is not in 0 to {2**32 - 1}")
    if not options.picture.resolve().parent.is_dir():
        parser.error(f"argument --picture: there is no folder {options.picture.parent}")
    try:
        options.dataset = _load(options.data)
        options.split = split_images(options.dataset, options.max_train, options.seed)
    except (OSError, ValueError) as error:
        parser.error(f"argument --data: {error}")
    return options


def _load(data):
    if data == "digits":
        return load_bundled_digits()
    if data == "fashion-mnist":
        return load_fashion_mnist()
    if data.endswith(".npz"):
        return load_npz(data)
    raise ValueError(f"{data!r} is not 'digits', 'fashion-mnist' or a file name ending in .npz")


def main(arguments=None):
    """Run the main job; return the exit status."""
    options = _parse(arguments)
    learn_synthetic_images(options.seed)
    classifier, image = learn_real_images(options.dataset, *options.split, options.seed)
    draw_picture(classifier, image, options.picture)
    return 0
