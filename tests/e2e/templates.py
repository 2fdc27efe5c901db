"""Run by Label Studio's own Python: of each of its templates of one folder the config, tasks, and an answer to each.

Tasks and answers are those that Label Studio's SDK makes up for the config; a sentence tells tasks apart.
"""

from __future__ import annotations

import json
import random
import re
import sys
from collections.abc import Iterator, Sequence
from importlib.resources import files
from typing import Any
from xml.etree import ElementTree

import yaml
from label_studio_sdk.label_interface import LabelInterface  # type: ignore[import-not-found]

TASKS = 16
WORDS = [["snow", "ice", "frost", "a cold wind"], ["bread", "an oven", "hot soup", "a warm pan"]]

LINK = "/a[1]/text()[1]"  # in the page that the SDK makes up
WITHIN = {"startOffset": 0, "endOffset": 5}
REGIONS: dict[str, dict[str, Any]] = {
    "hypertextlabels": {"start": LINK, "end": LINK, **WITHIN, "globalOffsets": {"start": 0, "end": 5}},
    "paragraphlabels": {"start": "0", "end": "0", **WITHIN},
}
"""The first five characters of a page, and of a dialogue's first turn."""


def told_apart(value: Any, n: int) -> Any:
    """The same with a sentence of the n-th task in its texts; addresses and ids stay."""
    if isinstance(value, str):
        words = f"{WORDS[n % 2][n % 4]}, number {n}"
        return value if value.startswith(("http", "/")) else f"{value} {words}"
    if isinstance(value, list):
        return [told_apart(one, n) for one in value]
    if isinstance(value, dict):
        return {key: one if key == "id" else told_apart(one, n) for key, one in value.items()}
    return value


def example(config: str) -> dict[str, Any]:
    """The task that stands in a comment of some configs."""
    found = re.search(r"<!--\s*(\{.*\})\s*-->", config, re.DOTALL)
    return dict(json.loads(found[1])["data"]) if found and '"data"' in found[1] else {}


def ordered(config: str, control: str, sample: dict[str, Any]) -> dict[str, list[str]]:
    """The items of the sample in any order, in any buckets."""
    root = ElementTree.fromstring(config)  # noqa: S314
    shown = next(tag.get("toName") for tag in root.iter("Ranker") if tag.get("name") == control)
    field = next(str(tag.get("value")) for tag in root.iter("List") if tag.get("name") == shown).lstrip("$")
    ids = random.sample([str(item["id"]) for item in sample[field]], len(sample[field]))
    buckets = [str(tag.get("name")) for tag in root.iter("Bucket")] or [control]
    return {bucket: ids[n :: len(buckets)] for n, bucket in enumerate(buckets)}


def with_options(config: str, task: dict[str, Any]) -> str:
    """The config with the options that the task itself has: the SDK makes up no answer for those."""
    root = ElementTree.fromstring(config)  # noqa: S314
    for tag in list(root.iter()):
        options = task.get(tag.get("value", "").lstrip("$"))
        if isinstance(options, list) and (tag.tag == "Choices" or tag.tag.endswith("Labels")):
            del tag.attrib["value"]
            for one in options:
                ElementTree.SubElement(tag, "Choice" if tag.tag == "Choices" else "Label", value=one["value"])
    return ElementTree.tostring(root, encoding="unicode")


def paths(tag: ElementTree.Element, above: Sequence[str] = ()) -> Iterator[list[str]]:
    """Of each choice in a tree the way to it: the SDK makes up ways that no tree has."""
    for one in tag.findall("Choice"):
        yield [*above, one.get("value", "")]
        yield from paths(one, [*above, one.get("value", "")])


def answered(config: str, task: dict[str, Any]) -> list[dict[str, Any]]:
    """An answer such as the SDK makes up, with spans that lie in the text, and options and items that the task has."""
    interface = LabelInterface(with_options(config, task))
    annotation = interface.generate_sample_annotation() or {"result": []}
    for item in annotation["result"]:
        value = item["value"]
        if "ranker" in value:
            value["ranker"] = ordered(config, item["from_name"], task)
        if "taxonomy" in value:
            tags = ElementTree.fromstring(config).iter("Taxonomy")  # noqa: S314
            tree = next(tag for tag in tags if tag.get("name") == item["from_name"])
            value["taxonomy"] = random.sample(list(paths(tree)), 2)
        if "start" in value and "end" in value:
            value["start"], value["end"] = 0, 5
            labels = next((key for key in value if key.endswith("labels")), "")
            value |= {labels: value[labels][:1] or [next(iter(interface.get_control(item["from_name"]).labels))]}
            value |= REGIONS.get(item["type"], {})
    if not annotation["result"]:
        annotation["result"] = [of_itself(one) for one in interface.controls if one.tag in ("Chat", "Pairwise")]
    return list(annotation["result"])


def of_itself(control: Any) -> dict[str, Any]:
    """A comparison or a message: where nothing else is asked, the SDK makes up neither."""
    kind = "pairwise"
    value: dict[str, Any] = {"selected": random.choice(["left", "right"])}
    if control.tag == "Chat":
        kind, value = "chatmessage", {"chatmessage": {"role": "user", "content": "Hello!", "createdAt": 1710000000000}}
    return {"from_name": control.name, "to_name": control.name, "type": kind, "value": value}


def main(folder: str) -> None:
    random.seed(0)
    found = {}
    for template in sorted(files("label_studio").joinpath("annotation_templates", folder).iterdir(), key=str):
        if not template.joinpath("config.yml").is_file():
            continue
        config = yaml.safe_load(template.joinpath("config.yml").read_text(encoding="utf-8"))["config"]
        made_up, shown = LabelInterface(config).generate_sample_task(), example(config)
        sample = {key: shown.get(key, []) if value is None else value for key, value in (shown | made_up).items()}
        tasks = [told_apart(sample, n) for n in range(TASKS)]
        answers = [answered(config, task) for task in tasks]
        found[template.name] = {"config": config, "tasks": tasks, "answers": answers}
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1])
