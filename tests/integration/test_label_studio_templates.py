"""How much of each template that Label Studio itself offers is learned."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from benchmarks.templates import PAGE, configs, how, page

from nextlabel_connectors.label_studio.label_config import parse_label_config


def test_of_every_template_something_is_learned_as_the_docs_say(python_of_label_studio: Path) -> None:
    found = configs(python_of_label_studio)
    learned = defaultdict(set)
    for name, xml in found.items():
        schema = parse_label_config(xml).schema
        assert schema.targets, name
        assert all(target.inputs for target in schema.targets), name
        learned[how(schema)].add(name.partition("/")[2])
    assert len(found) >= 69
    assert len(learned["in full"]) >= 26
    assert "serp-ranking" in learned["in full, beside others"]
    assert {"visual-genome", "inventory-tracking", "multipage-documents"} <= learned["what an answer holds"]
    assert PAGE.read_text(encoding="utf-8") == page(found), "run: python -m benchmarks.templates"
