"""Every error nextlabel raises, classed by what the caller should do about it.

::

    NextlabelError
    ├── ConfigurationError     a person must change something, the message says what
    │   ├── SettingsError      a setting is unknown or has a bad value (named in the message)
    │   │   └── UnknownVersion a project has no model of that name
    │   ├── SchemaError        the labeling config holds nothing that nextlabel can learn
    │   └── NotConnected       the project is unknown here: run `nextlabel connect`
    ├── ToolError              the labeling tool did not do what was asked
    │   ├── ToolUnavailable    try again later (down, slow, 5xx, not the tool at all)
    │   └── ToolRejected       do not try again unchanged (token, permission, unknown project)
    │       ├── VersionTaken   other predictions stand under that version: take another name
    │       └── ProjectGone    the tool is well and has no such project: ask no more, until a person or the tool calls
    ├── PayloadError           this one message is malformed: skip it, go on with the rest
    ├── StaleWorker            another worker has taken over: stop, publish nothing
    ├── ArtifactError          a stored model is missing, damaged or not trusted
    │   └── OutdatedModel      another release wrote it: a worker makes it again
    ├── ModelNotReady          a stored model is still being loaded: try again soon
    ├── FileUnavailable        this one file that a task points at cannot be read: go on without it
    ├── HostedModelError       a team's own model failed: the version in service stays, a person must look
    ├── StorageError           what is learned cannot be kept, a disk is full or read-only: try again later
    │   └── StorageBusy        somebody else keeps the database locked: try again soon
    └── JobQueueUnavailable    Redis cannot be reached: try again later
"""


class NextlabelError(Exception):
    """Base of every error that nextlabel raises on purpose; `str()` is a sentence for a person."""


class ConfigurationError(NextlabelError):
    """A person must change something before this can work."""


class SettingsError(ConfigurationError):
    """A setting is unknown or has a value that it cannot take."""


class UnknownVersion(SettingsError):
    """A project has no model version of that name."""


class SchemaError(ConfigurationError):
    """A labeling config that cannot be read, or in which there is nothing to learn."""


class NotConnected(ConfigurationError):
    """A project that was never introduced with `nextlabel connect`."""


class ToolError(NextlabelError):
    """The labeling tool did not do what was asked of it."""


class ToolUnavailable(ToolError):
    """The tool cannot be reached or is not well; the same request may work later.

    ``retry_after`` is in how many seconds, where the tool itself says so.
    """

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class ToolRejected(ToolError):
    """The tool understood and refused; the same request will be refused again."""


class VersionTaken(ToolRejected):
    """The tool already holds other predictions under the version that an order was to be written as."""


class ProjectGone(ToolRejected):
    """The tool itself says that it has no such project, while it answers everything else."""


class PayloadError(NextlabelError):
    """A message that is not what its sender promised; only this message is lost."""


class StaleWorker(NextlabelError):
    """This worker's lease was taken over: whatever it has computed must not be published."""


class ArtifactError(NextlabelError):
    """A stored model is missing, damaged, or holds types that nextlabel does not trust."""


class OutdatedModel(ArtifactError):
    """Another release wrote a stored model; the same request will work once a worker has made it again."""


class ModelNotReady(NextlabelError):
    """A stored model is still being loaded; the same request will work once it is."""


class StorageError(NextlabelError):
    """The disk or the database takes nothing more; the same may work once there is room."""


class StorageBusy(StorageError):
    """The database cannot be reached, or somebody else keeps it locked; the same will work once that is over."""


class JobQueueUnavailable(NextlabelError):
    """Redis cannot be reached, so no job can be requested or run."""


class HostedModelError(NextlabelError):
    """A team's own model failed: the version before it stays in service, and a person must look at the model."""


class FileUnavailable(NextlabelError):
    """A file that a task points at is missing, too large, too slow, or where nextlabel must not look."""
