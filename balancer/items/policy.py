"""Pure: which items we take, and from whom.

CS2 items only, one of each, tradable, with a name and a value that we know: without these an item cannot be kept, counted or
given back, so no setting lets it in. Settings say what else is not taken: what is worth less than the minimum, names that begin
with certain words (Souvenirs), and single names. Beyond them: nothing twice, nothing that is not there, and nobody whose trades
Steam would hold.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from shared.domain.items import CS2_APP_ID, Asset, HeldAsset
from shared.errors import InvalidRequest, NotAccepted, PlayerMustAct
from shared.settings import Settings

ValueOf = Callable[[str], int | None]

REPEATED = "Send each item once; this one is here a second time."
OTHER_APP = "other_app"
AMOUNT = "amount"
NOT_TRADABLE = "not_tradable"
NO_NAME = "no_name"
SOUVENIR = "souvenir"
BLOCKED = "blocked"
NO_VALUE = "no_value"
BELOW_MINIMUM = "below_minimum"

REASONS = {
    OTHER_APP: "it is not a CS2 item",
    AMOUNT: "it is a stack, not a single item",
    NOT_TRADABLE: "it cannot be traded at the moment",
    NO_NAME: "Steam does not say what it is",
    SOUVENIR: "Souvenir items are not taken",
    BLOCKED: "items of this name are not taken",
    NO_VALUE: "it has no known value",
    BELOW_MINIMUM: "its value is below the minimum",
}


@dataclass(frozen=True, slots=True)
class Rules:
    """What is not taken by choice. ``first_words`` are small letters."""

    minimum_cents: int
    first_words: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()

    @classmethod
    def of(cls, settings: Settings) -> Rules:
        blocked = settings.blocked
        words = frozenset(word.casefold() for word in blocked.first_words)
        return cls(settings.limits.item_value_min_cents, words, frozenset(blocked.names))

    def blocks(self, name: str) -> str | None:
        """Why an item of this name is not taken, or ``None``."""
        first = next(iter(name.split(maxsplit=1)), "").casefold()
        if first in self.first_words:
            return SOUVENIR if first == SOUVENIR else BLOCKED
        return BLOCKED if name in self.names else None


def refusal(held: HeldAsset, value_cents: int | None, rules: Rules) -> str | None:
    """Why we do not take this item, as one of `REASONS`, or ``None`` if we do."""
    if held.asset.app_id != CS2_APP_ID:
        return OTHER_APP
    if held.amount != 1:
        return AMOUNT
    if not held.tradable:
        return NOT_TRADABLE
    if not held.market_hash_name:
        return NO_NAME
    if blocked := rules.blocks(held.market_hash_name):
        return blocked
    if value_cents is None:
        return NO_VALUE
    return BELOW_MINIMUM if value_cents < rules.minimum_cents else None


def check_request(assets: Sequence[Asset], items_max: int) -> None:
    """What can be said without an inventory.

    Raises:
        InvalidRequest: too many items, or one of them twice.
        NotAccepted: an item of another app.
    """
    check_count("asset_ids", len(assets), items_max)
    seen: set[Asset] = set()
    for number, asset in enumerate(assets):
        if asset in seen:
            raise InvalidRequest(
                "An item is in the request twice.",
                errors=[{"field": f"body.asset_ids[{number}]", "kind": "repeated", "message": REPEATED}],
            )
        seen.add(asset)
    refuse([(asset, OTHER_APP) for asset in assets if asset.app_id != CS2_APP_ID])


def check_count(field: str, count: int, items_max: int) -> None:
    """Refuse a request for more items than one request may have.

    Raises:
        InvalidRequest: it has more.
    """
    if count > items_max:
        raise InvalidRequest(
            f"One request takes up to {items_max} items.",
            errors=[{"field": f"body.{field}", "kind": "too_long", "message": f"Send at most {items_max} in one request."}],
        )


def check_partner(hold_days: int | None) -> None:
    """Refuse a player whose items Steam would keep for days; an unknown hold is left to the offer itself.

    Raises:
        PlayerMustAct: ``partner_hold``.
    """
    if hold_days:
        raise PlayerMustAct(
            f"Steam would hold this trade for {hold_days} days.",
            code="partner_hold",
            hold_days=hold_days,
            player_message=f"Steam would hold this trade for {hold_days} days, because your account has not had a mobile "
            "authenticator for long enough. Turn it on, wait until the hold has passed, and try again.",
        )


def accept(
    assets: Sequence[Asset], inventory: Mapping[Asset, HeldAsset], value_of: ValueOf, rules: Rules
) -> list[tuple[HeldAsset, int]]:
    """The wanted items with their values in cents, all or none.

    Raises:
        NotAccepted: ``unknown_asset`` or ``item_not_accepted``, naming every such asset.
    """
    unknown = [asset.asset_id for asset in assets if asset not in inventory]
    if unknown:
        raise NotAccepted(
            "These items are not in the player's inventory.",
            code="unknown_asset",
            assets=[{"asset_id": asset_id} for asset_id in unknown],
        )
    taken: list[tuple[HeldAsset, int]] = []
    refused: list[tuple[Asset, str]] = []
    for asset in assets:
        held = inventory[asset]
        cents = value_of(held.priced_name)
        reason = refusal(held, cents, rules)
        if reason is None and cents is not None:
            taken.append((held, cents))
        else:
            refused.append((asset, reason or NO_VALUE))
    refuse(refused)
    return taken


def refuse(refused: Sequence[tuple[Asset, str]]) -> None:
    """Refuse if there is anything to refuse; ``reason`` is the first one's, ``assets`` names each with its own.

    Raises:
        NotAccepted: ``item_not_accepted``.
    """
    if refused:
        first = refused[0][1]
        raise NotAccepted(
            f"Not taken: {REASONS[first]}.",
            code="item_not_accepted",
            reason=first,
            assets=[{"asset_id": asset.asset_id, "reason": reason} for asset, reason in refused],
        )
