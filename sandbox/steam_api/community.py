"""Community and store pages: only as much HTML as clients are known to read."""

import html
import json
import time

from sandbox.accounts import STEAM_ID_BASE, Account
from sandbox.offers import Offer, State
from sandbox.refusals import BANNED, NEW_DEVICE, UNAVAILABLE, WRONG_TOKEN
from sandbox.steam_api import messages, session, signin, views
from sandbox.steam_api.messages import COMMUNITY, Answer, Call, as_json, null, redirect, set_cookie

SIGN_IN = f"https://{COMMUNITY}/login/home/?goto="


def page(call: Call, account: Account | None, script: str = "", body: str = "", status: int = 200) -> Answer:
    """A page with the two marks clients look for: `g_steamID` and, signed in, the community token."""
    who = f'"{account.steam_id}"' if account else "false"
    token = json.dumps(call.cookie("steamLoginSecure").partition("||")[2]) if account else '""'
    name = f'<span id="account_pulldown">{html.escape(account.account_name)}</span>' if account else ""
    return messages.html(
        "<!DOCTYPE html>\n<html><head><title>Steam Community</title></head><body>"
        f'<div id="application_config" data-loyalty_webapi_token="{html.escape(token)}"></div>{name}'
        f'<script type="text/javascript">\n\tg_sessionID = "{html.escape(call.cookie("sessionid"))}";\n'
        f"\tg_steamID = {who};\n{script}</script>\n{body}</body></html>",
        status,
    )


def home(call: Call) -> Answer:
    """/: signed in it shows the account name, which steampy 1.2.0 takes for a live session."""
    answer = page(call, session.signed_in(call))
    if not call.cookie("sessionid"):
        answer.cookies.append(signin.new_session_cookie())
    answer.cookies.append(set_cookie("steamCountry", "NL%7C0123456789abcdef"))
    return answer


def mine(call: Call) -> Answer:
    account = session.signed_in(call)
    if account is None:
        return redirect(SIGN_IN + "my")
    return redirect(f"https://{COMMUNITY}/profiles/{account.steam_id}/{call.args['rest']}")


def profile(call: Call) -> Answer:
    """profiles/<id>/...: own pages show the trade URL where a person would copy it from."""
    account = session.signed_in(call)
    if call.args["rest"].startswith("tradeoffers") and account is None:
        return redirect(SIGN_IN)
    owner = call.world.accounts.by_id.get(int(call.args["steam_id"]))
    if owner is None:
        return page(call, account, body="<h3>The specified profile could not be found.</h3>", status=404)
    body = f'<span class="actual_persona_name">{html.escape(owner.name)}</span>'
    if owner is account and call.args["rest"].startswith("tradeoffers"):
        url = html.escape(owner.trade_url)
        body += f'<input type="text" id="trade_offer_access_url" readonly value="{url}">'
    return page(call, account, body=body)


def new_trade_url(call: Call) -> Answer:
    """profiles/<id>/tradeoffers/newtradeurl: a new token; the old one is refused from now on."""
    account = session.signed_in(call)
    if account is None or str(account.steam_id) != call.args["steam_id"]:
        return null(401)
    if not session.form_is_ours(call):
        return null(400)
    call.world.accounts.renew_trade_token(account)
    return as_json(account.trade_token)


def new_offer(call: Call) -> Answer:
    """tradeoffer/new/?partner=&token=: the hold variables in days, or the reason why there can be no offer."""
    account = session.signed_in(call)
    if account is None:
        return redirect(SIGN_IN)
    partner = call.world.accounts.by_id.get(call.number("partner") + STEAM_ID_BASE)
    if (lock := _lock(call, account)) is not None:
        return _error(call, account, lock)
    if partner is None or partner is account:
        return _error(call, account, "This Trade URL is no longer valid for sending a trade offer.")
    friends = partner.steam_id in account.friends
    if not friends and call.value("token") != partner.trade_token:
        return _error(call, account, WRONG_TOKEN.format(name=partner.name))
    if call.world.is_banned(partner, call.now) or call.world.is_banned(account, call.now):
        return _error(call, account, BANNED.format(name=partner.name))
    if call.now < partner.trade_locked_until:
        return _error(call, account, UNAVAILABLE.format(name=partner.name))
    my_days, their_days = (call.world.hold_days(who, call.now) for who in (account, partner))
    return page(call, account, _trade_script(account, partner, my_days, their_days))


def _lock(call: Call, account: Account) -> str | None:
    """Why this account may not trade at all for some days."""
    if call.world.is_device_locked(account, call.now):
        return NEW_DEVICE
    if call.now < account.trade_locked_until:
        when = time.strftime("%b %d, %Y", time.gmtime(account.trade_locked_until))
        return f"You have recently reversed a trade. You will be unable to trade until {when}."
    return None


def _error(call: Call, account: Account, text: str) -> Answer:
    return page(call, account, body=f'<div id="error_msg">\n\t\t{html.escape(text, quote=False)}\n\t</div>')


def _trade_script(account: Account, partner: Account, my_days: int, their_days: int) -> str:
    return (
        f"\tvar g_ulTradePartnerSteamID = '{partner.steam_id}';\n"
        f"\tvar g_strTradePartnerPersonaName = {json.dumps(partner.name)};\n"
        f"\tvar g_strYourPersonaName = {json.dumps(account.name)};\n"
        "\tvar g_bTradePartnerProbation = false;\n"
        f"\tvar g_daysMyEscrow = {my_days};\n"
        f"\tvar g_daysTheirEscrow = {their_days};\n"
        f"\tvar g_daysBothEscrow = {max(my_days, their_days)};\n"
    )


def offer(call: Call) -> Answer:
    """tradeoffer/<id>: steampy 1.2.0 reads `g_ulTradePartnerSteamID` from it before it accepts."""
    account = session.signed_in(call)
    if account is None:
        return redirect(SIGN_IN)
    if (lock := _lock(call, account)) is not None:
        return _error(call, account, lock)
    found = call.world.offers.by_id.get(int(call.args["offer"]))
    if found is None or not found.concerns(account.steam_id):
        return _error(call, account, "The trade offer does not exist, or the trade offer belongs to another user.")
    if found.state not in (State.ACTIVE, State.NEEDS_CONFIRMATION):
        return _error(call, account, "The trade offer is no longer valid.")
    partner = call.world.accounts.get(found.partner_of(account.steam_id))
    my_days, their_days = (_days(call, found, who) for who in (account, partner))
    return page(call, account, _trade_script(account, partner, my_days, their_days))


def _days(call: Call, found: Offer, giver: Account) -> int:
    return call.world.hold_days(giver, call.now) if found.given_by(giver.steam_id) else 0


def receipt(call: Call) -> Answer:
    """trade/<id>/receipt: `oItem = {...};` for each received item, as steampy 1.2.0's `get_trade_receipt` cuts it out."""
    account = session.signed_in(call)
    if account is None:
        return redirect(SIGN_IN)
    exchange = call.world.exchanges.get(int(call.args["trade"]))
    if exchange is None or not exchange.concerns(account.steam_id):
        return _error(call, account, "This trade does not exist.")
    script = "\tvar oItem;\r\n"
    for move in exchange.moves:
        if move.taker != account.steam_id or move.new_asset_id is None or not exchange.shows_ids(call.now):
            continue
        item = views.description(call.world, move.ref) | {
            "id": str(move.new_asset_id),
            "contextid": str(move.new_context_id),
            "amount": "1",
            "owner": str(account.steam_id),
        }
        text = json.dumps(item).replace("</", "<\\/")
        script += f"\toItem = {text};\r\n\toItem.appid = {move.ref.kind.app_id};\r\n"
    return page(call, account, script)


def store_account(call: Call) -> Answer:
    """store/account: ArchiSteamFarm's probe; without a session it redirects to the sign-in page."""
    account = session.signed_in(call)
    if account is None:
        return redirect("https://store.steampowered.com/login/?redir=account")
    return page(call, account)
