import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import wire
from shared.domain.items import Asset, HeldAsset
from shared.orders import (
    InventoryOrder,
    OfferOrder,
    Order,
    Payload,
    SendOrder,
    SettleCheck,
    SettleOrder,
    WantedAsset,
    WatchedTrade,
    WatchOrder,
)
from shared.reports import Heartbeat, Report
from shared.sealing import BotKeys, MasterKey, SealBroken, seal, unseal

MASTER = MasterKey(b"m" * 32)
ASSET = Asset(730, "2", "40123456789")
OFFER = OfferOrder("tok", "76561198000000002", "7012345678", [ASSET], [])
PAYLOADS: dict[str, Payload] = {
    "send": SendOrder("tok", "76561198000000002", "AbCdEfGh", "hello", [ASSET], []),
    "confirm": OFFER,
    "cancel": replace(OFFER, offer_id=None),
    "watch": WatchOrder([WatchedTrade("tr_1", 1, "tok", "76561198000000002", None, "sending", [], [ASSET])], 1786000000),
    "inventory": InventoryOrder("76561198000000002", None),
    "settle": SettleOrder([SettleCheck("tr_1", 1, "612", [WantedAsset("dp_1", ASSET, "AK", None)])], ["40123456789"]),
}


def order(kind: str, bot: str = "red-1") -> Order:
    return Order("or_1", kind, bot, "tr_1", 1, 1000, 2000, PAYLOADS[kind])


def report(bot: str = "red-1") -> Report:
    return Report(bot, "run", 7, "offer_active", "or_1", "tr_1", 1, 1500, {"offer_id": "7012345678"})


@pytest.mark.parametrize("kind", PAYLOADS)
def test_an_order_arrives_as_it_was_sealed(kind: str) -> None:
    keys = MASTER.bot("red-1")
    assert wire.open_order(wire.seal_order(order(kind), keys), keys) == order(kind)


def test_an_order_of_another_bot_does_not_open() -> None:
    sealed = wire.seal_order(order("send", "red-2"), MASTER.bot("red-2"))
    with pytest.raises(SealBroken):
        wire.open_order(sealed, MASTER.bot("red-1"))


def test_an_order_sealed_with_our_key_for_another_purpose_does_not_open() -> None:
    keys = MASTER.bot("red-1")
    sealed = seal(keys.order, order("send").dumps(), purpose="report:red-1")
    with pytest.raises(SealBroken):
        wire.open_order(sealed, keys)


@pytest.mark.parametrize("text", [b"{}", b"[]", b"null", b'{"kind":"steal"}', b"\x80\x04N.", b""])
def test_what_is_sealed_but_no_order_is_told(text: bytes) -> None:
    keys = MASTER.bot("red-1")
    with pytest.raises(SealBroken):
        wire.open_order(seal(keys.order, text, purpose="order:red-1"), keys)


@given(st.integers(0, 10_000), st.integers(1, 255))
def test_a_changed_byte_breaks_the_seal(position: int, change: int) -> None:
    import base64

    raw = bytearray(base64.urlsafe_b64decode(seal(b"k" * 32, b"the text", purpose="p")))
    raw[position % len(raw)] ^= change
    with pytest.raises(SealBroken):
        unseal(b"k" * 32, base64.urlsafe_b64encode(bytes(raw)), purpose="p")


def test_reports_and_heartbeats_are_only_taken_from_their_own_bot() -> None:
    keys, other = MASTER.bot("red-1"), MASTER.bot("red-2")
    sealed = seal(keys.report, report().dumps(), purpose="report:red-1")
    assert wire.open_report("red-1", sealed, keys) == report()
    for bot, key in (("red-2", other), ("red-2", keys), ("red-1", other)):
        with pytest.raises(SealBroken):
            wire.open_report(bot, sealed, key)
    lie = seal(other.report, report("red-1").dumps(), purpose="report:red-2")
    with pytest.raises(SealBroken, match="another bot"):
        wire.open_report("red-2", lie, other)
    beat = Heartbeat("red-1", "run", 1, "host", "76561198000000001", "online", 5)
    assert wire.open_heartbeat("red-1", seal(keys.report, beat.dumps(), purpose="heartbeat:red-1"), keys) == beat


def test_an_enormous_text_is_not_even_opened() -> None:
    with pytest.raises(SealBroken, match="too large"):
        wire.open_order("A" * (wire.SEALED_MAX_BYTES + 1), MASTER.bot("red-1"))


def test_keys_differ_by_bot_and_direction_and_stay_out_of_repr() -> None:
    keys = [key for bot in ("red-1", "red-2") for key in (MASTER.bot(bot).order, MASTER.bot(bot).report)]
    assert len(set(keys)) == 4
    assert BotKeys.from_json(json.loads(json.dumps(MASTER.bot("red-1").to_json()))) == MASTER.bot("red-1")
    assert repr(MASTER.bot("red-1")) == "BotKeys(bot='red-1')"


def test_verify_token_is_fixed_by_the_trade_and_not_guessable_from_its_hash() -> None:
    token = MASTER.verify_token("tr_1")
    assert len(token) == 22 and token == MASTER.verify_token("tr_1") != MASTER.verify_token("tr_2")
    assert token not in MASTER.token_hash(token)


def test_secrets_of_an_order_stay_out_of_repr() -> None:
    shown = repr(order("send")) + repr(order("watch")) + repr(order("confirm"))
    assert "tok'" not in shown and "AbCdEfGh" not in shown


def test_held_assets_travel_in_reports() -> None:
    held = HeldAsset(ASSET, "310", "302", 1, "AK-47 | Redline (Field-Tested)", True, wear="0.231", pattern="661")
    assert HeldAsset.from_json(json.loads(json.dumps(held.to_json()))) == held
    assert held.fingerprint == "AK-47 | Redline (Field-Tested)|0.231|661|"
