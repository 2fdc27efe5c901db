"""Taking back what `nextlabel connect` made in a Label Studio project, and putting its settings as they were before."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace

from nextlabel.labeling import QueueVersion, ToolProjectId
from nextlabel.ports.tool import Callback, Finding, ToolSetting
from nextlabel_connectors.label_studio.client import LabelStudioClient
from nextlabel_connectors.label_studio.dialect import UNCERTAINTY_SAMPLING
from nextlabel_connectors.label_studio.ours import (
    OUR_TITLE,
    Listed,
    address,
    list_backends,
    list_webhooks,
    remove_backend,
    remove_webhook,
)
from nextlabel_connectors.label_studio.payloads import JsonObject
from nextlabel_connectors.label_studio.predictions import Predictions
from nextlabel_connectors.label_studio.project import Project, fetch_project, update_project

_SAMPLING = ("Sequential sampling", "Uniform sampling", UNCERTAINTY_SAMPLING)
_SHOWN = {"yes": True, "no": False}
# Label Studio's field for each setting.
_FIELDS = {"sampling": "sampling", "model_version": "model_version", "show_predictions": "show_collab_predictions"}


def settings(client: LabelStudioClient, project: ToolProjectId, ours: Collection[QueueVersion]) -> list[ToolSetting]:
    """Sampling, the version that is shown, and whether predictions are shown at all."""
    found = fetch_project(client, project)
    held = Predictions(client, project).counts()
    titles = [str(backend.get("title")) for backend in list_backends(client, project)]
    now = _values(found)
    version = QueueVersion(now["model_version"])
    choices = dict.fromkeys(("", *held, *(title for title in titles if title != OUR_TITLE)))
    detail = f"{held[version]} predictions" if version in held else "an ML backend" if version in titles else ""
    return [
        ToolSetting("sampling", now["sampling"], _SAMPLING, now["sampling"] == UNCERTAINTY_SAMPLING),
        ToolSetting(
            "model_version",
            version,
            tuple(choices),
            version in ("", OUR_TITLE) or version in ours,
            detail,
        ),
        ToolSetting("show_predictions", now["show_predictions"], tuple(_SHOWN), now["show_predictions"] == "yes"),
    ]


def disconnect(
    client: LabelStudioClient, project: ToolProjectId, callback: Callback, wanted: Mapping[str, str], *, similar: bool
) -> Iterator[Finding]:
    """Webhooks first, so that Label Studio tells nextlabel nothing of what follows, and settings last: removing an ML
    backend may change them."""
    listed = Listed(callback, list_webhooks(client, project), list_backends(client, project))
    if similar:  # then all that stands where they do is ours, the webhooks that Label Studio made for them too
        alike = tuple(map(address, listed.similar_backends))
        listed = replace(listed, callback=replace(callback, earlier=(*callback.earlier, *alike)))
    for webhook in listed.our_webhooks:
        remove_webhook(client, webhook)
        yield Finding("done", f"Webhook to {webhook.get('url')} removed.")
    for backend in listed.our_backends:
        remove_backend(client, backend)
        yield Finding("done", f"ML backend {_named(backend)} removed.")
    if resembling := listed.similar_backends:
        yield Finding(
            "warning",
            f"ML backend {' and '.join(map(_named, resembling))} resembles nextlabel's, but this nextlabel never told "
            "Label Studio that address: it stays. Remove it in the project's settings under Model, or run this again "
            "with --similar.",
        )
    if not listed.our_webhooks and not listed.our_backends:
        yield Finding("unchanged", "Label Studio has no webhook and no ML backend of nextlabel's in this project.")
    yield from _put_back(client, project, wanted)


def _put_back(client: LabelStudioClient, project: ToolProjectId, wanted: Mapping[str, str]) -> Iterator[Finding]:
    now = _values(fetch_project(client, project))
    values = {**now, **wanted}
    if values["model_version"] != now["model_version"] and not _can_be(client, project, values["model_version"]):
        yield Finding(
            "warning",
            f"The version '{values['model_version']}' that was shown before has no predictions any more: none is "
            "shown now. Choose another in the project's settings.",
        )
        values["model_version"] = ""
    changed = {name: value for name, value in values.items() if value != now[name]}
    if not changed:
        yield Finding("unchanged", f"Project settings stay: {_listed(now)}.")
        return
    sent = changed if values["show_predictions"] == "yes" else {**changed, "model_version": values["model_version"]}
    # (Hiding predictions empties the version, unless it is sent too.)
    update_project(client, project, {_FIELDS[name]: _SHOWN.get(value, value) for name, value in sent.items()})
    after = _values(fetch_project(client, project))
    if after != values:
        yield Finding(
            "problem",
            f"Label Studio was set to {_listed(values)}, but stands at {_listed(after)}: is someone else changing the "
            "project's settings? Run `nextlabel disconnect` again.",
        )
        return
    yield Finding("done", f"Project settings put back: {_listed(changed)}.")


def _can_be(client: LabelStudioClient, project: ToolProjectId, version: str) -> bool:
    """Label Studio takes a version that some prediction has, or an ML backend's title, or none."""
    if version in ("", *Predictions(client, project).counts()):
        return True
    return version in [backend.get("title") for backend in list_backends(client, project)]


def _values(project: Project) -> dict[str, str]:
    return {
        "sampling": str(project.raw.get("sampling") or _SAMPLING[0]),
        "model_version": project.version,
        "show_predictions": "yes" if project.shows_predictions else "no",
    }


def _listed(values: Mapping[str, str]) -> str:
    return ", ".join(f"{name} = {value!r}" for name, value in values.items())


def _named(backend: JsonObject) -> str:
    return f"'{backend.get('title')}' at {backend.get('url')}"
