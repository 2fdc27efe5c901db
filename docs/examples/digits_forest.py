"""Images flattened into a random forest: margin against random order on the handwritten digits.

`nextlabel.simulate.simulate` is the whole experiment; `mnist_5k` in place of `digits` takes the larger set.
"""

from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier

from nextlabel.simulate import Results, simulate


def main(seeds: int = 2, budget: int = 150) -> Results:
    """Both strategies from the same 20 labels, ten more a round."""
    digits = load_digits()
    flat = digits.images.reshape(len(digits.images), -1)
    return simulate(
        (flat, digits.target),
        ("margin", "random"),
        budget=budget,
        initial=20,
        seeds=seeds,
        estimator=RandomForestClassifier(n_estimators=30),
        scale=False,
        workers=1,
        progress=False,
    )


if __name__ == "__main__":
    from rich import print as show

    show(main().table())
