"""Make the example records anew: whole rounds played by the engine from pinned seeds. Run it after a change of the format.

    python lottery_core/examples/make.py

The seeds were picked so that the examples show something: change out of the house's stock, guarantees, credits, rests, voids.
Beacons and block are recorded ones. The players, prices and secrets are made up.
"""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent / "tests" / "verify")]

import plays  # noqa: E402

from lottery import rooms  # noqa: E402
from lottery.encoding import canonical_json  # noqa: E402
from lottery.rooms import RaffleTerms, Room  # noqa: E402

RAFFLE = Room(
    "raffle",
    "raffle",
    tickets="bought",
    min_players=1,
    raffle=RaffleTerms(template=4, prize="a knife", price=1499, commission=101, tickets=20, ticket_price=80),
)


def pot(entropy: str) -> Room:
    """The Global Pot at a size that fits a page."""
    return rooms.load("global-pot", global_pot_limit=40_000, shares=(50, 30, 20), entropy=entropy)


# name: room, number of the seed, how it ends ("" by the rules of the room)
EXAMPLES: dict[str, tuple[Room, int, str]] = {
    "classic-unlimited": (rooms.load("classic-unlimited"), 300, ""),
    "classic-limited": (rooms.load("classic-limited", entropy="none", rake_change_max=0), 4, ""),
    "classic-block": (rooms.load("classic-unlimited", entropy="block:bitcoin"), 16, ""),
    "classic-rests": (rooms.load("classic-unlimited", rake_carry=True), 8, ""),
    "classic-guarantee": (rooms.load("classic-unlimited", entropy="drand:default"), 23, ""),
    "sit-n-go": (rooms.load("sit-n-go"), 0, ""),
    "5v5-complement": (rooms.load("5v5"), 210, ""),
    "5v5-inverse": (rooms.load("5v5", ranges="inverse"), 91, ""),
    "global-pot-mixed": (pot("manual:mixed:quicknet"), 1, ""),
    "global-pot-direct": (pot("manual:direct"), 1, ""),
    "global-pot-drand": (pot("drand:quicknet"), 6, ""),
    "giveaway": (rooms.load("giveaway", time_limit=600), 0, ""),
    "raffle": (RAFFLE, 4, ""),
    "void-warmup": (rooms.load("classic-unlimited"), 0, "warmup"),
    "void-too-few-players": (pot("none"), 7, ""),
    "void-game": (rooms.load("classic-unlimited", entropy="none"), 0, "game"),
    "void-lonely": (rooms.load("classic-unlimited"), 6, ""),
    "house-failure": (rooms.load("classic-unlimited"), 11, "failure"),
}


def example(name: str) -> bytes:
    """One record as it would be published: canonical JSON, with a line end."""
    room, seed, end = EXAMPLES[name]
    return canonical_json(plays.play(f"{name} {seed}", room, end)) + b"\n"


def main() -> None:
    """Write all of them beside this script."""
    for name in EXAMPLES:
        (HERE / f"{name}.json").write_bytes(example(name))


if __name__ == "__main__":
    main()
