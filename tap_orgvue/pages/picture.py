"""The geometry of a picture: datasets as boxes, LINKS datasets between them as lines.

Datasets that lines join, directly or not, are a group. Its hub, the dataset with most lines, stands
in the middle; the others stand left and right of it, one column further for each line between.
Each line meets a box at a place of its own, so that the names of lines do not overlap.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

BOX_WIDTH = 200
LINE_HEIGHT = 17
GAP = 204
"""The space between two columns: for the names of lines, then for their bends."""

_HEADER = 27
_FOOTER = 8
_BETWEEN = 18
_PORT = 19
_MARGIN = 14
_NAME_WIDTH = 134
"""The straight part of a line, below its name."""
_BULGE = 52


class Node(msgspec.Struct, frozen=True):
    """A dataset to be drawn.

    Attributes:
        lines: The number of lines of text in its box.
    """

    lines: int


class Edge(msgspec.Struct, frozen=True):
    """A LINKS dataset to be drawn.

    Attributes:
        first: The number of the node at one end.
        second: The number of the node at the other.
    """

    first: int
    second: int


class Box(msgspec.Struct, frozen=True):
    """Where a node is drawn.

    Attributes:
        node: Its number.
        x: The left edge.
        y: The upper edge.
        height: Its height; the width is `BOX_WIDTH`.
    """

    node: int
    x: float
    y: float
    height: float


class Line(msgspec.Struct, frozen=True):
    """How an edge is drawn.

    Attributes:
        edge: Its number.
        path: The `d` of an SVG path.
        x: Where its name begins or ends.
        y: The base line of its name.
        anchor: `start` or `end`: whether `x` is where the name begins or where it ends.
    """

    edge: int
    path: str
    x: float
    y: float
    anchor: str


class Picture(msgspec.Struct):
    """The picture, in pixels.

    Attributes:
        width: The width of the whole.
        height: The height of the whole.
        boxes: The boxes of all nodes with an edge.
        lines: The lines of all edges.
    """

    width: float = 0.0
    height: float = 0.0
    boxes: list[Box] = msgspec.field(default_factory=list)
    lines: list[Line] = msgspec.field(default_factory=list)


def draw(nodes: Sequence[Node], edges: Sequence[Edge]) -> Picture:
    """Draw the nodes that have an edge, group by group, the largest first.

    Args:
        nodes: The datasets.
        edges: Between two different nodes.
    """
    picture = Picture(width=2 * _MARGIN, height=_MARGIN)
    for group in _groups(edges):
        layout = _Group(nodes, edges, group)
        layout.add_to(picture)
    if picture.boxes:
        picture.height += _MARGIN - 2 * _BETWEEN
    return picture


def _groups(edges: Sequence[Edge]) -> list[list[int]]:
    """The nodes that edges join, as groups; the largest first."""
    neighbours = _neighbours(edges)
    left, groups = dict.fromkeys(sorted(neighbours)), []
    while left:
        start = next(iter(left))
        group, waiting = [], deque([start])
        del left[start]
        while waiting:
            node = waiting.popleft()
            group.append(node)
            for other in neighbours[node]:
                if other in left:
                    del left[other]
                    waiting.append(other)
        groups.append(group)
    return sorted(groups, key=len, reverse=True)


def _neighbours(edges: Sequence[Edge]) -> dict[int, list[int]]:
    """Node to its neighbours, once for each edge."""
    found: dict[int, list[int]] = {}
    for edge in edges:
        found.setdefault(edge.first, []).append(edge.second)
        found.setdefault(edge.second, []).append(edge.first)
    return found


class _Group:
    """The layout of one group: a tree from its hub, to both sides."""

    def __init__(self, nodes: Sequence[Node], edges: Sequence[Edge], group: Sequence[int]) -> None:
        members = set(group)
        self._edges = [(i, each) for i, each in enumerate(edges) if each.first in members]
        neighbours = _neighbours([each for _, each in self._edges])
        self._hub = max(group, key=lambda node: len(neighbours[node]))
        self._children = _tree(self._hub, neighbours)
        self._column = {self._hub: 0}
        """Node to its column: negative to the left of the hub."""
        self._y: dict[int, float] = {}
        self._place_sides()
        ends = [self._outer(each) for _, each in self._edges]
        self._height = {
            node: max(
                _HEADER + nodes[node].lines * LINE_HEIGHT + _FOOTER,
                (ends.count(node) + 1) * _PORT,
            )
            for node in group
        }

    def _place_sides(self) -> None:
        """Share the hub's branches between right and left, so that both are of similar size."""
        sizes = {1: 0, -1: 0}
        branches = sorted(self._children[self._hub], key=self._size, reverse=True)
        for branch in branches:
            side = 1 if sizes[1] <= sizes[-1] else -1
            sizes[side] += self._size(branch)
            waiting = deque([(branch, side)])
            while waiting:
                node, column = waiting.popleft()
                self._column[node] = column
                waiting.extend((child, column + side) for child in self._children[node])

    def _size(self, node: int) -> int:
        waiting, size = [node], 0
        while waiting:
            size += 1
            waiting += self._children[waiting.pop()]
        return size

    def _outer(self, edge: Edge) -> int:
        """The end of an edge that is farther from the hub; the name is drawn there."""
        first, second = (abs(self._column[node]) for node in (edge.first, edge.second))
        return edge.first if first > second else edge.second

    def add_to(self, picture: Picture) -> None:
        """Draw the group below the present picture."""
        top = picture.height
        height = max(self._stack(side, top) for side in (1, -1))
        height = max(height, self._height[self._hub])
        for side in (1, -1):
            # The shorter side stands in the middle of the longer one.
            shift = (height - self._stack(side, top)) / 2
            for node, column in self._column.items():
                if column * side > 0:
                    self._y[node] += shift
        self._y[self._hub] = top + (height - self._height[self._hub]) / 2
        left, right = min(self._column.values()), max(self._column.values())
        level = {self._column[each.first] for _, each in self._edges if self._is_level(each)}
        # Lines between two boxes of the outermost column need room for themselves and their names.
        begin = _MARGIN + (GAP if left in level else 0)
        boxes = {
            node: Box(
                node,
                begin + (column - left) * (BOX_WIDTH + GAP),
                round(self._y[node], 1),
                self._height[node],
            )
            for node, column in self._column.items()
        }
        picture.boxes += boxes.values()
        picture.lines += self._lines(boxes)
        end = begin + (right - left) * (BOX_WIDTH + GAP) + BOX_WIDTH
        end += GAP if right in level else 0
        picture.width = max(picture.width, end + _MARGIN)
        picture.height = top + height + 2 * _BETWEEN

    def _stack(self, side: int, top: float) -> float:
        """Place the boxes of one side from the top on; the height of all of them."""
        branches = [each for each in self._children[self._hub] if self._column[each] * side > 0]
        y = top
        for branch in branches:
            y += self._place(branch, y) + _BETWEEN
        return max(y - _BETWEEN - top, 0.0)

    def _place(self, node: int, y: float) -> float:
        """Place a node beside the middle of its children; the height of all of them."""
        below = y
        for child in self._children[node]:
            below += self._place(child, below) + _BETWEEN
        height = max(below - _BETWEEN - y, self._height[node])
        self._y[node] = y + (height - self._height[node]) / 2
        return height

    def _is_level(self, edge: Edge) -> bool:
        return self._column[edge.first] == self._column[edge.second]

    def _lines(self, boxes: Mapping[int, Box]) -> list[Line]:
        outer = [self._outer(each) for _, each in self._edges]
        inner = [
            each.second if end == each.first else each.first
            for end, (_, each) in zip(outer, self._edges, strict=True)
        ]
        ports_out = _ports(outer, inner, boxes)
        ports_in = _ports(inner, outer, boxes)
        lines = []
        for k, (number, edge) in enumerate(self._edges):
            far, near = boxes[outer[k]], boxes[inner[k]]
            y1, y2 = ports_in[k], ports_out[k]
            if self._is_level(edge):
                side = 1 if self._column[edge.first] > 0 else -1
                lines.append(_level_line(number, far.x, (y1, y2), side))
                continue
            rightward = far.x > near.x
            x1 = near.x + BOX_WIDTH if rightward else near.x
            x2 = far.x if rightward else far.x + BOX_WIDTH
            bent = x2 - _NAME_WIDTH if rightward else x2 + _NAME_WIDTH
            middle = (x1 + bent) / 2
            path = f"M{x1:g} {y1:g}C{middle:g} {y1:g} {middle:g} {y2:g} {bent:g} {y2:g}H{x2:g}"
            anchor, offset = ("end", -8) if rightward else ("start", 8)
            lines.append(Line(number, path, x2 + offset, y2 - 5, anchor))
        return lines


def _level_line(edge: int, left: float, ys: tuple[float, float], side: int) -> Line:
    """A line between two boxes of one column, on the side away from the hub.

    Args:
        edge: Its number.
        left: The left edge of both boxes.
        ys: Where the line meets them.
        side: 1 for the right, -1 for the left.
    """
    x = left + BOX_WIDTH if side > 0 else left
    bulge, (y1, y2) = x + side * _BULGE, ys
    path = f"M{x:g} {y1:g}C{bulge:g} {y1:g} {bulge:g} {y2:g} {x:g} {y2:g}"
    anchor = "start" if side > 0 else "end"
    return Line(edge, path, x + side * (_BULGE * 0.75 + 8), (y1 + y2) / 2 + 4, anchor)


def _tree(hub: int, neighbours: Mapping[int, Sequence[int]]) -> dict[int, list[int]]:
    """Node to those that are reached through it first, by the fewest edges."""
    children: dict[int, list[int]] = {hub: []}
    waiting = deque([hub])
    while waiting:
        node = waiting.popleft()
        for other in neighbours[node]:
            if other not in children:
                children[other] = []
                children[node].append(other)
                waiting.append(other)
    return children


def _ports(ends: Sequence[int], others: Sequence[int], boxes: Mapping[int, Box]) -> list[float]:
    """Where each line meets the box at one of its ends: spread over the box's height.

    Args:
        ends: Of each line, the node at this end.
        others: Of each line, the node at the other end.
        boxes: Node to its box.
    """
    places = [0.0] * len(ends)
    for node in set(ends):
        lines = [k for k, end in enumerate(ends) if end == node]
        lines.sort(key=lambda k: (boxes[others[k]].y, k))
        box = boxes[node]
        for i, k in enumerate(lines, 1):
            places[k] = round(box.y + box.height * i / (len(lines) + 1), 1)
    return places
