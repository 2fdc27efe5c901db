"""``make release``: what a release is made of, in ``dist``; nothing is published.

The version of pyproject.toml must be the newest section of CHANGELOG.md, have notes in docs/upgrading.md, and be the
tag of a clean commit; ``--draft`` builds without tag and clean tree. The last line is one JSON object: each file with
its sha256.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DIST = ROOT / "dist"
DOCS_BEGIN = "nextlabel/web/documentation_site/index.html"


def main(*, draft: bool) -> int:
    version = str(tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"])
    wrong = [*_texts(version), *([] if draft else _commit(version))]
    for sentence in wrong:
        print(f"release: {sentence}", file=sys.stderr)
    if wrong:
        return 1
    made = _packages()
    image = _image(version)
    files = {one.name: hashlib.sha256(one.read_bytes()).hexdigest() for one in made}
    print(json.dumps({"version": version, "draft": draft, "files": files, "image": image}))
    return 0


def _texts(version: str) -> list[str]:
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    newest = next(iter(re.findall(r"^## \[(\d[^\]]*)\]", changelog, re.MULTILINE)), "")
    notes = (ROOT / "docs" / "upgrading.md").read_text(encoding="utf-8")
    found = []
    if newest != version:
        found.append(f"pyproject.toml is version {version}, and the newest section of CHANGELOG.md is {newest}.")
    if f"\n## To {version}\n" not in notes:
        found.append(f"docs/upgrading.md has no section 'To {version}': say what must be done, if only a backup.")
    return found


def _commit(version: str) -> list[str]:
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    unreleased = changelog.partition("## [Unreleased]")[2].partition("\n## [")[0].strip()
    found = []
    if unreleased:
        found.append("CHANGELOG.md has lines under Unreleased: they belong to a version.")
    if f"v{version}" not in _git("tag", "--points-at", "HEAD").split():
        found.append(f"this commit has no tag v{version}: `git tag v{version}` makes it, once all is in.")
    if _git("status", "--porcelain", "--untracked-files=no"):
        found.append("there are changes that are not committed.")
    return found


def _git(*arguments: str) -> str:
    return subprocess.run(
        ["git", "-C", str(ROOT), *arguments], check=True, capture_output=True, text=True
    ).stdout.strip()


def _packages() -> list[Path]:
    """Wheel and source, of which the wheel must hold the documentation."""
    shutil.rmtree(DIST, ignore_errors=True)
    program = [sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-t", "wheel", "-d", str(DIST)]
    subprocess.run(program, cwd=ROOT, check=True, stdout=sys.stderr)
    made = sorted(DIST.iterdir())
    wheel = next(one for one in made if one.suffix == ".whl")
    with zipfile.ZipFile(wheel) as opened:
        if DOCS_BEGIN not in opened.namelist():
            raise SystemExit(f"release: {wheel.name} is without its documentation ({DOCS_BEGIN}).")
    return made


def _image(version: str) -> str:
    """The image's name; "" where there is no engine that could make it."""
    if not shutil.which("docker") or subprocess.run(["docker", "version"], capture_output=True, check=False).returncode:
        print("release: the image is left out, for no Docker engine answers here.", file=sys.stderr)
        return ""
    name = f"nextlabel:{version}"
    program = ["docker", "build", "--file", "docker/Dockerfile", "--tag", name, "."]
    subprocess.run(program, cwd=ROOT, check=True, stdout=sys.stderr)
    return name


if __name__ == "__main__":
    sys.exit(main(draft="--draft" in sys.argv[1:]))
