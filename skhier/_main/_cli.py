"""Arguments and steps of the command `python -m skhier`."""

import argparse
import os
from pathlib import Path

from ..datasets import load_fashion_mnist, load_image_folder, load_npz
from ._jobs import (
    learn_real_images,
    learn_synthetic_images,
    load_bundled_digits,
    split_images,
)
from ._picture import check_picture, draw_mistakes, draw_picture, mistakes_path

_DESCRIPTION = """\
Learn deep convolutional networks layer by layer, without backpropagation through them.

The first images are drawn from a hierarchical model (Malach and Shalev-Shwartz,
appendix D): a linear classifier fails on them, and algorithm 1 provably works. The
other images are real. Prints accuracies on held-out images, and draws the layers
and the mistakes of the classifier of real images.
"""


def _parse(arguments):
    """Parse the arguments, check them, and load and split the real images."""
    parser = argparse.ArgumentParser(
        prog="python -m skhier",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--data",
        default="digits",
        metavar="DATA",
        help="real images to learn: 'digits' (the default, part of scikit-learn), "
        "'fashion-mnist' (a copy on this machine), FILE.npz with arrays X (images) and "
        "y (labels), or a folder with one subfolder of images for each label",
    )
    parser.add_argument(
        "--arrays",
        nargs=2,
        default=("X", "y"),
        metavar=("IMAGES", "LABELS"),
        help="names of the arrays in FILE.npz (default: X y)",
    )
    parser.add_argument(
        "--image-size",
        type=int,
        default=32,
        metavar="N",
        help="resize the images of a folder to NxN pixels (default: %(default)s)",
    )
    parser.add_argument(
        "--max-value",
        type=float,
        metavar="V",
        help="value that becomes white in gray files of a folder with more than 8 bits (default: "
        "255, 1023, 4095, 16383 or 65535, by the largest value in them)",
    )
    parser.add_argument(
        "--max-train",
        type=int,
        default=10_000,
        metavar="N",
        help="learn from at most N real images (default: %(default)s; the time of the RBF SVM "
        "grows with the square of N)",
    )
    parser.add_argument(
        "--picture",
        type=Path,
        default=Path("skhier.png"),
        metavar="FILE",
        help="file to draw the layers to (default: %(default)s); a second file, with "
        "'-mistakes' in its name, shows mistakes",
    )
    parser.add_argument(
        "--seed", type=int, default=0, metavar="N", help="random seed (default: %(default)s)"
    )
    options = parser.parse_args(arguments)
    if options.image_size < 4:
        parser.error(f"argument --image-size: {options.image_size} is less than 4")
    if options.max_train < 100:
        parser.error(f"argument --max-train: {options.max_train} is less than 100")
    if not 0 <= options.seed < 2**32:
        parser.error(f"argument --seed: {options.seed} is not in 0 to {2**32 - 1}")
    try:
        options.picture = check_picture(options.picture)
    except ValueError as error:
        parser.error(f"argument --picture: {error}")
    try:
        options.dataset = _load(options)
        options.split = split_images(options.dataset, options.max_train, options.seed)
    except (ImportError, OSError, ValueError) as error:
        parser.error(f"argument --data: {error}")
    return options


def _load(options):
    """Load the real images that the option `data` names."""
    data, side = options.data, options.image_size
    if data == "digits":
        return load_bundled_digits()
    if data == "fashion-mnist":
        return load_fashion_mnist()
    is_folder = os.path.isdir(os.path.expanduser(data))
    if data.lower().endswith(".npz") and not is_folder:
        return load_npz(data, arrays=tuple(options.arrays))
    if is_folder:
        return load_image_folder(data, (side, side, 3), max_value=options.max_value)
    raise ValueError(
        f"{data!r} is not 'digits', 'fashion-mnist', a file name ending in .npz or a folder"
    )


def main(arguments=None):
    """Run the command, and return its exit status."""
    options = _parse(arguments)
    learn_synthetic_images(options.seed)
    classifier = learn_real_images(options.dataset, *options.split, options.seed)
    _, X_test, _, y_test = options.split
    draw_picture(classifier, X_test, options.picture)
    mistakes = mistakes_path(options.picture)
    draw_mistakes(classifier, X_test, y_test, options.dataset.get("target_names"), mistakes)
    return 0
