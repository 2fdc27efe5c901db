"""Failed logins have a bound, and so has what is remembered of them."""

from __future__ import annotations

from nextlabel.web.pages.attempts import Attempts


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_after_ten_failures_an_address_waits_until_the_first_is_ten_minutes_old() -> None:
    clock = Clock()
    attempts = Attempts(clock)
    for _ in range(10):
        assert attempts.wait("192.0.2.1") == 0
        attempts.note_failure("192.0.2.1")
        clock.now += 10
    assert attempts.wait("192.0.2.1") == 500
    assert attempts.wait("192.0.2.2") == 0
    clock.now = 600
    assert attempts.wait("192.0.2.1") == 0


def test_all_addresses_of_an_ipv6_network_are_one() -> None:
    attempts = Attempts()
    for n in range(10):
        attempts.note_failure(f"2001:db8::{n}")
    assert attempts.wait("2001:db8::ffff") > 0
    assert attempts.wait("2001:db8:0:1::1") == 0


def test_only_a_thousand_addresses_are_remembered() -> None:
    attempts = Attempts()
    for n in range(3_000):
        attempts.note_failure(f"10.0.{n // 256}.{n % 256}")
    assert len(attempts._failed) == 1_000
