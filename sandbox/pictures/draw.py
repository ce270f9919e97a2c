"""The picture of one kind of item, as SVG without scripts, styles or anything from elsewhere."""

from typing import Final
from xml.sax.saxutils import escape

from sandbox.pictures import emblems, finishes, shapes
from sandbox.pictures.finishes import Chance, Finish
from sandbox.pictures.shapes import HEIGHT, WIDTH, Shape
from sandbox.world.catalogue import Kind

SCRATCHES: Final = (0, 3, 9, 16, 26)
"""How many, by the exterior as in `catalogue.WEARS`: a new one has none."""


def _gradient(name: str, *stops: tuple[float, str, float], across: bool = False) -> str:
    """From top to bottom, or from corner to corner; a stop is its place, colour and opacity."""
    made = "".join(
        f'<stop offset="{place:g}" stop-color="{color}"' + ("/>" if opacity == 1 else f' stop-opacity="{opacity:g}"/>')
        for place, color, opacity in stops
    )
    return f'<linearGradient id="{name}" x2="{1 if across else 0}" y2="1">{made}</linearGradient>'


GRADIENTS: Final = (
    _gradient("m", (0, "#9aa3b2", 1), (0.5, "#69717f", 1), (1, "#474e5a", 1))
    + _gradient("k", (0, "#4d5461", 1), (1, "#262a32", 1))
    + _gradient("g", (0, "#d8f3ff", 1), (0.5, "#5fb4e6", 1), (1, "#2b5f96", 1), across=True)
    + _gradient("o", (0, "#fbe7a1", 1), (0.5, "#dca73a", 1), (1, "#8e5f14", 1), across=True)
    + _gradient("s", (0, "#fff", 0.5), (0.3, "#fff", 0.06), (0.58, "#000", 0), (1, "#000", 0.5))
)
"""Metal, dark metal, glass, gold, and the light that falls on everything painted."""
INK: Final = "#0a0c11"
FILLS: Final = {"metal": "url(#m)", "dark": "url(#k)", "glass": "url(#g)", "gold": "url(#o)", "light": "#f5f7fb"}
PLAIN_TYPES: Final = (
    ("graffiti", "Graffiti"), ("music kit", "Music Kit"), ("charm", "Charm"), ("patch", "Sticker"), ("sticker", "Sticker"),
    ("case key", "Key"), ("case", "Container"), ("capsule", "Container"), ("package", "Container"), ("coin", "Collectible"),
    ("medal", "Collectible"), ("pin", "Collectible"), ("badge", "Collectible"),
)  # fmt: skip
"""What a kind that only has a name is, by a word in it."""


def picture(kind: Kind) -> bytes:
    """The whole document; the same bytes for the same kind."""
    what = thing(kind)
    inner = emblems.draw(kind, what) if what in emblems.TYPES else _weapon(kind, shapes.SHAPES[what])
    size = f'viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}"'
    glow = "".join(
        f'<stop offset="{place}" stop-color="#{kind.color}" stop-opacity="{opacity}"/>'
        for place, opacity in ((0, 0.5), (0.55, 0.16), (1, 0))
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img"><title>{escape(kind.market_hash_name)}</title>'
        f'<defs>{GRADIENTS}<radialGradient id="r">{glow}</radialGradient></defs>'
        f'<ellipse cx="256" cy="196" rx="250" ry="176" fill="url(#r)"/>{inner}</svg>'
    ).encode()


def thing(kind: Kind) -> str:
    """A name of `shapes.SHAPES` or `emblems.TYPES`: the weapon's own outline, or that of its type."""
    for name in (kind.weapon.removeprefix("★ "), kind.type):
        if name in shapes.SHAPES or name in emblems.TYPES:
            return name
    words = kind.market_hash_name.lower()
    return next((what for word, what in PLAIN_TYPES if word in words), "Other")


def finish_of(kind: Kind) -> Finish:
    """By the words after the bar; what has no finish is coloured by its name."""
    weapon, bar, finish = kind.name.removeprefix("StatTrak™ ").removeprefix("Souvenir ").partition(" | ")
    return finishes.of(finish if bar and kind.exterior is not None else weapon)


def _path(path: str, fill: str = "none", stroke: str = "", width: float = 0, opacity: float = 1, more: str = "") -> str:
    """One path; `opacity` is the stroke's."""
    edge = f' stroke="{stroke}" stroke-width="{width:g}" stroke-linejoin="round"' if stroke else ""
    faint = f' stroke-opacity="{opacity:g}"' if opacity != 1 else ""
    return f'<path d="{path}" fill="{fill}"{edge}{faint}{more}/>'


def _weapon(kind: Kind, shape: Shape) -> str:
    finish = finish_of(kind)
    definitions = f'<clipPath id="c">{_path(_of(shape, "paint"), "#000")}</clipPath>'
    mask = ""
    if holes := _of(shape, "hole"):
        field = "M-60-60h640v520h-640z"
        definitions += f'<mask id="h">{_path(field, "#fff")}{_path(holes, "#000")}</mask>'
        mask = ' mask="url(#h)"'
    turn = f"translate(256 192) rotate({shape.turn}) scale({shape.scale:g}) translate(-256 -192)"
    halo = _halo(kind, shape)
    parts = _parts(shape, finish, Chance(f"pattern/{finish}"), _worn(kind))
    return f'<defs>{definitions}</defs><g transform="{turn}"><g{mask}>{halo}{parts}</g>{_mark(kind, shape)}</g>'


def _of(shape: Shape, *roles: str) -> str:
    return "".join(path for role, path in shape.parts if role in roles)


def _halo(kind: Kind, shape: Shape) -> str:
    """A rim of light, so that dark things are seen on dark pages and light ones on light pages."""
    solid = _of(shape, "paint", "trim", "metal", "dark", "glass", "gold")
    return (
        _path(solid, stroke=f"#{kind.color}", width=14, opacity=0.28)
        + _path(solid, stroke="#f3f6ff", width=5, opacity=0.55)
        + _path(_of(shape, "wire"), stroke="#f3f6ff", width=10, opacity=0.4)
    )


def _parts(shape: Shape, finish: Finish, chance: Chance, worn: str) -> str:
    """Each part in its place; all painted ones come with the last of them, under one pattern."""
    last = max(place for place, (role, _) in enumerate(shape.parts) if role == "paint")
    made = []
    for place, (role, path) in enumerate(shape.parts):
        if role == "paint" and place == last:
            made.append(_painted(_of(shape, "paint"), finish, chance, worn))
        elif role not in ("paint", "hole"):
            made.append(_part(role, path, finish))
    return "".join(made)


def _painted(paths: str, finish: Finish, chance: Chance, worn: str) -> str:
    pattern = finishes.PATTERNS[finish.pattern](finish, chance)
    over = f'<g clip-path="url(#c)">{pattern}{worn}</g>'
    return _path(paths, finish.base) + over + _path(paths, "url(#s)", INK, 2.4, 0.65)


def _part(role: str, path: str, finish: Finish) -> str:
    if role == "line":
        return _path(path, stroke=INK, width=3, opacity=0.55, more=' stroke-linecap="round"')
    if role == "wire":
        return _path(path, stroke=INK, width=8, opacity=0.6) + _path(path, stroke="#69717f", width=4.5)
    if role == "trim":
        return _path(path, finish.second) + _path(path, "url(#s)", INK, 2.4, 0.6)
    return _path(path, FILLS[role], INK, 2.2, 0.6)


def _worn(kind: Kind) -> str:
    """Scratches and a grey veil, more of both the lower the exterior."""
    if not kind.exterior:
        return ""
    chance = Chance(f"worn/{kind.market_hash_name}")
    made = []
    for _ in range(SCRATCHES[kind.exterior]):
        x, y, length = chance.next(20, WIDTH), chance.next(100, 290), chance.next(8, 42)
        made.append(f"M{x:.0f} {y:.0f}l{length:.0f} {chance.next(-14, 14):.0f}")
    scratches = "".join(made)
    veil = f'<path d="M0 0h{WIDTH}v{HEIGHT}h-{WIDTH}z" fill="#8a8d93" opacity="{0.05 * kind.exterior:g}"/>'
    depth = _path(scratches, stroke="#15171c", width=1.2, opacity=0.5, more=' transform="translate(0 2)"')
    return veil + _path(scratches, stroke="#d9dce1", width=1.6, opacity=0.75) + depth


def _mark(kind: Kind, shape: Shape) -> str:
    """The counter of a StatTrak™ weapon, the medal of a souvenir."""
    if kind.quality == "strange":
        counter = _path("M-24-7q0-5 5-5h38q5 0 5 5v14q0 5-5 5h-38q-5 0-5-5z", "#15171c", "#cf6a32", 3)
        inner = counter + _path("M-14-4v8M-5-4v8M4-4v8M13-4v8", stroke="#ff9a57", width=4, more=' stroke-linecap="round"')
    elif kind.quality == "tournament":
        medal = '<circle r="14" fill="url(#o)" stroke="#5b3d0c" stroke-width="2"/>'
        inner = medal + _path("M0-9l3 6 6 1-5 4 1 6-5-3-5 3 1-6-5-4 6-1z", "#5b3d0c")
    else:
        return ""
    return f'<g transform="translate({shape.mark[0]} {shape.mark[1]})">{inner}</g>'
