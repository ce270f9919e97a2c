"""One bot as its row and the last heartbeat of its worker show it; and groups of bots, whose keys lie on one host. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Self

from pydantic import Field, PlainSerializer
from sqlalchemy import Row

from balancer.fields import UNSHOWN, BotText, Time
from balancer.fleet.health import OFFLINE, BotMay, BotWhyNot, allowed, reasons
from balancer.fleet.identity import BotIdentity, News, as_kept, known_of
from shared.domain.health import RESTRICTIONS, May
from shared.domain.ids import bot_name, group_of
from shared.domain.status import BotMode
from shared.reports import Heartbeat

MAINTENANCE = "steam_maintenance"

Group = tuple[str, int]  # a color and the number of a group in it: bots whose keys lie on one host, whatever that host says


@dataclass(frozen=True, slots=True)
class BotPause:
    """Until when Steam's last "too many calls" keeps a bot from calling it."""

    reason: Annotated[str, Field(description="`steam_throttled`, or `sign_in_throttled`: of sign-ins only")]
    since: Time
    until: Time
    asked_s: Annotated[int | None, Field(description="Seconds that Steam asked for; a pause is cut to a quarter of an hour")]

    @classmethod
    def of(cls, data: dict[str, Any], now_ms: int) -> Self | None:
        """As a heartbeat has it; ``None`` once it is over."""
        if data["until_ms"] <= now_ms:
            return None
        since, until = (data[name] // 1000 for name in ("since_ms", "until_ms"))
        return cls(data["reason"], since, until, data["asked_s"])


@dataclass(frozen=True, slots=True)
class Bot:
    """One bot, as its worker last reported."""

    bot: BotText
    color: str
    bot_id: int
    steam_id: str
    mode: BotMode
    # The worker's word, or ``offline`` when its last heartbeat is too old (or there was none).
    state: Annotated[str, Field(description="`restricted`: it is online and goes on reading, but Steam keeps it from trading")]
    reason: str | None
    action: Annotated[str | None, Field(description="What an operator should do")]
    may: Annotated[frozenset[May], PlainSerializer(BotMay.of, return_type=BotMay)]
    why_not: Annotated[tuple[BotWhyNot, ...], Field(description="Empty when it may do everything")]
    slots_held: int
    slots_reserved: int
    open_offers: int
    # Both are 0 in the snapshot: who shows them asks the database.
    waiting: Annotated[int, Field(description="Withdrawals that wait, for any reason; they take no open offer")]
    in_line: Annotated[int, Field(description="Those of them that only wait for a free open offer")]
    heartbeat_age_s: float | None
    frozen_by: Annotated[
        str | None,
        Field(
            description="What an operator has to check first, as in `audit`; the bot gives and takes nothing until `unfreeze`"
        ),
    ]
    host: str | None
    orders_done: int
    steam_calls: Annotated[int, Field(description="Its calls to Steam since it started, without those of the next two fields")]
    look_calls: Annotated[int, Field(description="Calls for looks at offers that players check")]
    second_calls: Annotated[int, Field(description="Calls for second readings of valuable items, which bots of two hosts read")]
    deposit_calls: Annotated[
        float, Field(description="What of `steam_calls` was for deposits; a call for several trades is shared")
    ]
    withdraw_calls: Annotated[
        float, Field(description="The same for withdrawals; the rest is for no trade: signing in, audits")
    ]
    paused: Annotated[BotPause | None, Field(description="Why Steam allows no calls from its address now; null: it may call")]
    latency_ms: float | None
    items_seen: Annotated[int | None, UNSHOWN]
    health_told: Annotated[str | None, UNSHOWN]
    identity: Annotated[BotIdentity | None, Field(description="As players see it in Steam; null: nobody knows yet")] = None
    identity_news: Annotated[News | None, UNSHOWN] = None

    @property
    def name(self) -> str:
        return self.bot

    @property
    def restriction(self) -> str | None:
        """The first of Steam's own reasons why it gives or takes nothing; `None` if it is only offline, paused or frozen."""
        return next((each.reason for each in self.why_not if each.reason in RESTRICTIONS), None)

    @property
    def used(self) -> int:
        """Slots held or reserved; or what lies in the inventory really, if that is more."""
        return max(self.slots_held + self.slots_reserved, self.items_seen or 0)


def bot_of(row: Row[Any], beat: Heartbeat | None, now_ms: int, offline_after_s: float, avatars_url: str) -> Bot:
    """This row with the last heartbeat of its worker; ``now_ms`` is Redis' time, as heartbeats have it."""
    age_s = None if beat is None else (now_ms - beat.at_ms) / 1000
    state, reason, action = _state(row, beat, age_s, offline_after_s)
    why_not = reasons(row, beat, state, reason, action)
    known = known_of(row, beat)
    kept = as_kept(known)
    return Bot(
        bot=bot_name(row),
        color=row.color,
        bot_id=row.bot_id,
        steam_id=str(row.steam_id),
        mode=BotMode(row.mode),
        state=state,
        reason=reason,
        action=action,
        slots_held=row.slots_held,
        slots_reserved=row.slots_reserved,
        open_offers=row.open_offers,
        waiting=0,
        in_line=0,
        heartbeat_age_s=age_s,
        frozen_by=row.frozen_by,
        host=beat.host if beat else None,
        items_seen=beat.items if beat else None,
        orders_done=beat.orders_done if beat else 0,
        steam_calls=beat.steam_calls if beat else 0,
        look_calls=beat.look_calls if beat else 0,
        second_calls=beat.second_calls if beat else 0,
        deposit_calls=beat.deposit_calls if beat else 0.0,
        withdraw_calls=beat.withdraw_calls if beat else 0.0,
        paused=BotPause.of(beat.paused, now_ms) if beat and beat.paused else None,
        latency_ms=beat.latency_ms if beat else None,
        why_not=why_not,
        may=allowed(why_not),
        health_told=row.health,
        identity=BotIdentity.of(known, avatars_url),
        identity_news=None if kept == row.identity else News(row.color, row.bot_id, row.identity, kept),
    )


def _state(
    row: Row[Any], beat: Heartbeat | None, age_s: float | None, offline_after_s: float
) -> tuple[str, str | None, str | None]:
    if beat is None or age_s is None or age_s > offline_after_s:
        return OFFLINE, "no heartbeat", "look at the group that runs this bot"
    if beat.steam_id != str(row.steam_id):
        return "unhealthy", "it signed in as another Steam account", "put the bot's own maFile into the vault"
    return beat.state, beat.reason, beat.action


def group_of_bot(view: Bot) -> Group:
    return view.color, group_of(view.bot_id)


def in_maintenance(heard: list[Bot]) -> bool:
    """Whether most groups say so, each by most of its bots: one host's word must not stop the others."""
    groups: dict[Group, list[bool]] = {}
    for view in heard:
        groups.setdefault(group_of_bot(view), []).append(view.reason == MAINTENANCE)
    agree = sum(2 * sum(votes) > len(votes) for votes in groups.values())
    return 2 * agree > len(groups)
