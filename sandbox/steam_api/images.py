"""Pictures of accounts, by their `avatarhash`: `/{avatarhash}[_medium|_full].jpg`; and of items, at the addresses that clients
make from an item's `icon_url`: `/economy/image/{icon_url}[/{size}]`.

Steam answers with pixels of the size asked for; here it is the same drawing for all sizes, which has none.
"""

import hashlib
from functools import lru_cache
from typing import Final

from sandbox.answers import Answer, plain
from sandbox.steam_api.call import Call
from sandbox.world.catalogue import Kind

HOSTS: Final = (
    "community.akamai.steamstatic.com",
    "community.cloudflare.steamstatic.com",
    "community.fastly.steamstatic.com",
    "community.steamstatic.com",
    "steamcommunity-a.akamaihd.net",
)
"""Under these names clients and Steam's own pages ask for pictures."""
PATH: Final = r"/economy/image/(?P<icon>[A-Za-z0-9_-]{1,400})(?:/(?P<size>[A-Za-z0-9]{1,24}))?"
AVATAR_HOST: Final = "avatars.steamstatic.com"
AVATAR_PATH: Final = r"/(?P<avatar>[0-9a-f]{40})(?:_medium|_full)?\.jpg"
KEPT: Final = 2048

AVATAR: Final = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 52 52" width="184" height="184">'
    '<rect width="52" height="52" fill="hsl({hue} 65% 68%)"/>'
    '<g fill="none" stroke="hsl({hue} 45% 30%)" stroke-width="4" stroke-linecap="round"><path d="M17 19v5M35 19v5"/>'
    '<path d="M15 34q11 9 22 0"/></g></svg>'
)


def image(call: Call) -> Answer:
    """The picture of an item; 304 to a client that has it, 404 for a name that no item has."""
    kind = call.world.catalogue.by_icon(call.args["icon"])
    if kind is None:
        return plain("Not Found", 404)
    return _sent(call, *_drawn(kind))


def avatar(call: Call) -> Answer:
    """The picture of an account: a face of its own colour; 404 for a name that no account has."""
    number = int(call.args["avatar"], 16)
    if all(account.account_id != number for account in call.world.accounts):
        return plain("Not Found", 404)
    body = AVATAR.format(hue=number * 47 % 360).encode()
    return _sent(call, body, f'"{hashlib.sha256(body).hexdigest()[:32]}"')


def _sent(call: Call, body: bytes, tag: str) -> Answer:
    headers = {
        "Cache-Control": "public, max-age=604800",
        "ETag": tag,
        "Content-Security-Policy": "default-src 'none'",
        "X-Content-Type-Options": "nosniff",
        "Access-Control-Allow-Origin": "*",
    }
    known = {each.strip().removeprefix("W/") for each in call.headers.get("if-none-match", "").split(",")}
    if known & {tag, "*"}:
        return Answer(304, b"", "image/svg+xml", headers)
    return Answer(200, body, "image/svg+xml", headers)


@lru_cache(KEPT)
def _drawn(kind: Kind) -> tuple[bytes, str]:
    from sandbox.pictures import draw  # at the first use: a sandbox that nobody asks for a picture starts without the outlines

    body = draw.picture(kind)
    return body, f'"{hashlib.sha256(body).hexdigest()[:32]}"'
