"""Kept counts of texts: the same numbers with the cache, without it, and whatever becomes of its files."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from nextlabel.features import text_cache
from nextlabel.features.text import count_features
from nextlabel.features.text_cache import TextFeatureCache

TEXTS = ["win a prize", "see you at four", "", "win a prize", "👍"]


def assert_right(features: TextFeatureCache, texts: Sequence[str]) -> None:
    assert_counts(features.features(texts), texts)


def assert_counts(found: csr_matrix, texts: Sequence[str]) -> None:
    expected = count_features(texts)
    assert found.shape == expected.shape
    for part in ("data", "indices", "indptr"):
        np.testing.assert_array_equal(getattr(found, part), getattr(expected, part))


def segments(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.npy"))


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every text that is counted from now on."""
    seen: list[str] = []

    def count(texts: Sequence[str]) -> csr_matrix:
        seen.extend(texts)
        return count_features(texts)

    monkeypatch.setattr(text_cache, "count_features", count)
    return seen


def test_cached_rows_are_those_that_counting_gives(tmp_path: Path) -> None:
    features = TextFeatureCache(tmp_path)
    assert_right(features, TEXTS)
    assert_right(features, TEXTS[::-1])
    assert_right(features, ["one more", *TEXTS])
    assert_right(features, [])


def test_no_text_is_counted_twice_by_any_process(tmp_path: Path, counted: list[str]) -> None:
    TextFeatureCache(tmp_path).features(TEXTS)
    assert sorted(counted) == sorted(set(TEXTS))
    TextFeatureCache(tmp_path).features(["one more", *TEXTS[::-1]])
    assert sorted(counted) == sorted({"one more", *TEXTS})


def test_many_texts_are_counted_and_kept_lot_by_lot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, counted: list[str]
) -> None:
    monkeypatch.setattr(text_cache, "_LOT", 100)
    texts = [f"mail number {n} of many" for n in range(50)]

    def killed_after_three_lots(some: Sequence[str]) -> csr_matrix:
        if len(segments(tmp_path)) == 3:
            raise KeyboardInterrupt
        return count_features(some)

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(text_cache, "count_features", killed_after_three_lots)
        TextFeatureCache(tmp_path).features(texts)
    assert_right(TextFeatureCache(tmp_path), texts)
    assert 30 < len(counted) < len(texts)


def test_a_request_finds_what_any_process_has_counted_and_keeps_nothing(tmp_path: Path, counted: list[str]) -> None:
    texts = [f"mail number {n} of many" for n in range(500)]
    TextFeatureCache(tmp_path).features(texts)
    held, features = segments(tmp_path), TextFeatureCache(tmp_path)
    counted.clear()
    for some in (texts[100:140], [*texts[480:], "quite new", *texts[490:470:-1]], texts):
        assert_counts(features.features_at_once(some), some)
    assert counted == ["quite new"]
    assert segments(tmp_path) == held
    TextFeatureCache(tmp_path).features(["quite new"])
    counted.clear()
    assert_counts(features.features_at_once([*texts, "quite new"]), [*texts, "quite new"])
    assert not counted


@pytest.mark.parametrize("asked", [40, 500])
def test_a_request_for_a_damaged_row_counts_that_one_again(tmp_path: Path, asked: int, counted: list[str]) -> None:
    texts = [f"mail number {n} of many" for n in range(500)]
    TextFeatureCache(tmp_path).features(texts)
    (segment,) = segments(tmp_path)
    whole = bytearray(segment.read_bytes())
    whole[-3] ^= 65  # a count of the last text
    segment.write_bytes(whole)
    counted.clear()
    assert_counts(TextFeatureCache(tmp_path).features_at_once(texts[-asked:]), texts[-asked:])
    assert counted == texts[-1:]


@pytest.mark.parametrize("part", ["nothing left", "cut short", "head", "ends", "keys", "sums", "columns", "counts"])
def test_a_damaged_text_is_counted_again_and_the_others_are_not(tmp_path: Path, part: str, counted: list[str]) -> None:
    TextFeatureCache(tmp_path).features(TEXTS)
    (segment,) = segments(tmp_path)
    whole = segment.read_bytes()
    numbers = count_features(sorted(set(TEXTS))).nnz
    start = len(whole) - 4 * (2 + 4 * 6 + 2 * numbers)  # head; four rows of four words of key, an end and a sum
    columns = start + 4 * 26
    offsets = {"head": start, "keys": start + 9, "ends": start + 72, "sums": start + 90, "columns": columns + 10}
    offsets["counts"] = columns + 4 * numbers + 11
    if part in offsets:
        at = offsets[part]
        segment.write_bytes(whole[:at] + bytes([whole[at] ^ 65]) + whole[at + 1 :])
    else:
        segment.write_bytes({"nothing left": b"", "cut short": whole[:-30]}[part])
    counted.clear()
    for _ in range(2):
        assert_right(TextFeatureCache(tmp_path), [*TEXTS, "one more"])
    # What was counted again is kept, and damage to one row costs no other.
    assert len(counted) == (2 if part in ("keys", "sums", "counts") else 5), counted


def test_nothing_in_the_folder_can_run_code(tmp_path: Path) -> None:
    TextFeatureCache(tmp_path).features(TEXTS)
    (segment,) = segments(tmp_path)
    np.save(segment, np.array([{"any": "object"}]))
    assert_right(TextFeatureCache(tmp_path), TEXTS)


def test_many_small_files_are_merged_and_nothing_is_lost(tmp_path: Path, counted: list[str]) -> None:
    texts = [f"mail number {n}" for n in range(40)]
    for text in texts:
        TextFeatureCache(tmp_path).features([text])
    assert len(segments(tmp_path)) < 20
    assert_right(TextFeatureCache(tmp_path), texts)
    assert sorted(counted) == sorted(texts)


def test_processes_that_count_and_merge_at_once_lose_nothing(tmp_path: Path, counted: list[str]) -> None:
    def work(worker: int) -> None:
        for n in range(20):
            assert_right(TextFeatureCache(tmp_path), [f"mail {worker * 15 + n}", f"mail {worker * 15 + n + 1}"])

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    counted.clear()
    assert_right(TextFeatureCache(tmp_path), [f"mail {n}" for n in range(66)])
    assert counted == []


def test_counts_too_many_for_memory_are_mapped_and_are_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text_cache, "_HELD", 100)
    features = TextFeatureCache(tmp_path)
    assert_right(features, TEXTS)
    assert isinstance(features.features(TEXTS).data.base, np.ndarray)
    assert len(segments(tmp_path)) == len([path for path in tmp_path.rglob("*") if path.is_file()])


def test_a_folder_that_cannot_be_written_costs_counting_only(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "home").write_text("in the way")
    assert_right(TextFeatureCache(tmp_path / "home"), TEXTS)
    assert "cannot be kept" in caplog.text
