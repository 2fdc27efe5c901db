"""Pictures as dense vectors that a ready-made ONNX network gives them, from a folder on this machine.

The folder holds ``*.onnx`` with one input N × 3 × height × width (float), and ``preprocessor_config.json`` where
colours are to be scaled otherwise than ImageNet's.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Any, cast

import numpy as np

from nextlabel.errors import ConfigurationError
from nextlabel.features.embedding import Telling, check_unchanged, digest_of_models, first_line, open_session
from nextlabel.features.image import decode, require_pillow
from nextlabel.features.media.reading import address_of, kept_by_address, read_all, rows_of
from nextlabel.features.source import Source
from nextlabel.features.spaces import Curved, Space
from nextlabel.labeling import Task, read_field
from nextlabel.labeling.ranking import Features, Floats

_SETTINGS = "preprocessor_config.json"
_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet's red, green and blue
_SIDE, _LARGEST_SIDE = 224, 1024
_WIDEST = 8192  # columns of a vector: a network that gives more is no encoder


class ImageEmbeddingEncoder:
    """The first picture of each field as a network sees it; zeros where it is missing or cannot be read.

    Vectors are kept by address: a picture that changes behind the same address keeps that of the first.
    """

    kind = "image-embedding"

    def __init__(self, fields: Sequence[str], folder: Path, model: str) -> None:
        self._fields, self._folder, self._model = tuple(fields), folder, model

    @classmethod
    def of(cls, fields: Sequence[str], folder: Path) -> ImageEmbeddingEncoder:
        """Raises `ConfigurationError` for a folder that holds no such model."""
        return cls(fields, folder, image_signature(folder))

    def encode(self, tasks: Sequence[Task], source: Source) -> Floats:
        """n × (width × fields)."""
        return np.nan_to_num(np.hstack([self._of_field(field, tasks, source) for field in self._fields]), copy=False)

    def _of_field(self, field: str, tasks: Sequence[Task], source: Source) -> Floats:
        model = load_image_model(self._folder)
        addresses = [address_of(read_field(task.data, field)) for task in tasks]

        def read(some: Sequence[str]) -> Floats:
            return rows_of(read_all(some, source.file, model.row), model.width)

        return kept_by_address(addresses, source, self._model, model.width, read, Telling(source.progress))

    def space(self, pool: Features) -> Space:
        return Curved.of(np.asarray(pool))

    def state(self) -> dict[str, object]:
        return {"kind": self.kind, "fields": list(self._fields), "folder": str(self._folder), "model": self._model}

    @classmethod
    def from_state(cls, state: Mapping[str, object]) -> ImageEmbeddingEncoder:
        """Raises `ArtifactError` where the folder does not hold the model that this was trained with."""
        folder, model = Path(str(state["folder"])), str(state["model"])
        check_unchanged(folder, model, image_signature)
        return cls(cast("list[str]", state["fields"]), folder, model)


def load_image_model(folder: Path) -> ImageModel:
    """The model in a folder, once per process. Raises `ConfigurationError` where it or what it needs is missing."""
    return _loaded(folder, image_signature(folder))


@lru_cache(maxsize=2)
def _loaded(folder: Path, _: str) -> ImageModel:
    return ImageModel(_file(folder))


def image_signature(folder: Path) -> str:
    """What stands for a model in caches: changes with any byte of its files. Raises `ConfigurationError`."""
    return f"image-{digest_of_models(_file(folder).parent, folder / _SETTINGS)}"


def _file(folder: Path) -> Path:
    found = sorted(folder.glob("*.onnx"))
    if not found:
        raise ConfigurationError(f"There is no *.onnx in {folder}: a folder of embeddings for pictures holds one.")
    return found[0]


class ImageModel:
    """A network that gives a picture one vector: its first output of one row, or the mean over places of a map.

    One picture at a time and one thread, so that a picture has the same vector whatever stands beside it.
    """

    def __init__(self, path: Path) -> None:
        """Raises `ConfigurationError` for a network that takes no pictures or gives no vectors."""
        require_pillow()
        self._session, self._one = open_session(path), Lock()
        self._input, shape = _input(path, self._session)
        self._height, self._width, self._scale, self._shift = _preparation(path.parent / _SETTINGS, shape)
        try:
            outputs = [np.asarray(one) for one in self._run(None, np.zeros((self._height, self._width, 3), np.float32))]
        except Exception as error:  # its errors have no common base
            raise ConfigurationError(f"{path} does not work on a picture ({first_line(error)}).") from error
        names = [one.name for one in self._session.get_outputs()]
        suitable = sorted(
            (one.ndim, place) for place, one in enumerate(outputs) if 2 <= one.ndim <= 4 and len(one) == 1
        )
        if not suitable:
            raise ConfigurationError(f"{path} gives no vector for a picture: it is no encoder of pictures.")
        self._output = names[suitable[0][1]]
        self.width = len(_pooled(outputs[suitable[0][1]]))
        if self.width > _WIDEST:
            raise ConfigurationError(
                f"{path} gives {self.width} numbers for a picture: more than {_WIDEST} are no use."
            )

    def row(self, content: bytes) -> Floats | None:
        """``width`` numbers, of length 1; None for what is no picture."""
        pixels = decode(content, self._width, self._height)
        if pixels is None:
            return None
        vector = _pooled(self._run([self._output], pixels)[0])
        return vector / (float(np.linalg.norm(vector)) or np.float32(1))

    def _run(self, outputs: Sequence[str] | None, pixels: Floats) -> list[Any]:
        given = (pixels * self._scale - self._shift).transpose(2, 0, 1)[None].astype(np.float32)
        with self._one:
            return list(self._session.run(outputs, {self._input: given}))


def _input(path: Path, session: Any) -> tuple[str, Sequence[object]]:
    """Name and shape."""
    inputs = session.get_inputs()
    if len(inputs) == 1 and inputs[0].type == "tensor(float)":
        shape = inputs[0].shape
        if len(shape) == 4 and (shape[1] == 3 or isinstance(shape[1], str | None)):
            return inputs[0].name, shape
    wanted = ", ".join(f"{one.name} {one.type} {one.shape}" for one in inputs)
    raise ConfigurationError(
        f"{path} is no encoder of pictures: it takes {wanted}, not one input of N × 3 × height × width floats."
    )


def _preparation(path: Path, shape: Sequence[object]) -> tuple[int, int, Floats, Floats]:
    """Height and width, and what colours in [0, 1] are multiplied by and what is then taken off.

    The sizes are the model's own; where it takes any, those of the file beside it. Raises `ConfigurationError`.
    """
    try:
        found = json.loads(path.read_bytes()) if path.is_file() else {}
        size = found.get("crop_size") or found.get("size") or _SIDE
        sides = size if isinstance(size, dict) else {"shortest_edge": size}
        height, width = (
            given if isinstance(given, int) else int(sides.get(name) or sides["shortest_edge"])
            for given, name in zip(shape[2:], ("height", "width"), strict=True)
        )
        normal = found.get("do_normalize", True)
        mean = np.array(found.get("image_mean", _MEAN) if normal else [0, 0, 0], dtype=np.float32)
        deviation = np.array(found.get("image_std", _DEVIATION) if normal else [1, 1, 1], dtype=np.float32)
        most = np.float32(255 * found.get("rescale_factor", 1 / 255) if found.get("do_rescale", True) else 255)
    except (ValueError, TypeError, KeyError, AttributeError, OSError) as error:
        raise ConfigurationError(f"{path} cannot be read as settings of pictures ({first_line(error)}).") from error
    if not (0 < height <= _LARGEST_SIDE and 0 < width <= _LARGEST_SIDE and mean.shape == deviation.shape == (3,)):
        raise ConfigurationError(f"{path.parent} asks for {height} × {width} pixels: at most {_LARGEST_SIDE} a side.")
    if not (np.isfinite(mean).all() and np.isfinite(deviation).all() and deviation.all()):
        raise ConfigurationError(f"{path}: image_mean and image_std must be numbers, and no image_std may be 0.")
    return height, width, most / deviation, mean / deviation


def _pooled(output: Any) -> Floats:
    """1 × width, 1 × places × width, or 1 × width × height × width: one vector."""
    values: Floats = np.asarray(output, dtype=np.float32)[0]
    if values.ndim == 1:
        return values
    return np.asarray(values.mean(axis=0 if values.ndim == 2 else (1, 2)))
