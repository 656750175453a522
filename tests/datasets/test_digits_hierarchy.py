import numpy as np
import pytest
from numpy.testing import assert_array_equal

from skhier.datasets import make_digits_hierarchy
from skhier.datasets._digits_hierarchy import _ARMS, _stroke_patches


def test_digits_match_section_3_2():
    digits = make_digits_hierarchy(200, return_X_y=False, random_state=0)
    assert digits.images.shape == (200, 27, 27)
    assert set(digits.target) == {0, 1}
    assert digits.sampler.root_images_.shape == (9, 3, 3)
    assert [table.shape[1] for table in digits.sampler.patches_] == [4, 4]
    report = digits.sampler.check_assumptions()
    assert [check.holds for check in report] == [True, True, True, False]
    assert_array_equal(digits.sampler.inverse_transform(digits.images), digits.latents[0])
    by_digit = make_digits_hierarchy(200, target="digit", return_X_y=False, random_state=0)
    assert_array_equal(by_digit.sampler.classes_, np.arange(1, 10))
    assert_array_equal(by_digit.sampler.classes_.astype(str), by_digit.target_names)


def test_strokes_of_every_drawing_connect_and_reach_its_sides_only():
    shapes = [set(arms) for arms in _ARMS.values()]
    for arms, drawings in zip(shapes, _stroke_patches(), strict=True):
        for drawing in drawings:
            for row, column in np.ndindex(3, 3):
                for down, right in {(-1, 0), (1, 0), (0, -1), (0, 1)}:
                    code = drawing[row, column]
                    here = code < len(shapes) and (down, right) in shapes[code]
                    near = row + down, column + right
                    if min(near) >= 0 and max(near) < 3:
                        other = drawing[near]
                        there = other < len(shapes) and (-down, -right) in shapes[other]
                        assert here == there
                    else:
                        middle = (row, column) == (1 + down, 1 + right)
                        assert here == (middle and (down, right) in arms)


def test_invalid_targets_are_refused():
    with pytest.raises(ValueError, match="target='even' is not valid"):
        make_digits_hierarchy(target="even")
