"""Trouble on demand: the next calls of an account on a route get a bad answer, before or after the deed."""

from dataclasses import asdict, dataclass
from typing import Any

from sandbox.errors import BadRequest, Refused
from sandbox.steam_api.messages import Answer, as_json, html, null, response, str_error, whole

KINDS = (
    "bad_codes",
    "cut",
    "eresult",
    "html",
    "needauth",
    "no_conf",
    "null",
    "status",
    "str_error",
    "success_false",
    "timeout",
)
EDGE_PAGE = "<!DOCTYPE html><html><head><title>Steam Community :: Error</title></head><body>Sorry!</body></html>"
BAD_CODES = "It looks like your Steam Guard Mobile Authenticator is providing incorrect Steam Guard codes."


@dataclass
class Fault:
    """One order for trouble: `account` None means everybody, `times` counts down, `status` 0 the kind's own."""

    fault_id: int
    account: int | None
    route: str
    kind: str
    code: int = 16
    status: int = 0
    text: str | None = None
    after: bool = False
    times: int = 1

    def answer(self) -> Answer:
        """The bad answer in the shape that Steam gives it."""
        status = self.status
        if self.kind == "str_error":
            return str_error(Refused(self.code, self.text), status or 200)
        if self.kind == "html":
            return html(EDGE_PAGE, status or 200)
        if self.kind == "null":
            return null(status or 401)
        if self.kind == "status":
            return html(EDGE_PAGE, status or 500)
        if self.kind == "eresult":
            return response({}, self.code)
        if self.kind in ("timeout", "cut"):
            return Answer(trouble="hang" if self.kind == "timeout" else "cut")
        contents: dict[str, dict[str, Any]] = {
            "needauth": {"success": False, "needauth": True, "message": "", "detail": ""},
            "no_conf": {"success": True},
            "bad_codes": {"success": False, "message": "Invalid authenticator", "detail": BAD_CODES},
            "success_false": {"success": False, "message": self.text or "There was a problem. Please try again later."},
        }
        return as_json(contents[self.kind], status or 200)

    def view(self) -> dict[str, Any]:
        return asdict(self) | {"account": str(self.account) if self.account is not None else None}


class Faults:
    """The orders still open, oldest first."""

    def __init__(self) -> None:
        self.open: list[Fault] = []
        self._count = 0

    def add(self, order: dict[str, Any]) -> Fault:
        """Take an order from the control API. Raises: BadRequest."""
        known = set(Fault.__dataclass_fields__) - {"fault_id"}
        if unknown := set(order) - known:
            raise BadRequest(f"unknown fields: {', '.join(sorted(unknown))}")
        if order.get("kind") not in KINDS or not isinstance(order.get("route"), str):
            raise BadRequest(f"route is a route's name, kind one of {', '.join(KINDS)}")
        for name in ("code", "status", "times"):
            if not isinstance(order.get(name, 0), int):
                raise BadRequest(f"{name} is a whole number")
        if order.get("times", 1) < 1 or not isinstance(order.get("after", False), bool):
            raise BadRequest("times is at least 1, after is true or false")
        if not isinstance(order.get("text"), str | None):
            raise BadRequest("text is a sentence or null")
        account = order.get("account")
        if account is not None and whole(str(account)) is None:
            raise BadRequest("account is a SteamID64 or null")
        self._count += 1
        values = order | {"account": int(account) if account is not None else None}
        fault = Fault(fault_id=self._count, **values)
        self.open.append(fault)
        return fault

    def take(self, account: int | None, route: str) -> Fault | None:
        """The first order that fits this call; it is used up after its number of times."""
        for fault in self.open:
            if fault.route in (route, "*") and fault.account in (None, account):
                fault.times -= 1
                if fault.times <= 0:
                    self.open.remove(fault)
                return fault
        return None
