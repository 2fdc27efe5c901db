"""A real Label Studio for tests and demos: a server of our own, and the people who use it."""

from nextlabel_connectors.label_studio.testing.people import LabelStudioPerson, single_choice
from nextlabel_connectors.label_studio.testing.server import LabelStudioMissing, LabelStudioServer

__all__ = ["LabelStudioMissing", "LabelStudioPerson", "LabelStudioServer", "single_choice"]
