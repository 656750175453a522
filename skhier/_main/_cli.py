"""Arguments and steps of the command `python -m skhier`."""

import argparse
import os
import sys
from pathlib import Path

from ._data import load_dataset, split_images
from ._jobs import learn_real_images, learn_synthetic_images
from ._model import check_model, save_model
from ._picture import check_picture, draw_mistakes, draw_picture, mistakes_path

_DESCRIPTION = """\
Learn deep convolutional networks layer by layer, without backpropagation through them.

With --data, learns your images: a quarter is held out, the accuracy on it is compared with that of
two other classifiers, and the layers and the mistakes are drawn.

Without --data, learns images drawn from a hierarchical model (Malach and Shalev-Shwartz, appendix
D), on which a linear classifier fails and algorithm 1 provably works, and then handwritten digits.
"""
_EXAMPLES = """\
examples:
  python -m skhier
  python -m skhier --data photos --image-size 64 --save model.joblib
  python -m skhier --data images.npz --arrays x_train y_train
"""
# Exit statuses of programs that SIGINT and SIGPIPE end.
_INTERRUPTED, _NO_READER = 128 + 2, 128 + 13


def _parse(arguments):
    """Parse the arguments, check them, and load and split the real images."""
    parser = argparse.ArgumentParser(
        prog="python -m skhier",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--data",
        metavar="DATA",
        help="real images to learn: a folder with one subfolder of images for each label, "
        "FILE.npz with arrays X (images) and y (labels), 'digits' (part of scikit-learn), or "
        "'fashion-mnist' (a copy on this machine)",
    )
    parser.add_argument(
        "--synthetic",
        action="store_true",
        help="learn synthetic images too, as without --data",
    )
    parser.add_argument(
        "--image-size",
        type=int,
        metavar="N",
        help="resize the images of a folder to NxN pixels (default: their own size, if all have "
        "the same and it is at most 64x64; else 32)",
    )
    parser.add_argument(
        "--gray",
        action="store_true",
        help="convert the images of a folder to gray (default: gray only if all files are gray)",
    )
    parser.add_argument(
        "--max-value",
        type=float,
        metavar="V",
        help="value that becomes white in gray files of a folder with more than 8 bits (default: "
        "255, 1023, 4095, 16383 or 65535, by the largest value in them)",
    )
    parser.add_argument(
        "--arrays",
        nargs=2,
        metavar=("IMAGES", "LABELS"),
        help="names of the arrays in FILE.npz (default: X y)",
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
        "--save",
        type=Path,
        metavar="FILE",
        help="save the classifier of real images to FILE.joblib or, by skops, to FILE.skops, which "
        "others can load safely",
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
    if options.image_size is not None and options.image_size < 4:
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
        options.save = options.save and check_model(options.save)
    except (ImportError, ValueError) as error:
        parser.error(f"argument --save: {error}")
    try:
        options.dataset = load_dataset(options)
        options.split = split_images(options.dataset, options.max_train, options.seed)
    except (ImportError, OSError, ValueError) as error:
        parser.error(f"argument --data: {error}")
    return options


def main(arguments=None):
    """Run the command, and return its exit status."""
    if hasattr(sys.stdout, "reconfigure"):  # labels may have letters that a terminal lacks
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        _run(_parse(arguments))
        sys.stdout.flush()
    except KeyboardInterrupt:
        print("\nInterrupted.", file=sys.stderr)
        return _INTERRUPTED
    except BrokenPipeError:  # the reader of the output, such as `head`, has ended
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for the flush at exit
        return _NO_READER
    return 0


def _run(options):
    if options.synthetic or options.data is None:
        learn_synthetic_images(options.seed)
        print()
    classifier = learn_real_images(options.dataset, *options.split, options.seed)
    if options.save is not None:
        save_model(classifier, options.save)
    _, X_test, _, y_test = options.split
    draw_picture(classifier, X_test, options.picture)
    draw_mistakes(classifier, X_test, y_test, mistakes_path(options.picture))
