"""What an estimator reads, by the tags of its first step, and the vectoriser that it needs before it."""

from __future__ import annotations

from collections.abc import Sequence
from operator import methodcaller
from typing import Any, Literal

from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction import DictVectorizer
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import Tags, get_tags  # type: ignore[attr-defined]  # the stubs are older

from nextlabel.errors import SchemaError
from nextlabel.hosting.estimator_inputs import Data, Shown

Reads = Literal["text", "fields", "table", "numbers", "anything"]

_WORDS_AND_SIGNS = r"\w+|[^\w\s]"  # of one character, too: a text of "5" or "?" is not empty
_NAMED = 3
_DENSE_FEATURES = 2_000
"""Of words where the estimator takes no sparse matrix: 20,000 texts are 320 MB then, and not ten gigabytes."""


def reads(estimator: Any) -> Reads:
    """What its first step takes, as its tags say.

    A FunctionTransformer, or a transformer that is not scikit-learn's and states nothing, may take "anything".
    """
    first = first_step(estimator)
    tags = tags_of(first)
    if isinstance(first, ColumnTransformer) or tags.input_tags.categorical:
        return "table"
    if tags.input_tags.dict:
        return "fields"
    if tags.input_tags.string:
        return "text"
    if hasattr(first, "predict") or not hasattr(first, "transform"):
        return "numbers"
    if isinstance(first, FunctionTransformer):
        return "numbers" if first.get_params()["validate"] else "anything"
    return "numbers" if type(first).__module__.startswith("sklearn.") else "anything"


def with_vectoriser(estimator: Any, shown: Shown, tasks: Sequence[Data]) -> Any:
    """The estimator, after a vectoriser if it needs one for such tasks: of words, or of fields if most are numbers.

    Raises `SchemaError` where there are neither words nor numbers.
    """
    needs, are_numbers = reads(estimator), shown.are_numbers(tasks)
    if needs in ("text", "fields", "table") or (needs == "anything" and not are_numbers):
        return estimator
    sparse = tags_of(estimator).input_tags.sparse
    if are_numbers:
        return make_pipeline(DictVectorizer(sparse=sparse), estimator)
    if not shown.has_text():
        fields = ", ".join(f"'{one.field}'" for one in shown.inputs[:_NAMED])
        raise SchemaError(
            f"{type(estimator).__name__} learns from numbers, and tasks hold neither numbers nor a text in {fields}: "
            "host a pipeline whose first step makes numbers of what stands there."
        )
    if sparse:
        return make_pipeline(TfidfVectorizer(token_pattern=_WORDS_AND_SIGNS), estimator)
    words = TfidfVectorizer(token_pattern=_WORDS_AND_SIGNS, max_features=_DENSE_FEATURES)
    return make_pipeline(words, FunctionTransformer(methodcaller("toarray"), accept_sparse=True), estimator)


def first_step(estimator: Any) -> Any:
    """What gets the data first: in pipelines, unions, and estimators around others, the innermost."""
    match estimator:
        case Pipeline():
            inner = next((step for _, step in estimator.steps if step not in (None, "passthrough")), None)
        case FeatureUnion():
            inner = next((step for _, step in estimator.get_params()["transformer_list"]), None)
        case _:
            several = getattr(estimator, "estimators", None)
            inner = several[0][1] if several else getattr(estimator, "estimator", getattr(estimator, "regressor", None))
    return estimator if inner is None or isinstance(inner, str) else first_step(inner)


def tags_of(estimator: Any) -> Tags:
    """scikit-learn's tags; those of a step that states nothing where it has none, as one that inherits from nothing."""
    try:
        return get_tags(estimator)
    except AttributeError:
        return get_tags(FunctionTransformer())
