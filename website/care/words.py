"""What the gate says about a person or the whole site, in sentences. What it says of one bet stands with the rooms."""

from __future__ import annotations

from django.conf import settings
from django.utils import formats
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from website.pages.templatetags.site import moment

LIMITS: dict[str, Promise] = {
    "deposit": gettext_lazy("Deposits"),
    "stake": gettext_lazy("Stakes"),
    "loss": gettext_lazy("Losses"),
}
WINDOWS: dict[str, Promise] = {
    "day": gettext_lazy("24 hours"),
    "week": gettext_lazy("7 days"),
    "month": gettext_lazy("30 days"),
    "ever": gettext_lazy("all time"),
}
EXCLUSIONS = (gettext_lazy("half a year"), gettext_lazy("one year"), gettext_lazy("five years"))
"""What the lengths of an exclusion are called, in the order of `services.EXCLUSION_DAYS`."""


def date_of(unix_ms: int) -> str:
    """A moment as a date and a time in UTC."""
    at = moment(unix_ms)
    assert at is not None
    return f"{formats.date_format(at, 'DATETIME_FORMAT')} UTC"


def closed(reason: str) -> str:
    """Why rooms are closed to everybody, or to a person, by the gate's reason; "" for other reasons."""
    return {
        "fleet_unknown": _("Rooms are closed until the site has heard from its bots. That takes a moment after a start."),
        "not_turned_on": _("Rooms with real items are closed: the operator has not turned them on. You can take items home."),
        "country": _("Nobody may play from the country that you declared. You can take your items home at any time."),
        "under_age": _("You are not old enough to play. You can take your items home at any time."),
        "steam_level": _level(),
    }.get(reason, "")


def under_age(until_ms: int) -> str:
    text = _("You are not old enough to play before %(date)s. You can take your items home at any time.")
    at = moment(until_ms)
    return text % {"date": formats.date_format(at, "DATE_FORMAT") if at else ""}


def _level() -> str:
    text = _("To play, a Steam account needs level %(level)d. Steam shows the level of public profiles only.")
    return text % {"level": settings.SITE_STEAM_LEVEL_MIN}
