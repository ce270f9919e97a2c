"""ISteamUser, IPlayerService and ISteamEconomy: what is public about players and item classes."""

from collections.abc import Callable
from typing import Any

from sandbox.answers import Answer, as_json, key_page, response, whole
from sandbox.steam_api import session, views
from sandbox.steam_api.call import Call
from sandbox.world.accounts import Account
from sandbox.world.items import CS2, Item
from sandbox.world.trading import INVALID_PARAM

IDS_MAX = 100


def _refusal(call: Call) -> Answer | None:
    if call.value("access_token"):
        return key_page(401) if session.token_account(call) is None else None
    return None if session.has_key(call) else key_page(403)


def _asked(call: Call) -> list[Account]:
    """Known accounts of `steamids`, at most 100; unknown ones are simply missing."""
    ids = dict.fromkeys(whole(text) or 0 for text in call.value("steamids").split(",")[:IDS_MAX])
    return [account for steam_id in ids if (account := call.world.accounts.by_id.get(steam_id))]


def summaries(call: Call) -> Answer:
    """GetPlayerSummaries: `communityvisibilitystate` 3 public, 1 private; the order of the ids is not kept."""
    refusal = _refusal(call)
    if refusal is not None:
        return refusal
    return response({"players": [_summary(account) for account in sorted(_asked(call), key=lambda a: a.steam_id)]})


def _summary(account: Account) -> dict[str, Any]:
    avatar = f"{account.account_id:040x}"
    content: dict[str, Any] = {
        "steamid": str(account.steam_id),
        "communityvisibilitystate": 1 if account.private else 3,
        "profilestate": 1,
        "personaname": account.name,
        "profileurl": f"https://steamcommunity.com/profiles/{account.steam_id}/",
        "avatar": f"https://avatars.steamstatic.com/{avatar}.jpg",
        "avatarmedium": f"https://avatars.steamstatic.com/{avatar}_medium.jpg",
        "avatarfull": f"https://avatars.steamstatic.com/{avatar}_full.jpg",
        "avatarhash": avatar,
        "personastate": 0,
    }
    if not account.private:
        content["timecreated"] = account.created
    return content


def level(call: Call) -> Answer:
    """GetSteamLevel: missing for a private profile."""
    refusal = _refusal(call)
    if refusal is not None:
        return refusal
    account = call.world.accounts.by_id.get(call.number("steamid"))
    return response({"player_level": account.level} if account and not account.private else {})


def bans(call: Call) -> Answer:
    """GetPlayerBans: the one method without the `response` envelope; `EconomyBan` is "none", "probation" or "banned"."""
    refusal = _refusal(call)
    if refusal is not None:
        return refusal
    players = [
        {
            "SteamId": str(account.steam_id),
            "CommunityBanned": False,
            "VACBanned": account.vac_banned,
            "NumberOfVACBans": int(account.vac_banned),
            "DaysSinceLastBan": 0,
            "NumberOfGameBans": 0,
            "EconomyBan": _economy_ban(call, account),
        }
        for account in _asked(call)
    ]
    return as_json({"players": players})


def _economy_ban(call: Call, account: Account) -> str:
    if call.world.is_banned(account, call.now):
        return "banned"
    return "probation" if account.probation else "none"


def friends(call: Call) -> Answer:
    """GetFriendList: 401 for a private profile, as on Steam."""
    refusal = _refusal(call)
    if refusal is not None:
        return refusal
    account = call.world.accounts.by_id.get(call.number("steamid"))
    if account is None or account.private:
        return key_page(401)
    listed = [{"steamid": str(f), "relationship": "friend", "friend_since": account.created} for f in sorted(account.friends)]
    return as_json({"friendslist": {"friends": listed}})


def class_info(call: Call) -> Answer:
    """ISteamEconomy/GetAssetClassInfo: up to 100 classes named `classid0`, `instanceid0`, …, also of items that are gone.

    In the old shape: lists are maps by number, numbers are strings, what is empty is "". Without an instance the key is the
    class alone.
    """
    refusal = _refusal(call)
    if refusal is not None:
        return refusal
    count = call.number("class_count")
    if not 1 <= count <= IDS_MAX:
        return response({}, INVALID_PARAM)
    app_id = call.number("appid", CS2)
    wanted = dict.fromkeys((call.number(f"classid{n}"), call.number(f"instanceid{n}")) for n in range(count))
    found: dict[str, Any] = {}
    for classid, instanceid in wanted:
        item = _of_class(call, app_id, classid, instanceid)
        if item is not None:
            key = f"{classid}_{instanceid}" if instanceid else str(classid)
            found[key] = _old(views.description(call.world, item, legacy=True))
    return as_json({"result": found | {"success": len(found) == len(wanted)}})


def _of_class(call: Call, app_id: int, classid: int, instanceid: int) -> Item | None:
    classes = call.world.items.classes
    if instanceid or (app_id, classid, 0) in classes:
        return classes.get((app_id, classid, instanceid))
    return next((item for key, item in classes.items() if key[:2] == (app_id, classid)), None)


def _old(content: dict[str, Any]) -> dict[str, Any]:
    """A description with maps in place of lists and strings in place of numbers."""
    made: dict[str, Any] = {}
    for name, value in content.items():
        if isinstance(value, list):
            made[name] = {str(number): each for number, each in enumerate(value)} or ""
        else:
            made[name] = str(value) if isinstance(value, int) else value
    return made | {"fraudwarnings": ""}


API_METHODS: dict[tuple[str, str, str], Callable[[Call], Answer]] = {
    ("GET", "ISteamUser", "GetPlayerSummaries"): summaries,
    ("GET", "ISteamUser", "GetPlayerBans"): bans,
    ("GET", "ISteamUser", "GetFriendList"): friends,
    ("GET", "IPlayerService", "GetSteamLevel"): level,
    ("GET", "ISteamEconomy", "GetAssetClassInfo"): class_info,
}
