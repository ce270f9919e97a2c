"""What prints a record prints no secret of it: fields of such names are left out of every `repr`."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import pkgutil
from collections.abc import Iterator

import pydantic
import pytest

SECRETS = {
    *("token", "trade_token", "api_key", "password", "shared_secret", "identity_secret", "refresh_token", "access_token"),
    *("trade_url", "verify_url", "redis_url", "database_url", "proxy", "session_id", "csrf"),
}
# The type masks itself: `TradeUrl` shows its partner only.
MASKED = {"TradeUrl"}


def records(package: str) -> Iterator[tuple[str, list[tuple[str, bool, str]]]]:
    """Each dataclass and model of a package with its fields: name, whether `repr` shows it, type."""
    for found in pkgutil.walk_packages(importlib.import_module(package).__path__, f"{package}."):
        if ".migrations" in found.name:
            continue
        for name, kind in inspect.getmembers(importlib.import_module(found.name), inspect.isclass):
            if kind.__module__ != found.name:
                continue
            if dataclasses.is_dataclass(kind):
                shows = "__repr__" in vars(kind) and kind.__dataclass_params__.repr  # type: ignore[attr-defined]
                yield f"{found.name}.{name}", [(f.name, f.repr and shows, str(f.type)) for f in dataclasses.fields(kind)]
            elif issubclass(kind, pydantic.BaseModel):
                rows = [(field, bool(info.repr), str(info.annotation)) for field, info in kind.model_fields.items()]
                yield f"{found.name}.{name}", rows


@pytest.mark.parametrize("package", ["balancer", "bot_worker", "shared", "fleet_client"])
def test_no_repr_shows_a_secret(package: str) -> None:
    shown = {
        f"{where}.{name}"
        for where, fields in records(package)
        for name, is_shown, of in fields
        if is_shown and name in SECRETS and of not in MASKED
    }
    # `TradeUrl` writes its own: see below.
    assert shown - {"shared.domain.ids.TradeUrl.trade_token"} == set()


def test_a_trade_url_shows_its_partner_only() -> None:
    from shared.domain.ids import TradeUrl

    url = TradeUrl.parse("https://steamcommunity.com/tradeoffer/new/?partner=39734274&token=AbCd_123")
    assert "AbCd_123" not in repr(url) and "76561198000000002" in repr(url)
