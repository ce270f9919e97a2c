"""Stickers and graffiti: an emblem that follows from the name, die-cut or sprayed."""

from typing import Final

from sandbox.pictures.finishes import DEEP, HUES, Chance
from sandbox.world.catalogue import Kind

TYPES: Final = frozenset({"Sticker", "Graffiti"})

EMBLEMS: Final = {
    "crown": "M-78 58l-14-104 50 40 42-66 42 66 50-40-14 104zM-78 70h156v20h-156z",
    "star": "M0-98l27 62 67 6-51 44 16 66-59-35-59 35 16-66-51-44 67-6z",
    "bolt": "M22-100L-66 22h50l-14 80L66-26H12z",
    "flame": "M4-104q14 40 46 68 36 32 36 72 0 66-86 66t-86-66q0-34 26-58 6 26 24 30-10-62 40-112zM2 20q-34 24-34 46 0 22 34 22t34-22q0-22-34-46z",
    "shield": "M0-98q44 24 88 24 2 124-88 176-90-52-88-176 44 0 88-24zM0-62v130q52-38 54-108-28-4-54-22z",
    "skull": "M0-96q84 0 84 84 0 36-26 56v36q0 12-12 12h-92q-12 0-12-12V44q-26-20-26-56 0-84 84-84zM-34-28a22 22 0 1 0 1 0zM34-28a22 22 0 1 0 1 0zM0 18l-12 24h24z",
    "eye": "M-104 0q52-70 104-70T104 0q-52 70-104 70T-104 0zM0-44a44 44 0 1 0 1 0zM0-22a22 22 0 1 0 1 0z",
    "wing": "M-96 40Q-40-80 98-84q-8 40-42 54 20 4 30 0-16 34-52 40 14 6 26 4-26 40-90 44-38 2-66-18z",
    "peak": "M-104 76L-26-66l36 58 22-30 72 114zM-26-36l-24 44 18-8 14 14 14-12z",
    "sword": "M0-106l16 24v112h34v18H16v30h10v22h-52V78h10V48h-34V30h34V-82z",
    "target": "M0-98a98 98 0 1 0 1 0zM0-70a70 70 0 1 1-1 0zM0-46a46 46 0 1 0 1 0zM0-20a20 20 0 1 1-1 0z",
}
OUTLINES: Final = (
    "M0-146q146 0 146 146T0 146-146 0 0-146z",
    "M0-152q64 34 138 34 6 190-138 266-144-76-138-266 74 0 138-34z",
    "M-78-134h156l76 134-76 134H-78l-76-134z",
    "M-118-136h236q22 0 22 22v228q0 22-22 22h-236q-22 0-22-22v-228q0-22 22-22z",
    "M0-156l36 30 46-10 20 42 46 12v48l30 34-30 34v48l-46 12-20 42-46-10-36 30-36-30-46 10-20-42-46-12v-48l-30-34 30-34v-48l46-12 20-42 46 10z",
)
NAMED: Final = {
    "crown": "crown",
    "headhunter": "skull",
    "flammable": "flame",
    "natus": "sword",
    "astralis": "star",
    "furia": "wing",
}
"""Emblems of names that say what is on them."""


def draw(kind: Kind, what: str) -> str:
    """What stands within the picture of a sticker or a graffiti."""
    subject = kind.market_hash_name.partition(" | ")[2] or kind.market_hash_name
    chance = Chance(f"emblem/{subject.partition(' (')[0].partition(' | ')[0]}")
    emblem = next((name for word, name in NAMED.items() if word in subject.lower()), None)
    path = EMBLEMS[emblem or list(EMBLEMS)[chance.whole(len(EMBLEMS))]]
    first = chance.whole(len(HUES))
    ink, ground = HUES[first], DEEP[chance.whole(4)]
    return _sprayed(path, ink, Chance(f"spray/{subject}")) if what == "Graffiti" else _sticker(kind, path, ink, ground, chance)


def _sticker(kind: Kind, path: str, ink: str, ground: str, chance: Chance) -> str:
    """White paper, a printed ground, the emblem, and the corner that comes off; foil and holo shine."""
    outline = OUTLINES[chance.whole(len(OUTLINES))]
    name = kind.market_hash_name
    shine, emblem_fill = "", ink
    if "(Holo)" in name:
        shine, emblem_fill = HOLO, "#ffffff"
        ground = "url(#x)"
    elif "(Foil)" in name or "(Gold)" in name:
        shine, emblem_fill = "", "url(#o)"
    return (
        f'{shine}<g transform="translate(256 192) rotate(-6)" stroke-linejoin="round">'
        f'<path d="{outline}" fill="#0a0c11" opacity=".35" transform="translate(5 8)"/>'
        f'<path d="{outline}" fill="#fbfcfe" stroke="#aab0bd" stroke-width="1.5"/>'
        f'<g transform="scale(.9)"><path d="{outline}" fill="{ground}"/>'
        f'<path d="{outline}" fill="none" stroke="{ink}" stroke-width="7" transform="scale(.92)"/></g>'
        f'<path d="{path}" fill="#0a0c11" fill-rule="evenodd" opacity=".45" transform="scale(.82) translate(4 7)"/>'
        f'<path d="{path}" fill="{emblem_fill}" fill-rule="evenodd" stroke="#fff" stroke-opacity=".6" stroke-width="3" transform="scale(.82)"/>'
        '<path d="M-104-40Q-40-120 74-100-40-80-104 16z" fill="#fff" opacity=".13"/></g>'
    )


HOLO: Final = (
    '<defs><linearGradient id="x" x2="1" y2="1"><stop stop-color="#7df3e1"/><stop offset=".25" stop-color="#6aa8ff"/>'
    '<stop offset=".5" stop-color="#c27bff"/><stop offset=".75" stop-color="#ff7fb0"/><stop offset="1" stop-color="#ffd479"/>'
    "</linearGradient></defs>"
)


def _sprayed(path: str, ink: str, chance: Chance) -> str:
    """One colour on a wall, with dust around it and paint running down."""
    dust = "".join(
        f'<circle cx="{chance.next(90, 420):.0f}" cy="{chance.next(40, 330):.0f}" r="{chance.next(1, 4):.1f}"/>'
        for _ in range(60)
    )
    drips = "".join(
        f'<path d="M{x:.0f} {chance.next(210, 250):.0f}v{chance.next(40, 100):.0f}" stroke="{ink}" stroke-width="{chance.next(5, 9):.0f}" stroke-linecap="round"/>'
        for x in (chance.next(196, 226), chance.next(240, 270), chance.next(284, 316))
    )
    return (
        f'<g fill="{ink}" opacity=".55">{dust}</g>{drips}<g transform="translate(256 180) rotate(4) scale(1.35)">'
        f'<path d="{path}" fill="none" stroke="{ink}" stroke-opacity=".3" stroke-width="26" stroke-linejoin="round"/>'
        f'<path d="{path}" fill="{ink}" fill-rule="evenodd" stroke="#fff" stroke-opacity=".5" stroke-width="2.5" stroke-linejoin="round"/></g>'
    )
