"""Calls for events, and for the addresses that they are sent to."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from fleet_client import answers, feed
from fleet_client.asking import Call, Line, Repeat
from fleet_client.calls.parts import new_key, sent
from fleet_client.named import listed, named
from fleet_client.steps import Stream


class Listening:
    """Events and webhooks."""

    # --- events ---------------------------------------------------------------------------------------------------------------

    @named
    def events(
        self,
        *,
        after: int | None = None,
        limit: int | None = None,
        wait: float | None = None,
        kind: Sequence[str] | None = None,
    ) -> Call[answers.Events]:
        """One stretch of the feed."""
        query = sent(after=after, limit=limit, wait=wait, kind=kind)
        return Call("GET", "/events", answers.Events, query=query)

    @listed
    def listen(self, after: int = 0, *, kind: Sequence[str] | None = None) -> Callable[[Line], Stream[answers.Event]]:
        """Each event behind number ``after``, as it happens, for ever and in order; with ``kind`` only those.

        Keep the ``number`` of an event when you are done with it, and begin behind it the next time: then each event comes at
        least once, and none is missing.
        """
        return feed.streamed(lambda mark: event_stream(mark, kind), after)

    @listed
    def poll(
        self, after: int = 0, *, kind: Sequence[str] | None = None, wait: float = 25.0
    ) -> Callable[[Line], Stream[answers.Event]]:
        """The same as `listen` by one request after the other: where something on the way keeps streams back."""
        return feed.events(lambda mark: Listening.events.what(self, after=mark, wait=wait, kind=kind), after)

    # --- webhooks -------------------------------------------------------------------------------------------------------------

    @named
    def webhooks(self) -> Call[answers.Webhooks]:
        """Every address that events are sent to, with what it is still owed."""
        return Call("GET", "/webhooks", answers.Webhooks)

    @named
    def webhook(self, target_id: str) -> Call[answers.Target]:
        """One of them."""
        return Call("GET", "/webhooks/{target_id}", answers.Target, at={"target_id": target_id})

    @named
    def add_webhook(
        self, url: str, *, kinds: Sequence[str] | None = None, after: int | None = None, key: str | None = None
    ) -> Call[answers.WithSecret]:
        """Send events to an address, from now on or from behind event ``after``.

        The secret in the answer is shown again only to the same call with the same ``key``.
        """
        body, repeat = sent(url=url, kinds=kinds, after=after), Repeat.ONCE_PER_KEY
        return Call("POST", "/webhooks", answers.WithSecret, body=body, repeat=repeat, key=key or new_key())

    @named
    def remove_webhook(self, target_id: str) -> Call[answers.WebhookRemoved]:
        """Forget a target, with what it is owed."""
        at = {"target_id": target_id}
        return Call("DELETE", "/webhooks/{target_id}", answers.WebhookRemoved, at=at, repeat=Repeat.SAME)

    @named
    def rotate_webhook(self, target_id: str) -> Call[answers.WithSecret]:
        """A new secret; for a day the one before signs too. Not sent again after a lost answer: that would make a third."""
        at = {"target_id": target_id}
        return Call("POST", "/webhooks/{target_id}/rotate", answers.WithSecret, at=at, repeat=Repeat.NEVER)

    @named
    def enable_webhook(self, target_id: str) -> Call[answers.Target]:
        """Go on with a disabled target, first with everything that it is owed."""
        at = {"target_id": target_id}
        return Call("POST", "/webhooks/{target_id}/enable", answers.Target, at=at, repeat=Repeat.SAME)

    @named
    def test_webhook(self, target_id: str) -> Call[answers.WebhookTest]:
        """Send an event of kind ``webhook_test`` to this target alone."""
        at = {"target_id": target_id}
        return Call("POST", "/webhooks/{target_id}/test", answers.WebhookTest, at=at, repeat=Repeat.SAME)

    @named
    def deliveries(
        self, target_id: str, *, after: int | None = None, limit: int | None = None, state: str | None = None
    ) -> Call[answers.DeliveryPage]:
        """One page of what a target was sent or is owed."""
        at, query = {"target_id": target_id}, sent(after=after, limit=limit, state=state)
        return Call("GET", "/webhooks/{target_id}/deliveries", answers.DeliveryPage, at=at, query=query)

    @listed
    def each_delivery(
        self, target_id: str, *, after: int | None = None, state: str | None = None
    ) -> Callable[[Line], Stream[answers.Delivery]]:
        """All of them, page by page."""
        return feed.pages(
            lambda mark: Listening.deliveries.what(self, target_id, after=mark, state=state, limit=1000),
            lambda page: page.deliveries,
            after,
        )

    @named
    def redeliver(self, target_id: str, *, first: int, last: int | None = None) -> Call[answers.Redelivery]:
        """Send events again, with the same ids: one, or up to number ``last``."""
        at, body = {"target_id": target_id}, sent(first=first, last=last)
        return Call("POST", "/webhooks/{target_id}/redeliver", answers.Redelivery, at=at, body=body, repeat=Repeat.SAME)


def event_stream(after: int, kind: Sequence[str] | None) -> Call[answers.Event]:
    return Call("GET", "/events/stream", answers.Event, query=sent(after=after, kind=kind))
