"""Posteriors of the Random Hierarchy Model, against the plainest code for one batch of strings.

Usage: python benchmarks/inference.py [--strings 8000] [--repeats 5] [--csv FILE]

The plain code is belief propagation as papers write it: gather the messages of the children by the
table of rules, multiply them, sum over the rules, level by level. It runs with NumPy and torch, in
double and single precision. 'ratio' is its time divided by the time of `HierarchicalSampler`, which
computes in double precision, and 'error' the largest difference of their results. Times are CPU
seconds of one thread, the least of all repeats, with the best of three batch sizes. All codes are
measured in turn. Strings are corrupted with probability 0.1.

'labels' are probabilities of the label, 'symbols' of every symbol before corruption. 'next' are
probabilities of every symbol given the symbols before it, and 'draws' are posterior samples; the
plain code has neither.
"""

import argparse
import time

import numpy as np
import torch
from _common import Table

from skhier.datasets import make_random_hierarchy

MODELS = [(8, 4, 4), (32, 8, 4), (32, 8, 10)]  # (v, m, L)
CORRUPTION = 0.1
BATCH_SIZES = (16, 128, 1024)


def leaf_messages(symbols, v, one_hot):
    """Return P(seen symbol | drawn symbol): (n, width, v)."""
    return one_hot[symbols] * (1 - CORRUPTION) + CORRUPTION / v


def numpy_messages(rules, symbols, dtype):
    """Return the messages of the root, and the terms of the sums of all levels, with NumPy."""
    v = len(rules[-1])
    message, terms = leaf_messages(symbols, v, np.eye(v, dtype=dtype)), []
    for table in reversed(rules):
        left, right = message[:, 0::2], message[:, 1::2]
        terms.insert(0, left[:, :, table[:, :, 0]] * right[:, :, table[:, :, 1]])
        message = terms[0].sum(axis=3)
        message /= message.sum(axis=2, keepdims=True)
    return message, terms


def numpy_labels(rules, symbols, dtype):
    """Return probabilities of labels, with NumPy."""
    return numpy_messages(rules, symbols, dtype)[0][:, 0]


def numpy_symbols(rules, symbols, dtype):
    """Return probabilities of the symbols before corruption, with NumPy."""
    p, terms = numpy_messages(rules, symbols, dtype)
    for table, term in zip(rules, terms):
        share = (term / term.sum(axis=3, keepdims=True) * p[..., None]).reshape(*p.shape[:2], -1)
        one_hot = np.eye(len(rules[-1]), dtype=dtype)[table]  # (symbol, rule, child, its symbol)
        children = [share @ one_hot[:, :, u].reshape(share.shape[2], -1) for u in range(2)]
        p = np.stack(children, axis=2).reshape(len(p), -1, one_hot.shape[3])
    return p


def torch_messages(rules, symbols, dtype):
    """Return the messages of all levels from the root, and the terms of their sums, with torch."""
    v = len(rules[-1])
    messages, terms = [leaf_messages(symbols, v, torch.eye(v, dtype=dtype))], []
    for table in reversed(rules):
        left, right = messages[0][:, 0::2], messages[0][:, 1::2]
        terms.insert(0, left[:, :, table[:, :, 0]] * right[:, :, table[:, :, 1]])
        message = terms[0].sum(dim=3)
        messages.insert(0, message / message.sum(dim=2, keepdim=True))
    return messages, terms


def torch_labels(rules, symbols, dtype):
    """Return probabilities of labels, with torch."""
    return torch_messages(rules, symbols, dtype)[0][0][:, 0]


def torch_symbols(rules, symbols, dtype):
    """Return probabilities of the symbols before corruption, with torch."""
    messages, terms = torch_messages(rules, symbols, dtype)
    p = messages[0]
    for table, term in zip(rules, terms):
        share = (term / term.sum(dim=3, keepdim=True) * p[..., None]).flatten(2)
        children = [
            torch.zeros(*p.shape[:2], len(rules[-1]), dtype=dtype).index_add_(2, symbol, share)
            for symbol in table.flatten(0, 1).T
        ]
        p = torch.stack(children, dim=2).flatten(1, 2)
    return p


def in_batches(function, rules, symbols, dtype, size):
    """Return the results of a function of (rules, symbols, dtype) for all strings."""
    parts = [function(rules, symbols[i : i + size], dtype) for i in range(0, len(symbols), size)]
    return np.concatenate([np.asarray(part) for part in parts])


def contestants(rhm):
    """Return {quantity: {code: calls without arguments, one for each batch size}}."""
    sampler, symbols, n_levels = rhm.sampler, rhm.symbols, rhm.sampler.n_levels
    rules = [table.reshape(*table.shape[:2], 2) for table in sampler.patches_[:-1]]
    on_torch = [torch.from_numpy(table) for table in rules], torch.from_numpy(symbols)

    def plain(function, arrays, dtype):
        return [
            lambda size=size: in_batches(function, *arrays, dtype, size) for size in BATCH_SIZES
        ]

    return {
        "labels": {
            "skhier": [lambda: sampler.bayes_predict_proba(symbols=symbols)],
            "NumPy, double": plain(numpy_labels, (rules, symbols), np.float64),
            "NumPy, single": plain(numpy_labels, (rules, symbols), np.float32),
            "torch, double": plain(torch_labels, on_torch, torch.float64),
            "torch, single": plain(torch_labels, on_torch, torch.float32),
        },
        "symbols": {
            "skhier": [lambda: sampler.posterior(symbols=symbols, level=n_levels - 1, of="drawn")],
            "NumPy, double": plain(numpy_symbols, (rules, symbols), np.float64),
            "NumPy, single": plain(numpy_symbols, (rules, symbols), np.float32),
            "torch, double": plain(torch_symbols, on_torch, torch.float64),
            "torch, single": plain(torch_symbols, on_torch, torch.float32),
        },
        "next": {"skhier": [lambda: sampler.next_symbol_proba(symbols)]},
        "draws": {"skhier": [lambda: sampler.sample_posterior(symbols=symbols, of="drawn")]},
    }


def seconds(function):
    """Return the CPU seconds of a call."""
    start = time.process_time()
    function()
    return time.process_time() - start


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--strings", type=int, default=8000, help="for L = 4; fewer for L = 10")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--csv")
    options = parser.parse_args()
    torch.set_num_threads(1)
    table = Table("(v, m, L)", "of", "code", "strings/s", "ratio", "error", csv_path=options.csv)
    for v, m, depth in MODELS:
        n = max(20, options.strings * 2**4 // 2**depth)
        rhm = make_random_hierarchy(
            n, n_classes=v, vocabulary_size=v, n_synonyms=m, depth=depth,
            corruption=CORRUPTION, return_X_y=False, random_state=0,
        )  # fmt: skip
        for quantity, codes in contestants(rhm).items():
            times = {name: [[] for _ in functions] for name, functions in codes.items()}
            for repeat in range(options.repeats):
                for name, functions in codes.items():
                    for function, measured in zip(functions, times[name]):
                        measured.append(seconds(function))
            best = {name: min(map(min, measured)) for name, measured in times.items()}
            exact = np.asarray(codes["skhier"][0]()) if len(codes) > 1 else None
            for name, functions in codes.items():
                error = np.abs(functions[0]() - exact).max() if len(codes) > 1 else np.nan
                ratio = best[name] / best["skhier"]
                table.add((v, m, depth), quantity, name, n / best[name], ratio, float(error))
