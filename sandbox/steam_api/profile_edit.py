"""Changing one's own profile: name, privacy, language, as far as clients set a new account up (aiosteampy `setup`)."""

import html
import json
from collections.abc import Callable
from typing import Any

from sandbox.answers import Answer, as_json, null, redirect, set_cookie
from sandbox.answers import html as html_page
from sandbox.steam_api import session
from sandbox.steam_api.call import Call
from sandbox.steam_api.community import SIGN_IN, page
from sandbox.world.accounts import Account
from sandbox.world.trading import INVALID_PARAM

PUBLIC = 3
PRIVACY = ("Profile", "Inventory", "InventoryGifts", "OwnedGames", "Playtime", "FriendsList")


def _own(act: Callable[[Call, Account], Answer]) -> Callable[[Call], Answer]:
    """A POST of the profile's owner, with the session id of the cookie."""

    def handler(call: Call) -> Answer:
        account = session.signed_in(call)
        if account is None or str(account.steam_id) != call.args.get("steam_id", str(account.steam_id)):
            return null(401)
        given = call.value("sessionid") or call.value("sessionID")
        return act(call, account) if given and given == call.cookie("sessionid") else null(400)

    return handler


def info(call: Call) -> Answer:
    """profiles/<id>/edit/info: the profile as JSON in `data-profile-edit`."""
    account = session.signed_in(call)
    if account is None or str(account.steam_id) != call.args["steam_id"]:
        return redirect(SIGN_IN)
    text = html.escape(json.dumps(_profile(account)))
    return page(call, account, body=f'<div id="profile_edit_config" data-profile-edit="{text}" data-profile-badges="[]"></div>')


def _profile(account: Account) -> dict[str, Any]:
    level = 1 if account.private else PUBLIC
    place = {f"loc{name}": "" for name in ("City", "CityCode", "Country", "CountryCode", "State", "StateCode")}
    return {
        "strPersonaName": account.name,
        "strCustomURL": "",
        "strRealName": "",
        "strSummary": "",
        "strAvatarHash": f"{account.account_id:040x}",
        "rtPersonaNameBannedUntil": 0,
        "rtProfileSummaryBannedUntil": 0,
        "rtAvatarBannedUntil": 0,
        "LocationData": place,
        "ActiveTheme": {"theme_id": "", "title": ""},
        "ProfilePreferences": {"hide_profile_awards": 0},
        "rgAvailableThemes": [],
        "rgGoldenProfileData": [],
        "Privacy": {"PrivacySettings": {f"Privacy{name}": level for name in PRIVACY}, "eCommentPermission": 1},
    }


@_own
def save(call: Call, account: Account) -> Answer:
    """profiles/<id>/edit: a new name; after that others cannot trade with the account for `rename_lock_s` (34)."""
    name = call.value("personaName").strip()
    if not 2 <= len(name) <= 32:
        return as_json({"success": INVALID_PARAM, "errmsg": "a name has 2 to 32 signs"})
    account.rename(name, call.now)
    return as_json({"success": 1, "errmsg": ""})


@_own
def privacy(call: Call, account: Account) -> Answer:
    """profiles/<id>/ajaxsetprivacy: what is not public hides the inventory."""
    try:
        wanted = json.loads(call.value("Privacy"))
        levels = [int(wanted.get(name, PUBLIC)) for name in ("PrivacyProfile", "PrivacyInventory")]
    except (ValueError, TypeError, AttributeError, RecursionError):
        return as_json({"success": INVALID_PARAM})
    account.private = min(levels) < PUBLIC
    return as_json({"success": 1, "Privacy": _profile(account)["Privacy"]})


@_own
def language(call: Call, _: Account) -> Answer:
    """actions/SetLanguage: a cookie."""
    answer = as_json(True)
    answer.cookies.append(set_cookie("Steam_Language", "english", http_only=False))
    return answer


def languages(_: Call) -> Answer:
    """store: account/languagepreferences."""
    answer = html_page("<html><body>Language Preferences</body></html>")
    answer.cookies.append(set_cookie("Steam_Language", "english", http_only=False))
    return answer
