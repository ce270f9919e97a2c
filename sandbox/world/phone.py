"""What phones are asked beside trade offers: new API keys, market listings, a changed phone number, account recovery, …

Nobody who runs bots asks for any of these; who sees one at a bot's account sees a hijack (`docs/sandbox.md`).
"""

from typing import Final

from sandbox.errors import BadRequest
from sandbox.world.accounts import Account
from sandbox.world.offers import Confirmation, KeyRequest
from sandbox.world.state import World

GENERIC, MARKET_LISTING, FEATURE_OPT_OUT, PHONE_NUMBER, RECOVERY, API_KEY, MARKET_PURCHASE = 1, 3, 4, 5, 6, 9, 12
TYPES: Final[dict[int, str]] = {
    GENERIC: "Confirmation",
    MARKET_LISTING: "Market Listing",
    FEATURE_OPT_OUT: "Feature Opt-Out",
    PHONE_NUMBER: "Phone Number Change",
    RECOVERY: "Account Recovery",
    7: "Build Change Request",
    8: "Add User",
    API_KEY: "Register API Key",
    10: "Invite to Family Group",
    11: "Join Family Group",
    MARKET_PURCHASE: "Market Purchase",
    13: "Request Refund",
}
"""EMobileConfirmationType (node-steamcommunity `resources/EConfirmationType.js`, aiosteampy `guard/confirmations.py`) and what
the phone calls it."""


def ask(
    world: World,
    account: Account,
    kind: int,
    now: float,
    creator_id: int = 0,
    headline: str = "",
    summary: tuple[str, ...] = (),
) -> Confirmation:
    """Ask the phone for anything but a trade offer. Raises: BadRequest for a kind that is none."""
    if kind not in TYPES:
        raise BadRequest(f"type is one of {', '.join(map(str, TYPES))}; 2 is a trade offer, which is sent")
    asked = Confirmation(
        confirmation_id=world.next_confirmation_id(),
        nonce=world.chance.randrange(10**18, 9 * 10**18),
        creator_id=creator_id or world.chance.randrange(10**12, 10**15),
        owner=account.steam_id,
        accepting=False,
        created=int(now),
        visible_at=now + world.settings.confirmation_delay_s,
        kind=kind,
        headline=headline or TYPES[kind],
        summary=summary or (TYPES[kind],),
    )
    world.asked[asked.confirmation_id] = asked
    return asked


def ask_for_key(world: World, account: Account, domain: str, now: float) -> KeyRequest:
    """A request for a Web API key, which the phone must allow (since 2023; node-steamcommunity `createWebApiKey`)."""
    request = KeyRequest(world.chance.randrange(10**12, 10**15), account.steam_id, domain)
    world.key_requests[request.request_id] = request
    ask(world, account, API_KEY, now, request.request_id, "Register Steam Web API Key", (domain,))
    return request


def waiting(world: World, steam_id: int, now: float) -> list[Confirmation]:
    """Everything that the phone of an account shows now, newest first, trade offers included."""
    others = [each for each in world.asked.values() if each.owner == steam_id and each.visible_at <= now]
    return sorted([*world.offers.confirmations_of(steam_id, now), *others], key=lambda each: -each.confirmation_id)


def find(world: World, confirmation_id: int) -> Confirmation | None:
    return world.offers.confirmations.get(confirmation_id) or world.asked.get(confirmation_id)


def answer(world: World, confirmation: Confirmation, allow: bool) -> None:
    """Allow or refuse one that is no trade offer's; it is gone from the phone."""
    del world.asked[confirmation.confirmation_id]
    world.answered.append((confirmation, allow))
    if confirmation.kind == API_KEY and (request := world.key_requests.get(confirmation.creator_id)):
        request.confirmed = allow
