"""The relays of a drand network, in the form of drand/http-relay: no address of Steam's, but one of those that games ask.

One sandbox is as many relays of the same network as are wanted: `/relays/NAME` before a path is the relay of that name,
nothing is the one without a name. Texts, statuses and cache times are those of `routes_handler.go`, in both versions.
"""

import hashlib
import json
from typing import Any, Final

from sandbox import beacon
from sandbox.answers import Answer, as_json, plain
from sandbox.beacon import BEACON_ID, SCHEME
from sandbox.faults.kinds import SHAPES
from sandbox.faults.orders import Fault
from sandbox.steam_api.call import Call

RELAY: Final = r"(?:/relays/(?P<relay>[a-z0-9-]{1,32}))?"
CHAIN_V1: Final = rf"{RELAY}(?:/(?P<chain>[0-9A-Fa-f]{{64}}))?"
CHAIN_V2: Final = rf"{RELAY}/v2/(?:chains/(?P<chain>[0-9A-Fa-f]{{64}})|beacons/(?P<beacon_id>[A-Za-z0-9_-]{{1,32}}))"
ROUND: Final = r"(?P<round>\d{1,100})"
ROUND_MAX: Final = 2**64 - 1
FOR_EVER: Final = "public, max-age=604800, immutable"
NEVER: Final = "no-cache"
HUGE_BYTES: Final = 4_000_000


def chains(call: Call) -> Answer:
    """The hashes of all chains, which is one."""
    return _json([call.steam.network.chain_hash])


def beacon_ids(call: Call) -> Answer:
    """The names of all chains, which is one."""
    return _json([BEACON_ID])


def info(call: Call) -> Answer:
    """What the chain hash is made of (version 1)."""
    network = call.steam.network
    if not _knows(call):
        return _failed("info")
    return _json(
        {
            "public_key": network.public_key.hex(),
            "period": network.period_s,
            "genesis_time": network.genesis,
            "hash": network.chain_hash,
            "groupHash": network.group_hash.hex(),
            "schemeID": SCHEME,
            "metadata": {"beaconID": BEACON_ID},
        }
    )


def info_v2(call: Call) -> Answer:
    """The same under the names of version 2."""
    network = call.steam.network
    if not _knows(call):
        return _failed("info")
    return _json(
        {
            "public_key": network.public_key.hex(),
            "period": network.period_s,
            "genesis_time": network.genesis,
            "genesis_seed": network.group_hash.hex(),
            "chain_hash": network.chain_hash,
            "scheme": SCHEME,
            "beacon_id": BEACON_ID,
        }
    )


def latest(call: Call) -> Answer:
    """The last beacon that is public."""
    if not _knows(call):
        return _failed("beacon")
    return _latest(call)


def numbered(call: Call) -> Answer:
    """The beacon of one round; 425 while it is not public, round 0 is the last one, as at drand's relays."""
    number = int(call.args["round"])
    if number > ROUND_MAX:
        refused = plain(f'Failed to parse round parameter "{number}": value out of range\n', 400)
        refused.headers["Cache-Control"] = FOR_EVER
        return refused
    if not _knows(call):
        return _failed("beacon")
    if number == 0:
        return _latest(call)
    now, network = _now(call), call.steam.network
    if number > network.round_at(now):
        return _too_early(network.time_of(network.round_at(now) + 1) - int(now))
    return _beacon(call, number, FOR_EVER)


def _latest(call: Call) -> Answer:
    now, network = _now(call), call.steam.network
    number = network.round_at(now)
    if number == 0:
        return _failed("beacon")
    left = max(0, network.time_of(number + 1) - int(now))
    return _beacon(call, number, f"public, must-revalidate, max-age={left}")


def _now(call: Call) -> float:
    """The clock of the network, less what trouble keeps its beacons back."""
    movable = call.world.settings.beacon_clock == "movable"
    return (call.now if movable else call.real_now) - call.beacon_late_s


def _knows(call: Call) -> bool:
    """Whether the path names this chain: by its hash, by its id, or not at all."""
    chain, beacon_id = call.args.get("chain"), call.args.get("beacon_id")
    return (not chain or chain.lower() == call.steam.network.chain_hash) and beacon_id in (None, "", BEACON_ID)


def _beacon(call: Call, number: int, cached: str) -> Answer:
    signature = call.steam.network.signature(number)
    content: dict[str, Any] = {"round": number}
    if not call.route.endswith("_v2"):
        content["randomness"] = beacon.randomness(signature).hex()
    return _json(content | {"signature": signature.hex()}, cached)


def _json(content: Any, cached: str | None = None) -> Answer:
    made = as_json(content)
    made.content_type = "application/json"
    made.headers["Access-Control-Allow-Origin"] = "*"
    if cached is not None:
        made.headers["Cache-Control"] = cached
    return made


def _failed(what: str) -> Answer:
    """What a relay says of a chain that its node does not know, and of everything else that it cannot do."""
    refused = plain(f"Failed to get {what}\n", 500)
    refused.headers["Cache-Control"] = NEVER
    return refused


def _too_early(seconds: int) -> Answer:
    refused = plain("Requested future beacon\n", 425)
    refused.headers["Cache-Control"] = f"must-revalidate, public, max-age={max(0, seconds)}"
    return refused


# --- a relay that lies ---------------------------------------------------------------------------


def lie(fault: Fault, call: Call, made: Answer) -> bool:
    """Change a beacon into one that no client may believe; `shape` says how, None one of all by chance."""
    if made.status != 200:
        return False
    shape = fault.shape or SHAPES["bad_beacon"][int(fault.throw("shape") * len(SHAPES["bad_beacon"]))]
    if shape == "huge":
        made.body = b'{"round":' + b" " * HUGE_BYTES + made.body.removeprefix(b'{"round":')
        return True
    content = json.loads(made.body)
    number = content["round"]
    network = call.steam.network
    if shape == "garbage":
        _sign(content, bytes([0x80]) + hashlib.sha384(made.body).digest()[1:])
    elif shape == "forged":
        _sign(content, network.forged(number))
    elif shape == "relabelled":
        _sign(content, network.signature(number + 1))
    elif shape == "other_round":
        content["round"] = number + 1
        _sign(content, network.signature(number + 1))
    elif shape == "randomness":
        content["randomness"] = hashlib.sha256(made.body).hexdigest()
    else:
        content.pop("signature")
    made.body = as_json(content).body
    return True


def _sign(content: dict[str, Any], signature: bytes) -> None:
    content["signature"] = signature.hex()
    if "randomness" in content:
        content["randomness"] = beacon.randomness(signature).hex()
