"""A real FiftyOne for tests: a database of our own, its App, and the people who use it."""

from nextlabel_connectors.fiftyone.testing.server import FiftyOneMissing, FiftyOneServer

__all__ = ["FiftyOneMissing", "FiftyOneServer"]
