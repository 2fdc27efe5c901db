"""The pictures of a dataset: files on a disk that nextlabel and FiftyOne share.

Whoever may add a sample chooses its path, so a path is not to be trusted: only pictures are read, only regular files,
and only those of samples of this dataset.
"""

from __future__ import annotations

import mimetypes
import os
import stat
from collections.abc import Callable

from nextlabel.errors import FileUnavailable, ToolError

_LARGEST = 20_000_000


def read_file(address: str, is_of_a_sample: Callable[[str], bool], largest: int = _LARGEST) -> bytes:
    """The content of the picture at a path. Raises `FileUnavailable`, which says why not."""
    shown = repr(address[:200])
    if not (mimetypes.guess_type(address)[0] or "").startswith("image/") or not os.path.isabs(address):  # noqa: PTH117
        raise FileUnavailable(f"{shown} is not read: it is no path of a picture on a disk.")
    try:
        content = _content(address, largest) if is_of_a_sample(address) else None
    except (ToolError, OSError, ValueError) as error:
        raise FileUnavailable(f"{shown} cannot be read ({error}).") from error
    if content is None:
        raise FileUnavailable(f"{shown} is not read: no sample of the dataset has it.")
    return content


def _content(path: str, largest: int) -> bytes:
    # A pipe or a device would be waited for without O_NONBLOCK.
    with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise FileUnavailable(f"{path[:200]!r} is not read: it is no regular file.")
        content = file.read(largest + 1)
    if len(content) > largest:
        raise FileUnavailable(f"{path[:200]!r} is not read: it is larger than {largest / 1e6:g} MB.")
    return content
