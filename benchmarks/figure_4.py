"""Figure 4 of the paper: four networks, each with a linear and a fully connected head.

Trains on the first four fifths of the file (40,000 images) and scores the rest; with
--validate, on the first 35,000 and the next 5,000. Widths are those of figure 5. Heads are
trained by Adam for 12 epochs, and the best epoch counts, as for the CNN.

Usage: python benchmarks/figure_4.py DATA.npz [--validate] [--methods ...] [--csv FILE]
DATA.npz holds X (n, 32, 32, 3) and y.
"""

from functools import partial

import torch
from _cnn import (
    best_epoch,
    standardized,
    train_epochs,
    train_tutorial_cnn,
    tutorial_body,
    tutorial_head,
)
from _common import measure
from _methods import run_methods
from torch import nn

from skhier import LayerwiseCNNClassifier

HIDDEN = {"FC": (384, 192), "linear": ()}
# Figure 5: N, (l_1, l_2), (l_1', l_2'); 0 steps of training keep a random projection (JL).
OURS = {
    "FC": dict(n_patches=47_509, n_clusters=[1377, 3534], n_components=[155, 216]),
    "linear": dict(n_patches=32_124, n_clusters=[1384, 2576], n_components=[97, 211]),
}
JL = dict(n_patches=57_893, n_clusters=[5004, 6813], n_components=[345, 407], max_iter=0)
PRINTED = """Printed in the paper (FC, linear): CNN 0.759, 0.735; CNN with random filters
0.645, 0.616; clustering + JL 0.586, 0.588; clustering + learned 1x1 (theirs) 0.734, 0.689."""


def run_cnn(*parts, head):
    return best_epoch(train_tutorial_cnn(*parts, hidden=HIDDEN[head]))


def run_random_filters(X_train, y_train, X_held, y_held, seed, *, head):
    torch.manual_seed(seed)
    body = tutorial_body(3)

    def features(X):
        with torch.no_grad():
            return torch.cat([body(part) for part in X.split(500)]).numpy()

    parts, seconds = measure(lambda: [features(X) for X in standardized(X_train, X_held)])
    accuracy, head_seconds = train_head(parts, y_train, y_held, seed, head)
    return accuracy, seconds + head_seconds


def run_layerwise(X_train, y_train, X_held, y_held, seed, *, head, params):
    """Layers by skhier, then a head like the CNN's."""
    clf = LayerwiseCNNClassifier(
        **params,
        kmeans_max_iter=10,
        scale_channels=True,
        head="ridge",
        random_state=seed,
    )
    _, seconds = measure(clf.fit, X_train, y_train)
    parts = [clf.transform(X).reshape(len(X), -1) for X in (X_train, X_held)]
    accuracy, head_seconds = train_head(parts, y_train, y_held, seed, head)
    return accuracy, seconds + head_seconds


def train_head(parts, y_train, y_held, seed, head):
    """The best epoch of a head trained by Adam on features (n, D)."""
    X, X_held = (torch.from_numpy(part) for part in parts)
    mean, std = X.mean(dim=0), X.std(dim=0).clamp(min=1e-6)
    X.sub_(mean).div_(std), X_held.sub_(mean).div_(std)
    y, y_held = (torch.from_numpy(labels).long() for labels in (y_train, y_held))
    torch.manual_seed(seed)
    network = nn.Sequential(*tutorial_head(X.shape[1], 10, HIDDEN[head]))
    return best_epoch(train_epochs(network, X, y, X_held, y_held, 12, seed))


METHODS = {}
for head in HIDDEN:
    METHODS |= {
        f"CNN, {head}": partial(run_cnn, head=head),
        f"CNN random filters, {head}": partial(run_random_filters, head=head),
        f"clustering + JL, {head}": partial(run_layerwise, head=head, params=JL),
        f"ours, {head}": partial(run_layerwise, head=head, params=OURS[head]),
    }
run_methods(__doc__, METHODS, PRINTED)
