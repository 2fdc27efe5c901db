"""The tests themselves, run as somebody does who has not read the Makefile."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_info

from nextlabel.testing.waiting import CEILING_SECONDS

ONE_THREAD = "test_libraries_compute_in_one_thread"


def test_libraries_compute_in_one_thread() -> None:
    LogisticRegression().fit(np.eye(2), [0, 1])
    assert {pool["num_threads"] for pool in threadpool_info()} == {1}


def test_the_tests_need_neither_make_nor_xdist() -> None:
    environ = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    program = [sys.executable, "-m", "pytest", "-p", "no:xdist", "-p", "no:cacheprovider", f"{__file__}::{ONE_THREAD}"]
    root = Path(__file__).parents[2]
    done = subprocess.run(
        program, env=environ, cwd=root, capture_output=True, text=True, timeout=CEILING_SECONDS, check=False
    )
    assert "1 passed" in done.stdout, done.stdout + done.stderr
