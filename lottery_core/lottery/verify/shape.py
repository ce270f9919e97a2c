"""What a sealed record looks like: every field with its type and range, and nothing else (docs/record-format.md)."""

from typing import Any

from lottery.verify.strict import (
    Unreadable,
    fields,
    flag,
    hexed,
    list_of,
    nullable,
    number,
    one_of,
    pairs_of,
    table_of,
    text,
    u8,
    u32,
    u32_or_null,
    u64,
    u64_or_null,
)

Record = dict[str, Any]

FORMAT = "lot1"
MODES = {"classic": 1, "sitngo": 2, "teams": 3, "pot": 4, "giveaway": 5, "raffle": 6}
SEALED = 5
STOCK_MAX = 256
HEADER_BYTES = 80

hash32 = hexed(32)
ids = list_of(u64)

ITEMS = table_of(
    item_id=u64,
    deposit_id=u64,
    user_id=u64,
    price=u64,
    tickets_start=u64_or_null,
    tickets_end=u64_or_null,
    bet=u64,
    team=number(2),
    time_ms=u64,
    client_seed=text,
)
RULES = fields(
    name=text,
    mode=one_of(*MODES),
    item_limit_max=u32_or_null,
    bet_item_limit_max=u32_or_null,
    bet_value_min=u64_or_null,
    bet_value_max=u64_or_null,
    player_limit=u32_or_null,
    time_limit=u32_or_null,
    time_enable=flag,
    allowed_items=nullable(ids),
    shares=nullable(list_of(u64)),
    team_limit=u32_or_null,
    global_pot_limit=u64_or_null,
    min_players=u32,
    tickets=one_of("cent", "item", "bought"),
    entropy=text,
    entropy_margin_s=u32,
    unsettled=flag,
    ranges=one_of("complement", "inverse", None),
    rake=nullable(pairs_of(number(100))),
    rake_change_max=u64,
    rake_carry=flag,
    priority_items=ids,
    referral_percent=number(100),
    raffle=nullable(fields(template=u64, prize=text, price=u64, commission=u64, tickets=u64, ticket_price=u64)),
)
CLOSE = fields(items=u32, tickets=u64, close_ms=u64, mode=u8, source=text, source_round=u64, hash=hash32)
DUE = fields(user_id=u64_or_null, tickets=u64, percent=number(100), base=u64, due=u64)
RAKE = fields(
    dues=list_of(DUE),
    due=u64,
    carry=u64,
    taken=ids,
    change=ids,
    net=u64,
    shortfall=u64,
    stock=pairs_of(u64, STOCK_MAX),
)
OUTCOME = fields(
    time_start=u64_or_null,
    deadline=u64_or_null,
    closed_by=one_of("items", "bank", "time", "manual", "sold_out", "void"),
    opened_ms=u64,
    tickets=u64,
    winners=list_of(fields(user_id=u64, ticket=u64_or_null, share=u64)),
    eliminations=list_of(fields(user_id=u64, value=number(2**4096))),
    guarantees=list_of(fields(deposit_id=u64, item_id=u64, price=u64)),
    rake=nullable(RAKE),
    payouts=list_of(fields(user_id=u64, claim=u64, rows=ids, guarantees=ids, change=ids, credit=u64)),
    house=ids,
    referral=list_of(fields(user_id=u64, base=u64, inviters=ids, credits=list_of(u64))),
    void=nullable(text),
)
PROOFS = {
    (): fields(),
    ("signature",): fields(signature=hexed()),
    ("previous", "signature"): fields(previous=hexed(), signature=hexed()),
    ("header",): fields(header=hexed(HEADER_BYTES)),
}


def proof(value: Any) -> dict[str, bytes]:
    """Nothing, a beacon's signature (with the one before it), or a block's header."""
    reader = PROOFS.get(tuple(sorted(value))) if type(value) is dict else None
    if reader is None:
        raise Unreadable(" is no proof that we know")
    found: dict[str, bytes] = reader(value)
    return found


RECORD = fields(
    format=one_of(FORMAT),
    id=u64,
    room=text,
    mode=one_of(*MODES.values()),
    time_start=u64_or_null,
    status=one_of(SEALED),
    bank=u64,
    winning_number=nullable(text),
    hash=hash32,
    salt=hash32,
    winning_ticket=u64_or_null,
    items=ITEMS,
    players=table_of(user_id=u64, chance=text, is_winner=flag),
    rules=RULES,
    chain=fields(round=u64, value=hash32),
    prev_seal=hash32,
    log=fields(start=hash32, end=hash32),
    manual=list_of(fields(digits=text, time_ms=u64, operator1=u64, operator2=u64, evidence=text)),
    close=CLOSE,
    secret=hash32,
    entropy=hexed(),
    proof=proof,
    final=nullable(hash32),
    outcome=OUTCOME,
    seal=hash32,
)


def read(value: Any) -> Record:
    """A record with bytes in the place of hex, its items and players as columns.

    Raises: Unreadable, naming the field.
    """
    try:
        record: Record = RECORD(value)
    except Unreadable as error:
        raise Unreadable(f"record{error}") from error
    return record
