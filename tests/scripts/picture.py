"""A small picture of boxes and arrows as SVG: two languages in each box, the same bytes each time, text that fits.

    picture = Picture(600, 300, "Title / 标题", "What it shows.")
    a = picture.box(20, 20, 200, ["Attention", "情况关注"])
    picture.arrow([a.right, b.left], ["raise", "上调"])

Widths are reckoned (a Chinese character one em, any other 0.6 em), so a text that would leave its box or the picture is
an error here and not a surprise there.
"""

from __future__ import annotations

from dataclasses import dataclass
from unicodedata import east_asian_width
from xml.sax.saxutils import escape

FONTS = "'Noto Sans', 'DejaVu Sans', 'Noto Sans CJK SC', 'PingFang SC', 'Microsoft YaHei', sans-serif"
SIZE, LINE = 13, 18
INK, PAPER, GREY = "#1A1A1A", "#FFFFFF", "#6E6E6E"


class TooWide(ValueError):
    """A text that does not fit where it was put."""


def width(text, size=SIZE):
    """Pixels that a text takes at most."""
    return sum(size if east_asian_width(c) in "WFA" else 0.6 * size for c in text)


@dataclass(frozen=True)
class Box:
    """Where a box stands; ``top``, ``bottom``, ``left`` and ``right`` are the middles of its sides."""

    x: float
    y: float
    w: float
    h: float

    @property
    def top(self):
        return self.x + self.w / 2, self.y

    @property
    def bottom(self):
        return self.x + self.w / 2, self.y + self.h

    @property
    def left(self):
        return self.x, self.y + self.h / 2

    @property
    def right(self):
        return self.x + self.w, self.y + self.h / 2

    def at_right(self, share):
        """A point of the right side, from the top (0) to the bottom (1)."""
        return self.x + self.w, self.y + share * self.h

    def at_left(self, share):
        """A point of the left side."""
        return self.x, self.y + share * self.h

    def at_top(self, share):
        """A point of the upper side, from the left."""
        return self.x + share * self.w, self.y

    def at_bottom(self, share):
        """A point of the lower side."""
        return self.x + share * self.w, self.y + self.h


class Picture:
    """Boxes, arrows and words; ``svg`` gives the file."""

    def __init__(self, w, h, title, description):
        self.w, self.h, self.title, self.description = w, h, title, description
        self._parts = []
        self.words([20, 30], [title], size=17, weight="bold")

    def box(self, x, y, w, lines, *, colour="", double=False, dashed=False):
        """A box as high as its lines; the first line is bold. ``colour``: of a band at its left."""
        h = LINE * len(lines) + 14
        for i, line in enumerate(lines):
            if width(line) > w - 12:
                raise TooWide(f"{self.title}: {line!r} needs {width(line) + 12:.0f}, the box has {w}")
            self._text(x + w / 2, y + LINE * (i + 1) + 1, line, "middle", SIZE, "bold" if i == 0 else "normal")
        dash = ' stroke-dasharray="5 4"' if dashed else ""
        frame = (
            '<rect x="{:g}" y="{:g}" width="{:g}" height="{:g}" rx="{}" fill="none" stroke="{}" stroke-width="1.5"{}/>'
        )
        self._parts.append(frame.format(x, y, w, h, 5, INK, dash))
        if double:
            self._parts.append(frame.format(x - 5, y - 5, w + 10, h + 10, 7, INK, dash))
        if colour:
            self._parts.append(f'<rect x="{x + 5:g}" y="{y + 5:g}" width="8" height="{h - 10:g}" fill="{colour}"/>')
        self._inside(x, y, w, h)
        return Box(x, y, w, h)

    def dot(self, x, y):
        """Where something begins."""
        self._parts.append(f'<circle cx="{x:g}" cy="{y:g}" r="6" fill="{INK}"/>')

    def arrow(self, points, lines=(), at=None, *, anchor="start", head=True):
        """A line through the points with a head at its end; its words begin at ``at``."""
        way = " ".join(f"{x:g},{y:g}" for x, y in points)
        end = ' marker-end="url(#head)"' if head else ""
        self._parts.append(f'<polyline points="{way}" fill="none" stroke="{INK}" stroke-width="1.5"{end}/>')
        if lines:
            self.words(at, lines, anchor=anchor)

    def words(self, at, lines, *, anchor="start", size=SIZE, weight="normal"):
        """Lines of words; ``at`` is the first one's base line, where it begins, has its middle or ends."""
        x, y = at
        for i, line in enumerate(lines):
            long = width(line, size)
            left = {"start": x, "middle": x - long / 2, "end": x - long}[anchor]
            self._inside(left, y + i * LINE - size, long, size)
            self._text(x, y + i * LINE, line, anchor, size, weight)

    def svg(self):
        """The file."""
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.w} {self.h}" width="{self.w}" height="{self.h}" '
            f'role="img" aria-labelledby="t d" font-family="{FONTS}" fill="{INK}">'
        )
        marker = (
            '<defs><marker id="head" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="8" markerHeight="8" '
            f'orient="auto"><path d="M0,0 L10,5 L0,10 z" fill="{INK}"/></marker></defs>'
        )
        about = f'<title id="t">{escape(self.title)}</title>', f'<desc id="d">{escape(self.description)}</desc>'
        paper = f'<rect width="{self.w}" height="{self.h}" fill="{PAPER}"/>'
        return "\n".join([head, *about, marker, paper, *self._parts, "</svg>", ""])

    def _text(self, x, y, text, anchor, size, weight):
        bold = f' font-weight="{weight}"' if weight != "normal" else ""
        self._parts.append(
            f'<text x="{x:g}" y="{y:g}" font-size="{size}" text-anchor="{anchor}"{bold}>{escape(text)}</text>'
        )

    def _inside(self, x, y, w, h):
        if x < 0 or y < 0 or x + w > self.w or y + h > self.h:
            raise TooWide(f"{self.title}: something at {x:.0f}, {y:.0f} ({w:.0f} wide) leaves the picture")
