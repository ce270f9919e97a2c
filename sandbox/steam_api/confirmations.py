"""The phone's list of things to confirm, below steamcommunity.com/mobileconf."""

import html
import json
import re
import secrets
from typing import Any

from sandbox import answers, guard
from sandbox.answers import COMMUNITY, Answer, as_json
from sandbox.steam_api import session
from sandbox.steam_api.call import Call
from sandbox.world import phone, trading
from sandbox.world.accounts import Account
from sandbox.world.offers import TRADE, Confirmation

READ_TAGS = {"list": ("conf", "list", "getlist"), "details": ("conf", "details", "detail")}
"""Which tags of a key do for reading; ArchiSteamFarm signs everything with `conf`."""
ACTION_TAGS = {"allow": ("allow", "accept", "conf"), "cancel": ("cancel", "reject", "conf")}
WRONG_CODES = (
    "It looks like your Steam Guard Mobile Authenticator is providing incorrect Steam Guard codes. "
    "This could be caused by an inaccurate clock or bad timezone settings on your device. If your time "
    "settings are correct, it could be that a different device has been set up to provide the Steam Guard "
    "codes for your account, which means the authenticator on this device is no longer valid."
)
NOT_NOW = {"success": False, "message": "There was a problem confirming this item. Please try again later."}
KEY_IS_USED = {"success": False}
"""No word about it (node-steamcommunity#58: "Could not act on confirmation", and the question whether a key was used twice)."""
KEYS_KEPT = 4096
INDEXED = re.compile(r"\[([0-9]{0,6})\]")


def _owner(call: Call, tags: tuple[str, ...], window_s: int) -> Account | Answer:
    """The signed-in account whose key covers the time and one of the tags; else the answer that says no."""
    account = session.signed_in(call)
    if account is None:
        return as_json({"success": False, "needauth": True, "message": "", "detail": ""})
    wrong = as_json({"success": False, "message": "Invalid authenticator", "detail": WRONG_CODES})
    tag, unix = call.value("tag"), call.number("t", -1)
    if call.value("a") != str(account.steam_id) or not call.value("p") or call.value("m") not in ("react", "android"):
        return wrong
    if tag not in tags or unix < 0 or abs(unix - call.real_now) > window_s:
        return wrong
    wanted = guard.confirmation_key(account.identity_secret, unix, tag)
    given = call.value("k").replace(" ", "+")
    return account if secrets.compare_digest(wanted.encode(), given.encode()) else wrong


def _reader(call: Call, what: str, *more: str) -> Account | Answer:
    """Who may read. A key for reading may be used again: node-steamcommunity keeps one for five minutes."""
    account = _owner(call, (*READ_TAGS[what], *more), call.world.settings.confirmation_read_window_s)
    if isinstance(account, Account) and call.world.settings.confirmation_keys_once == "all" and _is_used(call, account):
        return as_json(KEY_IS_USED)
    return account


def _actor(call: Call) -> Account | Answer:
    """Who may allow or refuse: a time is good for one action, so two actions within one second are one too many.

    node-steamcommunity counts its times up so as not to use one twice (`acceptConfirmationForObject`), and lists and accepts
    with the same one; many confirmations at once take one key (`multiajaxop`).
    """
    account = _owner(call, ACTION_TAGS.get(call.value("op"), ()), call.world.settings.confirmation_window_s)
    if isinstance(account, Account) and call.world.settings.confirmation_keys_once != "never" and _is_used(call, account):
        return as_json(KEY_IS_USED)
    return account


def _is_used(call: Call, account: Account) -> bool:
    """Whether this time, or in `all` mode this key, was used before; it is from now on."""
    by_key = call.world.settings.confirmation_keys_once == "all"
    mark = (account.steam_id, call.number("t"), f"{call.path} {call.value('tag')}" if by_key else "")
    used = call.steam.used_keys
    if mark in used:
        return True
    used[mark] = None
    while len(used) > KEYS_KEPT:
        del used[next(iter(used))]
    return False


def get_list(call: Call) -> Answer:
    """getlist: `creator_id` is the offer's id, `nonce` the `ck` that an answer must bring."""
    account = _reader(call, "list")
    if isinstance(account, Answer):
        return account
    waiting = [each for each in phone.waiting(call.world, account.steam_id, call.now) if _is_shown(call, each)]
    return as_json({"success": True, "conf": [_entry(call, account, confirmation) for confirmation in waiting]})


def _entry(call: Call, account: Account, confirmation: Confirmation) -> dict[str, Any]:
    entry = {
        "type": confirmation.kind,
        "type_name": "Trade Offer" if confirmation.kind == TRADE else phone.TYPES[confirmation.kind],
        "id": str(confirmation.confirmation_id),
        "creator_id": str(confirmation.creator_id),
        "nonce": str(confirmation.nonce),
        "creation_time": confirmation.created,
        "cancel": "Cancel",
        "accept": "Confirm",
        "icon": "",
        "multi": confirmation.kind == phone.MARKET_LISTING,
        "headline": confirmation.headline,
        "summary": list(confirmation.summary),
        "warn": None,
    }
    return entry if confirmation.kind != TRADE else entry | _of_trade(call, account, confirmation)


def _of_trade(call: Call, account: Account, confirmation: Confirmation) -> dict[str, Any]:
    offer = call.world.offers.by_id[confirmation.creator_id]
    partner = call.world.accounts.get(offer.partner_of(account.steam_id))
    sides = offer.given_by(account.steam_id), offer.given_by(partner.steam_id)
    return {
        "accept": "Accept" if confirmation.accepting else "Send Offer",
        "icon": f"https://avatars.steamstatic.com/{partner.account_id:040x}_full.jpg",
        "headline": partner.name,
        "summary": [", ".join(ref.kind.market_hash_name for ref in side) or "Nothing" for side in sides],
    }


def _visible(call: Call, account: Account, confirmation_id: str) -> Confirmation | None:
    found = phone.find(call.world, answers.whole(confirmation_id) or 0)
    return found if found and found.owner == account.steam_id and _is_shown(call, found) else None


def _is_shown(call: Call, confirmation: Confirmation) -> bool:
    return confirmation.visible_at <= call.now and confirmation.confirmation_id not in call.hidden_confirmations


def details(call: Call) -> Answer:
    """details/<id>: steampy 1.2.0 reads the offer's id from the element `tradeofferid_<n>`."""
    number = call.args["confirmation"]
    account = _reader(call, "details", f"details{number}")
    if isinstance(account, Answer):
        return account
    found = _visible(call, account, number)
    if found is None:
        return as_json({"success": False})
    return as_json({"success": True, "html": _details_html(call, found)})


def details_page(call: Call) -> Answer:
    account = _reader(call, "details")
    if isinstance(account, Answer):
        return account
    found = _visible(call, account, call.args["confirmation"])
    return answers.html(_details_html(call, found) if found else "<div>Oops</div>", 200 if found else 404)


def _details_html(call: Call, confirmation: Confirmation) -> str:
    """What the phone shows of one; only a trade's has the element that leads to an offer."""
    if confirmation.kind != TRADE:
        item = json.dumps({"id": str(confirmation.creator_id), "appid": 730, "contextid": "2"})
        lines = "".join(f"<div>{html.escape(line)}</div>" for line in (confirmation.headline, *confirmation.summary))
        script = f"<script>BuildHover( 'confiteminfo', {item}, UserYou );</script>"
        return f'<div class="mobileconf_details">{lines}{script if confirmation.kind == phone.MARKET_LISTING else ""}</div>'
    offer = call.world.offers.by_id[confirmation.creator_id]
    partner = call.world.accounts.get(offer.partner_of(confirmation.owner))
    rows = "".join(
        f'<div class="trade_item" data-economy-item="classinfo/{ref.kind.app_id}/{ref.kind.classid}/{ref.instanceid}">'
        f"{html.escape(ref.kind.market_hash_name)}</div>"
        for ref in (*offer.give, *offer.receive)
    )
    return (
        f'<div class="mobileconf_trade_area"><div class="tradeoffer" id="tradeofferid_{offer.offer_id}">'
        f'<div class="tradeoffer_partner" data-miniprofile="{partner.account_id}">{html.escape(partner.name)}</div>'
        f'<div class="tradeoffer_items_ctn">{rows}</div></div></div>'
    )


def one(call: Call) -> Answer:
    """ajaxop: allow or cancel one confirmation."""
    return _answer_all(call, [call.value("cid")], [call.value("ck")])


def many(call: Call) -> Answer:
    """multiajaxop: several at once; without `Origin` refused with 403 and no body (node-steamcommunity#351)."""
    if call.world.settings.multiajaxop_needs_origin and call.headers.get("origin") != f"https://{COMMUNITY}":
        return Answer(403)
    return _answer_all(call, _listed(call, "cid"), _listed(call, "ck"))


def _listed(call: Call, name: str) -> list[str]:
    """The values of `name[]`, or of `name[0]`, `name[1]`, …, which is how the `request` library of node writes a list."""
    found: list[tuple[int, str]] = []
    for field, values in call.form.items():
        match = INDEXED.fullmatch(field.removeprefix(name)) if field.startswith(f"{name}[") else None
        if match is not None:
            found += [(int(match[1] or 0), value) for value in values]
    return [value for _, value in sorted(found, key=lambda pair: pair[0])]


def _answer_all(call: Call, ids: list[str], nonces: list[str]) -> Answer:
    account = _actor(call)
    if isinstance(account, Answer):
        return account
    found = [_visible(call, account, number) for number in ids]
    fits = bool(ids) and len(ids) == len(nonces) == len(set(ids))
    known = [c for c, nonce in zip(found, nonces, strict=False) if c is not None and str(c.nonce) == nonce]
    if not fits or len(known) != len(ids):
        return as_json(NOT_NOW)
    done = [_answer(call, account, confirmation) for confirmation in known]
    return as_json({"success": True} if all(done) else NOT_NOW)


def _answer(call: Call, account: Account, confirmation: Confirmation) -> bool:
    allow = call.value("op") == "allow"
    if confirmation.kind == TRADE:
        return trading.confirm(call.world, account, confirmation, allow, call.now)
    phone.answer(call.world, confirmation, allow)
    return True
