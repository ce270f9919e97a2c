"""Invariants 13 to 15: one opening per commitment, one chain per lane, and the order of publication."""

from typing import Any

import lottery_factories as make
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lottery import commitments, drawing, encoding, rooms, rounds, sources
from lottery.effects import Opened
from lottery.errors import Refused
from lottery.events import Entropy, Finalize, Open, Settled, Start, Void
from lottery.snapshots import snapshot
from lottery.state import Phase, Round

texts = st.text(max_size=12)
blobs = st.binary(min_size=32, max_size=32)
tuples = st.tuples(texts, st.integers(0, 2**64 - 1), blobs, blobs)


def preimage(room: str, number: int, salt: bytes, secret: bytes) -> bytes:
    return encoding.TAG("lot2.commit") + encoding.S(room) + encoding.U64(number) + salt + secret


@given(tuples, tuples)
def test_inv_13_no_two_commitments_share_an_encoding(
    one: tuple[str, int, bytes, bytes], other: tuple[str, int, bytes, bytes]
) -> None:
    assert (preimage(*one) == preimage(*other)) == (one == other)
    assert commitments.commit(*one) == encoding.sha256(preimage(*one))


@given(texts, st.integers(1, 2**40), blobs, blobs, st.integers(1, 31))
def test_inv_13_bytes_cannot_move_between_fields(room: str, number: int, salt: bytes, secret: bytes, shift: int) -> None:
    glued, commitment = salt + secret, commitments.commit(room, number, salt, secret)
    with pytest.raises(ValueError, match="32 bytes each"):
        commitments.commit(room, number, glued[: 32 + shift], glued[32 + shift :])
    with pytest.raises(Refused) as refused:
        commitments.check_secret(room, number, commitment, commitments.chain_step(room, secret), secret[shift:])
    assert refused.value.code == "commitment"


def test_inv_13_the_glued_string_attack_fails() -> None:
    """C3: with a number and a salt glued as text, one hash has many openings; with 32 fixed bytes each it has one."""
    glued = "0.36263426738" + "9174b1c0"
    openings = {glued[:cut] for cut in range(3, len(glued))}
    assert len({int(float(number) * 45_000) for number in openings if not set(number) - set("0123456789.")}) > 1
    lane = make.Lane(rooms.load("classic-unlimited"))
    state = closed(lane)
    secret = lane.secret(state)
    for wrong in (secret[:-1], secret + b"\x00", secret[1:] + b"\x00", b""):
        with pytest.raises(Refused):
            rounds.apply(state, Open(state.now, make.token(), wrong))
    assert state.phase is Phase.CLOSED


@given(st.lists(st.one_of(texts.map(encoding.S), blobs.map(encoding.LP)), max_size=4))
def test_inv_13_lengths_make_lists_unambiguous(parts: list[bytes]) -> None:
    glued, found, place = b"".join(parts), [], 0
    while place < len(glued):
        size = int.from_bytes(glued[place : place + 4], "big")
        found.append(glued[place : place + 4 + size])
        place += 4 + size
    assert found == parts


def test_inv_13_tags_separate_the_purposes() -> None:
    tags = ["chain", "commit", "rules", "open", "item", "manual", "close", "final", "final0", "draw", "seal"]
    encoded = [encoding.TAG(f"lot2.{tag}") for tag in tags]
    assert not any(one != other and other.startswith(one) for one in encoded for other in encoded)


@given(blobs, st.integers(1, 20))
def test_inv_14_each_secret_hashes_to_the_one_before(last: bytes, length: int) -> None:
    values = commitments.chain("a room", last, length)
    assert len(values) == length + 1
    assert values[-1] == last
    for number in range(1, length + 1):
        assert commitments.chain_step("a room", values[number]) == values[number - 1]
    assert commitments.chain_step("another room", values[1]) != values[0]


def closed(lane: make.Lane, **changes: Any) -> Round:
    state = lane.started(**changes)
    make.place(state, 1, [300])
    make.place(state, 2, [200])
    make.close_by_time(state)
    return state


def test_inv_14_a_round_with_a_foreign_secret_is_refused() -> None:
    """The operator commits to a secret that is not on his chain: he cannot open it."""
    lane = make.Lane(rooms.load("classic-unlimited"))
    foreign = make.digest("another secret")
    state = closed(lane, hash=commitments.promise(lane.name, 1, foreign))
    for secret in (foreign, lane.seeds.secret(1), lane.seeds.secret(2)):
        before = snapshot(state)
        with pytest.raises(Refused) as refused:
            rounds.apply(state, Open(state.now + 1000, make.token(), secret))
        assert refused.value.code == ("chain" if secret == foreign else "commitment")
        assert snapshot(state) == before


def test_inv_14_the_next_round_goes_on_where_the_last_one_ended() -> None:
    lane, first = make.classic()
    for changes in ({"round": 3}, {"prev_seal": bytes(32)}, {"chain": lane.seeds.link(1)}, {"room": "elsewhere"}, {"now": 1}):
        with pytest.raises(Refused):
            rounds.create(lane.create_event(**changes), first)
    assert rounds.create(lane.create_event(), first).number == 2


def test_inv_14_an_unsealed_round_blocks_its_lane() -> None:
    lane = make.Lane(rooms.load("classic-unlimited"))
    state = closed(lane)
    with pytest.raises(Refused) as refused:
        rounds.create(lane.create_event(prev_seal=make.digest("seal of nothing")), state)
    assert refused.value.code == "previous_open"


def test_inv_14_void_rounds_keep_the_chain_going() -> None:
    lane = make.Lane(rooms.load("classic-unlimited"))
    state = lane.started()
    rounds.apply(state, Void(state.now, make.token(), "power cut"))
    with pytest.raises(Refused) as refused:
        rounds.create(lane.create_event(prev_seal=make.digest("seal of nothing")), state)
    assert refused.value.code == "previous_open"
    make.finish(lane, state)
    assert lane.create().number == 2


# ---- 15


def refused_unchanged(state: Round, event: Any) -> str:
    before = snapshot(state)
    with pytest.raises(Refused) as refused:
        make.apply(state, event)
    assert snapshot(state) == before
    return refused.value.code


def test_inv_15_no_opening_before_the_close() -> None:
    lane = make.Lane(rooms.load("classic-unlimited"))
    state = lane.create()
    assert refused_unchanged(state, Open(state.now, make.token(), lane.secret(state))) == "phase"
    rounds.apply(state, Start(state.now, make.token()))
    make.place(state, 1, [300])
    assert refused_unchanged(state, Open(state.now, make.token(), lane.secret(state))) == "phase"


def test_inv_15_no_entropy_before_the_opening_and_none_twice() -> None:
    lane = make.Lane(rooms.load("classic-unlimited"))
    state = closed(lane)
    assert refused_unchanged(state, make.entropy_event(state)) == "phase"
    rounds.apply(state, Open(state.now + 1000, make.token(), lane.secret(state)))
    make.apply(state, make.entropy_event(state))
    assert refused_unchanged(state, make.entropy_event(state, "another")) == "phase"


def opened(entropy: str = "drand:quicknet") -> tuple[make.Lane, Round]:
    lane = make.Lane(rooms.load("classic-unlimited", entropy=entropy))
    state = closed(lane)
    rounds.apply(state, Open(state.now + 1000, make.token(), lane.secret(state)))
    return lane, state


@pytest.mark.parametrize("entropy", ["drand:quicknet", "drand:default", "block:bitcoin"])
def test_inv_15_a_beacon_of_another_round_is_refused(entropy: str) -> None:
    _, state = opened(entropy)
    assert state.close is not None
    right = make.entropy_event(state)
    for other in (-1, 1):
        wrong = Entropy(right.now, make.token(), right.source_round + other, right.entropy, right.proof)
        assert refused_unchanged(state, wrong) == "source_round"
    make.apply(state, right)
    assert state.phase is Phase.DRAWN


@pytest.mark.parametrize(
    ("entropy", "proof"),
    [
        ("drand:quicknet", {}),
        ("drand:quicknet", {"signature": "00" * 48}),
        ("drand:quicknet", {"signature": "AB" * 48}),
        ("drand:quicknet", {"signature": "00" * 47}),
        ("drand:default", {"signature": "00" * 96}),
        ("block:bitcoin", {"header": "00" * 80}),
        ("block:bitcoin", {"header": "00" * 80, "height": "1"}),
        ("block:bitcoin", {"header": "00" * 79, "height": "1"}),
        ("block:bitcoin", {"signature": "00" * 80}),
    ],
)
def test_inv_15_entropy_without_its_proof_is_refused(entropy: str, proof: dict[str, str]) -> None:
    _, state = opened(entropy)
    right = make.entropy_event(state)
    wrong = Entropy(right.now, make.token(), right.source_round, right.entropy, proof)
    assert refused_unchanged(state, wrong) == "entropy_proof"


def test_inv_15_an_early_block_is_refused() -> None:
    _, state = opened("block:bitcoin")
    right = make.entropy_event(state)
    entropy, proof = make.block(right.source_round - 1)
    early = Entropy(right.now, make.token(), right.source_round, entropy, proof)
    assert refused_unchanged(state, early) == "entropy_proof"


@pytest.mark.parametrize("height", ["", "-1", "01", "1e3", "1" * 20, "٣"])
def test_inv_15_a_block_has_a_height(height: str) -> None:
    _, state = opened("block:bitcoin")
    right = make.entropy_event(state)
    wrong = Entropy(right.now, make.token(), right.source_round, right.entropy, {**right.proof, "height": height})
    assert refused_unchanged(state, wrong) == "entropy_proof"


def beacon_ms(state: Round) -> int:
    return drawing.beacon_ms(state) or 0


def test_inv_15_a_late_opening_is_noted() -> None:
    lane = make.Lane(rooms.load("classic-unlimited"))
    state = closed(lane)
    (told,) = rounds.apply(state, Open(beacon_ms(state), make.token(), lane.secret(state)))
    assert told == Opened(lane.secret(state), True)


def test_inv_15_the_beacon_comes_after_close_and_margin() -> None:
    for close_ms in range(make.T0, make.T0 + 7000, 333):
        for name, network in sources.NETWORKS.items():
            source = sources.source_of(sources.entropy_mode(f"drand:{name}"), network, close_ms, 6)
            assert source.time_ms is not None
            assert 6000 < source.time_ms - close_ms <= 6000 + network.period * 1000 + 1000


def test_inv_15_an_operator_cannot_call_off_a_round_whose_clock_has_run_out() -> None:
    """He could hold back the tick, look at the beacon, and void what he does not like."""
    state = make.Lane(rooms.load("classic-unlimited")).started()
    make.place(state, 1, [300])
    make.place(state, 2, [200])
    assert state.deadline is not None
    assert refused_unchanged(state, Void(state.deadline, make.token(), "regret")) == "deadline"
    make.close_by_time(state)
    assert state.phase is Phase.CLOSED


def test_inv_15_settlement_moves_every_row_once() -> None:
    lane = make.Lane(rooms.load("classic-unlimited"))
    state = closed(lane)
    make.draw(lane, state)
    assert refused_unchanged(state, Settled(state.now, make.token(), (1, 2))) == "phase"
    rounds.apply(state, Finalize(state.now, make.token()))
    for wrong in ((1,), (1, 2, 2), (1, 2, 3), (1, 1), ()):
        assert refused_unchanged(state, Settled(state.now, make.token(), wrong)) == "moved"
    rounds.apply(state, Settled(state.now, make.token(), (2, 1)))
    assert state.phase is Phase.SEALED


def test_inv_15_typed_numbers_stand_in_the_log_before_the_close() -> None:
    lane = make.Lane(rooms.load("global-pot", global_pot_limit=500, shares=(2, 1)))
    state = lane.started()
    make.place(state, 1, [300])
    assert refused_unchanged(state, make.typed(state, "5")) == "phase"
    make.place(state, 2, [300])
    typing = state.phase
    assert typing is Phase.TYPING
    assert refused_unchanged(state, Open(state.now, make.token(), lane.secret(state))) == "phase"
    first = state.log
    rounds.apply(state, make.typed(state, "5"))
    assert state.log != first
    assert state.close is None
    rounds.apply(state, make.typed(state, "007"))
    assert state.phase is Phase.CLOSED
    assert refused_unchanged(state, make.typed(state, "9")) == "phase"
