"""Kept vectors: the same numbers with the cache, without it, and whatever becomes of its files."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from nextlabel.features import cache
from nextlabel.features.cache import VectorCache


class Computer:
    """Makes a vector of three numbers from a key, and remembers of which."""

    def __init__(self) -> None:
        self.asked: list[bytes] = []
        self.unreadable: set[bytes] = set()

    def vectors(self, folder: Path, keys: list[bytes]) -> np.ndarray:
        def compute(places: Sequence[int]) -> np.ndarray:
            self.asked += [keys[place] for place in places]
            return np.array([self.vector(keys[place]) for place in places])

        return VectorCache(folder).get("model-1", keys, 3, compute)

    def vector(self, key: bytes) -> list[float]:
        return [np.nan] * 3 if key in self.unreadable else [float(number) for number in key[:3]]

    def assert_right(self, folder: Path, keys: list[bytes]) -> None:
        expected = np.array([self.vector(key) for key in keys], dtype=np.float32).reshape(-1, 3)
        np.testing.assert_array_equal(self.vectors(folder, keys), expected)


def keys(*numbers: int) -> list[bytes]:
    return [bytes([number, number // 256]) + b"\x00\x07" * 6 + b"\x00\x00" for number in numbers]


def vector_segments(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.npy"))


def test_vectors_are_those_that_were_computed_each_key_once_in_all_processes(tmp_path: Path) -> None:
    one, other = Computer(), Computer()
    one.assert_right(tmp_path, keys(3, 1, 2, 1, 3))
    assert sorted(one.asked) == keys(1, 2, 3)
    other.assert_right(tmp_path, keys(1, 4, 3, 4))
    assert other.asked == keys(4)
    other.assert_right(tmp_path, [])


def test_another_signature_or_width_has_vectors_of_its_own(tmp_path: Path) -> None:
    Computer().vectors(tmp_path, keys(1))
    for signature, width in (("model-2", 3), ("model-1", 2)):
        nines = np.full((1, width), 9.0)
        found = VectorCache(tmp_path).get(signature, keys(1), width, nines.__getitem__)
        assert found.tolist() == nines.tolist()


def test_a_vector_that_could_not_be_computed_is_tried_again(tmp_path: Path) -> None:
    computer = Computer()
    computer.unreadable = set(keys(2))
    computer.assert_right(tmp_path, keys(1, 2))
    computer.unreadable = set()
    computer.assert_right(tmp_path, keys(1, 2))
    assert computer.asked == keys(1, 2, 2)


def test_blocks_that_were_computed_outlive_a_process_that_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "_BLOCK", 2)
    calls: list[int] = []

    def killed_at_the_second(places: Sequence[int]) -> np.ndarray:
        calls.append(len(places))
        if len(calls) == 2:
            raise KeyboardInterrupt
        return np.ones((len(places), 3))

    with pytest.raises(KeyboardInterrupt):
        VectorCache(tmp_path).get("model-1", keys(1, 2, 3, 4, 5), 3, killed_at_the_second)
    computer = Computer()
    computer.vectors(tmp_path, keys(1, 2, 3, 4, 5))
    assert computer.asked == keys(3, 4, 5)


def test_what_was_computed_before_an_error_is_kept_and_progress_is_told(tmp_path: Path) -> None:
    known = [n.to_bytes(16, "big") for n in range(1, 701)]
    received: list[tuple[int, int]] = []

    def failing_at_the_third(places: Sequence[int]) -> np.ndarray:
        if places[0] >= 500:
            raise ArithmeticError
        return np.ones((len(places), 3))

    def report(done: int, total: int) -> None:
        received.append((done, total))

    for compute in (failing_at_the_third, lambda places: np.ones((len(places), 3))):
        with suppress(ArithmeticError):
            VectorCache(tmp_path).get("model-1", known, 3, compute, lambda place: "a text", report)
    assert received == [(250, 700), (500, 700), (200, 200)]


@pytest.mark.parametrize("part", ["nothing left", "cut short", "head", "keys", "sums", "rows", "zeros", "another kind"])
def test_a_damaged_vector_is_computed_again_and_the_others_are_not(tmp_path: Path, part: str) -> None:
    Computer().vectors(tmp_path, keys(*range(10)))
    (segment,) = vector_segments(tmp_path)
    whole = segment.read_bytes()
    start = len(whole) - 4 * 8 * 10  # ten rows of eight words: four of key, one of sum, three of vector
    offsets = {"head": 6, "keys": start + 17, "sums": start + 170, "rows": start + 210}
    if part in offsets:
        at = offsets[part]
        segment.write_bytes(whole[:at] + bytes([whole[at] ^ 65]) + whole[at + 1 :])
    elif part == "another kind":
        np.save(segment, np.array([{"any": "object"}]))
    else:
        segment.write_bytes({"nothing left": b"", "cut short": whole[:-5], "zeros": whole[:start] + bytes(320)}[part])
    computer = Computer()
    for _ in range(2):
        computer.assert_right(tmp_path, keys(*range(12)))
    # One flipped byte costs one row; and what was computed again is kept.
    assert len(computer.asked) == (3 if part in ("keys", "sums", "rows") else 12)


def test_many_small_segments_are_merged_and_nothing_is_lost(tmp_path: Path) -> None:
    computer = Computer()
    for number in range(40):
        computer.vectors(tmp_path, keys(number))
    assert len(vector_segments(tmp_path)) < 20
    computer.asked.clear()
    computer.assert_right(tmp_path, keys(*range(40)))
    assert computer.asked == []


def test_processes_that_write_and_merge_at_once_lose_nothing(tmp_path: Path) -> None:
    def work(worker: int) -> None:
        for number in range(30):
            Computer().assert_right(tmp_path, keys(worker * 20 + number, worker * 20 + number + 1))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    computer = Computer()
    computer.assert_right(tmp_path, keys(*range(91)))
    assert computer.asked == []


def test_segments_that_are_merged_away_while_the_folder_is_read_are_found_where_they_went(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Computer().vectors(tmp_path, keys(1, 2))
    (segment,) = vector_segments(tmp_path)
    load, moved = np.load, segment.with_name("merged.npy")

    def vanishing(path: Path, mmap_mode: Literal["r"], allow_pickle: bool) -> object:
        if path == segment and segment.exists():
            segment.rename(moved)
        return load(path, mmap_mode=mmap_mode, allow_pickle=allow_pickle)

    monkeypatch.setattr(np, "load", vanishing)
    computer = Computer()
    computer.assert_right(tmp_path, keys(1, 2))
    assert computer.asked == []
