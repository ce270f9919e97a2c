"""The back office: the door, the table of operations, the staff log, and that no row is edited past a rule."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pyotp
import pytest
from django.apps import apps
from django.contrib.sessions.models import Session
from django.db import DatabaseError, connection, transaction
from django.test import Client
from django.utils import timezone
from office import NOW_MS, PASSWORD, asker, behind_the_door, browser_of, code, member
from paper import Paper, record_of

from scripts.site_run import office as office_at_work
from website.accounts.models import Player
from website.engine.clock import wall_ms
from website.engine.models import Alarm
from website.ledger import services as ledger
from website.ledger.models import Entry
from website.office import door, log, operations, roles, texts
from website.office.door import DoorError
from website.office.models import Line, Proposal, Staff
from website.office.operation import RefusedError
from website.office.operations import TABLE, NotAllowedError
from website.office.site import office as lists
from website.rooms.models import Lane, RoomVersion, Round

INLINE = re.compile(r"<script|\sstyle=|\son\w+=|javascript:")
ROOM = "classic-unlimited"
EVERY_ROLE = tuple(roles.WHAT)


@pytest.fixture
def office(one_database: str) -> Iterator[None]:
    with behind_the_door():
        yield


@pytest.fixture
def people(office: None) -> dict[str, Staff]:
    """One for each role, and two who have all of them."""
    found = {role: member(role, role) for role in EVERY_ROLE}
    return found | {name: member(name, *EVERY_ROLE) for name in ("ana", "bo")}


def examples() -> dict[str, dict[str, Any]]:
    """Arguments of every operation, with what they are about in the tables. A new operation needs a row here."""
    paper = Paper()
    paper.open(ROOM)
    at, player = paper.game(ROOM), paper.player()
    ledger.post(ledger.Wanted("given", "grant", "test", {ledger.MINT: -5, ledger.wallet(player.id): 5}), NOW_MS)
    alarm = Alarm.objects.create(kind="test", about="it", text="look", at_ms=NOW_MS)
    raffle = {"prize": "a game", "price_cents": 900, "commission_cents": 100, "tickets": 10, "prize_kind": "item"}
    written = {"title_en": "Help", "body_en": "Ask.", "title_ru": "Помощь", "body_ru": "Спросите."}
    one, of_player = {"template": 1}, {"player": player.id}
    return {
        "pause_room": {"room": ROOM},
        "resume_room": {"room": ROOM},
        "change_rules": {"room": ROOM, "bet_value_min": 777},
        "void_round": {"lane": at.lane, "round": at.round},
        "make_good": {"lane": at.lane, "round": at.round, "deposit_id": "dep_1"},
        "type_number": {"lane": at.lane, "number": 1, "digits": "123", "evidence": "https://stream.example"},
        "end_alarm": {"alarm": alarm.id},
        "draft_raffle": raffle,
        "add_keys": {**one, "keys": ["AAAA-BBBB"]},
        "prize_sent": {"prize": 1, "note": "by mail"},
        "activate_raffle": one,
        "deactivate_raffle": one,
        "set_aside": {"room": ROOM, "deposit_ids": ["dep_9"]},
        "drop_guarantee": {"guarantee": 1},
        "block_player": of_player,
        "lift_block": of_player,
        "exclude_player": {**of_player, "days": "365"},
        "adjust_coins": {**of_player, "cents": 500},
        "counter_entry": {"entry": "given"},
        "change_text": {"name": "help", **written},
        "invite_staff": {"name": "eve", "roles": ["look"]},
        "set_roles": {"person": "look", "roles": ["support"]},
        "end_sessions": {"person": "look"},
    }


def test_coins_that_nobody_approved_and_grants_that_moved_none_are_named(people: dict[str, Staff]) -> None:
    """As the audit of `scripts/site` asks, with the chain of the staff log."""
    paper = Paper()
    player, ana, bo = paper.player(), asker(people["ana"]), asker(people["bo"])
    row = operations.run("adjust_coins", {"player": player.id, "cents": 500}, "why", ana, NOW_MS)
    operations.approve(row.id, bo, NOW_MS)
    met = operations.run("counter_entry", {"entry": f"office:{row.id}"}, "why", bo, NOW_MS)
    operations.approve(met.id, ana, NOW_MS)
    assert not list(office_at_work.differences())
    lines = {ledger.MINT: -5, ledger.wallet(player.id): 5}
    ledger.post(ledger.Wanted("office:99", Entry.GRANT, "staff ana, bo", lines), NOW_MS)
    assert list(office_at_work.differences()) == ["office:99 moved coins, and nobody approved it"]
    Proposal.objects.create(
        operation="adjust_coins", args="{}", by=people["ana"], decided_by=people["bo"], state=Proposal.APPROVED, at_ms=NOW_MS
    )
    assert len(list(office_at_work.differences())) == 2


# ---- the table


def test_w25_all_operations_by_all_roles(people: dict[str, Staff]) -> None:
    """Who has not the role neither does nor proposes nor approves it, by the function and by the page; nothing is written."""
    given = examples()
    assert set(given) == set(TABLE), "every operation has an example here"
    browsers = {role: browser_of(people[role]) for role in EVERY_ROLE}
    for name, operation in TABLE.items():
        for role in EVERY_ROLE:
            if role in operation.roles:
                assert browsers[role].get(f"/office/do/{name}", given[name]).status_code != 403, (name, role)
                continue
            for ask in (
                lambda name=name, role=role: operations.dry_run(name, given[name], asker(people[role])),
                lambda name=name, role=role: operations.run(name, given[name], "why", asker(people[role]), NOW_MS),
            ):
                with pytest.raises(NotAllowedError):
                    ask()
            answer = browsers[role].post(f"/office/do/{name}", {**given[name], "why": "because", "step": "do"})
            assert answer.status_code == 403, (name, role)
    assert not Line.objects.exists() and not Proposal.objects.exists()


def test_w25_what_needs_two_is_never_done_by_one(people: dict[str, Staff]) -> None:
    """Of every operation that takes two: proposed it changes nothing; who proposed it cannot approve it, though an owner."""
    given, done = examples(), 0
    for name, operation in TABLE.items():
        if operation.people == 1 or name == "lift_block":
            continue
        before = _everything()
        row = operations.run(name, given[name], "why", asker(people["ana"]), NOW_MS)
        assert isinstance(row, Proposal) and _everything() == before, name
        with pytest.raises(NotAllowedError):
            operations.approve(row.id, asker(people["ana"]), NOW_MS)
        for role in set(EVERY_ROLE) - operation.roles:
            with pytest.raises(NotAllowedError):
                operations.approve(row.id, asker(people[role]), NOW_MS)
        with pytest.raises(DatabaseError), transaction.atomic():
            Proposal.objects.filter(id=row.id).update(state=Proposal.APPROVED, decided_by=people["ana"])
        if name != "make_good":  # the fleet has lost nothing here
            assert operations.approve(row.id, asker(people["bo"]), NOW_MS).state == Proposal.APPROVED, name
            done += 1
    assert done > 6 and list(log.differences()) == []


def _everything() -> dict[str, int]:
    """Rows of all tables but the office's own."""
    return {
        model._meta.label: model._default_manager.count()
        for model in apps.get_models()
        if model._meta.app_label not in ("office", "sessions")
    }


def test_roles_that_were_lost_meanwhile_count(people: dict[str, Staff]) -> None:
    row = operations.run("change_rules", examples()["change_rules"], "dearer", asker(people["ana"]), NOW_MS)
    Staff.objects.filter(username="ana").update(roles="look")
    with pytest.raises(RefusedError, match="may not do this any more"):
        operations.approve(row.id, asker(people["bo"]), NOW_MS)


def test_what_has_changed_meanwhile_is_refused_and_what_is_old_too(people: dict[str, Staff]) -> None:
    ana, bo = asker(people["ana"]), asker(people["bo"])
    given = examples()["change_rules"]
    first = operations.run("change_rules", given, "dearer", ana, NOW_MS)
    second = operations.run("change_rules", {**given, "bet_value_min": 888}, "dearer still", ana, NOW_MS)
    operations.approve(second.id, bo, NOW_MS)
    with pytest.raises(RefusedError, match="changed_meanwhile"):
        operations.approve(first.id, bo, NOW_MS)
    assert Proposal.objects.get(id=first.id).state == Proposal.REFUSED
    third = operations.run("change_rules", given, "again", ana, NOW_MS)
    with pytest.raises(RefusedError, match="seven days"):
        operations.approve(third.id, bo, NOW_MS + operations.EXPIRES_MS)
    with pytest.raises(NotAllowedError):
        operations.withdraw(third.id, bo, NOW_MS)
    with pytest.raises(RefusedError):
        operations.refuse(third.id, "", bo, NOW_MS)
    assert operations.withdraw(third.id, ana, NOW_MS).state == Proposal.WITHDRAWN
    with pytest.raises(RefusedError):
        operations.approve(third.id, bo, NOW_MS)


@pytest.mark.parametrize("why", ["", "   ", "x" * 201, "two\nlines"])
def test_a_reason_is_given(people: dict[str, Staff], why: str) -> None:
    given = examples()["pause_room"]
    with pytest.raises(RefusedError):
        operations.run("pause_room", given, why, asker(people["ana"]), NOW_MS)
    assert not Lane.objects.filter(state=Lane.PAUSED).exists()


# ---- the log


def test_w24_no_operation_without_its_line_and_no_line_without_its_operation(
    people: dict[str, Staff], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is one transaction: if the line fails nothing is done, and if the deed fails there is no line."""
    given = examples()
    ana = asker(people["ana"])
    row = operations.run("pause_room", given["pause_room"], "the stream is off", ana, NOW_MS)
    assert isinstance(row, Line) and json.loads(row.line)["why"] == "the stream is off"
    assert json.loads(row.line)["after"] == {f"{ROOM}-a": "paused", f"{ROOM}-b": "paused"}
    lines = Line.objects.count()
    with monkeypatch.context() as broken:
        broken.setattr(log, "write", _fails)
        with pytest.raises(RuntimeError):
            operations.run("resume_room", given["resume_room"], "it is on", ana, NOW_MS)
    assert Lane.objects.filter(state=Lane.PAUSED).count() == 2 and Line.objects.count() == lines
    with monkeypatch.context() as broken:
        broken.setattr("website.rooms.lanes.resume", _fails)
        with pytest.raises(RuntimeError):
            operations.run("resume_room", given["resume_room"], "it is on", ana, NOW_MS)
    assert Line.objects.count() == lines
    operations.run("resume_room", given["resume_room"], "it is on", ana, NOW_MS)
    assert not Lane.objects.filter(state=Lane.PAUSED).exists() and Line.objects.count() == lines + 1


def _fails(*_arguments: Any, **_named: Any) -> None:
    raise RuntimeError("a crash between")


@pytest.mark.both_databases
def test_w24_the_chain_shows_every_change_and_the_table_only_grows(database_url: str) -> None:
    person = Staff.objects.create(username="ana", roles="look")
    for number in range(4):
        operations.noted(asker(person), "looked", f"player {number}", NOW_MS + number)
    assert list(log.differences()) == []
    assert [(each.lines, each.hash) for each in log.days()] == [(4, bytes(Line.objects.get(number=4).hash))]
    for what in ("UPDATE office_line SET target = 'x'", "DELETE FROM office_line"):
        with pytest.raises(DatabaseError, match="only grows"), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(what)
    with connection.cursor() as cursor:  # somebody who owns the database takes the triggers away
        if connection.vendor == "sqlite":
            cursor.execute("DROP TRIGGER office_line_no_update")
            cursor.execute("DROP TRIGGER office_line_no_delete")
        else:
            cursor.execute("DROP TRIGGER office_line_only_grows ON office_line")
    row = Line.objects.get(number=2)
    Line.objects.filter(number=2).update(line=row.line.replace("player 1", "player 7"))
    assert any("line 2" in each for each in log.differences())
    Line.objects.filter(number=2).update(line=row.line)
    assert list(log.differences()) == []
    Line.objects.filter(number=2).update(target="player 7")
    assert list(log.differences()) == ["the columns of line 2 say something else than the line"]
    Line.objects.filter(number=2).update(target=row.target)
    Line.objects.filter(number=4).delete()
    assert list(log.differences()) == ["the log ends at line 3, but 4 were written"]
    Line.objects.filter(number=2).delete()
    assert "line 2 is missing" in list(log.differences())


def test_looking_at_a_player_and_taking_a_list_away_leave_lines(people: dict[str, Staff]) -> None:
    player = Player.objects.create(steam_id=1, name='=HYPERLINK("x")', registered_ms=1)
    browser = browser_of(people["support"])
    assert browser.get(f"/office/players/{player.id}").status_code == 200
    taken = browser.post("/office/lists/accounts/player/export?q=HYPER")
    text = b"".join(taken.streaming_content).decode()  # type: ignore[attr-defined]
    assert "'=HYPERLINK" in text and "trade_url_sealed" not in text
    assert [(row.operation, row.target) for row in Line.objects.order_by("number")] == [
        ("looked", f"player {player.id}"),
        ("export", "accounts.player q=HYPER"),
    ]
    assert browser_of(people["look"]).get(f"/office/players/{player.id}").status_code == 403
    assert browser_of(people["look"]).get("/office/lists/accounts/player/").status_code == 403
    assert browser_of(people["look"]).post("/office/lists/accounts/player/export").status_code == 403
    assert Line.objects.count() == 2


# ---- no row is edited past a rule


def test_no_list_adds_changes_or_deletes(people: dict[str, Staff]) -> None:
    """All models of the site: in no list is there a way to write, for an owner either, and secrets are in none."""
    browser = browser_of(people["ana"])
    ours = [model for model in apps.get_models() if model.__module__.startswith("website.")]
    registered = set(lists._registry)
    must = {"rooms.round", "rooms.bet", "rooms.laneevent", "ledger.entry", "ledger.posting", "ledger.account", "office.line"}
    assert must <= {model._meta.label_lower for model in registered} and registered <= set(ours)
    request = browser.get("/office/lists").wsgi_request
    for model, each in lists._registry.items():
        assert not (
            each.has_add_permission(request) or each.has_change_permission(request) or each.has_delete_permission(request)
        )
        assert each.actions is None and not each.list_editable
        shown = {field.name for field in each.shown()}  # type: ignore[attr-defined]
        secret = ("password", "key_hash", "token", "record", "sealed")
        assert not {name for name in shown if name.endswith("_sealed") or name in secret}, model
        base = f"/office/lists/{model._meta.app_label}/{model._meta.model_name}/"
        for more in ("", "1/"):
            assert browser.post(f"{base}{more}", {"action": "delete_selected", "_save": "x"}).status_code in (200, 404, 405)
        for gone in ("add/", "1/delete/", "1/history/"):
            assert browser.get(f"{base}{gone}").status_code == 404, (base, gone)
    assert lists.check(None) == []


def test_odd_words_in_an_address_of_the_office_find_nothing(people: dict[str, Staff]) -> None:
    """Digits that are none, numbers without end, filters that a list does not have."""
    browser = browser_of(people["ana"])
    for odd in ("²", "٣", "9" * 30, "9" * 5_000, "-1", "x"):
        for address, name in (
            ("players", "q"),
            ("log", "before"),
            ("lists/rooms/round/", "when"),
            ("do/draft_raffle", "template"),
        ):
            answer = browser.get(f"/office/{address}", {name: odd}, follow=True)
            assert answer.status_code == 200, (address, odd)
    assert browser.get("/office/lists/rooms/round/?nonsense=1&e=1", follow=True).status_code == 200
    assert browser.post("/office/lists/rooms/round/export?nonsense=1").status_code == 404


def test_every_page_has_nothing_inline_and_an_answer(people: dict[str, Staff]) -> None:
    examples()
    at, browser = Round.objects.filter(phase="game")[0], browser_of(people["ana"])
    pages = ["", "rooms", "raffles", "players", "texts", "approvals", "ledger", "stock", "typing", "log", "lists", "staff"]
    pages += [f"rooms/{ROOM}/rules", f"rounds/{at.lane}/{at.round}", "texts/help", f"do/change_rules?room={ROOM}"]
    pages += [f"lists/{model._meta.app_label}/{model._meta.model_name}/" for model in lists._registry]
    for page in pages:
        answer = browser.get(f"/office/{page}".rstrip("/") if not page else f"/office/{page}")
        assert answer.status_code == 200, page
        assert not INLINE.search(answer.content.decode()), page
        assert (
            "unsafe" not in answer.headers["Content-Security-Policy"]
            and "script-src" not in answer.headers["Content-Security-Policy"]
        )


# ---- the door


def test_the_door_wants_all_three_and_a_code_once(office: None) -> None:
    member("ana", "owner")
    good = code(NOW_MS)
    for tried in (("ana", "wrong", good), ("bo", PASSWORD, good), ("ana", PASSWORD, "000000"), ("ana", PASSWORD, "")):
        with pytest.raises(DoorError, match="wrong"):
            door.enter(*tried, NOW_MS)
    assert door.enter("ana", PASSWORD, f" {good[:3]} {good[3:]}", NOW_MS).wrong_tries == 3
    assert Staff.objects.get().wrong_tries == 0
    with pytest.raises(DoorError):
        door.enter("ana", PASSWORD, good, NOW_MS)  # it was used
    assert door.enter("ana", PASSWORD, code(NOW_MS + 30_000), NOW_MS + 30_000)


def test_five_wrong_tries_lock_for_a_quarter_of_an_hour(office: None) -> None:
    person = member("ana", "owner")
    for _ in range(door.TRIES):
        with pytest.raises(DoorError, match="wrong"):
            door.confirm(person, "000000", NOW_MS)
    for at_ms in (NOW_MS, NOW_MS + door.LOCKED_MS - 1):
        with pytest.raises(DoorError, match="locked"):
            door.enter("ana", PASSWORD, code(at_ms), at_ms)
    assert door.enter("ana", PASSWORD, code(NOW_MS + door.LOCKED_MS), NOW_MS + door.LOCKED_MS)


def test_somebody_joins_once_and_comes_in(office: None) -> None:
    person = Staff.objects.create(username="eve", roles="look", password="!")
    word = door.invite(person, wall_ms())
    browser = Client(SERVER_NAME="localhost")
    page = browser.get(f"/office/join/{word}").content.decode()
    sealed, secret = re.findall(r'name="secret" value="([^"]+)"', page)[0], re.findall(r"<code>([A-Z2-7 ]+)</code>", page)[0]
    now = pyotp.TOTP(secret.replace(" ", "")).generate_otp(wall_ms() // 30_000)
    for wrong in ({"password": "short"}, {"code": "000000"}, {"secret": sealed[:-1] + "A"}):
        sent = {"secret": sealed, "password": PASSWORD, "code": now, **wrong}
        assert browser.post(f"/office/join/{word}", sent).status_code == 422
    answer = browser.post(f"/office/join/{word}", {"secret": sealed, "password": PASSWORD, "code": now})
    assert answer.status_code == 302 and browser.get("/office").status_code == 200
    assert Client(SERVER_NAME="localhost").get(f"/office/join/{word}").status_code == 404
    kept = Staff.objects.get()
    assert kept.check_password(PASSWORD) and secret.replace(" ", "").encode() not in bytes(kept.code_sealed)
    assert Client(SERVER_NAME="localhost").get(f"/office/join/{door.invite(kept, wall_ms() - door.JOIN_MS)}").status_code == 404


def test_the_way_in_and_out_and_fifteen_minutes(office: None, monkeypatch: pytest.MonkeyPatch) -> None:
    member("ana", "owner")
    browser = Client(SERVER_NAME="localhost")
    led = browser.get("/office/rooms")
    assert led.status_code == 302 and led["Location"] == "/office/enter?next=%2Foffice%2Frooms"
    sent = {"name": "ana", "password": PASSWORD, "code": code(wall_ms()), "next": "https://evil.example/office/"}
    answer = browser.post("/office/enter", sent)
    assert (answer.status_code, answer["Location"]) == (302, "/office")
    cookie = browser.cookies["office"]
    assert (cookie["path"], cookie["samesite"], bool(cookie["httponly"]), cookie["max-age"]) == ("/office", "Strict", True, 900)
    assert browser.get("/office").status_code == 200 and "player" not in browser.cookies
    Session.objects.update(expire_date=timezone.now())
    assert browser.get("/office").status_code == 302, "fifteen minutes without a click"
    other = browser_of(Staff.objects.get())
    operations.run("end_sessions", {"person": "ana"}, "a lost laptop", asker(Staff.objects.get()), NOW_MS)
    assert other.get("/office").status_code == 302
    third = browser_of(Staff.objects.get())
    Staff.objects.update(roles="")
    assert third.get("/office").status_code == 302, "without a role nobody is in"


def test_a_player_s_process_has_no_office_and_the_office_no_players(one_database: str) -> None:
    person = member("ana", "owner")
    browser = Client(SERVER_NAME="localhost")
    for address in ("/office", "/office/enter", "/office/lists/rooms/round/"):
        assert browser.get(address).status_code == 404
    with behind_the_door():
        inside = browser_of(person)
        for address in ("/", "/me", "/rooms/classic-unlimited", "/sign-in"):
            assert inside.get(address).status_code == 404
        strict = Client(enforce_csrf_checks=True, SERVER_NAME="localhost")
        for address in ("/office/enter", "/office/leave", "/office/do/pause_room", "/office/approvals/1"):
            assert strict.post(address).status_code == 403


# ---- by the pages


def test_w23_a_second_person_changes_a_rule_and_the_running_round_is_untouched(people: dict[str, Staff]) -> None:
    """By the pages, the codes too; then the round is played to its end, and its record proves under which rules."""
    paper = Paper(now_ms=wall_ms())
    paper.open(ROOM)
    running = paper.game(ROOM)
    ana, bo = browser_of(people["ana"]), browser_of(people["bo"])
    page = f"/office/do/change_rules?room={ROOM}"
    form = _filled(ana.get(page).content.decode()) | {"bet_value_min": "7.77", "why": "dearer rounds"}
    looked = ana.post(page, {**form, "step": "look"}).content.decode()
    assert "1.00 → 7.77" in looked and "150 rounds" in looked and not Proposal.objects.exists()
    seen = re.findall(r'name="seen" value="(\w+)"', looked)[0]
    assert ana.post(page, {**form, "step": "do", "seen": seen}).status_code == 422, "the code is asked for"
    sent = {**form, "step": "do", "seen": seen, "code": code(wall_ms())}
    assert "What it would do" in ana.post(page, {**sent, "bet_value_min": "8.88"}).content.decode(), "not what was looked at"
    assert ana.post(page, sent)["Location"] == "/office/approvals"
    row = Proposal.objects.get()
    assert ana.post(f"/office/approvals/{row.id}", {"decision": "approve", "code": code(wall_ms())}).status_code == 403
    bo.post(f"/office/approvals/{row.id}", {"decision": "approve", "code": "000000"})
    assert Proposal.objects.get().state == Proposal.OPEN
    bo.post(f"/office/approvals/{row.id}", {"decision": "approve", "code": code(wall_ms())})
    version = RoomVersion.objects.get(room=ROOM, version=2)
    assert (version.state, version.drafted_by.username, version.approved_by and version.approved_by.username) == (
        "approved",
        "ana",
        "bo",
    )
    for player in (paper.player(), paper.player()):
        assert paper.bet(player, running, paper.items(player, 150)).state == "placed", "1.50 is enough in the running round"
    sealed = paper.until_sealed(running)
    record = record_of(sealed)
    assert record["rules"]["bet_value_min"] == 100 and sealed.version == 1
    later = next(row for row in Round.objects.filter(room=ROOM).order_by("id") if row.version == 2)
    assert bytes(later.rules_hash) == bytes(version.rules_hash)


def _filled(page: str) -> dict[str, str]:
    """What a browser would send back of a form."""
    found = {}
    for name, value in re.findall(r'<input[^>]*name="(\w+)"[^>]*?(?:value="([^"]*)")?[^>]*>', page):
        tag = re.search(rf'<input[^>]*name="{name}"[^>]*>', page)
        value = re.search(r'value="([^"]*)"', tag[0]) if tag else None
        if tag and 'type="checkbox"' in tag[0]:
            if "checked" in tag[0]:
                found[name] = "on"
        else:
            found[name] = value[1] if value else ""
    for name, value in re.findall(r'<textarea[^>]*name="(\w+)"[^>]*>\n?([^<]*)</textarea>', page):
        found[name] = value
    return {name: value for name, value in found.items() if name not in ("csrfmiddlewaretoken", "next", "language")}


def test_texts_are_shown_when_a_second_person_has_read_them(people: dict[str, Staff]) -> None:
    given = {"name": "help", "title_en": "Help", "body_en": "Ask **us** <b>now</b> [here](/odds) [x](javascript:1)"}
    given |= {"title_ru": "Помощь", "body_ru": "Спросите."}
    row = operations.run("change_text", given, "clearer", asker(people["support"]), NOW_MS)
    assert texts.shown("help") is None
    operations.approve(row.id, asker(people["bo"]), NOW_MS)
    found = texts.shown("help")
    assert found is not None and '<strong>us</strong> &lt;b&gt;now&lt;/b&gt; <a href="/odds">here</a>' in found.body
    assert 'href="javascript' not in found.body
    with pytest.raises(RefusedError):
        operations.run("change_text", {**given, "body_ru": ""}, "half", asker(people["support"]), NOW_MS)
    down = operations.run("change_text", {**given, "body_en": "", "body_ru": ""}, "old", asker(people["support"]), NOW_MS)
    operations.approve(down.id, asker(people["bo"]), NOW_MS)
    assert texts.shown("help") is None


def test_coins_are_given_by_two_and_once(people: dict[str, Staff]) -> None:
    player = Player.objects.create(steam_id=1, name="ana", registered_ms=1)
    row = operations.run("adjust_coins", {"player": player.id, "cents": 500}, "a prize", asker(people["money"]), NOW_MS)
    operations.approve(row.id, asker(people["bo"]), NOW_MS)
    entry = Entry.objects.get()
    assert (entry.ref, entry.who, ledger.balance(ledger.wallet(player.id))) == (f"office:{row.id}", "staff money, bo", 500)
    for _ in range(2):
        back = operations.run("counter_entry", {"entry": entry.ref}, "a mistake", asker(people["money"]), NOW_MS)
        if Entry.objects.count() == 1:
            operations.approve(back.id, asker(people["bo"]), NOW_MS)
        else:
            with pytest.raises(RefusedError):
                operations.approve(back.id, asker(people["bo"]), NOW_MS)
    assert ledger.balance(ledger.wallet(player.id)) == 0 and ledger.differences() == []


def test_coins_of_a_raffle_move_with_the_raffle_only(people: dict[str, Staff]) -> None:
    """Met by a counter-entry, what was paid would be missing when the raffle is drawn, and its lane could not go on."""
    player = Player.objects.create(steam_id=1, name="ana", registered_ms=1)
    wallet, escrow = ledger.wallet(player.id), ledger.escrow("raffle-1-1", 1)
    ledger.post(ledger.Wanted("grant:1", Entry.GRANT, "x", {ledger.MINT: -500, wallet: 500}), NOW_MS)
    ledger.post(ledger.Wanted("buy:1", Entry.BUY, "x", {wallet: -300, escrow: 300}), NOW_MS)
    with pytest.raises(RefusedError, match="raffle"):
        operations.run("counter_entry", {"entry": "buy:1"}, "a mistake", asker(people["money"]), NOW_MS)
    assert operations.run("counter_entry", {"entry": "grant:1"}, "a mistake", asker(people["money"]), NOW_MS)


def test_the_last_owner_stays_one(people: dict[str, Staff]) -> None:
    for name in ("owner", "bo"):
        Staff.objects.filter(username=name).update(roles="owner")
    Staff.objects.exclude(username__in=("ana", "bo")).update(roles="look")
    first = operations.run(
        "set_roles", {"person": "ana", "roles": ["look"]}, "leaves", asker(Staff.objects.get(username="ana")), NOW_MS
    )
    operations.approve(first.id, asker(Staff.objects.get(username="bo")), NOW_MS)
    last = operations.run("set_roles", {"person": "bo", "roles": []}, "leaves", asker(Staff.objects.get(username="bo")), NOW_MS)
    Staff.objects.filter(username="look").update(roles="owner", is_active=True)
    Staff.objects.filter(username="bo").update(roles="owner")
    assert operations.approve(last.id, asker(Staff.objects.get(username="look")), NOW_MS)
