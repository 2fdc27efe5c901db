"""How much of each template that Label Studio itself offers is learned, as docs/templates.md has it.

python -m benchmarks.templates
"""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

from nextlabel.labeling import LabelSchema, Target
from nextlabel_connectors.label_studio.label_config import parse_label_config
from nextlabel_connectors.label_studio.testing import LabelStudioServer

PAGE = Path("docs/templates.md")
_READ = """
import json, sys, yaml
from importlib.resources import files
found = sorted(files("label_studio").joinpath("annotation_templates").glob("*/*/config.yml"))
read = {f"{one.parts[-3]}/{one.parts[-2]}": yaml.safe_load(one.read_text("utf-8")) for one in found}
json.dump({name: template["config"] for name, template in read.items()}, sys.stdout)
"""
_HOW = ("in full", "in full, beside others", "what an answer holds", "how much an answer holds")
_HEAD = """# Label Studio's templates

How much of each labeling config that Label Studio itself offers is learned; `python -m benchmarks.templates` writes
this page. *In full* is pre-annotated, too. What an answer *holds* (which of its labels, or how much of it there is)
orders the queue, and nothing of it is shown. [What is learned](learned.md) says how each control is.
"""


def configs(python: Path) -> dict[str, str]:
    """The labeling config of each template, by folder and name; ``python`` is Label Studio's own."""
    done = subprocess.run([python, "-c", _READ], capture_output=True, check=True, text=True, timeout=120)
    found: dict[str, str] = json.loads(done.stdout)
    return found


def how(schema: LabelSchema) -> str:
    """How a project is learned, in words."""
    if not schema.held and not schema.left_out:
        return _HOW[0]
    if any(target.pre_annotated for target in schema.targets):
        return _HOW[1]
    return _HOW[3] if all(target.kind == "number" for target in schema.targets) else _HOW[2]


def page(found: Mapping[str, str]) -> str:
    """The whole page."""
    schemas = {name: parse_label_config(xml).schema for name, xml in found.items()}
    counts = Counter(how(schema) for schema in schemas.values())
    counted = ", ".join(f"{counts[one]} {one}" for one in _HOW)
    rows = [_row(name, schema) for name, schema in schemas.items()]
    head = "| template | learned | controls in full | by what answers hold | not |\n|---|---|---|---|---|"
    return "\n".join([_HEAD, f"Of {len(rows)}: {counted}.", "", head, *rows, ""])


def _row(name: str, schema: LabelSchema) -> str:
    full = [one for one in schema.targets if one.pre_annotated]
    held = [one for one in schema.targets if not one.pre_annotated]
    cells = [name, how(schema), _named(full), _named(held), ", ".join(f"`{one}`" for one in schema.left_out)]
    return f"| {' | '.join(cells)} |"


def _named(targets: Iterable[Target]) -> str:
    return ", ".join(f"`{one.name}` ({one.kind})" for one in targets)


def main() -> None:
    """Write the page."""
    PAGE.write_text(page(configs(Path(LabelStudioServer().python))), encoding="utf-8")


if __name__ == "__main__":
    main()
