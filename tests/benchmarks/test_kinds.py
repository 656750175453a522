"""The table of means over data sets."""

from _methods import Row
from kinds import print_means


def test_means_and_mean_ranks(capsys):
    scores = {("a", "x"): 0.9, ("b", "x"): 0.8, ("a", "y"): 0.5, ("b", "y"): 0.5}
    print_means([Row(m, d, score, 0.25, 1, 3, 0, 10, 1) for (m, d), score in scores.items()])
    *_, a, b = (line.split() for line in capsys.readouterr().out.splitlines())
    assert a == ["a", "1.25", "0.7", "0.25", "1", "3", "0", "10"]
    assert b == ["b", "1.75", "0.65", "0.25", "1", "3", "0", "10"]
