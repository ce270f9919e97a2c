"""Pairings on BLS12-381 in plain Python: enough to check one signature, in about a tenth of a second, with nothing installed.

Written to be read, not to be fast, and not fit for secrets (its time depends on the values). Points are pairs (x, y) over the
quadratic extension of the base field, `None` is the point at infinity; a point of G1 has no `u` in its coordinates. The curve
is y^2 = x^3 + 4 for G1 and y^2 = x^3 + 4 (1 + u) for G2. Hashing is that of RFC 9380, the encoding of points that of ZCash.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Optional

from lottery import rfc9380

P = 0x1A0111EA397FE69A4B1BA7B6434BACD764774B84F38512BF6730D2A0F6B0F6241EABFFFEB153FFFFB9FEFFFFFFFFAAAB
"""The base field."""
R = 0x73EDA753299D7D483339D80809A1D80553BDA402FFFE5BFEFFFFFFFF00000001
"""The order of both groups."""
LOOP = 0xD201000000010000
"""The parameter of the curve, without its sign, which does not matter to a product that must be one."""
HALF = pow(2, -1, P)
COORDINATE_BYTES = 48
COMPRESSED, INFINITY, GREATER = 0x80, 0x40, 0x20
FIELD_BYTES = 64
"""Bytes of hash for one coordinate: 128 bits more than it has, so that no value is favoured."""


@dataclass(frozen=True, slots=True)
class F2:
    """a + b·u with u^2 = -1, both below P."""

    a: int
    b: int = 0

    def __add__(self, other: "F2") -> "F2":
        return F2((self.a + other.a) % P, (self.b + other.b) % P)

    def __sub__(self, other: "F2") -> "F2":
        return F2((self.a - other.a) % P, (self.b - other.b) % P)

    def __neg__(self) -> "F2":
        return F2(-self.a % P, -self.b % P)

    def __mul__(self, other: "F2") -> "F2":
        return F2((self.a * other.a - self.b * other.b) % P, (self.a * other.b + self.b * other.a) % P)

    def inverse(self) -> "F2":
        """One over this. Raises ValueError for zero."""
        norm = pow(self.a * self.a + self.b * self.b, -1, P)
        return F2(self.a * norm % P, -self.b * norm % P)

    def odd(self) -> bool:
        """The sign that hashing goes by: of a, or of b where a is zero."""
        return bool(self.a & 1 if self.a else self.b & 1)

    def greater(self) -> bool:
        """The sign that encodings go by: whether b, or a where b is zero, lies in the upper half."""
        return (self.b or self.a) > P // 2


Point = Optional[tuple[F2, F2]]  # noqa: UP045 - a name for a type, in a form that Python 3.11 can print


@dataclass(frozen=True)
class Group:
    """What differs between G1 (`degree` 1) and G2 (`degree` 2): the curve, and how a hash becomes a point of it."""

    degree: int
    b: F2
    swu: tuple[F2, ...]
    isogeny: tuple[tuple[F2, ...], ...]
    cofactor: int

    def root(self, value: F2) -> F2 | None:
        """A square root within the group's field, or None."""
        return _root2(value) if self.degree == 2 else _root1(value)


def _elements(values: Iterable[int | tuple[int, int]]) -> tuple[F2, ...]:
    return tuple(F2(value) if isinstance(value, int) else F2(*value) for value in values)


G1 = Group(
    1,
    F2(4),
    _elements((rfc9380.A_G1, rfc9380.B_G1, rfc9380.Z_G1)),
    tuple(map(_elements, (rfc9380.X_NUMERATOR_G1, rfc9380.X_DENOMINATOR_G1, rfc9380.Y_NUMERATOR_G1, rfc9380.Y_DENOMINATOR_G1))),
    rfc9380.COFACTOR_G1,
)
G2 = Group(
    2,
    F2(4, 4),
    _elements((rfc9380.A_G2, rfc9380.B_G2, rfc9380.Z_G2)),
    tuple(map(_elements, (rfc9380.X_NUMERATOR_G2, rfc9380.X_DENOMINATOR_G2, rfc9380.Y_NUMERATOR_G2, rfc9380.Y_DENOMINATOR_G2))),
    rfc9380.COFACTOR_G2,
)


# ---- the curve


def add(one: Point, other: Point) -> Point:
    """The sum of two points."""
    if one is None or other is None:
        return other if one is None else one
    if one[0] == other[0] and (one[1] != other[1] or one[1] == F2(0)):
        return None
    return _third(one, other, slope(one, other))


def slope(one: tuple[F2, F2], other: tuple[F2, F2]) -> F2:
    """Of the line through two points, or of the tangent where they are the same."""
    (x, y), (x2, y2) = one, other
    return F2(3) * x * x * (y + y).inverse() if one == other else (y2 - y) * (x2 - x).inverse()


def _third(one: tuple[F2, F2], other: tuple[F2, F2], rise: F2) -> tuple[F2, F2]:
    x = rise * rise - one[0] - other[0]
    return x, rise * (one[0] - x) - one[1]


def multiply(point: Point, times: int) -> Point:
    """The point added to itself so many times."""
    total: Point = None
    for bit in f"{times:b}":
        total = add(total, total)
        if bit == "1":
            total = add(total, point)
    return total


def negative(point: Point) -> Point:
    """The point below (or above) this one."""
    return None if point is None else (point[0], -point[1])


def decompress(group: Group, data: bytes) -> Point:
    """A point from its one compressed form. Raises ValueError for any other form, infinity, or a point outside of the group."""
    if len(data) != COORDINATE_BYTES * group.degree or data[0] & (COMPRESSED | INFINITY) != COMPRESSED:
        raise ValueError("not the compressed form of a point")
    plain = bytes([data[0] & ~(COMPRESSED | INFINITY | GREATER)]) + data[1:]
    halves = [
        int.from_bytes(plain[place : place + COORDINATE_BYTES], "big") for place in range(0, len(plain), COORDINATE_BYTES)
    ]
    if max(halves) >= P:
        raise ValueError("a coordinate is not canonical")
    x = F2(*reversed(halves))
    y = group.root(x * x * x + group.b)
    if y is None:
        raise ValueError("not a point of the curve")
    point = (x, y if y.greater() == bool(data[0] & GREATER) else -y)
    if multiply(point, R) is not None:
        raise ValueError("not a point of the group")
    return point


def _root1(value: F2) -> F2 | None:
    found = pow(value.a, (P + 1) // 4, P)
    return F2(found) if found * found % P == value.a else None


def _root2(value: F2) -> F2 | None:
    """Of x + y·u: x^2 - y^2 = a and x^2 + y^2 = s, where s is a root of the norm; the sign of y follows from b."""
    norm = _root1(F2((value.a * value.a + value.b * value.b) % P))
    for s in () if norm is None else (norm.a, -norm.a):
        real = _root1(F2((value.a + s) * HALF % P))
        imaginary = _root1(F2((s - value.a) * HALF % P))
        if real is not None and imaginary is not None:
            found = F2(real.a, imaginary.a)
            return found if found * found == value else F2(real.a, -imaginary.a % P)
    return None


# ---- hashing (RFC 9380)


def hash_to(group: Group, message: bytes, tag: bytes) -> Point:
    """The point that a message stands for under a tag: `hash_to_curve` with SHA-256 and the simplified SWU map."""
    size = FIELD_BYTES * group.degree
    data = expand(message, tag, 2 * size)
    numbers = [int.from_bytes(data[place : place + FIELD_BYTES], "big") % P for place in range(0, 2 * size, FIELD_BYTES)]
    first, second = (F2(*numbers[place : place + group.degree]) for place in (0, group.degree))
    return multiply(add(_mapped(group, first), _mapped(group, second)), group.cofactor)


def expand(message: bytes, tag: bytes, length: int) -> bytes:
    """`expand_message_xmd`, section 5.3.1."""
    ending = tag + bytes([len(tag)])
    start = sha256(bytes(64) + message + length.to_bytes(2, "big") + b"\0" + ending).digest()
    block, found = bytes(32), b""
    for number in range(1, -(-length // 32) + 1):
        block = sha256(bytes(one ^ other for one, other in zip(start, block, strict=True)) + bytes([number]) + ending).digest()
        found += block
    return found[:length]


def _mapped(group: Group, u: F2) -> Point:
    """Section 6.6.2 and 6.6.3: a point of the other curve, and its image on ours."""
    a, b, z = group.swu
    step = z * u * u
    below = step * step + step
    x = b * (z * a).inverse() if below == F2(0) else -b * a.inverse() * (F2(1) + below.inverse())
    y = group.root(x * x * x + a * x + b)
    if y is None:
        x = step * x
        y = group.root(x * x * x + a * x + b)
    if y is None:
        raise ValueError("one of the two is a square")
    if u.odd() != y.odd():
        y = -y
    x_above, x_below, y_above, y_below = (_value(coefficients, x) for coefficients in group.isogeny)
    return x_above * x_below.inverse(), y * y_above * y_below.inverse()


def _value(coefficients: Sequence[F2], x: F2) -> F2:
    total = F2(0)
    for each in reversed(coefficients):
        total = total * x + each
    return total


# ---- the pairing. An element of the extension of degree 12 is a polynomial in w with w^12 = 2 w^6 - 2, so that w^6 = 1 + u.
# Its twelve coefficients stand side by side in one integer, 96 bytes each: one product of integers multiplies all of them, for
# a coefficient of the product is below 12·P^2 < 2^768.

SLOT = 96
DEGREE = 12


def _packed(coefficients: Iterable[int]) -> int:
    return int.from_bytes(b"".join([each.to_bytes(SLOT, "little") for each in coefficients]), "little")


def _unpacked(element: int, count: int) -> list[int]:
    data = element.to_bytes(SLOT * count, "little")
    return [int.from_bytes(data[place : place + SLOT], "little") for place in range(0, SLOT * count, SLOT)]


def _product(one: int, other: int) -> int:
    found = _unpacked(one * other, 2 * DEGREE - 1)
    for place in range(2 * DEGREE - 2, DEGREE - 1, -1):
        found[place - 6] += 2 * found[place]
        found[place - 12] -= 2 * found[place]
    return _packed([each % P for each in found[:DEGREE]])


def _line(at: tuple[F2, F2], through: tuple[F2, F2], rise: F2) -> int:
    """The line of this slope through a point of G2, at a point of G1, times w^3 (which the last power makes one)."""
    start, middle = rise * through[0] - through[1], -rise * at[0]
    found = [0] * DEGREE
    found[0], found[6] = (start.a - start.b) % P, start.b
    found[2], found[8] = (middle.a - middle.b) % P, middle.b
    found[3] = at[1].a
    return _packed(found)


def _power(element: int, exponent: int) -> int:
    """Four bits at a time."""
    powers = [_packed([1] + [0] * 11)]
    for _ in range(15):
        powers.append(_product(powers[-1], element))
    found = powers[0]
    for digit in f"{exponent:x}":
        for _ in range(4):
            found = _product(found, found)
        found = _product(found, powers[int(digit, 16)])
    return found


HARD_PART = (P * P + 1) * ((P**4 - P * P + 1) // R)


def product_is_one(pairs: Sequence[tuple[Point, Point]]) -> bool:
    """Whether the pairings of these points, each of G1 with one of G2, multiply to one.

    The last power is (P^12 - 1)/R = (P^6 - 1)·HARD_PART. Raising to P^6 turns w into -w, so f^(P^6 - 1) is one if f is its own
    mirror image: if it has no odd power of w.
    """
    total = _packed([1] + [0] * 11)
    there = [(at, around) for at, around in pairs if at is not None and around is not None]
    current = [around for _, around in there]
    for bit in f"{LOOP:b}"[1:]:
        total = _product(total, total)
        for step in ("double", "add") if bit == "1" else ("double",):
            for index, (at, around) in enumerate(there):
                other = current[index] if step == "double" else around
                rise = slope(current[index], other)
                total = _product(total, _line(at, current[index], rise))
                current[index] = _third(current[index], other, rise)
    return not any(_unpacked(_power(total, HARD_PART), DEGREE)[1::2])
