"""Pictures of items and players: fetched once from Steam's CDN, kept on disk, served as our own. Pages load nothing foreign.

A CDN that is slow, away or answers nonsense costs a drawn sign in place of the picture, never a page that hangs. Names that it
does not know are not asked for again at once, and nobody has it asked for names without end.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import re
import tempfile
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

import httpx
from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.views.decorators.http import require_safe

from fleet_client import errors
from website import fleet, limits
from website.pages.errors import not_found

NAME = re.compile(r"[A-Za-z0-9_-]{1,400}")
"""The CDN's own names of pictures: an item's `icon_url`."""
SIZE = "256fx256f"
BYTES_MAX = 1_048_576
FETCH_S = 4.0
"""So long a picture may take, in all."""
AT_ONCE = 8
QUEUE_S = 2.0
SWEEP_EVERY = 50
"""After so many new pictures the folder is brought below its bound."""
YEAR_S = 365 * 86_400
AGAIN_S = 30
"""So long a name that brought no picture is not asked for again, by the site and by browsers."""
MISSING_MAX = 4_096
SVG = "image/svg+xml"
ASKED_FOR = {"Accept": "image/*", "Accept-Encoding": "identity"}
"""Nothing packed: a small answer cannot become a large one."""
ENDINGS = {"image/png": "png", "image/jpeg": "jpg", "image/webp": "webp", SVG: "svg"}
NO_SCRIPTS = "default-src 'none'; style-src 'unsafe-inline'; sandbox"
"""For a drawing: should somebody open it as a page, it can run and load nothing."""
AVATAR = re.compile(r"[0-9a-f]{40}")
"""Steam's name of a player's picture: its `avatarhash`."""
NOBODY = (
    b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64" width="64" height="64"><rect width="64" height="64" '
    b'fill="#3a4253"/><circle cx="32" cy="25" r="11" fill="#8b95a8"/>'
    b'<path d="M11 64c0-13 9-22 21-22s21 9 21 22" fill="#8b95a8"/></svg>'
)
PLACEHOLDER = (
    b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 512 384" width="512" height="384"><g fill="none" stroke="#7d8799" '
    b'stroke-width="14" stroke-linejoin="round" opacity=".55"><path d="M256 92l104 56v96l-104 56-104-56v-96z"/>'
    b'<path d="M152 148l104 56 104-56M256 204v96"/></g></svg>'
)

_fetching = threading.BoundedSemaphore(AT_ONCE)
_new = 0


@dataclass(frozen=True)
class Picture:
    body: bytes
    kind: str


@dataclass(frozen=True)
class Wanted:
    """A picture by its name, and where the CDN has it. Items and players have names of their own."""

    name: str
    address: str


@require_safe
def picture(request: HttpRequest, name: str) -> HttpResponseBase:
    """An item's picture by the CDN's name of it; 404 only for what can be no name."""
    if not NAME.fullmatch(name):
        return not_found(request)
    return _shown(request, Wanted(name, f"{settings.SITE_PICTURES_URL}{name}/{SIZE}"), PLACEHOLDER)


@require_safe
def avatar(request: HttpRequest, name: str) -> HttpResponseBase:
    """A player's picture at Steam by its hash."""
    if not AVATAR.fullmatch(name):
        return not_found(request)
    return _shown(request, Wanted(f"avatar/{name}", f"{settings.SITE_AVATARS_URL}{name}_medium.jpg"), NOBODY)


def _shown(request: HttpRequest, wanted: Wanted, instead: bytes) -> HttpResponse:
    found = kept(wanted.name) or _asked_for(request, wanted)
    if found is None:
        return _answer(Picture(instead, SVG), f"public, max-age={AGAIN_S}")
    return _answer(found, f"public, max-age={YEAR_S}, immutable")


def _asked_for(request: HttpRequest, wanted: Wanted) -> Picture | None:
    """From the CDN, unless it had none a moment ago, or this address has asked for too many: then a sign stands for it."""
    if _missing.has(wanted.name):
        return None
    try:
        limits.take(limits.PICTURES, None, request.META.get("REMOTE_ADDR", ""))
    except limits.LimitReachedError:
        return None
    return fetched(wanted)


class Missing:
    """Names that brought no picture, for a while."""

    def __init__(self) -> None:
        self._until: OrderedDict[str, float] = OrderedDict()
        self._lock = threading.Lock()

    def has(self, name: str) -> bool:
        return time.monotonic() < self._until.get(name, 0.0)

    def note(self, name: str) -> None:
        with self._lock:
            self._until[name] = time.monotonic() + AGAIN_S
            self._until.move_to_end(name)
            while len(self._until) > MISSING_MAX:
                self._until.popitem(last=False)

    def forget(self) -> None:
        """For tests, which share a process."""
        self._until.clear()


_missing = Missing()


def _answer(shown: Picture, caching: str) -> HttpResponse:
    response = HttpResponse(shown.body, content_type=shown.kind)
    response["Cache-Control"] = caching
    response["X-Content-Type-Options"] = "nosniff"
    response["Cross-Origin-Resource-Policy"] = "same-origin"
    response["Content-Security-Policy"] = NO_SCRIPTS
    return response


# ---- kept


def kept(name: str) -> Picture | None:
    """What lies on disk."""
    for kind, ending in ENDINGS.items():
        if kind == SVG and not drawings_allowed():
            continue
        with contextlib.suppress(OSError):
            return Picture(_path(name, ending).read_bytes(), kind)
    return None


def _path(name: str, ending: str) -> Path:
    return Path(settings.SITE_PICTURES_DIR) / f"{hashlib.sha256(name.encode()).hexdigest()}.{ending}"


def keep(name: str, found: Picture) -> None:
    """Whole or not at all. A disk that is full or not ours keeps nothing, and the picture is shown all the same."""
    global _new
    path = _path(name, ENDINGS[found.kind])
    with contextlib.suppress(OSError):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix="new-", delete=False) as file:
            file.write(found.body)
        Path(file.name).replace(path)
        _new += 1
        if _new % SWEEP_EVERY == 1:
            sweep(path.parent, settings.SITE_PICTURES_MAX_MB * 1_000_000)


def sweep(folder: Path, most_bytes: int) -> None:
    """Removes what was fetched longest ago, until the rest is within the bound."""
    found = sorted(((each.stat(), each) for each in folder.iterdir() if each.is_file()), key=lambda pair: pair[0].st_mtime)
    left = sum(status.st_size for status, _path in found)
    for status, path in found:
        if left <= most_bytes:
            return
        path.unlink(missing_ok=True)
        left -= status.st_size


# ---- fetched


def fetched(wanted: Wanted) -> Picture | None:
    """From the CDN, at most so many at once; None if it has none that we show."""
    if not _fetching.acquire(timeout=QUEUE_S):
        return None
    try:
        found = kept(wanted.name) or _fetch(wanted.address)  # somebody may have fetched it while we waited
    finally:
        _fetching.release()
    if found is None:
        _missing.note(wanted.name)
    else:
        keep(wanted.name, found)
    return found


@functools.cache
def _http() -> httpx.Client:
    """No proxy and no password from the environment, no redirects to anywhere."""
    limits = httpx.Limits(max_connections=AT_ONCE, max_keepalive_connections=AT_ONCE)
    return httpx.Client(trust_env=False, follow_redirects=False, timeout=FETCH_S / 2, limits=limits)


def _fetch(address: str) -> Picture | None:
    until = time.monotonic() + FETCH_S
    try:
        with _http().stream("GET", address, headers=ASKED_FOR) as response:
            if response.status_code != 200 or "content-encoding" in response.headers:
                return None
            body = b""
            for chunk in response.iter_raw():
                body += chunk
                if len(body) > BYTES_MAX or time.monotonic() > until:
                    return None
    except (httpx.HTTPError, httpx.InvalidURL):
        return None
    kind = kind_of(body)
    return None if kind is None else Picture(body, kind)


def kind_of(body: bytes) -> str | None:
    """What it is by its first bytes; None for what we do not show. Whatever the CDN calls it."""
    if body.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if body.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if body[:4] == b"RIFF" and body[8:12] == b"WEBP":
        return "image/webp"
    if body.startswith(b"<svg ") and drawings_allowed():
        return SVG
    return None


# ---- drawings


_livemode: bool | None = None
_asked_at = 0.0
ASK_AGAIN_S = 5.0


def drawings_allowed() -> bool:
    """The simulated Steam draws its pictures as SVG. They are shown only where the fleet itself says that it tests."""
    global _livemode, _asked_at
    if _livemode is None and time.monotonic() > _asked_at + ASK_AGAIN_S:
        _asked_at = time.monotonic()
        with contextlib.suppress(errors.FleetError, ValueError):
            _livemode = fleet.client().health().livemode
    return _livemode is False
