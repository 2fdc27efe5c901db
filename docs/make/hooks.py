"""What `properdocs build` does beside its own: pages from outside ``docs``, anchors as a repository's site has them.

A link in a page is written so that it works where the repository is read, relative to the file that it stands in.
Files that belong to the repository's root are pages of the site too, so that their links are checked with all others.
"""

from __future__ import annotations

import os.path
import posixpath
import re
from pathlib import Path
from typing import Any

from properdocs.structure.files import File

ROOT = Path(__file__).resolve().parents[2]
PAGES = {
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "docker/README.md": "containers.md",
}
"""By the file in the repository the page that it is."""
BESIDE = ("docker/alerts.yaml", "docker/grafana-board.json", "demo/data/README.md", "LICENSE")
"""Other files that pages link to: they are copied."""
_LINK = re.compile(r"(\]\(|(?:href|src)=\")([^)\s\"#]+)")
_NOT_IN_ANCHORS = re.compile(r"[^\w\- ]")


def on_config(config: Any) -> Any:
    config.mdx_configs.setdefault("toc", {})["slugify"] = _slug
    return config


def on_files(files: Any, config: Any) -> Any:
    for source, page in PAGES.items():
        files.append(File.generated(config, page, content=(ROOT / source).read_text(encoding="utf-8")))
    for name in BESIDE:
        files.append(File.generated(config, _copied(name), content=(ROOT / name).read_bytes()))
    return files


def on_page_markdown(markdown: str, page: Any, **_: object) -> str:
    """Links as the site has them."""
    at = next((source for source, name in PAGES.items() if name == page.file.src_uri), f"docs/{page.file.src_uri}")
    return _LINK.sub(lambda found: found[1] + _moved(found[2], at, page.file.src_uri), markdown)


def on_page_content(html: str, **_: object) -> str:
    """What may be wider than a phone can be reached and scrolled with a keyboard."""
    html = html.replace("<pre>", '<pre tabindex="0">')
    within = '<div class="scroll" tabindex="0" role="region" aria-label="Table"><table>'
    return html.replace("<table>", within).replace("</table>", "</table></div>")


def _moved(target: str, source: str, page: str) -> str:
    if ":" in target or target.startswith("/"):
        return target
    place = posixpath.normpath(posixpath.join(posixpath.dirname(source), target))
    if place in PAGES:
        place = PAGES[place]
    elif place in BESIDE:
        place = _copied(place)
    elif place.startswith("docs/"):
        place = place.removeprefix("docs/")
    else:
        return target  # what is no page is reported
    return os.path.relpath(place, posixpath.dirname(page) or ".").replace(os.sep, "/")


def _copied(name: str) -> str:
    """As text, whatever it is: a page would be rendered, and a name alone served as bytes."""
    return f"files/{name.replace('/', '-')}.txt"


def _slug(text: str, _: str) -> str:
    """As GitHub and GitLab make anchors."""
    return _NOT_IN_ANCHORS.sub("", text.strip().lower()).replace(" ", "-")
