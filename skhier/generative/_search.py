"""Rejection sampling of models: levels are drawn again until their classes are separated."""

from functools import partial
from math import inf

import numpy as np

from ._model import HierarchicalModel
from ._root import RootDistribution, linear_separator
from ._statistics import level_statistics, next_frequencies, root_frequencies

# A bad draw above can make a level infeasible: after 20 rejections, start again from the top.
_MAX_DRAWS_OF_LEVEL = 20


class Search:
    """Rejection sampler of models with bounds on theta and lambda of every level.

    Parameters
    ----------
    min_theta, min_lambda : float
        Lower bounds.
    max_draws : int
        Number of rejected draws at which the search fails.
    """

    def __init__(self, min_theta, min_lambda, max_draws):
        self._min_theta, self._min_lambda = min_theta, min_lambda
        self._max_draws = max_draws

    def draw_model(self, draw_images, p_labels, is_random, levels, noise, rng):
        """Draw a model level by level from the top.

        `draw_images()` returns root images and their labels, of probabilities `p_labels`.

        Raises
        ------
        ValueError
            If `max_draws` draws are rejected, or a level that is not drawn is below the bounds.
        """
        self._n_left = self._max_draws
        self._best = (-1, -inf, None)  # level, share of the bounds, statistics
        is_given = [not is_random, *(level.is_given for level in levels[:-1])]
        n_given = [*is_given, False].index(False)  # levels from the top that stay as they are
        while True:
            try:
                return self._draw_once(draw_images, p_labels, is_given, levels, noise, rng)
            except _Rejected as rejected:
                if self._n_left == 0 or rejected.level < n_given:
                    raise ValueError(self._explain(rejected.level < n_given)) from None

    def _draw_once(self, draw_images, p_labels, is_given, levels, noise, rng):
        """Draw a model; _Rejected if a level has too many rejected draws."""
        label_noise, channels, _ = noise
        of_labels = p_labels, label_noise

        def draw_root():
            images, labels = draw_images()
            if not is_given[0]:
                n_different = len(np.unique(images.reshape(len(images), -1), axis=0))
                is_separable = linear_separator(images, labels, channels[0].n_drawn) is not None
                if n_different < len(images) or not is_separable:
                    return None
            root = RootDistribution(images, labels, p_labels)
            return root, root_frequencies(root, channels[0])

        root, frequencies = self._draw_level(0, draw_root, of_labels, is_given[0])
        rules = []
        for level, channel in zip(levels, channels[1:]):
            i = level.index + 1
            draw_rules = partial(_draw_rules, level, channel, rng, frequencies)
            drawn, frequencies = self._draw_level(i, draw_rules, of_labels, is_given[i])
            rules.append(drawn)
        rules.append(levels[-1].draw(None, rng))
        return HierarchicalModel(root, rules, *noise)

    def _draw_level(self, level, draw, of_labels, is_given):
        """Return the first `draw()` that meets the bounds; _Rejected after too many draws.

        `draw()` returns a pair (root or rules, frequencies of the level), or None, which is
        rejected.
        """
        for _ in range(1 if is_given else _MAX_DRAWS_OF_LEVEL):
            drawn = draw()
            if drawn is not None:
                if self._min_theta == self._min_lambda == 0:
                    return drawn
                statistics = level_statistics(drawn[1], *of_labels)
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
        """Return the message of a failed search, with the best draw of the deepest level."""
        level, _, statistics = self._best
        if statistics is None:
            return (
                "The root images were not different and linearly separable in any of "
                f"max_draws={self._max_draws} draws. Set a smaller n_root_images or a larger "
                "root_shape."
            )
        where = "the given levels" if is_given else f"max_draws={self._max_draws} draws"
        return (
            f"min_theta={self._min_theta} and min_lambda={self._min_lambda} were not reached in "
            f"{where}: the best at level {level} had theta={statistics.theta:.4g} and "
            f"lambda={statistics.lambda_:.4g}. Fewer classes, fewer patches per class or a larger "
            "root_shape make the classes differ more."
        )


class _Rejected(Exception):
    """Rejection of a level, by its index."""

    def __init__(self, level):
        super().__init__(level)
        self.level = level


def _draw_rules(level, channel, rng, frequencies):
    """Return rules of a level, and the frequencies of the level below."""
    rules = level.draw(channel.n_drawn, rng)
    return rules, next_frequencies(frequencies, rules, channel)
