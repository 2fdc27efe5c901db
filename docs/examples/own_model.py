"""A model of your own: any scikit-learn pipeline, in a file. `nextlabel up --model own_model.py:subjects` has it serve.

What it learns, the labels in force and the texts of the fields that the choice is about, nextlabel hands to `fit`; how
sure it is comes from `predict_proba`. Bounds on time and memory, and what a model may be: docs/own-models.md.
"""

from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline


def subjects(c: float = 10.0) -> Pipeline:
    """`--option 'parameters={"c": 3}'` gives it another `c`."""
    return make_pipeline(TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2)), LogisticRegression(C=c, max_iter=500))


def main() -> list[str]:
    """As nextlabel does it: fitted on labels, asked about a text that it has not seen."""
    model = subjects()
    model.fit(
        ["win a free prize", "free money now", "see you at four", "the report is ready"], ["spam", "spam", "ham", "ham"]
    )
    return [str(label) for label in model.predict(["a free report prize"])]


if __name__ == "__main__":
    print(*main())
