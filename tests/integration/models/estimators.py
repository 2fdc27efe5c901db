# ruff: noqa
# mypy: ignore-errors
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.feature_extraction import DictVectorizer
from sklearn.linear_model import BayesianRidge, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler


class Lengths(TransformerMixin, BaseEstimator):
    def fit(self, texts, y=None):
        return self

    def transform(self, texts):
        return [[len(text), *(text.count(letter) for letter in "abcdefghijklmnopqrstuvwxyz")] for text in texts]


letters = make_pipeline(Lengths(), LogisticRegression(C=100, max_iter=1000))
letters.fit(["of something else", "entirely"], ["old", "older"])
scaler = StandardScaler()


def fields(C=1.0):
    return make_pipeline(DictVectorizer(), LogisticRegression(C=C))


amounts = make_pipeline(Lengths(), BayesianRidge())
