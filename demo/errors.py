"""What can go wrong in the demo, for a person."""

from __future__ import annotations

from nextlabel.errors import NextlabelError


class DemoFailed(NextlabelError):
    """The demo cannot go on; the message says why and what to do."""
