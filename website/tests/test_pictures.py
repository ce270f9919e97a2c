"""Pictures of items: whatever the CDN does, a page gets a picture or a drawn sign at once, and nothing foreign."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from unittest import mock

import pytest
from counter import Answering, pictures_server, served
from django.test import Client, override_settings

from website import limits
from website.custody import pictures

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 40
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"></svg>'
names = itertools.count(1)


def said(handler: BaseHTTPRequestHandler, body: bytes, kind: str = "image/png", status: int = 200, **headers: str) -> None:
    handler.send_response(status)
    for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **headers}.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    handler.wfile.write(body)


@contextmanager
def cdn(tmp_path: Path, answer: Answering, livemode: bool | None = True) -> Iterator[list[str]]:
    """A CDN that answers so; the paths that it was asked for."""
    asked: list[str] = []

    def noted(handler: BaseHTTPRequestHandler) -> None:
        asked.append(handler.path)
        answer(handler)

    with (
        served(pictures_server(noted)) as address,
        override_settings(
            SITE_PICTURES_URL=f"{address}/economy/image/",
            SITE_AVATARS_URL=f"{address}/",
            SITE_PICTURES_DIR=str(tmp_path / "pictures"),
        ),
    ):
        pictures._livemode = livemode
        pictures._missing.forget()
        yield asked
        pictures._http().close()
        pictures._http.cache_clear()
        pictures._livemode = None


def looked(browser: Client, name: str = "") -> tuple[bytes, str, str]:
    page = browser.get(f"/pictures/{name or f'name{next(names)}'}")
    assert page.status_code == 200 and page.headers["X-Content-Type-Options"] == "nosniff"
    return page.content, page.headers["Content-Type"], page.headers["Cache-Control"]


def test_w29_a_picture_is_fetched_once_and_kept(browser: Client, tmp_path: Path) -> None:
    with cdn(tmp_path, lambda handler: said(handler, PNG, "text/html")) as asked:
        for _ in range(3):
            assert looked(browser, "an-icon_1") == (PNG, "image/png", f"public, max-age={pictures.YEAR_S}, immutable")
        assert asked == ["/economy/image/an-icon_1/256fx256f"]


@pytest.mark.parametrize(
    "answer",
    [
        lambda h: said(h, b"<html><script>alert(1)</script></html>"),
        lambda h: said(h, b""),
        lambda h: said(h, b"GIF89a" + b"\0" * 40, "image/gif"),
        lambda h: said(h, SVG, "image/svg+xml"),  # the fleet is live
        lambda h: said(h, PNG + b"\0" * pictures.BYTES_MAX),
        lambda h: said(h, PNG, status=404),
        lambda h: said(h, PNG, status=302, Location="http://127.0.0.1:9/x.png"),
        lambda h: said(h, PNG, Content_Encoding="gzip"),
        lambda h: h.wfile.write(b"no HTTP at all\r\n\r\n"),
        lambda h: said(h, PNG, Content_Length="4000"),  # it ends in the middle
    ],
    ids=["page", "empty", "gif", "svg", "huge", "missing", "redirect", "packed", "nonsense", "cut"],
)
def test_what_is_no_picture_is_not_shown(browser: Client, tmp_path: Path, answer: Answering) -> None:
    with cdn(tmp_path, answer) as asked:
        body, kind, caching = looked(browser)
        assert (body, kind) == (pictures.PLACEHOLDER, "image/svg+xml") and "immutable" not in caching
        assert len(asked) == 1 and not list((tmp_path / "pictures").glob("*"))


def test_a_cdn_that_drips_or_is_away_holds_no_page_up(browser: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "FETCH_S", 0.4)

    def drip(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
        for _ in range(600):
            handler.wfile.write(b"\x89")
            time.sleep(0.05)

    with cdn(tmp_path, drip):
        begun = time.monotonic()
        assert looked(browser)[0] == pictures.PLACEHOLDER and time.monotonic() - begun < 20
    with override_settings(SITE_PICTURES_URL="http://127.0.0.1:9/"):
        assert looked(browser)[0] == pictures.PLACEHOLDER
    pictures._http().close()
    pictures._http.cache_clear()


def test_a_name_that_brought_no_picture_is_not_asked_for_again_at_once(browser: Client, tmp_path: Path) -> None:
    with cdn(tmp_path, lambda handler: said(handler, b"", status=404)) as asked:
        for _ in range(3):
            assert looked(browser, "nothing-there")[0] == pictures.PLACEHOLDER
        assert len(asked) == 1
        pictures._missing._until["nothing-there"] = 0.0  # a while later
        looked(browser, "nothing-there")
        assert len(asked) == 2
    for number in range(pictures.MISSING_MAX + 10):
        pictures._missing.note(str(number))
    assert len(pictures._missing._until) == pictures.MISSING_MAX


def test_w31_nobody_has_the_cdn_asked_for_names_without_end(browser: Client, tmp_path: Path) -> None:
    few = limits.Limit("pictures", 3, 60, shared=1)
    with cdn(tmp_path, lambda handler: said(handler, PNG)) as asked, mock.patch.object(limits, "PICTURES", few):
        shown = [looked(browser, f"of-many-{number}")[0] for number in range(5)]
        assert shown == [PNG] * 3 + [pictures.PLACEHOLDER] * 2 and len(asked) == 3
        assert looked(browser, "of-many-0")[0] == PNG, "what is kept is not counted"


def test_w29_pictures_of_players_come_from_the_site_too(browser: Client, tmp_path: Path) -> None:
    with cdn(tmp_path, lambda handler: said(handler, PNG)) as asked:
        for _ in range(2):
            page = browser.get(f"/avatars/{'0a' * 20}")
            assert (page.content, page.headers["Content-Type"]) == (PNG, "image/png")
        assert asked == [f"/{'0a' * 20}_medium.jpg"]
        for name in ("0a", "0A" * 20, "..", "g" * 40):
            assert browser.get(f"/avatars/{name}").status_code == 404


def test_only_so_many_are_fetched_at_once(browser: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "QUEUE_S", 0.01)
    with cdn(tmp_path, lambda handler: said(handler, PNG)) as asked:
        for _ in range(pictures.AT_ONCE):
            pictures._fetching.acquire()
        try:
            assert looked(browser)[0] == pictures.PLACEHOLDER and asked == []
        finally:
            for _ in range(pictures.AT_ONCE):
                pictures._fetching.release()


def test_drawings_of_the_simulated_steam_can_do_nothing(browser: Client, tmp_path: Path) -> None:
    with cdn(tmp_path, lambda handler: said(handler, SVG, "image/svg+xml"), livemode=False):
        page = browser.get("/pictures/drawn")
        assert page.content == SVG and page.headers["Content-Type"] == "image/svg+xml"
        assert (
            "sandbox" in page.headers["Content-Security-Policy"]
            and "default-src 'none'" in page.headers["Content-Security-Policy"]
        )
        pictures._livemode = True  # the same folder, and the site is live now
        assert looked(browser, "drawn")[0] == pictures.PLACEHOLDER


@pytest.mark.parametrize("name", ["..", "a.png", "a%2Fb", "a%2F..%2Fb", "%2e%2e", "a%00", "a b", "ä", "a" * 401, "a%0d%0aX"])
def test_a_name_that_can_be_none_is_not_asked_for(browser: Client, tmp_path: Path, name: str) -> None:
    with cdn(tmp_path, lambda handler: said(handler, PNG)) as asked:
        assert browser.get(f"/pictures/{name}").status_code == 404 and asked == []


def test_a_disk_that_is_full_or_not_ours_costs_only_time(browser: Client, tmp_path: Path) -> None:
    with cdn(tmp_path, lambda handler: said(handler, PNG)):
        (tmp_path / "pictures").write_text("a file where the folder should be")
        assert looked(browser)[0] == PNG


def test_the_folder_stays_within_its_bound(tmp_path: Path) -> None:
    for number in range(10):
        (tmp_path / str(number)).write_bytes(b"x" * 100)
    pictures.sweep(tmp_path, 450)
    assert sum(each.stat().st_size for each in tmp_path.iterdir()) <= 450
