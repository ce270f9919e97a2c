"""All addresses of the site, from the table that serves them: none is forgotten by a rule that holds for every page (W30)."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from django.test import Client
from django.urls import URLResolver, get_resolver
from office import behind_the_door, browser_of, member
from paper import Paper

from website.accounts import sessions
from website.engine import clock
from website.office import roles

PLACE = re.compile(r"<(?:(\w+):)?\w+>")
EXAMPLES = {"int": "7", "number": "7", "slug": "classic-unlimited"}
ANSWERED = range(200, 500)
SOCKETS = {"/live"}


def routes(resolver: URLResolver, before: str = "/") -> Iterator[str]:
    for each in resolver.url_patterns:
        if isinstance(each, URLResolver):
            yield from routes(each, before + str(each.pattern))
        else:
            yield before + str(each.pattern)


def addresses() -> list[str]:
    """One address for each route, with something plausible in its places."""
    filled = {PLACE.sub(lambda place: EXAMPLES.get(place[1] or "", "abcdefghij"), route) for route in routes(get_resolver())}
    return sorted(filled - SOCKETS)


@pytest.fixture
def strict(one_database: str) -> Client:
    """A browser that sends no token of ours with its forms."""
    return Client(enforce_csrf_checks=True, SERVER_NAME="localhost")


def test_w30_no_address_takes_a_form_without_its_token(strict: Client) -> None:
    found = addresses()
    assert len(found) > 50
    for address in found:
        answer = strict.post(address, {"next": "/"}, headers={"accept": "application/json"})
        assert answer.status_code in (403, 404, 405), (address, answer.status_code)
        assert not answer.cookies.keys() & {"player", "calm", "language"}, address


def test_every_address_has_an_answer_for_who_just_looks(strict: Client) -> None:
    for address in addresses():
        answer = strict.get(address)
        assert answer.status_code in ANSWERED, (address, answer.status_code)
        assert "Content-Security-Policy" in answer.headers, address


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_zero_sign_is_no_error_of_the_server(database_url: str) -> None:
    """PostgreSQL takes no U+0000 in texts, neither of addresses nor of forms."""
    browser = Client(SERVER_NAME="localhost")
    browser.cookies[sessions.COOKIE] = sessions.start(Paper().player(), "a test", clock.wall_ms())
    for address in ("/errands/a%00b", "/exchanges/%00"):
        assert browser.get(address).status_code == 400, address
    with behind_the_door():
        inside = browser_of(member("ana", *roles.WHAT))
        for address in ("/office/players?q=%00", "/office/log?q=a%00"):
            assert inside.get(address).status_code == 400, address
        assert inside.post("/office/staff/a%00b/invitation").status_code == 400
        form = {"name": "a\0", "password": "b", "code": "c"}
        assert Client(SERVER_NAME="localhost").post("/office/enter", form).status_code == 400
