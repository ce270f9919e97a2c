"""Pages on the control port on which a person plays a partner by hand; plain forms, no scripts."""

import re
import time
from html import escape
from urllib.parse import quote

from aiohttp import web

from sandbox import http
from sandbox.errors import BadRequest, NotFound, Refused
from sandbox.http import STEAM
from sandbox.steam import Steam
from sandbox.world import people, reversals
from sandbox.world.accounts import HABITS, Account
from sandbox.world.items import CS2, PROTECTED_CONTEXT, Item
from sandbox.world.offers import AssetRef, Offer, State
from sandbox.world.state import World

routes = web.RouteTableDef()
LINK = re.compile(r"https?://[^\s<>\"']+")
SENT_SHOWN = 50

STYLE = """
:root{color-scheme:dark}body{font:16px/1.55 system-ui,sans-serif;background:#171d25;color:#dfe3e6;margin:0}
main{max-width:64rem;margin:0 auto;padding:1.5rem 1rem 4rem}a{color:#7ac0ff}h1{font-size:1.6rem;margin:.2rem 0}
h2{font-size:1.15rem;margin:2rem 0 .6rem;border-bottom:1px solid #2c3b4b;padding-bottom:.3rem}
.muted{color:#93a5b5;font-size:.9rem}.card{background:#1f2936;border:1px solid #2c3b4b;border-radius:10px;
padding:.9rem 1rem;margin:.7rem 0}.sides{display:grid;grid-template-columns:1fr 1fr;gap:1rem}
.items{display:flex;flex-wrap:wrap;gap:.4rem;padding:0;margin:.4rem 0;list-style:none}
.items li{background:#17202b;border:1px solid #33465a;border-left:4px solid var(--c);border-radius:6px;padding:.25rem .6rem;
font-size:.88rem}.items small{color:#93a5b5}button,select,input{font:inherit;color:inherit;background:#2b3d51;
border:1px solid #46607a;border-radius:7px;padding:.35rem .8rem}button{cursor:pointer}
button:hover,button:focus{background:#38536f}
.yes{background:#3d6b2e;border-color:#5f9a4b}.no{background:#6b2e34;border-color:#9a4b53}form.row{display:flex;gap:.6rem;
flex-wrap:wrap;align-items:end}label{display:grid;font-size:.85rem;color:#93a5b5}blockquote{margin:.5rem 0;padding:.3rem .8rem;
border-left:3px solid #7ac0ff;white-space:pre-wrap;overflow-wrap:anywhere}.note{background:#4a3b17;border-color:#8a6d28}
code{overflow-wrap:anywhere}table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.35rem .6rem;
border-bottom:1px solid #2c3b4b}@media(max-width:40rem){.sides{grid-template-columns:1fr}}
"""


def _document(title: str, body: str) -> web.Response:
    text = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width,initial-scale=1"><style>{STYLE}</style></head>'
        f"<body><main>{body}</main></body></html>"
    )
    policy = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'"
    return web.Response(text=text, content_type="text/html", headers={"Content-Security-Policy": policy})


def _steam(request: web.Request) -> Steam:
    return request.app[STEAM]


def _player(request: web.Request) -> Account:
    return _steam(request).world.accounts.get(int(request.match_info["steam_id"]))


@routes.get("/")
async def index(request: web.Request) -> web.Response:
    """All players, to pick one to play."""
    world = _steam(request).world
    rows = "".join(
        f'<tr><td><a href="/play/{a.steam_id}">{escape(a.name)}</a></td><td>{a.steam_id}</td><td>{escape(a.habit)}</td>'
        f"<td>{world.items.count(a.steam_id, CS2)}</td><td>{sum(o.seen_by_recipient for o in world.offers.live(a.steam_id))}"
        "</td></tr>"
        for a in sorted(world.accounts, key=lambda a: not a.is_person)
    )
    head = "<tr><th>Name</th><th>SteamID64</th><th>Habit</th><th>Items</th><th>Live offers</th></tr>"
    return _document("Sandbox Steam", f"<h1>Sandbox Steam</h1><p>Pick a player to play.</p><table>{head}{rows}</table>")


@routes.get(r"/play/{steam_id:\d{1,20}}")
async def play(request: web.Request) -> web.Response:
    """One player's inventory, offers and habit."""
    steam, player = _steam(request), _player(request)
    world, now = steam.world, steam.clock.now()
    offers = [o for o in world.offers.changed_since(player.steam_id, 0) if o.concerns(player.steam_id)]
    incoming = [o for o in offers if o.recipient == player.steam_id and o.state == State.ACTIVE]
    other = [o for o in offers if o not in incoming][:SENT_SHOWN]
    note = request.query.get("note", "")
    parts = [
        '<p><a href="/">All players</a></p>',
        f"<h1>{escape(player.name)}</h1><p class=muted>{player.steam_id} · the sandbox's clock says {_when(now)}</p>",
        f'<p class="card note" role="status">{escape(note)}</p>' if note else "",
        f"<p>Trade URL: <code>{escape(player.trade_url)}</code></p>",
        _habit_form(player),
        "<h2>Incoming offers</h2>",
        "".join(_incoming(world, player, o) for o in incoming) or "<p class=muted>None.</p>",
        "<h2>Sent and finished offers</h2>",
        "".join(_finished(world, player, o) for o in other) or "<p class=muted>None.</p>",
        "<h2>Inventory</h2>",
        _items(world.items.at((player.steam_id, CS2, 2))),
        "<h2>Trade-protected</h2>",
        _reverse_form(player),
        _items(world.items.at((player.steam_id, CS2, PROTECTED_CONTEXT))),
    ]
    return _document(f"{player.name} · sandbox Steam", "".join(parts))


def _when(unix: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(unix))


def _habit_form(player: Account) -> str:
    options = "".join(f"<option{' selected' if h == player.habit else ''}>{h}</option>" for h in HABITS)
    return (
        f'<form class="row" method="post" action="/play/{player.steam_id}/habit">'
        f'<label>What this player does with offers<select name="habit">{options}</select></label>'
        f'<label>After so many seconds<input name="delay_s" type="number" min="0" step="0.1" '
        f'value="{player.delay_s:g}"></label>'
        "<button>Save</button></form>"
    )


def _reverse_form(player: Account) -> str:
    return (
        f'<form class="row" method="post" action="/play/{player.steam_id}/reverse">'
        '<button class="no">Reverse all protected trades</button></form>'
    )


def _items(items: list[Item] | tuple[AssetRef, ...]) -> str:
    rows = []
    for item in items:
        price = "no price" if item.kind.price_cents is None else f"${item.kind.price_cents / 100:.2f}"
        until = f" · protected until {_when(item.protected_until)}" if item.protected_until else ""
        bound = "" if item.tradable else " · not tradable"
        name = escape(item.kind.market_hash_name)
        rows.append(f'<li style="--c:#{item.kind.color}">{name} <small>{price}{bound}{until}</small></li>')
    return f'<ul class="items">{"".join(rows)}</ul>' if rows else "<p class=muted>Nothing.</p>"


def _sides(player: Account, offer: Offer) -> str:
    gives, gets = offer.given_by(player.steam_id), offer.given_by(offer.partner_of(player.steam_id))
    return f'<div class="sides"><div>You give{_items(gives)}</div><div>You get{_items(gets)}</div></div>'


def message(text: str) -> str:
    """The offer's message as HTML, addresses in it made links."""
    parts, end = [], 0
    for match in LINK.finditer(text):
        url = escape(match.group())
        parts += [escape(text[end : match.start()]), f'<a href="{url}" rel="noreferrer noopener">{url}</a>']
        end = match.end()
    return f"<blockquote>{''.join(parts)}{escape(text[end:])}</blockquote>" if text else ""


def _incoming(world: World, player: Account, offer: Offer) -> str:
    buttons = "".join(
        f'<button name="action" value="{action}" class="{style}">{label}</button>'
        for action, style, label in (("accept", "yes", "Accept"), ("decline", "no", "Decline"), ("counter", "", "Counter"))
    )
    sender = escape(world.accounts.get(offer.sender).name)
    return (
        f'<div class="card" id="offer-{offer.offer_id}"><b>{sender}</b> <span class=muted>offer {offer.offer_id}</span>'
        f"{message(offer.message)}{_sides(player, offer)}"
        f'<form class="row" method="post" action="/play/{player.steam_id}/offers/{offer.offer_id}">{buttons}</form></div>'
    )


def _finished(world: World, player: Account, offer: Offer) -> str:
    partner = escape(world.accounts.get(offer.partner_of(player.steam_id)).name)
    direction = "to" if offer.sender == player.steam_id else "from"
    state = offer.state.name.replace("_", " ").lower()
    return (
        f'<div class="card"><span class=muted>{direction}</span> <b>{partner}</b> <span class=muted>offer {offer.offer_id},'
        f" {state}, {_when(offer.updated)}</span>{message(offer.message)}{_sides(player, offer)}</div>"
    )


@routes.post(r"/play/{steam_id:\d{1,20}}/offers/{offer_id:\d{1,20}}")
async def answer_offer(request: web.Request) -> web.Response:
    steam, player = _steam(request), _player(request)
    [action, *_] = (await http.form_values(request)).get("action", [""])
    offer = steam.world.offers.by_id.get(int(request.match_info["offer_id"]))
    if offer is None or not offer.concerns(player.steam_id):
        raise NotFound("no such offer")
    if action not in people.ACTIONS:
        raise BadRequest("unknown action")
    try:
        people.act(steam.world, player, offer, action, steam.clock.now())
    except Refused as refused:
        return _back(player, f"Steam refuses: {refused}")
    return _back(player, "")


@routes.post(r"/play/{steam_id:\d{1,20}}/habit")
async def set_habit(request: web.Request) -> web.Response:
    player, form = _player(request), await http.form_values(request)
    habit, delay = form.get("habit", [""])[0], form.get("delay_s", ["0"])[0]
    if habit not in HABITS or not re.fullmatch(r"\d{1,6}(\.\d{1,3})?", delay):
        raise BadRequest("habit and delay_s do not fit")
    player.habit, player.delay_s = habit, float(delay)
    return _back(player, "Saved.")


@routes.post(r"/play/{steam_id:\d{1,20}}/reverse")
async def reverse_all(request: web.Request) -> web.Response:
    steam, player = _steam(request), _player(request)
    done = reversals.reverse(steam.world, player, steam.clock.now())
    return _back(player, f"Reversed {len(done.exchanges)} trades." if done else "There is nothing to reverse.")


def _back(player: Account, note: str) -> web.Response:
    query = f"?note={quote(note)}" if note else ""
    return web.Response(status=303, headers={"Location": f"/play/{player.steam_id}{query}"})
