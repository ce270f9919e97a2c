"""The arithmetic behind a beacon, by the laws that it must keep and by the vectors of RFC 9380."""

import pytest

from lottery import bls, drand

GENERATOR_1 = bls.decompress(bls.G1, drand.G1_GENERATOR)
GENERATOR_2 = bls.decompress(bls.G2, drand.G2_GENERATOR)


def test_expanding_a_message_is_that_of_the_rfc() -> None:
    """Appendix K.1, the first and the last of the short ones."""
    tag = b"QUUX-V01-CS02-with-expander-SHA256-128"
    assert bls.expand(b"", tag, 32).hex() == "68a985b87eb6b46952128911f2a4412bbc302a9d759667f87f7a21d803f07235"
    assert bls.expand(b"abc", tag, 32).hex() == "d8ccab23b5985ccea865c6c97b6e5b8350e794e603b4b97902f53a8a0d605615"


def test_hashing_to_the_first_group_is_that_of_the_rfc() -> None:
    """Appendix J.9.1, the empty message."""
    point = bls.hash_to(bls.G1, b"", b"QUUX-V01-CS02-with-BLS12381G1_XMD:SHA-256_SSWU_RO_")
    assert point is not None
    x = "052926add2207b76ca4fa57a8734416c8dc95e24501772c814278700eed6d1e4e8cf62d9c09db0fac349612b759e79a1"
    y = "08ba738453bfed09cb546dbb0783dbb3a5f1f566ed67bb6be0e8c67e2e81a4cc68ee29813bb7994998f3eae0c9c6a265"
    assert (f"{point[0].a:096x}", f"{point[1].a:096x}") == (x, y)


def test_hashing_to_the_second_group_is_that_of_the_rfc() -> None:
    """Appendix J.10.1, the empty message."""
    point = bls.hash_to(bls.G2, b"", b"QUUX-V01-CS02-with-BLS12381G2_XMD:SHA-256_SSWU_RO_")
    assert point is not None
    assert f"{point[0].a:096x}" == (
        "0141ebfbdca40eb85b87142e130ab689c673cf60f1a3e98d69335266f30d9b8d4ac44c1038e9dcdd5393faf5c41fb78a"
    )
    assert f"{point[0].b:096x}" == (
        "05cb8437535e20ecffaef7752baddf98034139c38452458baeefab379ba13dff5bf5dd71b72418717047f5b0f37da03d"
    )


@pytest.mark.parametrize("group", [bls.G1, bls.G2], ids=["G1", "G2"])
def test_hashes_lie_in_the_group(group: bls.Group) -> None:
    point = bls.hash_to(group, b"a message", b"a tag")
    assert point is not None
    assert point[1] * point[1] == point[0] * point[0] * point[0] + group.b
    assert bls.multiply(point, bls.R) is None
    assert point != bls.hash_to(group, b"a message", b"another tag")


def test_the_curve_adds_as_a_group_does() -> None:
    for point in (GENERATOR_1, GENERATOR_2):
        twice, thrice = bls.add(point, point), bls.multiply(point, 3)
        assert bls.add(twice, point) == bls.add(point, twice) == thrice
        assert bls.add(point, bls.negative(point)) is None
        assert bls.add(None, point) == bls.add(point, None) == point
        assert bls.multiply(point, bls.R + 1) == point


def test_the_pairing_is_linear_on_both_sides_and_not_trivial() -> None:
    six, two, three = (bls.multiply(GENERATOR_1, times) for times in (6, 2, 3))
    triple = bls.multiply(GENERATOR_2, 3)
    assert bls.product_is_one([(six, GENERATOR_2), (bls.negative(two), triple)])
    assert bls.product_is_one([(two, GENERATOR_2), (GENERATOR_1, GENERATOR_2), (bls.negative(three), GENERATOR_2)])
    assert not bls.product_is_one([(six, GENERATOR_2), (bls.negative(three), triple)])
    assert not bls.product_is_one([(GENERATOR_1, GENERATOR_2)])
    assert bls.product_is_one([(None, GENERATOR_2), (GENERATOR_1, None)])


@pytest.mark.parametrize("group", [bls.G1, bls.G2], ids=["G1", "G2"])
def test_roots_are_roots(group: bls.Group) -> None:
    for value in (
        bls.F2(0),
        bls.F2(1),
        bls.F2(4),
        bls.F2(5),
        bls.F2(bls.P - 1),
        *([bls.F2(3, 7), bls.F2(0, 9)] * (group.degree - 1)),
    ):
        square = value * value
        root = group.root(square)
        assert root in (value, -value)
    assert bls.G1.root(bls.F2(bls.P - 1)) is None
    assert bls.G2.root(bls.F2(bls.P - 1)) in (bls.F2(0, 1), bls.F2(0, bls.P - 1))


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"\x80" + bytes(46) + b"\x01", "not a point of the curve"),
        (b"\x80" + bytes(46) + b"\x04", "not a point of the group"),
        (b"\xc0" + bytes(47), "compressed form"),
        (bytes(48), "compressed form"),
        (b"\x9f" + b"\xff" * 47, "not canonical"),
        (drand.G2_GENERATOR, "compressed form"),
    ],
)
def test_other_bytes_are_no_point(data: bytes, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        bls.decompress(bls.G1, data)
