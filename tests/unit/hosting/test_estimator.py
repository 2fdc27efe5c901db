"""Any scikit-learn estimator learns the target that suits it, from the fields of tasks and their labels."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin
from sklearn.cluster import KMeans
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction import DictVectorizer
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, WhiteKernel
from sklearn.impute import SimpleImputer
from sklearn.linear_model import BayesianRidge, LinearRegression, LogisticRegression, Perceptron, Ridge, RidgeClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.multioutput import MultiOutputClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, OrdinalEncoder, StandardScaler
from sklearn.svm import SVC, LinearSVC
from sklearn.tree import DecisionTreeClassifier

from nextlabel.errors import SchemaError, SettingsError
from nextlabel.hosting import HostedPrediction
from nextlabel.hosting.answers import read_labels
from nextlabel.hosting.estimator import EstimatorModel, HostedEstimator, estimator_of
from nextlabel.hosting.estimator_answers import for_several_labels
from nextlabel.hosting.plain_targets import plain_target, read_target
from nextlabel.labeling import Input, InputKind, Label, Scale, Target

LABELS = ("sport", "money", "art")
TEXT = (Input("text"),)
TOPIC = Target("topic", "choice", TEXT, LABELS)
TOPICS = Target("topic", "choices", TEXT, LABELS)
STARS = Target("stars", "number", TEXT, scale=Scale(1, 4, 1))
PRICE = Target("price", "number", TEXT, scale=Scale(0, 10, 0.5))
ANY_PRICE = Target("price", "number", TEXT, scale=Scale())
TEXTS = {
    "sport": ["the team won the match", "a late goal decided the match", "the coach praised the team after the goal"],
    "money": ["shares fell at the bank", "the bank raised its rates", "profits and shares rose, said the bank"],
    "art": ["the museum shows new paintings", "paintings sold by the museum", "the museum bought paintings and prints"],
}
ASKED = {"the team and the goal": "sport", "shares of the bank": "money", "paintings of the museum": "art"}


Labeled = tuple[dict[str, Any], Any]


def fields(data: Any) -> dict[str, Any]:
    return data if isinstance(data, dict) else {"text": data}


def topics() -> list[Labeled]:
    return [({"text": text}, label) for label, texts in TEXTS.items() for text in texts]


def taught(estimator: Any, target: Target, labeled: Sequence[tuple[Any, Any]], folder: Path) -> EstimatorModel:
    """A model restored from what another has learned and written; all is given to it as JSON leaves it."""
    given = json.loads(json.dumps([[fields(data), label] for data, label in labeled]))
    model = EstimatorModel(estimator, target, {})
    state = model.fit([data for data, _ in given], [label for _, label in given], folder)
    return EstimatorModel(estimator, target, json.loads(json.dumps(state)))


def answered(model: EstimatorModel, tasks: Sequence[Any], target: Target = TOPIC) -> list[HostedPrediction]:
    """What it says of each task, through JSON."""
    answer = json.loads(json.dumps(model.predict([fields(data) for data in tasks])))
    predictions = read_labels(answer, len(tasks), target)
    for one in predictions:
        assert (one.result, one.region_scores) == ([], ())
        if one.score is not None:
            assert type(one.score) is float
            assert 0 <= one.score <= 1
    return predictions


def labels(model: EstimatorModel, tasks: Sequence[Any], target: Target = TOPIC) -> list[Label | None]:
    return [one.label for one in answered(model, tasks, target)]


class Embedder(TransformerMixin, BaseEstimator):
    """A transformer of a team's own, that states nothing of what it reads."""

    def fit(self, texts: Any, y: Any = None) -> Embedder:
        return self

    def transform(self, texts: list[str]) -> list[list[int]]:
        return [[text.count(word) for word in ("goal", "bank", "museum", "team")] for text in texts]


class Plain:
    """An estimator that inherits from nothing, so scikit-learn takes it in no pipeline."""

    def fit(self, x: Any, y: Any) -> Plain:
        return self

    def predict(self, x: Any) -> Any:
        return x

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        return {}


class Mute(ClassifierMixin, BaseEstimator):
    """It says what it thinks, and not how sure it is."""

    def fit(self, x: Any, y: Any) -> Mute:
        self.inner_ = LogisticRegression().fit(x, y)
        return self

    def predict(self, x: Any) -> Any:
        return self.inner_.predict(x)


# --- one choice ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "estimator",
    [
        LogisticRegression(),
        GaussianNB(),  # takes no sparse matrix
        RidgeClassifier(),  # a decision function only
        make_pipeline(StandardScaler(), SVC(decision_function_shape="ovr")),
        make_pipeline(TfidfVectorizer(), LinearSVC()),
        make_pipeline(make_union(CountVectorizer(), TfidfVectorizer()), Perceptron()),
        make_pipeline(Embedder(), LogisticRegression()),
        make_pipeline(FunctionTransformer(Embedder().transform), LogisticRegression()),
        GridSearchCV(make_pipeline(TfidfVectorizer(), LogisticRegression()), {"logisticregression__C": [1, 10]}, cv=2),
    ],
    ids=lambda estimator: type(estimator).__name__,
)
def test_a_classifier_learns_the_choice_of_texts_and_is_surest_of_what_it_has_seen(
    estimator: Any, tmp_path: Path
) -> None:
    model = taught(estimator, TOPIC, topics(), tmp_path)
    *known, unknown = answered(model, [*ASKED, "quite another thing"])
    assert [one.label for one in known] == list(ASKED.values())
    assert all((one.score or 0) >= (unknown.score or 1) for one in known)
    assert not hasattr(estimator, "n_features_in_"), "what was found must stay unfitted"


def test_the_score_is_the_probability_of_the_label_whether_there_are_two_or_more(tmp_path: Path) -> None:
    two = [(data, label) for data, label in topics() if label != "art"]
    for tasks, number in ((two, 2), (topics(), 3)):
        [unknown] = answered(taught(LogisticRegression(), TOPIC, tasks, tmp_path), [""])
        assert unknown.score == pytest.approx(1 / number, abs=0.02)
        *known, unknown = answered(taught(LinearSVC(), TOPIC, tasks, tmp_path), [*(data for data, _ in tasks), ""])
        assert unknown.score == pytest.approx(1 / number, abs=0.2)
        assert min(one.score or 0 for one in known) > max(0.5, unknown.score or 1)


def test_an_estimator_that_does_not_say_how_sure_it_is_gives_no_score(tmp_path: Path) -> None:
    answers = answered(taught(Mute(), TOPIC, topics(), tmp_path), list(ASKED))
    assert [(one.label, one.score) for one in answers] == [(label, None) for label in ASKED.values()]


@pytest.mark.parametrize(
    ("target", "label"),
    [(TOPIC, "sport"), (TOPICS, ["sport"]), (STARS, 3.0), (PRICE, 3.0)],
    ids=lambda it: str(it)[:30],
)
def test_without_two_different_labels_nothing_is_learned_and_nothing_said(
    target: Target, label: Any, tmp_path: Path
) -> None:
    learner = LinearRegression() if target.kind == "number" else LogisticRegression()
    for alike in ([], [label], [label, label]):
        (tmp_path / "estimator.joblib").write_text("of the version before")
        model = EstimatorModel(learner, target, {})
        assert model.fit([{"text": "a b"}, {"text": "c d"}][: len(alike)], alike, tmp_path) == {}
        assert list(tmp_path.iterdir()) == []
        assert all(one.is_empty for one in answered(model, ["a", "b"], target))


def test_a_state_of_another_target_or_with_labels_that_are_gone_says_nothing_of_them(tmp_path: Path) -> None:
    tasks, given = [data for data, _ in topics()], [label for _, label in topics()]
    state = EstimatorModel(LogisticRegression(), TOPIC, {}).fit(tasks, given, tmp_path)
    fewer = replace(TOPIC, labels=("sport", "art"))
    sport, money, art = answered(EstimatorModel(LogisticRegression(), fewer, state), list(ASKED), fewer)
    assert (sport.label, art.label) == ("sport", "art")
    assert money.is_empty
    for other in (TOPICS, replace(TOPIC, name="subject")):
        answers = answered(EstimatorModel(LogisticRegression(), other, state), list(ASKED), other)
        assert all(one.is_empty for one in answers)


# --- several choices -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "estimator",
    [
        LogisticRegression(C=100),
        LinearSVC(),
        make_pipeline(TfidfVectorizer(), LogisticRegression(C=100)),
        KNeighborsClassifier(1),
        RidgeClassifier(alpha=0.1),
        MultiOutputClassifier(LogisticRegression(C=100)),
    ],
    ids=lambda estimator: type(estimator).__name__,
)
def test_a_classifier_learns_several_choices_and_none(estimator: Any, tmp_path: Path) -> None:
    tasks = [
        *((data, [label]) for data, label in topics()),
        ("the bank bought paintings for the museum", ["money", "art"]),
        ("the weather will be fine", []),
        ("fine weather", []),
    ]
    model = taught(estimator, TOPICS, tasks, tmp_path)
    asked = ["the bank bought paintings for the museum", "the weather will be fine"]
    both, none = answered(model, asked, TOPICS)
    assert (both.label, none.label) == (("money", "art"), ())
    assert none.score is not None
    assert 0.5 < none.score <= 1


def test_what_stands_before_a_classifier_is_done_once_for_all_choices() -> None:
    made = for_several_labels(make_pipeline(TfidfVectorizer(), LogisticRegression()))
    assert [type(step).__name__ for _, step in made.steps] == ["TfidfVectorizer", "OneVsRestClassifier"]


def test_choices_that_all_or_no_annotations_have_are_given_or_left_out_without_being_learned(tmp_path: Path) -> None:
    tasks = [("the team won", ["sport", "art"]), ("the bank fell", ["art"])]
    for estimator in (LogisticRegression(), KNeighborsClassifier(1), MultiOutputClassifier(LogisticRegression())):
        model = taught(estimator, TOPICS, tasks, tmp_path)
        assert labels(model, [text for text, _ in tasks], TOPICS) == [("sport", "art"), ("art",)]


# --- numbers ---------------------------------------------------------------------------------------------------------


def test_a_regressor_gives_whole_stars_within_the_scale_and_is_less_sure_of_what_it_has_not_seen(
    tmp_path: Path,
) -> None:
    words = ["bad", "dull", "good", "great"]
    tasks = [(f"a {word} film", float(stars)) for stars, word in enumerate(words, 1) for _ in range(3)]
    process = GaussianProcessRegressor(RBF() + WhiteKernel(0.01), optimizer=None, normalize_y=True)
    for estimator in (process, make_pipeline(TfidfVectorizer(), FunctionTransformer(densely), BayesianRidge())):
        model = taught(estimator, STARS, tasks, tmp_path)
        answers = answered(model, [*(f"a {word} film" for word in words), "quite another thing"], STARS)
        assert [one.label for one in answers[:4]] == [1, 2, 3, 4]
        assert all(one.score is not None and 0 < one.score < 1 for one in answers)
    asked = [*(text for text, _ in tasks), "quite another thing"]
    [*known, unknown] = answered(taught(process, STARS, tasks, tmp_path), asked, STARS)
    assert min(one.score or 0 for one in known) > (unknown.score or 1)


def test_how_sure_a_regressor_is_does_not_depend_on_the_unit_of_what_it_learns(tmp_path: Path) -> None:
    def scores(unit: float) -> list[float | None]:
        tasks = [({"size": size}, float(unit * size**2)) for size in range(5)]
        process = GaussianProcessRegressor(RBF() + WhiteKernel(0.01), optimizer=None, normalize_y=True)
        model = taught(process, ANY_PRICE, tasks, tmp_path)
        return [one.score for one in answered(model, [{"size": size} for size in (2, 2.5, 40)], ANY_PRICE)]

    assert scores(1) == pytest.approx(scores(1000))
    assert scores(1)[2] == pytest.approx(0.5, abs=0.01), "of what it knows nothing it says that it may be any label"


def test_numbers_stay_within_the_targets_bounds_and_on_its_steps(tmp_path: Path) -> None:
    tasks = [({"size": size}, float(size)) for size in (1, 2, 3)]
    asked = [{"size": size} for size in (-5, 2.2, 2.3, 40)]
    model = taught(LinearRegression(), PRICE, tasks, tmp_path)
    assert labels(model, asked, PRICE) == [0.0, 2.0, 2.5, 10.0]
    assert all(one.score is None for one in answered(model, asked, PRICE)), "it does not say how sure it is"
    assert labels(model, asked, replace(PRICE, scale=Scale(0.1, 9, 3))) == [0.1, 3.1, 3.1, 6.1]
    assert labels(model, asked, ANY_PRICE)[3] == pytest.approx(40)


# --- what an estimator is given --------------------------------------------------------------------------------------


FLATS: list[Labeled] = [
    ({"text": "a flat", "rooms": rooms, "city": city, "floor": 3, "lift": True, "sold": None}, label)
    for rooms, city, label in (
        *((1, "Rome", "art"), (2, "Rome", "art"), (7, "Bonn", "money"), (8, "Bonn", "money"), (None, "Bonn", "money")),
    )
]


@pytest.mark.parametrize(
    "estimator",
    [
        DecisionTreeClassifier(random_state=0),
        RandomForestClassifier(5, bootstrap=False, random_state=0),
        make_pipeline(StandardScaler(), LogisticRegression()),
        make_pipeline(DictVectorizer(), LogisticRegression()),
        make_pipeline(OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1), DecisionTreeClassifier()),
        make_pipeline(
            make_column_transformer((StandardScaler(), ["rooms"]), (OneHotEncoder(), ["city"])), LogisticRegression()
        ),
        make_pipeline(
            make_column_transformer(
                (make_pipeline(SimpleImputer(), StandardScaler()), ["rooms"]),
                (OneHotEncoder(handle_unknown="ignore"), ["city"]),
                (TfidfVectorizer(), "text"),
            ),
            LogisticRegression(),
        ),
    ],
)
def test_fields_of_tables_are_learned_from_and_missing_ones_break_no_batch(estimator: Any, tmp_path: Path) -> None:
    gaps: list[Any] = [
        {},
        {"rooms": None},
        {"city": None, "rooms": 7},
        {"rooms": "seven"},
        {"rooms": 10**400},
        {"rooms": 1e300},
        None,
    ]
    in_row = [({"row": data, "page": 3}, label) for data, label in FLATS]
    table = replace(TOPIC, inputs=(Input("row", "table"),))
    for tasks, wrap, target in ((FLATS, lambda data: data, TOPIC), (in_row, lambda data: {"row": data}, table)):
        model = taught(estimator, target, tasks, tmp_path)
        one, eight = ({"rooms": 1, "city": "Rome", "text": "a flat"}, {"rooms": 8, "city": "Bonn", "text": "a flat"})
        few, many, *others = labels(model, [wrap(data) for data in (one, eight, *gaps)], target)
        assert (few, many) == ("art", "money")
        assert all(label in LABELS for label in others)


def test_a_pipeline_that_imputes_sees_what_is_missing(tmp_path: Path) -> None:
    impute = make_column_transformer((SimpleImputer(strategy="constant", fill_value=-9), ["rooms"]))
    tasks = [({"rooms": rooms}, "art" if rooms else "money") for rooms in (None, 5, 6, 7)]
    model = taught(make_pipeline(impute, DecisionTreeClassifier()), TOPIC, tasks, tmp_path)
    assert labels(model, [data for data, _ in tasks]) == ["money", "art", "art", "art"]


def test_a_text_beside_many_numbers_is_still_what_is_learned_from_and_so_are_single_signs(tmp_path: Path) -> None:
    tasks = [({**data, "id": n, "year": 2000 + n, "page": n}, label) for n, (data, label) in enumerate(topics())]
    model = taught(DecisionTreeClassifier(random_state=0), TOPIC, tasks, tmp_path)
    renumbered = [{"text": text, "id": -1, "year": 1, "page": 999} for text in ("the bank", "the museum")]
    assert labels(model, renumbered) == ["money", "art"]
    signs = [("5", "art"), ("?", "money")]
    assert labels(taught(LogisticRegression(), TOPIC, signs, tmp_path), ["5", "?"]) == ["art", "money"]


def test_what_texts_are_missing_breaks_no_batch_and_only_words_that_are_shown_count(tmp_path: Path) -> None:
    shown = replace(TOPIC, inputs=(Input("title"),))
    received = {
        "sport": "<b>goal</b> &amp; team won the match",
        "money": "the <i class='markup'>bank</i> raised its rates",
    }
    tasks = [({"title": text, "year": 3, "month": 4, "text": "bank"}, label) for label, text in received.items()]
    asked: list[Any] = [{"title": "goal", "text": "bank"}, {"title": "bank"}, {"title": ["bank"]}]
    nothing: list[Any] = [{"title": None}, {}, {"title": "markup"}]
    *known, none, empty, markup = answered(taught(LogisticRegression(), shown, tasks, tmp_path), asked + nothing, shown)
    assert [one.label for one in known] == ["sport", "money", "money"]
    assert none == empty == markup


def test_a_field_may_lead_into_another_one(tmp_path: Path) -> None:
    inside = replace(TOPIC, inputs=(Input("mail.body[0]"),))
    tasks = [({"mail": {"body": [data["text"]]}}, label) for data, label in topics()]
    model = taught(LogisticRegression(), inside, tasks, tmp_path)
    assert labels(model, [{"mail": {"body": [text]}} for text in ASKED], inside) == list(ASKED.values())


values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text()),
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(st.text(max_size=5), inner, max_size=2)),
    max_leaves=4,
)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> list[EstimatorModel]:
    """One for each way in which the fields of tasks are read."""
    columns = make_column_transformer(
        (StandardScaler(), ["rooms"]), (OneHotEncoder(handle_unknown="ignore"), ["city"]), (TfidfVectorizer(), "text")
    )
    text = taught(LogisticRegression(), TOPIC, topics(), tmp_path_factory.mktemp("text"))
    tables = [make_pipeline(columns, LogisticRegression()), KNeighborsClassifier(1), RandomForestClassifier(3)]
    return [text, *(taught(one, TOPIC, FLATS, tmp_path_factory.mktemp("table")) for one in tables)]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    data=st.lists(st.dictionaries(st.sampled_from(["text", "rooms", "city", "new"]), values), min_size=1, max_size=4)
)
def test_whatever_tasks_hold_each_gets_a_label(data: list[dict[str, Any]], models: list[EstimatorModel]) -> None:
    for model in models:
        assert all(label in LABELS for label in labels(model, data))


def test_pictures_are_learned_from_only_by_a_pipeline_that_reads_them(tmp_path: Path) -> None:
    tasks = [({"url": f"/{name}.png"}, label) for name, label in (("goal", "sport"), ("bank", "money"))]
    kinds: tuple[InputKind, ...] = ("image", "metadata")
    for kind in kinds:
        shown = replace(TOPIC, inputs=(Input("url", kind),))
        with pytest.raises(SchemaError, match=r"LogisticRegression learns from numbers, .* nor a text in 'url'"):
            taught(LogisticRegression(), shown, tasks, tmp_path)
        model = taught(make_pipeline(Embedder(), LogisticRegression()), shown, tasks, tmp_path)
        assert labels(model, [data for data, _ in tasks], shown) == ["sport", "money"]


def densely(matrix: Any) -> Any:
    return matrix.toarray()


# --- which target, and which estimator -------------------------------------------------------------------------------


def test_nothing_of_a_target_is_lost_as_plain_values() -> None:
    pages = Input("pages", "image", layout="list")
    for one in (
        Target("it", "choices", (pages,), ("a",), pre_annotated=False, options="options", separator=" > "),
        Target("it", "number", (pages, pages), scale=Scale(1, 5, 1), compared=True),
    ):
        assert read_target(json.loads(json.dumps(plain_target(one)))) == one


def hosted(found: Any, *targets: Target, left_out: dict[str, str] | None = None) -> HostedEstimator:
    plain = json.loads(json.dumps([plain_target(target) for target in targets]))
    assert tuple(map(read_target, plain)) == targets
    question = {"parameters": {}, "targets": plain, "left_out": left_out or {}, "folder": ".", "train_output": {}}
    return HostedEstimator(found, question)


SPANS = Target("span", "spans", TEXT, ("a",))
BETTER = Target("better", "choice", (Input("a"), Input("b")), ("left", "right"), compared=True)


def test_the_first_target_that_suits_is_learned_and_a_project_without_one_is_refused_with_what_it_has() -> None:
    both = (SPANS, BETTER, STARS, TOPICS, TOPIC)
    assert [hosted(one, *both).target for one in (LogisticRegression(), Ridge())] == ["topic", "stars"]
    assert hosted(SVC, *both[4:]).target == "topic"
    held = replace(TOPICS, name="boxes", pre_annotated=False)  # what is shown is learned before what only orders
    assert [hosted(SVC, *some).target for some in ((held, TOPIC), (held,))] == ["topic", "boxes"]
    refused = r"nothing for a classifier, .*'span' is spans of a text; 'better' is a comparison; 'stars' is a number; "
    with pytest.raises(SchemaError, match=refused):
        hosted(LogisticRegression(), SPANS, BETTER, STARS, left_out={"part": "It is asked of parts of a task."})
    with pytest.raises(SchemaError, match=r"nothing for a regressor, which learns a number of .* asks for nothing"):
        hosted(Ridge())
    for none, kind in ((KMeans(), "clusterer"), (Plain(), "None")):
        received = rf"{type(none).__name__} is neither a classifier nor a regressor by its tags \({kind}\)"
        with pytest.raises(SettingsError, match=received):
            hosted(none, TOPIC)


def test_an_estimator_is_a_class_an_object_or_a_function_and_comes_new_and_unfitted() -> None:
    fitted: Any = LogisticRegression(C=7).fit([[0], [1]], [0, 1])
    new = estimator_of(fitted, {})
    assert new.C == 7
    assert not hasattr(new, "coef_")
    assert estimator_of(LogisticRegression, {"C": 3, "hostname": "of no use to it"}).C == 3
    assert estimator_of(fitted, {"C": 3}).C == 3
    assert fitted.C == 7
    made = estimator_of(lambda: make_pipeline(StandardScaler(), fitted), {"logisticregression__C": 2})
    assert made[-1].C == 2
    for found, received in (
        (3, r"neither a class of label-studio-ml nor a scikit-learn estimator: int has no fit, predict, get_params"),
        (MultiOutputClassifier, r"MultiOutputClassifier cannot be made without arguments .*'estimator'"),
        (dict, r"dict has no fit, predict, get_params"),
    ):
        with pytest.raises(SettingsError, match=received):
            estimator_of(found, {})
