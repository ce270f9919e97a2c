"""Lines of several processes about one request or trade."""

from __future__ import annotations

from scripts.cli.log_lines import about

BALANCER = [
    '{"event": "request", "request_id": "shop-4711", "timestamp": "2026-03-01T12:00:00.500000Z"}',
    '{"event": "request", "request_id": "shop-4711b", "timestamp": "2026-03-01T12:00:00.600000Z"}',
    '{"event": "swept", "timestamp": "2026-03-01T12:00:03Z"}',
]
WORKER = [
    "2026-03-01T12:00:00.100000Z [debug] steam_call call=inventory request_id=shop-4711",
    "2026-03-01T12:00:00.700000Z [error] order_failed request_id=shop-4711",
    "    Traceback (most recent call last):",
    "    ValueError",
    "2026-03-01T12:00:00.800000Z [info] signed in",
    "    no line of it",
]


def test_lines_come_in_the_order_of_their_times_with_what_belongs_to_them() -> None:
    assert about([*BALANCER, *WORKER], ["shop-4711"]) == [WORKER[0], BALANCER[0], *WORKER[1:4]]


def test_an_id_is_a_whole_word() -> None:
    assert about(BALANCER, ["shop-4711b"]) == [BALANCER[1]]
    assert about(BALANCER, ["shop"]) == about(BALANCER, ["4711"]) == []


def test_one_of_several_ids_is_enough() -> None:
    assert about([*BALANCER, *WORKER[4:]], ["shop-4711b", "signed"]) == [BALANCER[1], *WORKER[4:]]
