"""What comes in at the calls of custody for games: locks, transfers, exchanges, credits, users, stock."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from balancer.custody import credits, exchanges, tickets, transfers
from balancer.custody.locks import terms
from balancer.db.tables import HOUSE
from balancer.web import visible
from balancer.web.schemas.forms import Body, Query, RecordId, SteamIdText, UserId, several, whole
from balancer.web.sentences import shaped
from shared.domain.games import CreditKind, LockState

LOCK_ROWS_MAX = 1000
MOVES_MAX = 2000
PAGE_MAX = 200
CENTS_MAX = 10**12

Ref = Annotated[
    str,
    Field(
        # Not of dots alone: in an address a client makes a step up of them, and the lock could not be asked for or released.
        pattern=shaped(
            r"^\.*[A-Za-z0-9_:-][A-Za-z0-9._:-]*$", "Write 1 to 128 letters, digits or signs of . _ : - as in bet_01jdv."
        ),
        max_length=128,
        description="Your own id of this call, kept for good: the same ref and body are answered as the first time",
        examples=["bet_01jdv"],
    ),
]
Note = Annotated[str, AfterValidator(visible.checked), Field(max_length=200, examples=["classic-unlimited-a/812"])]
TicketName = Annotated[
    str,
    AfterValidator(visible.checked),
    Field(
        pattern=shaped(
            r"^\S(.{0,98}\S)?$", "Write a name of at most 100 characters, without spaces at its ends, as in SnG Ticket."
        ),
        examples=["SnG Ticket"],
    ),
]
Count = Annotated[int, Field(ge=1, le=LOCK_ROWS_MAX, examples=[4])]
Cents = Annotated[int, Field(ge=-CENTS_MAX, le=CENTS_MAX)]
Some = Annotated[int, Field(ge=1, le=CENTS_MAX)]
# What a game posts; `exchange` is written by exchanges only, `correction` by an operator.
TransferKind = Literal[CreditKind.REST, CreditKind.REFERRAL, CreditKind.CARRY, CreditKind.MAKE_GOOD]
PostedKind = Literal[CreditKind.REST, CreditKind.REFERRAL, CreditKind.CARRY, CreditKind.MAKE_GOOD, CreditKind.CORRECTION]


def _by_name(value: object) -> object:
    return CreditKind(value) if isinstance(value, str) and value in set(CreditKind) else value


class LockBody(Body):
    """Items that are bound to a game."""

    ref: Ref
    user_id: Annotated[UserId, Field(description="Whose items; `house` for the house's own")]
    deposit_ids: list[RecordId] = Field(min_length=1, max_length=LOCK_ROWS_MAX)
    unsettled: bool = Field(False, description="Items that Steam may still take back too: your house bears the risk")
    note: Note = ""

    def wish(self) -> terms.Wish:
        return terms.Wish(self.user_id, self.deposit_ids, self.unsettled, self.note)


class MoveIn(Body):
    """One item from its owner to another, or to the same: then it is freed only."""

    deposit_id: RecordId
    from_user: Annotated[UserId, Field(alias="from")]
    to_user: Annotated[UserId, Field(alias="to")]


def _of_a_user(value: str) -> str:
    if value == HOUSE:
        raise ValueError("The house owes itself nothing: each line has its opposite on the house. Send another user_id.")
    return value


# Whom the house owes. A line on the house itself would be its own opposite: it would say something and change nothing.
Owed = Annotated[UserId, AfterValidator(_of_a_user)]


class TransferCredit(Body):
    """Cents that the house owes a user from now on."""

    user_id: Owed
    cents: Some
    kind: Annotated[TransferKind, BeforeValidator(_by_name)]

    def line(self) -> credits.Line:
        return credits.Line(self.user_id, self.cents, self.kind)


class TransferBody(Body):
    """Items under your locks that change hands."""

    ref: Ref
    locks: list[Ref] = Field(default_factory=list, max_length=MOVES_MAX)
    moves: list[MoveIn] = Field(default_factory=list, max_length=MOVES_MAX)
    release: Literal["none", "rest"] = Field(
        "none", description="`rest`: what is still under these locks then is freed with it"
    )
    credits: list[TransferCredit] = Field(default_factory=list, max_length=MOVES_MAX)

    @model_validator(mode="after")
    def _does_something(self) -> Self:
        if not (self.moves or self.credits or (self.release == "rest" and self.locks)):
            raise ValueError("Send moves, credits, or locks of which the rest is to be released.")
        return self

    def wish(self) -> transfers.Wish:
        moves = [transfers.Move(one.deposit_id, one.from_user, one.to_user) for one in self.moves]
        return transfers.Wish(self.locks, moves, self.release == "rest", [one.line() for one in self.credits])


class IssueBody(Body):
    """Tickets that the house issues."""

    ref: Ref
    market_hash_name: TicketName
    value_cents: Annotated[int, Field(ge=1, le=CENTS_MAX, description="Of each; for all tickets of this name, for good")]
    count: Count
    to: Literal["house"] = "house"

    def wish(self) -> tickets.Wish:
        return tickets.Wish(self.market_hash_name, self.value_cents, self.count)


class TakeIn(Body):
    """Items of the house by their ids, or so many tickets of one name."""

    deposit_ids: list[RecordId] = Field(default_factory=list, max_length=LOCK_ROWS_MAX)
    market_hash_name: TicketName | None = None
    count: Count | None = None

    @model_validator(mode="after")
    def _is_one_of_both(self) -> Self:
        named = self.market_hash_name is not None
        if named != (self.count is not None) or named == bool(self.deposit_ids):
            raise ValueError("Send deposit_ids, or market_hash_name with count.")
        return self


class ExchangeBody(Body):
    """What a user gives, and takes from the house."""

    ref: Ref
    user_id: UserId
    give: list[RecordId] = Field(default_factory=list, max_length=LOCK_ROWS_MAX, description="Items of the user")
    give_credit_cents: Annotated[int, Field(ge=0, le=CENTS_MAX, description="From the user's balance")] = 0
    take: TakeIn
    rest: Literal["credit", "refuse"] = Field(
        description="What becomes of the rest: a credit to the user, or the exchange is refused"
    )
    seen_cents: int | None = Field(
        None, ge=0, le=CENTS_MAX, description="What the user saw that everything given is worth; another sum is refused"
    )

    @model_validator(mode="after")
    def _gives_something(self) -> Self:
        if not (self.give or self.give_credit_cents):
            raise ValueError("Send give or give_credit_cents.")
        if self.user_id == HOUSE:
            raise ValueError("The house does not exchange with itself; send another user_id.")
        return self

    def wish(self) -> exchanges.Wish:
        return exchanges.Wish(
            user_id=self.user_id,
            give=self.give,
            take=self.take.deposit_ids,
            ticket=self.take.market_hash_name,
            tickets=self.take.count or 0,
            give_credit_cents=self.give_credit_cents,
            credit_rest=self.rest == "credit",
            seen_cents=self.seen_cents,
        )


class CreditIn(Body):
    """Cents for a user; fewer than none take from the balance. A correction says why."""

    user_id: Owed
    cents: Cents
    kind: Annotated[PostedKind, BeforeValidator(_by_name)]
    reason: Note = ""

    @model_validator(mode="after")
    def _is_some(self) -> Self:
        if self.cents == 0:
            raise ValueError("Send other cents than 0.")
        if (self.kind is CreditKind.CORRECTION) != bool(self.reason):
            raise ValueError("Send a reason with a correction, and with nothing else.")
        return self

    def line(self) -> credits.Line:
        return credits.Line(self.user_id, self.cents, self.kind, self.reason)


class CreditsBody(Body):
    """Lines of credit, all or none."""

    ref: Ref
    lines: list[CreditIn] = Field(min_length=1, max_length=MOVES_MAX)
    not_below_cents: Annotated[Cents, Field(description="No line may take a balance below this")] = 0


class UserBody(Body):
    """Whose Steam account."""

    steam_id: SteamIdText


class RefPath(Query):
    """One ref of yours."""

    ref: Ref


class LocksQuery(Query):
    """Which locks; `state` may be repeated."""

    state: Annotated[list[LockState], BeforeValidator(several), Field(max_length=len(LockState))] = Field(default_factory=list)
    user_id: UserId | None = None
    after: Annotated[Ref | None, Field(description="Ref of the last lock that was read")] = None
    limit: Annotated[int, Field(ge=1, le=PAGE_MAX), BeforeValidator(whole)] = 100


class TransfersQuery(Query):
    """One page of transfers."""

    after: Annotated[Ref | None, Field(description="Ref of the last transfer that was read")] = None
    limit: Annotated[int, Field(ge=1, le=PAGE_MAX), BeforeValidator(whole)] = 100


class CreditsQuery(Query):
    """Whose credits."""

    user_id: UserId
    after: Annotated[RecordId | None, Field(description="Id of the last line that was read")] = None
    limit: Annotated[int, Field(ge=1, le=1000), BeforeValidator(whole)] = 100


class StockQuery(Query):
    """How dear the house's items may be, and how many of them."""

    value_max_cents: Annotated[int | None, Field(ge=0, le=CENTS_MAX), BeforeValidator(whole)] = None
    limit: Annotated[int, Field(ge=1, le=1000), BeforeValidator(whole)] = 100


class ItemsQuery(Query):
    """One page of the catalogue."""

    after: Annotated[RecordId | None, Field(description="Id of the last item that was read")] = None
    limit: Annotated[int, Field(ge=1, le=5000), BeforeValidator(whole)] = 1000
