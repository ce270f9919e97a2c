"""A record beside others: the one before, the anchor, receipts, and a whole lane; by the command and by what it calls."""

import copy
import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lottery_factories as make
import pytest
import records

from lottery import cli, commitments, record, rooms, rounds, verify
from lottery.commitments import Rest
from lottery.encoding import canonical_json
from lottery.events import Fail, Renew, Void
from lottery.state import Round
from lottery.verify import lane as lanes

Json = dict[str, Any]
ROOM = rooms.load("classic-unlimited", entropy="none", rake_carry=True)


class Played:
    """A lane of five rounds: drawn, void, drawn with a new chain bound, and two on that chain. Kept in files, as published."""

    def __init__(self) -> None:
        self.lane = make.Lane(ROOM, "a lane", 3)
        self.receipts: dict[int, Json] = {}
        self.states: list[Round] = []
        for number in range(1, 6):
            self.states.append(self.one_round(number))

    def one_round(self, number: int) -> Round:
        state = self.lane.started(stock=make.stock([7, 9]))
        first, *_ = make.place(state, 1, [300, 40], rests=self.rests(1))
        self.receipts[number] = record.receipt(state, first)  # type: ignore[arg-type]
        make.place(state, 2, [200], state.now + 5, rests=self.rests(2))
        make.place(state, 1, [177], state.now + 5)
        if number == 2:
            rounds.apply(state, Void(state.now, "void", "power cut"))
        if number == 3:
            fresh = commitments.SeedChain(self.lane.name, commitments.chain(self.lane.name, make.digest("fresh"), 9), first=4)
            rounds.apply(state, Renew(state.now, "renew", fresh.anchor, fresh.last))
        make.finish(self.lane, state)
        if number == 3:
            self.lane.seeds = fresh
        return state

    def rests(self, user: int) -> tuple[Rest, ...]:
        """What the user still owes from the first round."""
        if len(self.states) != 3 or self.states[0].winners[0].user_id != user:
            return ()
        state = self.states[0]
        assert state.outcome is not None
        assert state.close is not None
        assert state.seal is not None
        cents = state.outcome["rake"]["shortfall"]
        return (Rest(state.room, 1, state.seal, state.close.close_ms, cents),) if cents else ()

    def text(self, number: int) -> bytes:
        return canonical_json(record.sealed(self.states[number - 1]))


PLAYED = Played()
ANCHOR = commitments.chain_step(ROOM.name, PLAYED.states[0].secret or b"").hex()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number in range(1, 6):
        (tmp_path / f"{number}.json").write_bytes(PLAYED.text(number))
    return tmp_path


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    def run(*words: Any) -> tuple[int, str]:
        code = cli.main(["verify", *map(str, words)])
        captured = capsys.readouterr()
        return code, captured.out + captured.err

    return run


# ---- the round before, and the anchor


def test_p13_the_round_before_is_compared(folder: Path, said: Callable[..., tuple[int, str]]) -> None:
    for number in range(2, 6):
        code, told = said(folder / f"{number}.json", "--previous", folder / f"{number - 1}.json")
        assert (code, "follows the round before: round" in told) == (0, True)
        assert "seal of the round before is the one that was published" not in told
    for number, before in ((3, 1), (2, 2), (2, 3), (1, 5)):
        code, told = said(folder / f"{number}.json", "--previous", folder / f"{before}.json")
        assert (code, "LIE  follows the round before" in told) == (1, True)


def test_p13_the_anchor_is_reached_or_it_is_a_lie(folder: Path, said: Callable[..., tuple[int, str]]) -> None:
    for number, code in ((1, 0), (2, 0), (3, 0), (4, 1)):
        found, told = said(folder / f"{number}.json", "--anchor", ANCHOR)
        assert found == code
        assert ("that the chain hangs on the anchor" in told) is False or code == 1
    assert said(folder / "1.json", "--anchor", "00" * 32)[0] == 1
    for wrong in ("00", "ZZ" * 32, "AB" * 32, ""):
        assert said(folder / "1.json", "--anchor", wrong)[0] == 2


def test_p13_a_receipt_is_found_in_the_record(folder: Path, said: Callable[..., tuple[int, str]]) -> None:
    receipt = folder / "receipt.txt"
    receipt.write_text(json.dumps(PLAYED.receipts[3]))
    code, told = said(folder / "3.json", "--receipt", receipt)
    assert (code, "receipt of bet 1: 2 items of user 1" in told) == (0, True)
    assert said(folder / "4.json", "--receipt", receipt)[0] == 1


def other(receipt: Json, *where: Any, value: Any) -> Json:
    spoiled = copy.deepcopy(receipt)
    holder = spoiled
    for key in where[:-1]:
        holder = holder[key]
    holder[where[-1]] = value
    return spoiled


@pytest.mark.parametrize(
    ("where", "value"),
    [
        (("room",), "another"),
        (("round",), 4),
        (("hash",), "00" * 32),
        (("log_start",), "00" * 32),
        (("bet",), 2),
        (("user_id",), 2),
        (("number",), 2),
        (("items", 0, "price"), 301),
        (("items", 0, "item_id"), 5),
        (("items", 1, "deposit_id"), 5),
        (("items", 1, "first_ticket"), 5),
        (("items", 1, "tickets"), 5),
        (("logs", 0), "00" * 32),
        (("logs",), []),
    ],
)
def test_p13_a_bet_that_was_left_out_or_changed_is_found_by_its_receipt(where: Any, value: Any) -> None:
    record = verify.reading.shape.read(json.loads(PLAYED.text(3)))
    spoiled = lanes.read_receipt(json.dumps(other(PLAYED.receipts[3], *where, value=value)).encode())
    report = lanes.check_beside(record, lanes.Beside(receipts=(spoiled,)))
    assert report.lie is not None
    assert report.lie[0].startswith("receipt of bet")


def test_p13_what_is_no_receipt_is_not_read(folder: Path, said: Callable[..., tuple[int, str]]) -> None:
    for text in (b"", b"{}", b"[]", b"\xff", json.dumps({**PLAYED.receipts[1], "bet": "1"}).encode()):
        (folder / "bad.txt").write_bytes(text)
        assert said(folder / "1.json", "--receipt", folder / "bad.txt")[0] == 2


# ---- a whole lane


def test_p13_a_lane_hangs_together(folder: Path, said: Callable[..., tuple[int, str]]) -> None:
    receipt = folder / "receipt.txt"
    receipt.write_text(json.dumps(PLAYED.receipts[2]))
    code, told = said("--lane", folder, "--anchor", ANCHOR, "--receipt", receipt)
    assert code == 0, told
    assert "1 ended by operator" in told
    assert "4 ended by time" in told
    assert told.splitlines()[-1].endswith("without a gap.")
    code, told = said("--lane", folder, "--json")
    found = json.loads(told)
    assert (found["good"], found["verdict"], found["ends"]) == (True, "good", {"operator": 1, "time": 4})
    assert [each["id"] for each in found["rounds"]] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("missing", [2, 3, 4])
def test_p13_a_gap_in_a_lane_is_a_lie(folder: Path, said: Callable[..., tuple[int, str]], missing: int) -> None:
    (folder / f"{missing}.json").unlink()
    code, told = said("--lane", folder)
    assert (code, f"does not follow round {missing - 1}" in told) == (1, True)


def test_p13_a_lane_may_be_checked_from_any_round_on_and_says_so(folder: Path, said: Callable[..., tuple[int, str]]) -> None:
    (folder / "1.json").unlink()
    (folder / "2.json").unlink()
    code, told = said("--lane", folder)
    assert (code, "the rounds before 3 are not here" in told) == (0, True)


def test_p13_two_records_of_one_round_are_a_lie(folder: Path, said: Callable[..., tuple[int, str]]) -> None:
    shutil.copy(folder / "2.json", folder / "2b.json")
    assert said("--lane", folder)[0] == 1


def test_p13_a_receipt_of_a_round_that_is_not_there_is_a_lie(folder: Path, said: Callable[..., tuple[int, str]]) -> None:
    receipt = folder / "receipt.txt"
    receipt.write_text(json.dumps(PLAYED.receipts[5]))
    (folder / "5.json").unlink()
    code, told = said("--lane", folder, "--receipt", receipt)
    assert (code, "of which there is a receipt, is not here" in told) == (1, True)


def test_p13_another_anchor_is_a_lie(folder: Path, said: Callable[..., tuple[int, str]]) -> None:
    assert said("--lane", folder, "--anchor", "11" * 32)[0] == 1


def test_p13_a_lie_in_one_round_is_one_of_the_lane(folder: Path, said: Callable[..., tuple[int, str]]) -> None:
    (folder / "4.json").write_bytes((folder / "4.json").read_bytes().replace(b'"bank":717', b'"bank":718'))
    code, told = said("--lane", folder)
    assert (code, "LIE  round 4" in told) == (1, True)


def test_p13_an_unreadable_round_is_named(folder: Path, said: Callable[..., tuple[int, str]]) -> None:
    (folder / "4.json").write_bytes(b"{}")
    code, told = said("--lane", folder)
    assert (code, "4.json" in told) == (2, True)


def test_p13_nothing_follows_a_failure(folder: Path, said: Callable[..., tuple[int, str]]) -> None:
    lane = make.Lane(ROOM, "fails", 3)
    state = lane.started()
    make.place(state, 1, [300])
    rounds.apply(state, Fail(state.now, "f", "the disk is gone"))
    for path in folder.glob("*.json"):
        path.unlink()
    (folder / "1.json").write_bytes(canonical_json(record.sealed(state)))
    code, told = said("--lane", folder)
    assert (code, "house's failure" in told) == (1, True)
    before, after = (
        verify.reading.shape.read(json.loads(text)) for text in (canonical_json(record.sealed(state)), PLAYED.text(2))
    )
    with pytest.raises(verify.Lie, match="the lane ended with round 1"):
        lanes.follows(before, after)


def slim_records() -> list[Json]:
    return [lanes.slim(verify.reading.shape.read(json.loads(PLAYED.text(number)))) for number in range(1, 6)]


def test_p13_a_rest_is_verified_within_the_lane_and_collected_once() -> None:
    found = slim_records()
    rests = found[3]["close"]["rests"]
    assert rests and rests[0]["round"] == 1
    assert lanes.collected_once(found) == []
    (listed,) = lanes.collected_once(found[1:])
    assert listed == f"that user {rests[0]['user_id']} owed {rests[0]['cents']} from round 1 of {ROOM.name}"
    twice = copy.deepcopy(found)
    twice[3]["outcome"]["rake"]["carried"] = [{"seal": rests[0]["seal"], "cents": 1}]
    twice[4]["close"]["rests"] = rests
    with pytest.raises(verify.Lie, match="owed"):
        lanes.collected_once(twice)
    for field, value in (("round", 2), ("user_id", 99), ("close_ms", 5), ("room", "another"), ("cents", 10**6)):
        spoiled = copy.deepcopy(found)
        spoiled[3]["close"]["rests"] = [{**rests[0], field: value}]
        with pytest.raises(verify.Lie):
            lanes.collected_once(spoiled)


def test_p13_a_lane_is_no_record(folder: Path, said: Callable[..., tuple[int, str]], tmp_path: Path) -> None:
    assert said(folder / "1.json", "--lane", folder)[0] == 2
    assert said("--lane", folder, "--previous", folder / "1.json")[0] == 2
    assert said()[0] == 2
    empty = tmp_path / "empty"
    empty.mkdir()
    assert said("--lane", empty)[0] == 1
    assert said("--lane", tmp_path / "nothing")[0] == 2


# ---- the third verdict, by the command


def test_p06_a_draw_that_could_not_be_checked_here_ends_with_3(said: Callable[..., tuple[int, str]]) -> None:
    for name in records.UNCHECKED:
        code, told = said(records.FOLDER / f"{name}.json")
        assert code == 3
        assert told.splitlines()[-1] == "Nothing is wrong, but the draw itself could not be checked here."
        code, told = said(records.FOLDER / f"{name}.json", "--json")
        found = json.loads(told)
        assert (code, found["good"], found["verdict"]) == (3, False, "unchecked")
        assert found["unchecked"]
    block = records.FOLDER / "classic-block.json"
    assert said(block, "--trust-block", records.BLOCK)[0] == 0
    assert said(block, "--trust-block", records.BLOCK.replace(":", "0:"))[0] == 3, "another height is another block"
    for nonsense in (
        records.BLOCK.partition(":")[2],
        f"0{records.BLOCK}",
        f"{records.BLOCK}0",
        "125552",
        "nonsense",
        "²:" + "0" * 64,
    ):
        assert said(block, "--trust-block", nonsense)[0] == 2


# ---- what is printed, and how long it takes


def test_p11_names_cannot_hide_the_line_that_says_what_is_wrong(folder: Path, said: Callable[..., tuple[int, str]]) -> None:
    spoiled = json.loads(PLAYED.text(1))
    spoiled["rules"]["name"] = "x\x1b[2J\x1b[1;1H\r\n\u202eok \u2028\x9b" + "\n" * 50
    spoiled["outcome"]["void"] = "\x1b[8m"
    (folder / "1.json").write_bytes(canonical_json(spoiled))
    code, told = said(folder / "1.json")
    assert code == 1
    lines = told.split("\n")
    assert [line for line in lines if line.startswith("LIE")]
    assert all(each.isprintable() for line in lines for each in line)
    assert max(map(len, lines)) <= 500
    for command in ("explain", "replay"):
        cli.main([command, str(folder / "1.json")])


def test_p11_what_is_said_of_an_unreadable_record_is_printed_safely(folder: Path, said: Callable[..., tuple[int, str]]) -> None:
    (folder / "1.json").write_bytes(canonical_json({"\x1b[2J" + "x" * 10_000: 1}))
    code, told = said(folder / "1.json")
    assert (code, len(told) < 1000) == (2, True)
    assert all(each.isprintable() for line in told.split("\n") for each in line)


def heavy_teams() -> Json:
    """As many players as teams may have, with bets that share no factor."""
    spoiled: Json = json.loads(records.text("5v5-inverse"))
    spoiled["rules"].update(team_limit=32, player_limit=64, min_players=64, item_limit_max=None, bet_item_limit_max=None)
    row = spoiled["items"][0]
    prices = [10**17 + 3 * number for number in range(64)]
    spoiled["items"] = [
        {**row, "user_id": 100 + number, "deposit_id": number, "price": price, "bet": number + 1, "team": 1 + number % 2}
        for number, price in enumerate(prices)
    ]
    return spoiled


@pytest.mark.parametrize(
    "spoil",
    [
        lambda record: record["rules"].update(team_limit=1000),
        lambda record: record["rules"].update(shares=list(range(1, 3000))),
        lambda record: record["outcome"].update(winners=[{"user_id": 1, "ticket": 1, "share": 1}] * 3000),
        lambda record: record["close"].update(inviters=[{"user_id": 1, "inviters": list(range(30))}]),
        lambda record: record["close"].update(stock=[{"deposit_id": n, "item_id": 1, "price": 1} for n in range(300)]),
        lambda record: record["outcome"].update(eliminations=[{"user_id": 1, "value": 2**5000}]),
        lambda record: record["outcome"].update(eliminations=[{"user_id": 1, "value": 1}] * 65),
        lambda record: record["items"][0].update(client_seed="x" * 65),
        lambda record: record["rules"].update(name="x" * 300),
        lambda record: record["rules"].update(priority_items=list(range(10_001))),
        lambda record: record.update(room="x" * 1000),
    ],
)
def test_p11_bounds_come_before_any_work(spoil: Callable[[Json], None]) -> None:
    spoiled = json.loads(records.text("classic-unlimited"))
    spoil(spoiled)
    with pytest.raises(verify.Unreadable):
        verify.verify_record(spoiled)


def test_p11_a_long_chain_is_not_walked() -> None:
    """A record of six kilobytes could keep the verifier busy for as long as it said that there were steps to hash."""
    spoiled = json.loads(records.text("classic-unlimited"))
    spoiled["id"], spoiled["chain"]["last"] = 2**60, 2**61
    before = time.process_time()
    assert records.failed_check(spoiled) == "salt"
    read = verify.reading.shape.read(spoiled)
    with pytest.raises(verify.Lie):
        lanes.anchored(bytes(32), {**read, "id": 100_000})
    assert time.process_time() - before < 5


def test_p11_large_teams_do_not_keep_the_verifier_busy() -> None:
    before = time.process_time()
    read = verify.reading.shape.read(heavy_teams())
    read["pot"] = verify.pot.Pot(read["items"], read["rules"])
    read["final"] = bytes(32)
    living, gone = verify.winners.survivors(read)
    assert len(living) + len(gone) == 64
    assert all(each["value"] < 2**4096 for each in gone)
    assert time.process_time() - before < 5
