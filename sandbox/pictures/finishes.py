"""How a finish looks: its colours and its pattern, by the words of its name, and by its hash where no word says."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from sandbox.pictures.shapes import HEIGHT, WIDTH


class Chance:
    """Numbers that follow from a text, the same ones at each start and on each machine."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._count = 0

    def next(self, low: float = 0.0, high: float = 1.0) -> float:
        """The next number in [low, high)."""
        self._count += 1
        digest = hashlib.blake2b(f"{self._text}/{self._count}".encode(), digest_size=6).digest()
        return low + (high - low) * int.from_bytes(digest, "big") / 2**48

    def whole(self, below: int) -> int:
        return int(self.next(0, below))


@dataclass(frozen=True)
class Finish:
    """`base` under the pattern, `second` and `third` in it; `pattern` is a name of PATTERNS."""

    base: str
    second: str
    third: str
    pattern: str


KNOWN: Final[dict[str, Finish]] = {
    "Asiimov": Finish("#f1f2f4", "#f07a1e", "#23262d", "panels"),
    "Printstream": Finish("#f4f5f7", "#16181d", "#b9c6e8", "bands"),
    "Redline": Finish("#24262c", "#d8313a", "#8d949f", "lines"),
    "Vulcan": Finish("#e9edf2", "#2a7fd4", "#1d2836", "panels"),
    "Bloodsport": Finish("#d92b34", "#f3f4f6", "#1e2026", "panels"),
    "Slate": Finish("#383d46", "#5d6672", "#22262d", "shards"),
    "Neo-Noir": Finish("#20222c", "#e33d8f", "#8fa3ff", "shards"),
    "Hyper Beast": Finish("#1fb6a8", "#f2559b", "#f7d046", "waves"),
    "Wildfire": Finish("#2a2320", "#f2751f", "#f9c846", "flames"),
    "Atheris": Finish("#1f4f4a", "#46c9a4", "#12302f", "scales"),
    "Water Elemental": Finish("#2470c9", "#7fd0ff", "#f08a3c", "waves"),
    "Kill Confirmed": Finish("#3b3f49", "#d93b34", "#e8d9c0", "shards"),
    "Doppler": Finish("#2b1b5e", "#8e3df0", "#e64bb8", "marble"),
    "Slaughter": Finish("#b3202b", "#e4565c", "#6d0f18", "tiger"),
    "Tiger Tooth": Finish("#f2bd3b", "#b4701b", "#ffe08a", "tiger"),
    "Rust Coat": Finish("#8a4f2d", "#5a3320", "#c07c4a", "camo"),
    "Night": Finish("#262d4f", "#1a1f38", "#3a4476", "camo"),
    "Candy Apple": Finish("#cc1f2d", "#e8434f", "#8c0f1a", "plain"),
    "Safari Mesh": Finish("#9a8f6a", "#6e6848", "#c2b78e", "mesh"),
    "Racing Green": Finish("#1f6b45", "#d9d3be", "#123f29", "bands"),
    "Vice": Finish("#f05bb5", "#37c8e8", "#2a2140", "bands"),
    "Chromatic Aberration": Finish("#20242f", "#22d3ee", "#f43f7f", "lines"),
    "Neon Rider": Finish("#1b1035", "#ff3fa4", "#25e0ff", "grid"),
    "Nightmare": Finish("#2a1836", "#9b4de0", "#4fd18b", "marble"),
    "Decimator": Finish("#20233a", "#e93fa5", "#38bdf8", "panels"),
    "Fuel Injector": Finish("#f3b61f", "#1f2024", "#d9d9d9", "panels"),
    "Primal Saber": Finish("#e8a13a", "#7a2c1d", "#f5dc9a", "flames"),
    "Blood in the Water": Finish("#2f86a6", "#c3303a", "#d7ecf2", "waves"),
    "Monkey Business": Finish("#f0c83c", "#7a4a22", "#e2e2e2", "splatter"),
    "Starlight Protector": Finish("#3a2a78", "#f1c75b", "#7fb6ff", "stars"),
    "Tornado": Finish("#b9b3a2", "#8d8674", "#d9d4c6", "waves"),
}
WORDS: Final[tuple[tuple[str, Finish], ...]] = (
    ("forest", Finish("#56663a", "#37462a", "#8a8f5c", "camo")),
    ("boreal", Finish("#5c6b45", "#3e4a33", "#98a06c", "camo")),
    ("leaves", Finish("#4e6138", "#33432a", "#86915a", "camo")),
    ("sand", Finish("#c5ad7d", "#9c8557", "#e0cfa6", "camo")),
    ("mudder", Finish("#8d7650", "#66533a", "#b59c70", "camo")),
    ("dragon", Finish("#c0392b", "#f0b93a", "#2b2f38", "scales")),
    ("abyss", Finish("#123a6b", "#2f8fd6", "#0b2038", "scales")),
    ("space", Finish("#1b1f45", "#6d6cf0", "#e06bd0", "stars")),
)
HUES: Final = ("#e5484d", "#f0803c", "#eab308", "#4cbb6c", "#20b8a6", "#38a3f0", "#5b6cf0", "#9457eb", "#e0489f")
DEEP: Final = ("#22252d", "#2b2440", "#1d2f3a", "#332222", "#20342a", "#f0f1f4", "#d8dce4", "#3d4350")


def of(name: str) -> Finish:
    """The look of a finish by its name, such as `Redline`."""
    if name in KNOWN:
        return KNOWN[name]
    for word, finish in WORDS:
        if word in name.lower():
            return finish
    chance = Chance(f"finish/{name}")
    first = chance.whole(len(HUES))
    second = (first + 2 + chance.whole(5)) % len(HUES)
    base = HUES[first] if chance.next() < 0.5 else DEEP[chance.whole(len(DEEP))]
    patterns = [each for each in PATTERNS if each not in ("plain", "mesh", "camo")]
    return Finish(
        base, HUES[second], HUES[first] if base != HUES[first] else DEEP[chance.whole(4)], patterns[chance.whole(len(patterns))]
    )


# --- patterns: what lies on the base, as elements of SVG over the whole field --------------------


def _polygon(points: list[tuple[float, float]], color: str, opacity: float = 1.0) -> str:
    path = "L".join(f"{x:.0f} {y:.0f}" for x, y in points)
    faint = "" if opacity == 1 else f' opacity="{opacity:g}"'
    return f'<path d="M{path}z" fill="{color}"{faint}/>'


def _stroke(path: str, color: str, width: float, opacity: float = 1.0) -> str:
    faint = "" if opacity == 1 else f' opacity="{opacity:g}"'
    return f'<path d="{path}" fill="none" stroke="{color}" stroke-width="{width:g}"{faint}/>'


def _plain(finish: Finish, chance: Chance) -> str:
    return _polygon([(0, 150), (WIDTH, 110), (WIDTH, 140), (0, 190)], finish.second, 0.55)


def _bands(finish: Finish, chance: Chance) -> str:
    made: list[str] = []
    x = chance.next(-40, 20)
    while x < WIDTH:
        width = chance.next(14, 46)
        color = finish.second if len(made) % 2 == 0 else finish.third
        made.append(_polygon([(x, 0), (x + width, 0), (x + width - 90, HEIGHT), (x - 90, HEIGHT)], color))
        x += width + chance.next(34, 74)
    return "".join(made)


def _panels(finish: Finish, chance: Chance) -> str:
    made, x = [], chance.next(-30, 30)
    while x < WIDTH + 90:
        width, lean = chance.next(34, 70), chance.next(30, 80) * (1 if chance.next() < 0.5 else -1)
        color = finish.second if chance.next() < 0.62 else finish.third
        middle = chance.next(150, 215)
        made.append(_polygon([(x, 0), (x + width, 0), (x + width - lean / 2, middle), (x - lean / 2, middle)], color))
        made.append(_stroke(f"M{x + width:.0f} 0L{x + width - lean:.0f} {HEIGHT}", finish.third, 3))
        x += width + chance.next(38, 78)
    return "".join(made)


def _lines(finish: Finish, chance: Chance) -> str:
    y = chance.next(166, 178)
    made = [_stroke(f"M0 {y:.0f}H{chance.next(190, 250):.0f}l26 -14H{WIDTH}", finish.second, 6)]
    made.append(_stroke(f"M0 {y + 18:.0f}H{chance.next(220, 290):.0f}l20 -11H{WIDTH}", finish.second, 2.5))
    made += [_stroke(f"M{x} 0l-60 {HEIGHT}", finish.third, 1.2, 0.4) for x in range(20, 600, 22)]
    return "".join(made)


def _shards(finish: Finish, chance: Chance) -> str:
    made = []
    for number in range(26):
        x, y, size = chance.next(0, WIDTH), chance.next(120, 260), chance.next(28, 78)
        points = [(x + chance.next(-size, size), y + chance.next(-size, size) * 0.7) for _ in range(3)]
        made.append(_polygon(points, (finish.second, finish.third)[number % 2], 0.85))
    return "".join(made)


def _waves(finish: Finish, chance: Chance) -> str:
    made = []
    for number in range(13):
        y, swing = 80 + number * 20 + chance.next(-6, 6), chance.next(12, 34)
        path = f"M-20 {y:.0f}" + "".join(
            f"q{30} {-swing if step % 2 else swing:.0f} {60} {chance.next(-8, 8):.0f}" for step in range(10)
        )
        made.append(_stroke(path, (finish.second, finish.third, finish.second)[number % 3], chance.next(3, 11), 0.9))
    return "".join(made)


def _flames(finish: Finish, chance: Chance) -> str:
    made = []
    for number in range(16):
        x, top = number * 36 - 20 + chance.next(-8, 8), chance.next(110, 190)
        color = finish.third if number % 3 == 0 else finish.second
        made.append(
            f'<path d="M{x:.0f} 320q-6-60 14-90 16-24 12-{230 - top:.0f} 26 30 26 70t22 120z" fill="{color}" opacity=".92"/>'
        )
    return "".join(made)


def _scales(finish: Finish, chance: Chance) -> str:
    shades: dict[tuple[str, float], list[str]] = {}
    for row in range(13):
        for column in range(22):
            shade = finish.second if chance.next() < 0.42 else finish.third, (0.55, 0.75, 0.95)[chance.whole(3)]
            shades.setdefault(shade, []).append(f"M{column * 26 - 13 * (1 - row % 2)} {84 + row * 18}a13 13 0 0 0 26 0z")
    return "".join(f'<path d="{"".join(paths)}" fill="{color}" opacity="{faint}"/>' for (color, faint), paths in shades.items())


def _marble(finish: Finish, chance: Chance) -> str:
    made = []
    for number in range(15):
        x, y = chance.next(40, WIDTH), chance.next(90, 290)
        color = (finish.second, finish.third)[number % 2]
        rx, ry, turn = chance.next(36, 110), chance.next(10, 30), chance.next(-50, 50)
        made.append(
            f'<ellipse cx="{x:.0f}" cy="{y:.0f}" rx="{rx:.0f}" ry="{ry:.0f}" fill="{color}" opacity=".5"'
            f' transform="rotate({turn:.0f} {x:.0f} {y:.0f})"/>'
        )
    return "".join(made)


def _tiger(finish: Finish, chance: Chance) -> str:
    made = []
    for number in range(24):
        x, bend, length = number * 24 + chance.next(-6, 6), chance.next(-26, 26), chance.next(50, 120)
        top, way = (90, length) if number % 2 else (300, -length)
        down = f"q{bend:.0f} {way / 2:.0f} {bend / 2:.0f} {way:.0f}"
        back = f"q{12 - bend / 3:.0f} {-way / 2:.0f} {14 - bend / 2:.0f} {-way:.0f}"
        color = (finish.second, finish.third)[number % 3 == 2]
        made.append(f'<path d="M{x:.0f} {top}{down}{back}z" fill="{color}"/>')
    return "".join(made)


def _camo(finish: Finish, chance: Chance) -> str:
    made = []
    for number in range(30):
        x, y, size = chance.next(0, WIDTH), chance.next(90, 300), chance.next(16, 40)
        there = f"q{size:.0f} {-size:.0f} {1.6 * size:.0f} 0t{chance.next(-10, 30):.0f} {size:.0f}"
        back = f"q{-size:.0f} {size / 2:.0f} {-1.5 * size:.0f} 0z"
        made.append(f'<path d="M{x:.0f} {y:.0f}{there}{back}" fill="{(finish.second, finish.third)[number % 3 == 2]}"/>')
    return "".join(made)


def _mesh(finish: Finish, chance: Chance) -> str:
    lines = "".join(f"M{x} 60l240 240M{x} 300l240-240" for x in range(-240, WIDTH, 22))
    return _camo(finish, chance) + _stroke(lines, finish.base, 3.4) + _stroke(lines, finish.second, 1, 0.5)


def _splatter(finish: Finish, chance: Chance) -> str:
    made = []
    for number in range(46):
        x, y = chance.next(20, WIDTH), chance.next(90, 300)
        radius = chance.next(2, 9) if number % 5 else chance.next(12, 26)
        made.append(
            f'<circle cx="{x:.0f}" cy="{y:.0f}" r="{radius:.0f}" fill="{(finish.second, finish.third)[number % 3 == 2]}"/>'
        )
    return "".join(made)


def _grid(finish: Finish, chance: Chance) -> str:
    level = chance.next(182, 194)
    rows = "".join(f"M0 {level + 5 * step + step * step * 1.6:.0f}h{WIDTH}" for step in range(9))
    columns = "".join(f"M{256 + step * 14} {level:.0f}L{256 + step * 70} {HEIGHT}" for step in range(-14, 15))
    sun = f'<circle cx="{chance.next(200, 300):.0f}" cy="{level:.0f}" r="42" fill="{finish.second}"/>'
    return (
        sun
        + _polygon([(0, level), (WIDTH, level), (WIDTH, HEIGHT), (0, HEIGHT)], finish.base)
        + _stroke(rows + columns, finish.third, 1.8)
    )


def _stars(finish: Finish, chance: Chance) -> str:
    made = [_marble(finish, chance)]
    for number in range(38):
        x, y, r = chance.next(20, WIDTH), chance.next(100, 290), chance.next(1.2, 6 if number % 6 == 0 else 2.6)
        near, far = f"{r / 2:.1f}", f"{1.5 * r:.1f}"
        points = f"l{near} {far} {far} {near}-{far} {near}-{near} {far}-{near}-{far}-{far}-{near} {far}-{near}z"
        made.append(f'<path d="M{x:.0f} {y - 2 * r:.1f}{points}" fill="#fff6d8"/>')
    return "".join(made)


PATTERNS: Final[dict[str, Callable[[Finish, Chance], str]]] = {
    "bands": _bands,
    "camo": _camo,
    "flames": _flames,
    "grid": _grid,
    "lines": _lines,
    "marble": _marble,
    "mesh": _mesh,
    "panels": _panels,
    "plain": _plain,
    "scales": _scales,
    "shards": _shards,
    "splatter": _splatter,
    "stars": _stars,
    "tiger": _tiger,
    "waves": _waves,
}
