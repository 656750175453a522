"""Grammars whose strings vary in length, against all derivations of small ones."""

import pickle
from itertools import product

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import chisquare
from sklearn.exceptions import NotFittedError
from sklearn.utils.estimator_checks import parametrize_with_checks

from skhier.datasets import make_random_hierarchy
from skhier.generative import GrammarSampler

GRAMMARS = {
    "lengths 2 and 3": {
        "rules": [
            [[(0, 1), (1, 1, 0)], [(1, 0), (0, 0)], [(0, 1, 1)]],
            [[(0, 1), (2, 1, 0)], [(1, 2), (1, 1, 2), (0, 2)]],
        ],
    },
    "lengths 1 to 4, shared tuples, weights": {
        "rules": [
            [[(0,), (1, 0), (0, 1, 0)], [(1, 0), (1, 1)]],
            [[(0, 1), (0,)], [(1,), (1, 1), (0, 1, 1, 0)]],
            [[(0, 0), (1,)], [(0,), (2, 1, 0), (1,)]],
        ],
        "rule_weights": [
            [[1, 2, 0.5], [3, 1]],
            [[1, 1], [0.2, 1, 3]],
            [[1, 4], [2, 1, 1]],
        ],
        "label_probabilities": [0.3, 0.7],
        "n_tokens": 4,
    },
    "one level": {"rules": [[[(0, 1), (0,), (1, 1, 1)], [(0, 1), (1,)]]]},
}


class Derivations:
    """All derivations of a grammar: their probabilities, levels, and ancestors of tokens."""

    def __init__(self, grammar):
        self.p, self.levels, self.ancestors = [], [], []
        for c, p in enumerate(grammar.label_probabilities_):
            self._expand(grammar, p, [[c]], [0], [])
        self.p = np.array(self.p)
        self.strings = [tuple(levels[-1]) for levels in self.levels]
        self.labels = np.array([levels[0][0] for levels in self.levels])

    def _expand(self, grammar, p, levels, position, parents):
        level = len(levels) - 1
        if level == len(grammar.rules):
            ancestors = [list(range(len(levels[-1])))]
            for of_level in reversed(parents):
                ancestors.append([of_level[i] for i in ancestors[-1]])
            self.p.append(p)
            self.levels.append(levels)
            self.ancestors.append(ancestors[::-1])
            return
        rules, weights = grammar.rules[level], grammar.rule_weights_[level]
        for choice in product(*(range(len(rules[c])) for c in levels[-1])):
            rows = [rules[c][j] for c, j in zip(levels[-1], choice)]
            new_p = p * np.prod([weights[c][j] for c, j in zip(levels[-1], choice)])
            symbols = [symbol for row in rows for symbol in row]
            of_level = [i for i, row in enumerate(rows) for _ in row]
            self._expand(grammar, new_p, [*levels, symbols], position, [*parents, of_level])

    def likelihood(self, tokens, is_unknown=None):
        """Whether each derivation has the known tokens, and the length."""
        known = np.ones(len(tokens), bool) if is_unknown is None else ~np.asarray(is_unknown)
        return np.array(
            [
                len(string) == len(tokens)
                and all(a == b for a, b, k in zip(string, tokens, known) if k)
                for string in self.strings
            ]
        )


@pytest.fixture(scope="module", params=GRAMMARS)
def case(request):
    grammar = GrammarSampler(**GRAMMARS[request.param], random_state=0).fit()
    return grammar, Derivations(grammar)


def padded(strings, width=None):
    """Return strings as an array padded with -1."""
    width = max(map(len, strings)) if width is None else width
    return np.array([[*string, *[-1] * (width - len(string))] for string in strings])


def some_strings(derivations, n=40):
    """Return different strings of the grammar."""
    strings = sorted(set(derivations.strings))
    return strings[:: max(1, len(strings) // n)]


def test_scores_are_sums_over_derivations(case):
    grammar, derivations = case
    strings = sorted(set(derivations.strings))
    expected = dict.fromkeys(strings, 0.0)
    for string, p in zip(derivations.strings, derivations.p):
        expected[string] += p
    p = np.exp(grammar.score_samples(padded(strings)))
    assert_allclose(p, [expected[string] for string in strings], rtol=1e-10)
    assert_allclose(p.sum(), 1, rtol=1e-10)


def test_all_other_strings_have_probability_zero():
    grammar = GrammarSampler(**GRAMMARS["one level"]).fit()
    strings = [s for n in range(1, 5) for s in product(range(2), repeat=n)]
    p = np.exp(grammar.score_samples(padded(strings)))
    assert {s for s, p_s in zip(strings, p) if p_s > 0} == {(0, 1), (0,), (1, 1, 1), (1,)}
    assert_allclose(p.sum(), 1)


def test_posteriors_are_sums_over_derivations(case):
    grammar, derivations = case
    strings = some_strings(derivations)
    X = padded(strings)
    mask = np.random.default_rng(0).random(X.shape) < 0.3
    for is_unknown in (None, mask):
        scores = grammar.score_samples(X, mask=is_unknown)
        labels = grammar.bayes_predict_proba(X, mask=is_unknown)
        posteriors = [
            grammar.posterior(X, level, mask=is_unknown) for level in range(len(grammar.rules) + 1)
        ]
        for i, string in enumerate(strings):
            n = len(string)
            likelihood = derivations.likelihood(
                string, None if is_unknown is None else is_unknown[i, :n]
            )
            joint = derivations.p * likelihood
            assert_allclose(scores[i], np.log(joint.sum()), rtol=1e-10)
            p = joint / joint.sum()
            n_labels = len(grammar.classes_)
            assert_allclose(labels[i], np.bincount(derivations.labels, p, n_labels), atol=1e-10)
            for level, found in enumerate(posteriors):
                expected = np.zeros_like(found[i])
                for d in np.flatnonzero(likelihood):
                    above = derivations.ancestors[d][level]
                    expected[range(n), np.array(derivations.levels[d][level])[above]] += p[d]
                assert_allclose(found[i], expected, atol=1e-10)


def test_next_symbol_probabilities_are_sums_over_derivations(case):
    grammar, derivations = case
    n_tokens = grammar.n_symbols_[-1]
    strings = some_strings(derivations, 10)
    found = grammar.next_symbol_proba(padded(strings))
    for string, p in zip(strings, found):
        for i in range(len(string) + 1):
            joint = np.zeros(n_tokens + 1)
            for other, p_other in zip(derivations.strings, derivations.p):
                if other[:i] == string[:i]:
                    joint[other[i] if len(other) > i else n_tokens] += p_other
            assert_allclose(p[i], joint / joint.sum(), atol=1e-10)
        assert (p[len(string) + 1 :] == 0).all()


def random_grammar(n_levels=4, n_symbols=5, k=6, seed=0, **options):
    """Return a fitted grammar of random tuples of lengths 1 to 3, with random weights."""
    rng = np.random.default_rng(seed)

    def tuples():
        rows = {tuple(rng.integers(n_symbols, size=rng.integers(1, 4)).tolist()) for _ in range(k)}
        return sorted(rows)

    rules = [[tuples() for _ in range(n_symbols)] for _ in range(n_levels)]
    weights = [[rng.uniform(0.1, 1, len(rows)) for rows in level] for level in rules]
    return GrammarSampler(rules, rule_weights=weights, **options).fit()


def test_chain_rule():
    grammar = random_grammar(random_state=0)
    X, _ = grammar.sample(50)
    p = grammar.next_symbol_proba(X)
    lengths = (X >= 0).sum(axis=1)
    events = np.pad(X.astype(int), ((0, 0), (0, 1)), constant_values=-1)
    events[range(50), lengths] = grammar.n_symbols_[-1]
    p_events = np.take_along_axis(p, np.maximum(events, 0)[..., None], axis=2)[..., 0]
    log_p = np.log(np.where(events >= 0, p_events, 1)).sum(axis=1)
    assert_allclose(log_p, grammar.score_samples(X), rtol=1e-12)
    is_row = np.arange(p.shape[1]) <= lengths[:, None]
    assert_allclose(p.sum(axis=2), is_row, atol=1e-12)


def test_law_of_total_probability_over_an_unknown_token():
    grammar = random_grammar(random_state=1)
    X, _ = grammar.sample(20)
    lengths = (X >= 0).sum(axis=1)
    at = lengths // 2
    mask = np.arange(X.shape[1]) == at[:, None]
    total = grammar.score_samples(X, mask=mask)
    tokens = grammar.posterior(X, len(grammar.rules), mask=mask)
    for a in range(grammar.n_symbols_[-1]):
        changed = np.where(mask, a, X)
        p = np.exp(grammar.score_samples(changed) - total)
        assert_allclose(tokens[range(20), at, a], p, atol=1e-12)


def test_posteriors_are_calibrated():
    grammar = random_grammar(random_state=2)
    X, _, latents, ancestors = grammar.sample(2000, return_latents=True)
    first = latents[2][range(2000), ancestors[2][:, 0]]
    expected = grammar.posterior(X, 2)[:, 0].sum(axis=0)
    assert chisquare(np.bincount(first, minlength=5), expected).pvalue > 0.001


@pytest.mark.parametrize("m", [2, 4])
def test_one_length_is_the_random_hierarchy_model(m):
    bunch = make_random_hierarchy(
        100, depth=3, n_synonyms=m, rule_weights="zipf", return_X_y=False, random_state=0
    )
    model, strings = bunch.sampler, bunch.symbols
    tables = model.patches_[:-1]
    rules = [[[tuple(row) for row in rows] for rows in t[:, :, 0].tolist()] for t in tables]
    weights = model.rule_weights_[:-1]
    grammar = GrammarSampler(rules, rule_weights=weights, n_tokens=8).fit()
    mask = np.random.default_rng(0).random(strings.shape) < 0.5
    for unknown in (None, mask):
        assert_allclose(
            grammar.score_samples(strings, mask=unknown),
            model.score_samples(symbols=strings, mask=unknown),
            rtol=1e-12,
        )
        assert_allclose(
            grammar.bayes_predict_proba(strings, mask=unknown),
            model.bayes_predict_proba(symbols=strings, mask=unknown),
            atol=1e-12,
        )
        for level in range(4):
            expected = model.posterior(symbols=strings, mask=unknown, level=level)
            expected = expected.repeat(2 ** (3 - level), axis=1)
            found = grammar.posterior(strings, level, mask=unknown)
            assert_allclose(found, expected, atol=1e-12)
    expected = model.next_symbol_proba(strings)
    assert_allclose(grammar.next_symbol_proba(strings)[:, :-1, :-1], expected, atol=1e-12)


def test_samples_have_the_probabilities_of_the_grammar():
    grammar = GrammarSampler(**GRAMMARS["lengths 2 and 3"], random_state=0).fit()
    X, y = grammar.sample(50_000)
    strings, counts = np.unique(X, axis=0, return_counts=True)
    p = np.exp(grammar.score_samples(strings))
    is_common = p * len(X) >= 5
    assert abs(p.sum() - 1) < 0.01
    observed, expected = counts[is_common], p[is_common]
    assert chisquare(observed, expected * observed.sum() / expected.sum()).pvalue > 0.001
    label_p = grammar.bayes_predict_proba(X).mean(axis=0)
    assert_allclose(np.bincount(y) / len(X), label_p, atol=0.01)


def test_latents_are_derivations(case):
    grammar, derivations = case
    possible = {
        (*(tuple(level) for level in levels), *(tuple(row) for row in above[:-1]))
        for levels, above in zip(derivations.levels, derivations.ancestors)
    }
    X, y, latents, ancestors = grammar.sample(200, return_latents=True)
    assert_array_equal(latents[0][:, 0], y)
    for rows in zip(*latents, X, *ancestors):
        assert tuple(tuple(row[row >= 0].tolist()) for row in rows) in possible


@pytest.mark.parametrize("name", GRAMMARS)
def test_posterior_samples_have_the_posterior_of_derivations(name):
    grammar = GrammarSampler(**GRAMMARS[name], random_state=0).fit()
    derivations = Derivations(grammar)
    lengths = [len(string) for string in derivations.strings]
    string = derivations.strings[lengths.index(np.bincount(lengths).argmax())]
    mask = np.arange(len(string)) < len(string) / 2
    possible = np.flatnonzero(derivations.likelihood(string, mask))
    numbers = {}
    for d in possible:
        parts = *derivations.levels[d], *derivations.ancestors[d][:-1]
        numbers[tuple(tuple(part) for part in parts)] = len(numbers)
    n = 2000
    X, y, latents, ancestors = grammar.sample_posterior(
        [string], mask=mask, n_draws=n, return_latents=True
    )
    assert_array_equal(X[:, 0, ~mask], np.tile(np.array(string)[~mask], (n, 1)))
    assert_array_equal(latents[0][:, :, 0], y)
    counts = np.zeros(len(numbers))
    for parts in zip(*latents, X, *ancestors):
        counts[numbers[tuple(tuple(part[0][part[0] >= 0].tolist()) for part in parts)]] += 1
    expected = derivations.p[possible] / derivations.p[possible].sum() * n
    common = expected >= 5
    assert common.sum() > 1
    observed = np.array([*counts[common], counts[~common].sum()])
    expected = np.array([*expected[common], expected[~common].sum()])
    used = expected > 0
    assert chisquare(observed[used], expected[used]).pvalue > 0.001


def test_posterior_samples_given_lengths_only():
    grammar = random_grammar(n_levels=3, random_state=6)
    X, _ = grammar.sample(500)
    drawn, _ = grammar.sample_posterior(X, mask=np.ones(X.shape, bool))
    assert_array_equal(drawn[0] >= 0, X >= 0)
    last = (X >= 0).sum(axis=1) - 1
    tokens = np.bincount(drawn[0][range(500), last], minlength=5)
    expected = grammar.posterior(X, 3, mask=np.ones(X.shape, bool))[range(500), last].sum(axis=0)
    assert chisquare(tokens, expected).pvalue > 0.001


def test_samples_depend_on_the_seed_and_the_index_only(monkeypatch):
    grammar = random_grammar(random_state=3)
    results = grammar.sample(300, return_latents=True, width=81)
    assert_array_equal(grammar.sample(100, first=200, width=81)[0], results[0][200:])
    assert_array_equal(grammar.set_params(n_jobs=2).sample(300, width=81)[0], results[0])
    monkeypatch.setattr("skhier.generative._grammar._BATCH_TOKENS", 700)
    again = grammar.sample(300, return_latents=True, width=81)
    for found, expected in zip([again[0], again[1], *again[2], *again[3]], [
        results[0], results[1], *results[2], *results[3]
    ]):  # fmt: skip
        assert_array_equal(found, expected)


def test_results_do_not_depend_on_batches_and_threads(monkeypatch):
    grammar = random_grammar(random_state=4)
    X, _ = grammar.sample(60)

    def results(X):
        yield grammar.score_samples(X)
        yield grammar.bayes_predict_proba(X)
        yield grammar.posterior(X, 2)
        yield grammar.next_symbol_proba(X)

    def draws(X):
        return grammar.sample_posterior(X, n_draws=3, random_state=1, return_latents=True)

    expected, expected_draws = list(results(X)), draws(X)
    monkeypatch.setattr("skhier.generative._grammar_spans._BATCH_VALUES", 1)
    for found, of_all in zip(results(X[7:9]), expected):
        assert_array_equal(found, of_all[7:9])
    grammar.set_params(n_jobs=2)
    for found, of_all in zip(results(X), expected):
        assert_array_equal(found, of_all)
    for found, of_all in zip(draws(X)[2:], expected_draws[2:]):
        for found_level, of_level in zip(found, of_all):
            assert_array_equal(found_level, of_level)
    assert_array_equal(draws(X)[1], expected_draws[1])
    assert_array_equal(draws(X[:9])[1], expected_draws[1][:, :9])


@pytest.mark.parametrize("block", [1, 5])
def test_blocks_of_spans_change_nothing(block, monkeypatch):
    grammar = random_grammar(random_state=7)
    X, _ = grammar.sample(10)

    def results():
        yield grammar.score_samples(X)
        for level in range(5):
            yield grammar.posterior(X, level)
        yield grammar.next_symbol_proba(X)

    expected = list(results())
    monkeypatch.setattr("skhier.generative._grammar_rules._BLOCK", block)
    for found, of_whole in zip(results(), expected):
        assert_allclose(found, of_whole, rtol=1e-12, atol=1e-12)


def test_padding_changes_nothing():
    grammar = random_grammar(random_state=5)
    X, _ = grammar.sample(10)
    wide, _ = grammar.sample(10, width=90)
    assert_array_equal(wide[:, : X.shape[1]], X)
    assert (wide[:, X.shape[1] :] == -1).all()
    assert_array_equal(grammar.score_samples(wide), grammar.score_samples(X))


@pytest.mark.skipif(
    np.finfo(np.longdouble).max == np.finfo(float).max, reason="long doubles are doubles here"
)
def test_long_strings_keep_their_digits():
    """The probability of a string is below the smallest float, but its logarithm is exact."""
    n_levels = 6
    rules = [[[(0, 0), (0, 1)], [(1, 1), (1, 0)]]] * n_levels
    weights = [[[1 - 1e-12, 1e-12], [1 - 1e-12, 1e-12]]] * n_levels
    grammar = GrammarSampler(rules, rule_weights=weights).fit()
    rng = np.random.default_rng(0)
    for flips in (rng.random((n_levels, 2**n_levels)) < 0.5, np.ones((n_levels, 2**n_levels))):
        string, log_p = np.zeros(1, int), np.log(0.5)
        for level in range(n_levels):
            is_flipped = flips[level, : len(string)].astype(bool)
            log_p += np.log(np.where(is_flipped, 1e-12, 1 - 1e-12)).sum()
            string = np.column_stack([string, string ^ is_flipped]).ravel()
        assert len(string) == 64 <= grammar.length_limit_
        assert_allclose(grammar.score_samples(string[None]), [log_p], rtol=1e-12)
        assert_allclose(grammar.posterior(string[None], 6)[0, range(64), string], 1, rtol=1e-10)
    assert log_p < np.log(np.finfo(float).tiny)


def test_bayes_risk_is_the_expected_error():
    grammar = GrammarSampler(**GRAMMARS["one level"], random_state=0).fit()
    derivations = Derivations(grammar)
    best = {}
    for string, label, p in zip(derivations.strings, derivations.labels, derivations.p):
        best.setdefault(string, np.zeros(2))[label] += p
    exact = 1 - sum(p.max() for p in best.values())
    risk, error = grammar.bayes_risk(5000)
    assert abs(risk - exact) < 4 * error
    X, y = grammar.sample(5000, random_state=1)
    assert abs((grammar.bayes_predict(X) != y).mean() - exact) < 4 * np.sqrt(exact / 5000)


def test_a_fitted_grammar_pickles():
    grammar = random_grammar(random_state=0)
    X, _ = grammar.sample(5)
    again = pickle.loads(pickle.dumps(grammar))
    assert_array_equal(again.sample(5)[0], X)
    assert_array_equal(again.score_samples(X), grammar.score_samples(X))


def test_tuples_of_a_thousand_symbols_are_no_recursion():
    long = tuple(np.random.default_rng(0).integers(0, 2, 1200).tolist())
    grammar = GrammarSampler([[[long, (0, 1)], [(1, 0), (1,)]]], random_state=0).fit()
    grammar = pickle.loads(pickle.dumps(grammar))
    X, y = np.array([[0, 1], [1, 0]]), [[1.0, 0.0], [0.0, 1.0]]
    assert_allclose(grammar.score_samples(X), np.log(1 / 4))
    assert_array_equal(grammar.bayes_predict_proba(X), y)
    assert_array_equal(grammar.posterior(X, 0), np.repeat(y, 2, axis=0).reshape(2, 2, 2))
    assert_allclose(grammar.posterior(X, 1), np.eye(2)[X])
    assert grammar.next_symbol_proba(X).shape == (2, 3, 3)


RULES = GRAMMARS["one level"]["rules"]
NOT_STRINGS = dict.fromkeys(
    [
        "check_estimator_sparse_tag",
        "check_array_api_input",
        "check_methods_sample_order_invariance",
        "check_methods_subset_invariance",
    ],
    "the check passes an X that holds no strings of tokens",
)


@parametrize_with_checks(
    [GrammarSampler(RULES)], expected_failed_checks=lambda estimator: NOT_STRINGS
)
def test_grammars_pass_the_checks_of_scikit_learn(estimator, check):
    check(estimator)


def test_a_failed_fit_leaves_the_grammar_as_it_was():
    grammar = GrammarSampler(RULES).fit()
    before = dict(vars(grammar))
    with pytest.raises(ValueError, match="rules"):
        grammar.set_params(rules=[]).fit()
    assert {**vars(grammar), "rules": RULES} == before


@pytest.mark.parametrize("method", ["score_samples", "sample_posterior", "next_symbol_proba"])
def test_methods_need_a_fitted_grammar(method):
    with pytest.raises(NotFittedError):
        getattr(GrammarSampler(RULES), method)([[0, 1]])


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"rules": 3}, r"rules=3 is not valid: it takes a list of levels"),
        ({"rules": []}, r"rules=\[\] is not valid"),
        ({"rules": [[[(0, 1)], []]]}, r"rules\[0\]\[1\]=\[\] is not valid"),
        ({"rules": [[[(0, -1)]]]}, r"rules\[0\]\[0\]\[0\]=.*takes symbols, ints >= 0"),
        ({"rules": [[[(0, 1), (0, 1)]]]}, r"rules\[0\]\[0\] holds a tuple twice"),
        (
            {"rules": [[[(0, 2)]], [[(0,)]]]},
            r"rules\[0\]\[0\]\[0\]=.*the symbols 0 to 0",
        ),
        ({"n_tokens": 1}, r"rules\[0\]\[0\]\[0\]=.*the symbols 0 to 0"),
        ({"rules": [[[(0,), (0, 0)]]] * 70}, "rules have trees of up to .* symbols"),
        ({"n_tokens": 0}, "n_tokens=0 is not valid"),
        ({"rule_weights": [[[1, 1], [1, 1]]]}, r"rule_weights\[0\]\[0\]=.* each of the 3 tuples"),
        ({"rule_weights": [[[1, 1, 0], [1, 1]]]}, r"rule_weights\[0\]\[0\]=.*a number > 0"),
        (
            {"rule_weights": [[[1e-300, 1, 1e300], [1, 1]]]},
            r"rule_weights\[0\]\[0\]=.* is 0 as a f",
        ),
        ({"rule_weights": [[[1, 1, 1]]]}, r"rule_weights\[0\]=.* takes 2 entries"),
        ({"rule_weights": []}, r"rule_weights=\[\] is not valid"),
        ({"label_probabilities": [1, 1]}, "label_probabilities"),
    ],
)
def test_invalid_grammars_are_refused(params, message):
    with pytest.raises(ValueError, match=message):
        GrammarSampler(**{"rules": RULES, **params}).fit()


@pytest.mark.parametrize(
    ("X", "mask", "message"),
    [
        ([0, 1], None, r"X of shape \(2,\)"),
        ([[0.0, 1.0]], None, "X of shape .* and dtype float64"),
        ([[0, 2]], None, r"X\[0, 1\] is 2, which is not valid: tokens are 0 to 1"),
        ([[0, -1, 1]], None, r"X\[0, 1\] is -1"),
        ([[0, -2]], None, r"X\[0, 1\] is -2"),
        ([[0, 1], [-1, -1]], None, r"X\[1\] has no tokens"),
        ([[0, 1]], [[True]], r"mask of shape \(1, 1\)"),
        ([[0, 1]], [0, 1], "mask of shape .* and dtype int64"),
    ],
)
def test_invalid_strings_are_refused(X, mask, message):
    grammar = GrammarSampler(RULES).fit()
    with pytest.raises(ValueError, match=message):
        grammar.score_samples(X, mask=mask)


def test_impossible_strings_are_refused():
    grammar = GrammarSampler(RULES).fit()
    X = [[0, 1, -1], [1, 0, -1]]
    for method in (
        grammar.bayes_predict_proba,
        grammar.bayes_predict,
        grammar.next_symbol_proba,
        grammar.sample_posterior,
    ):
        with pytest.raises(ValueError, match=r"X\[1\] cannot come from this grammar"):
            method(X)
    for level in range(2):
        with pytest.raises(ValueError, match=r"X\[1\] cannot come from this grammar"):
            grammar.posterior(X, level)
    assert_array_equal(np.isneginf(grammar.score_samples(X)), [False, True])


def test_strings_that_floats_cannot_hold_are_refused():
    rules = [[[(0, 0), (0, 0, 0)]]] * 6
    grammar = GrammarSampler(rules, rule_weights=[[[1, 1e-9]]] * 6).fit()
    X = np.zeros((1, grammar.length_limit_ + 1), int)
    with pytest.raises(ValueError, match=f"up to {grammar.length_limit_} tokens"):
        grammar.score_samples(X)
    if grammar.length_limit_ >= 64:  # no string is shorter
        assert np.isfinite(grammar.score_samples(X[:, :64]))


def test_narrow_widths_are_refused():
    grammar = GrammarSampler(RULES, random_state=0).fit()
    with pytest.raises(ValueError, match=r"width=1 is not valid: a string of the sample has 3 tok"):
        grammar.sample(100, width=1)
