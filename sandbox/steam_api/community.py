"""Community and store pages: only as much HTML as clients are known to read."""

import html
import json

from sandbox import answers
from sandbox.answers import COMMUNITY, Answer, as_json, null, redirect, set_cookie
from sandbox.steam_api import session, signin
from sandbox.steam_api.call import Call
from sandbox.world.accounts import Account

SIGN_IN = f"https://{COMMUNITY}/login/home/?goto="


def page(call: Call, account: Account | None, script: str = "", body: str = "", status: int = 200) -> Answer:
    """A page with the two marks clients look for: `g_steamID` and, signed in, the community token."""
    who = f'"{account.steam_id}"' if account else "false"
    token = json.dumps(call.cookie("steamLoginSecure").partition("||")[2]) if account else '""'
    name = f'<span id="account_pulldown">{html.escape(account.account_name)}</span>' if account else ""
    return answers.html(
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
        # Not escaped, and `readonly` behind it: aiosteampy reads it so.
        body += f'\n<input type="text" id="trade_offer_access_url" value="{owner.trade_url}" readonly>\n'
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


def store_account(call: Call) -> Answer:
    """store/account: ArchiSteamFarm's probe; without a session it redirects to the sign-in page."""
    account = session.signed_in(call)
    if account is None:
        return redirect("https://store.steampowered.com/login/?redir=account")
    return page(call, account)
