"""How features are weighed: by what is usual in the project, the same for ever, about one long."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import skops.io
from scipy.sparse import csr_matrix, issparse
from sklearn.feature_extraction.text import TfidfTransformer

from nextlabel.estimators.choice import fit_choice
from nextlabel.features import spaces
from nextlabel.features.spaces import AsItIs, Centred, Curved, Space, TfIdf, active, inner_products, restore_space
from nextlabel.features.text import COLUMNS, count_features
from nextlabel.labeling.ranking import Features, Floats

RNG = np.random.default_rng(0)
NUMBERS = (RNG.normal(size=(50, 3)) * [1, 10, 0.1] + 7).astype(np.float32)
RATINGS = RNG.integers(1, 6, size=(400, 3)).astype(np.float32)
TEXTS = ["win a prize", "win win win", "see you at lunch", "", "lunch at four"]
COUNTS = count_features(TEXTS)
SPACES: dict[str, tuple[Callable[[Features], Space], Features]] = {
    "words": (lambda pool: TfIdf.of(csr_matrix(pool)), COUNTS),
    "numbers": (lambda pool: Centred.of(np.asarray(pool)), NUMBERS),
    "curves": (lambda pool: Curved.of(np.asarray(pool)), NUMBERS),
    "curves over few values": (lambda pool: Curved.of(np.asarray(pool)), RATINGS),
    "as it is": (lambda pool: AsItIs(pool.shape[1]), NUMBERS),
}
every = pytest.mark.parametrize("name", SPACES)


def dense(features: Features) -> Floats:
    return np.asarray(features) if isinstance(features, np.ndarray) else features.toarray()


def lengths(features: Features) -> Floats:
    return np.asarray(np.linalg.norm(dense(features), axis=1))


@every
def test_a_row_is_weighed_the_same_whatever_stands_beside_it(name: str) -> None:
    learn, rows = SPACES[name]
    space = learn(rows)
    together, alone = dense(space.weigh(rows)), dense(space.weigh(rows[2:3]))
    assert together.shape == (rows.shape[0], space.columns)
    np.testing.assert_allclose(together[2:3], alone, atol=1e-6)
    assert dense(space.weigh(rows[:0])).shape == (0, space.columns)


@every
def test_a_space_is_the_same_after_a_restart(name: str) -> None:
    learn, rows = SPACES[name]
    space = learn(rows)
    again = restore_space(skops.io.loads(skops.io.dumps(space.state()), trusted=[]))
    assert again.columns == space.columns
    np.testing.assert_array_equal(dense(again.weigh(rows)), dense(space.weigh(rows)))


@every
def test_the_same_tasks_make_the_same_space(name: str) -> None:
    learn, rows = SPACES[name]
    np.testing.assert_array_equal(dense(learn(rows).weigh(rows)), dense(learn(rows).weigh(rows)))


@every
@pytest.mark.parametrize("n", [0, 1, 2])
def test_the_first_tasks_are_enough_to_weigh_any_others(name: str, n: int) -> None:
    learn, rows = SPACES[name]
    weighed = learn(rows[:n]).weigh(rows)
    assert np.isfinite(weighed.data if issparse(weighed) else weighed).all()


@every
def test_what_was_weighed_is_left_as_it_was(name: str) -> None:
    learn, rows = SPACES[name]
    before = dense(rows).copy()
    learn(rows).weigh(rows)
    np.testing.assert_array_equal(dense(rows), before)


@pytest.mark.parametrize("counted", [10_000_000, 7])
def test_words_are_weighed_as_in_scikit_learn(counted: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spaces, "_COUNTED", counted)
    expected = TfidfTransformer(sublinear_tf=True).fit_transform(COUNTS)
    np.testing.assert_allclose(dense(TfIdf.of(COUNTS).weigh(COUNTS)), dense(expected), atol=1e-6)


def test_texts_are_one_long_but_for_empty_ones() -> None:
    np.testing.assert_allclose(lengths(TfIdf.of(COUNTS).weigh(COUNTS)), [1, 1, 1, 0, 1], atol=1e-6)


def test_numbers_are_one_long_on_the_average_and_their_mean_is_nowhere() -> None:
    weighed = dense(Centred.of(NUMBERS).weigh(NUMBERS))
    np.testing.assert_allclose(weighed.mean(axis=0), 0, atol=1e-5)
    assert np.sqrt((lengths(weighed) ** 2).mean()) == pytest.approx(1, rel=1e-5)


def test_numbers_that_never_change_stay_where_they_are() -> None:
    same = np.full((4, 2), 3, dtype=np.float32)
    for space in (Centred.of(same), Curved.of(same)):
        assert np.isfinite(space.weigh(same + 1)).all()
    np.testing.assert_array_equal(Centred.of(same).weigh(same), np.zeros((4, 2)))


def test_however_many_rows_are_the_same_what_curves_add_is_no_longer_than_one() -> None:
    for rows in (NUMBERS, RATINGS, np.repeat(RATINGS[:3], 100, axis=0)):
        near = dense(Curved.of(rows).weigh(rows))[:, rows.shape[1] :]
        assert lengths(near).max() <= 1 + 1e-6
        assert lengths(near).min() > 0.7


def test_with_curves_what_no_straight_line_parts_is_learned() -> None:
    """Two ratings agree or they do not: each by itself tells nothing."""
    rows = RATINGS[:, :2]
    labels = ["agree" if (first > 2) == (second > 2) else "not" for first, second in rows]
    accuracy = {}
    for space in (Centred.of(rows), Curved.of(rows)):
        model, _ = fit_choice(rows[:200], labels[:200], classes=("agree", "not"), space=space, judged=False)
        predicted = [guess.label for guess in model.predict([], rows[200:]).guesses("")]
        accuracy[type(space)] = np.mean([one == true for one, true in zip(predicted, labels[200:], strict=True)])
    assert accuracy[Centred] < 0.75
    assert accuracy[Curved] > 0.95


def test_products_are_the_same_whatever_part_of_them_is_dense(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = TfIdf.of(COUNTS).weigh(COUNTS)
    plain = (dense(rows).astype(np.float64)) @ dense(rows).astype(np.float64).T
    monkeypatch.setattr(spaces, "_FEW", 0)
    for columns_at_once in (1, 7, 1024):
        monkeypatch.setattr(spaces, "_TOGETHER", columns_at_once)
        np.testing.assert_allclose(inner_products(rows, rows), plain, rtol=1e-12, atol=1e-15)
        np.testing.assert_allclose(inner_products(rows[:3], rows), plain[:3], rtol=1e-12, atol=1e-15)


def test_with_curves_rows_that_are_near_each_other_are_alike_and_far_ones_are_not() -> None:
    space = Curved.of(NUMBERS)
    near = dense(space.weigh(np.vstack([NUMBERS[:1], NUMBERS[:1] + 1e-3, NUMBERS[:1] + 40])))[:, NUMBERS.shape[1] :]
    assert near[0] @ near[1] == pytest.approx(near[0] @ near[0], rel=1e-3)
    assert abs(near[0] @ near[2]) < 0.1


@pytest.mark.parametrize("rows", [COUNTS, NUMBERS], ids=["sparse", "dense"])
def test_only_the_columns_that_no_row_uses_are_dropped(rows: Features) -> None:
    columns, some = active(rows)
    products = inner_products(some, some)
    np.testing.assert_allclose(products, inner_products(rows, rows), rtol=1e-12)
    exact = dense(rows).astype(np.float64)
    np.testing.assert_allclose(products, exact @ exact.T, rtol=1e-12)
    assert len(columns) == some.shape[1] == (len(np.unique(COUNTS.indices)) if issparse(rows) else 3)
    rebuilt = np.zeros((some.shape[0], COLUMNS if issparse(rows) else 3))
    rebuilt[:, columns] = dense(some)
    np.testing.assert_allclose(rebuilt, dense(rows))


def test_a_space_from_the_future_is_none() -> None:
    with pytest.raises(KeyError, match="hyperbolic"):
        restore_space({"kind": "hyperbolic"})
