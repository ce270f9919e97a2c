import itertools

import pytest

from shared.domain import status
from shared.domain.status import EARLY, FINAL, LIVE, DepositStatus, TradeEvent, TradeStatus, Verdict, decide

S, E = TradeStatus, TradeEvent

# Written out again by hand, from → to, so that a slip in the table does not go unseen.
MOVES = {
    E.PICKED_UP: ({S.QUEUED}, S.SENDING),
    E.REFUSED: ({S.QUEUED, S.SENDING}, S.FAILED),
    E.BOT_REFUSED: ({S.SENDING}, S.QUEUED),
    E.TRY_LATER: ({S.SENDING}, S.QUEUED),
    E.ANSWER_LOST: ({S.QUEUED, S.SENDING}, S.IN_DOUBT),
    E.OFFER_ABSENT: ({S.IN_DOUBT}, S.QUEUED),
    E.CONFIRMATION_NEEDED: (set(EARLY), S.CONFIRMING),
    E.OFFER_ACTIVE: ({*EARLY, S.CONFIRMING}, S.SENT),
    E.OFFER_HELD: ({*EARLY, S.CONFIRMING, S.SENT}, S.HELD),
    E.OFFER_ACCEPTED: (set(LIVE), S.ACCEPTED),
    E.OFFER_DECLINED: ({*EARLY, S.CONFIRMING, S.SENT}, S.DECLINED),
    E.OFFER_COUNTERED: ({*EARLY, S.CONFIRMING, S.SENT}, S.COUNTERED),
    E.OFFER_EXPIRED: ({*EARLY, S.CONFIRMING, S.SENT}, S.EXPIRED),
    E.OFFER_CANCELED: (set(LIVE), S.CANCELED),
    E.ITEMS_MISSING: (set(LIVE), S.FAILED),
    E.EXCHANGE_FAILED: (set(LIVE), S.FAILED),
    E.EXCHANGE_REVERSED: ({*LIVE, S.ACCEPTED, S.SETTLED}, S.REVERSED),
    E.SETTLED: ({S.ACCEPTED}, S.SETTLED),
}


@pytest.mark.parametrize(("before", "event"), list(itertools.product(TradeStatus, MOVES)))
def test_every_pair_does_what_the_table_says(before: TradeStatus, event: TradeEvent) -> None:
    sources, to = MOVES[event]
    if before in sources:
        assert decide(before, event) == (Verdict.MOVES, to)
    elif before is to or (event is E.PICKED_UP and before in (S.CONFIRMING, S.SENT, S.HELD, S.ACCEPTED, S.SETTLED)):
        # That a worker has begun may be heard after what it did: two balancers share the reports.
        assert decide(before, event) == (Verdict.NO_NEWS, before)
    else:
        assert decide(before, event) == (Verdict.IGNORED, before)


@pytest.mark.parametrize("before", list(TradeStatus))
def test_a_dropped_order_leads_where_the_wish_and_the_limit_say(before: TradeStatus) -> None:
    for dropped_to in (S.CANCELED, S.QUEUED, S.FAILED):
        verdict, after = decide(before, E.ORDER_DROPPED, dropped_to=dropped_to)
        if before in EARLY:
            assert (verdict, after) == (Verdict.MOVES, dropped_to)
        else:
            assert verdict is not Verdict.MOVES and after is before


def test_the_wish_of_the_site_goes_before_another_attempt() -> None:
    assert status.after_dropped(cancel_requested=True, attempts_left=True) is S.CANCELED
    assert status.after_dropped(cancel_requested=False, attempts_left=True) is S.QUEUED
    assert status.after_dropped(cancel_requested=False, attempts_left=False) is S.FAILED


@pytest.mark.parametrize(("final", "event"), list(itertools.product(FINAL, TradeEvent)))
def test_nothing_but_a_reversal_of_a_settled_trade_leaves_a_final_status(final: TradeStatus, event: TradeEvent) -> None:
    verdict, after = decide(final, event, dropped_to=S.CANCELED)
    reversal = (final, event) == (S.SETTLED, E.EXCHANGE_REVERSED)
    assert (after is final) is not reversal
    assert (verdict is Verdict.MOVES) is reversal


def test_a_trade_in_doubt_is_only_sent_again_when_the_offer_was_shown_absent_or_the_order_dropped() -> None:
    back = {event for event in TradeEvent if decide(S.IN_DOUBT, event)[1] is S.QUEUED}
    assert back == {E.OFFER_ABSENT, E.ORDER_DROPPED}


def test_every_end_of_a_deposit_trade_moves_its_rows() -> None:
    assert set(status.DEPOSIT_END) == {*status.ENDED_UNMOVED, S.ACCEPTED}
    for event in status.DEPOSIT_END.values():
        assert (DepositStatus.DEPOSIT_PENDING, event) in status.DEPOSIT_TABLE


def test_no_row_comes_back_from_a_final_status_but_a_reversed_withdrawal() -> None:
    leaving = {source for source, _ in status.DEPOSIT_TABLE if source in status.DEPOSIT_FINAL}
    assert leaving == {DepositStatus.WITHDRAWN}
