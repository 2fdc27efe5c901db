"""How a team's model is named, and a clear word for what names none."""

from __future__ import annotations

from pathlib import Path

import pytest

from nextlabel.errors import SettingsError
from nextlabel.hosting import Limits, ModelSource


def test_a_model_is_named_by_its_file_or_its_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "model.py").touch()
    monkeypatch.chdir(tmp_path)
    assert ModelSource.parse("./model.py:MyModel") == ModelSource(str(tmp_path / "model.py"), "MyModel")
    assert str(ModelSource.parse(f"{tmp_path}/model.py:MyModel")) == "model.py:MyModel"
    assert ModelSource.parse(" sklearn.models:MyModel ") == ModelSource("sklearn.models", "MyModel")
    assert ModelSource.parse("sklearn.models:MyModel").path is None
    assert ModelSource.parse("sklearn.svm.SVC") == ModelSource("sklearn.svm", "SVC")


@pytest.mark.parametrize(
    "text",
    ["", "MyModel", "model.py", ".MyModel", "our.models:", ":MyModel", "a b:MyModel", "a b.MyModel", "m.py:My-Model"],
)
def test_what_names_no_model_is_told_how_to(text: str) -> None:
    with pytest.raises(SettingsError, match=r"path/to/model.py:MyModel"):
        ModelSource.parse(text)


def test_a_file_that_is_not_there_is_named_in_full() -> None:
    with pytest.raises(SettingsError, match=r"/no/such/model.py is no file"):
        ModelSource.parse("/no/such/model.py:MyModel")


def test_a_package_that_is_not_installed_is_named() -> None:
    with pytest.raises(SettingsError, match="no package 'no_such_package' is installed"):
        ModelSource.parse("no_such_package.models:Mine")


def test_a_limit_of_nothing_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"'memory_mb' is 0: it must be more than 0"):
        Limits(memory_mb=0)
