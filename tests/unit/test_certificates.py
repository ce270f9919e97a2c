"""Property 6 of an asset: read in one way, and everything else is not known."""

from __future__ import annotations

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot_worker.steam import certificate, inventories
from shared.domain import phases
from shared.domain.items import HeldAsset

# Texts that Steam made, with asset id, pattern and paint. From the tests of VlyDev/cs2-masked-inspect-php (an AK-47 with five
# stickers; an M4A1-S, whose link names owner and asset beside it) and of another reader of inventories (an XM1014).
REAL = [
    (
        "E3F3367440334DE2FBE4C345E0CBE0D3E7DB6943400AE0A379E481ECEBE2F36FD9DE2BDB515EA6E30D74D981ECEBE3F37BCBDE640D475DA6E35EFCD881"
        "ECEBE3F359D5DE37E9D75DA6436DD3DD81ECEBE3F366DCDE3F8F9BDDA69B43B6DE81ECEBE3F33BC8DEBB1CA3DFA623F7DDDF8B71E293EBFD43382B",
        *("46876117973", "922", 422),
    ),
    (
        "1101C4C4FCD4AB10092D31B8143914211829A1FAE3FD125119591141117308191301EA550C1111912E3C111151D12C413E6BAC54D1D29BAD731E191501"
        "B92C2C9B6BF92F5411C25B2A731E191501B92C2CEA2B182E5411F7212A731E191501B92C2C4F89C12F549164592A799713611956F4339F",
        *("50075495125", "8", 681),
    ),
    (
        "ADBD584A390016ACB5B48D3BA485AE9DA4952F0E5A47AEED62AEE5ADFDADC52E2D2D2DA1DDA56A5E748D",
        *("50292143093", "463", 1174),
    ),
]
NAME = "★ Karambit | Doppler (Factory New)"


def varint(value: int) -> bytes:
    return bytes([value & 0x7F | 0x80]) + varint(value >> 7) if value > 0x7F else bytes([value])


def number(field: int, value: int) -> bytes:
    return varint(field << 3) + varint(value)


def sealed(message: bytes, key: int = 0) -> str:
    crc = zlib.crc32(bytes([key]) + message)
    check = (crc & 0xFFFF ^ len(message) * crc) & 0xFFFFFFFF
    return bytes(byte ^ key for byte in b"\0" + message + check.to_bytes(4, "big")).hex().upper()


def about(asset_id: int = 77, paint: int = 415, seed: int = 661) -> bytes:
    return number(2, asset_id) + number(3, 507) + number(4, paint) + number(7, 1_026_084_874) + number(8, seed)


@pytest.mark.parametrize(("text", "asset_id", "pattern", "paint"), REAL)
def test_certificates_that_steam_made_are_read(text: str, asset_id: str, pattern: str, paint: int) -> None:
    assert certificate.paint_index(text, asset_id, pattern) == paint
    assert certificate.paint_index(text, asset_id, None) == paint
    assert certificate.paint_index(text, str(int(asset_id) + 1), pattern) is None  # another asset's
    assert certificate.paint_index(text, asset_id, str(int(pattern) + 1)) is None
    assert certificate.paint_index(text.lower(), asset_id, pattern) is None


@given(
    asset_id=st.integers(1, 2**63 - 1),
    paint=st.integers(0, 2**32 - 1),
    seed=st.integers(0, 1000),
    key=st.integers(0, 255),
    more=st.lists(
        st.one_of(
            st.tuples(st.sampled_from([3, 5, 13, 14, 23, 500]), st.integers(0, 2**64 - 1)).map(lambda one: number(*one)),
            st.binary(max_size=40).map(lambda text: varint(11 << 3 | 2) + varint(len(text)) + text),
            st.binary(min_size=4, max_size=4).map(lambda four: varint(99 << 3 | 5) + four),
            st.binary(min_size=8, max_size=8).map(lambda eight: varint(99 << 3 | 1) + eight),
        ),
        max_size=5,
    ),
)
def test_every_whole_message_tells_its_paint(asset_id: int, paint: int, seed: int, key: int, more: list[bytes]) -> None:
    text = sealed(about(asset_id, paint, seed) + b"".join(more), key)
    assert certificate.paint_index(text, str(asset_id), str(seed)) == paint


@given(message=st.binary(max_size=60), key=st.integers(0, 255))
def test_no_bytes_are_an_error(message: bytes, key: int) -> None:
    found = certificate.paint_index(sealed(message, key), "77", None)
    assert found is None or message  # what a message says by chance is another matter
    assert certificate.paint_index(message.hex().upper(), "77", None) is None


@given(text=st.text(max_size=80))
def test_no_text_is_an_error(text: str) -> None:
    assert certificate.paint_index(text, "77", None) is None


@given(place=st.integers(0, len(about()) + 4), byte=st.integers(1, 255))
def test_a_byte_that_was_changed_is_no_certificate(place: int, byte: int) -> None:
    whole = bytearray.fromhex(sealed(about(), 0x5A))
    whole[place] ^= byte
    assert certificate.paint_index(whole.hex().upper(), "77", "661") is None


@pytest.mark.parametrize(
    "message",
    [
        about() + number(4, 416),  # a field twice
        about() + number(2, 77),
        number(2, 77) + number(3, 507),  # no paint
        number(4, 415) + number(8, 661),  # no asset
        number(2, 77) + varint(4 << 3 | 2) + b"\x01\x9f",  # the paint is no number
        number(2, 77) + varint(4 << 3 | 5) + b"\x9f\x01\0\0",
        about() + varint(12 << 3 | 2) + varint(40) + b"short",  # a field goes on behind the end
        about() + varint(12 << 3 | 3),  # groups are of old
        about() + number(0, 1),
        about() + b"\x80" * 11 + b"\x01",
        about() + varint(5 << 3) + b"\xff" * 9 + b"\x7f",  # more than 64 bits
        b"",
    ],
    ids=str,
)
def test_a_message_of_another_shape_says_nothing(message: bytes) -> None:
    assert certificate.paint_index(sealed(message), "77", None) is None


@pytest.mark.parametrize("text", [None, "", "00", "ABCD", sealed(about()) + "A", sealed(about()) + "\n", "00" * 3000])
def test_a_text_that_is_no_certificate_says_nothing(text: str | None) -> None:
    assert certificate.paint_index(text, "77", None) is None


# --- phases -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "paint", "phase"),
    [
        (NAME, 415, "Ruby"),
        (NAME, 421, "Phase 4"),
        ("★ StatTrak™ Butterfly Knife | Doppler (Minimal Wear)", 618, "Phase 2"),
        ("★ Talon Knife | Doppler (Factory New)", 852, "Phase 1"),
        ("★ Bayonet | Gamma Doppler (Factory New)", 568, "Emerald"),
        ("Glock-18 | Gamma Doppler (Well-Worn)", 1123, "Phase 4"),
        (NAME, 568, None),  # another finish's paint
        (NAME, 44, None),
        ("★ Bayonet | Gamma Doppler (Factory New)", 415, None),
        ("Sticker | Doppler Poison Frog (Foil)", 415, None),
        ("AK-47 | Redline (Field-Tested)", 415, None),
        (f"{NAME} - Ruby", 415, None),
        ("", 415, None),
    ],
)
def test_a_paint_is_a_phase_of_names_that_have_it(name: str, paint: int, phase: str | None) -> None:
    assert phases.of_paint(name, paint) == phase
    assert phase is None or phases.split(phases.priced_name(name, phase)) == (name, phase)


def held(certified: str, name: str = NAME) -> HeldAsset:
    page = {
        "assets": [{"appid": 730, "contextid": "2", "assetid": "77", "classid": "1", "instanceid": "0", "amount": "1"}],
        "descriptions": [{"classid": "1", "instanceid": "0", "market_hash_name": name, "tradable": 1}],
        "asset_properties": [
            {
                "assetid": "77",
                "asset_properties": [
                    {"propertyid": 1, "int_value": "661", "name": "Pattern Template"},
                    {"propertyid": 6, "string_value": certified, "name": "Item Certificate"},
                ],
            }
        ],
    }
    (found,) = inventories.parse(page, "76561198000000002", "2").held
    return HeldAsset.from_json(found.to_json())


def test_an_inventory_tells_the_phase_of_a_copy() -> None:
    assert (held(sealed(about(), 9)).phase, held(sealed(about(), 9)).priced_name) == ("Ruby", f"{NAME} - Ruby")
    for unknown in (held(sealed(about(asset_id=78))), held("ABCD"), held(sealed(about()), "AK-47 | Redline (Field-Tested)")):
        assert (unknown.phase, unknown.priced_name) == (None, unknown.market_hash_name)


@pytest.mark.parametrize("phase", ["Phase 5", "ruby", 415, ["Ruby"]])
def test_no_other_word_is_a_phase(phase: object) -> None:
    with pytest.raises((ValueError, TypeError)):
        HeldAsset.from_json({**held(sealed(about())).to_json(), "phase": phase})
