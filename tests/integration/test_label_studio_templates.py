"""How much of each template that Label Studio itself offers is learned."""

from __future__ import annotations

import json
import subprocess
from collections import defaultdict
from pathlib import Path

from nextlabel.labeling import LabelSchema
from nextlabel.testing.waiting import CEILING_SECONDS
from nextlabel_connectors.label_studio.label_config import parse_label_config

READ = """
import json, sys, yaml
from importlib.resources import files
found = files("label_studio").joinpath("annotation_templates").glob("**/config.yml")
json.dump({one.parent.name: yaml.safe_load(one.read_text("utf-8"))["config"] for one in found}, sys.stdout)
"""
AMOUNT = {
    "automatic-speech-recognition",
    "chat_eval",
    "freeform-metadata",
    "image-captioning",
    "llm-ranker",
    "machine-translation",
    "response-generation",
    "supervised-llm",
    "text-summarization",
    "visual-ranker",
}
"""Those that ask for nothing but free text, or for an order."""


def how(schema: LabelSchema) -> str:
    if schema.held or schema.left_out:
        beside = any(target.pre_annotated for target in schema.targets)
        labels = any(target.kind != "number" for target in schema.targets)
        return "beside others" if beside else "what is chosen" if labels else "the amount"
    return "in full"


def test_of_every_template_something_is_learned_and_of_most_more_than_an_amount(python_of_label_studio: Path) -> None:
    done = subprocess.run(
        [python_of_label_studio, "-c", READ], capture_output=True, timeout=CEILING_SECONDS, check=True, text=True
    )
    found = defaultdict(set)
    for name, xml in json.loads(done.stdout).items():
        schema = parse_label_config(xml).schema
        assert schema.targets, name
        assert all(target.inputs for target in schema.targets), name
        found[how(schema)].add(name)
    assert sum(map(len, found.values())) >= 69
    assert len(found["in full"]) >= 26
    assert found["the amount"] <= AMOUNT
    assert "serp-ranking" in found["beside others"]
    assert {"visual-genome", "inventory-tracking", "multipage-documents"} <= found["what is chosen"]
