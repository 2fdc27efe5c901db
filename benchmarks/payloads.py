"""Requests as Label Studio 1.23 sends them, field by field; recorded from a live server."""

from __future__ import annotations

from collections.abc import Sequence

import orjson

from benchmarks.mails import TWO, mails
from nextlabel.ports.state import Credentials
from nextlabel_connectors.label_studio.dialect import WEBHOOK_SECRET_HEADER
from nextlabel_connectors.label_studio.testing.people import chosen, single_choice

CONFIG = single_choice(TWO)
_AT = "2026-11-22T06:39:41.510864Z"


def webhook_headers(credentials: Credentials) -> dict[str, str]:
    return {WEBHOOK_SECRET_HEADER: credentials.webhook_secret, **_HEADERS}


def annotation_created(project: str, n: int) -> bytes:
    """The webhook of the n-th annotation: a good 3 KB, of which the loop needs the project's id."""
    text, label = mails()[n % len(mails())]
    return orjson.dumps(
        {
            "action": "ANNOTATION_CREATED",
            "annotation": {"id": n + 1, "result": chosen(label), **_ANNOTATION, "task": n + 1, "project": int(project)},
            "project": {"id": int(project), "label_config": CONFIG, **_PROJECT},
            "task": {"id": n + 1, "data": {"text": text}, **_TASK, "project": int(project)},
        }
    )


def setup(project: str, labels: Sequence[str]) -> bytes:
    """How Label Studio introduces a project to an ML backend."""
    return orjson.dumps(
        {
            "project": f"{project}.1795329581",
            "schema": single_choice(labels),
            "hostname": "http://localhost:8080",
            "access_token": "",
            "extra_params": None,
        }
    )


def predict(project: str, texts: Sequence[str], labels: Sequence[str]) -> bytes:
    """All tasks in one request, as Label Studio asks for them."""
    return orjson.dumps(
        {
            "tasks": [
                {"id": n + 1, "data": {"text": text}, **_TASK, **_NOTHING_YET, "project": int(project)}
                for n, text in enumerate(texts)
            ],
            "project": f"{project}.1795329581",
            "label_config": single_choice(labels),
            "params": {"login": None, "password": None, "context": None},
        }
    )


_NOTHING_YET: dict[str, object] = {"annotations": [], "predictions": []}
_HEADERS = {"Content-Type": "application/json", "User-Agent": "python-requests/2.34.2", "Accept": "*/*"}
_ANNOTATION = {
    "was_cancelled": False,
    "ground_truth": False,
    "created_at": _AT,
    "updated_at": _AT,
    "draft_created_at": None,
    "lead_time": 3.2,
    "prediction": {},
    "result_count": 1,
    "unique_id": "a62c1e92-b77f-4bc0-91ec-ceae72843973",
    "import_id": None,
    "last_action": None,
    "bulk_created": False,
    "completed_by": 1,
    "updated_by": 1,
    "parent_prediction": None,
    "parent_annotation": None,
    "last_created_by": None,
}
_TASK = {
    "meta": {},
    "created_at": _AT,
    "updated_at": _AT,
    "is_labeled": False,
    "allow_skip": True,
    "overlap": 1,
    "inner_id": 1,
    "total_annotations": 0,
    "cancelled_annotations": 0,
    "total_predictions": 0,
    "precomputed_agreement": None,
    "comment_count": 0,
    "unresolved_comment_count": 0,
    "last_comment_updated_at": None,
    "updated_by": 1,
    "file_upload": None,
    "comment_authors": [],
}
_PROJECT = {
    "task_number": 2600,
    "finished_task_number": 500,
    "total_predictions_number": 200,
    "total_annotations_number": 500,
    "num_tasks_with_annotations": 500,
    "useful_annotation_number": 500,
    "ground_truth_number": 0,
    "skipped_annotations_number": 0,
    "title": "mails",
    "description": "",
    "parsed_label_config": {
        "label": {
            "type": "Choices",
            "to_name": ["text"],
            "inputs": [{"type": "Text", "valueType": None, "value": "text"}],
            "labels": list(TWO),
            "labels_attrs": {label: {"value": label} for label in TWO},
        }
    },
    "label_config_hash": -8358915123577890406,
    "expert_instruction": "",
    "show_instruction": False,
    "show_skip_button": True,
    "enable_empty_annotation": True,
    "reveal_preannotations_interactively": False,
    "show_annotation_history": False,
    "show_collab_predictions": True,
    "evaluate_predictions_automatically": False,
    "token": "0123456789abcdefghijklmnopqrstuvwxyzABCD",
    "result_count": 0,
    "color": "#FFFFFF",
    "maximum_annotations": 1,
    "min_annotations_to_start_training": 0,
    "control_weights": {
        "label": {"overall": 1.0, "type": "Choices", "labels": dict.fromkeys(TWO, 1.0)},
    },
    "model_version": "0007",
    "data_types": {"text": "Text"},
    "is_draft": False,
    "is_published": False,
    "created_at": _AT,
    "updated_at": _AT,
    "sampling": "Uncertainty sampling",
    "skip_queue": "REQUEUE_FOR_OTHERS",
    "show_ground_truth_first": False,
    "annotator_evaluation_enabled": False,
    "show_overlap_first": False,
    "overlap_cohort_percentage": 100,
    "task_data_login": None,
    "task_data_password": None,
    "pinned_at": None,
    "custom_task_lock_ttl": None,
    "deleted_at": None,
    "purge_at": None,
    "search_vector": None,
    "organization": 1,
    "created_by": 1,
    "deleted_by": None,
}
