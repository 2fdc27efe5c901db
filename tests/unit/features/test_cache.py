"""The feature cache: the same numbers with it, without it, and whatever becomes of its files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nextlabel.features import cache
from nextlabel.features.cache import TextFeatureCache
from nextlabel.features.text import count_features

TEXTS = ["win a prize", "see you at four", "", "win a prize", "👍"]


def assert_right(features: TextFeatureCache, texts: list[str]) -> None:
    found, expected = features.features(texts), count_features(texts)
    assert found.shape == expected.shape
    assert abs(found - expected).sum() == 0


def segments(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.npz"))


def forbid_counting(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(texts: list[str]) -> None:
        raise AssertionError(f"counted again: {texts}")

    monkeypatch.setattr(cache, "count_features", fail)


def test_cached_rows_are_those_that_counting_gives(tmp_path: Path) -> None:
    features = TextFeatureCache(tmp_path)
    assert_right(features, TEXTS)
    assert_right(features, TEXTS[::-1])
    assert_right(features, ["one more", *TEXTS])
    assert_right(features, [])


def test_no_text_is_counted_twice_by_any_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    TextFeatureCache(tmp_path).features(TEXTS)
    forbid_counting(monkeypatch)
    assert TextFeatureCache(tmp_path).features(TEXTS[::-1]).shape[0] == len(TEXTS)


@pytest.mark.parametrize("damage", ["empty", "cut short", "flipped", "not a zip at all"])
def test_a_damaged_file_only_costs_a_second_count(tmp_path: Path, damage: str) -> None:
    TextFeatureCache(tmp_path).features(TEXTS)
    (segment,) = segments(tmp_path)
    whole = segment.read_bytes()
    middle = len(whole) // 2
    segment.write_bytes(
        {
            "empty": b"",
            "cut short": whole[:-30],
            "flipped": whole[:middle] + bytes([whole[middle] ^ 255]) + whole[middle + 1 :],
            "not a zip at all": b"\x93NUMPY, or so it says",
        }[damage]
    )
    assert_right(TextFeatureCache(tmp_path), [*TEXTS, "one more"])


def test_many_small_files_are_merged_and_nothing_is_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    features = TextFeatureCache(tmp_path)
    texts = [f"mail number {n}" for n in range(40)]
    for text in texts:
        features.features([text])
    assert len(segments(tmp_path)) < 20
    forbid_counting(monkeypatch)
    assert features.features(texts).shape[0] == 40


def test_a_file_that_another_process_merged_away_meanwhile_is_no_loss(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    features = TextFeatureCache(tmp_path)
    features.features(TEXTS)
    ghost = tmp_path / "gone.npz"
    found = features._segments()
    monkeypatch.setattr(features, "_segments", lambda: [ghost, *found])
    assert_right(features, TEXTS)


def test_nothing_in_the_folder_can_run_code(tmp_path: Path) -> None:
    features = TextFeatureCache(tmp_path)
    features.features(TEXTS)
    (segment,) = segments(tmp_path)
    arrays = {name: np.array([{"any": "object"}]) for name in ("keys", "data", "indices", "indptr")}
    np.savez(segment, **arrays)  # type: ignore[arg-type]
    assert_right(features, TEXTS)
