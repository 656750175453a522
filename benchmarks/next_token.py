"""Loss of last-symbol prediction against the number of training strings, with the exact losses.

Usage: python benchmarks/next_token.py [--v 16] [--m 4] [--depth 3] [--steps 1500] [--csv FILE]

As in Cagnetta and Wyart (2024), networks learn to predict the last symbol of a string of the
Random Hierarchy Model from P strings. One network sees the whole string, the others only the last
2, 4, ... symbols. 'lowest' is the loss of the exact predictor from the same context on the same
test strings. The numbers P_l at which the correlations of level l stand out are printed first.

All strings differ: P for training, 2,000 on which the step with the least loss is chosen, and
5,000 for the test. Losses are in nats.
"""

import argparse

import numpy as np
import torch
from _common import Table
from torch.nn import Conv1d, Flatten, Linear, ReLU, Sequential
from torch.nn.functional import cross_entropy

from skhier.datasets import make_random_hierarchy
from skhier.theory import rhm_level_samples

N_VALIDATION, N_TEST = 2000, 5000
N_CHANNELS, BATCH_SIZE, EVALUATE = 128, 256, 25


def draw(grammar, n, first, width):
    """Return the last `width` symbols of n strings, the last one blank, and this symbol."""
    dataset = grammar.to_torch_dataset(n, layout="ncl", random_state=1, replace=False, first=first)
    X = dataset[range(n)][0][:, :, -width:]
    y = X[:, :, -1].argmax(dim=1)
    X[:, :, -1] = 0
    return X, y


def best_loss(grammar, n_train, n_levels, n_steps):
    """Train a network of `n_levels` convolutions; return the test loss of its best step."""
    train, validation, test = (
        draw(grammar, n, first, 2**n_levels)
        for n, first in (
            (n_train, N_VALIDATION + N_TEST),
            (N_VALIDATION, 0),
            (N_TEST, N_VALIDATION),
        )
    )
    torch.manual_seed(0)
    v = train[0].shape[1]
    network = Sequential(Conv1d(v, N_CHANNELS, 2, stride=2), ReLU())
    for _ in range(n_levels - 1):
        network.extend([Conv1d(N_CHANNELS, N_CHANNELS, 2, stride=2), ReLU()])
    network.extend([Flatten(), Linear(N_CHANNELS, v)])
    optimizer = torch.optim.Adam(network.parameters())
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.01, total_steps=n_steps)
    losses, step = [], 0
    while step < n_steps:
        for rows in torch.randperm(n_train).split(BATCH_SIZE)[: n_steps - step]:
            optimizer.zero_grad()
            cross_entropy(network(train[0][rows]), train[1][rows]).backward()
            optimizer.step()
            schedule.step()
            step += 1
            if step % EVALUATE == 0:
                with torch.no_grad():
                    parts = validation, test
                    losses.append([cross_entropy(network(X), y).item() for X, y in parts])
    return min(losses)[1]


def exact_loss(grammar, n_levels):
    """Return the loss of the exact predictor from 2 ** n_levels - 1 symbols on the test strings."""
    strings, _ = grammar.sample(
        N_TEST, output="symbols", random_state=1, replace=False, first=N_VALIDATION
    )
    width = strings.shape[1]
    p = grammar.next_symbol_proba(strings, mask=np.arange(width) < width - 2**n_levels)[:, -1]
    return float(-np.log(p[np.arange(N_TEST), strings[:, -1]]).mean())


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--v", type=int, default=16, help="number of symbols")
    parser.add_argument("--m", type=int, default=4, help="number of pairs for each symbol")
    parser.add_argument("--depth", type=int, default=3, help="number of levels")
    parser.add_argument("--steps", type=int, default=1500, help="number of steps of training")
    parser.add_argument("--csv", help="file for the table")
    args = parser.parse_args()
    torch.set_num_threads(1)
    sizes = {
        "n_classes": args.v,
        "vocabulary_size": args.v,
        "n_synonyms": args.m,
        "tuple_size": 2,
        "depth": args.depth,
    }
    grammar = make_random_hierarchy(1, **sizes, return_X_y=False, random_state=0).sampler
    all_levels = range(1, args.depth + 1)
    scales = (rhm_level_samples(**sizes, level=level) for level in all_levels)
    print("P_l:", *(f"{scale:,.0f}" for scale in scales))
    table = Table("context", "P", "loss", "lowest", csv_path=args.csv)
    for n_levels in all_levels:
        lowest = exact_loss(grammar, n_levels)
        for n_train in 4 ** np.arange(3, 9):
            loss = best_loss(grammar, int(n_train), n_levels, args.steps)
            table.add(2**n_levels - 1, int(n_train), loss, lowest)


if __name__ == "__main__":
    main()
