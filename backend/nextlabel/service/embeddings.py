"""The ready-made models that there are for an installation, and what one of them is worth to a project."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from io import BytesIO
from pathlib import Path
from time import perf_counter

import numpy as np

from nextlabel.errors import ConfigurationError
from nextlabel.features.embedding import load_model
from nextlabel.features.image_embedding import load_image_model
from nextlabel.features.model_folders import Downloaded, Embeddings, ModelName, named
from nextlabel.features.source import Source
from nextlabel.labeling import LabelSchema, Task
from nextlabel.learning.targets import TargetsWorkbench
from nextlabel.ports.state import Labeled
from nextlabel.service.downloading import kind_of
from nextlabel.settings import Settings

_SEEDS = (0, 1, 2)
_TRIED, _SECONDS = 200, 5.0  # texts or pictures at most, and for how long at most
_SENTENCE = "The parcel was promised for Monday and came on Friday, so please tell me whom to ask for number"


@dataclass(frozen=True, slots=True)
class Recommended:
    """A model of the hub that nextlabel can use; ``worth`` says what was measured, and where it was not."""

    name: str
    kind: str
    megabytes: int
    languages: str
    licence: str
    worth: str


RECOMMENDED = (
    Recommended(
        "Xenova/all-MiniLM-L6-v2",
        "sentence",
        23,
        "English",
        "Apache-2.0",
        "measured (this network in eight bits, docs/benchmarks.md): accuracy +.09 on news, +.10 on movie sentences at "
        "50 labels, +.01 and +.04 at 2,000; 12 s for 1,000 sentences",
    ),
    Recommended(
        "minishlab/potion-base-8M",
        "static",
        31,
        "English",
        "MIT",
        "not measured; a like one, WordLlama: accuracy +.08 on news, +.03 on movie sentences at 50 labels, none left "
        "at 2,000; 0.1 s for 1,000 sentences",
    ),
    Recommended(
        "Xenova/paraphrase-multilingual-MiniLM-L12-v2", "sentence", 135, "50 languages", "Apache-2.0", "not measured"
    ),
    Recommended("minishlab/potion-multilingual-128M", "static", 530, "101 languages", "MIT", "not measured"),
    Recommended("Xenova/dinov2-small", "image", 23, "", "Apache-2.0", "not measured"),
)


@dataclass(frozen=True, slots=True)
class Listed(Recommended):
    """A model that is recommended, downloaded or set. ``revision`` is the commit that is here, empty for none;
    ``used_for`` is texts or pictures where a setting names it."""

    revision: str
    folder: str
    used_for: str


def listed(settings: Settings) -> list[Listed]:
    """The recommended ones first, then what else is downloaded, then folders that are set."""
    into = settings.embeddings_folder
    here = {one.name: one for folder in sorted(into.glob("*--*")) if (one := Downloaded.read(folder))}
    used = {"texts": settings.embeddings, "pictures": settings.image_embeddings}
    found = [_listed(into, one, here.pop(one.name, None), used) for one in RECOMMENDED]
    found += [_listed(into, _as_recommended(one), one, used) for one in here.values()]
    known = {one.name for one in found}
    for what, setting in used.items():
        name = named(setting)
        if setting and not (name and name.repository in known):
            found.append(_folder(setting, what))
    return found


def _listed(into: Path, one: Recommended, here: Downloaded | None, used: Mapping[str, str]) -> Listed:
    used_for = [what for what, setting in used.items() if (name := named(setting)) and name.repository == one.name]
    about = asdict(one) | ({"megabytes": round(here.bytes / 1e6)} if here else {})
    folder = str(ModelName(one.name).folder(into)) if here else ""
    return Listed(**about, revision=here.revision if here else "", folder=folder, used_for=" and ".join(used_for))


def _as_recommended(one: Downloaded) -> Recommended:
    languages = ", ".join(one.languages) if len(one.languages) < 4 else f"{len(one.languages)} languages"
    return Recommended(one.name, one.kind, round(one.bytes / 1e6), languages, one.licence, "not measured")


def _folder(setting: str, what: str) -> Listed:
    folder = Path(setting).expanduser()
    size = sum(one.stat().st_size for one in folder.iterdir() if one.is_file()) if folder.is_dir() else 0
    kind = "" if not folder.is_dir() else "image" if what == "pictures" else _kind_of_texts(folder)
    return Listed(setting, kind, round(size / 1e6), "", "", "not measured", "", str(folder) if size else "", what)


def _kind_of_texts(folder: Path) -> str:
    return "sentence" if list(folder.glob("*.onnx")) else "static"


@dataclass(frozen=True, slots=True)
class Speed:
    """How many texts or pictures a second a model encodes in one thread of this machine, and into how many columns."""

    kind: str
    per_second: float
    columns: int


def speed(folder: Path, texts: Sequence[str] = ()) -> Speed:
    """Of these texts, or of short sentences; of pictures that are drawn. Raises `ConfigurationError`."""
    kind = kind_of(folder)
    if kind == "image":
        network, drawn = load_image_model(folder), _drawn()
        return Speed(kind, _per_second(lambda _: network.row(drawn)), network.width)
    model = load_model(folder)
    known = texts or [f"{_SENTENCE} {n}." for n in range(_TRIED)]
    return Speed(kind, _per_second(lambda n: model.embed([known[n % len(known)]])), model.width)


def _per_second(encode: Callable[[int], object]) -> float:
    encode(0)
    begin = perf_counter()
    for done in range(1, _TRIED + 1):
        encode(done)
        if perf_counter() - begin > _SECONDS:
            break
    return done / (perf_counter() - begin)


def _drawn() -> bytes:
    from PIL import Image  # noqa: PLC0415 - an extra

    written = BytesIO()
    noise = np.random.default_rng(0).integers(0, 255, (60, 80, 3)).astype(np.uint8)
    Image.fromarray(noise).resize((640, 480)).save(written, "JPEG")
    return written.getvalue()


@dataclass(frozen=True, slots=True)
class Worth:
    """Figures of a project's targets on labels that were held out in turn, without a model and with it."""

    labels: int
    without: Mapping[str, float]
    with_model: Mapping[str, float]


def worth(
    schema: LabelSchema,
    labeled: Labeled,
    still_open: Sequence[Task],
    source: Source,
    model: Embeddings,
    without: Embeddings,
) -> Worth:
    """Each figure is the mean over three ways to hold out. Raises `SchemaError` where nothing can be learned, and
    `ConfigurationError` where there are too few labels to judge by."""

    def figures(embeddings: Embeddings) -> dict[str, float]:
        learned = []
        for seed in _SEEDS:
            bench = TargetsWorkbench(schema, labeled, still_open, source, seed=seed, embeddings=embeddings)
            learned.append(bench.learn(None, lambda: None).metrics)
        return {name: float(np.mean([one[name] for one in learned])) for name in learned[0]}

    plain = figures(without)
    if all(name.rpartition(".")[2] == "labels" for name in plain):
        raise ConfigurationError(f"{len(labeled)} labels are too few to measure anything: label more.")
    return Worth(len(labeled), plain, figures(model))


def instead(embeddings: Embeddings, setting: str, kind: str) -> tuple[Embeddings, Embeddings]:
    """The installation's models with that one, and without any of its kind."""
    if kind == "image":
        return replace(embeddings, images=setting), replace(embeddings, images="")
    return replace(embeddings, texts=setting), replace(embeddings, texts="")
