"""What loaders return."""

import numpy as np
from sklearn.utils import Bunch

_ABOUT = {
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

latents: the strokes of both semantic levels; stroke_names: what they look like; sampler: the
fitted HierarchicalSampler, which knows all probabilities.""",
    "appendix D": """\
The model of appendix D, on which figure 3 compares classifiers: E. Malach and S.
Shalev-Shwartz, Provable guarantees on learning hierarchical generative models with deep CNNs,
2019.

latents: the semantic images of both levels; sampler: the fitted HierarchicalSampler, which
knows all probabilities.""",
    "random hierarchy": """\
Strings of the Random Hierarchy Model, as images of height 1 with one-hot pixels: F. Cagnetta,
L. Petrini, U. M. Tomasini, A. Favero and M. Wyart, How deep neural networks learn compositional
data: the Random Hierarchy Model, Physical Review X 14, 031001, 2024.

symbols: the strings as integers; latents: the symbols of all levels, from the label to the
string; sampler: the fitted HierarchicalSampler, which knows all probabilities.""",
}


def make_bunch(name, images, target, **fields):
    """A Bunch of images with a description, `DESCR`."""
    name = printable(name)
    title = f"{name}\n{'-' * len(name)}"
    about = _ABOUT.get(name, "Images from a file.")
    contents = (
        f"images: {images.dtype} of shape {images.shape}; "
        f"target: {len(np.unique(target))} different labels."
    )
    description = "\n\n".join([title, about, contents]) + "\n"
    return Bunch(images=images, target=target, **fields, name=name, DESCR=description)


def printable(name):
    """A file's name that any stream can print: bytes that are no UTF-8 become escapes."""
    return name.encode(errors="backslashreplace").decode()
