"""OpenID 2.0 as Steam's provider speaks it: a page to pick a player, and answers that can be checked once."""

import base64
import hashlib
import hmac
import html
import secrets
import time
from urllib.parse import urlencode, urlsplit

from sandbox import answers
from sandbox.answers import Answer
from sandbox.provider import Provider
from sandbox.steam_api.call import Call

NS = "http://specs.openid.net/auth/2.0"
SELECT = "http://specs.openid.net/auth/2.0/identifier_select"
SIGNED = "signed,op_endpoint,claimed_id,identity,return_to,response_nonce,assoc_handle"
ASSOC_HANDLE = "1234567890"
NONCE_S = 300
NEW = "new"
NEW_ITEMS = 12


def answer(provider: Provider, call: Call) -> Answer:
    """/openid/login: checkid_setup shows the players, makes a new one or redirects; check_authentication verifies once."""
    mode = call.value("openid.mode")
    if mode == "check_authentication" and call.method == "POST":
        return _check(provider, call)
    if mode in ("checkid_setup", "checkid_immediate") and call.value("openid.ns") == NS:
        return _set_up(provider, call)
    return answers.html("<html><body><h1>OpenID</h1>This is an OpenID 2.0 endpoint.</body></html>", 400)


def _set_up(provider: Provider, call: Call) -> Answer:
    where = answers.split_url(call.value("openid.return_to"))
    if where.scheme not in ("http", "https") or not where.netloc:
        return answers.html("<html><body>openid.return_to is missing</body></html>", 400)
    if not _within(call.value("openid.realm"), call.value("openid.return_to")):
        return answers.html("<html><body>openid.return_to is not within openid.realm</body></html>", 400)
    if call.value("openid.identity") != SELECT or call.value("openid.claimed_id") != SELECT:
        return answers.html("<html><body>only identifier_select is supported</body></html>", 400)
    if call.form.get("cancel"):
        return answers.redirect(_with_query(where.geturl(), {"openid.ns": NS, "openid.mode": "cancel"}))
    picked = call.value("auto") or (call.form.get("pick") or [""])[0]
    account = call.world.accounts.by_id.get(answers.whole(picked) or 0)
    if picked == NEW and call.method == "POST":
        account = call.world.add_account("player", call.now, items=NEW_ITEMS)
    if account is not None:
        return _send_back(provider, call, account.steam_id, where.geturl())
    return answers.html(_page(call))


def _send_back(provider: Provider, call: Call, steam_id: int, return_to: str) -> Answer:
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(call.real_now))
    nonce = stamp + base64.b64encode(secrets.token_bytes(20)).decode()
    who = f"{provider.base}/openid/id/{steam_id}"
    fields = {
        "openid.ns": NS,
        "openid.mode": "id_res",
        "openid.op_endpoint": provider.endpoint,
        "openid.claimed_id": who,
        "openid.identity": who,
        "openid.return_to": return_to,
        "openid.response_nonce": nonce,
        "openid.assoc_handle": ASSOC_HANDLE,
        "openid.signed": SIGNED,
    }
    fields["openid.sig"] = _signature(provider, fields)
    provider.fresh[nonce] = call.real_now
    return answers.redirect(_with_query(return_to, fields))


def _signature(provider: Provider, fields: dict[str, str]) -> str:
    text = "".join(f"{name}:{fields.get(f'openid.{name}', '')}\n" for name in SIGNED.split(","))
    return base64.b64encode(hmac.new(provider.secret, text.encode(), hashlib.sha256).digest()).decode()


def _check(provider: Provider, call: Call) -> Answer:
    """Text lines `ns:` and `is_valid:`; a nonce is good for one check and for five minutes."""
    fields = {name: values[0] for name, values in call.form.items()}
    once = all(len(values) == 1 for values in call.form.values())
    made = provider.fresh.pop(fields.get("openid.response_nonce", ""), 0.0)
    provider.fresh = {nonce: at for nonce, at in provider.fresh.items() if at > call.real_now - NONCE_S}
    genuine = hmac.compare_digest(_signature(provider, fields).encode(), fields.get("openid.sig", "").encode())
    shaped = fields.get("openid.signed") == SIGNED and fields.get("openid.ns") == NS
    valid = once and shaped and genuine and made > call.real_now - NONCE_S
    return answers.plain(f"ns:{NS}\nis_valid:{'true' if valid else 'false'}\n")


def _page(call: Call) -> str:
    hidden = "".join(
        f'<input type="hidden" name="{html.escape(name)}" value="{html.escape(values[0])}">'
        for name, values in (call.query | call.form).items()
        if name.startswith("openid.")
    )
    players = "".join(
        f'<button name="pick" value="{a.steam_id}">{html.escape(a.name)}<small>{a.steam_id}</small></button>'
        for a in call.world.accounts
        if a.is_person
    )
    realm = html.escape(call.value("openid.realm"))
    return PAGE.format(realm=realm, hidden=hidden, players=players)


def _within(realm: str, return_to: str) -> bool:
    """Whether the place to return to lies under the realm that the person is shown."""
    outer, inner = answers.split_url(realm), answers.split_url(return_to)
    same = (outer.scheme, outer.netloc) == (inner.scheme, inner.netloc)
    return same and (inner.path or "/").startswith(outer.path or "/")


def _with_query(url: str, fields: dict[str, str]) -> str:
    parts = urlsplit(url)
    query = f"{parts.query}&{urlencode(fields)}" if parts.query else urlencode(fields)
    return parts._replace(query=query).geturl()


PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Sign in · sandbox Steam</title>
<meta name="viewport" content="width=device-width,initial-scale=1"><style>
body{{font:16px/1.5 system-ui,sans-serif;background:#171d25;color:#dfe3e6;max-width:42rem;margin:3rem auto;padding:0 1rem}}
h1{{font-size:1.4rem}}form{{display:grid;grid-template-columns:repeat(auto-fill,minmax(13rem,1fr));gap:.6rem}}
button{{background:#233142;color:inherit;border:1px solid #35506b;border-radius:8px;padding:.6rem .8rem;text-align:left;
font:inherit;cursor:pointer}}button:hover,button:focus{{background:#2f4a66}}small{{display:block;color:#8fa3b5}}
</style></head><body><h1>Sign in to {realm}</h1><p>This is the sandbox, not Steam: pick the player to be.</p>
<form method="post" action="/openid/login">{hidden}
<button name="pick" value="new">A new player<small>with twelve items</small></button>
{players}<button name="cancel" value="1">Cancel</button></form>
</body></html>"""
