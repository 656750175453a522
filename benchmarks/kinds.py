"""Methods on a folder of small data sets of several kinds of images.

Each file NAME.npz of FOLDER is a data set: images X (n, H, W) or (n, H, W, C), labels y, groups
such as persons, and train, which is true for the images to learn from. The others are held out.
With --validate, the held-out images are a quarter of the training images, and no group has images
on both sides. Use it to choose parameters.

skhier gets the groups, and leaves out whole groups where it chooses. The other methods choose their
parameters on a quarter of what they learn from, which has whole groups. The CNN trains for as long
as the default fit of skhier took, and for three times as long. The seconds of choices are in a
column of their own. HOG + SVM needs scikit-image.

Usage: python benchmarks/kinds.py FOLDER [--validate] [--data NAME ...] [--methods ...]
           [--params NAME=VALUE ...] [--threads N] [--csv FILE]
"""

from ast import literal_eval
from functools import partial
from statistics import fmean

import numpy as np
from _common import Table
from _methods import COLUMNS, AsLongAs, compare, load_parts, make_parser
from _opponents import cnn, gradient_boosting, hog_svm, rbf_svm
from scipy.stats import rankdata

from skhier import LayerwiseCNNClassifier

OURS = {
    "skhier": LayerwiseCNNClassifier(),
    "skhier, mirror=False": LayerwiseCNNClassifier(mirror=False),
    "skhier, kernel": LayerwiseCNNClassifier(head="kernel"),
}
OTHERS = {
    "CNN, same time": AsLongAs("skhier", 1, cnn),
    "CNN, 3 times": AsLongAs("skhier", 3, cnn),
    "HOG + SVM": hog_svm(),
    "RBF SVM": rbf_svm(),
    "gradient boosting": gradient_boosting(),
}


def parameter(text):
    """Return (name, value) of an argument NAME=VALUE; a value that is no literal is a string."""
    name, _, value = text.partition("=")
    try:
        return name, literal_eval(value)
    except (ValueError, SyntaxError):
        return name, value


def print_means(rows):
    """Print the mean of each method over data sets, and its mean rank by accuracy."""
    methods = list(dict.fromkeys(row.method for row in rows))
    accuracies = np.reshape([row.accuracy for row in rows], (-1, len(methods)))
    ranks = rankdata(-accuracies, axis=1).mean(axis=0)
    print(f"\nmeans over {len(accuracies)} data sets; rank by accuracy, 1 is the best")
    table = Table("method", "rank", *COLUMNS[2:-1], first_width=max(map(len, methods)))
    for method, rank in zip(methods, ranks):
        numbers = [row[2:-1] for row in rows if row.method == method]
        table.add(method, float(rank), *map(fmean, zip(*numbers)))


if __name__ == "__main__":
    parser = make_parser(__doc__, OURS | OTHERS, "folder", "folder of .npz files")
    parser.add_argument("--data", nargs="*", help="names of data sets, by default all")
    parser.add_argument(
        "--params",
        nargs="*",
        type=parameter,
        default=[],
        metavar="NAME=VALUE",
        help="parameters of skhier's methods, such as head__alpha=0.05",
    )
    options = parser.parse_args()
    found = {path.stem: path for path in sorted(options.folder.glob("*.npz"))}
    names = options.data or list(found)
    if not names or set(names) - set(found):
        parser.error(f"{options.folder} has the data sets {list(found)}, but --data is {names}")
    for clf in OURS.values():
        clf.set_params(**dict(options.params))
    loads = {name: partial(load_parts, found[name], options.validate) for name in names}
    print_means(compare(OURS | OTHERS, loads, options))
