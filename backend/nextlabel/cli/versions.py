"""`nextlabel version`: what runs here. It loads nothing of what it names."""

from __future__ import annotations

import json
import platform
import sys
from importlib import metadata

import click

_NEEDED = ("scikit-learn", "numpy", "scipy", "skops", "sqlalchemy", "redis", "rq", "flask", "gunicorn", "httpx")
_EXTRAS = (
    *("psycopg", "pillow", "soundfile", "av", "pypdf", "onnxruntime", "tokenizers", "onnx", "pyarrow"),
    *("cleanlab", "scikit-activeml", "matplotlib", "label-studio-ml"),
)


@click.command()
@click.option(
    "--json", "as_json", is_flag=True, help="As JSON, for programs: packages that are not installed are null."
)
def version(as_json: bool) -> None:
    """The versions of nextlabel, Python, and what it builds on."""
    found = {
        "nextlabel": _of("nextlabel"),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "executable": sys.executable,
        "packages": {name: _of(name) for name in (*_NEEDED, *_EXTRAS)},
    }
    if as_json:
        click.echo(json.dumps(found))
        return
    click.echo(f"nextlabel {found['nextlabel']}, Python {found['python']} ({sys.executable}) on {found['platform']}")
    for name in (*_NEEDED, *_EXTRAS):
        click.echo(f"{name:<16} {_of(name) or 'not installed'}")


def _of(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
