"""How kinds of items look: the fleet's catalogue knows their picture and colour, a lock's answer only the picture."""

from __future__ import annotations

from collections.abc import Iterable

from django.db.models import Q

from fleet_client.answers import CatalogueItem
from website.rooms.models import TICKET_NAMES, Kind


def missing() -> frozenset[str]:
    """Kinds of the fleet that lack a picture or a colour here. Tickets have neither."""
    known = Kind.objects.exclude(market_hash_name__in=TICKET_NAMES)
    return frozenset(known.filter(Q(icon_url="") | Q(color="")).values_list("item_id", flat=True))


def keep(found: Iterable[CatalogueItem]) -> None:
    """What the catalogue said of kinds that are known here."""
    for item in found:
        looks = {"icon_url": item.icon_url, "color": item.color, "type": item.type}
        Kind.objects.filter(item_id=item.item_id).update(**{name: value for name, value in looks.items() if value})
