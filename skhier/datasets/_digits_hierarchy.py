"""Digits drawn stroke by stroke: the example of section 3.2 and figure 2."""

from functools import cache
from itertools import combinations
from typing import Any, Literal

import numpy as np

from .._base._params import check_choice
from .._base._typing import RandomState
from ..generative import HierarchicalSampler
from ._hierarchies import draw_samples

# A digit is a grid of stroke classes, each written as the box-drawing character of its shape.
_DIGITS = {
    1: (" ┐ ", " │ ", " │ "),
    2: ("──┐", "┌─┘", "└──"),
    3: ("──┐", "──┤", "──┘"),
    4: ("│ │", "└─┤", "  │"),
    5: ("┌──", "└─┐", "──┘"),
    6: ("┌──", "├─┐", "└─┘"),
    7: ("──┐", "  │", "  │"),
    8: ("┌─┐", "├─┤", "└─┘"),
    9: ("┌─┐", "└─┤", "──┘"),
}
_UP, _RIGHT, _DOWN, _LEFT = (-1, 0), (0, 1), (1, 0), (0, -1)
_ARMS = {
    " ": (), "─": (_LEFT, _RIGHT), "│": (_UP, _DOWN),
    "┌": (_DOWN, _RIGHT), "┐": (_DOWN, _LEFT), "└": (_UP, _RIGHT), "┘": (_UP, _LEFT),
    "├": (_UP, _DOWN, _RIGHT), "┤": (_UP, _DOWN, _LEFT),
}  # fmt: skip
_STROKES = "".join(_ARMS)
_SPECK = "·"  # an additional class of level 1
_CELLS = list(np.ndindex(3, 3))


def make_digits_hierarchy(
    n_samples: int = 1000,
    *,
    target: Literal["parity", "digit"] = "parity",
    pixel_noise: float = 0.0,
    return_X_y: bool = True,
    random_state: RandomState = None,
) -> Any:
    """Draw digits stroke by stroke: the example of section 3.2 and figure 2.

    A digit from 1 to 9 is a 3x3 grid of strokes, of 9 classes: blank, lines, corners and
    junctions. Each stroke is replaced by one of 4 drawings, a 3x3 grid of smaller strokes, and
    each smaller stroke by one of 4 patches of 3x3 pixels. This gives :math:`4^{90}` images of
    27x27 pixels for each digit.

    Parameters
    ----------
    n_samples : int, default=1000
        Number of images.

    target : {'parity', 'digit'}, default='parity'
        Labels: 0 for even and 1 for odd digits, or the digits. All labels are equally likely.

    pixel_noise : float, default=0.0
        Standard deviation of Gaussian noise on the pixels. The value of ink is 1.

    return_X_y : bool, default=True
        Whether to return arrays, or a Bunch.

    random_state : int, RandomState instance or None, default=None
        Determines the images.

    Returns
    -------
    X : ndarray of shape (n_samples, 27, 27), float32
        Images. If `return_X_y` is False, a Bunch is returned instead, with `images`,
        `target`, `latents` (the semantic images of both levels), `sampler` (the fitted
        HierarchicalSampler), `target_names`, `stroke_names`, `name` and `DESCR`.

    y : ndarray of shape (n_samples,)
        Labels.

    Examples
    --------
    >>> from skhier.datasets import make_digits_hierarchy
    >>> digits = make_digits_hierarchy(100, return_X_y=False, random_state=0)
    >>> digits.images.shape, digits.sampler.statistics().n_images[-1] == 9 * 4**90
    ((100, 27, 27), True)
    """
    check_choice(target, "target", ("parity", "digit"))
    grids = np.array([[list(row) for row in rows] for rows in _DIGITS.values()])
    digits = np.array(list(_DIGITS))
    sampler = HierarchicalSampler(
        symbol_patches=[_stroke_patches()],
        pixel_patches=_pixel_patches(),
        pixel_noise=pixel_noise,
        random_state=random_state,
    )
    sampler.fit(np.vectorize(_STROKES.index)(grids), digits % 2 if target == "parity" else digits)
    names = np.array(["even", "odd"]) if target == "parity" else digits.astype(str)
    return draw_samples(
        "digits hierarchy",
        sampler,
        n_samples,
        return_X_y,
        target_names=names,
        stroke_names=[list(_STROKES), [*_STROKES, _SPECK]],
    )


def _stroke_patches():
    """Return four drawings of each stroke on a 3x3 grid of smaller strokes."""
    return np.array([_drawings(arms)[:4] for arms in _ARMS.values()])


@cache
def _drawings(arms):
    """Return all drawings of a stroke, in order of their number of steps.

    A stroke is given by its arms: the sides that it reaches. A drawing is a tree of steps
    between neighboring cells. The ends of the tree are the middle cells of these sides, and each
    of its cells is a stroke. The drawings of a blank have one speck, or none.
    """
    if not arms:
        blanks = np.zeros((4, 3, 3), int)
        for blank, corner in zip(blanks[1:], [(0, 0), (1, 2), (2, 1)]):
            blank[corner] = len(_STROKES)
        return list(blanks)
    ends = {(1 + row, 1 + column) for row, column in arms}
    steps = [
        (cell, step)
        for cell in _CELLS
        for step in (_RIGHT, _DOWN)
        if (cell[0] + step[0], cell[1] + step[1]) in _CELLS
    ]
    strokes = {frozenset(arms): code for code, arms in enumerate(_ARMS.values())}
    drawings = []
    for n_steps in range(2, 7):
        for chosen in combinations(steps, n_steps):
            reached = {cell: set() for cell in _CELLS}
            for arm in arms:
                reached[1 + arm[0], 1 + arm[1]].add(arm)
            for (row, column), (down, right) in chosen:
                reached[row, column].add((down, right))
                reached[row + down, column + right].add((-down, -right))
            codes = [strokes.get(frozenset(sides)) for sides in reached.values()]
            n_cells = sum(len(sides) > 0 for sides in reached.values())
            is_tree = n_cells == n_steps + 1 and all(len(reached[end]) > 1 for end in ends)
            if None not in codes and is_tree:
                drawings.append(np.reshape(codes, (3, 3)))
    return drawings


def _pixel_patches():
    """Return four 3x3 patches of each smaller stroke: strong or light, sharp or soft."""
    patches = np.zeros((len(_STROKES) + 1, 4, 3, 3), np.float32)
    for code, arms in enumerate(_ARMS.values()):
        ink = np.zeros((3, 3))
        for row, column in arms:
            ink[1, 1] = ink[1 + row, 1 + column] = 1
        edge = np.pad(ink, 1)  # ink of the four neighbors of each pixel
        edge = np.maximum.reduce([edge[:-2, 1:-1], edge[2:, 1:-1], edge[1:-1, :-2], edge[1:-1, 2:]])
        styles = [(1.0, 0.0), (0.8, 0.0), (1.0, 0.3), (0.8, 0.15)]
        for style, (strength, softness) in enumerate(styles):
            patches[code, style] = np.maximum(strength * ink, softness * edge)
    patches[0] += np.array([0.0, 0.04, 0.08, 0.12])[:, None, None]  # blank paper
    for style, corner in enumerate([(0, 0), (0, 2), (2, 0), (2, 2)]):
        patches[-1, style][corner] = 0.3
    return patches
