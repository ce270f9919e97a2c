"""Live or test: said in every answer, and asked of every key.

Each answer has the header ``Fleet-Livemode``, each JSON object the field ``livemode``. The server does it (`tell`), where all
answers come by, so no handler can forget it. A key says by its form of which mode it is, and is good at balancers of that mode
only.
"""

from __future__ import annotations

import re

from aiohttp import web

from shared.errors import BadKey

# Of keys, by the mode of the balancer that made them.
PREFIXES = {True: "fk_live_", False: "fk_test_"}
# Keys were made without a mode once (``fk_`` and 40 characters). They are live, even if one happens to begin with ``fk_test_``.
_KEY = re.compile(r"fk_(?:live_|test_)?[A-Za-z0-9_-]{40}")
_TEST_KEY = re.compile(r"fk_test_[A-Za-z0-9_-]{40}")
ONLY_LIVE_KEYS = (
    "This is a test key (fk_test_…), and this balancer is live. Use a live key (fk_live_…) here, or call your test balancer."
)
ONLY_TEST_KEYS = (
    "This is a live key (fk_live_…), and this balancer tests. Use a test key (fk_test_…) here, or call your live balancer."
)

HEADER = "Fleet-Livemode"
JSON = frozenset({"application/json", "application/problem+json"})


class ForeignForm(web.Response):
    """An answer whose form somebody else's specification says: it has the header, and no field of ours."""


def tell(response: web.StreamResponse, livemode: bool) -> None:
    """Say it in an answer that has not begun to go out. A stream has, and says it by itself."""
    if not response.prepared:
        response.headers[HEADER] = text(livemode)
        _add_field(response, livemode)


def text(livemode: bool) -> str:
    return "true" if livemode else "false"


def refuse_other(key: str, livemode: bool) -> None:
    """Refuse a key that balancers of the other mode take. Its form alone decides, so nothing is told of whose it is.

    Raises:
        BadKey: ``wrong_mode``.
    """
    if _KEY.fullmatch(key) and (_TEST_KEY.fullmatch(key) is None) is not livemode:
        raise BadKey(ONLY_LIVE_KEYS if livemode else ONLY_TEST_KEYS, code="wrong_mode")


def _add_field(response: web.StreamResponse, livemode: bool) -> None:
    if type(response) is not web.Response or response.headers.get("Content-Type") not in JSON:
        return
    body = response.body
    if isinstance(body, bytes) and body.endswith(b"}"):
        comma = b"" if body == b"{}" else b","
        response.body = body[:-1] + comma + b'"livemode":' + text(livemode).encode() + b"}"
