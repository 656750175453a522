"""Samples as a data set of torch: each is drawn when it is read."""

from operator import index as as_index

import numpy as np
import torch
from torch.utils.data import Dataset

from .._base._params import check_choice
from ._drawing import Drawer
from ._streams import index_keys


class SampleDataset(Dataset):
    """Map-style data set of samples.

    Parameters
    ----------
    rows : ImageRows or TokenRows
        Function of an array of indices that returns arrays of samples and labels.
    indices : range
        Indices of the samples.
    """

    def __init__(self, rows, indices):
        self._rows, self._indices = rows, indices

    def __len__(self):
        return len(self._indices)

    def __getitem__(self, index):
        if not isinstance(index, (list, tuple, range, np.ndarray, torch.Tensor)):
            return self.__getitems__([index])[0]
        # The range checks each index, and counts negative ones from the end.
        X, y = self._rows(np.array([self._indices[as_index(i)] for i in index], np.int64))
        return torch.from_numpy(X), torch.from_numpy(y)

    def __getitems__(self, indices):
        """Return a list of pairs (tensor, label), drawn as one batch, as DataLoader reads them."""
        X, y = self[list(indices)]
        return list(zip(X.unbind(), y.tolist()))


class ImageRows:
    """Samples of a hierarchical model in a layout.

    Parameters
    ----------
    model : HierarchicalModel
        The model.
    layout : {'nchw', 'ncl', 'tokens'}
        Axes of a batch.
    replace : bool
        Whether samples are independent, or different derivations.
    seed : int
        Seed.

    Raises
    ------
    ValueError
        If the layout is not valid for the model.
    """

    def __init__(self, model, layout, replace, seed):
        check_choice(layout, "layout", ("nchw", "ncl", "tokens"))
        height, width = model.level_shapes[-1]
        if layout == "ncl" and height != 1:
            raise ValueError(
                f"layout='ncl' is not valid for images of {height}x{width} pixels: it takes images "
                "of height 1. For other images, set layout='nchw'."
            )
        output = ("symbols", np.int64) if layout == "tokens" else ("pixels", None)
        self.drawer = Drawer(model, *output, replace)
        self._layout, self._seed = layout, seed

    def __call__(self, indices):
        X, y, _ = self.drawer.draw(indices, self._seed)
        if self._layout != "tokens":
            channels = X.reshape(*X.shape[:3], *X.shape[3:] or [1]).transpose(0, 3, 1, 2)
            X = np.ascontiguousarray(channels[:, :, 0] if self._layout == "ncl" else channels)
        return X, y


class TokenRows:
    """Strings of a grammar, padded to the length of its longest string.

    Parameters
    ----------
    grammar : Grammar
        The grammar.
    padding : int
        Number in the padding.
    seed : int
        Seed.
    """

    def __init__(self, grammar, padding, seed):
        self._grammar, self._padding, self._seed = grammar, padding, seed

    def __call__(self, indices):
        (labels, *_, tokens), _ = self._grammar.draw(index_keys(self._seed, indices))
        X = np.full((len(indices), self._grammar.max_length), self._padding)
        X[:, : tokens.shape[1]] = np.where(tokens < 0, self._padding, tokens)
        return X, labels[:, 0]
