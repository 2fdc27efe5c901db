"""Customers clustered by k-means, a person names a few of each cluster, then a classifier improved by labels.

600 customers with their age, income, visits and basket. Nobody has labeled any: k-means finds groups, and the most
typical customers of each are labeled first. A random forest takes over from there and asks where it is unsure.
"""

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.ensemble import RandomForestClassifier
from sklearn.preprocessing import StandardScaler

from nextlabel.measures.uncertainty import margin

SEGMENTS = ("occasional", "loyal", "bargain hunter", "big spender")
#            age, income in thousands, visits a month, basket
_TYPICAL = np.array([[35, 40, 2, 30], [50, 55, 10, 45], [42, 35, 7, 18], [45, 90, 5, 120]], dtype=float)
_SPREAD = np.array([10, 13, 2.2, 15])


def customers(seed: int = 0, n: int = 600) -> tuple[NDArray[np.floating], NDArray[np.integer]]:
    """n × 4 figures, and the segment that a person would say on looking closely."""
    rng = np.random.default_rng(seed)
    segment = rng.choice(len(SEGMENTS), n, p=[0.45, 0.3, 0.15, 0.1])
    return _TYPICAL[segment] + _SPREAD * rng.normal(size=(n, 4)), segment


def main(seed: int = 0, queries: int = 40, per_cluster: int = 3) -> list[float]:
    """The accuracy on the customers without a label, before the first query and after each ten."""
    figures, truth = customers(seed)
    X = StandardScaler().fit_transform(figures)
    clusters = KMeans(len(SEGMENTS), n_init=10, random_state=seed).fit(X)
    distance = clusters.transform(X)  # to each cluster's middle: its most typical customers come first
    labeled = [int(row) for c in range(len(SEGMENTS)) for row in np.argsort(distance[:, c])[:per_cluster]]
    accuracy = []
    for step in range(queries // 10 + 1):
        forest = RandomForestClassifier(n_estimators=100, random_state=seed).fit(X[labeled], truth[labeled])
        rest = np.setdiff1d(np.arange(len(X)), labeled)
        accuracy.append(float(forest.score(X[rest], truth[rest])))
        if step < queries // 10:
            unsure = np.argsort(-margin(forest.predict_proba(X[rest])), kind="stable")[:10]
            labeled += rest[unsure].tolist()
    return accuracy


if __name__ == "__main__":
    curve = main()
    print(f"accuracy {curve[0]:.3f} → {curve[-1]:.3f} with 40 more labels")
