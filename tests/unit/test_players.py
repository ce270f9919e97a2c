from collections import Counter

from scripts.demo_run import players


def test_the_plan_of_a_player_is_fixed_by_the_seed() -> None:
    assert players.plan(1, 3) == players.plan(1, 3)
    assert players.plan(1, 3) != players.plan(2, 3) != players.plan(1, 4)


def test_twenty_players_plan_enough_of_every_outcome() -> None:
    rounds = [round_ for number in range(1, 21) for round_ in players.plan(7, number)]
    requests: Counter[tuple[str, str]] = Counter()
    for round_ in rounds:
        requests[round_.direction, round_.end] += round_.count
    assert sum(requests.values()) >= 400
    assert requests["withdraw", "accepted"] >= 150
    for end in players.OTHER_ENDS:
        assert sum(requests[direction, end] for direction in ("deposit", "withdraw")) >= 10
