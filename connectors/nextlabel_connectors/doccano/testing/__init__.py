"""A real doccano for tests and demos: a server of our own, and the people who use it."""

from nextlabel_connectors.doccano.testing.people import DoccanoPerson
from nextlabel_connectors.doccano.testing.server import DoccanoMissing, DoccanoServer

__all__ = ["DoccanoMissing", "DoccanoPerson", "DoccanoServer"]
