"""What `make release` refuses to build."""

from __future__ import annotations

import importlib.util
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
VERSION = str(tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"])


@pytest.fixture
def release() -> ModuleType:
    spec = importlib.util.spec_from_file_location("release", ROOT / ".ci" / "release.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_this_version_is_the_newest_in_the_changelog_and_has_notes_for_an_upgrade(release: ModuleType) -> None:
    assert release._texts(VERSION) == []


def test_a_version_that_the_texts_do_not_have_is_refused_by_name(release: ModuleType) -> None:
    changelog, notes = release._texts("99.0.0")
    assert f"pyproject.toml is version 99.0.0, and the newest section of CHANGELOG.md is {VERSION}" in changelog
    assert "docs/upgrading.md has no section 'To 99.0.0'" in notes


def test_a_commit_without_the_tag_and_a_changelog_with_lines_to_be_released_are_refused(
    release: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(release, "ROOT", tmp_path)
    monkeypatch.setattr(release, "_git", lambda *arguments: {"tag": "v1.0.0\nv1.2.0", "status": ""}[arguments[0]])
    changelog = tmp_path / "CHANGELOG.md"
    changelog.write_text("# Changelog\n\n## [Unreleased]\n\n## [1.2.0] - 2026-11-30\n\n- All.\n", encoding="utf-8")
    assert release._commit("1.2.0") == []
    (no_tag,) = release._commit("1.3.0")
    assert "no tag v1.3.0" in no_tag
    changelog.write_text("## [Unreleased]\n\n### Added\n\n- Something.\n\n## [1.2.0] - 2026-11-30\n", encoding="utf-8")
    (lines,) = release._commit("1.2.0")
    assert "Unreleased" in lines
