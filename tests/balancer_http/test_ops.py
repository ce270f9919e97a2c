"""The operators' page: who comes in, and what each role may do."""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import pyotp
import pytest
from balancer_http import ops_lab, test_sign_in
from balancer_http.harness import ONE_DATABASE, PLAYER, Service
from balancer_http.ops_lab import NAMES, STEAM_IDS, Desk, desk, enrolled, with_operators
from balancer_http.test_sign_in import Provider, provider
from sqlalchemy import insert, select, update

from balancer.db import tables
from balancer.journal import alarms, events
from balancer.web.ops import actions, links, operators, render
from balancer.web.ops.codes import STEP_S
from balancer.web.sessions import csrf_of, hash_of
from balancer.web.tries import TRIES_MAX
from scripts.lab.operator import OperatorPage

__all__ = ["provider"]
PAGES = ("", "/alarms", "/approvals", "/trades", "/doubts", "/audit", "/locks", "/webhooks", "/prices", "/switches")


# --- signing in ----------------------------------------------------------------------------------------


async def through_steam(service: Service, provider: Provider, steam_id: str) -> Any:
    """Leave for Steam's sign-in as this account, and come back."""
    section = service.ctx.settings.openid.model_copy(update={"endpoint": provider.endpoint})
    service.ctx.settings = service.ctx.settings.model_copy(update={"openid": section})
    gone = await service.client.get("/ops/steam", allow_redirects=False)
    taken = parse_qs(urlsplit(gone.headers["Location"]).query)
    nonce = service.ctx.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ") + secrets.token_hex(4)
    who = {"response_nonce": nonce, "claimed_id": test_sign_in.PREFIX + steam_id, "identity": test_sign_in.PREFIX + steam_id}
    pairs = test_sign_in.answer(service, taken, **who)
    assert dict(parse_qsl(urlsplit(taken["openid.return_to"][0]).query))["state"]
    return await service.client.get(f"/ops/signed-in?{urlencode(pairs)}", allow_redirects=False)


def session_of(service: Service) -> str:
    jar = service.client.session.cookie_jar.filter_cookies(service.client.make_url("/ops"))
    return jar["fleet_ops"].value


async def give(service: Service, code: str, *, origin: str = "http://127.0.0.1:8420") -> Any:
    data = {"code": code, "csrf": csrf_of(session_of(service))}
    return await service.client.post("/ops/code", data=data, headers={"Origin": origin}, allow_redirects=False)


async def kinds(service: Service) -> list[tuple[str, str]]:
    return await service.ctx.db.read(
        lambda connection: [
            (row.kind, row.who)
            for row in connection.execute(select(tables.events).order_by(tables.events.c.number))
            if row.kind.startswith(("operator", "alarm"))
        ]
    )


def code_of(totp: pyotp.TOTP, service: Service, steps: int = 0) -> str:
    return totp.at(service.ctx.clock.unmoved() + timedelta(seconds=steps * STEP_S))


async def test_an_operator_comes_in_through_steam_and_with_a_code(service: Service, provider: Provider) -> None:
    with_operators(service)
    totp = await enrolled(service, "act")
    first = await service.client.get("/ops/alarms", allow_redirects=False)
    assert (first.status, first.headers["Location"]) == (303, "/ops/sign-in")
    back = await through_steam(service, provider, STEAM_IDS["act"])
    assert (back.status, back.headers["Location"]) == (303, "/ops/code")
    half = session_of(service)
    assert (await service.client.get("/ops/alarms", allow_redirects=False)).headers["Location"] == "/ops/sign-in", (
        "half is none"
    )
    assert (await give(service, code_of(totp, service), origin="https://evil.example")).status == 403

    code = code_of(totp, service)
    entered = await give(service, code)
    assert (entered.status, entered.headers["Location"]) == (303, "/ops/alarms")
    assert session_of(service) != half, "whoever knew the id before the code does not know it afterwards"
    page = await service.client.get("/ops", allow_redirects=False)
    assert page.status == 200 and "ann" in await page.text()
    assert await kinds(service) == [("operator_enrolled", "cli:root"), ("operator_signed_in", "ops:ann")]
    rows = await service.ctx.db.read(
        lambda c: [*c.execute(select(tables.operator_sessions)), *c.execute(select(tables.operators))]
    )
    assert session_of(service) not in str(rows) and totp.secret not in str(rows)

    # Somebody who has seen the code comes through Steam within its time: it is used up.
    assert (await through_steam(service, provider, STEAM_IDS["act"])).status == 303
    again = await give(service, code)
    assert again.status == 403 and "used already" in await again.text()


async def test_wrong_codes_lock_the_operator_and_raise_an_alarm(service: Service, provider: Provider) -> None:
    with_operators(service, wrong_codes_max=2)
    totp = await enrolled(service, "act")
    await through_steam(service, provider, STEAM_IDS["act"])
    far = code_of(totp, service, 50)
    assert "not the code" in await (await give(service, far)).text()
    assert "Too many wrong codes" in await (await give(service, "abc")).text()
    assert "Too many wrong codes" in await (await give(service, code_of(totp, service))).text(), "a right one is no way round"
    assert ("alarm", "ops:ann") in await kinds(service)
    ends = update(tables.operators).values(locked_until=service.ctx.clock.unmoved())
    await service.ctx.db.run(lambda connection: connection.execute(ends))
    assert (await give(service, code_of(totp, service))).status == 303


async def test_who_is_no_operator_or_has_no_codes_does_not_come_in(service: Service, provider: Provider) -> None:
    with_operators(service)
    stranger = await through_steam(service, provider, PLAYER)
    assert stranger.status == 403 and "no operator" in await stranger.text()
    assert "fleet_ops" not in stranger.cookies
    assert (await through_steam(service, provider, STEAM_IDS["look"])).status == 303
    assert "no codes yet" in await (await give(service, "123456")).text()
    provider.says((200, "ns:http://specs.openid.net/auth/2.0\nis_valid:false\n"))
    assert (await through_steam(service, provider, STEAM_IDS["act"])).status == 403


@ONE_DATABASE
async def test_there_is_no_page_before_operators_are_named(service: Service) -> None:
    for path in ("/ops", "/ops/sign-in", "/ops/steam", "/ops/code", "/ops/static/ops.css", "/ops/nothing"):
        answer = await service.client.get(path, allow_redirects=False)
        assert (answer.status, answer.content_type) == (404, "application/problem+json"), path
    assert (await service.client.post("/ops/do/pause", data={})).status == 404
    with_operators(service)
    odd = await service.client.get("/ops/nothing")
    assert (odd.status, odd.content_type) == (404, "text/html")


@ONE_DATABASE
async def test_a_session_ends_by_age_without_clicks_and_when_the_operator_is_taken_out(service: Service) -> None:
    rules = with_operators(service)
    ann, clock = await desk(service, "act"), service.ctx.clock
    assert (await ann.get("/ops")).status == 200

    async def aged(**ago_s: float) -> None:
        values = {name: clock.now() - timedelta(seconds=seconds) for name, seconds in ago_s.items()}
        change = update(tables.operator_sessions).values(values)
        await service.ctx.db.run(lambda connection: connection.execute(change))

    await aged(seen_at=rules.idle_s - 30)
    live = await ann.get("/ops", **{"HX-Request": "true"})
    assert live.status == 200, "what the page asks for by itself is no click"
    await aged(seen_at=rules.idle_s + 1)
    idle = await ann.get("/ops", **{"HX-Request": "true"})
    assert idle.headers["HX-Redirect"] == "/ops/sign-in" and await idle.text() == ""
    await aged(seen_at=rules.idle_s - 30)
    assert (await ann.get("/ops")).status == 200
    seen = await service.ctx.db.read(lambda c: c.scalar(select(tables.operator_sessions.c.seen_at)))
    assert seen is not None and clock.now() - seen < timedelta(seconds=rules.idle_s - 60)
    await aged(expires_at=0)
    assert (await ann.get("/ops")).status == 303

    lea = await desk(service, "look")
    assert (await lea.get("/ops")).status == 200
    left = [each for each in service.ctx.settings.ops.operators if each.role != "look"]
    ops = service.ctx.settings.ops.model_copy(update={"operators": left})
    service.ctx.settings = service.ctx.settings.model_copy(update={"ops": ops})
    assert (await lea.get("/ops")).status == 303

    pia = await desk(service, "approve")
    await enrolled(service, "approve")
    assert (await pia.get("/ops")).status == 303, "a new secret ends every session"
    other = await desk(service, "approve")
    assert (await other.post("/ops/sign-out", [], csrf="wrong")).status == 403
    assert (await other.post("/ops/sign-out", [])).status == 303
    gone = select(tables.operator_sessions).where(tables.operator_sessions.c.id_hash == hash_of(other.session_id))
    assert await service.ctx.db.read(lambda connection: connection.execute(gone).first()) is None


def test_behind_tls_the_cookie_is_bound_to_this_host() -> None:
    from shared import settings

    at_home = settings.load(None, {"balancer": {"site_url": "https://site.example/fleet"}})
    assert links.cookie_name(at_home, links.SESSION) == "__Host-fleet_ops" and links.is_secure(at_home)
    assert links.origin_of(at_home) == "https://site.example" and links.path_of(at_home, "/ops") == "/fleet/ops"


@pytest.mark.parametrize(
    "path", ["//evil.example", "/ops/../x", "/ops//evil.example", "https://evil.example", "/opsx", "/ops?a=b"]
)
def test_nobody_is_led_elsewhere_after_the_sign_in(path: str) -> None:
    assert links.within(path) == "/ops"
    assert links.within("/ops/bots/red-1") == "/ops/bots/red-1"


# --- roles ---------------------------------------------------------------------------------------------

# What a form of each action needs to be one.
FORMS: dict[str, dict[str, str]] = {
    **{name: {"bot": "red-1"} for name in ("pause-bots", "drain-bots", "resume-bots", "unfreeze-bots", "audit-bots")},
    "acknowledge": {"number": "1"},
    **{name: {"trade_id": "trd_none"} for name in ("approve", "reject")},
    "doubt-offer": {"trade_id": "trd_none", "offer_id": "7000", "reason": "seen"},
    "doubt-none": {"trade_id": "trd_none", "reason": "seen"},
    "thaw": {"deposit_id": "dep_none", "reason": "seen"},
    "decide": {"deposit_id": "dep_none", "decision": "release", "reason": "seen"},
    **{name: {"ref": "bet-1", "client": "site", "reason": "gone"} for name in ("release-lock", "restore-lock")},
    **{name: {"switch": "deposits", "reason": "a try"} for name in ("pause", "resume")},
    **{name: {"target_id": "whk_none"} for name in ("enable-webhook", "test-webhook")},
    "redeliver": {"target_id": "whk_none", "first": "1"},
    "accept-prices": {"source": "file", "digest": "00", "reason": "right"},
}


@ONE_DATABASE
async def test_each_role_may_do_what_the_table_says_and_nothing_more(service: Service) -> None:
    """Every action, by every role, by nobody, with a foreign word and from another site."""
    assert FORMS.keys() == actions.ACTIONS.keys()
    with_operators(service)
    desks = {role: await desk(service, role) for role in operators.ROLES}
    nobody = Desk(service.client, desks["look"].origin, desks["look"].cookie, "x" * 43)
    for name, action in actions.ACTIONS.items():
        for role, one in desks.items():
            status = (await one.do(name, **FORMS[name])).status
            may = operators.ROLES.index(role) >= operators.ROLES.index(action.role)
            assert (status != 403) == may, (name, role, status)
            assert not may or status in (303, 404, 409), (name, role, status)
        pairs = [*FORMS[name].items(), ("sure", "yes")]
        assert (await nobody.post(f"/ops/do/{name}", pairs)).headers["Location"] == "/ops/sign-in", name
        assert (await desks["approve"].post(f"/ops/do/{name}", pairs, csrf=csrf_of(desks["act"].session_id))).status == 403
        for origin in ("https://evil.example", "null"):
            assert (await desks["approve"].post(f"/ops/do/{name}", pairs, origin=origin)).status == 403, (name, origin)
    assert (await desks["approve"].do("no-such-thing")).status == 404


@ONE_DATABASE
async def test_every_page_is_shown_to_every_role_and_offers_only_what_it_may(service: Service) -> None:
    with_operators(service)
    trade = await service.deposit("1")
    pages = [*(f"/ops{page}" for page in PAGES), "/ops/bots/red-1", f"/ops/trades/{trade['trade_id']}"]
    for role in operators.ROLES:
        one = await desk(service, role)
        for path in pages:
            text = await one.text(path)
            for name, action in actions.ACTIONS.items():
                offered = f'/ops/do/{name}"' in text
                assert not offered or operators.ROLES.index(role) >= operators.ROLES.index(action.role), (role, path, name)
            assert trade["token"] not in text and "<script>" not in text and " style=" not in text and " onclick" not in text
    room = 2 * service.ctx.fleet.limits.items_max
    assert f"<b>red</b> {room - 1} of {room} free, not filling" in await one.text("/ops")
    answer = await one.get("/ops")
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy and "http" not in policy
    assert answer.headers["Cache-Control"] == "no-store" and answer.headers["X-Frame-Options"] == "DENY"
    for path in ("/ops/bots/red-99", "/ops/trades/trd_none", "/ops/webhooks/whk_none"):
        assert (await one.get(path)).status == 404
    for name in render.FILES:
        file = await one.get(f"/ops/static/{name}")
        assert file.status == 200 and file.headers["X-Content-Type-Options"] == "nosniff"


@ONE_DATABASE
async def test_in_a_sandbox_one_click_signs_the_operator_in(service: Service) -> None:
    """What `fleet up` prints: a page beside the balancer, on which nobody is let in by another site's page."""
    with_operators(service)
    with OperatorPage(service.ctx.settings, "http://127.0.0.1:8420") as beside:
        async with service.client.session.get(beside.url) as shown:
            text = await shown.text()
        assert "Open the operators" in text and STEAM_IDS["look"] in text
        odd = {"Origin": "https://evil.example"}
        assert (await service.client.session.post(beside.url, headers=odd, allow_redirects=False)).status == 404
        assert (await service.client.session.get(beside.url, headers={"Host": "evil.example"})).status == 404
        clicked = await service.client.session.post(beside.url, allow_redirects=False)
        assert (clicked.status, clicked.headers["Location"]) == (303, "http://127.0.0.1:8420/ops")
    assert (await service.client.get("/ops", allow_redirects=False)).status == 200


def test_htmx_is_the_one_that_was_looked_at() -> None:
    """`scripts/vendor` fetches it by the package's hash; this one is of the file that browsers get."""
    file, _ = render.FILES["htmx.min.js"]
    assert hashlib.sha256(file.read_bytes()).hexdigest() == "d6fdc75f204e6bdefa99b69bf1e6d4ac69b8a364f77929f45c13476b4000f717"
    assert "htmx.org@2.0.11" in (render.STATIC / "VERSION-htmx.txt").read_text()


# --- doing it ------------------------------------------------------------------------------------------


@ONE_DATABASE
async def test_what_is_done_is_an_event_with_the_operators_name(service: Service) -> None:
    with_operators(service)
    ann, pia = await desk(service, "act"), await desk(service, "approve")
    both = [("bot", "red-1"), ("bot", "red-2")]
    asked = await ann.post("/ops/do/pause-bots", both)
    assert asked.status == 200 and "Pause red-1, red-2?" in await asked.text()
    assert {bot.mode.value for bot in service.ctx.fleet.bots()} == {"active"}, "nothing is done before the answer"
    done = await ann.do("pause-bots", *both)
    assert (done.status, done.headers["Location"]) == (303, "/ops")
    assert {bot.mode.value for bot in service.ctx.fleet.bots()} == {"paused"}
    assert "red-1, red-2: paused" in await ann.text("/ops")
    assert "red-1, red-2: paused" not in await ann.text("/ops"), "said once"
    assert (await ann.do("resume-bots", ("shown", "red-1"), ("shown", "red-2"), every="1")).status == 303
    assert (await ann.do("pause-bots", ("bot", "red-1"), ("bot", "red-77"))).status == 404
    assert {bot.mode.value for bot in service.ctx.fleet.bots()} == {"active"}, "all or none"
    assert (await ann.do("pause-bots", ("bot", "no bot"))).status == 400
    assert (await ann.do("pause", switch="deposits", reason="a try")).status == 303
    assert "Paused for all: deposits" in await ann.text("/ops")
    assert (await pia.do("resume", switch="deposits")).status == 303
    target = {"target_id": "whk_1", "url": "https://hidden.example/secret-path", "secret_sealed": "x", "created_by": "cli:root"}
    now = service.ctx.clock.now()
    row = insert(tables.webhook_targets).values(**target, spread_to=0, created_at=now, disabled_at=now, disabled_why="gone")
    await service.ctx.db.run(lambda connection: connection.execute(row))
    for path in ("/ops/webhooks", "/ops/webhooks/whk_1"):
        text = await ann.text(path)
        assert "hidden.example" in text and "secret-path" not in text
    assert (await ann.do("enable-webhook", target_id="whk_1")).status == 303
    await service.ctx.db.run(
        lambda connection: alarms.of_prices(connection, "<script>alert(1)</script>", service.ctx.clock.now())
    )
    text = await ann.text("/ops/alarms")
    assert "&lt;script&gt;alert(1)" in text and "<script>alert" not in text
    number = text.partition('name="number" value="')[2].partition('"')[0]
    assert (await ann.do("acknowledge", number=number, note="looked")).status == 303
    assert "No alarm that nobody has acknowledged" in await ann.text("/ops/alarms")
    found = await service.ctx.db.read(events.behind, 0, 1000, False)
    told = [(event.kind, event.who) for event in found if event.who.startswith("ops:")]
    assert told == [
        *[("bot_mode", "ops:ann")] * 4,
        ("paused", "ops:ann"),
        ("resumed", "ops:pia"),
        ("webhook_enabled", "ops:ann"),
        ("alarm_acknowledged", "ops:ann"),
    ]


@ONE_DATABASE
async def test_a_frozen_item_is_decided_by_two_of_whom_one_may_approve(service: Service) -> None:
    with_operators(service)
    trade = await service.deposit("1")
    [item] = trade["items"]
    change = update(tables.deposits).values(status="active", frozen_by="missing")
    await service.ctx.db.run(
        lambda c: (
            c.execute(update(tables.trades).values(status="accepted")),
            c.execute(change.where(tables.deposits.c.deposit_id == item["deposit_id"])),
        )
    )
    form = {"deposit_id": item["deposit_id"], "decision": "write_off", "reason": "not in its inventory"}
    ann, pia = await desk(service, "act"), await desk(service, "approve")
    assert (await pia.do("decide", **form)).status == 303
    assert (await pia.do("decide", **form)).status == 303, "said twice by one is said once"
    refused = await ann.do("decide", **form)
    assert refused.status == 403 and "somebody who may approve" in await refused.text()
    row = await service.ctx.db.read(lambda c: c.execute(select(tables.decisions)).one())
    assert (row.who, row.agreed_by) == ("ops:pia", None)
    await service.ctx.db.run(lambda c: c.execute(update(tables.decisions).values(who="ops:ann")))
    assert (await pia.do("decide", **form)).status == 303
    row = await service.ctx.db.read(lambda c: c.execute(select(tables.decisions)).one())
    assert (row.who, row.agreed_by) == ("ops:ann", "ops:pia")
    assert "ops:ann proposes to write off, ops:pia agrees" in " ".join((await ann.text("/ops/audit")).split())


def test_operators_have_one_of_each_role() -> None:
    assert set(NAMES) == set(operators.ROLES) == set(ops_lab.STEAM_IDS)


@ONE_DATABASE
async def test_many_tries_at_the_sign_in_are_a_page_that_says_so(service: Service, provider: Provider) -> None:
    with_operators(service)
    provider.says((200, "ns:http://specs.openid.net/auth/2.0\nis_valid:false\n"))
    answers = [await through_steam(service, provider, STEAM_IDS["act"]) for _ in range(TRIES_MAX + 1)]
    assert [answer.status for answer in answers] == [403] * TRIES_MAX + [429]
    assert answers[-1].content_type == "text/html" and "Too many tries" in await answers[-1].text()
    assert int(answers[-1].headers["Retry-After"]) > 0
