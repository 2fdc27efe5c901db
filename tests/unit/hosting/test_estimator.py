"""Any scikit-learn estimator learns the control that suits it, and says what Label Studio takes."""

from __future__ import annotations

import json
from collections.abc import Sequence
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
from nextlabel.hosting.estimator import EstimatorModel, estimator_of
from nextlabel.hosting.estimator_answers import for_several_labels
from nextlabel.hosting.estimator_controls import in_force

LABELS = ("sport", "money", "art")
CHOICES = "".join(f'<Choice value="{label}"/>' for label in LABELS)
TOPIC = f'<Choices name="topic" toName="text">{CHOICES}</Choices>'
TOPICS = f'<Choices name="topic" toName="text" choice="multiple">{CHOICES}</Choices>'
STARS = '<Rating name="stars" toName="text" maxRating="4"/>'
PRICE = '<Number name="price" toName="text" min="0" max="10" step="0.5"/>'
TEXTS = {
    "sport": ["the team won the match", "a late goal decided the match", "the coach praised the team after the goal"],
    "money": ["shares fell at the bank", "the bank raised its rates", "profits and shares rose, said the bank"],
    "art": ["the museum shows new paintings", "paintings sold by the museum", "the museum bought paintings and prints"],
}
ASKED = {"the team and the goal": "sport", "shares of the bank": "money", "paintings of the museum": "art"}


def config(control: str, shown: str = '<Text name="text" value="$text"/>') -> str:
    return f"<View>{shown}{control}</View>"


def task(data: Any, *annotations: dict[str, Any]) -> dict[str, Any]:
    return {"id": 1, "data": data if isinstance(data, dict) else {"text": data}, "annotations": list(annotations)}


def said(value: dict[str, Any] | None, **more: Any) -> dict[str, Any]:
    names = {"choices": "topic", "rating": "stars", "number": "price"}
    items = [{"from_name": names[kind], "to_name": "text", "type": kind, "value": value} for kind in value or ()]
    return {"id": 1, "result": items, "was_cancelled": False, "updated_at": "2025-01-01T00:00:00Z", **more}


def chose(*labels: str, **more: Any) -> dict[str, Any]:
    return said({"choices": list(labels)}, **more)


def topics() -> list[dict[str, Any]]:
    return [task(text, chose(label)) for label, texts in TEXTS.items() for text in texts]


def taught(
    estimator: Any, control: str, tasks: Sequence[dict[str, Any]], folder: Path, shown: str | None = None
) -> EstimatorModel:
    """A model restored from what another has learned and written, as JSON leaves it."""
    read = config(control, shown) if shown else config(control)
    state = EstimatorModel(estimator, read, {}).fit(tasks, str(folder))
    return EstimatorModel(estimator, read, json.loads(json.dumps(state)))


def value(prediction: dict[str, Any], name: str, kind: str) -> Any:
    """What one item says, which must have the very shape that Label Studio takes, and the prediction's score."""
    [item] = prediction["result"]
    has_score = "score" in prediction
    assert set(prediction) == ({"result", "score"} if has_score else {"result"})
    assert set(item) == {"from_name", "to_name", "type", "value", *(["score"] if has_score else [])}
    assert (item["from_name"], item["to_name"], item["type"], list(item["value"])) == (name, "text", kind, [kind])
    if has_score:
        assert type(item["score"]) is float
        assert 0 <= item["score"] == prediction["score"] <= 1
    return item["value"][kind]


def chosen(predictions: Sequence[dict[str, Any]]) -> list[Any]:
    return [value(prediction, "topic", "choices") for prediction in predictions]


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
    answers = model.predict([task(text) for text in ASKED])
    assert chosen(answers) == [[label] for label in ASKED.values()]
    [unknown] = model.predict([task("quite another thing")])
    assert all(answer["score"] >= unknown["score"] for answer in answers)
    assert not hasattr(estimator, "n_features_in_"), "what was found must stay unfitted"


def test_the_score_is_the_probability_of_the_label_whether_there_are_two_or_more(tmp_path: Path) -> None:
    two = [one for one in topics() if "art" not in str(one["annotations"])]
    for tasks, labels in ((two, 2), (topics(), 3)):
        [unknown] = taught(LogisticRegression(), TOPIC, tasks, tmp_path).predict([task("")])
        assert unknown["score"] == pytest.approx(1 / labels, abs=0.02)
        *known, unknown = taught(LinearSVC(), TOPIC, tasks, tmp_path).predict([*tasks, task("")])
        assert unknown["score"] == pytest.approx(1 / labels, abs=0.2)
        assert min(one["score"] for one in known) > max(0.5, unknown["score"])


def test_an_estimator_that_does_not_say_how_sure_it_is_gives_no_score(tmp_path: Path) -> None:
    answers = taught(Mute(), TOPIC, topics(), tmp_path).predict([task(text) for text in ASKED])
    assert chosen(answers) == [[label] for label in ASKED.values()]
    assert all("score" not in answer for answer in answers)


@pytest.mark.parametrize("control", [TOPIC, TOPICS, STARS, PRICE])
def test_without_two_different_labels_nothing_is_learned_and_nothing_said(control: str, tmp_path: Path) -> None:
    learner = LogisticRegression() if "Choice" in control else LinearRegression()
    alike = {"choices": ["sport"]} if "Choice" in control else {"rating": 3} if "Rating" in control else {"number": 3}
    for tasks in ([], [task("a b")], [task("a b", said(alike)), task("c d", said(alike))]):
        (tmp_path / "estimator.joblib").write_text("of the version before")
        model = EstimatorModel(learner, config(control), {})
        assert model.fit(tasks, str(tmp_path)) == {}
        assert list(tmp_path.iterdir()) == []
        assert model.predict([task("a"), task("b")]) == [{"result": []}] * 2


def test_the_annotation_in_force_is_the_last_that_was_not_cancelled() -> None:
    old, new = "2025-01-01T10:00:00.000000Z", "2025-01-01T09:30:00-02:00"  # an hour and a half later
    for several, label in (
        ([chose("sport", id=2, updated_at=new), chose("money", id=1, updated_at=old)], "sport"),
        ([chose("sport", id=9, updated_at=old), chose("money", id=10, updated_at=old)], "money"),
        ([chose("sport", id=1), chose("money", id=2, was_cancelled=True)], "sport"),
        ([chose("sport", updated_at=None), chose("money", updated_at="")], "sport"),
    ):
        annotation = in_force(several)
        assert annotation
        assert annotation["result"][0]["value"] == {"choices": [label]}, several
    assert in_force([chose("sport", was_cancelled=True)]) is None


def test_what_is_no_label_of_the_control_teaches_nothing(tmp_path: Path) -> None:
    odd: list[Any] = [{"choices": ["gone"]}, {"choices": ["sport", "money"]}, {"choices": "sport"}, {"choices": []}]
    noise = [task("the bank", said(value)) for value in odd]
    of_type = {"from_name": "topic", "type": "labels", "value": {"choices": ["art"]}}
    noise += [
        task("the bank", {"result": [of_type]}),
        task("the bank", said({"rating": 1})),
        task("the bank", said(None)),
        task("the bank"),
    ]
    noise += [task("the bank", {"result": [{"from_name": "topic", "type": "choices", "value": None}, 3, None]})]
    model, plain = (taught(LogisticRegression(), TOPIC, tasks, tmp_path) for tasks in (topics() + noise, topics()))
    asked = [task(text) for text in ASKED]
    assert model.predict(asked) == plain.predict(asked)


def test_a_state_of_another_control_or_with_labels_that_are_gone_says_nothing_of_them(tmp_path: Path) -> None:
    state = EstimatorModel(LogisticRegression(), config(TOPIC), {}).fit(topics(), str(tmp_path))
    asked = [task(text) for text in ASKED]
    fewer = TOPIC.replace('<Choice value="money"/>', "")
    sport, money, art = EstimatorModel(LogisticRegression(), config(fewer), state).predict(asked)
    assert chosen([sport, art]) == [["sport"], ["art"]]
    assert money == {"result": []}
    for other in (TOPICS, TOPIC.replace('name="topic"', 'name="subject"')):
        assert EstimatorModel(LogisticRegression(), config(other), state).predict(asked) == [{"result": []}] * 3


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
        *topics(),
        task("the bank bought paintings for the museum", chose("art", "money")),
        task("the weather will be fine", said(None)),
        task("fine weather", said(None)),
    ]
    model = taught(estimator, TOPICS, tasks, tmp_path)
    both, none = model.predict([task("the bank bought paintings for the museum"), task("the weather will be fine")])
    assert chosen([both]) == [["money", "art"]]
    assert none["result"] == []
    assert 0.5 < none["score"] <= 1


def test_what_stands_before_a_classifier_is_done_once_for_all_choices() -> None:
    made = for_several_labels(make_pipeline(TfidfVectorizer(), LogisticRegression()))
    assert [type(step).__name__ for _, step in made.steps] == ["TfidfVectorizer", "OneVsRestClassifier"]


def test_choices_that_all_or_no_annotations_have_are_given_or_left_out_without_being_learned(tmp_path: Path) -> None:
    tasks = [task("the team won", chose("art", "sport")), task("the bank fell", chose("art"))]
    for estimator in (LogisticRegression(), KNeighborsClassifier(1), MultiOutputClassifier(LogisticRegression())):
        model = taught(estimator, TOPICS, tasks, tmp_path)
        won, fell = model.predict([task("the team won"), task("the bank fell")])
        assert chosen([won, fell]) == [["sport", "art"], ["art"]]


@pytest.mark.parametrize("asked", ['required="true"', 'visibleWhen="choice-selected"'])
def test_where_an_answer_is_required_or_not_asked_of_all_no_choice_is_no_label(asked: str, tmp_path: Path) -> None:
    control = TOPICS.replace("<Choices", f"<Choices {asked}")
    tasks = [task("the team won", chose("art")), task("the bank fell", said(None))]
    assert EstimatorModel(LogisticRegression(), config(control), {}).fit(tasks, str(tmp_path)) == {}
    assert EstimatorModel(LogisticRegression(), config(TOPICS), {}).fit(tasks, str(tmp_path)) != {}
    around = f"<View {asked}>{TOPICS}</View>"
    taught_around = EstimatorModel(LogisticRegression(), config(around), {}).fit(tasks, str(tmp_path)) != {}
    assert taught_around == ("required" in asked)


# --- numbers ---------------------------------------------------------------------------------------------------------


def test_a_regressor_gives_whole_stars_within_the_scale_and_is_less_sure_of_what_it_has_not_seen(
    tmp_path: Path,
) -> None:
    words = ["bad", "dull", "good", "great"]
    tasks = [task(f"a {word} film", said({"rating": stars})) for stars, word in enumerate(words, 1) for _ in range(3)]
    process = GaussianProcessRegressor(RBF() + WhiteKernel(0.01), optimizer=None, normalize_y=True)
    for estimator in (process, make_pipeline(TfidfVectorizer(), FunctionTransformer(densely), BayesianRidge())):
        model = taught(estimator, STARS, tasks, tmp_path)
        answers = model.predict([*(task(f"a {word} film") for word in words), task("quite another thing")])
        stars = [value(answer, "stars", "rating") for answer in answers]
        assert stars[:4] == [1, 2, 3, 4]
        assert all(type(one) is int for one in stars)
        assert all(0 < answer["score"] < 1 for answer in answers)
    [*known, unknown] = taught(process, STARS, tasks, tmp_path).predict([*tasks, task("quite another thing")])
    assert min(answer["score"] for answer in known) > unknown["score"]


def test_how_sure_a_regressor_is_does_not_depend_on_the_unit_of_what_it_learns(tmp_path: Path) -> None:
    def scores(unit: float) -> list[float]:
        tasks = [task({"size": size}, said({"number": unit * size**2})) for size in range(5)]
        process = GaussianProcessRegressor(RBF() + WhiteKernel(0.01), optimizer=None, normalize_y=True)
        model = taught(process, '<Number name="price" toName="text"/>', tasks, tmp_path)
        return [answer["score"] for answer in model.predict([task({"size": size}) for size in (2, 2.5, 40)])]

    assert scores(1) == pytest.approx(scores(1000))
    assert scores(1)[2] == pytest.approx(0.5, abs=0.01), "of what it knows nothing it says that it may be any label"


def test_numbers_stay_within_the_controls_bounds_and_on_its_steps(tmp_path: Path) -> None:
    tasks = [task({"size": size}, said({"number": price})) for size, price in ((1, 1.0), (2, 2.0), (3, 3.0), (4, 99.0))]
    tasks += [task({"size": -50}, said({"number": odd})) for odd in (True, "9", None, 10.5, float("nan"))]
    asked = [task({"size": size}) for size in (-5, 2.2, 2.3, 40)]
    answers = taught(LinearRegression(), PRICE, tasks, tmp_path).predict(asked)
    assert [value(answer, "price", "number") for answer in answers] == [0.0, 2.0, 2.5, 10.0]
    assert all("score" not in answer for answer in answers), "it does not say how sure it is"
    uneven = '<Number name="price" toName="text" min="0.1" max="9" step="3"/>'
    answers = taught(LinearRegression(), uneven, tasks, tmp_path).predict(asked)
    assert [value(answer, "price", "number") for answer in answers] == [0.1, 3.1, 3.1, 6.1]
    free = taught(LinearRegression(), '<Number name="price" toName="text"/>', tasks, tmp_path).predict(asked)
    assert value(free[3], "price", "number") > 10


# --- what an estimator is given --------------------------------------------------------------------------------------


FLATS = [
    task({"text": "a flat", "rooms": rooms, "city": city, "floor": 3, "lift": True, "sold": None}, chose(label))
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
    shown = '<Table name="text" value="$row"/>'
    in_row = [{**one, "data": {"row": one["data"], "page": 3}} for one in FLATS]
    for tasks, wrap, tag in ((FLATS, lambda data: data, None), (in_row, lambda data: {"row": data}, shown)):
        model = taught(estimator, TOPIC, tasks, tmp_path, tag)
        few, many, *_ = answers = model.predict(
            [
                task(wrap({"rooms": 1, "city": "Rome", "text": "a flat"})),
                task(wrap({"rooms": 8, "city": "Bonn", "text": "a flat"})),
                *({"data": wrap(data)} for data in gaps),
            ]
        )
        assert chosen([few, many]) == [["art"], ["money"]]
        assert all(value(answer, "topic", "choices")[0] in LABELS for answer in answers)


def test_a_pipeline_that_imputes_sees_what_is_missing(tmp_path: Path) -> None:
    impute = make_column_transformer((SimpleImputer(strategy="constant", fill_value=-9), ["rooms"]))
    tasks = [task({"rooms": rooms}, chose("art" if rooms else "money")) for rooms in (None, 5, 6, 7)]
    model = taught(make_pipeline(impute, DecisionTreeClassifier()), TOPIC, tasks, tmp_path)
    assert chosen(model.predict(tasks)) == [["money"], ["art"], ["art"], ["art"]]


def test_a_text_beside_many_numbers_is_still_what_is_learned_from_and_so_are_single_signs(tmp_path: Path) -> None:
    tasks = [{**one, "data": {**one["data"], "id": n, "year": 2000 + n, "page": n}} for n, one in enumerate(topics())]
    model = taught(DecisionTreeClassifier(random_state=0), TOPIC, tasks, tmp_path)
    renumbered = [task({"text": text, "id": -1, "year": 1, "page": 999}) for text in ("the bank", "the museum")]
    assert chosen(model.predict(renumbered)) == [["money"], ["art"]]
    signs = [task("5", chose("art")), task("?", chose("money"))]
    assert chosen(taught(LogisticRegression(), TOPIC, signs, tmp_path).predict(signs)) == [["art"], ["money"]]


def test_what_texts_are_missing_breaks_no_batch_and_only_words_that_are_shown_count(tmp_path: Path) -> None:
    shown = '<HyperText name="text" value="$title"/>'
    labels = {"<b>goal</b> &amp; team": "sport", "the <i class='markup'>bank</i>": "money"}
    tasks = [
        task({"title": text, "year": 3, "month": 4, "text": "bank"}, chose(label)) for text, label in labels.items()
    ]
    tasks[0]["data"]["title"] += " won the match"
    tasks[1]["data"]["title"] += " raised its rates"
    asked: list[Any] = [
        *({"title": "goal", "text": "bank"}, {"title": "bank"}, {"title": ["bank"]}, {"$undefined$": "goal"}),
        *({"title": None}, {}, {"title": "markup"}),
    ]
    model = taught(LogisticRegression(), TOPIC, tasks, tmp_path, shown)
    *known, none, empty, markup = model.predict([task(data) for data in asked])
    assert chosen(known) == [["sport"], ["money"], ["money"], ["sport"]]
    assert none == empty == markup


values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text()),
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(st.text(max_size=5), inner, max_size=2)),
    max_leaves=4,
)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> list[EstimatorModel]:
    """One for each way in which tasks are read."""
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
        answers = chosen(model.predict([task(one) for one in data]))
        assert [len(one) for one in answers] == [1] * len(data)


def test_pictures_are_learned_from_only_by_a_pipeline_that_reads_them(tmp_path: Path) -> None:
    shown = '<Image name="text" value="$url"/>'
    tasks = [task({"url": f"/{name}.png"}, chose(label)) for name, label in (("goal", "sport"), ("bank", "money"))]
    with pytest.raises(SchemaError, match=r"LogisticRegression learns from numbers, and <Image> 'text' shows neither"):
        taught(LogisticRegression(), TOPIC, tasks, tmp_path, shown)
    elsewhere = '<Text name="text" value="$url" valueType="url"/>'
    with pytest.raises(SchemaError, match=r"shows neither numbers nor a text that stands in the task"):
        taught(LogisticRegression(), TOPIC, tasks, tmp_path, elsewhere)
    model = taught(make_pipeline(Embedder(), LogisticRegression()), TOPIC, tasks, tmp_path, shown)
    assert chosen(model.predict(tasks)) == [["sport"], ["money"]]


def densely(matrix: Any) -> Any:
    return matrix.toarray()


# --- which control, and which estimator ------------------------------------------------------------------------------


def test_the_first_control_that_suits_is_learned_and_a_config_without_one_is_refused_with_what_it_has(
    tmp_path: Path,
) -> None:
    spans = '<Labels name="span" toName="text"><Label value="a"/></Labels>'
    parts = TOPIC.replace("<Choices", '<Choices perRegion="true"').replace('"topic"', '"part"')
    both = [{**one, "annotations": [chose("sport" if n % 2 else "art")]} for n, one in enumerate(topics())]
    model = taught(LogisticRegression(), spans + STARS + parts + TOPIC, both, tmp_path)
    assert all(label in LABELS for [label] in chosen(model.predict(both)))
    refused = r"nothing for a classifier, which learns <Choices> .*<Labels> 'span'.*'part' is asked of parts of a task"
    with pytest.raises(SchemaError, match=refused):
        EstimatorModel(LogisticRegression(), config(spans + STARS + parts), {})
    with pytest.raises(SchemaError, match=r"nothing for a regressor, which learns <Rating> or <Number>"):
        EstimatorModel(Ridge(), config(TOPIC), {})
    for none, kind in ((KMeans(), "clusterer"), (Plain(), "None"), (make_pipeline(TfidfVectorizer()), "None")):
        told = rf"{type(none).__name__} is neither a classifier nor a regressor by its tags \({kind}\)"
        with pytest.raises(SettingsError, match=told):
            EstimatorModel(none, config(TOPIC), {})


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
    for found, told in (
        (3, r"neither a class of label-studio-ml nor a scikit-learn estimator: int has no fit, predict, get_params"),
        (MultiOutputClassifier, r"MultiOutputClassifier cannot be made without arguments .*'estimator'"),
        (dict, r"dict has no fit, predict, get_params"),
    ):
        with pytest.raises(SettingsError, match=told):
            estimator_of(found, {})
