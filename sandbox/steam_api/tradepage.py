"""The pages of trade offers and of finished trades: scripts that clients cut out and run, more than pages for people."""

import html
import json
import time
from typing import Any

from sandbox.answers import COMMUNITY, Answer, redirect
from sandbox.steam_api import session, views
from sandbox.steam_api.call import Call
from sandbox.steam_api.community import SIGN_IN, page
from sandbox.world.accounts import STEAM_ID_BASE, Account
from sandbox.world.exchanges import Exchange
from sandbox.world.items import CS2, PROTECTED_CONTEXT
from sandbox.world.offers import AssetRef, Offer, State
from sandbox.world.refusals import BANNED, NEW_DEVICE, UNAVAILABLE, WRONG_TOKEN

APPS = {730: "Counter-Strike 2", 753: "Steam", 440: "Team Fortress 2", 570: "Dota 2"}
CONTEXTS = {2: "Backpack", PROTECTED_CONTEXT: "Trade Protected Items", 6: "Community"}
URL_IS_OLD = "This Trade URL is no longer valid for sending a trade offer."
NOT_YOURS = "The trade offer does not exist, or the trade offer belongs to another user."


def new_offer(call: Call) -> Answer:
    """tradeoffer/new/?partner=&token=: the hold variables in days, or the reason why there can be no offer."""
    account = session.signed_in(call)
    if account is None:
        return redirect(SIGN_IN)
    partner = call.world.accounts.by_id.get(call.number("partner") + STEAM_ID_BASE)
    if (lock := _lock(call, account)) is not None:
        return error(call, account, lock)
    if partner is None or partner is account:
        return error(call, account, URL_IS_OLD)
    friends = partner.steam_id in account.friends
    if not friends and call.value("token") != partner.trade_token:
        return error(call, account, WRONG_TOKEN.format(name=partner.name))
    if call.world.is_banned(partner, call.now) or call.world.is_banned(account, call.now):
        return error(call, account, BANNED.format(name=partner.name))
    if call.now < partner.trade_locked_until:
        return error(call, account, UNAVAILABLE.format(name=partner.name))
    my_days, their_days = (call.world.hold_days(who, call.now) for who in (account, partner))
    return _trade_page(call, account, partner, (my_days, their_days), {"me": [], "them": []})


def _lock(call: Call, account: Account) -> str | None:
    """Why this account may not trade at all for some days."""
    if call.world.is_device_locked(account, call.now):
        return NEW_DEVICE
    if call.now < account.trade_locked_until:
        when = time.strftime("%b %d, %Y", time.gmtime(account.trade_locked_until))
        return f"You have recently reversed a trade, or called off a held one. You will be unable to trade until {when}."
    return None


def error(call: Call, account: Account, text: str) -> Answer:
    """The page that says why there is nothing to see, where node-steamcommunity and steampy 1.2.0 look for it."""
    return page(call, account, body=f'<div id="error_msg">\n\t\t{html.escape(text, quote=False)}\n\t</div>')


def offer(call: Call) -> Answer:
    """tradeoffer/<id>: steampy 1.2.0 reads `g_ulTradePartnerSteamID` from it before it accepts."""
    account = session.signed_in(call)
    if account is None:
        return redirect(SIGN_IN)
    if (lock := _lock(call, account)) is not None:
        return error(call, account, lock)
    found = call.world.offers.by_id.get(int(call.args["offer"]))
    if found is None or not found.concerns(account.steam_id):
        return error(call, account, NOT_YOURS)
    if found.state not in (State.ACTIVE, State.NEEDS_CONFIRMATION):
        return error(call, account, "The trade offer is no longer valid.")
    partner = call.world.accounts.get(found.partner_of(account.steam_id))
    my_days, their_days = (_days(call, found, who) for who in (account, partner))
    sides = {"me": found.given_by(account.steam_id), "them": found.given_by(partner.steam_id)}
    return _trade_page(call, account, partner, (my_days, their_days), {name: _assets(refs) for name, refs in sides.items()})


def _days(call: Call, found: Offer, giver: Account) -> int:
    return call.world.hold_days(giver, call.now) if found.given_by(giver.steam_id) else 0


def _assets(refs: tuple[AssetRef, ...]) -> list[dict[str, Any]]:
    return [
        {"appid": ref.kind.app_id, "contextid": str(ref.context_id), "amount": 1, "assetid": str(ref.asset_id)} for ref in refs
    ]


def _trade_page(
    call: Call, account: Account, partner: Account, days: tuple[int, int], sides: dict[str, list[dict[str, Any]]]
) -> Answer:
    """The script as a child of `div.pagecontent` (ArchiSteamFarm), begun by `g_rgAppContextData`.

    node-steam-tradeoffer-manager runs it and finds avatars by `data-miniprofile` (`getUserDetails`).
    """
    status: dict[str, Any] = {"newversion": True, "version": 1 + sum(map(len, sides.values()))}
    status |= {name: {"assets": assets, "currency": [], "ready": False} for name, assets in sides.items()}
    variables = {
        "g_rgAppContextData": _contexts(call, account, owner=True),
        "g_rgPartnerAppContextData": _contexts(call, partner, owner=False),
        "g_rgCurrentTradeStatus": status,
        "g_strYourPersonaName": account.name,
        "g_strTradePartnerPersonaName": partner.name,
        "g_bTradePartnerProbation": partner.probation,
        "g_daysMyEscrow": days[0],
        "g_daysTheirEscrow": days[1],
        "g_daysBothEscrow": max(days),
    }
    script = "".join(f"\tvar {name} = {_literal(value)};\n" for name, value in variables.items())
    script += f"\tvar g_ulTradePartnerSteamID = '{partner.steam_id}';\n"
    for name, who in (("UserYou", account), ("UserThem", partner)):
        script += f"\t{name}.SetProfileURL( 'https://{COMMUNITY}/profiles/{who.steam_id}' );\n"
        script += f"\t{name}.SetSteamId( '{who.steam_id}' );\n"
    faces = "".join(f'<img src="{_avatar(who)}" data-miniprofile="{who.account_id}">\n' for who in (account, partner))
    body = f'<div class="pagecontent">\n<script type="text/javascript">\n{script}</script>\n{faces}</div>'
    return page(call, account, body=body)


def _avatar(account: Account) -> str:
    return f"https://avatars.steamstatic.com/{account.account_id:040x}.jpg"


def _literal(value: Any) -> str:
    """JSON that may stand in a script: no name of an item or person ends it."""
    return json.dumps(value).replace("</", "<\\/")


def _contexts(call: Call, account: Account, owner: bool) -> dict[str, Any] | list[Any]:
    """Games and contexts with their number of items; `[]` when there is nothing, as PHP writes an empty map."""
    found: dict[str, Any] = {}
    for (app_id, context_id), count in sorted(call.world.items.contexts(account.steam_id).items()):
        if context_id == PROTECTED_CONTEXT and app_id == CS2 and not owner:
            continue
        app = found.setdefault(
            str(app_id),
            {
                "appid": app_id,
                "name": APPS.get(app_id, f"App {app_id}"),
                "link": f"https://{COMMUNITY}/app/{app_id}",
                "asset_count": 0,
                "trade_permissions": "FULL",
                "load_failed": 0,
                "store_vetted": "1",
                "owner_only": False,
                "rgContexts": {},
            },
        )
        app["asset_count"] += count
        name = CONTEXTS.get(context_id, "Backpack")
        app["rgContexts"][str(context_id)] = {"asset_count": count, "id": str(context_id), "name": name}
    return found or []


def inventory_page(call: Call) -> Answer:
    """profiles/<id>/inventory: games and contexts, and for oneself a wallet that holds nothing."""
    account, owner = session.signed_in(call), call.world.accounts.by_id.get(int(call.args["steam_id"]))
    if owner is None:
        return page(call, account, body="<h3>The specified profile could not be found.</h3>", status=404)
    hidden = account is not owner and owner.private
    contexts = [] if hidden else _contexts(call, owner, owner=account is owner)
    script = f"\tvar g_rgAppContextData = {_literal(contexts)};\n"
    script += f"\tvar g_rgWalletInfo = {_literal(WALLET)};\n" if account is owner else ""
    body = f"<div>{html.escape(owner.name)}'s inventory is currently private.</div>" if hidden else ""
    return page(call, account, script, body)


WALLET = {
    "wallet_currency": 1,
    "wallet_country": "NL",
    "wallet_state": "",
    "wallet_fee": "1",
    "wallet_fee_minimum": "1",
    "wallet_fee_percent": "0.05",
    "wallet_publisher_fee_percent_default": "0.10",
    "wallet_fee_base": "0",
    "wallet_balance": "0",
    "wallet_delayed_balance": "0",
    "wallet_max_balance": "200000",
    "wallet_trade_max_balance": "180000",
    "wallet_market_minimum": "1",
    "wallet_currency_increment": "1",
    "success": 1,
    "rwgrsn": -2,
}


def receipt(call: Call) -> Answer:
    """trade/<id>/receipt: what was received, as a script that clients cut up or run.

    steampy 1.2.0 takes what stands between `oItem = ` and the next line, node-steam-tradeoffer-manager runs it from `var oItem`
    to the last `</script>` and collects what is given to `BuildHover`.
    """
    account = session.signed_in(call)
    if account is None:
        return redirect(SIGN_IN)
    exchange = call.world.exchanges.get(int(call.args["trade"]))
    if exchange is None or not exchange.concerns(account.steam_id):
        return error(call, account, "This trade does not exist.")
    body = f'<script type="text/javascript">\n{_received(call, account, exchange)}</script>'
    return page(call, account, body=body)


def _received(call: Call, account: Account, exchange: Exchange) -> str:
    script = "\tvar oItem;\r\n"
    moves = [move for move in exchange.moves if move.taker == account.steam_id and move.new_asset_id is not None]
    for number, move in enumerate(moves if exchange.shows_ids(call.now) else []):
        item = views.description(call.world, move.ref) | {
            "id": str(move.new_asset_id),
            "contextid": str(move.new_context_id),
            "amount": "1",
            "owner": str(account.steam_id),
        }
        script += f"\toItem = {_literal(item)};\r\n\toItem.appid = {move.ref.kind.app_id};\r\n"
        script += f"\toItem.contextid = {move.new_context_id};\r\n\toItem.amount = 1;\r\n"
        script += f"\tBuildHover( 'trade_item_{number}', oItem, UserYou );\r\n\t$('trade_item_{number}').show();\r\n"
    return script
