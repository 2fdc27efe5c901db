"""How often somebody may try to log in."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address, ip_network

_MOST, _SECONDS = 10, 600.0
_MOST_ADDRESSES = 1_000


class Attempts:
    """Ten failures from an address in ten minutes; further attempts are refused until they are over.

    Of a thousand addresses at most, for each process that serves: a password of 144 bits needs no more. All addresses
    of an IPv6 network (/64) count as one.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._failed: OrderedDict[str, list[float]] = OrderedDict()
        self._lock = threading.Lock()

    def wait(self, address: str) -> float:
        """For how many seconds the address must wait; 0 where it may try."""
        with self._lock:
            failed = self._recent(_network(address))
            return failed[0] + _SECONDS - self._now() if len(failed) >= _MOST else 0.0

    def note_failure(self, address: str) -> None:
        network = _network(address)
        with self._lock:
            self._failed[network] = [*self._recent(network), self._now()][-_MOST:]
            self._failed.move_to_end(network)
            if len(self._failed) > _MOST_ADDRESSES:
                self._failed.popitem(last=False)

    def _recent(self, network: str) -> list[float]:
        return [at for at in self._failed.get(network, []) if at > self._now() - _SECONDS]


def _network(address: str) -> str:
    try:
        found = ip_address(address)
    except ValueError:  # a Unix socket
        return ""
    return str(ip_network((found, 64), strict=False)) if isinstance(found, IPv6Address) else str(found)
