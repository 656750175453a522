"""What kernel ridge regression needs of the kernel's values for all samples."""

from math import exp

import torch

from .._base._rows import Sums

_ROWS = 4096  # of the kernel matrix, made at a time


class KernelMatrix:
    """K, the kernel of all centers with each other, times matrices.

    It is held in the precision of the centers, less a constant near most of its entries: so
    that bfloat16, which has three digits, keeps what is different about each.

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
        n, centers = len(kernel), kernel.centers
        # Most pairs are independent, so 2 is |a - c|^2.
        self._usual, self._kernel, self.root = (
            exp(-2 * kernel.gamma),
            kernel,
            weight.sqrt()[:, None],
        )
        self._rest = torch.empty(n, n, dtype=centers.dtype)  # what is off the diagonal
        for rows in task.in_parts("kernel", n, _ROWS):
            for start in range(0, rows.stop, _ROWS):
                columns = slice(start, min(start + _ROWS, n))
                block = kernel(centers[rows], columns).sub_(self._usual)
                self._rest[rows, columns] = block
                self._rest[columns, rows] = block.T
        self._rest.fill_diagonal_(0)

    def __matmul__(self, W):
        """K W."""
        rest = (self._rest @ W.to(self._rest.dtype)).to(W.dtype)
        return rest + self._usual * W.sum(dim=0) + (1 - self._usual) * W

    def weighted(self, V):
        """R K R V."""
        return self.root * (self @ (self.root * V))

    def _rows(self, index):
        values = self._rest[index].to(self._kernel.dtype).add_(self._usual)
        values[torch.arange(len(index)), index] = 1
        return values

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
