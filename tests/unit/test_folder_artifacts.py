"""A model's folder comes back as it was packed, and nothing is ever unpacked elsewhere, on any Python."""

from __future__ import annotations

import hashlib
import io
import tarfile
from pathlib import Path

import pytest

from nextlabel.errors import ArtifactError
from nextlabel.storage.folder_artifacts import read_folder, write_folder

LONG = "x" * 200
FILE, FOLDER, LINK, HARD = tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE
HOSTILE = {
    "a chain of links": [
        *[("/".join(["d"] * n), FOLDER, "") for n in range(1, 4)],
        *[("/".join(["d"] * n + ["l"]), LINK, "d") for n in range(3)],
        ("l/l/l/out", LINK, "../../../.."),
        ("l/l/l/out/planted", FILE, ""),
    ],
    "a long chain": [
        (LONG, FOLDER, ""),
        ("a", LINK, LONG),
        (f"a/{LONG}", FOLDER, ""),
        ("a/b", LINK, LONG),
        ("escape", LINK, "a/b/../../.."),
        ("escape/planted", FILE, ""),
    ],
    "a link to a link": [("d", FOLDER, ""), ("a", LINK, "d"), ("b", LINK, "a")],
    "a link outside": [("a", LINK, "../outside")],
    "an absolute link": [("a", LINK, "/etc")],
    "a hard link to a link": [("d", FOLDER, ""), ("a", LINK, "d"), ("b", HARD, "a")],
    "a hard link outside": [("b", HARD, "../outside")],
    "a file outside": [("../planted", FILE, "")],
    "an absolute file": [("/planted", FILE, "")],
    "a file behind a link": [("d", FOLDER, ""), ("a", LINK, "d"), ("a/planted", FILE, "")],
    "a link that becomes a file": [("d", FOLDER, ""), ("a", LINK, "d/planted"), ("a", FILE, "")],
    "a pipe": [("a", tarfile.FIFOTYPE, "")],
    "a device": [("a", tarfile.CHRTYPE, "")],
}


def packed(folder: Path, members: list[tuple[str, bytes, str]]) -> dict[str, str]:
    """An archive with these members, noted as one of ours is."""
    name = folder / "hostile.tar"
    with tarfile.open(name, "w") as tar:
        for path, kind, target in members:
            member = tarfile.TarInfo(path)
            member.type, member.linkname = kind, target
            member.size = 7 if kind == FILE else 0
            tar.addfile(member, io.BytesIO(b"planted"))
    return {"artifact": str(name), "sha256": hashlib.sha256(name.read_bytes()).hexdigest()}


@pytest.mark.parametrize("members", HOSTILE.values(), ids=HOSTILE)
def test_an_archive_that_would_be_unpacked_elsewhere_is_refused_before_anything_is(
    tmp_path: Path, members: list[tuple[str, bytes, str]]
) -> None:
    inside = tmp_path / "one" / "two" / "inside"
    inside.mkdir(parents=True)
    note = packed(tmp_path, members)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(ArtifactError, match="cannot be read"):
        read_folder(note, inside)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_folder_comes_back_with_the_links_that_lead_to_its_own_files(tmp_path: Path) -> None:
    kept, back = tmp_path / "kept", tmp_path / "back"
    (kept / "blobs").mkdir(parents=True)
    (kept / "snapshots" / "1").mkdir(parents=True)
    back.mkdir()
    (kept / "blobs" / "ab12").write_text("weights")
    (kept / "snapshots" / "1" / "model.bin").symlink_to("../../blobs/ab12")
    (kept / "same.bin").hardlink_to(kept / "blobs" / "ab12")
    read_folder(write_folder(kept, str(tmp_path / "model")), back)
    assert (back / "snapshots" / "1" / "model.bin").read_text() == "weights"
    assert (back / "same.bin").read_text() == "weights"


def test_a_folder_that_would_not_come_back_is_refused_when_it_is_packed(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "away").symlink_to(tmp_path)
    with pytest.raises(ArtifactError, match="have it write plain files"):
        write_folder(kept, str(tmp_path / "model"))
