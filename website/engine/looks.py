"""How kinds of items look: what the fleet says of one item of each kind has its picture and colour, a lock only the picture."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from django.db.models import Max, Q

from fleet_client.answers import CatalogueItem, Deposit
from website.rooms.models import OWN_PRIZE, TICKET_NAMES, Kind, Piece


def missing() -> Mapping[str, str]:
    """Kinds of the fleet that lack a picture or a colour here, each with its newest item. Tickets have neither.

    Prizes of raffles that the site gives itself are no kinds of the fleet, which refuses to be asked about one of them.
    """
    known = Kind.objects.exclude(market_hash_name__in=TICKET_NAMES).filter(Q(icon_url="") | Q(color=""))
    known = known.exclude(item_id__startswith=OWN_PRIZE)
    newest = Piece.objects.filter(kind__in=known).values("kind").annotate(newest=Max("id")).values("newest")
    return dict(Piece.objects.filter(id__in=newest).values_list("kind__item_id", "deposit_id"))


def keep(found: Iterable[CatalogueItem | Deposit]) -> None:
    """What was said of kinds that are known here."""
    for item in found:
        looks = {"icon_url": item.icon_url, "color": item.color, "type": item.type}
        Kind.objects.filter(item_id=item.item_id).update(**{name: value for name, value in looks.items() if value})
