"""The picture of datasets can be read, whatever hangs together with what."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import msgspec
from hypothesis import example, given
from hypothesis import strategies as st

from tap_orgvue.pages.picture import BOX_WIDTH, Edge, Node, Picture, draw

NODES = 40
NAME = 126
"""Pixels: a name of 21 characters."""

edges = st.lists(
    st.tuples(st.integers(0, NODES - 1), st.integers(0, NODES - 1))
    .filter(lambda ends: ends[0] != ends[1])
    .map(lambda ends: Edge(*ends)),
    max_size=60,
)


def drawn(edges: list[Edge]) -> Picture:
    """A picture of boxes of one to four lines."""
    return draw([Node(i % 4 + 1) for i in range(NODES)], edges)


@given(edges)
def test_boxes_do_not_overlap_and_stay_inside(edges: list[Edge]) -> None:
    """Each dataset that a line joins has a box of its own, in the picture."""
    picture = drawn(edges)
    assert sorted(box.node for box in picture.boxes) == sorted(
        {end for edge in edges for end in (edge.first, edge.second)}
    )
    for box in picture.boxes:
        assert box.x >= 0
        assert box.x + BOX_WIDTH <= picture.width
        assert box.y >= 0
        assert box.y + box.height <= picture.height
    for one, other in combinations(picture.boxes, 2):
        assert one.x != other.x or one.y + one.height <= other.y or other.y + other.height <= one.y


@given(edges)
def test_each_line_joins_its_boxes(edges: list[Edge]) -> None:
    """A line begins and ends at the edges of the two boxes that it joins."""
    picture = drawn(edges)
    boxes = {box.node: box for box in picture.boxes}
    assert sorted(line.edge for line in picture.lines) == list(range(len(edges)))
    for line in picture.lines:
        numbers = [
            float(n)
            for n in line.path.replace("M", " ").replace("C", " ").replace("H", " ").split()
        ]
        x1, y1 = numbers[:2]
        x2, y2 = (numbers[-1], numbers[-2]) if "H" in line.path else numbers[-2:]
        ends = {edges[line.edge].first, edges[line.edge].second}
        met = {
            node
            for node in ends
            for x, y in ((x1, y1), (x2, y2))
            if boxes[node].x <= x <= boxes[node].x + BOX_WIDTH
            and boxes[node].y <= y <= boxes[node].y + boxes[node].height
        }
        assert met == ends


@given(edges)
@example([Edge(0, 1), Edge(0, 2), Edge(0, 3), Edge(0, 4), Edge(1, 3)])
@example([Edge(0, 1), Edge(0, 2), Edge(0, 3), Edge(0, 4), Edge(2, 4)])
def test_names_of_lines_stay_inside(edges: list[Edge]) -> None:
    """The picture has room for them, also beside its outermost boxes."""
    picture = drawn(edges)
    for line in picture.lines:
        begin = line.x if line.anchor == "start" else line.x - NAME
        assert begin >= 0
        assert begin + NAME <= picture.width


@given(edges)
def test_names_of_lines_do_not_meet(edges: list[Edge]) -> None:
    """Two lines that end at one box have their names on different heights."""
    places = [(line.x, line.y) for line in drawn(edges).lines]
    assert len(set(places)) == len(places)


def test_without_lines_nothing_is_drawn() -> None:
    """Datasets that no line joins stand beside the drawing."""
    assert not drawn([]).boxes


def test_the_dataset_with_most_lines_is_in_the_middle() -> None:
    """A star has as many datasets left as right of its hub."""
    picture = drawn([Edge(0, other) for other in range(1, 9)])
    [hub] = [box for box in picture.boxes if box.node == 0]
    assert sum(box.x < hub.x for box in picture.boxes) == 4
    assert sum(box.x > hub.x for box in picture.boxes) == 4


SNAPSHOT = Path(__file__).parent / "snapshots" / "picture.json"


def known_picture() -> bytes:
    """A hub with branches on both sides, lines within a column and within a box, a second group."""
    ends = [(0, 1), (0, 2), (0, 3), (4, 0), (0, 5), (1, 6), (2, 6), (7, 3), (7, 8), (2, 3), (1, 0)]
    apart = [(20, 21), (22, 21), (23, 20), (23, 22)]
    spokes = [(10, other) for other in range(11, 17)] * 2
    rim = [(one, other) for one in range(11, 17) for other in range(one + 1, 17)]
    picture = drawn([Edge(*pair) for pair in (*ends, *apart, *spokes, *rim)])
    return msgspec.json.format(msgspec.json.encode(picture)) + b"\n"


def test_a_known_picture() -> None:
    """Where each box, line and name is: `python -m tests.pages.test_picture` writes it anew."""
    assert known_picture() == SNAPSHOT.read_bytes()


if __name__ == "__main__":
    SNAPSHOT.parent.mkdir(exist_ok=True)
    SNAPSHOT.write_bytes(known_picture())
