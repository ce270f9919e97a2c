"""From a drawn round to its outcome: who gets which rows, what the house keeps, who is credited; all computed, none executed.

A function of the round as it was closed and drawn: nothing is brought along. One small function per mode of room, in
`SETTLERS`. The outcome is plain JSON (docs/record-format.md, section 5).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from lottery import rake, referral, shares, teams
from lottery.commitments import Rest
from lottery.draw import Winner, Words
from lottery.effects import Payout
from lottery.errors import LotteryError
from lottery.pot import Columns
from lottery.rake import Item, Ordered, Rake
from lottery.state import Round

CT, T = 1, 2


class Share(NamedTuple):
    """What one winner gets, before guarantees: a claim in cents, what meets it, the part (`base`) of the rake."""

    user_id: int
    claim: int
    rows: list[int]
    change: tuple[int, ...] = ()
    credit: int = 0
    base: int = 0


class Settlement(NamedTuple):
    shares: list[Share]
    house: list[int]
    rake: dict[str, Any] | None = None


def play_teams(state: Round, words: Words) -> tuple[tuple[tuple[int, int], ...], tuple[Winner, ...]]:
    """The eliminations of a 5v5 and its survivors, both as the state keeps them."""
    seats = seats_of(state)
    gone, living = teams.play(seats, state.rules.ranges or "", words)
    return tuple((each.user_id, each.value) for each in gone), tuple(Winner(seat.user_id, None, None) for seat in living)


def seats_of(state: Round) -> list[teams.Seat]:
    """The seats of a 5v5: CT in the order of first bets, then T."""
    players = list(state.players.values())
    return [teams.Seat(each.user_id, team, each.tickets) for team in (CT, T) for each in players if each.team == team]


# ---- the outcome


def outcome(state: Round) -> dict[str, Any]:
    """The outcome of a drawn round."""
    settlement = SETTLERS[state.rules.mode](state)
    guarantees = [piece.deposit_id for piece in state.guarantees]
    return {
        **_frame(state),
        "winners": _winners(state),
        "eliminations": [{"user_id": user_id, "value": value} for user_id, value in state.eliminations],
        "rake": settlement.rake,
        "payouts": [_payout(share, guarantees if not index else []) for index, share in enumerate(settlement.shares)],
        "house": settlement.house,
        "referral": _referral(state, settlement.shares),
    }


def void_outcome(state: Round) -> dict[str, Any]:
    """The outcome of a round without a draw: everything goes back."""
    return {
        **_frame(state),
        "winners": [],
        "eliminations": [],
        "rake": None,
        "payouts": [_payout_json(payout) for payout in refunds(state)],
        "house": [],
        "referral": [],
    }


def _frame(state: Round) -> dict[str, Any]:
    renewed = state.renewed
    return {
        "deadline": state.deadline,
        "closed_by": state.closed_by,
        "opened_ms": state.opened_ms,
        "tickets": state.tickets,
        "void": state.void_reason,
        "failure": state.failure,
        "renew": None if renewed is None else {"value": renewed.value.hex(), "last": renewed.last},
    }


def _winners(state: Round) -> list[dict[str, Any]]:
    weights = share_weights(state)
    drawn = zip(state.winners, weights, strict=True)
    return [{"user_id": winner.user_id, "ticket": winner.ticket, "share": share} for winner, share in drawn]


def share_weights(state: Round) -> list[int]:
    """Each winner's share as the room counts it: its weight, its items, or (5v5) the survivor's bet."""
    if state.rules.mode == "teams":
        return [state.players[winner.user_id].tickets for winner in state.winners]
    return list((state.rules.shares or (1,))[: len(state.winners)])


def _payout(share: Share, guarantees: list[int]) -> dict[str, Any]:
    payout = Payout(share.user_id, share.claim, tuple(share.rows), tuple(guarantees), share.change, share.credit)
    return _payout_json(payout)


def _payout_json(payout: Payout) -> dict[str, Any]:
    return {
        "user_id": payout.user_id,
        "claim": payout.claim,
        "rows": list(payout.rows),
        "guarantees": list(payout.guarantees),
        "change": list(payout.change),
        "credit": payout.credit,
    }


def of_outcome(result: Mapping[str, Any]) -> tuple[Payout, ...]:
    """The payouts of an outcome, as effects."""
    return tuple(
        Payout(
            each["user_id"],
            each["claim"],
            tuple(each["rows"]),
            tuple(each["guarantees"]),
            tuple(each["change"]),
            each["credit"],
        )
        for each in result["payouts"]
    )


def refunds(state: Round) -> tuple[Payout, ...]:
    """Everybody's own rows, in the order of the log; in a raffle the money paid. Prices meanwhile are the owner's affair."""
    if state.rules.raffle is not None:
        return tuple(Payout(each.user_id, each.value, (), (), (), each.value) for each in state.players.values())
    rows: dict[int, list[int]] = {user_id: [] for user_id in state.players}
    for entry in state.entries:
        rows[entry.user_id].append(entry.deposit_id)
    return tuple(Payout(each.user_id, each.value, tuple(rows[each.user_id]), (), (), 0) for each in state.players.values())


def moving_rows(state: Round) -> set[int]:
    """Every row that has to be moved once when the round is settled: the pot, the guarantees, the change."""
    if state.outcome is None:
        raise LotteryError("the round is not finalized")
    moving = set(state.outcome["house"])
    for payout in state.outcome["payouts"]:
        moving.update(payout["rows"], payout["guarantees"], payout["change"])
    return moving


def referral_credits(result: Mapping[str, Any]) -> tuple[tuple[int, int], ...]:
    """(inviter, cents) for every credit of an outcome, in order."""
    return tuple(
        pair for each in result["referral"] for pair in zip(each["inviters"], each["credits"], strict=False)
    )  # fmt: skip


def _referral(state: Round, given: Sequence[Share]) -> list[dict[str, object]]:
    rate = state.rules.referral_percent
    lines = [referral.entry(each.user_id, each.base, state.players[each.user_id].inviters, rate) for each in given]
    return [line for line in lines if line is not None]


# ---- one small function per mode


def _classic(state: Round) -> Settlement:
    """The winner takes the pot less the rake, and gets change for what was taken over the due."""
    user_id = state.winners[0].user_id
    pot = state.entries.columns()
    order = pot.dearest_first()
    taken, entry = _classic_rake(state, user_id, pot, order)
    gone, users, deposits = set(taken.taken), pot.users, pot.deposits
    left = [place for place in order if deposits[place] not in gone]
    rows = [deposits[place] for place in left if users[place] == user_id]
    rows += [deposits[place] for place in left if users[place] != user_id]
    change = tuple(sorted(taken.change))
    share = Share(user_id, state.bank - taken.net, rows, change, base=taken.net)
    return Settlement([share], list(taken.taken), entry)


def _classic_rake(state: Round, user_id: int, pot: Columns, order: Sequence[int]) -> tuple[Rake, dict[str, Any] | None]:
    table, winner = state.rules.rake, state.players[user_id]
    if table is None:
        return rake.NOTHING, None
    line = _due(table, user_id, winner.tickets, state.tickets, state.bank)
    owed = sum(rest.cents for rest in winner.rests)
    carry = rake.carried(owed, line["due"], state.bank - winner.value)
    change_max = state.rules.change_max(state.bank) if state.stock else 0
    users = pot.users
    others = [place for place in order if users[place] != user_id]

    def whole() -> Ordered | None:
        return _ordered(state, pot, order) if winner.value else None

    taken = rake.choose(line["due"] + carry, _ordered(state, pot, others), whole, state.stock, change_max)
    carried = _carried(winner.rests, max(0, taken.net - line["due"]))
    return taken, _rake_json([line], carry, carried, taken.taken, taken.change, taken.net)


def _carried(rests: Sequence[Rest], cents: int) -> list[dict[str, Any]]:
    """What was collected of earlier rests, in the order in which they were brought along."""
    lines = []
    for rest in rests:
        part = min(cents, rest.cents)
        cents -= part
        if part:
            lines.append({"seal": rest.seal.hex(), "cents": part})
    return lines


def _due(table: rake.Table, user_id: int | None, tickets: int, all_tickets: int, base: int) -> dict[str, Any]:
    rate = rake.percent(table, tickets, all_tickets)
    return {"user_id": user_id, "tickets": tickets, "percent": rate, "base": base, "due": rake.due(base, rate)}


def _ordered(state: Round, pot: Columns, places: Sequence[int]) -> Ordered:
    """Rows that may be taken, given dearest first, in order of preference."""
    _, items, deposits, prices = pot
    first, valued = state.rules.priority, [place for place in places if prices[place]]
    liked = [place for place in valued if items[place] in first] if first else []
    if liked:
        valued = liked + [place for place in valued if items[place] not in first]
    return Ordered([deposits[place] for place in valued], [prices[place] for place in valued], len(liked))


def _rake_json(
    dues: list[dict[str, Any]],
    carry: int,
    carried: list[dict[str, Any]],
    taken: Sequence[int],
    change: Sequence[int],
    net: int,
) -> dict[str, Any]:
    total = sum(line["due"] for line in dues)
    return {
        "dues": dues,
        "due": total,
        "carry": carry,
        "carried": carried,
        "taken": list(taken),
        "change": sorted(change),
        "net": net,
        "shortfall": max(0, total - net),
    }


def _sitngo(state: Round) -> Settlement:
    """Shares are numbers of rows; what no share covers stays with the house and is the rake."""
    users = [winner.user_id for winner in state.winners]
    counts = shares.item_shares(state.rules.shares or (), len(users))
    given, house = shares.serve_items(state.entries, users, counts)
    prices = {entry.deposit_id: entry.price for entry in state.entries}
    kept = sum(prices[row] for row in house)
    bases = [kept * count // sum(counts) for count in counts]
    lines = zip(users, given, bases, strict=True)
    return Settlement([Share(user, sum(prices[row] for row in rows), rows, base=base) for user, rows, base in lines], house)


def _giveaway(state: Round) -> Settlement:
    """The entry tickets are the house's revenue; the winner takes the guarantee only."""
    return Settlement([Share(state.winners[0].user_id, 0, [])], [entry.deposit_id for entry in state.entries])


def _raffle(state: Round) -> Settlement:
    """Nobody staked a row: the winner takes the prize, the money was paid when the tickets were bought."""
    return Settlement([Share(state.winners[0].user_id, 0, [])], [])


def _pot(state: Round) -> Settlement:
    """Parts of the bank by weight; each winner's rake by their own chance, on their part."""
    users = [winner.user_id for winner in state.winners]
    parts = shares.in_proportion(state.bank, share_weights(state))
    table = state.rules.rake or ((100, 0),)
    lines = [
        _due(table, user, state.players[user].tickets, state.tickets, part) for user, part in zip(users, parts, strict=True)
    ]
    claims = [part - line["due"] for part, line in zip(parts, lines, strict=True)]
    return _by_claims(state, users, claims, lines, [line["due"] for line in lines])


def _teams(state: Round) -> Settlement:
    """Survivors keep their bets and share the rest in proportion; one rake, by the winning team's share of the bank.

    It is never more than the losers staked, so that no survivor gets back less than their own items.
    """
    users = [winner.user_id for winner in state.winners]
    stakes = share_weights(state)
    team = state.players[users[0]].team
    tickets = sum(each.tickets for each in state.players.values() if each.team == team)
    line = _due(state.rules.rake or ((100, 0),), None, tickets, state.tickets, state.bank)
    line["due"] = min(line["due"], state.bank - sum(stakes))
    claims = shares.in_proportion(state.bank - line["due"], stakes, rest_to=stakes.index(max(stakes)))
    bases = [line["due"] * stake // sum(stakes) for stake in stakes]
    return _by_claims(state, users, claims, [line], bases)


def _by_claims(state: Round, users: list[int], claims: list[int], lines: list[dict[str, Any]], bases: list[int]) -> Settlement:
    """Rows against claims, then change out of the house's stock, then credit: so the house keeps exactly the due.

    What it takes are rows of those who have not won; a winner's own items are never the rake.
    """
    total = sum(line["due"] for line in lines)
    pot, winners = state.entries.columns(), set(users)
    order = pot.dearest_first()
    others = [place for place in order if pot.users[place] not in winners]
    taken = rake.choose(total, _ordered(state, pot, others), lambda: None, [], 0)
    gone = set(taken.taken)
    given = shares.hand_out(pot, [place for place in order if pot.deposits[place] not in gone], users, claims)
    change = _change(state, given.credit)
    result = [
        Share(user, claim, rows, tuple(sorted(each.taken)), credit - each.net, base)
        for user, claim, rows, each, credit, base in zip(users, claims, given.rows, change, given.credit, bases, strict=True)
    ]
    entry = None
    if state.rules.rake is not None:
        entry = _rake_json(lines, 0, [], taken.taken, [row for each in change for row in each.taken], total)
    return Settlement(result, [*taken.taken, *given.left], entry)


def _change(state: Round, open_claims: Sequence[int]) -> list[Rake]:
    """For one winner after the other: pieces of the stock worth as much as their open claim, or as near below it as they come.

    The choice is that of the rake, with the stock in the place of the pot.
    """
    most = state.rules.change_max(state.bank)
    free = {piece.deposit_id: Item(piece.deposit_id, piece.price) for piece in state.stock if piece.price <= most}
    found = []
    for cents in open_claims:
        given = rake.collect(cents, free.values(), [], [], 0)
        for row in given.taken:
            del free[row]
        found.append(given)
    return found


Settler = Callable[[Round], Settlement]
SETTLERS: Mapping[str, Settler] = {
    "classic": _classic,
    "sitngo": _sitngo,
    "teams": _teams,
    "pot": _pot,
    "giveaway": _giveaway,
    "raffle": _raffle,
}
