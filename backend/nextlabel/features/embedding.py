"""Texts as dense vectors that a ready-made language model gives them, from a folder on this machine.

The folder holds ``tokenizer.json`` and either ``*.onnx`` (a sentence encoder) or ``*.safetensors`` (one vector for each
token, as model2vec and WordLlama have it). Nothing is downloaded here: `nextlabel embeddings download` makes a folder.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from time import monotonic
from types import ModuleType
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, hstack

from nextlabel.errors import ArtifactError, ConfigurationError
from nextlabel.features.markup import content_of, is_marked_up
from nextlabel.features.model_folders import Embeddings
from nextlabel.features.source import Source
from nextlabel.features.spaces import AsItIs, Centred, Space, TfIdf, restore_space
from nextlabel.features.text import KnownTexts, content_hash, read_text
from nextlabel.features.work import EmbedProgress
from nextlabel.labeling import Task
from nextlabel.labeling.ranking import Features, Floats

log = logging.getLogger("nextlabel.embedding")

_LOG_SECONDS = 10.0
_WORDS = np.float32(0.7)  # of the embedding's length: .5 helped less at 500 labels, 1 cost rare classes more
_MAX_CHARACTERS = 100_000
_MARKED_UP = "\0content\0"  # before a text that is embedded without its markup: once it was embedded with it
_MAX_TOKENS = 256  # of a text that a sentence encoder reads: what small ones were trained on, and time goes with it
_NUMBERS = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "I8": "i1"}


class EmbeddingEncoder:
    """Text fields as embeddings, and beside them, with ``words``, the words and n-grams that `TextEncoder` counts.

    What an embedding blurs the words still tell: measured from 50 to 2,000 labels (docs/benchmarks.md), the two side by
    side are rarely much worse than the better of them. Alone, static vectors fall behind words by 500 to 2,000 labels.
    """

    kind = "embedding"

    def __init__(
        self, fields: Sequence[str], folder: Path, model: str, words: tuple[TfIdf, Centred] | None = None
    ) -> None:
        self._fields, self._folder, self._model, self._words = tuple(fields), folder, model, words

    @classmethod
    def of(
        cls, fields: Sequence[str], folder: Path, texts: Sequence[str], source: Source, *, words: bool = True
    ) -> EmbeddingEncoder:
        """``texts`` are all that are known of the project. Raises `ConfigurationError` for a folder that is none."""
        plain = cls(fields, folder, signature(folder))
        if not words:
            return plain
        weighing = TfIdf.of(source.count(texts)), Centred.of(plain._embed(texts, source))
        return cls(fields, folder, plain._model, weighing)

    def encode(self, tasks: Sequence[Task], source: Source) -> Features:
        return self.encode_texts([read_text(task.data, self._fields) for task in tasks], source)

    def encode_texts(self, texts: Sequence[str], source: Source) -> Features:
        """n × width as they are; with ``words`` n × (`COLUMNS` + width), weighed, words first."""
        vectors = self._embed(texts, source)
        if self._words is None:
            return vectors
        by_words, by_vectors = self._words
        weighed = by_words.weigh(source.count(texts)) * _WORDS, csr_matrix(by_vectors.weigh(vectors))
        return csr_matrix(hstack(weighed, format="csr"))

    def _embed(self, texts: Sequence[str], source: Source) -> Floats:
        def content(place: int) -> str:
            return content_of(texts[place])[:_MAX_CHARACTERS]

        def compute(places: Sequence[int]) -> Floats:
            return model.embed([content(place) for place in places])

        model = load_model(self._folder)
        if source.vectors is None:
            return compute(range(len(texts)))
        keys = texts.hashes if isinstance(texts, KnownTexts) else [_key(text) for text in texts]
        return source.vectors.get(self._model, keys, model.width, compute, content, Telling(source.progress))

    def space(self, pool: Features) -> Space:
        return AsItIs(pool.shape[1]) if self._words else Centred.of(np.asarray(pool))

    def state(self) -> dict[str, object]:
        weighing = {"words": self._words[0].state(), "vectors": self._words[1].state()} if self._words else {}
        return {
            "kind": self.kind,
            "fields": list(self._fields),
            "folder": str(self._folder),
            "model": self._model,
            **weighing,
        }

    @classmethod
    def from_state(cls, state: Mapping[str, object]) -> EmbeddingEncoder:
        """Raises `ArtifactError` where the folder does not hold the model that this was trained with."""
        folder, model = Path(str(state["folder"])), str(state["model"])
        check_unchanged(folder, model, signature)
        words = None
        if "words" in state:
            halves = (restore_space(cast("Mapping[str, object]", state[half])) for half in ("words", "vectors"))
            words = cast("tuple[TfIdf, Centred]", tuple(halves))
        return cls(cast("list[str]", state["fields"]), folder, model, words)


def _key(text: str) -> bytes:
    return content_hash(f"{_MARKED_UP}{text}" if is_marked_up(text) else text)


def check_unchanged(folder: Path, model: str, signature: Callable[[Path], str]) -> None:
    """Raises `ArtifactError` where the folder does not hold the model of that signature."""
    try:
        here = signature(folder)
    except ConfigurationError as error:
        raise ArtifactError(f"A model needs embeddings that are not on this machine: {error}") from error
    if here != model:
        raise ArtifactError(f"The embedding model in {folder} is not the one trained with: put it back, or retrain.")


def embedder(embeddings: Embeddings, wanted: str) -> Callable[[Sequence[str]], Floats] | None:
    """What gives texts their vectors as the model of that signature does; None where this machine has another one."""
    try:
        folder = embeddings.of_texts()
        if folder is None or signature(folder) != wanted:
            return None
        return load_model(folder).embed
    except (ConfigurationError, OSError):
        return None


class Telling:
    """Tells on, and writes a line into the log now and then: a first pass takes minutes."""

    def __init__(self, progress: EmbedProgress) -> None:
        self._progress, self._next = progress, monotonic() + _LOG_SECONDS

    def __call__(self, done: int, total: int) -> None:
        self._progress(done, total)
        if monotonic() >= self._next:
            self._next = monotonic() + _LOG_SECONDS
            log.info("embedding: %s of %s texts", f"{done:,}", f"{total:,}")


class EmbeddingModel(Protocol):
    """Texts → vectors of length 1 (zeros for a text without any token); the same vector whatever stands beside it."""

    @property
    def width(self) -> int: ...

    def embed(self, texts: Sequence[str]) -> Floats: ...


def load_model(folder: Path) -> EmbeddingModel:
    """The model in a folder, once per process. Raises `ConfigurationError` where it or what it needs is missing."""
    return _loaded(folder, signature(folder))


@lru_cache(maxsize=4)
def _loaded(folder: Path, _: str) -> EmbeddingModel:  # by its signature too: a download may put another in its place
    tokenizer = _tokenizer(_model_file(folder, "tokenizer.json"))
    if list(folder.glob("*.onnx")):
        return SentenceEncoder(_model_file(folder, "*.onnx"), tokenizer)
    return StaticVectors(_model_file(folder, "*.safetensors"), tokenizer)


def signature(folder: Path) -> str:
    """What stands for a model in caches: changes with any byte of its files. Raises `ConfigurationError`."""
    return digest_of_models(folder, _model_file(folder, "tokenizer.json"))


def digest_of_models(folder: Path, *beside: Path) -> str:
    """Of a folder's models, and of those files beside them that there are."""
    files = [path for path in sorted(folder.iterdir()) if path.suffix in (".onnx", ".onnx_data", ".safetensors")]
    stats = [(path, path.stat()) for path in (*files, *beside) if path.is_file()]
    return _digest(tuple((path, stat.st_size, stat.st_mtime_ns) for path, stat in stats))


@lru_cache(maxsize=16)
def _digest(files: Sequence[tuple[Path, int, int]]) -> str:
    # All bytes count: 0.03 s for MiniLM, once per process, and two models never share a cache.
    digest = hashlib.blake2b(b"embedding/1", digest_size=12)
    for path, size, _ in files:
        digest.update(size.to_bytes(8, "little"))
        with path.open("rb") as file:
            while chunk := file.read(1 << 20):
                digest.update(chunk)
    return f"embedding-{digest.hexdigest()}"


class SentenceEncoder:
    """A transformer in ONNX: the mean of its token vectors (Reimers & Gurevych, 2019).

    One text at a time and one thread: on a core of its own, batches by length saved at most a sixth on sentences and
    cost more on longer texts, and a model that is quantised as it runs would give a text another vector in each batch.
    """

    def __init__(self, path: Path, tokenizer: Any) -> None:
        self._session = open_session(path)
        tokenizer.enable_truncation(_MAX_TOKENS)
        self._tokenizer = tokenizer
        self._inputs = {one.name for one in self._session.get_inputs()}
        try:
            self.width = len(self._vector("width"))
        except Exception as error:  # its errors have no common base
            raise ConfigurationError(
                f"{path} is no encoder of texts: it takes {', '.join(sorted(self._inputs))} ({first_line(error)}). "
                "One for pictures belongs in NEXTLABEL_IMAGE_EMBEDDINGS."
            ) from error

    def embed(self, texts: Sequence[str]) -> Floats:
        rows = np.zeros((len(texts), self.width), dtype=np.float32)
        for row, text in zip(rows, texts, strict=True):
            row[:] = self._vector(text)
        return rows

    def _vector(self, text: str) -> Floats:
        read = self._tokenizer.encode(text)
        given = {"input_ids": read.ids, "attention_mask": read.attention_mask, "token_type_ids": read.type_ids}
        fed = {name: np.array([value], dtype=np.int64) for name, value in given.items() if name in self._inputs}
        (vectors, *_) = self._session.run(None, fed)
        return _of_length_one(np.asarray(vectors, dtype=np.float32).reshape(-1, vectors.shape[-1]).mean(axis=0))


def open_session(path: Path) -> Any:
    """The ONNX model in a file, computing in one thread. Raises `ConfigurationError` where it is none."""
    runtime = _extra("onnxruntime")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        return runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its errors have no common base
        raise ConfigurationError(f"{path} cannot be read as an ONNX model ({first_line(error)}).") from error


class StaticVectors:
    """A table of token vectors: the mean over a text's tokens. Knows no order of words, and takes 0.1 ms a text."""

    def __init__(self, path: Path, tokenizer: Any) -> None:
        tokenizer.no_truncation()
        self._tokenizer = tokenizer
        tensors = read_safetensors(path)
        tables = [one for one in tensors.values() if one.ndim > 1]
        if len(tables) != 1 or tables[0].ndim != 2:
            raise ConfigurationError(
                f"{path} holds {len(tables)} tables where one of token vectors is expected: a whole network is read "
                "from *.onnx only."
            )
        table = tables[0]
        # model2vec ≥ 0.6: tokens may share rows, and each has a weight of its own.
        rows = tensors.get("mapping", np.arange(len(table)))
        weights = tensors.get("weights", np.ones(len(rows)))
        self._table = table.astype(np.float32)[rows] * weights.astype(np.float32)[:, None]
        self.width = table.shape[1]

    def embed(self, texts: Sequence[str]) -> Floats:
        tokens = [self._tokenizer.encode(text, add_special_tokens=False).ids for text in texts]
        ends = np.cumsum([0, *map(len, tokens)])
        columns = np.array([token for one in tokens for token in one], dtype=np.int64)
        chosen = csr_matrix((np.ones(len(columns), np.float32), columns, ends), shape=(len(texts), len(self._table)))
        return _of_length_one(np.asarray(chosen @ self._table))


def read_safetensors(path: Path) -> dict[str, NDArray[Any]]:
    """The tensors of a file by name: 8 bytes that tell the length of a JSON header, the header, the numbers."""
    try:
        with path.open("rb") as file:
            size = int.from_bytes(file.read(8), "little")
            header = json.loads(file.read(min(size, 1 << 24)))
            data = file.read()
        return {
            name: np.frombuffer(data[slice(*one["data_offsets"])], _NUMBERS[one["dtype"]]).reshape(one["shape"])
            for name, one in header.items()
            if name != "__metadata__"
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigurationError(f"{path} cannot be read as a safetensors file ({first_line(error)}).") from error


def _of_length_one(vectors: Floats) -> Floats:
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.where(length > 0, length, 1))


def _model_file(folder: Path, pattern: str) -> Path:
    found = sorted(folder.glob(pattern))
    if not found:
        raise ConfigurationError(
            f"There is no {pattern} in {folder}: a folder of embeddings holds tokenizer.json and either *.onnx "
            "(a sentence encoder) or *.safetensors (a vector for each token)."
        )
    return found[0]


def _tokenizer(path: Path) -> Any:
    try:
        tokenizer = _extra("tokenizers").Tokenizer.from_file(str(path))
    except ConfigurationError:
        raise
    except Exception as error:  # it raises a bare Exception
        raise ConfigurationError(f"{path} cannot be read as a tokenizer ({first_line(error)}).") from error
    tokenizer.no_padding()
    return tokenizer


def _extra(name: str) -> ModuleType:
    try:
        return import_module(name)
    except ImportError as error:
        raise ConfigurationError(f'Embeddings need {name}: pip install "nextlabel[embeddings]".') from error


def first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
