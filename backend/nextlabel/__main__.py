"""``python -m nextlabel``: the same as the ``nextlabel`` command."""

from nextlabel.cli import main

main()
