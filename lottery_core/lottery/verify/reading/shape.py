"""What a sealed record looks like: every field with its type and range, and nothing else (docs/record-format.md).

The bounds come before any work: no list is so long, no number so large that checking a small record takes long.
"""

from typing import Any

from lottery.verify.reading.rows import NO_TICKET
from lottery.verify.reading.strict import (
    LONGEST,
    Unreadable,
    fields,
    flag,
    hex_text,
    hexed,
    list_of,
    nullable,
    number,
    one_of,
    pairs_of,
    table_of,
    text,
    text_of,
    u8,
    u32,
    u32_or_null,
    u64,
    u64_or_null,
)

Record = dict[str, Any]

FORMAT = "lot2"
MODES = {"classic": 1, "sitngo": 2, "teams": 3, "pot": 4, "giveaway": 5, "raffle": 6}
SEALED = 5
STOCK_MAX = 256
GUARANTEES_MAX = 100
WINNERS_MAX = 100
TEAM_MAX = 32
INVITERS_MAX = 20
RULE_ITEMS_MAX = 10_000
HEADER_BYTES = 80
LANE_BYTES = NAME_BYTES = 200
TEXT_BYTES = 2_000
SEED_BYTES = 64
PRIZE_BYTES = 1_000

hash32 = hexed(32)
ids = list_of(u64)
lane = text_of(LANE_BYTES)
said = text_of(TEXT_BYTES)


def without_null(table: Any) -> Any:
    """A table whose tickets are numbers: NO_TICKET in the place of null."""

    def read_items(value: Any) -> dict[str, Any]:
        found: dict[str, Any] = table(value)
        for name in ("tickets_start", "tickets_end"):
            if type(found[name]) is list and None in found[name]:
                found[name] = [NO_TICKET if each is None else each for each in found[name]]
        return found

    return read_items


ITEM_FIELDS = table_of(
    LONGEST,
    item_id=u64,
    deposit_id=u64,
    user_id=u64,
    price=u64,
    tickets_start=u64_or_null,
    tickets_end=u64_or_null,
    bet=u64,
    team=number(2),
    time_ms=u64,
    client_seed=text_of(SEED_BYTES),
)
ITEMS = without_null(ITEM_FIELDS)
BEACON = fields(
    scheme=said,
    public_key=hex_text(),
    period=u32,
    genesis=u32,
    group_hash=hex_text(32),
    beacon_id=text_of(NAME_BYTES),
)
RULES = fields(
    name=text_of(NAME_BYTES),
    mode=one_of(*MODES),
    item_limit_max=u32_or_null,
    bet_item_limit_max=u32_or_null,
    bet_value_min=u64_or_null,
    bet_value_max=u64_or_null,
    player_limit=u32_or_null,
    time_limit=u32_or_null,
    time_enable=flag,
    lonely_void_s=u32_or_null,
    open_max_s=u32_or_null,
    allowed_items=nullable(list_of(u64, RULE_ITEMS_MAX)),
    shares=nullable(list_of(u64, WINNERS_MAX)),
    team_limit=number(TEAM_MAX, or_null=True),
    global_pot_limit=u64_or_null,
    min_players=u32,
    tickets=one_of("cent", "item", "bought"),
    entropy=said,
    entropy_margin_s=u32,
    beacon=nullable(BEACON),
    unsettled=flag,
    ranges=one_of("complement", "inverse", None),
    rake=nullable(pairs_of(number(100), 100)),
    rake_change_max=u64,
    rake_change_max_bp=u32_or_null,
    rake_carry=flag,
    priority_items=list_of(u64, RULE_ITEMS_MAX),
    referral_percent=u32,
    raffle=nullable(fields(template=u64, prize=text_of(PRIZE_BYTES), price=u64, commission=u64, tickets=u64, ticket_price=u64)),
)
STOCK = table_of(STOCK_MAX, deposit_id=u64, item_id=u64, price=u64)
GUARANTEES = table_of(GUARANTEES_MAX, deposit_id=u64, item_id=u64, price=u64)
CLOSE = fields(
    items=u32,
    tickets=u64,
    close_ms=u64,
    mode=u8,
    source=said,
    source_round=u64,
    stock=STOCK,
    inviters=list_of(fields(user_id=u64, inviters=list_of(u64, INVITERS_MAX))),
    rests=list_of(fields(user_id=u64, room=lane, round=u64, seal=hex_text(32), close_ms=u64, cents=u64)),
    hash=hash32,
)
DUE = fields(user_id=u64_or_null, tickets=u64, percent=number(100), base=u64, due=u64)
RAKE = fields(
    dues=list_of(DUE, WINNERS_MAX),
    due=u64,
    carry=u64,
    carried=list_of(fields(seal=hex_text(32), cents=u64)),
    taken=ids,
    change=list_of(u64, STOCK_MAX),
    net=u64,
    shortfall=u64,
)
ENDS = ("items", "bank", "time", "manual", "sold_out", "few", "lonely", "too_long", "expired", "operator", "failure")
OUTCOME = fields(
    deadline=u64_or_null,
    closed_by=one_of(*ENDS),
    opened_ms=u64_or_null,
    tickets=u64,
    winners=list_of(fields(user_id=u64, ticket=u64_or_null, share=u64), WINNERS_MAX),
    eliminations=list_of(fields(user_id=u64, value=number(2**4096)), 2 * TEAM_MAX),
    rake=nullable(RAKE),
    payouts=list_of(fields(user_id=u64, claim=u64, rows=ids, guarantees=ids, change=ids, credit=u64)),
    house=ids,
    referral=list_of(fields(user_id=u64, base=u64, inviters=ids, credits=list_of(u64, INVITERS_MAX)), WINNERS_MAX),
    renew=nullable(fields(value=hex_text(32), last=u64)),
    void=nullable(said),
    failure=nullable(said),
)
PROOFS = {
    (): fields(),
    ("signature",): fields(signature=hexed()),
    ("previous", "signature"): fields(previous=hexed(), signature=hexed()),
    ("header", "height"): fields(header=hexed(HEADER_BYTES), height=text_of(9)),
}


def proof(value: Any) -> dict[str, Any]:
    """Nothing, a beacon's signature (with the one before it), or a block's header and height."""
    reader = PROOFS.get(tuple(sorted(value))) if type(value) is dict else None
    if reader is None:
        raise Unreadable(" is no proof that we know")
    found: dict[str, Any] = reader(value)
    return found


RECORD = fields(
    format=one_of(FORMAT),
    id=u64,
    room=lane,
    mode=one_of(*MODES.values()),
    time_start=u64_or_null,
    status=one_of(SEALED),
    bank=u64,
    winning_number=nullable(text),
    hash=hash32,
    salt=hash32,
    winning_ticket=u64_or_null,
    items=ITEMS,
    players=table_of(LONGEST, user_id=u64, chance=text, is_winner=flag),
    rules=RULES,
    chain=fields(value=hash32, last=u64),
    prev_seal=hash32,
    guarantees=GUARANTEES,
    stock=STOCK,
    log=fields(start=hash32, end=hash32),
    manual=list_of(fields(digits=said, time_ms=u64, operator1=u64, operator2=u64, evidence=said), WINNERS_MAX),
    close=CLOSE,
    secret=nullable(hash32),
    entropy=hexed(),
    proof=proof,
    final=nullable(hash32),
    outcome=OUTCOME,
    seal=hash32,
)


def read(value: Any) -> Record:
    """A record with bytes in the place of hex, its tables (items, players, pieces of the house) as columns.

    Raises: Unreadable, naming the field.
    """
    try:
        record: Record = RECORD(value)
    except Unreadable as error:
        raise Unreadable(f"record{error}") from error
    return record
