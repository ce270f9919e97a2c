"""`fleet top`: the fleet as it is, drawn again and again: bots, their queues, trades under way, pauses that Steam asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from scripts.cli.fleet import App
from scripts.cli.lines import COLOR_OF, one_line

if TYPE_CHECKING:
    from rich.console import RenderableType

    from balancer.fleet.bot import Bot
    from scripts.cli.commands.status import Seen

SORTS = ("name", "trouble", "items", "offers", "queue")
BAR = 10
WIDE = 110  # from so many columns on there are bars, and what is wrong stands beside its bot


@click.command()
@click.option("--every", type=click.FloatRange(min=0.2), default=1.0, show_default=True, help="Seconds between two looks.")
@click.option(
    "--sort", type=click.Choice(SORTS), default="trouble", show_default=True, help="`trouble`: what needs a look first."
)
@click.option("--color", help="Only bots of this color.")
@click.option("--once", is_flag=True, help="Draw it once and end; so it is where there is no terminal.")
@click.pass_obj
def cli(app: App, every: float, sort: str, color: str | None, once: bool) -> None:
    """Watch the fleet live until Ctrl-C: each bot with its state, items, offers and queue; trades; what waits for you.

    It reads heartbeats, queues and rows itself, so no balancer has to run.

    \b
    fleet top
    fleet top --sort items --color red
    fleet top --once
    """
    import redis
    from rich.console import Console
    from rich.live import Live
    from sqlalchemy.exc import SQLAlchemyError

    from scripts.cli.commands.status import seeing
    from shared.errors import DatabaseUnavailable

    console = Console()
    with seeing(app) as seen:
        if once or not console.is_terminal:
            console.print(_picture(seen, sort, color, (console.width, None)))
            return
        with Live(_picture(seen, sort, color, console.size), console=console, screen=True, auto_refresh=False) as live:
            try:
                while True:
                    app.wait(every)
                    try:
                        drawn = _picture(seen, sort, color, console.size)
                    except (redis.RedisError, SQLAlchemyError, DatabaseUnavailable) as error:
                        drawn = _away(error)
                    live.update(drawn, refresh=True)
            except KeyboardInterrupt:
                return


def _away(error: Exception) -> RenderableType:
    import redis
    from rich.text import Text

    who = "Redis" if isinstance(error, redis.RedisError) else "the database"
    return Text(
        f"{who} does not answer ({type(error).__name__}); it is asked again every moment. Ctrl-C ends this.", "bold red"
    )


def _picture(seen: Seen, sort: str, color: str | None, size: tuple[int, int | None]) -> RenderableType:
    """``size`` are columns and lines; lines are ``None`` where all may be shown."""
    from rich.console import Group
    from rich.text import Text

    from scripts.cli.commands.status import glance_lines

    told = seen.look()
    queues = _queues(seen)
    bots = [bot for bot in seen.bots() if color in (None, bot.color)]
    below = glance_lines(told["trades"])
    width, height = size
    room = len(bots) if height is None else max(3, height - len(below) - 6)
    shown = sorted(bots, key=lambda bot: _order(bot, sort, queues))[:room]
    head = (
        f"{seen.clock.now():%Y-%m-%d %H:%M:%S} UTC   {told['bots']['known']} bots, {told['bots']['online']} online   "
        f"room for {told['capacity']['slots_free']} items, {told['capacity']['offers_free']} offers"
    )
    left = len(bots) - len(shown)
    more = [Text(f"and {left} more bots: make the terminal higher, or choose with --color, --sort", "dim")] if left else []
    table = _table(seen, shown, queues, told["paused"], wide=width >= WIDE)
    return Group(Text(head, "bold"), Text(), table, *more, Text(), Text.from_ansi("\n".join(below)))


def _queues(seen: Seen) -> dict[str, int]:
    """Orders that lie in each bot's queue."""
    from shared import wire

    names = [bot.name for bot in seen.fleet.bots()]
    with seen.client.pipeline(transaction=False) as pipe:
        for name in names:
            pipe.llen(f"rq:queue:{wire.queue_name(name)}")
        return dict(zip(names, pipe.execute(), strict=True))


def _order(bot: Bot, sort: str, queues: dict[str, int]) -> tuple[Any, ...]:
    name = (bot.color, bot.bot_id)
    first: dict[str, Any] = {
        "trouble": (not bot.why_not, -len(bot.why_not)),
        "items": -bot.used,
        "offers": -bot.open_offers,
        "queue": -queues.get(bot.name, 0),
    }
    return (first.get(sort, 0), name)


def _table(seen: Seen, bots: list[Bot], queues: dict[str, int], paused: list[dict[str, Any]], *, wide: bool) -> RenderableType:
    from rich.table import Table
    from rich.text import Text

    until = {each["bot"]: f"{each['reason']} until {each['until']}" for each in paused}
    limits = seen.fleet.limits
    table = Table(box=None, pad_edge=False, header_style="bold", expand=wide)
    for name in ("bot", "state", "may", "items", "offers"):
        table.add_column(name, no_wrap=True)
    for name in ("queue", "wait", "ms", "heard"):
        table.add_column(name, justify="right", no_wrap=True)
    if wide:
        table.add_column("what is wrong", overflow="ellipsis", no_wrap=True, ratio=1)
    for bot in bots:
        wrong = one_line(until.get(bot.name) or "; ".join(f"{why.reason}: {why.action or 'wait'}" for why in bot.why_not))
        table.add_row(
            bot.name,
            Text(bot.state if bot.mode == "active" else f"{bot.state}, {bot.mode}", COLOR_OF.get(bot.state, "")),
            "".join(letter if what in {may.value for may in bot.may} else "·" for what, letter in _MAY),
            _bar(bot.used, limits.items_max, wide=wide),
            _bar(bot.open_offers, limits.offers_max, wide=wide),
            str(queues.get(bot.name, 0)),
            str(bot.waiting),
            "-" if bot.latency_ms is None else f"{bot.latency_ms:.0f}",
            "never" if bot.heartbeat_age_s is None else f"{max(0, bot.heartbeat_age_s):.0f} s",
            *([Text(wrong)] if wide else []),
        )
    return table


_MAY = (("look", "L"), ("take", "T"), ("give", "G"))


def _bar(used: int, most: int, *, wide: bool) -> RenderableType:
    """How full it is, as a bar if there is room for one and as numbers; red from nine tenths on."""
    from rich.text import Text

    style = "red" if used * 10 >= most * 9 else "green"
    if not wide:
        return Text(f"{used}/{most}", style if used else "")
    filled = min(BAR, -(-used * BAR // most)) if most else 0
    return Text.assemble(("━" * filled, style), ("─" * (BAR - filled), "dim"), f" {used}/{most}")
