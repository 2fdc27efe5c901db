"""Memory of the web process: what a request frees serves the next one, in whatever thread."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

from nextlabel.testing.waiting import CEILING_SECONDS

_FAULTS = """
import resource, threading
from nextlabel.features.text import count_features
from nextlabel.service.memory import keep_freed_memory
if {kept}:
    keep_freed_memory()
texts = [f"a short mail, number {{n}}, about the meeting at {{n % 12}} on {{n * 7919}} street" for n in range(1000)]
def faults():
    before = resource.getrusage(resource.RUSAGE_THREAD).ru_minflt
    count_features(texts)
    found.append(resource.getrusage(resource.RUSAGE_THREAD).ru_minflt - before)
found = []
for _ in range(6):
    thread = threading.Thread(target=faults)
    thread.start()
    thread.join()
print(min(found[2:]))
"""


def page_faults(*, kept: bool) -> int:
    command = (sys.executable, "-c", _FAULTS.format(kept=kept))
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=CEILING_SECONDS)
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc is told what to keep")
def test_memory_that_a_request_frees_is_there_for_the_next_one() -> None:
    assert page_faults(kept=True) < page_faults(kept=False) / 3
