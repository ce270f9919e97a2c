"""Whose request it is: through proxies, in IPv6, with headers that somebody has made up."""

from __future__ import annotations

import pytest
from aiohttp.test_utils import make_mocked_request
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from balancer.web.addresses import Networks, group
from shared import settings
from shared.errors import SettingsError

PROXIES = Networks(["127.0.0.1/32", "10.0.0.0/8", "2001:db8:ffff::/48"])


def counted(peer: str | None, *headers: tuple[str, str], proxies: Networks = PROXIES) -> str:
    request = make_mocked_request("GET", "/", headers=CIMultiDict(headers)).clone()
    return proxies.of(request.clone(remote=peer) if peer is not None else request)


XFF = "X-Forwarded-For"


@pytest.mark.parametrize(
    ("peer", "headers", "found"),
    [
        # Nobody but a trusted proxy is believed.
        ("8.8.8.8", [(XFF, "9.9.9.9")], "8.8.8.8"),
        ("8.8.8.8", [("Forwarded", "for=9.9.9.9")], "8.8.8.8"),
        ("10.1.2.3", [], "10.1.2.3"),
        # From the right, the first that is no trusted proxy.
        ("10.1.2.3", [(XFF, "9.9.9.9")], "9.9.9.9"),
        ("10.1.2.3", [(XFF, "1.1.1.1, 9.9.9.9")], "9.9.9.9"),
        ("10.1.2.3", [(XFF, "1.1.1.1"), (XFF, "9.9.9.9")], "9.9.9.9"),
        ("10.1.2.3", [(XFF, "1.1.1.1, 9.9.9.9, 10.0.0.7, 127.0.0.1")], "9.9.9.9"),
        ("10.1.2.3", [(XFF, "10.0.0.7, 10.0.0.8")], "10.0.0.7"),
        # What is no address ends the way: whoever passed it on answers for it.
        ("10.1.2.3", [(XFF, "junk")], "10.1.2.3"),
        ("10.1.2.3", [(XFF, "9.9.9.9, unknown, 10.0.0.7")], "10.0.0.7"),
        ("10.1.2.3", [(XFF, "9.9.9.9,")], "10.1.2.3"),
        ("10.1.2.3", [(XFF, "")], "10.1.2.3"),
        # With ports, in brackets, IPv4 in IPv6.
        ("10.1.2.3", [(XFF, "9.9.9.9:1234")], "9.9.9.9"),
        ("10.1.2.3", [(XFF, "[2001:db8::5]:1234")], "2001:db8::/64"),
        ("10.1.2.3", [(XFF, "2001:db8::5")], "2001:db8::/64"),
        ("::ffff:10.1.2.3", [(XFF, "::ffff:9.9.9.9")], "9.9.9.9"),
        ("2001:db8:ffff::1", [(XFF, "9.9.9.9")], "9.9.9.9"),
        # RFC 7239.
        ("10.1.2.3", [("Forwarded", "for=9.9.9.9")], "9.9.9.9"),
        ("10.1.2.3", [("Forwarded", 'For="[2001:db8:cafe::17]:4711"')], "2001:db8:cafe::/64"),
        ("10.1.2.3", [("Forwarded", "for=1.1.1.1;proto=http;by=10.0.0.1, for=9.9.9.9 ; by=10.0.0.2")], "9.9.9.9"),
        ("10.1.2.3", [("Forwarded", "for=1.1.1.1, for=9.9.9.9, for=10.0.0.7")], "9.9.9.9"),
        ("10.1.2.3", [("Forwarded", "for=1.1.1.1"), ("Forwarded", "for=9.9.9.9")], "9.9.9.9"),
        ("10.1.2.3", [("Forwarded", "for=_hidden")], "10.1.2.3"),
        ("10.1.2.3", [("Forwarded", "for=9.9.9.9, proto=http")], "10.1.2.3"),
        ("10.1.2.3", [("Forwarded", 'for="1.1.1.1, for=8.8.8.8", for=9.9.9.9')], "9.9.9.9"),
        ("10.1.2.3", [("Forwarded", 'for=6.6.6.6;x=", for="[2001:db8::1]:4711"')], "10.1.2.3"),
        ("10.1.2.3", [("Forwarded", 'for=6.6.6.6;x=", for=9.9.9.9')], "10.1.2.3"),
        ("10.1.2.3", [("Forwarded", "for=6.6.6.6 for=9.9.9.9")], "10.1.2.3"),
        ("10.1.2.3", [("Forwarded", "")], "10.1.2.3"),
        # Both, as when a proxy writes one and passes on what the client wrote into the other.
        ("10.1.2.3", [(XFF, "9.9.9.9"), ("Forwarded", "for=9.9.9.9")], "9.9.9.9"),
        ("10.1.2.3", [(XFF, "9.9.9.9"), ("Forwarded", "for=6.6.6.6")], "10.1.2.3"),
    ],
)
def test_whose_request_it_is(peer: str, headers: list[tuple[str, str]], found: str) -> None:
    assert counted(peer, *headers) == found


def test_without_a_trusted_proxy_the_peer_counts() -> None:
    assert counted("127.0.0.1", (XFF, "9.9.9.9"), proxies=Networks([])) == "127.0.0.1"


def test_networks_of_ipv4_in_ipv6_are_ipv4_networks() -> None:
    mapped = Networks(["::ffff:10.0.0.0/104"])
    assert counted("10.1.2.3", (XFF, "9.9.9.9"), proxies=mapped) == "9.9.9.9"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::", "2001:db8:1:3::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("host.example", "unknown"),
        ("9" * 5000, "unknown"),
    ],
)
def test_what_counts_as_one_address(text: str, found: str) -> None:
    assert group(text) == found


@given(st.sampled_from([XFF, "Forwarded"]), st.text(st.characters(codec="latin-1", exclude_characters="\r\n\0"), max_size=300))
def test_no_header_of_a_stranger_changes_what_the_nearest_proxy_says(name: str, invented: str) -> None:
    """What cannot be read counts for the proxy; never for somebody whom the client names."""
    entry = "9.9.9.9" if name == XFF else 'for="[2001:db8:9::9]:80"'
    readable = "9.9.9.9" if name == XFF else "2001:db8:9::/64"
    found = counted("10.1.2.3", (name, f"{invented}, {entry}"))
    assert found == readable or (name == "Forwarded" and found == "10.1.2.3")


@given(
    st.lists(st.sampled_from(["for=6.6.6.6", 'for="', '"', ";", ",", "x=", " ", "\\", "[", "]", "for=10.0.0.1"]), max_size=12)
)
def test_no_broken_quote_names_somebody_else(parts: list[str]) -> None:
    found = counted("10.1.2.3", ("Forwarded", "".join(parts) + ', for="[2001:db8:9::9]:80"'))
    assert found in ("2001:db8:9::/64", "10.1.2.3")


def test_networks_are_checked_at_start() -> None:
    with pytest.raises(SettingsError, match="trusted_proxies"):
        settings.load(None, {"balancer": {"trusted_proxies": ["10.0.0.1/8"]}})
    found = settings.load(None, {"balancer": {"trusted_proxies": "10.0.0.0/8, 192.0.2.1"}})
    assert found.balancer.trusted_proxies == ["10.0.0.0/8", "192.0.2.1/32"]
