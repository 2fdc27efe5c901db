"""Long computations cut into shards that every idle worker, on any host, may take a share of."""

from nextlabel.jobs.shards.sharing import Compute, RedisShards

__all__ = ["Compute", "RedisShards"]
