"""``python -m nextlabel``: the same as the ``nextlabel`` command."""

import sys

if not sys.flags.safe_path:
    del sys.path[0]  # the folder that somebody stands in, where anything may lie under the name of a module of ours

from nextlabel.cli import main

main()
