"""Pictures of items: every kind has one, always the same, that no page has to fear; and the addresses where they are."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from xml.etree import ElementTree

import pytest
import requests
from sandbox_lab import Bench

from sandbox.pictures import draw, emblems, finishes, shapes
from sandbox.steam_api import images
from sandbox.world.catalogue import Catalogue, Kind

CATALOGUE = Catalogue(1)
SVG = "{http://www.w3.org/2000/svg}"
HARMLESS = {
    *("svg", "title", "defs", "g", "path", "circle", "ellipse", "stop"),
    *("linearGradient", "radialGradient", "clipPath", "mask"),
}
ODD = {
    "Sealed Graffiti | Popdog (Battle Green)": "Graffiti",
    "Music Kit | Noisia, Sharpened": "Music Kit",
    "Charm | Lil' Ava": "Charm",
    "Patch | Crazy Banana": "Sticker",
    "Antwerp 2022 Legends Sticker Capsule": "Sticker",
    "Operation Bravo Case Key": "Key",
    "Genuine Howl Pin": "Collectible",
    "Something that nobody knows": "Other",
}


def read(kind: Kind) -> ElementTree.Element:
    return ElementTree.fromstring(draw.picture(kind))


def drawn() -> str:
    """A digest over the pictures of the whole catalogue."""
    return hashlib.sha256(b"".join(draw.picture(kind) for kind in CATALOGUE.kinds.values())).hexdigest()


def test_every_kind_of_the_catalogue_has_a_picture_that_is_only_a_drawing() -> None:
    assert len(CATALOGUE.kinds) > 500
    for kind in CATALOGUE.kinds.values():
        root = read(kind)
        assert root.tag == f"{SVG}svg"
        assert root.findtext(f"{SVG}title") == kind.market_hash_name
        assert {element.tag.removeprefix(SVG) for element in root.iter()} <= HARMLESS
        names = {name for element in root.iter() for name in element.attrib}
        assert not {name for name in names if name.startswith("on") or "href" in name or name in ("style", "src")}
        used = {
            ref for element in root.iter() for value in element.attrib.values() for ref in re.findall(r"url\((.*?)\)", value)
        }
        assert used <= {f"#{element.get('id')}" for element in root.iter()}


def test_pictures_are_small() -> None:
    sizes = [len(draw.picture(kind)) for kind in CATALOGUE.kinds.values()]

    assert max(sizes) < 20_000
    assert sum(sizes) / len(sizes) < 10_000


def test_a_picture_is_the_same_in_every_process_and_for_every_seed() -> None:
    code = "import sys; sys.path.insert(0, 'tests/sandbox'); import test_pictures; print(test_pictures.drawn())"
    environment = os.environ | {"PYTHONHASHSEED": "77", "PYTHONPATH": os.pathsep.join([".", "tests"])}

    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=120, check=True
    )

    assert done.stdout.strip() == drawn()
    redline = "AK-47 | Redline (Field-Tested)"
    assert draw.picture(Catalogue(1).kind(redline)) == draw.picture(Catalogue(2).kind(redline))


def test_no_two_names_have_one_picture() -> None:
    assert len({draw.picture(kind) for kind in CATALOGUE.kinds.values()}) == len(CATALOGUE.kinds)


def test_each_type_of_the_catalogue_has_an_outline_of_its_own() -> None:
    outlines = {kind.type: draw.thing(kind) for kind in CATALOGUE.kinds.values()}

    assert "Other" not in outlines.values()
    for name in ("Rifle", "Sniper Rifle", "Pistol", "SMG", "Shotgun", "Machinegun", "Knife", "Gloves"):
        kinds = [kind for kind in CATALOGUE.kinds.values() if kind.type == name]
        assert kinds
        drawn_as = {shapes.SHAPES[draw.thing(kind)] for kind in kinds}
        others = {shapes.SHAPES[draw.thing(kind)] for kind in CATALOGUE.kinds.values() if kind.type not in (name, "Sticker")}
        assert drawn_as & others == set()


@pytest.mark.parametrize("name", ODD)
def test_a_name_that_is_not_in_the_catalogue_is_drawn_by_its_words(name: str) -> None:
    kind = Catalogue(1).kind(name)

    assert draw.thing(kind) == ODD[name]
    assert read(kind).findtext(f"{SVG}title") == name


def test_a_name_is_text_and_never_markup() -> None:
    kind = Catalogue(1).kind("</title><script>alert(1)</script>&\"'")

    assert read(kind).findtext(f"{SVG}title") == kind.market_hash_name
    assert b"<script" not in draw.picture(kind)


def test_finish_rarity_wear_and_quality_can_be_seen() -> None:
    def of(name: str) -> bytes:
        return draw.picture(CATALOGUE.kinds[name]).partition(b"</title>")[2]

    new, worn = of("AK-47 | Slate (Factory New)"), of("AK-47 | Slate (Battle-Scarred)")
    assert len({new, worn, of("StatTrak™ AK-47 | Slate (Factory New)"), of("AK-47 | Vulcan (Factory New)")}) == 4
    assert b"#8847ff" in new  # Restricted
    assert new.count(b"#d9dce1") == 0 < worn.count(b"#d9dce1")


@pytest.mark.parametrize("pattern", finishes.PATTERNS)
def test_every_pattern_is_a_drawing(pattern: str) -> None:
    finish = finishes.Finish("#111111", "#222222", "#333333", pattern)

    made = finishes.PATTERNS[pattern](finish, finishes.Chance("x"))

    assert len(ElementTree.fromstring(f"<g>{made}</g>")) > 0


def test_every_path_is_one() -> None:
    paths = [path for shape in shapes.SHAPES.values() for _, path in shape.parts]
    for path in [*paths, *emblems.EMBLEMS.values(), *emblems.OUTLINES]:
        assert re.fullmatch(r"M[-MLHVQTACZlhvqtacmz\d. ]+", path), path


def test_known_finishes_name_patterns_that_exist() -> None:
    assert {finish.pattern for finish in [*finishes.KNOWN.values(), *dict(finishes.WORDS).values()]} <= set(finishes.PATTERNS)


# --- over HTTP -----------------------------------------------------------------------------------


def icon_of(bench: Bench) -> str:
    """The `icon_url` of an item as an inventory has it."""
    [steam_id, *_] = [person["steam_id"] for person in bench.accounts("player")]
    inventory = bench.session().get(f"https://steamcommunity.com/inventory/{steam_id}/730/2", timeout=60).json()
    found: str = inventory["descriptions"][0]["icon_url"]
    return found


@pytest.mark.parametrize("host", images.HOSTS)
def test_the_address_that_clients_make_of_an_icon_leads_to_its_picture(bench: Bench, host: str) -> None:
    icon, session = icon_of(bench), bench.session()

    answers = [session.get(f"https://{host}/economy/image/{icon}{size}", timeout=60) for size in ("", "/96fx96f", "/330x192")]

    assert [answer.status_code for answer in answers] == [200] * 3
    assert {answer.headers["Content-Type"] for answer in answers} == {"image/svg+xml"}
    assert {answer.headers["X-Content-Type-Options"] for answer in answers} == {"nosniff"}
    assert len({answer.content for answer in answers}) == 1
    assert ElementTree.fromstring(answers[0].content).tag == f"{SVG}svg"


def test_every_account_has_its_own_picture_and_nobody_else_has_one(bench: Bench) -> None:
    ids = [account.account_id for account in bench.running.world.accounts][:2]
    host, own = f"https://{images.AVATAR_HOST}", bench.running.steam_url

    there = [bench.session().get(f"{host}/{number:040x}_full.jpg", timeout=60) for number in ids]
    here = requests.get(f"{own}/{ids[0]:040x}.jpg", timeout=60)

    assert [answer.status_code for answer in there] == [200, 200]
    assert there[0].content == here.content != there[1].content
    assert ElementTree.fromstring(here.content).tag == f"{SVG}svg"
    assert requests.get(f"{own}/{'f' * 40}_full.jpg", timeout=60).status_code == 404


def test_pictures_are_at_the_sandboxs_own_address_and_kept_by_their_tag(bench: Bench) -> None:
    address = f"{bench.running.steam_url}/economy/image/{icon_of(bench)}"

    first = requests.get(address, timeout=60)
    again = requests.get(address, headers={"If-None-Match": f'"other", W/{first.headers["ETag"]}'}, timeout=60)
    other = requests.get(address, headers={"If-None-Match": '"other"'}, timeout=60)
    head = requests.head(address, timeout=60)

    assert first.status_code == other.status_code == head.status_code == 200
    assert first.content == other.content
    assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", first.headers["ETag"])
    assert first.headers["Cache-Control"] == "public, max-age=604800"


def test_every_item_of_the_catalogue_is_found_by_its_icon(bench: Bench) -> None:
    for kind in CATALOGUE.kinds.values():
        assert CATALOGUE.by_icon(kind.icon_url) == kind
    made = bench.running.world.catalogue.kind("Charm | Made Up Today")

    got = requests.get(f"{bench.running.steam_url}/economy/image/{made.icon_url}", timeout=60)

    assert ElementTree.fromstring(got.content).findtext(f"{SVG}title") == "Charm | Made Up Today"


@pytest.mark.parametrize("path", ["abc", "-9a81dlWLwJ2UUG", "", "a/b/c", "%3Cscript%3E", "x" * 500])
def test_a_picture_that_nobody_has_is_404(bench: Bench, path: str) -> None:
    for base in (bench.running.steam_url, "https://community.akamai.steamstatic.com"):
        assert bench.session().get(f"{base}/economy/image/{path}", timeout=60).status_code == 404


def test_a_picture_can_be_struck_by_trouble(bench: Bench) -> None:
    address = f"{bench.running.steam_url}/economy/image/{icon_of(bench)}"
    bench.order({"kind": "status", "status": 502, "route": "image"})

    assert [requests.get(address, timeout=60).status_code for _ in range(2)] == [502, 200]
