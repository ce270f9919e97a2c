"""The web actions on trade offers: send, accept, decline, cancel, acknowledge trade protection."""

import json
import re
from collections.abc import Callable
from typing import Any

from sandbox.answers import Answer, as_json, null, str_error
from sandbox.errors import Refused
from sandbox.steam_api import session
from sandbox.steam_api.call import Call
from sandbox.world import refusals, trading
from sandbox.world.accounts import Account
from sandbox.world.state import World
from sandbox.world.trading import INVALID_PARAM, Proposal, Wanted

SITE = "https://steamcommunity.com/"
TRADE_PAGE = re.compile(re.escape(f"{SITE}tradeoffer/") + r"(?:new|[0-9]{1,19})(?:[/?#].*)?")
"""The page of a new offer, or of the one that is countered."""
DIGITS = re.compile(r"[0-9]{1,20}")


def send(call: Call) -> Answer:
    """tradeoffer/new/send: the offer's id, and whether the phone must confirm because something is given."""
    account = session.signed_in(call)
    if account is None:
        return null(401)
    if not session.form_is_ours(call) or not TRADE_PAGE.fullmatch(_referer(call)):
        return null(400)
    try:
        offer = trading.send(call.world, account, _proposal(call), call.now)
    except Refused as refused:
        return refusal(call, refused)
    content: dict[str, Any] = {"tradeofferid": str(offer.offer_id)}
    if offer.needs_phone:
        content |= _needs_phone()
    return _lost(as_json(content)) if call.world.accounts.get(offer.recipient).answers_lost else as_json(content)


def _lost(made: Answer) -> Answer:
    """It never arrives, although what it tells of has been done."""
    made.trouble = "cut"
    return made


DOING = {
    "send": "sending your trade offer",
    "accept": "accepting this trade offer",
    "cancel": "canceling this trade offer",
    "decline": "declining this trade offer",
}


def refusal(call: Call, refused: Refused, status: int = 0) -> Answer:
    """The `strError` of one of the four actions, with `status` or the usual one; some numbers name the partner."""
    if refused.partner is None and refused.code in refusals.WITH_A_NAME:
        refused.partner = _partner_name(call)
    status = status or call.world.settings.str_error_status
    if (call.cookie("Steam_Language") or call.world.settings.language) != "english":
        return as_json({"strError": refusals.in_german(refused)}, status)
    return str_error(refused, status, DOING.get(call.route, DOING["send"]))


def _partner_name(call: Call) -> str:
    """Whom a send or an accept names, for the sentences with a name."""
    partner = call.world.accounts.by_id.get(call.number("partner"))
    return partner.name if partner is not None else "this user"


def _needs_phone() -> dict[str, Any]:
    return {"needs_mobile_confirmation": True, "needs_email_confirmation": False, "email_domain": "example.com"}


def _referer(call: Call) -> str:
    return call.headers.get("referer", "")


def _proposal(call: Call) -> Proposal:
    """Read the form. Raises: Refused 8 for anything that is not shaped as Steam's own page sends it."""
    try:
        offer = json.loads(call.value("json_tradeoffer"))
        params = json.loads(call.value("trade_offer_create_params") or "{}")
        give, receive = _wanted(offer["me"]), _wanted(offer["them"])
        token = params.get("trade_offer_access_token")
        partner = int(call.value("partner"))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError):
        raise Refused(INVALID_PARAM) from None
    if offer.get("newversion") is not True or call.value("serverid") != "1":
        raise Refused(INVALID_PARAM)
    countered = call.number("tradeofferid_countered") if call.value("tradeofferid_countered") else None
    return Proposal(partner, give, receive, call.value("tradeoffermessage"), token, countered)


def _wanted(side: dict[str, Any]) -> list[Wanted]:
    """The assets of one side: ids are strings, `appid` and `amount` numbers, as every client sends them."""
    found = []
    for asset in side["assets"]:
        if not all(isinstance(asset[name], str) and DIGITS.fullmatch(asset[name]) for name in ("assetid", "contextid")):
            raise TypeError("ids are strings of digits")
        wanted = Wanted(int(asset["appid"]), int(asset["contextid"]), int(asset["assetid"]), int(asset["amount"]))
        if wanted.asset_id <= 0 or wanted.amount <= 0:
            raise ValueError("no such asset")
        found.append(wanted)
    return found


def accept(call: Call) -> Answer:
    """tradeoffer/<id>/accept: the trade's id; 403 `null` when not signed in, unlike the other actions."""
    account = session.signed_in(call)
    offer_id = int(call.args["offer"])
    if account is None:
        return null(403)
    if not session.form_is_ours(call) or not _referer(call).startswith(f"{SITE}tradeoffer/{offer_id}"):
        return null(400)
    offer = call.world.offers.by_id.get(offer_id)
    try:
        if call.number("tradeofferid") != offer_id or call.value("serverid") != "1":
            raise Refused(INVALID_PARAM)
        checked = call.world.settings.accept_checks_partner and offer is not None and call.value("partner")
        if checked and offer is not None and call.number("partner") != offer.partner_of(account.steam_id):
            raise Refused(INVALID_PARAM)
        tradeid, needs_phone = trading.accept(call.world, account, offer_id, call.now)
    except Refused as refused:
        return refusal(call, refused)
    return as_json({"tradeid": str(tradeid)} | (_needs_phone() if needs_phone else {}))


def cancel(call: Call) -> Answer:
    """tradeoffer/<id>/cancel; no Referer is asked for, as steampy 1.2.0 sends none."""
    return _end(call, trading.cancel)


def decline(call: Call) -> Answer:
    """tradeoffer/<id>/decline."""
    return _end(call, trading.decline)


def _end(call: Call, action: Callable[[World, Account, int, float], None]) -> Answer:
    account = session.signed_in(call)
    if account is None:
        return null(401)
    if not session.form_is_ours(call):
        return null(400)
    try:
        action(call.world, account, int(call.args["offer"]), call.now)
    except Refused as refused:
        return refusal(call, refused)
    return as_json({"tradeofferid": call.args["offer"]})


def acknowledge(call: Call) -> Answer:
    """trade/new/acknowledge, once per account (node-steamcommunity `acknowledgeTradeProtection`)."""
    account = session.signed_in(call)
    if account is None:
        return null(401)
    if not session.form_is_ours(call) or call.value("message") != "1":
        return null(400)
    account.acknowledged = True
    return as_json([])
