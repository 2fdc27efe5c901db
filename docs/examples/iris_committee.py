"""A committee of twenty random forests on iris: asked five times where the votes are most divided.

15 of the 150 flowers are labeled at first; five more labels, chosen by vote entropy, take the committee's accuracy on
all flowers from about 0.96 to 0.97 (the mean of several seeds; one seed alone may stand still).
"""

from functools import partial

import numpy as np
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import train_test_split

from nextlabel.labeling import TaskId
from nextlabel.labeling.ranking import CandidatePool
from nextlabel.strategies.committee import CommitteeOf

X, y = load_iris(return_X_y=True)


def main(seed: int = 0, *, members: int = 20, trees: int = 10, queries: int = 5) -> list[float]:
    """The committee's accuracy on all of iris before the first query and after each."""
    labeled, _ = map(list, train_test_split(np.arange(len(y)), test_size=0.9, random_state=42))
    forest = partial(RandomForestClassifier, n_estimators=trees)
    accuracy = []
    for _ in range(queries + 1):
        committee = [forest(random_state=seed * members + n).fit(X[labeled], y[labeled]) for n in range(members)]
        mean = np.mean([member.predict_proba(X) for member in committee], axis=0)
        accuracy.append(float((mean.argmax(axis=1) == y).mean()))
        unlabeled = np.setdiff1d(np.arange(len(y)), labeled)
        pool = CandidatePool([TaskId(str(row)) for row in unlabeled], mean[unlabeled], X[unlabeled], seed=seed)
        best = CommitteeOf(committee, "vote_entropy").rank(pool, 1).task_ids()[0]
        labeled.append(int(best))
    return accuracy


if __name__ == "__main__":
    curve = main()
    print(f"accuracy {curve[0]:.3f} → {curve[-1]:.3f} with 5 more labels")
