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

WAYS = ("host", "bridge", "export")
COLOURS = {"host": "#7f7f7f", "bridge": "#1f77b4", "export": "#ff7f0e"}
# An eventfd round trip between two threads: what no back-end in another process
# can do without at depth 1. Instructions, measured.
ROUND_TRIP = 9660


def read_cells(path):
    """{(pattern, depth): {way: microseconds a request}}"""
    samples = collections.defaultdict(list)
    with open(path, encoding="ascii") as cells:
        for line in cells:
            way, pattern, depth, count, seconds = line.split()
            micros = float(seconds) / int(count) * 1e6
            samples[(pattern, int(depth)), way].append(micros)
    rows = {}
    for (row, way), values in samples.items():
        rows.setdefault(row, {})[way] = statistics.median(values)
    return rows


def floor_of(row, depth):
    """What the host needs, and at depth 1 one round trip more (icount only)"""
    return row["host"] + (ROUND_TRIP / 1000 if depth == 1 else 0)


def text_of(title, unit, scale, rows, has_floor):
    lines = [title, ""]
    head = f"{'pattern':10} {'depth':>5} " + " ".join(
        f"{way:>9}" for way in WAYS)
    head += "  bridge/floor" if has_floor else "  bridge/host"
    lines.append(head + "  bridge/export")
    for (pattern, depth), row in rows.items():
        base = floor_of(row, depth) if has_floor else row["host"]
        line = f"{pattern:10} {depth:5} "
        line += " ".join(f"{row[way] * scale:9.1f}" for way in WAYS)
        line += f"  {row['bridge'] / base:11.2f}"
        line += f"  {row['bridge'] / row['export']:13.2f}"
        lines.append(line)
    lines += ["", f"Cells: {unit} a request.", ""]
    return "\n".join(lines)


def csv_of(tables):
    lines = ["clock,pattern,depth,way,microseconds_per_request"]
    for clock, rows in tables.items():
        for (pattern, depth), row in rows.items():
            lines += [f"{clock},{pattern},{depth},{way},{row[way]:.3f}"
                      for way in WAYS]
    return "\n".join(lines) + "\n"


def svg_of(rows):
    """Bars of the instruction clock's table"""
    width, bar, left = 900, 14, 150
    most = max(max(row.values()) for row in rows.values())
    parts, y = [], 30
    for (pattern, depth), row in rows.items():
        parts.append(f'<text x="8" y="{y + 2 * bar}">{pattern}, depth {depth}'
                     "</text>")
        for way in WAYS:
            length = (width - left - 90) * row[way] / most
            parts.append(f'<rect x="{left}" y="{y}" width="{length:.1f}" '
                         f'height="{bar - 2}" fill="{COLOURS[way]}"/>')
            parts.append(f'<text x="{left + length + 4:.1f}" '
                         f'y="{y + bar - 4}">{row[way]:.1f} {way}</text>')
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
    text = text_of("Instruction clock, one CPU", "thousands of instructions",
                   1, tables["icount"], True)
    text += "\n" + text_of("Plain, two CPUs (noisy)", "microseconds", 1,
                           tables["plain"], False)
    for ending, content in (("txt", text), ("csv", csv_of(tables)),
                            ("svg", svg_of(tables["icount"]))):
        with open(f"{output}.{ending}", "w", encoding="ascii") as out:
            out.write(content)


if __name__ == "__main__":
    main()
