"""What one API key may make bots read at Steam of players who have never traded here.

A player's own limit holds up one player; whoever makes Steam ids up has as many as wanted, and each costs a read, of which an
address has about thirty a minute. So a key's strangers have a bucket of their own, as large as the fleet's addresses together
let it be, and leave the rest of the reads to players who are known. Who has traded once is known.
"""

from __future__ import annotations

from balancer import rates
from balancer.context import Context
from balancer.rates import Bucket, Take
from balancer.trades import players
from shared.domain.ids import SteamId

NAME = "stranger-reads"


async def spend(ctx: Context, client_id: str, steam_id: SteamId, trade_token: str | None) -> None:
    """Count a read of this player's inventory that a bot would have to make, if nobody knows the player.

    Raises:
        RateLimited: ``stranger-reads``, this key's strangers were read too often.
    """
    bucket = _bucket(ctx)
    if bucket is None or ctx.inventories.rates is None or ctx.inventories.is_coming(steam_id, trade_token):
        return
    if not await ctx.db.read(players.is_user, int(steam_id)):
        rates.refuse(await ctx.inventories.rates.take(Take(bucket, client_id)))


def _bucket(ctx: Context) -> Bucket | None:
    """For each address from which bots read now; ``None``: no limit."""
    limits, addresses = ctx.settings.rates, max(1, len(ctx.fleet.lanes))
    return Bucket.of(NAME, limits.stranger_reads_burst * addresses, limits.stranger_reads_per_minute * addresses)
