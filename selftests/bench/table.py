#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Tables and a picture from the cells of blk-cells.sh.

Usage: table.py ICOUNT_CELLS PLAIN_CELLS OUTPUT

Writes OUTPUT.txt, OUTPUT.csv and OUTPUT.svg. A cell that was measured more than
once counts with its median.
"""

import collections
import statistics
import sys

WAYS = ("host", "bridge", "packed", "export", "poll")
COLOURS = {"host": "#7f7f7f", "bridge": "#1f77b4", "packed": "#17becf",
           "export": "#ff7f0e"}
# An eventfd round trip between two threads: what no back-end in another thread
# can do without at depth 1. Thousands of instructions, measured.
ROUND_TRIP = 9.66
# How much more than the floor is allowed
MARGIN = 1.15

Cell = collections.namedtuple("Cell", "micros kicks switches")


def median(values):
    """Of those that are known, or None"""
    values = [value for value in values if value is not None]
    return statistics.median(values) if values else None


def read_cells(path):
    """{(client, pattern, queues, depth): {way: Cell, all for one request}}"""
    samples = collections.defaultdict(list)
    with open(path, encoding="ascii") as cells:
        for line in cells:
            (_, client, way, pattern, queues, depth, count,
             *figures) = line.split()
            row = (client, pattern, int(queues), int(depth))
            samples[row, way].append(
                [None if figure == "-" else float(figure) / int(count)
                 for figure in figures])
    rows = collections.defaultdict(dict)
    for (row, way), values in samples.items():
        nanos, kicks, switches = (median(column) for column in zip(*values))
        rows[row][way] = Cell(nanos / 1000, kicks, switches)
    return dict(sorted(rows.items(), key=lambda item: (
        item[0][0] != "qemu", item[0][1], item[0][2], item[0][3])))


def floor_of(cells, depth):
    """What the host needs, and at depth 1 one round trip more"""
    return cells["host"].micros + (ROUND_TRIP if depth == 1 else 0)


def number(value, width, digits):
    return f"{'-':>{width}}" if value is None else f"{value:{width}.{digits}f}"


def ratio(cells, way, base):
    return cells[way].micros / base if way in cells else None


def head_of(titles):
    return (f"{'client':6} {'pattern':9} {'queues':>6} {'depth':>5} " +
            " ".join(f"{title:>{width}}" for title, width in titles))


def start_of(row):
    client, pattern, queues, depth = row
    return f"{client:6} {pattern:9} {queues:6} {depth:5} "


def icount_text(rows):
    lines = [head_of([("host", 8), ("bridge", 8), ("packed", 8), ("export", 8),
                      ("bridge", 8), ("packed", 8), ("export", 8),
                      ("kicks", 6), ("switches", 8)]),
             " " * 66 + "    / floor, for which the limit is "
             f"{MARGIN}   (of bridge)"]
    good = 0
    for row, cells in rows.items():
        floor = floor_of(cells, row[3])
        figures = [number(cells[way].micros if way in cells else None, 8, 1)
                   for way in WAYS[:4]]
        figures += [number(ratio(cells, way, floor), 8, 2)
                    for way in WAYS[1:4]]
        figures += [number(cells["bridge"].kicks, 6, 2),
                    number(cells["bridge"].switches, 8, 2)]
        is_good = ratio(cells, "bridge", floor) <= MARGIN
        good += is_good
        lines.append(start_of(row) + " ".join(figures) +
                     ("  met" if is_good else "  missed"))
    lines += ["", f"{good} of {len(rows)} rows meet the target: within "
              f"{MARGIN} times the floor. The floor is what the host needs, "
              f"at depth 1 plus an eventfd round trip ({ROUND_TRIP}).", ""]
    return "\n".join(lines)


def plain_text(rows):
    lines = [head_of([("host", 8), ("bridge", 8), ("packed", 8), ("export", 8),
                      ("poll", 8), ("bridge", 8), ("packed", 8), ("poll", 8),
                      ("switches", 8)]),
             " " * 66 + "            / export  / export  / bridge"]
    good = 0
    for row, cells in rows.items():
        figures = [number(cells[way].micros if way in cells else None, 8, 1)
                   for way in WAYS]
        export = cells["export"].micros
        figures += [number(ratio(cells, "bridge", export), 8, 2),
                    number(ratio(cells, "packed", export), 8, 2),
                    number(ratio(cells, "poll", cells["bridge"].micros), 8, 2),
                    number(cells["bridge"].switches, 8, 2)]
        is_good = cells["bridge"].micros < export
        good += is_good
        lines.append(start_of(row) + " ".join(figures) +
                     ("  met" if is_good else "  missed"))
    lines += ["", f"{good} of {len(rows)} rows meet the target: faster than "
              "the export.", ""]
    return "\n".join(lines)


def csv_of(tables):
    lines = ["clock,client,pattern,queues,depth,way,microseconds_per_request,"
             "kicks_per_request,switches_per_request"]
    for clock, rows in tables.items():
        for row, cells in rows.items():
            for way, cell in cells.items():
                figures = ["" if value is None else f"{value:.4f}"
                           for value in cell]
                lines.append(",".join([clock, *map(str, row), way, *figures]))
    return "\n".join(lines) + "\n"


def svg_of(rows):
    """Bars of the instruction clock's table"""
    width, bar, left = 900, 12, 230
    most = max(cell.micros for cells in rows.values()
               for cell in cells.values())
    parts, y = [], 30
    for (client, pattern, queues, depth), cells in rows.items():
        parts.append(f'<text x="8" y="{y + 2 * bar}">{client} {pattern}, '
                     f"{queues} queue{'s' if queues > 1 else ''}, "
                     f"depth {depth}</text>")
        for way, colour in COLOURS.items():
            if way not in cells:
                continue
            micros = cells[way].micros
            length = (width - left - 100) * micros / most
            parts.append(f'<rect x="{left}" y="{y}" width="{length:.1f}" '
                         f'height="{bar - 2}" fill="{colour}"/>')
            parts.append(f'<text x="{left + length + 4:.1f}" '
                         f'y="{y + bar - 3}">{micros:.1f} {way}</text>')
            y += bar
        y += 8
    head = (f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" '
            f'height="{y + 10}" font-family="sans-serif" font-size="11">')
    title = ('<text x="8" y="16" font-weight="bold">Thousands of instructions '
             "a request, one CPU, null_blk</text>")
    return "\n".join([head, '<rect width="100%" height="100%" fill="white"/>',
                      title] + parts + ["</svg>\n"])


def main():
    icount, plain, output = sys.argv[1:]
    tables = {"icount": read_cells(icount), "plain": read_cells(plain)}
    text = ("Instruction clock, one CPU: thousands of instructions a request\n\n"
            + icount_text(tables["icount"]) +
            "\nPlain, two CPUs, noisy: microseconds a request\n\n" +
            plain_text(tables["plain"]))
    for ending, content in (("txt", text), ("csv", csv_of(tables)),
                            ("svg", svg_of(tables["icount"]))):
        with open(f"{output}.{ending}", "w", encoding="ascii") as out:
            out.write(content)


if __name__ == "__main__":
    main()
