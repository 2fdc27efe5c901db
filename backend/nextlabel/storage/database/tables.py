"""The tables, as they are after the newest migration."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    DateTime,
    Dialect,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    false,
)

metadata = MetaData()


class EditedJson(TypeDecorator[object]):
    """JSON that a person may have edited by hand: what cannot be read any more comes as the text that it is."""

    impl = JSON
    cache_ok = True

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], object] | None:
        read = super().result_processor(dialect, coltype)

        def read_or_keep(stored: Any) -> object:
            try:
                return read(stored) if read else stored
            except ValueError:
                return stored

        return read_or_keep


installation = Table(
    "installation",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("value", Text, nullable=False),
)

# ``shares_credentials``: from a release before 0.3, when all tools had to show the same.
tools = Table(
    "tools",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("kind", String(64), nullable=False),
    Column("url", Text, nullable=False),
    Column("token", Text, nullable=False),
    Column("shares_credentials", Boolean, nullable=False, server_default=false()),
)

# ``project`` is our own id, by which every other table knows a project; ``at_tool`` is what the tool calls it.
connections = Table(
    "connections",
    metadata,
    Column("project", String(64), primary_key=True),
    Column("tool", String(64), nullable=False),
    Column("at_tool", String(255), nullable=False),
    Column("options", EditedJson, nullable=False),
    Column("callback_url", Text, nullable=False, server_default=""),
    Column("state", String(16), nullable=False, server_default="active"),
    Column("before", JSON(none_as_null=True), nullable=True),
    Column("addresses", JSON, nullable=False, server_default="[]"),
    Column("title", String(200), nullable=False, server_default=""),
    Index("connections_at_tool", "tool", "at_tool", unique=True),
)

# A row per project, made on first use, so that counting up needs no more than one UPDATE.
counters = Table(
    "counters",
    metadata,
    Column("project", String(64), primary_key=True),
    Column("fence", Integer, nullable=False),
    Column("model", Integer, nullable=False),
)

cursors = Table(
    "cursors",
    metadata,
    Column("project", String(64), primary_key=True),
    Column("cursor", Text, nullable=False),
    Column("full_at", DateTime(timezone=True), nullable=True),
    Column("pulled_at", DateTime(timezone=True), nullable=True),
    Column("scores_mark", Text, nullable=False, server_default=""),
)

# How unsure another model is of tasks, by the scores of its predictions in the tool (``uncertainty_from``).
uncertainties = Table(
    "uncertainties",
    metadata,
    Column("project", String(64), primary_key=True),
    Column("task", String(64), primary_key=True),
    Column("uncertainty", Float, nullable=False),
)

tasks = Table(
    "tasks",
    metadata,
    Column("project", String(64), primary_key=True),
    Column("id", String(64), primary_key=True),
    Column("data", JSON, nullable=False),
    Column("closed", Boolean, nullable=False),
    Index("tasks_by_closed", "project", "closed", "id"),
)

# ``from_order`` is whether its task stood in the window of the order in force, or of the one before, when it was first
# read; NULL where no order with a window stood then, and in rows of releases before 0.4.
annotations = Table(
    "annotations",
    metadata,
    Column("project", String(64), primary_key=True),
    Column("id", String(64), primary_key=True),
    Column("task", String(64), nullable=False),
    Column("labels", JSON, nullable=False),
    Column("updated_at", String(40), nullable=False),
    Column("skipped", Boolean, nullable=False),
    Column("whole", JSON(none_as_null=True), nullable=True),
    Column("seconds", Float, nullable=True),
    Column("ground_truth", Boolean, nullable=False, server_default=false()),
    Column("given_by", String(64), nullable=True),
    Column("from_order", Boolean, nullable=True),
    Index("annotations_by_task", "project", "task"),
    Index("annotations_by_skipped", "skipped", "project", "task", "given_by"),
    Index("annotations_by_person", "project", "given_by", "updated_at"),
    Index("annotations_by_time", "project", "updated_at"),
)

# What the tool has and could not be read: a task ("" for the annotation), or an annotation.
unreadable = Table(
    "unreadable",
    metadata,
    Column("project", String(64), primary_key=True),
    Column("task", String(64), primary_key=True),
    Column("annotation", String(64), primary_key=True),
    Column("reason", Text, nullable=False),
)

# What a person should know of a project, by topic, as it was last looked at: what somebody has undone in the tool since
# it was connected ("drift"), predictions that are left alone ("left alone").
findings = Table(
    "findings",
    metadata,
    Column("project", String(64), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("level", String(16), nullable=False),
    Column("message", Text, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("topic", String(32), nullable=False, server_default="drift"),
)

# A version that was let go (`retention`) has no artifact any more, nor its hash, files and ``trained_on``. ``files``
# names the archive of a team's own model, "" where there is none, and is NULL for versions older than the column.
# ``out_of_fold`` names what models that had not seen its labels predicted for them, "" where that is not kept.
# ``promotion`` counts up with every version that is put in service; 0 never was. One at most is the ``anchor``, the
# last version that was held to enough audit labels, and one at most was ``chosen`` by a person.
models = Table(
    "models",
    metadata,
    Column("project", String(64), primary_key=True),
    Column("version", String(64), primary_key=True),
    Column("number", Integer, nullable=False),
    Column("state", String(16), nullable=False),
    Column("labels_digest", String(64), nullable=False),
    Column("schema_digest", String(64), nullable=False),
    Column("trained_on", JSON, nullable=False),
    Column("metrics", JSON, nullable=False),
    Column("reason", Text, nullable=False),
    Column("artifact", Text, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("queue_version", String(80), nullable=True),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("learner", String(200), nullable=False, server_default=""),
    Column("labels", Integer, nullable=False, server_default="0"),
    Column("files", Text, nullable=True),
    Column("promotion", Integer, nullable=False, server_default="0"),
    Column("anchor", Boolean, nullable=False, server_default=false()),
    Column("chosen", Boolean, nullable=False, server_default=false()),
    Column("out_of_fold", Text, nullable=False, server_default=""),
    Index("models_in_order", "project", "number"),
    Index("models_by_state", "state", "project"),
)

# No row ever goes: no name is given twice. Old ones have no window any more. ``own_name``: the tool held nothing under
# this name when it was taken, so that all that it holds under it is ours. ``removed``: what we wrote under it is gone
# from the tool, and what may stand there one day is not ours.
queues = Table(
    "queues",
    metadata,
    Column("project", String(64), primary_key=True),
    Column("version", String(80), primary_key=True),
    Column("number", Integer, nullable=False),
    Column("model", String(64), nullable=False),
    Column("strategy", String(200), nullable=False),
    Column("window", JSON, nullable=False),
    Column("pool", Integer, nullable=False),
    Column("announced", Boolean, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("own_name", Boolean, nullable=False, server_default=false()),
    Column("removed", Boolean, nullable=False, server_default=false()),
    Index("queues_in_order", "project", "number"),
)

# Why the tasks of an order stand where they do, and what the model expected of those to choose from
# (`nextlabel.ports.state.OrderFacts`); of the newest orders only.
order_facts = Table(
    "order_facts",
    metadata,
    Column("project", String(64), primary_key=True),
    Column("version", String(80), primary_key=True),
    Column("facts", JSON, nullable=False),
)

# When it was last read from a tool whether it serves the order that was announced to it, which was the ``queue``, and
# whether it did; ``lost_at`` is when it last did not.
queue_checks = Table(
    "queue_checks",
    metadata,
    Column("project", String(64), primary_key=True),
    Column("queue", String(80), nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("serves", Boolean, nullable=False),
    Column("lost_at", DateTime(timezone=True), nullable=True),
)

# How much there is of a project; ``counts`` is NULL once something of that was changed, which ``changes`` counts.
counted = Table(
    "counted",
    metadata,
    Column("project", String(64), primary_key=True),
    Column("changes", Integer, nullable=False),
    Column("counts", JSON(none_as_null=True), nullable=True),
)

# How far people agreed after the last round that learned: by target Krippendorff's α, its interval, on how many tasks.
agreements = Table(
    "agreements",
    metadata,
    Column("project", String(64), primary_key=True),
    Column("figures", JSON, nullable=False),
)

# What `nextlabel.evaluation.reserve` draws audit tasks by, and other tasks that show no prediction in the newest
# order. ``labeled_before`` is how many tasks had a label when the first were drawn; ``among`` stands for the tasks
# among which they were last drawn, and ``last`` is the last of these.
reserves = Table(
    "reserves",
    metadata,
    Column("project", String(64), primary_key=True),
    Column("salt", String(64), nullable=False),
    Column("share", Float, nullable=False),
    Column("least", Integer, nullable=False),
    Column("labeled_before", Integer, nullable=False),
    Column("blank", JSON, nullable=False),
    Column("among", String(64), nullable=False, server_default=""),
    Column("last", String(64), nullable=False, server_default=""),
)

# No row ever goes: no strategy is to choose such a task, whatever changes.
audit_tasks = Table(
    "audit_tasks",
    metadata,
    Column("project", String(64), primary_key=True),
    Column("task", String(64), primary_key=True),
)

# How right the version in service was, in [0, 1], about an audit task that was then labeled for the first time; only 0
# or 1 where it is ``whole``; ``predicted`` is its answer, NULL in rows of releases before 0.3 and of spans and orders.
audit_answers = Table(
    "audit_answers",
    metadata,
    Column("project", String(64), primary_key=True),
    Column("target", Text, primary_key=True),
    Column("task", String(64), primary_key=True),
    Column("number", Integer, nullable=False),
    Column("version", String(64), nullable=False),
    Column("correctness", Float, nullable=False),
    Column("whole", Boolean, nullable=False),
    Column("predicted", JSON(none_as_null=True), nullable=True),
)

# Labels that were ever suspected of being wrong, by the newest version that told. ``annotated_at`` is the time of the
# task's latest annotation when that happened first: one that is later is a review, after which it is suspected no more.
# ``standing`` are those that the newest version suspects too, the most doubtful with the lowest ``number``.
suspects = Table(
    "suspects",
    metadata,
    Column("project", String(64), primary_key=True),
    Column("target", Text, primary_key=True),
    Column("task", String(64), primary_key=True),
    Column("annotated_at", String(40), nullable=False),
    Column("standing", Boolean, nullable=False),
    Column("number", Integer, nullable=False),
    Column("self_confidence", Float, nullable=False),
    Column("gain", Float, nullable=False),
    Column("given", JSON, nullable=False),
    Column("instead", JSON, nullable=False),
    Column("version", String(64), nullable=False),
)

# Lists of tasks that nextlabel made in a tool, by what they are for: ``mark`` stands in each, ``at_tool`` is what the
# tool calls it.
tabs = Table(
    "tabs",
    metadata,
    Column("project", String(64), primary_key=True),
    Column("name", String(64), primary_key=True),
    Column("mark", String(64), nullable=False),
    Column("at_tool", String(64), nullable=False),
)

# Labeled tasks that a tool was asked to serve once more, for a ``reason``, and ``before``, what it had of them until
# then, when so many ``people`` had labeled them.
reviews = Table(
    "reviews",
    metadata,
    Column("project", String(64), primary_key=True),
    Column("task", String(64), primary_key=True),
    Column("before", JSON, nullable=False),
    Column("reason", String(16), nullable=False, server_default="suspected"),
    Column("people", Integer, nullable=False, server_default="0"),
)

# Where labeling stands, and the tasks that versions are compared on, fixed for a labeling config.
stop_sets = Table(
    "stop_sets",
    metadata,
    Column("project", String(64), primary_key=True),
    Column("schema_digest", String(64), nullable=False),
    Column("tasks", JSON, nullable=False),
    Column("among", Integer, nullable=False),
    Column("standing", JSON, nullable=False),
)

# A version that was checked for whether labeling may stop. What it predicted is packed (`storage.checkpoints`);
# ``predicted`` is NULL once nothing will be compared to it.
checkpoints = Table(
    "checkpoints",
    metadata,
    Column("project", String(64), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("version", String(64), nullable=False),
    Column("labels", Integer, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("figures", JSON, nullable=False),
    Column("predicted", LargeBinary, nullable=True),
    Column("unseen", LargeBinary, nullable=False),
)

# Models that were fitted on audit labels alone; ``predicted`` is kept of the latest only.
audits_alone = Table(
    "audits_alone",
    metadata,
    Column("project", String(64), primary_key=True),
    Column("target", Text, primary_key=True),
    Column("audits", Integer, primary_key=True),
    Column("figures", JSON, nullable=False),
    Column("predicted", LargeBinary, nullable=True),
)

# ``waited`` is for how many seconds the oldest label event waited for the round to end; NULL where none asked for it.
# ``kind`` is the class of the error that it failed with, "" where it did not or that is not known.
rounds = Table(
    "rounds",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("project", String(64), nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("seconds", Float, nullable=False),
    Column("summary", Text, nullable=False),
    Column("failed", Boolean, nullable=False),
    Column("waited", Float, nullable=True),
    Column("kind", String(64), nullable=False, server_default=""),
    Index("rounds_by_project", "project", "id"),
)

# What people decided: ``about`` is the project, "" for the installation. It outlives the project.
actions = Table(
    "actions",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("who", String(64), nullable=False),
    Column("what", Text, nullable=False),
    Column("about", String(64), nullable=False, server_default=""),
)

# Of a token only the hash is kept: whoever reads the database cannot use it.
tokens = Table(
    "tokens",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("sha256", String(64), nullable=False),
    Column("scopes", JSON, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Index("tokens_by_sha256", "sha256", unique=True),
)

# What people are told by the webhook of the installation: ``project`` is "" for what is of no single one, ``key`` tells
# events of a kind apart. ``again_at`` is when it may be tried to be sent (again): NULL once it was sent, or given up.
notes = Table(
    "notes",
    metadata,
    Column("project", String(64), primary_key=True),
    Column("kind", String(32), primary_key=True),
    Column("key", String(64), primary_key=True),
    Column("sentence", Text, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("tries", Integer, nullable=False),
    Column("again_at", DateTime(timezone=True), nullable=True),
)
