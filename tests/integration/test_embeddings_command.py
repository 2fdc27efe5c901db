"""`nextlabel embeddings`, against a hub on this machine that huggingface_hub takes for one."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from local_hub import REVISION, Hub, serving
from nextlabel.cli import cli
from nextlabel.errors import ConfigurationError, NextlabelError
from nextlabel.features.embedding import load_model
from nextlabel.features.model_folders import Downloaded, Embeddings, ModelName
from nextlabel.service.downloading import download
from nextlabel.service.embeddings import listed
from nextlabel.settings import Settings
from nextlabel.testing.waiting import CEILING_SECONDS
from tiny_models import TABLE, pictures, sentences, static, write_safetensors

Fetch = Callable[..., Downloaded]


@pytest.fixture
def address(tmp_path: Path) -> Iterator[tuple[Hub, str]]:
    with serving(tmp_path / "hub") as served:
        yield served


@pytest.fixture
def hub(address: tuple[Hub, str]) -> Hub:
    return address[0]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings.from_env({"NEXTLABEL_HOME": str(tmp_path / "home"), "NEXTLABEL_EMBEDDINGS": "team/words"})


@pytest.fixture
def fetch(address: tuple[Hub, str], settings: Settings) -> Fetch:
    def fetch(name: str, file: str = "") -> Downloaded:
        model = ModelName.read(name)
        assert model is not None
        return download(model, settings.embeddings_folder, file=file, endpoint=address[1])

    return fetch


def new(hub: Hub, name: str, **about: object) -> Path:
    folder = hub.folder / name
    folder.mkdir(parents=True)
    (folder / "card.json").write_text(json.dumps(about))
    return folder


def files(folder: Path) -> dict[str, bytes]:
    return {one.name: one.read_bytes() for one in folder.iterdir()}


def test_a_name_means_the_model_that_was_downloaded_and_until_then_says_which_command_to_run(
    fetch: Fetch, hub: Hub, settings: Settings
) -> None:
    folder = sentences(new(hub, "team/words", cardData={"license": "mit", "language": ["en", "de"]}))
    (folder / "onnx").mkdir()
    (folder / "onnx" / "model_quantized.onnx").write_bytes((folder / "model.onnx").read_bytes())
    (folder / "pytorch_model.bin").write_bytes(b"a pickle")
    embeddings = Embeddings.of(settings)
    with pytest.raises(ConfigurationError, match="`nextlabel embeddings download team/words`"):
        embeddings.of_texts()

    about = fetch("team/words")
    assert (about.kind, about.licence, about.languages, about.revision) == ("sentence", "mit", ("en", "de"), REVISION)
    here = embeddings.of_texts()
    assert here == settings.embeddings_folder / "team--words"
    assert load_model(here).embed(["good"]).tolist() == [[1, 0, 0]]
    assert files(here).keys() == {"model_quantized.onnx", "tokenizer.json", "nextlabel.json"}
    assert sorted(hub.sent) == ["onnx/model_quantized.onnx", "tokenizer.json"]
    (row,) = [one for one in listed(settings) if one.name == "team/words"]
    assert (row.used_for, row.revision, row.kind) == ("texts", REVISION, "sentence")


def test_a_revision_is_the_one_that_is_here_or_else_the_command_is_named(
    fetch: Fetch, hub: Hub, settings: Settings
) -> None:
    sentences(new(hub, "team/words"))
    fetch("team/words")
    sent = len(hub.sent)
    fetch("team/words@v1")  # the same commit: nothing is fetched again
    assert len(hub.sent) == sent
    for revision in ("", "@v1", f"@{REVISION[:8]}"):
        assert Embeddings(f"team/words{revision}", downloaded=settings.embeddings_folder).of_texts()
    with pytest.raises(ConfigurationError, match=r"not v2: run `nextlabel embeddings download team/words@v2`"):
        Embeddings("team/words@v2", downloaded=settings.embeddings_folder).of_texts()


def test_static_models_and_those_of_pictures_are_told_apart_by_what_they_hold(fetch: Fetch, hub: Hub) -> None:
    table = static(new(hub, "team/table", library_name="model2vec"))
    (table / "model.onnx").write_bytes(b"the same in another form")
    pictures(new(hub, "team/pictures"), side=8)
    both = sentences(new(hub, "team/both"))
    (both / "vision").mkdir()
    pictures(both / "vision", side=8)
    assert fetch("team/table").files.keys() == {"model.safetensors", "tokenizer.json"}
    assert fetch("team/pictures").kind == "image"
    assert (fetch("team/both").kind, fetch("team/both", "vision/model.onnx").kind) == ("sentence", "image")


def test_what_is_no_model_that_nextlabel_reads_is_refused_and_nothing_of_it_stays(
    fetch: Fetch, hub: Hub, settings: Settings
) -> None:
    (new(hub, "bad/pickle") / "pytorch_model.bin").write_bytes(b"a pickle")
    write_safetensors(static(new(hub, "bad/network")) / "model.safetensors", table=TABLE, layer=TABLE)
    several = sentences(new(hub, "bad/several"))
    (several / "two.onnx").write_bytes((several / "model.onnx").read_bytes())
    (several / "model.onnx").rename(several / "one.onnx")
    for name, file, reason in (
        ("bad/pickle", "", r"holds no \*.onnx and no \*.safetensors"),
        ("bad/network", "", "2 tables"),
        ("bad/several", "", "choose one with --file, of one.onnx, two.onnx"),
        ("bad/several", "../../etc/passwd", "no file ../../etc/passwd"),
        ("bad/none", "", "no model bad/none"),
        ("bad/several@v9", "", "no model bad/several@v9"),
    ):
        with pytest.raises(ConfigurationError, match=reason):
            fetch(name, file)
    hub.said_size = 3_000_000_000
    with pytest.raises(ConfigurationError, match="2,000 are the most"):
        fetch("bad/several", "one.onnx")
    assert files(settings.embeddings_folder).keys() == {".lock"}
    assert [ModelName.read(text) for text in ("../etc", "/etc/passwd", "words", "a/../b", "a--b/c", "a/b c")] == [
        None
    ] * 6


@pytest.mark.parametrize("fault", ["spoiled", "short", "endless"])
def test_a_download_that_goes_wrong_leaves_what_was_there_and_nothing_else(
    fetch: Fetch, hub: Hub, settings: Settings, fault: str
) -> None:
    folder = sentences(new(hub, "team/words"))
    fetch("team/words")
    here = settings.embeddings_folder / "team--words"
    before = files(here)
    hub.fault = fault
    (folder / "model.onnx").rename(folder / "other.onnx")
    with pytest.raises(NextlabelError, match="announced" if fault == "endless" else "team/words"):
        fetch("team/words")
    assert files(here) == before
    assert {one.name for one in settings.embeddings_folder.iterdir()} == {".lock", "team--words"}


def test_a_download_that_is_killed_in_the_middle_is_not_there_and_the_next_one_is_whole(
    fetch: Fetch, address: tuple[Hub, str], settings: Settings, tmp_path: Path
) -> None:
    hub, url = address
    sentences(new(hub, "team/words"))
    hub.fault = "held"
    environ = os.environ | {"NEXTLABEL_HOME": str(settings.home), "HF_ENDPOINT": url, "HF_HOME": str(tmp_path / "hf")}
    command = [sys.executable, "-m", "nextlabel", "embeddings", "download", "team/words", "--json"]
    with subprocess.Popen(command, env=environ, stderr=subprocess.DEVNULL) as killed:
        assert hub.begun.wait(CEILING_SECONDS)
        with pytest.raises(ConfigurationError, match="Another download"):
            fetch("team/words")
        killed.send_signal(signal.SIGKILL)
    with pytest.raises(ConfigurationError, match="not downloaded"):
        Embeddings.of(settings).of_texts()
    hub.fault = ""
    done = subprocess.run(command, env=environ, capture_output=True, check=True, timeout=CEILING_SECONDS)
    assert json.loads(done.stdout)["kind"] == "sentence"
    assert Embeddings.of(settings).of_texts()
    assert {one.name for one in settings.embeddings_folder.iterdir()} == {".lock", "team--words"}


def test_where_the_hub_cannot_be_reached_a_sentence_says_what_else_works(settings: Settings) -> None:
    with pytest.raises(NextlabelError, match="bring a folder"):
        download(ModelName("team/words"), settings.embeddings_folder, endpoint="http://127.0.0.1:9")


MOODS = [
    {"id": f"m{n}", "text": f"{word} number {n}", "label": mood}
    for n, (word, mood) in enumerate([("good", "up"), ("bad", "down")] * 40)
]


def lines(rows: list[dict[str, str]], *fields: str) -> str:
    return "".join(json.dumps({field: row[field] for field in fields}) + "\n" for row in rows)


def test_a_model_is_measured_by_its_speed_and_on_a_projects_own_labels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NEXTLABEL_HOME", str(tmp_path / "home"))
    for name in ("REDIS_URL", "NEXTLABEL_DATABASE_URL", "NEXTLABEL_EMBEDDINGS"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "model").mkdir()
    sentences(tmp_path / "model")
    (tmp_path / "moods.jsonl").write_text(lines(MOODS, "id", "text"))
    (tmp_path / "moods.labels.jsonl").write_text(lines(MOODS[:60], "id", "label"))
    run = CliRunner().invoke
    assert "Which model?" in run(cli, ["embeddings", "measure"]).output
    assert run(cli, ["files", "moods.jsonl"]).exit_code == 0
    done = run(cli, ["embeddings", "measure", "model", "--project", "moods", "--json"])
    assert done.exit_code == 0, done.output
    measured = json.loads(done.stdout)
    assert (measured["kind"], measured["columns"], measured["worth"]["labels"]) == ("sentence", 3, 60)
    assert measured["per_second"] > 1
    assert measured["worth"]["with_model"]["accuracy"] == 1
    assert measured["worth"]["without"].keys() == measured["worth"]["with_model"].keys()
