"""The messages of a lane over plain HTTP, for programs and for browsers whose sockets are cut on the way."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from website.live.doors import FullError
from website.live.frames import CHANNEL, NUMBER_MAX
from website.live.hub import UnavailableError, hub

WAIT_MAX_S = 25.0


class Poll:
    """Watches until the first message."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.again = False
        self.some = asyncio.Event()

    def offer(self, texts: Sequence[str]) -> None:
        self.texts += texts
        self.some.set()

    def begin_again(self, text: str) -> None:
        self.again = True
        self.some.set()


@require_GET
async def messages(request: HttpRequest, lane: str) -> HttpResponse:
    """What a lane was told after `after`; waits `wait` seconds for something. The same rows as on the socket.

    Holds no thread and no connection while it waits. Without `after`: only how far the lane is.
    """
    after, wait_s = _number(request.GET.get("after")), _number(request.GET.get("wait", "0"))
    if (after is None and "after" in request.GET) or wait_s is None:
        return _refused(400, _("That does not work"), _("`after` and `wait` are numbers."))
    address = str(request.META.get("REMOTE_ADDR", ""))
    try:
        with hub().doors.entered(address, None):
            return await _answered(f"lane:{lane}", after, min(wait_s, WAIT_MAX_S))
    except FullError as full:
        return _refused(429, _("Too much at once"), _("Too many pages of this address wait for news."), full.retry_s)
    except UnavailableError:
        return _refused(503, _("One moment"), _("The database does not answer. What you have is as it was."), 5)


async def _answered(channel: str, after: int | None, wait_s: float) -> HttpResponse:
    poll = Poll()
    try:
        joined = await hub().join(poll, channel, after) if CHANNEL.fullmatch(channel) else None
        if joined is None:
            return _refused(404, _("Nothing is here"), _("There is no such lane."))
        if after is not None and joined.missing == () and wait_s:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(poll.some.wait(), wait_s)
    finally:
        hub().leave(poll, channel)
    if joined.missing is None or poll.again:
        return _response(joined.seq, [], resync=True)
    return _response(joined.seq + len(poll.texts), [*joined.missing, *poll.texts])


def _response(seq: int, texts: list[str], resync: bool = False) -> HttpResponse:
    """`seq` is the number of the last message that is told here; `resync` says that the page is to be loaded anew."""
    body = f'{{"seq":{seq},"resync":{"true" if resync else "false"},"messages":[{",".join(texts)}]}}'
    return HttpResponse(body, content_type="application/json", headers={"Cache-Control": "no-store"})


def _refused(status: int, title: str, text: str, retry_s: int | None = None) -> HttpResponse:
    """As the site's other errors are told to programs; a page would ask the database who looks at it."""
    headers = {} if retry_s is None else {"Retry-After": str(retry_s)}
    return JsonResponse({"status": status, "title": title, "detail": text}, status=status, headers=headers)


def _number(text: str | None) -> int | None:
    if text is None or not text.isascii() or not text.isdigit() or len(text) > 16 or int(text) > NUMBER_MAX:
        return None
    return int(text)
