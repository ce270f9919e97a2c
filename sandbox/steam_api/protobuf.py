"""The Web API's other form: `input_protobuf_encoded` in, `application/octet-stream` out, for the messages of sign-in.

steam-session and aiosteampy ask in this form and read nothing else. Field numbers are those of SteamDatabase/Protobufs
(`steammessages_auth.steamclient.proto`, `service_twofactor.proto`). A request becomes the form that the handlers read, an
answer is made from the JSON that they give, so that both forms are answered by the same code.
"""

import base64
import binascii
import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from sandbox.answers import Answer, Values, html
from sandbox.steam_api.call import Call

VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5
NUMBER, FLAG, LONG, FLOAT, TEXT, BYTES = "number", "flag", "fixed64", "float", "text", "bytes"
WIRE = {NUMBER: VARINT, FLAG: VARINT, LONG: FIXED64, FLOAT: FIXED32}
VARINT_BYTES_MAX = 10
BAD_REQUEST = "<html><head><title>Bad Request</title></head><body><h1>Bad Request</h1></body></html>"


class Malformed(Exception):
    """Bytes that are no message."""


@dataclass(frozen=True)
class Field:
    """One field; `of` are the fields of a message within, which may be `repeated`."""

    name: str
    kind: str = TEXT
    of: "Message | None" = None
    repeated: bool = False


Message = dict[int, Field]

DEVICE: Final[Message] = {
    1: Field("device_friendly_name"),
    2: Field("platform_type", NUMBER),
    3: Field("os_type", NUMBER),
    4: Field("gaming_device_type", NUMBER),
    6: Field("machine_id", BYTES),
}
CONFIRMATION: Final[Message] = {1: Field("confirmation_type", NUMBER), 2: Field("associated_message")}

METHODS: Final[dict[str, tuple[Message, Message]]] = {
    "GetPasswordRSAPublicKey": (
        {1: Field("account_name")},
        {1: Field("publickey_mod"), 2: Field("publickey_exp"), 3: Field("timestamp", NUMBER)},
    ),
    "BeginAuthSessionViaCredentials": (
        {
            1: Field("device_friendly_name"),
            2: Field("account_name"),
            3: Field("encrypted_password"),
            4: Field("encryption_timestamp", NUMBER),
            5: Field("remember_login", FLAG),
            6: Field("platform_type", NUMBER),
            7: Field("persistence", NUMBER),
            8: Field("website_id"),
            9: Field("device_details", of=DEVICE),
            10: Field("guard_data"),
            11: Field("language", NUMBER),
            12: Field("qos_level", NUMBER),
        },
        {
            1: Field("client_id", NUMBER),
            2: Field("request_id", BYTES),
            3: Field("interval", FLOAT),
            4: Field("allowed_confirmations", of=CONFIRMATION, repeated=True),
            5: Field("steamid", NUMBER),
            6: Field("weak_token"),
            7: Field("agreement_session_url"),
            8: Field("extended_error_message"),
        },
    ),
    "UpdateAuthSessionWithSteamGuardCode": (
        {1: Field("client_id", NUMBER), 2: Field("steamid", LONG), 3: Field("code"), 4: Field("code_type", NUMBER)},
        {7: Field("agreement_session_url")},
    ),
    "PollAuthSessionStatus": (
        {1: Field("client_id", NUMBER), 2: Field("request_id", BYTES), 3: Field("token_to_revoke", LONG)},
        {
            1: Field("new_client_id", NUMBER),
            2: Field("new_challenge_url"),
            3: Field("refresh_token"),
            4: Field("access_token"),
            5: Field("had_remote_interaction", FLAG),
            6: Field("account_name"),
            7: Field("new_guard_data"),
            8: Field("agreement_session_url"),
        },
    ),
    "GenerateAccessTokenForApp": (
        {1: Field("refresh_token"), 2: Field("steamid", LONG), 3: Field("renewal_type", NUMBER)},
        {1: Field("access_token"), 2: Field("refresh_token")},
    ),
    "QueryStatus": (
        {1: Field("steamid", LONG), 2: Field("include", NUMBER)},
        {
            1: Field("state", NUMBER),
            2: Field("inactivation_reason", NUMBER),
            3: Field("authenticator_type", NUMBER),
            4: Field("authenticator_allowed", FLAG),
            5: Field("steamguard_scheme", NUMBER),
            6: Field("token_gid"),
            7: Field("email_validated", FLAG),
            8: Field("device_identifier"),
            9: Field("time_created", NUMBER),
            10: Field("revocation_attempts_remaining", NUMBER),
            12: Field("allow_external_authenticator", FLAG),
            14: Field("version", NUMBER),
        },
    ),
    "QueryTime": (
        {1: Field("sender_time", NUMBER)},
        {
            1: Field("server_time", NUMBER),
            2: Field("skew_tolerance_seconds", NUMBER),
            3: Field("large_time_jink", NUMBER),
            4: Field("probe_frequency_seconds", NUMBER),
            5: Field("adjusted_time_probe_frequency_seconds", NUMBER),
            6: Field("hint_probe_frequency_seconds", NUMBER),
            7: Field("sync_timeout", NUMBER),
            8: Field("try_again_seconds", NUMBER),
            9: Field("max_attempts", NUMBER),
        },
    ),
}
"""Method -> the messages of its request and of its answer."""


def unpack(call: Call) -> Answer | None:
    """Read a request in this form into `call.form`, and mark the call; a page with 400 when it cannot be read."""
    encoded = call.form.get("input_protobuf_encoded") or call.query.get("input_protobuf_encoded")
    if encoded is None or call.route not in METHODS:
        return None
    try:
        sent = base64.b64decode(encoded[0].replace(" ", "+"), validate=True)
        call.form = call.form | decode(METHODS[call.route][0], sent)
    except (binascii.Error, Malformed):
        return html(BAD_REQUEST, 400)
    call.wants_protobuf = True
    return None


def pack(call: Call, made: Answer) -> None:
    """Turn the JSON of a marked call's answer into its message; pages and broken answers stay as they are."""
    if call.wants_protobuf and made.content_type.startswith("application/json"):
        made.body = encode(METHODS[call.route][1], json.loads(made.body).get("response", {}))
        made.content_type = "application/octet-stream"


# --- reading --------------------------------------------------------------------------------------


def decode(message: Message, sent: bytes, prefix: str = "") -> Values:
    """The fields of a message as a form has them: texts, bytes in base64, a message within as `name[field]`.

    Unknown fields are skipped, of a repeated one the last counts, as the format wants it. Raises: Malformed.
    """
    found: Values = {}
    for number, wire, value in _fields(sent):
        field = message.get(number)
        if field is None:
            continue
        if wire != WIRE.get(field.kind, LENGTH) or (field.of is not None and wire != LENGTH):
            raise Malformed(f"field {number} has wire type {wire}")
        name = f"{prefix}[{field.name}]" if prefix else field.name
        if field.of is not None:
            found |= decode(field.of, value, name)
        else:
            found[name] = [_text(field.kind, value)]
    return found


def _fields(sent: bytes) -> Iterator[tuple[int, int, Any]]:
    at = 0
    while at < len(sent):
        key, at = _varint(sent, at)
        number, wire = key >> 3, key & 7
        if wire == VARINT:
            value, at = _varint(sent, at)
            yield number, wire, value
            continue
        size, at = _varint(sent, at) if wire == LENGTH else ({FIXED64: 8, FIXED32: 4}.get(wire, -1), at)
        if size < 0 or at + size > len(sent) or number == 0:
            raise Malformed("a field ends behind the message")
        yield number, wire, sent[at : at + size]
        at += size


def _varint(sent: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift, byte in enumerate(sent[at : at + VARINT_BYTES_MAX]):
        value |= (byte & 0x7F) << (7 * shift)
        if not byte & 0x80:
            return value & (2**64 - 1), at + shift + 1
    raise Malformed("a number does not end")


def _text(kind: str, value: Any) -> str:
    if kind == BYTES:
        return base64.b64encode(value).decode()
    if kind == LONG:
        return str(struct.unpack("<Q", value)[0])
    if kind == FLOAT:
        return str(struct.unpack("<f", value)[0])
    if kind == TEXT:
        try:
            return bytes(value).decode()
        except UnicodeDecodeError:
            raise Malformed("a text that is none") from None
    return str(value - 2**64 if value >= 2**63 else value)


# --- writing --------------------------------------------------------------------------------------


def encode(message: Message, content: dict[str, Any]) -> bytes:
    """A message from the JSON of a `response`; what is not in the message is left out."""
    made = bytearray()
    for number, field in message.items():
        value = content.get(field.name)
        if value is None:
            continue
        for each in value if field.repeated else [value]:
            kind = LENGTH if field.of is not None else WIRE.get(field.kind, LENGTH)
            made += _number(number << 3 | kind) + _bytes(field, each)
    return bytes(made)


def _bytes(field: Field, value: Any) -> bytes:
    if field.of is not None:
        return _sized(encode(field.of, value))
    if field.kind in (NUMBER, FLAG):
        return _number(int(value) % 2**64)
    if field.kind == LONG:
        return struct.pack("<Q", int(value))
    if field.kind == FLOAT:
        return struct.pack("<f", float(value))
    return _sized(base64.b64decode(value) if field.kind == BYTES else str(value).encode())


def _sized(content: bytes) -> bytes:
    return _number(len(content)) + content


def _number(value: int) -> bytes:
    made = bytearray()
    while value > 0x7F:
        made.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*made, value])
