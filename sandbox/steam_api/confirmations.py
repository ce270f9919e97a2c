"""The phone's list of things to confirm, below steamcommunity.com/mobileconf."""

import html
import secrets
from typing import Any

from sandbox import guard, trading
from sandbox.accounts import Account
from sandbox.offers import Confirmation
from sandbox.steam_api import messages, session
from sandbox.steam_api.messages import COMMUNITY, Answer, Call, as_json

LIST_TAGS = ("conf", "list", "getlist")
OPERATIONS = {"allow": ("allow", "accept"), "cancel": ("cancel", "reject")}
WRONG_CODES = (
    "It looks like your Steam Guard Mobile Authenticator is providing incorrect Steam Guard codes. "
    "This could be caused by an inaccurate clock or bad timezone settings on your device. If your time "
    "settings are correct, it could be that a different device has been set up to provide the Steam Guard "
    "codes for your account, which means the authenticator on this device is no longer valid."
)
NOT_NOW = {"success": False, "message": "There was a problem confirming this item. Please try again later."}


def _owner(call: Call, *tags: str) -> Account | Answer:
    """The signed-in account whose key covers the time and one of the tags; else the answer that says no."""
    account = session.signed_in(call)
    if account is None:
        return as_json({"success": False, "needauth": True, "message": "", "detail": ""})
    wrong = as_json({"success": False, "message": "Invalid authenticator", "detail": WRONG_CODES})
    tag, unix = call.value("tag"), call.number("t", -1)
    if call.value("a") != str(account.steam_id) or not call.value("p") or call.value("m") not in ("react", "android"):
        return wrong
    if tag not in tags or unix < 0 or abs(unix - call.real_now) > call.world.settings.confirmation_window_s:
        return wrong
    wanted = guard.confirmation_key(account.identity_secret, unix, tag)
    given = call.value("k").replace(" ", "+")
    return account if secrets.compare_digest(wanted.encode(), given.encode()) else wrong


def get_list(call: Call) -> Answer:
    """getlist: `creator_id` is the offer's id, `nonce` the `ck` that an answer must bring."""
    account = _owner(call, *LIST_TAGS)
    if isinstance(account, Answer):
        return account
    waiting = [c for c in call.world.offers.confirmations_of(account.steam_id, call.now) if _is_shown(call, c)]
    return as_json({"success": True, "conf": [_entry(call, account, confirmation) for confirmation in waiting]})


def _entry(call: Call, account: Account, confirmation: Confirmation) -> dict[str, Any]:
    offer = call.world.offers.by_id[confirmation.offer_id]
    partner = call.world.accounts.get(offer.partner_of(account.steam_id))
    given, got = offer.given_by(account.steam_id), offer.given_by(partner.steam_id)
    return {
        "type": 2,
        "type_name": "Trade Offer",
        "id": str(confirmation.confirmation_id),
        "creator_id": str(offer.offer_id),
        "nonce": str(confirmation.nonce),
        "creation_time": confirmation.created,
        "cancel": "Cancel",
        "accept": "Accept" if confirmation.accepting else "Send Offer",
        "icon": f"https://avatars.steamstatic.com/{partner.account_id:040x}_full.jpg",
        "multi": False,
        "headline": partner.name,
        "summary": [
            ", ".join(ref.kind.market_hash_name for ref in given) or "Nothing",
            ", ".join(ref.kind.market_hash_name for ref in got) or "Nothing",
        ],
        "warn": None,
    }


def _visible(call: Call, account: Account, confirmation_id: str) -> Confirmation | None:
    found = call.world.offers.confirmations.get(messages.whole(confirmation_id) or 0)
    return found if found and found.owner == account.steam_id and _is_shown(call, found) else None


def _is_shown(call: Call, confirmation: Confirmation) -> bool:
    return confirmation.visible_at <= call.now and confirmation.confirmation_id not in call.hidden_confirmations


def details(call: Call) -> Answer:
    """details/<id>: steampy 1.2.0 reads the offer's id from the element `tradeofferid_<n>`."""
    number = call.args["confirmation"]
    account = _owner(call, f"details{number}", "details", "detail")
    if isinstance(account, Answer):
        return account
    found = _visible(call, account, number)
    if found is None:
        return as_json({"success": False})
    return as_json({"success": True, "html": _details_html(call, found)})


def details_page(call: Call) -> Answer:
    account = _owner(call, "details")
    if isinstance(account, Answer):
        return account
    found = _visible(call, account, call.args["confirmation"])
    return messages.html(_details_html(call, found) if found else "<div>Oops</div>", 200 if found else 404)


def _details_html(call: Call, confirmation: Confirmation) -> str:
    offer = call.world.offers.by_id[confirmation.offer_id]
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
    if call.headers.get("origin") != f"https://{COMMUNITY}":
        return Answer(403)
    return _answer_all(call, call.form.get("cid[]", []), call.form.get("ck[]", []))


def _answer_all(call: Call, ids: list[str], nonces: list[str]) -> Answer:
    operation = call.value("op")
    tags = OPERATIONS.get(operation, ())
    account = _owner(call, *tags)
    if isinstance(account, Answer):
        return account
    found = [_visible(call, account, number) for number in ids]
    fits = bool(ids) and len(ids) == len(nonces) == len(set(ids))
    known = [c for c, nonce in zip(found, nonces, strict=False) if c is not None and str(c.nonce) == nonce]
    if not fits or len(known) != len(ids):
        return as_json(NOT_NOW)
    done = [trading.confirm(call.world, account, c, operation == "allow", call.now) for c in known]
    return as_json({"success": True} if all(done) else NOT_NOW)
