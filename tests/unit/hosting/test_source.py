"""How a team's model is named, and a clear word for what names none."""

from __future__ import annotations

from pathlib import Path

import pytest

from nextlabel.errors import SettingsError
from nextlabel.hosting import Limits, ModelSource, load_estimator


def test_a_model_is_named_by_its_file_or_its_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "model.py").touch()
    monkeypatch.chdir(tmp_path)
    assert ModelSource.parse("./model.py:MyModel") == ModelSource(str(tmp_path / "model.py"), "MyModel")
    assert str(ModelSource.parse(f"{tmp_path}/model.py:MyModel")) == "model.py:MyModel"
    assert ModelSource.parse(" our.models:MyModel ") == ModelSource("our.models", "MyModel")
    assert ModelSource.parse("our.models:MyModel").path is None


@pytest.mark.parametrize(
    "text", ["", "MyModel", "our.models", "our.models:", ":MyModel", "a b:MyModel", "m.py:My-Model"]
)
def test_what_names_no_model_is_told_how_to(text: str) -> None:
    with pytest.raises(SettingsError, match=r"path/to/model.py:MyModel"):
        ModelSource.parse(text)


def test_a_file_that_is_not_there_is_named_in_full() -> None:
    with pytest.raises(SettingsError, match=r"/no/such/model.py is no file"):
        ModelSource.parse("/no/such/model.py:MyModel")


def test_a_limit_of_nothing_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"'memory_mb' is 0: it must be more than 0"):
        Limits(memory_mb=0)


def test_an_estimator_is_a_class_an_object_or_a_function_and_comes_new_and_unfitted(tmp_path: Path) -> None:
    file = tmp_path / "ours.py"
    file.write_text(
        "from sklearn.linear_model import LogisticRegression\n"
        "from sklearn.pipeline import make_pipeline\n"
        "from sklearn.preprocessing import StandardScaler\n"
        "fitted = LogisticRegression(C=7).fit([[0], [1]], [0, 1])\n"
        "def pipeline():\n"
        "    return make_pipeline(StandardScaler(), LogisticRegression(C=3))\n"
        "number = 3\n"
        "class Needy:\n"
        "    def __init__(self, k): pass\n"
    )
    assert type(load_estimator("sklearn.linear_model.LogisticRegression")).__name__ == "LogisticRegression"
    assert load_estimator("sklearn.svm:SVC").C == 1.0
    fitted = load_estimator(f"{file}:fitted")
    assert fitted.C == 7
    assert not hasattr(fitted, "coef_")
    assert load_estimator(f"{file}:pipeline").steps[-1][1].C == 3
    for name, told in (
        (f"{file}:number", "is no scikit-learn estimator: it has no fit, predict"),
        (f"{file}:Needy", "cannot be made without arguments"),
        (f"{file}:absent", "has no absent"),
        ("no_such_package.Model", r"cannot be imported \(ModuleNotFoundError"),
        ("LogisticRegression", "cannot be read: write"),
    ):
        with pytest.raises(SettingsError, match=told):
            load_estimator(name)
