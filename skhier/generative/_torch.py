"""Samples as a data set of torch: each is drawn when it is read."""

from operator import index as as_index

import numpy as np
import torch
from torch.utils.data import Dataset

from ._drawing import Drawer

_LAYOUTS = ("nchw", "ncl", "tokens")


def dataset_drawer(model, layout, replace):
    """Return the drawer of the rows of a layout; ValueError if the layout is not valid."""
    if not (isinstance(layout, str) and layout in _LAYOUTS):
        raise ValueError(f"layout={layout!r} is not valid: it takes 'nchw', 'ncl' or 'tokens'.")
    height, width = model.level_shapes[-1]
    if layout == "ncl" and height != 1:
        raise ValueError(
            f"layout='ncl' is not valid for images of {height}x{width} pixels: it takes images of "
            "height 1. For other images, set layout='nchw'."
        )
    if layout == "tokens":
        return Drawer(model, "symbols", np.int64, replace)
    return Drawer(model, replace=replace)


class SampleDataset(Dataset):
    """Map-style data set of samples.

    Parameters
    ----------
    drawer : Drawer
        Drawer of images, or of symbols for the layout 'tokens'.
    seed : int
        Seed.
    indices : range
        Indices of the samples.
    layout : {'nchw', 'ncl', 'tokens'}
        Axes of a batch.
    """

    def __init__(self, drawer, seed, indices, layout):
        self._drawer, self._seed, self._indices, self._layout = drawer, seed, indices, layout

    def __len__(self):
        return len(self._indices)

    def __getitem__(self, index):
        if not isinstance(index, (list, tuple, range, np.ndarray, torch.Tensor)):
            return self.__getitems__([index])[0]
        # The range checks each index, and counts negative ones from the end.
        rows = np.array([self._indices[as_index(i)] for i in index], np.int64)
        X, y, _ = self._drawer.draw(rows, self._seed)
        if self._layout != "tokens":
            channels = X.reshape(*X.shape[:3], -1).transpose(0, 3, 1, 2)
            X = np.ascontiguousarray(channels[:, :, 0] if self._layout == "ncl" else channels)
        return torch.from_numpy(X), torch.from_numpy(y)

    def __getitems__(self, indices):
        """Return a list of pairs (tensor, label), drawn as one batch, as DataLoader reads them."""
        X, y = self[list(indices)]
        return list(zip(X.unbind(), y.tolist()))
