"""Who is signed in at a site of one process, in any framework: it gives headers to send, and takes cookies that came.

A site of several processes keeps sessions in its database, and calls `fleet_client.openid` itself.
"""

from __future__ import annotations

import hashlib
import secrets
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx

from fleet_client import openid
from fleet_client.errors import FleetError

STATE, SESSION = "state", "session"  # names of cookies
SESSIONS_MAX = 100_000
STEAM_S = 15.0


class NotSignedIn(FleetError):
    """Nobody is signed in, or the sign-in was refused. ``reason`` is for the site's log."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"Nobody is signed in: {reason}.")
        self.reason = reason

    def for_player(self) -> tuple[int, dict[str, str]]:
        return 403, {"code": "not_signed_in", "message": "Sign in first."}


@dataclass(frozen=True, slots=True)
class Player:
    """Who asks: Steam's id, and the name under which the fleet books this player's items."""

    user_id: str
    steam_id: str

    @property
    def account(self) -> dict[str, str]:
        """Both, as calls want them: ``fleet.deposit(**me.account, …)``."""
        return {"user_id": self.user_id, "steam_id": self.steam_id}


class Players:
    """Sends browsers to Steam, takes them back, and knows them by a cookie until this process ends."""

    def __init__(self, site: str, steam: str | None = None, *, back_at: str = "/signed-in") -> None:
        """``site``: the site's address, as browsers know it. ``steam``: the pages of a sandbox in place of Steam's."""
        self._secure = urlsplit(site).scheme == "https"
        self._sign_in = openid.SignIn(site.rstrip("/") + back_at, openid.STEAM if steam is None else openid.Provider.at(steam))
        self._sessions: OrderedDict[bytes, Player] = OrderedDict()

    def leave(self) -> dict[str, str]:
        """The headers of a 303 that sends a browser to Steam."""
        url, state = self._sign_in.leave()
        return {"Location": url, "Set-Cookie": self._cookie(STATE, state)}

    async def back(self, query: str, cookies: Mapping[str, str], to: str = "/") -> dict[str, str]:
        """The headers of a 303 that sends a browser on which came back from Steam with this raw query; it is signed in then.

        Raises:
            NotSignedIn: Steam does not say so, or says nothing; or this browser did not leave from here.
        """
        try:
            question = self._sign_in.back(query, cookies.get(STATE, ""))
            async with httpx.AsyncClient(trust_env=False, timeout=STEAM_S) as http:
                said = await http.post(question.url, data=dict(question.form), follow_redirects=False)
            steam_id = question.confirmed(said.status_code, said.text)
        except openid.SignInRefused as error:
            raise NotSignedIn(error.reason) from None
        except (openid.SteamAway, httpx.HTTPError):
            raise NotSignedIn("Steam said nothing") from None
        session = secrets.token_urlsafe(32)
        self._sessions[_kept(session)] = Player(f"player-{steam_id}", steam_id)
        if len(self._sessions) > SESSIONS_MAX:
            self._sessions.popitem(last=False)
        return {"Location": to, "Set-Cookie": self._cookie(SESSION, session)}

    def of(self, cookies: Mapping[str, str]) -> Player:
        """Who is signed in.

        Raises:
            NotSignedIn.
        """
        found = self._sessions.get(_kept(cookies.get(SESSION, "")))
        if found is None:
            raise NotSignedIn("there is no such session")
        return found

    def _cookie(self, name: str, value: str) -> str:
        return f"{name}={value}; Path=/; HttpOnly; SameSite=Lax" + ("; Secure" if self._secure else "")


def _kept(session: str) -> bytes:
    """As it is kept: of what memory holds nobody can sign in."""
    return hashlib.sha256(session.encode(errors="replace")).digest()
