"""A lineage graph as an SVG picture: a box for each dataset with its columns, in layers by distance, from left to right as data flows.

The layout is the usual one for layers: each box is placed by the mean place of its neighbours in the layer before, in a few sweeps.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from xml.sax.saxutils import escape, quoteattr

from meshline.words import make_printable, shorten_text

LETTER = 7.0  # width of a character in pixels
ROW, GAP, MARGIN, LAYER_GAP = 18.0, 16.0, 24.0, 90.0  # heights and distances in pixels
LONGEST = 48  # characters of a name; the whole name is a tooltip
SWEEPS = 6
STYLES = {
    "DIRECT": 'stroke="#1f5fbf" stroke-width="1.2"',
    "INDIRECT": 'stroke="#7a7a7a" stroke-width="1.2" stroke-dasharray="5 3"',
    "POSSIBLE": 'stroke="#b8860b" stroke-width="2.6" stroke-opacity="0.7"',
}
FONT = 'font-family="system-ui, sans-serif" font-size="12"'


class Box:
    """A box with a title and rows; the id of each row is that of a node."""

    def __init__(self, title: str, layer: int, *, start: bool) -> None:
        self.title = title
        self.layer = layer
        self.start = start
        self.rows: list[tuple[str, str]] = []  # id and name
        self.own: list[str] = []  # ids of nodes that are the box as a whole
        self.x = self.y = 0.0

    @property
    def width(self) -> float:
        return 20 + LETTER * max(map(_measure_text, [self.title, *(name for _, name in self.rows)]))

    @property
    def height(self) -> float:
        return ROW * (1 + len(self.rows)) + 8

    def iterate_anchors(self) -> Iterator[tuple[str, float]]:
        """The ids of its nodes, and the height at which their edges begin and end."""
        yield from ((id_, self.y + ROW / 2 + 3) for id_ in self.own)
        yield from ((id_, self.y + ROW * (place + 1.5) + 2) for place, (id_, _) in enumerate(self.rows))


def format_svg(
    boxes: Sequence[Box], edges: Sequence[tuple[str, str, str, str]], summary: str, *, upstream: bool, notes: Sequence[str] = ()
) -> Iterator[str]:
    """The lines of an SVG file. `edges`: from, to (ids of nodes), reach and a label. `notes`: sentences below the picture."""
    homes = {id_: box for box in boxes for id_, _ in box.iterate_anchors()}
    drawn = [edge for edge in edges if edge[0] in homes and edge[1] in homes]
    width, height = _place_boxes(boxes, [(homes[start], homes[end]) for start, end, _, _ in drawn], upstream=upstream)
    width = max(width, 2 * MARGIN + LETTER * max(map(_measure_text, [summary, *notes])))
    bottom = height
    height += ROW * len(notes) + (GAP if notes else 0)
    yield '<?xml version="1.0" encoding="UTF-8"?>'
    size = f'width="{width:.0f}" height="{height:.0f}" viewBox="0 0 {width:.0f} {height:.0f}"'
    yield f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" {FONT}>'
    yield f"<title>{_escape_text(summary)}</title>"
    yield '<rect width="100%" height="100%" fill="white"/>'
    yield '<defs><marker id="end" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
    yield '<path d="M0 0 L8 4 L0 8 z" fill="#555"/></marker></defs>'
    yield f'<text x="{MARGIN}" y="{MARGIN:.0f}" font-weight="bold">{_escape_text(summary)}</text>'
    heights = {id_: y for box in boxes for id_, y in box.iterate_anchors()}
    for start, end, reach, label in drawn:
        yield from _draw_edge(homes[start], heights[start], homes[end], heights[end], reach, label)
    for box in boxes:
        yield from _draw_box(box)
    for place, note in enumerate(notes):
        yield f'<text x="{MARGIN}" y="{bottom + ROW * (place + 0.5):.0f}" fill="#8a5a00">! {_escape_text(note)}</text>'
    yield "</svg>"


def _place_boxes(boxes: Sequence[Box], edges: Sequence[tuple[Box, Box]], *, upstream: bool) -> tuple[float, float]:
    """Set the places of all boxes. Returns the width and the height of the picture."""
    layers: dict[int, list[Box]] = {}
    for box in sorted(boxes, key=lambda box: box.title):
        layers.setdefault(box.layer, []).append(box)
    near: dict[int, list[Box]] = {}
    for start, end in edges:
        near.setdefault(id(start), []).append(end)
        near.setdefault(id(end), []).append(start)
    order = sorted(layers)
    for sweep in range(SWEEPS):
        for layer in order if sweep % 2 == 0 else order[::-1]:
            places = {id(box): place for members in layers.values() for place, box in enumerate(members)}
            layers[layer].sort(key=lambda box: _compute_mean([places[id(one)] for one in near.get(id(box), [])], places[id(box)]))
    tallest = max((sum(box.height + GAP for box in members) for members in layers.values()), default=0.0)
    x = MARGIN
    for layer in order[::-1] if upstream else order:
        members = layers[layer]
        y = 2 * MARGIN + (tallest - sum(box.height + GAP for box in members)) / 2
        for box in members:
            box.x, box.y = x, y
            y += box.height + GAP
        x += max(box.width for box in members) + LAYER_GAP
    return max(x - LAYER_GAP + MARGIN, 2 * MARGIN), tallest + 3 * MARGIN


def _compute_mean(places: Sequence[int], otherwise: int) -> float:
    return sum(places) / len(places) if places else otherwise


def _draw_box(box: Box) -> Iterator[str]:
    stroke = '"#222" stroke-width="2"' if box.start else '"#999"'
    yield f"<g><title>{_escape_text(box.title)}</title>"
    yield (
        f'<rect x="{box.x:.1f}" y="{box.y:.1f}" width="{box.width:.1f}" height="{box.height:.1f}" rx="4" fill="#f7f8fa" stroke={stroke}/>'
    )
    yield f'<text x="{box.x + 8:.1f}" y="{box.y + ROW - 3:.1f}" font-weight="600">{_escape_text(shorten_text(box.title, LONGEST))}</text>'
    for place, (_, name) in enumerate(box.rows):
        y = box.y + ROW * (place + 2) - 2
        yield f'<text x="{box.x + 12:.1f}" y="{y:.1f}" fill="#333">{_escape_text(shorten_text(name, LONGEST))}</text>'
    yield "</g>"


def _draw_edge(start: Box, start_y: float, end: Box, end_y: float, reach: str, label: str) -> Iterator[str]:
    from_x, to_x = start.x + start.width, end.x
    bend = max(abs(to_x - from_x) / 2, 40.0)
    path = f"M{from_x:.1f} {start_y:.1f} C{from_x + bend:.1f} {start_y:.1f} {to_x - bend:.1f} {end_y:.1f} {to_x:.1f} {end_y:.1f}"
    title = f"<title>{_escape_text(label)}</title>" if label else ""
    yield f'<path d={quoteattr(path)} fill="none" {STYLES.get(reach, STYLES["DIRECT"])} marker-end="url(#end)">{title}</path>'


def _escape_text(text: str) -> str:
    return escape(make_printable(text))


def _measure_text(text: str) -> int:
    """The width in characters: those of East Asia are twice as wide."""
    shown = shorten_text(text, LONGEST) if len(text) > LONGEST else text
    return sum(2 if unicodedata.east_asian_width(sign) in "WF" else 1 for sign in shown)


def build_boxes(nodes: Sequence[tuple[str, str, str | None, int, bool]]) -> list[Box]:
    """The boxes of nodes: id, name, title of the box (None: the node is a box itself), distance, and whether it is a start."""
    found: dict[str, Box] = {}
    for id_, name, title, distance, start in nodes:
        key = name if title is None else title
        box = found.setdefault(key, Box(key, distance, start=start))
        box.layer, box.start = min(box.layer, distance), box.start or start
        if title is None:
            box.own.append(id_)
        else:
            box.rows.append((id_, name))
    for box in found.values():
        box.rows.sort(key=lambda row: row[1])
    return list(found.values())
