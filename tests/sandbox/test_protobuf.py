"""Sign-in in Steam's other form: protobuf in `input_protobuf_encoded`, protobuf back."""

import base64
import struct
import time
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from hypothesis import given
from hypothesis import strategies as st
from requests.sessions import Session
from sandbox_lab import Bench

from sandbox import guard
from sandbox.answers import Answer
from sandbox.steam_api import protobuf, router

API = "https://api.steampowered.com"
AUTH = f"{API}/IAuthenticationService"


def varint(value: int) -> bytes:
    made = b""
    while value > 0x7F:
        made, value = made + bytes([value & 0x7F | 0x80]), value >> 7
    return made + bytes([value])


def number(field: int, value: int) -> bytes:
    return varint(field << 3) + varint(value % 2**64)


def long(field: int, value: int) -> bytes:
    return varint(field << 3 | 1) + struct.pack("<Q", value)


def text(field: int, value: bytes | str) -> bytes:
    content = value if isinstance(value, bytes) else value.encode()
    return varint(field << 3 | 2) + varint(len(content)) + content


def read(body: bytes) -> dict[int, list[Any]]:
    """Field -> values of a message; numbers as they are, the rest as bytes."""
    found: dict[int, list[Any]] = {}
    at = 0

    def take_varint() -> int:
        nonlocal at
        value, shift = 0, 0
        while True:
            byte = body[at]
            at, value, shift = at + 1, value | (byte & 0x7F) << shift, shift + 7
            if byte < 0x80:
                return value

    while at < len(body):
        key = take_varint()
        value: int | bytes
        if key & 7 == 0:
            value = take_varint()
        else:
            size = take_varint() if key & 7 == 2 else {1: 8, 5: 4}[key & 7]
            value, at = body[at : at + size], at + size
        found.setdefault(key >> 3, []).append(value)
    return found


def ask(
    session: Session,
    method: str,
    message: bytes,
    how: str = "POST",
    interface: str = "IAuthenticationService",
    multipart: bool = False,
) -> tuple[Any, ...]:
    url, encoded = f"{API}/{interface}/{method}/v1/", base64.b64encode(message).decode()
    if how == "GET":
        answer = session.get(url, params={"input_protobuf_encoded": encoded})
    elif multipart:
        answer = session.post(url, files={"input_protobuf_encoded": (None, encoded)})
    else:
        answer = session.post(url, data={"input_protobuf_encoded": encoded})
    assert answer.headers["Content-Type"] == "application/octet-stream"
    return answer.headers["x-eresult"], read(answer.content)


@pytest.mark.parametrize(("platform", "website", "audience"), [(2, "Community", "web"), (3, "Mobile", "mobile")])
@pytest.mark.parametrize("multipart", [False, True])
def test_a_whole_sign_in(bench: Bench, platform: int, website: str, audience: str, multipart: bool) -> None:
    """As steam-session (multipart) and aiosteampy (urlencoded) ask, whose field numbers these are."""
    known, session = bench.credentials("red-1"), bench.session()
    steam_id = int(known["steam_id"])

    result, key = ask(session, "GetPasswordRSAPublicKey", text(1, known["account_name"]), "GET")
    assert result == "1"
    numbers = rsa.RSAPublicNumbers(int(key[2][0], 16), int(key[1][0], 16))
    secret = base64.b64encode(numbers.public_key().encrypt(known["password"].encode(), padding.PKCS1v15())).decode()
    device = text(1, "A browser") + number(2, platform) + number(3, -500) + number(4, 528)
    message = text(2, known["account_name"]) + text(3, secret) + number(4, key[3][0]) + number(5, 1) + number(7, 1)
    message += text(8, website) + text(9, device) + number(11, 0) + number(12, 2) + number(99, 1) + text(98, "new")
    result, begun = ask(session, "BeginAuthSessionViaCredentials", message, multipart=multipart)
    assert (result, begun[5], struct.unpack("<f", begun[3][0])[0]) == ("1", [steam_id], 5.0)
    assert [read(each)[1][0] for each in begun[4]] == [3, 4]

    poll = number(1, begun[1][0]) + text(2, begun[2][0])
    assert ask(session, "PollAuthSessionStatus", poll, multipart=multipart) == ("1", {5: [0]})
    code = guard.code(known["shared_secret"], int(time.time()) // 30)
    update = number(1, begun[1][0]) + long(2, steam_id) + text(3, code) + number(4, 3)
    assert ask(session, "UpdateAuthSessionWithSteamGuardCode", update, multipart=multipart) == ("1", {})
    result, done = ask(session, "PollAuthSessionStatus", poll, multipart=multipart)
    assert (result, done[6]) == ("1", [known["account_name"].encode()])
    claims = done[3][0].split(b".")[1]
    assert audience.encode() in base64.urlsafe_b64decode(claims + b"=" * (-len(claims) % 4))

    renew = text(1, done[3][0]) + long(2, steam_id)
    result, renewed = ask(session, "GenerateAccessTokenForApp", renew, multipart=multipart)
    assert (result, set(renewed)) == (("1", {1}) if platform == 3 else ("15", set()))


def test_refusals_have_no_body_and_their_number(bench: Bench) -> None:
    session, known = bench.session(), bench.credentials("red-1")
    _, key = ask(session, "GetPasswordRSAPublicKey", text(1, known["account_name"]), "GET")
    wrong = text(2, known["account_name"]) + text(3, "AAAA") + number(4, key[3][0])

    assert ask(session, "BeginAuthSessionViaCredentials", wrong)[0] == "5"
    assert ask(session, "PollAuthSessionStatus", number(1, 5) + text(2, b"x")) == ("9", {})


def test_the_time_is_told_in_either_form(bench: Bench) -> None:
    session = bench.session()
    for message in (b"", number(1, 5)):
        if message:
            result, told = ask(session, "QueryTime", message, interface="ITwoFactorService")
        else:
            answer = session.post(f"{API}/ITwoFactorService/QueryTime/v1/", data={"input_protobuf_encoded": ""})
            result, told = answer.headers["x-eresult"], read(answer.content)
        assert result == "1"
        assert abs(told[1][0] - time.time()) < 200
        assert [told[field][0] for field in (2, 3, 4, 9)] == [60, 86400, 3600, 3]
    assert session.post(f"{API}/ITwoFactorService/QueryTime/v1/").json()["response"]["server_time"]


@pytest.mark.parametrize(
    "encoded",
    ["%%%", base64.b64encode(b"\xff" * 12).decode(), base64.b64encode(text(1, "abc")[:-1]).decode(), "CAE="],
    ids=["no base64", "a number that does not end", "cut", "a number where a text is"],
)
def test_what_is_no_message_is_400(bench: Bench, encoded: str) -> None:
    answer = bench.session().get(f"{AUTH}/GetPasswordRSAPublicKey/v1", params={"input_protobuf_encoded": encoded})

    assert (answer.status_code, "Bad Request" in answer.text) == (400, True)


def test_trouble_reaches_this_form_too(bench: Bench) -> None:
    session = bench.session()
    bench.fault("GetPasswordRSAPublicKey", "eresult", code=84)
    assert ask(session, "GetPasswordRSAPublicKey", text(1, "x"), "GET") == ("84", {})

    bench.fault("GetPasswordRSAPublicKey", "html")
    answer = session.get(f"{AUTH}/GetPasswordRSAPublicKey/v1", params={"input_protobuf_encoded": ""})
    assert answer.headers["Content-Type"].startswith("text/html")


@given(st.sampled_from(sorted(protobuf.METHODS)), st.binary(max_size=200))
def test_no_bytes_break_the_reader(method: str, sent: bytes) -> None:
    try:
        found = protobuf.decode(protobuf.METHODS[method][0], sent)
    except protobuf.Malformed:
        return
    assert all(isinstance(value, str) for values in found.values() for value in values)


@given(st.integers(0, 2**64 - 1), st.text(max_size=40), st.booleans(), st.binary(max_size=40))
def test_what_is_written_can_be_read(big: int, words: str, flag: bool, raw: bytes) -> None:
    message = {
        1: protobuf.Field("big", protobuf.LONG),
        2: protobuf.Field("words"),
        3: protobuf.Field("flag", protobuf.FLAG),
        4: protobuf.Field("raw", protobuf.BYTES),
        5: protobuf.Field("inner", of={1: protobuf.Field("words")}),
    }
    encoded = base64.b64encode(raw).decode()
    content = {"big": str(big), "words": words, "flag": flag, "raw": encoded, "inner": {"words": words}}

    assert protobuf.decode(message, protobuf.encode(message, content)) == {
        "big": [str(big)],
        "words": [words],
        "flag": [str(int(flag))],
        "raw": [encoded],
        "inner[words]": [words],
    }


def test_an_answer_of_a_plain_call_stays_as_it_is(bench: Bench) -> None:
    call = router.call(bench.running.steam, "GET", "api.steampowered.com", "/", {}, {}, {})
    made = Answer(body=b"{}", content_type="application/json")
    protobuf.pack(call, made)

    assert (made.body, made.content_type) == (b"{}", "application/json")
