"""Models by name from the hub, for `nextlabel embeddings download`: nothing else in nextlabel ever downloads one."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path, PurePosixPath
from types import ModuleType
from typing import TYPE_CHECKING, Any

from nextlabel.errors import ConfigurationError, NextlabelError, SettingsError
from nextlabel.features.embedding import StaticVectors, load_model
from nextlabel.features.image_embedding import load_image_model
from nextlabel.features.model_folders import Downloaded, ModelName

if TYPE_CHECKING:
    from huggingface_hub.hf_api import ModelInfo

_MOST_BYTES = 2_000_000_000
_MOST_BYTES_BESIDE = 64_000_000  # of a file beside the model: the largest tokenizers have 20 MB
_SECONDS = 30.0  # for an answer of the hub
_BESIDE = ("tokenizer.json", "config.json", "preprocessor_config.json")
# Of several models that are the same but for their precision: eight bits are four times as small, and quicker.
_USUAL = ("model_quantized.onnx", "model_int8.onnx", "model.onnx", "model.safetensors")
_HUB, _PARTIAL = ".hub", ".partial"
_STATIC = {"model2vec", "wordllama"}


@dataclass(frozen=True, slots=True)
class _File:
    """One file of a model: its path in the repository, its size, and the digest that the hub keeps of it."""

    path: str
    size: int
    digest: str

    @property
    def name(self) -> str:
        return PurePosixPath(self.path).name

    def is_whole(self, content: Path) -> bool:
        """The hub keeps a sha256 of a large file, and of a small one git's sha1."""
        hashed = hashlib.sha256() if len(self.digest) == 64 else hashlib.sha1(usedforsecurity=False)
        if len(self.digest) != 64:
            hashed.update(b"blob %d\0" % self.size)
        with content.open("rb") as file:
            while chunk := file.read(1 << 20):
                hashed.update(chunk)
        return content.stat().st_size == self.size and hashed.hexdigest() == self.digest


def download(
    name: ModelName,
    into: Path,
    *,
    file: str = "",
    progress: Callable[[int, int], object] = lambda done, total: None,
    endpoint: str | None = None,
) -> Downloaded:
    """One model's files into a folder of their own below ``into``, all or none; what was there before is replaced.

    ``file`` names the model among several in the repository. ``progress`` is told of bytes, and of how many there will
    be. ``endpoint`` is the hub's address, by default that of huggingface_hub (HF_ENDPOINT). Raises
    `ConfigurationError` for what is no model that nextlabel can use, `NextlabelError` where it did not work this time.
    """
    hub, folder = _hub(), name.folder(into)
    with _alone(into) as unfinished:
        info = _ask(hub, name, partial(hub.HfApi(endpoint).model_info, name.repository, **_details(name)))
        files = _chosen(name, info, file)
        here = Downloaded.read(folder)
        if here and here.revision == info.sha and here.files == {one.name: one.digest for one in files}:
            about = replace(here, asked=name.revision)
            about.write(folder)
            return about
        counted = _Counted(sum(one.size for one in files), progress)
        for one in files:
            _ask(hub, name, partial(_fetch, hub, name, str(info.sha), one, unfinished, counted.bar(hub), endpoint))
        shutil.rmtree(unfinished / _HUB)
        about = _about(name, info, kind_of(unfinished), files)
        about.write(unfinished)
        _put(unfinished, folder)
    return about


def _put(unfinished: Path, folder: Path) -> None:
    if folder.exists():
        folder.rename(folder.with_name(f"{_PARTIAL}-old"))
    unfinished.rename(folder)


def kind_of(folder: Path) -> str:
    """sentence, static or image, as the model in a folder is. Raises `ConfigurationError` where it is none of them."""
    if not (folder / "tokenizer.json").is_file():
        load_image_model(folder)
        return "image"
    try:
        return "static" if isinstance(load_model(folder), StaticVectors) else "sentence"
    except ConfigurationError as no_text:
        try:
            load_image_model(folder)
        except ConfigurationError:
            raise no_text from None
        return "image"


@contextmanager
def _alone(into: Path) -> Iterator[Path]:
    """An empty folder for what is not whole yet. It is gone at the end, whatever happens; so is one of before."""
    into.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (into / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SettingsError(f"Another download into {into} is under way: wait until it is over.") from None
        unfinished = into / _PARTIAL
        try:
            _remove(into)
            unfinished.mkdir()
            yield unfinished
        finally:
            _remove(into)


def _remove(into: Path) -> None:
    for one in into.glob(f"{_PARTIAL}*"):
        shutil.rmtree(one)


def _hub() -> Any:
    # Plain HTTPS: the hub's own protocol for huge files gives no say over how many bytes come. And nothing is told of
    # what runs here beside the name of the library.
    for name in ("HF_HUB_DISABLE_XET", "HF_HUB_DISABLE_TELEMETRY"):
        os.environ.setdefault(name, "1")
    try:
        import huggingface_hub  # noqa: PLC0415 - an extra, and a second to load
    except ImportError as error:
        raise ConfigurationError('Downloads need huggingface_hub: pip install "nextlabel[embeddings]".') from error
    return huggingface_hub


def _details(name: ModelName) -> Mapping[str, Any]:
    return {"revision": name.revision or None, "files_metadata": True, "timeout": _SECONDS}


def _ask(hub: ModuleType, name: ModelName, question: Callable[[], Any]) -> Any:
    """What the hub answers. Raises `ConfigurationError` and `NextlabelError` in words of ours."""
    errors = hub.errors
    try:
        return question()
    except NextlabelError:
        raise
    except errors.GatedRepoError as error:
        raise ConfigurationError(
            f"{name.repository} is only for those who agreed to its terms: do so on its page, then `hf auth login`."
        ) from error
    except (errors.RepositoryNotFoundError, errors.RevisionNotFoundError, errors.HFValidationError) as error:
        raise ConfigurationError(
            f"The hub has no model {name}: check the name; for a private one run `hf auth login` first."
        ) from error
    except Exception as error:  # of whatever library it reads with: what they have in common differs by its release
        raise NextlabelError(
            f"{name} could not be downloaded ({type(error).__name__}: {_short(error)}). Try again; where the hub "
            "cannot be reached, bring a folder with the same files from a machine where it can, and name that."
        ) from error


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:300]


def _files(info: ModelInfo) -> list[_File]:
    found = []
    for one in info.siblings or ():
        digest = one.lfs.sha256 if one.lfs else one.blob_id
        if one.size is not None and digest and ".." not in one.rfilename.split("/"):
            found.append(_File(one.rfilename, one.size, digest))
    return found


def _chosen(name: ModelName, info: ModelInfo, wanted: str) -> list[_File]:
    """The model and what belongs to it. Only ONNX and safetensors are ever fetched: neither can run code."""
    files = _files(info)
    model = _model(name, files, wanted, static=not {info.library_name, *(info.tags or ())}.isdisjoint(_STATIC))
    folders = (str(PurePosixPath(model.path).parent), ".")
    beside = [
        next((one for folder in folders for one in files if one.path == str(PurePosixPath(folder) / beside)), None)
        for beside in _BESIDE
    ]
    weights = [one for one in files if one.path == f"{model.path}_data"]
    chosen = [model, *weights, *(one for one in beside if one)]
    total = sum(one.size for one in chosen)
    if total > _MOST_BYTES or any(one and one.size > _MOST_BYTES_BESIDE for one in beside):
        raise ConfigurationError(
            f"{name}: {model.path} and what belongs to it have {total / 1e6:,.0f} MB, and {_MOST_BYTES / 1e6:,.0f} are "
            "the most: choose a smaller model, or with --file one of fewer bits."
        )
    return chosen


def _model(name: ModelName, files: Sequence[_File], wanted: str, *, static: bool) -> _File:
    known = [one for one in files if one.path.endswith((".onnx", ".safetensors"))]
    usable = [one for one in known if one.path.endswith(".safetensors" if static else ".onnx")] or known
    if wanted:
        found = [one for one in known if one.path == wanted]
    else:
        usual = [one for file in _USUAL for one in usable if one.name == file]
        found = (usual or usable if len(usable) == 1 else usual)[:1]
    if not found:
        names = ", ".join(one.path for one in known[:20])
        raise ConfigurationError(
            f"{name} has {'no file ' + wanted if wanted else 'several models'}: choose one with --file, of {names}."
            if known
            else f"{name} holds no *.onnx and no *.safetensors, and nothing else is read: choose another model."
        )
    return found[0]


@dataclass(slots=True)
class _Counted:
    """How many bytes have come, of all files together; stops a hub that sends more than it announced."""

    total: int
    progress: Callable[[int, int], object]
    received: int = field(default=0, init=False)
    sent: int = field(default=0, init=False)

    def add(self, number: float | None) -> None:
        self.received += int(number or 0)
        self.sent += max(0, int(number or 0))
        if self.sent > 2 * self.total + (1 << 20):  # what is sent again after a broken line counts too
            raise NextlabelError(
                f"The hub sends more than the {self.total:,} bytes that it announced, or repeats them: try later."
            )
        self.progress(min(self.received, self.total), self.total)

    def bar(self, hub: ModuleType) -> type[Any]:
        """What huggingface_hub takes for its own progress bar."""
        counted = self

        class Bar(hub.utils.tqdm):  # type: ignore[misc, name-defined]
            def __init__(self, *given: Any, **how: Any) -> None:
                super().__init__(*given, **{**how, "disable": True})

            def update(self, n: float | None = 1) -> None:
                counted.add(n)

        return Bar


def _fetch(
    hub: Any, name: ModelName, revision: str, one: _File, unfinished: Path, bar: type[Any], endpoint: str | None
) -> None:
    how = {"revision": revision, "local_dir": unfinished / _HUB, "endpoint": endpoint, "etag_timeout": _SECONDS}
    fetched = Path(hub.hf_hub_download(name.repository, one.path, tqdm_class=bar, **how))
    if not one.is_whole(fetched):
        raise NextlabelError(f"{one.path} of {name} did not arrive as the hub has it: try again.")
    fetched.rename(unfinished / one.name)


def _about(name: ModelName, info: ModelInfo, kind: str, files: Sequence[_File]) -> Downloaded:
    card: dict[str, Any] = vars(info.card_data) if info.card_data else {}
    languages = card.get("language") or []
    return Downloaded(
        name.repository,
        name.revision,
        str(info.sha),
        kind,
        str(card.get("license") or "not stated")[:100],
        tuple(str(one)[:20] for one in (languages if isinstance(languages, list) else [languages]))[:200],
        sum(one.size for one in files),
        {one.name: one.digest for one in files},
    )
