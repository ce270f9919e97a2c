"""The bad answers in the shapes that Steam gives them, for the kinds of trouble that answer in Steam's place."""

from collections.abc import Callable
from typing import Any

from sandbox.answers import Answer, as_json, html, null, response
from sandbox.errors import Refused
from sandbox.faults.kinds import INVENTORIES
from sandbox.faults.orders import Fault
from sandbox.steam_api import offers
from sandbox.steam_api.call import Call

EDGE_PAGE = "<!DOCTYPE html><html><head><title>Steam Community :: Error</title></head><body>Sorry!</body></html>"
BAD_CODES = "It looks like your Steam Guard Mobile Authenticator is providing incorrect Steam Guard codes."


def _contents(fault: Fault, _: Call) -> Answer:
    contents: dict[str, dict[str, Any]] = {
        "needauth": {"success": False, "needauth": True, "message": "", "detail": ""},
        "no_conf": {"success": True},
        "bad_codes": {"success": False, "message": "Invalid authenticator", "detail": BAD_CODES},
        "success_false": {"success": False, "message": fault.text or "There was a problem. Please try again later."},
    }
    return as_json(contents[fault.kind], fault.status or 200)


def _said(fault: Fault, call: Call) -> Answer:
    """A refusal in the form of the route: of an offer's action, or of an inventory whose item server is in trouble."""
    if call.route in INVENTORIES.split():
        text = fault.text or f"EYldRefreshAppIfNecessary failed with EResult {fault.result}"
        return as_json({"success": False, "error": text}, fault.status or 500)
    return offers.refusal(call, Refused(fault.result, fault.text), fault.status)


ANSWERS: dict[str, Callable[[Fault, Call], Answer]] = {
    "bad_codes": _contents,
    "cut": lambda *_: Answer(trouble="cut"),
    "eresult": lambda fault, _: response({}, fault.result),
    "html": lambda fault, _: html(EDGE_PAGE, fault.status or 200),
    "needauth": _contents,
    "no_conf": _contents,
    "null": lambda fault, _: null(fault.status or 401),
    "sign_in_refused": lambda fault, _: response({"interval": 5, "extended_error_message": ""}, fault.result),
    "status": lambda fault, _: html(EDGE_PAGE, fault.status or 500),
    "str_error": _said,
    "success_false": _contents,
    "timeout": lambda *_: Answer(trouble="hang"),
}
