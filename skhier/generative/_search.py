"""Drawing the parts of a model, again until its classes are told apart well enough."""

from functools import partial
from math import inf

import numpy as np

from ._model import HierarchicalModel, label_channel
from ._root import RootDistribution, linear_separator
from ._statistics import level_statistics, next_frequencies, root_frequencies

# A level may owe its failure to those above it: after so many draws, all are drawn anew.
_PATIENCE = 20


class Search:
    """Draws again until theta and lambda of every level are as large as asked.

    Parameters
    ----------
    min_theta, min_lambda : float
        What every level must reach.
    max_draws : int
        How many draws may be rejected.
    """

    def __init__(self, min_theta, min_lambda, max_draws):
        self._min_theta, self._min_lambda = min_theta, min_lambda
        self._max_draws = max_draws

    def model(self, draw_images, is_random, levels, noise, rng):
        """A model, drawn level by level from the top.

        `draw_images()` returns root images and their labels.

        Raises
        ------
        ValueError
            If too many draws are rejected.
        """
        self._n_left = self._max_draws
        self._best = (-1, -inf, None)  # level, share of what is asked, statistics
        is_given = [not is_random, *(level.table is not None for level in levels[:-1])]
        n_given = [*is_given, False].index(False)  # from the top: they stay as they are
        while True:
            try:
                return self._draw_model(draw_images, is_given, levels, noise, rng)
            except _Rejected as rejected:
                if self._n_left == 0 or rejected.level < n_given:
                    raise ValueError(self._explain(rejected.level < n_given)) from None

    def _draw_model(self, draw_images, is_given, levels, noise, rng):
        label_noise, symbol_noise, _ = noise
        n_classes = [level.n_classes for level in levels]

        def draw_root():
            images, labels = draw_images()
            if not is_given[0]:
                n_different = len(np.unique(images.reshape(len(images), -1), axis=0))
                is_separable = linear_separator(images, labels, n_classes[0]) is not None
                if n_different < len(images) or not is_separable:
                    return None
            root = RootDistribution(images, labels)
            return root, root_frequencies(root, n_classes[0], symbol_noise[0])

        root, frequencies = self._until(0, draw_root, label_noise, is_given[0])
        rules = []
        for level, n_next in zip(levels, n_classes[1:]):
            i = level.index + 1
            draw_rules = partial(_draw_rules, level, n_next, rng, frequencies, symbol_noise[i])
            drawn, frequencies = self._until(i, draw_rules, label_noise, is_given[i])
            rules.append(drawn)
        rules.append(levels[-1].draw(None, rng))
        return HierarchicalModel(root, rules, *noise)

    def _until(self, level, draw, label_noise, is_given):
        """The first `draw()`, a pair (drawn, frequencies of the level), that is good enough.

        A draw of None is not.
        """
        for _ in range(1 if is_given else _PATIENCE):
            drawn = draw()
            if drawn is not None:
                if self._min_theta == self._min_lambda == 0:
                    return drawn
                channel = label_channel(label_noise, len(drawn[1]))
                statistics = level_statistics(drawn[1], channel)
                share = min(
                    statistics.theta / self._min_theta if self._min_theta else inf,
                    statistics.lambda_ / self._min_lambda if self._min_lambda else inf,
                )
                if share >= 1:
                    return drawn
                self._best = max(self._best, (level, share, statistics), key=lambda best: best[:2])
            self._n_left -= 1
            if self._n_left == 0:
                break
        raise _Rejected(level)

    def _explain(self, is_given):
        level, _, statistics = self._best
        if statistics is None:
            return (
                "The root images drawn were not different and linearly separable in "
                f"max_draws={self._max_draws} draws: ask for fewer of them (n_root_images), or "
                "larger ones (root_shape)."
            )
        tried = f"max_draws={self._max_draws} draws"
        return (
            f"min_theta={self._min_theta} and min_lambda={self._min_lambda} were not reached in "
            f"{'what is given, not drawn' if is_given else tried}: the best at level "
            f"{level} had theta={statistics.theta:.4g} and lambda={statistics.lambda_:.4g}. "
            "Fewer classes or patches per class, or a larger root_shape, keep classes further "
            "apart."
        )


class _Rejected(Exception):
    """A level was not good enough."""

    def __init__(self, level):
        super().__init__(level)
        self.level = level


def _draw_rules(level, n_next, rng, frequencies, symbol_noise):
    drawn = level.draw(n_next, rng)
    return drawn, next_frequencies(frequencies, drawn, n_next, symbol_noise)
