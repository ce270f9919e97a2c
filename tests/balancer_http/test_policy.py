"""Which items we take, rule by rule."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from balancer.items import policy
from shared import settings
from shared.domain.items import Asset, HeldAsset
from shared.errors import InvalidRequest, NotAccepted, PlayerMustAct, SettingsError

RULES = policy.Rules(10, frozenset({"souvenir", "graffiti"}), frozenset({"M4A4 | Howl"}))
GOOD = HeldAsset(Asset(730, "2", "1"), "11", "0", 1, "AK-47 | Redline (Field-Tested)", True)


@pytest.mark.parametrize(
    ("held", "cents", "reason"),
    [
        (GOOD, 1000, None),
        (GOOD, 10, None),
        (replace(GOOD, asset=Asset(440, "2", "1")), 1000, "other_app"),
        (replace(GOOD, amount=2), 1000, "amount"),
        (replace(GOOD, tradable=False), 1000, "not_tradable"),
        (replace(GOOD, market_hash_name="Souvenir AWP | Dragon Lore (Factory New)"), 1000, "souvenir"),
        (replace(GOOD, market_hash_name="SOUVENIR thing"), 1000, "souvenir"),
        (replace(GOOD, market_hash_name="Souvenir"), 1000, "souvenir"),
        (replace(GOOD, market_hash_name="Austin 2025 Nuke Souvenir Package"), 1000, None),
        (replace(GOOD, market_hash_name="Souvenirs | Many"), 1000, None),
        (replace(GOOD, market_hash_name="Graffiti | X"), 1000, "blocked"),
        (replace(GOOD, market_hash_name="Sealed Graffiti | X"), 1000, None),
        (replace(GOOD, market_hash_name="M4A4 | Howl"), 1000, "blocked"),
        (replace(GOOD, market_hash_name="M4A4 | Howl (Factory New)"), 1000, None),
        (replace(GOOD, market_hash_name=""), 1000, "no_name"),
        (GOOD, None, "no_value"),
        (GOOD, 9, "below_minimum"),
    ],
)
def test_each_rule(held: HeldAsset, cents: int | None, reason: str | None) -> None:
    assert policy.refusal(held, cents, RULES) == reason


def test_every_reason_has_words() -> None:
    said = {policy.OTHER_APP, policy.AMOUNT, policy.NOT_TRADABLE, policy.NO_NAME}
    said |= {policy.SOUVENIR, policy.BLOCKED, policy.NO_VALUE, policy.BELOW_MINIMUM}
    assert said == set(policy.REASONS)


def test_what_is_blocked_is_a_setting_and_souvenirs_are_by_default() -> None:
    default = policy.Rules.of(settings.load())
    assert (default.minimum_cents, default.first_words, default.names) == (10, frozenset({"souvenir"}), frozenset())
    own = settings.load(overrides={"blocked": {"first_words": "Sticker, Patch", "names": ["Fever Case"]}})
    rules = policy.Rules.of(own)
    names = ["Souvenir AWP", "sticker | X", "Patch | Y", "Fever Case", "Patch"]
    assert [rules.blocks(name) for name in names] == [None, *["blocked"] * 4]


@pytest.mark.parametrize("written", [{"first_words": ["two words"]}, {"first_words": [""]}, {"names": [""]}, {"words": ["x"]}])
def test_what_cannot_be_blocked_is_refused(written: dict[str, Any]) -> None:
    with pytest.raises(SettingsError):
        settings.load(overrides={"blocked": written})


def test_accept_gives_items_with_values_in_the_order_asked() -> None:
    other = replace(GOOD, asset=Asset(730, "2", "2"), market_hash_name="Glove")
    inventory = {one.asset: one for one in (GOOD, other)}
    prices = {GOOD.market_hash_name: 1000, "Glove": 2000}
    assert policy.accept([other.asset, GOOD.asset], inventory, prices.get, RULES) == [(other, 2000), (GOOD, 1000)]


def test_unknown_assets_are_all_named() -> None:
    with pytest.raises(NotAccepted) as caught:
        policy.accept([Asset(730, "2", "8"), GOOD.asset, Asset(730, "2", "9")], {GOOD.asset: GOOD}, dict[str, int]().get, RULES)
    assert caught.value.error_code == "unknown_asset"
    assert caught.value.data["assets"] == [{"asset_id": "8"}, {"asset_id": "9"}]


def test_every_refused_asset_has_its_own_reason() -> None:
    low = replace(GOOD, asset=Asset(730, "2", "2"), market_hash_name="Sticker")
    stuck = replace(GOOD, asset=Asset(730, "2", "3"), tradable=False)
    prices = {"Sticker": 1, GOOD.market_hash_name: 500}
    inventory = {one.asset: one for one in (GOOD, low, stuck)}
    with pytest.raises(NotAccepted) as caught:
        policy.accept(list(inventory), inventory, prices.get, RULES)
    error = caught.value
    assert (error.error_code, error.reason) == ("item_not_accepted", "below_minimum")
    assert error.data["assets"] == [
        {"asset_id": "2", "reason": "below_minimum"},
        {"asset_id": "3", "reason": "not_tradable"},
    ]


def test_an_item_twice_is_an_invalid_request() -> None:
    with pytest.raises(InvalidRequest) as caught:
        policy.check_request([GOOD.asset, Asset(730, "2", "7"), GOOD.asset], 10)
    errors: Any = caught.value.data["errors"]
    assert errors[0]["field"] == "body.asset_ids[2]"


def test_too_many_items_are_an_invalid_request() -> None:
    with pytest.raises(InvalidRequest) as caught:
        policy.check_request([Asset(730, "2", str(number)) for number in range(1, 12)], 10)
    assert caught.value.data["errors"] == [
        {"field": "body.asset_ids", "kind": "too_long", "message": "Send at most 10 in one request."}
    ]


def test_another_app_is_refused_before_any_inventory_is_read() -> None:
    with pytest.raises(NotAccepted) as caught:
        policy.check_request([GOOD.asset, Asset(570, "2", "5")], 10)
    assert (caught.value.error_code, caught.value.reason) == ("item_not_accepted", "other_app")


@pytest.mark.parametrize("hold_days", [None, 0])
def test_no_hold_is_fine(hold_days: int | None) -> None:
    policy.check_partner(hold_days)  # refuses nobody


def test_a_hold_is_told_with_a_sentence_for_the_player() -> None:
    with pytest.raises(PlayerMustAct) as caught:
        policy.check_partner(15)
    assert caught.value.error_code == "partner_hold"
    assert "15 days" in str(caught.value.player_message)
