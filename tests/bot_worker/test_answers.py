"""The tables of Steam's answers, whole."""

from __future__ import annotations

import pytest

from bot_worker.steam import answers
from bot_worker.steam.answers import ExchangeMeans
from shared.domain.status import TradeEvent
from shared.errors import AnswerLost, FleetError, SteamRefused, SteamThrottled, SteamUnavailable

SENTENCE = "There was an error sending your trade offer.  Please try again later. ({})"
KNOWN = {
    2: (AnswerLost, "answer_lost"),
    8: (SteamRefused, "steam_refused"),
    11: (AnswerLost, "answer_lost"),
    15: (SteamRefused, "partner_unavailable"),
    16: (AnswerLost, "answer_lost"),
    20: (SteamUnavailable, "steam_unavailable"),
    24: (SteamRefused, "bot_locked"),
    25: (SteamRefused, "too_many_offers"),
    26: (SteamRefused, "item_gone"),
    28: (SteamRefused, "steam_refused"),
    34: (SteamRefused, "partner_unavailable"),
    50: (SteamRefused, "too_many_offers"),
    55: (SteamUnavailable, "steam_unavailable"),
    84: (SteamThrottled, "steam_throttled"),
}


@pytest.mark.parametrize("number", range(1, 130))
def test_every_number_of_a_refused_send(number: int) -> None:
    error = answers.send_failure(SENTENCE.format(number))
    kind, code = KNOWN.get(number, (AnswerLost, "answer_lost"))
    assert type(error) is kind
    assert (error.error_code, error.result) == (code, number)
    assert (error.retry_after_s is not None) == (kind in (SteamUnavailable, SteamThrottled))


@pytest.mark.parametrize(
    ("sentence", "code"),
    [
        ("You have sent too many trade offers, or have too many outstanding trade offers with Bob.", "too_many_offers"),
        ("You cannot trade with Bob because they have a trade ban.", "partner_banned"),
        ("You have logged in from a new device. In order to protect the items…", "bot_locked"),
        ("Bob is not available to trade. More information will be shown to Bob if they invite you.", "partner_unavailable"),
        ("We were unable to contact the game's item server. The game's item server may be down.", "steam_unavailable"),
        ("This Trade URL is no longer valid: offers can only be sent to friends.", "token_wrong"),
        ("This Trade URL is no longer valid for sending a trade offer to Bob.", "token_wrong"),
        ('Bob\'s inventory privacy is set to "Private", so you cannot ask for items of it.', "inventory_private"),
        ("There was an error sending your trade offer.<br><br>You cannot trade with Bob. (50)", "too_many_offers"),
        ("You have the maximum number of items allowed in your Counter-Strike 2 inventory.", "bot_full"),
        ("Ein Fehler ist aufgetreten.", "answer_lost"),
        ("", "answer_lost"),
        ("(26) stands in front", "answer_lost"),
    ],
)
def test_sentences_without_a_number(sentence: str, code: str) -> None:
    assert answers.send_failure(sentence).error_code == code


def test_results_are_told_by_plain_numbers() -> None:
    """Reports are JSON, and Steam's newest results have no name in the library."""
    assert sorted(answers.SEND_RESULTS) == [2, 8, 11, 15, 16, 20, 24, 25, 26, 28, 34, 50, 55, 84]
    assert all(type(number) is int is type(failure.result) for number, failure in answers.SEND_RESULTS.items())
    assert {int(result) for result in answers.SIGN_IN_REFUSALS} == {5, 43, 63, 65, 118}
    assert {int(result) for result in answers.WRONG_CODE_RESULTS} == {85, 88}


MENDABLE = {"partner_unavailable", "too_many_offers", "item_gone", "token_wrong", "partner_banned", "inventory_private"}


def test_every_refusal_that_a_player_can_mend_says_how() -> None:
    for failure in [*answers.SEND_RESULTS.values(), *(each for _, each in answers.SEND_SENTENCES)]:
        mendable = failure.code in MENDABLE
        assert bool(failure.player_message) == mendable


def test_every_offer_state_and_exchange_status_is_known() -> None:
    assert set(answers.OFFER_EVENTS) | {1, 3} == set(range(1, 13))
    assert all(isinstance(event, TradeEvent) for event in answers.OFFER_EVENTS.values())
    assert set(answers.EXCHANGES) == set(range(13))


@pytest.mark.parametrize("status", range(-1, 16))
def test_nothing_is_done_before_every_new_id_is_known(status: int) -> None:
    assert answers.exchange_means(status, complete=False) is not ExchangeMeans.DONE
    assert (answers.exchange_means(status, complete=True) is ExchangeMeans.DONE) == (status in (2, 3))


@pytest.mark.parametrize("result", [0, *range(2, 130)])
def test_every_result_of_a_read(result: int) -> None:
    kind: type[FleetError] = SteamThrottled if result in (84, 87) else SteamUnavailable
    if result not in (2, 10, 16, 20, 29, 48, 52, 55, 84, 87):
        kind = SteamRefused
    assert type(answers.read_failure(result)) is kind


@pytest.mark.parametrize(
    ("result", "kind", "code"),
    [
        (5, SteamRefused, "wrong_password"),
        (43, SteamRefused, "account_disabled"),
        (63, SteamRefused, "email_guard"),
        (65, SteamRefused, "email_guard"),
        (118, SteamRefused, "agreement_needed"),
        (84, SteamThrottled, "steam_throttled"),
        (87, SteamThrottled, "steam_throttled"),
        (2, SteamUnavailable, "steam_unavailable"),
        (None, SteamUnavailable, "steam_unavailable"),
    ],
)
def test_every_result_of_a_sign_in(result: int | None, kind: type[Exception], code: str) -> None:
    error = answers.sign_in_failure(result)
    assert type(error) is kind
    assert error.error_code == code
    assert bool(error.reason) == (kind is SteamRefused)
