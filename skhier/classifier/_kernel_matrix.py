"""The kernel matrix of all samples, and sums over samples of its columns at centers."""

import torch
from sklearn.utils import gen_batches

from .._base._rows import Accumulator

_ROWS = 4096  # rows of the kernel matrix that are computed at a time
_ROWS_OF_INTEGERS = 128  # rows that are multiplied at a time


class KernelMatrix:
    """Kernel matrix K of all centers with each other.

    It is stored in the precision of the centers; for bfloat16, as 16-bit integers: rounding to
    the three digits of bfloat16 would have eigenvalues larger than alpha.

    Parameters
    ----------
    kernel : Kernel
        The kernel and its centers.
    weight : Tensor of shape (n_centers,)
        Weights of the centers, R^2.
    task : Task
        Receives the progress.

    Attributes
    ----------
    root : Tensor of shape (n_centers, 1)
        R.
    """

    def __init__(self, kernel, weight, task):
        n, dtype = len(kernel), kernel.centers.dtype
        self._kernel, self.root = kernel, weight.sqrt()[:, None]
        self._unit, stored = (1 / 32767, torch.int16) if dtype.itemsize == 2 else (1, dtype)
        self._values = torch.empty(n, n, dtype=stored)  # multiples of the unit
        for rows in task.in_parts("kernel", n, _ROWS):
            for columns in gen_batches(rows.stop, _ROWS):
                block = kernel.between(rows, columns)
                if stored == torch.int16:
                    block.div_(self._unit).round_()
                self._values[rows, columns] = block
                self._values[columns, rows] = block.T
        self._values.fill_diagonal_(round(1 / self._unit))

    def __matmul__(self, W):
        """Return K W."""
        if self._values.dtype == W.dtype:
            return self._values @ W
        out = torch.empty_like(W)
        buffer = W.new_empty(_ROWS_OF_INTEGERS, len(W))
        for rows in gen_batches(len(W), _ROWS_OF_INTEGERS):
            values = self._values[rows]
            torch.mm(buffer[: len(values)].copy_(values), W, out=out[rows])
        return out.mul_(self._unit)

    def weighted(self, V):
        """Return R K R V."""
        return self.root * (self @ (self.root * V))

    def _rows(self, index):
        return self._values[index].to(self._kernel.dtype).mul_(self._unit)

    def nystroem(self, index):
        """Return S (n, n_centers) with S^T S near R K R, from the rows of an index array.

        The second result is the mean of the diagonal of R K R - S^T S.
        """
        index = torch.from_numpy(index)
        root = torch.linalg.cholesky(self._kernel.among_centers(index))
        S = torch.linalg.solve_triangular(root, self._rows(index), upper=False)
        S *= self.root.T
        return S, float(self.root.square().mean() - S.square().sum() / S.shape[1])

    def eigenvalues(self):
        """Return the eigenvalues of R K R."""
        K = self.root * self._rows(torch.arange(len(self.root))) * self.root.T
        return torch.linalg.eigvalsh(K.double()).clamp(min=0)


class CenterSums(Accumulator):
    """Accumulator of the weighted products of the kernel's columns at centers.

    Parameters
    ----------
    coordinates : Coordinates
        Map from features to coordinates.
    kernel : Kernel
        The kernel and its centers.
    table : Tensor of shape (n_classes, n_outputs)
        Targets of classes.

    Attributes
    ----------
    gram : Tensor of shape (n_centers, n_centers), float64
        Products of the columns with each other.
    right_side : Tensor of shape (n_centers, n_outputs), float64
        Products of the columns with targets.
    """

    summed = ("gram", "right_side")

    def __init__(self, coordinates, kernel, table):
        self._coordinates, self._kernel, self._table = coordinates, kernel, table
        n = len(kernel)
        self.gram = torch.zeros(n, n, dtype=torch.float64)
        self.right_side = torch.zeros(n, table.shape[1], dtype=torch.float64)

    def add(self, batch, weight, labels):
        """Add a batch of features with weights and labels."""
        values = self._kernel(self._coordinates(batch)).double()
        weighted = values * weight[:, None]
        self.gram.addmm_(weighted.T, values)
        self.right_side.addmm_(weighted.T, self._table[labels].double())
