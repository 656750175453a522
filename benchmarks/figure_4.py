"""Figure 4 of the paper: four networks, each with a linear and a fully connected head.

Trains on the first four fifths of the file (40,000 images) and scores the other images. With
--validate, trains on the first 35,000 images and scores the next 5,000. Widths are taken from
figure 5. Heads are trained by Adam for 12 epochs, and the best epoch counts, as for the CNN.

Usage: python benchmarks/figure_4.py DATA.npz [--validate] [--methods ...] [--csv FILE]
DATA.npz holds X (n, 32, 32, 3) and y.
"""

from functools import partial

import torch
from _common import Table, measure, peak_gigabytes
from _configurations import make_classifier
from _methods import in_own_process, load_parts, make_parser
from _paper_cnns import (
    best_epoch,
    standardized,
    train_epochs,
    train_tutorial_cnn,
    tutorial_body,
    tutorial_head,
)
from sklearn.dummy import DummyClassifier
from torch import nn

HIDDEN = {"FC": (384, 192), "linear": ()}
PRINTED = """Printed in the paper (FC, linear): CNN 0.759, 0.735; CNN with random filters
0.645, 0.616; clustering + JL 0.586, 0.588; clustering + learned 1x1 (theirs) 0.734, 0.689."""


def run_cnn(*split, head):
    """Train the CNN end to end; return its best epoch."""
    return best_epoch(train_tutorial_cnn(*split, hidden=HIDDEN[head]))


def run_random_filters(X_train, y_train, X_held, y_held, seed):
    """Train both heads on the features of the CNN's random convolutions."""
    torch.manual_seed(seed)
    body = tutorial_body(3)

    def transform(X):
        with torch.no_grad():
            return torch.cat([body(batch) for batch in X.split(500)]).numpy()

    features, seconds = measure(lambda: [transform(X) for X in standardized(X_train, X_held)])
    return train_heads(features, seconds, y_train, y_held, seed, HIDDEN)


class Keep(DummyClassifier):
    """Head that stores the features that it is fitted on."""

    def fit(self, X, y):
        self.features_ = X
        return super().fit(X, y)


def run_layerwise(X_train, y_train, X_held, y_held, seed, *, configuration, heads):
    """Learn layers by skhier, then train the CNN's heads on their features."""
    clf = make_classifier(configuration, seed).set_params(head=Keep())
    _, seconds = measure(clf.fit, X_train, y_train)
    features = [clf.head_.features_, clf.transform(X_held).reshape(len(X_held), -1)]
    del clf
    return train_heads(features, seconds, y_train, y_held, seed, heads)


def train_heads(features, seconds, y_train, y_held, seed, heads):
    """Train heads by Adam on features (n, D); return the best epoch of each by its name.

    `features` are of the training images and of the held-out images. They took `seconds` to
    compute, which are added to the seconds of each head.
    """
    X, X_held = (torch.from_numpy(rows) for rows in features)
    mean, std = X.mean(dim=0), X.std(dim=0).clamp(min=1e-6)
    X.sub_(mean).div_(std), X_held.sub_(mean).div_(std)
    y, y_held = (torch.from_numpy(labels).long() for labels in (y_train, y_held))
    results = {}
    for head in heads:
        torch.manual_seed(seed)
        network = nn.Sequential(*tutorial_head(X.shape[1], 10, HIDDEN[head]))
        accuracy, head_seconds = best_epoch(train_epochs(network, X, y, X_held, y_held, 12, seed))
        results[", " + head] = accuracy, seconds + head_seconds
    return results


METHODS = {f"CNN, {head}": partial(run_cnn, head=head) for head in HIDDEN}
METHODS["CNN random filters"] = run_random_filters
METHODS["clustering + JL"] = partial(
    run_layerwise, configuration="clustering + JL", heads=tuple(HIDDEN)
)
for head in HIDDEN:
    METHODS[f"ours for {head}"] = partial(
        run_layerwise, configuration=f"paper, {head}", heads=(head,)
    )


def run(method, data, validate, seed):
    """Return the dict of (accuracy, seconds) by head of one method, and its peak memory."""
    results = METHODS[method](*load_parts(data, validate)[:4], seed)
    return results if isinstance(results, dict) else {"": results}, peak_gigabytes()


if __name__ == "__main__":
    options = make_parser(__doc__, METHODS).parse_args()
    columns = "method", "accuracy", "fit s", "peak GB"
    table = Table(*columns, csv_path=options.csv, first_width=28)
    for method in options.methods:
        args = method, options.data, options.validate, options.seed
        results, peak = in_own_process(run, *args, threads=options.threads)
        for head, (accuracy, seconds) in results.items():
            table.add(method + head, accuracy, seconds, peak)
    print(PRINTED)
