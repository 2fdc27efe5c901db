"""Long computations cut into shards: each is a job of RQ that every idle worker, on any host, may take."""

from nextlabel.jobs.shards.helping import Compute, Helper, HelpingWorker
from nextlabel.jobs.shards.sharing import RqShards

__all__ = ["Compute", "Helper", "HelpingWorker", "RqShards"]
