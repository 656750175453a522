"""What kernel ridge regression needs of the kernel's values for all samples."""

import torch
from sklearn.utils import gen_batches

from .._base._rows import Sums

_ROWS = 4096  # of the kernel matrix, made at a time
_ROWS_OF_INTEGERS = 128  # multiplied at a time


class KernelMatrix:
    """K, the kernel of all centers with each other, times matrices.

    It is held in the precision of the centers: where that is bfloat16, as 16-bit integers. With
    the three digits of bfloat16, its rounding alone would have eigenvalues larger than alpha.

    Parameters
    ----------
    kernel : Kernel
        The kernel and its centers.
    weight : Tensor of shape (n_centers,)
        Of the centers, R^2.
    task : Task
        What to tell.

    Attributes
    ----------
    root : Tensor of shape (n_centers, 1)
        R.
    """

    def __init__(self, kernel, weight, task):
        n, dtype = len(kernel), kernel.centers.dtype
        self._kernel, self.root = kernel, weight.sqrt()[:, None]
        self._unit, held_in = (1 / 32767, torch.int16) if dtype.itemsize == 2 else (1, dtype)
        self._values = torch.empty(n, n, dtype=held_in)  # in units
        for rows in task.in_parts("kernel", n, _ROWS):
            for columns in gen_batches(rows.stop, _ROWS):
                block = kernel.between(rows, columns)
                if held_in == torch.int16:
                    block.div_(self._unit).round_()
                self._values[rows, columns] = block
                self._values[columns, rows] = block.T
        self._values.fill_diagonal_(round(1 / self._unit))

    def __matmul__(self, W):
        """K W."""
        if self._values.dtype == W.dtype:
            return self._values @ W
        out = torch.empty_like(W)
        buffer = W.new_empty(_ROWS_OF_INTEGERS, len(W))
        for rows in gen_batches(len(W), _ROWS_OF_INTEGERS):
            values = self._values[rows]
            torch.mm(buffer[: len(values)].copy_(values), W, out=out[rows])
        return out.mul_(self._unit)

    def weighted(self, V):
        """R K R V."""
        return self.root * (self @ (self.root * V))

    def _rows(self, index):
        return self._values[index].to(self._kernel.dtype).mul_(self._unit)

    def nystroem(self, index):
        """S (n, n_centers) with S^T S near R K R, from the rows that an index array selects.

        With it comes the mean of the diagonal of what it lacks.
        """
        index = torch.from_numpy(index)
        root = torch.linalg.cholesky(self._kernel.among_centers(index))
        S = torch.linalg.solve_triangular(root, self._rows(index), upper=False)
        S *= self.root.T
        return S, float(self.root.square().mean() - S.square().sum() / S.shape[1])

    def eigenvalues(self):
        """Those of R K R."""
        K = self.root * self._rows(torch.arange(len(self.root))) * self.root.T
        return torch.linalg.eigvalsh(K.double()).clamp(min=0)


class CenterSums(Sums):
    """The weighted products of the kernel's values at centers, with each other and targets.

    Parameters
    ----------
    coordinates : Coordinates
        Of features.
    kernel : Kernel
        The kernel and its centers.
    table : Tensor of shape (n_classes, n_outputs)
        The targets of classes.

    Attributes
    ----------
    gram : Tensor of shape (n_centers, n_centers), float64
        The former.
    right_side : Tensor of shape (n_centers, n_outputs), float64
        The latter.
    """

    summed = ("gram", "right_side")

    def __init__(self, coordinates, kernel, table):
        self._coordinates, self._kernel, self._table = coordinates, kernel, table
        n = len(kernel)
        self.gram = torch.zeros(n, n, dtype=torch.float64)
        self.right_side = torch.zeros(n, table.shape[1], dtype=torch.float64)

    def add(self, batch, weight, labels):
        """Add some rows of features, with weights and labels."""
        values = self._kernel(self._coordinates(batch)).double()
        weighted = values * weight[:, None]
        self.gram.addmm_(weighted.T, values)
        self.right_side.addmm_(weighted.T, self._table[labels].double())
