"""Twenty queries by least confidence from ninety labels: accuracy 0.88 → 0.91 on generated data.

Nothing of nextlabel but one measure: the loop is ten lines around any scikit-learn classifier.
"""

import numpy as np
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split

from nextlabel.measures.uncertainty import least_confidence

X, y = make_classification(
    n_samples=1000,
    n_features=10,
    n_informative=5,
    n_redundant=0,
    n_classes=2,
    n_clusters_per_class=1,
    flip_y=0.1,
    random_state=42,
)


def main() -> list[float]:
    """The accuracy on the test set before the first query and after each."""
    X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.1, stratify=y, random_state=42)
    X_labeled, X_pool, y_labeled, y_pool = train_test_split(
        X_train, y_train, train_size=0.1, stratify=y_train, random_state=42
    )
    model = LogisticRegression(random_state=42, max_iter=2000).fit(X_labeled, y_labeled)
    accuracy = [float(model.score(X_test, y_test))]
    for _ in range(20):
        ask = int(np.argmax(least_confidence(model.predict_proba(X_pool))))
        X_labeled, y_labeled = np.vstack([X_labeled, X_pool[ask]]), np.append(y_labeled, y_pool[ask])
        X_pool, y_pool = np.delete(X_pool, ask, axis=0), np.delete(y_pool, ask)
        model.fit(X_labeled, y_labeled)
        accuracy.append(float(model.score(X_test, y_test)))
    return accuracy


if __name__ == "__main__":
    curve = main()
    print(f"accuracy {curve[0]:.4f} → {curve[-1]:.4f} with 20 more labels")
