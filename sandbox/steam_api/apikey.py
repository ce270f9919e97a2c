"""steamcommunity.com/dev: the page of the Web API key, asking for one, taking it back.

Requests and answers follow node-steamcommunity `components/webapi.js` and aiosteampy `client/client.py`.
"""

import html

from sandbox.answers import COMMUNITY, Answer, as_json, null, redirect
from sandbox.steam_api import community, session
from sandbox.steam_api.call import Call
from sandbox.world import phone
from sandbox.world.trading import INVALID_PARAM

OK, PENDING, EXPIRED, DUPLICATE = 1, 22, 27, 29
PAGE = f"https://{COMMUNITY}/dev/apikey"


def page(call: Call) -> Answer:
    """dev/apikey: the key as `<p>Key: …</p>`, or the form that asks for one."""
    account = session.signed_in(call)
    if account is None:
        return redirect(f"https://{COMMUNITY}/login/home/?goto=%2Fdev%2Fapikey")
    if account.api_key:
        body = (
            f"<h2>Your Steam Web API Key</h2>\n<p>Key: {account.api_key}</p>\n"
            f"<p>Domain Name: {html.escape(account.api_key_domain)}</p>\n"
            f'<form action="https://{COMMUNITY}/dev/revokekey" method="POST"><input type="submit" name="Revoke"></form>'
        )
    else:
        body = '<h2>Register for a new Steam Web API Key</h2>\n<form id="editForm"><input name="domain"></form>'
    return community.page(call, account, body=f'<div id="bodyContents_ex">{body}</div>')


def request(call: Call) -> Answer:
    """dev/requestkey: 22 until the phone has allowed the request, then 1 and the key. With a key already there it is 29."""
    account = session.signed_in(call)
    if account is None:
        return null(401)
    if not session.form_is_ours(call):
        return null(400)
    domain = call.value("domain").strip()
    if not domain or call.value("agreeToTerms") != "true":
        return as_json({"success": INVALID_PARAM})
    if account.api_key:
        return as_json({"success": DUPLICATE})
    mine = [each for each in call.world.key_requests.values() if each.owner == account.steam_id and each.domain == domain]
    wanted = call.number("request_id")
    asked = next((each for each in mine if each.request_id == wanted or (not wanted and each.confirmed)), None)
    if asked is None and wanted:
        return as_json({"success": EXPIRED})
    if asked is None:
        asked = phone.ask_for_key(call.world, account, domain, call.now)
    if asked.confirmed is None:
        # A number and not a string: aiosteampy compares it with the confirmation's `creator_id` as a number.
        return as_json({"success": PENDING, "api_key": None, "request_id": asked.request_id, "requires_confirmation": 1})
    del call.world.key_requests[asked.request_id]
    if not asked.confirmed:
        return as_json({"success": EXPIRED})
    call.world.accounts.new_api_key(account, domain)
    return as_json({"success": OK, "api_key": account.api_key, "requires_confirmation": 0})


def revoke(call: Call) -> Answer:
    """dev/revokekey: the key is worthless from now on; back to the page, whether there was one or not."""
    account = session.signed_in(call)
    if account is None:
        return redirect(f"https://{COMMUNITY}/login/home/?goto=%2Fdev%2Fapikey")
    if not session.form_is_ours(call):
        return null(400)
    call.world.accounts.revoke_api_key(account)
    return redirect(PAGE)
