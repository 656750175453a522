"""Input and output of loaders: paths, bytes of a file, and the Bunch that they return."""

import gzip
import os
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.utils import Bunch

from .._base._params import as_path

MAX_LISTED = 10  # files that an error message lists
MAX_FILE_BYTES = 2**29  # the largest file of these data sets has 186 MB, its text form 280 MB

_DESCRIPTIONS = {
    "CIFAR-10": """\
Color photographs of 32x32 pixels in ten classes: airplanes, automobiles, birds, cats, deer,
dogs, frogs, horses, ships and trucks.

A. Krizhevsky. Learning multiple layers of features from tiny images. 2009.""",
    "Fashion-MNIST": """\
Gray pictures of 28x28 pixels of clothes, shoes and bags in ten classes.

H. Xiao, K. Rasul and R. Vollgraf. Fashion-MNIST: a novel image dataset for benchmarking
machine learning algorithms. arXiv:1708.07747, 2017.""",
    "digits hierarchy": """\
The digits 1 to 9, drawn at random stroke by stroke on three levels: section 3.2 and figure 2
of E. Malach and S. Shalev-Shwartz, Provable guarantees on learning hierarchical generative
models with deep CNNs, 2019.

latents: the strokes of both semantic levels; stroke_names: for each stroke of both levels a
character of the same shape; sampler: the fitted HierarchicalSampler, with exact probabilities.""",
    "appendix D": """\
The model of appendix D, on which figure 3 compares classifiers: E. Malach and S.
Shalev-Shwartz, Provable guarantees on learning hierarchical generative models with deep CNNs,
2019.

latents: the semantic images of both levels; sampler: the fitted HierarchicalSampler, with exact
probabilities.""",
    "random hierarchy": """\
Strings of the Random Hierarchy Model, as images of height 1 with one-hot pixels: F. Cagnetta,
L. Petrini, U. M. Tomasini, A. Favero and M. Wyart, How deep neural networks learn compositional
data: the Random Hierarchy Model, Physical Review X 14, 031001, 2024.

symbols: the strings as integers; latents: the symbols of all levels, from the label to the
string; sampler: the fitted HierarchicalSampler, with exact probabilities.""",
    "sparse random hierarchy": """\
Strings of the Sparse Random Hierarchy Model, as images of height 1 with one-hot pixels, zero at
empty places: U. M. Tomasini and M. Wyart, How deep networks learn sparse and hierarchical data:
the Sparse Random Hierarchy Model, ICML 2024.

symbols: the strings as integers; latents: the symbols of all levels, from the label to the
string; sampler: the fitted HierarchicalSampler, with exact probabilities.""",
    "broadcast tree": """\
Leaves of a tree on which a symbol is broadcast with mutations, as images of height 1 with one-hot
pixels: E. Mossel, Deep learning and hierarchal generative models, arXiv:1612.09057, 2016.

symbols: the leaves as integers; latents: the symbols of all levels, from the root to the leaves;
sampler: the fitted HierarchicalSampler, with exact probabilities.""",
    "transition tree": """\
Leaves of a tree with a transition for each level and child, as images of height 1 with one-hot
pixels and Gaussian noise: S. Mei, U-Nets as belief propagation, arXiv:2404.18444, 2024.

symbols: the leaves as integers, without noise; latents: the symbols of all levels, from the root to
the leaves; sampler: the fitted HierarchicalSampler, with exact probabilities.""",
    "filtered hierarchy": """\
Strings of a grammar with filtered correlations, as images of height 1 with one-hot pixels: J.
Garnier-Brun, M. Mezard, E. Moscato and L. Saglietti, How transformers learn structured data:
insights from hierarchical filtering, ICML 2025.

symbols: the strings as integers; latents: the symbols of the label and of all levels below the
filtered ones; sampler: the fitted HierarchicalSampler, with exact probabilities.""",
    "varying-tree hierarchy": """\
Strings of varying length, of the varying-tree Random Hierarchy Model, as integers padded with -1:
J. T. Parley, F. Cagnetta and M. Wyart, Deep networks learn to parse uniform-depth context-free
languages from local statistics, arXiv:2602.06065, 2026.

symbols: the strings; lengths: their lengths; latents: the symbols of all levels above the string;
ancestors: for each level, the position of the symbol above each symbol of the string; sampler: the
fitted GrammarSampler, with exact probabilities.""",
}


def user_path(value: Any, name: str) -> Path:
    """Return `value` as a Path, with the home folder in place of ``~``."""
    return Path(os.path.expanduser(as_path(value, name)))


def read_bytes(path):
    """Return the bytes of a file, which may come from anyone, decompressed if it is gzipped.

    Raises
    ------
    ValueError
        If the file is damaged, or has more than MAX_FILE_BYTES: 1 MB of gzip can hold 1 GB.
    """
    with path.open("rb") as file:
        is_gzipped = file.read(2) == b"\x1f\x8b"
    with (gzip.open if is_gzipped else open)(path, "rb") as file:
        try:
            data = file.read(MAX_FILE_BYTES + 1)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise ValueError(f"{str(path)!r} is damaged: {error}") from error
    if len(data) > MAX_FILE_BYTES:
        raise ValueError(f"{str(path)!r} holds more than {MAX_FILE_BYTES} bytes.")
    return data


def make_bunch(name, images, target, *, about=None, note=None, **fields):
    """Return a Bunch of images and labels, with a description `DESCR` that ends with a note.

    If `about` is None, it is the text of the data set that `name` names.

    If `images` is None, the fields hold the data in another form.
    """
    name = printable(name)
    title = f"{name}\n{'-' * len(name)}"
    about = _DESCRIPTIONS[name] if about is None else about
    contents = f"target: {len(np.unique(target))} different labels."
    if images is not None:
        contents = f"images: {images.dtype} of shape {images.shape}; {contents}"
        fields = {"images": images, **fields}
    notes = [] if note is None else [note]
    description = "\n\n".join([title, about, contents, *notes]) + "\n"
    return Bunch(target=target, **fields, name=name, DESCR=description)


def printable(name):
    """Escape the bytes of a file's name that are not UTF-8, so that any stream can print it."""
    return name.encode(errors="backslashreplace").decode()
