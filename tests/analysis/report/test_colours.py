"""The colours of settings can be told apart and seen, by colour-blind readers too, on the light and the dark page."""

import itertools
import math
import re
from importlib import resources

import pytest

# Linear RGB as people without one kind of cone see it (Machado, Oliveira and Fernandes 2009, table 1, severity 1.0).
SEEN = {
    "normal": ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)),
    "protanopia": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "deuteranopia": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
    "tritanopia": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900)),
}
LEAST_DISTANCE = 0.08  # in Oklab, where 0.02 is a just noticeable difference
LEAST_CONTRAST = 3.0  # of graphics against their ground (WCAG 2.2, 1.4.11)
Colour = tuple[float, ...]


def linear(colour: str) -> Colour:
    shares = (int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))
    return tuple(share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares)


def times(matrix: tuple[Colour, ...], colour: Colour) -> Colour:
    return tuple(sum(a * b for a, b in zip(row, colour, strict=True)) for row in matrix)


def oklab(colour: Colour) -> Colour:
    """Convert linear sRGB (Ottosson 2020)."""
    cones = times(
        ((0.4122214708, 0.5363325363, 0.0514459929), (0.2119034982, 0.6806995451, 0.1073969566),
         (0.0883024619, 0.2817188376, 0.6299787005)),
        colour,
    )  # fmt: skip
    return times(
        ((0.2104542553, 0.7936177850, -0.0040720468), (1.9779984951, -2.4285922050, 0.4505937099),
         (0.0259040371, 0.7827717662, -0.8086757660)),
        tuple(math.cbrt(cone) for cone in cones),
    )  # fmt: skip


def contrast(one: str, other: str) -> float:
    low, high = sorted(0.2126 * r + 0.7152 * g + 0.0722 * b for r, g, b in (linear(one), linear(other)))
    return (high + 0.05) / (low + 0.05)


def palettes() -> dict[str, tuple[str, list[str]]]:
    """Return ground and colours of the light and the dark page."""
    style = resources.files("tinystories_lm.analysis.report").joinpath("page.css").read_text(encoding="utf-8")
    found = re.findall(r"--raised: (#\w+)", style)
    grounds = [value if len(value) == 7 else "#" + "".join(2 * digit for digit in value[1:]) for value in found]
    colours = re.findall(r"--colour-\d: (#\w{6})", style)
    return {"light": (grounds[0], colours[:8]), "dark": (grounds[1], colours[8:])}


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_colours_stand_out_from_the_ground(mode: str) -> None:
    ground, colours = palettes()[mode]
    assert len(colours) == 8 and min(contrast(colour, ground) for colour in colours) >= LEAST_CONTRAST


@pytest.mark.parametrize("mode", ["light", "dark"])
@pytest.mark.parametrize("eyes", SEEN)
def test_colours_differ_for_all_eyes(mode: str, eyes: str) -> None:
    _, colours = palettes()[mode]
    seen = [oklab(tuple(min(1.0, max(0.0, c)) for c in times(SEEN[eyes], linear(colour)))) for colour in colours]
    assert min(math.dist(one, other) for one, other in itertools.combinations(seen, 2)) > LEAST_DISTANCE
