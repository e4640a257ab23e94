#!/usr/bin/env python3
"""Make an SVG of a real screen of the real program, for the README.

    scripts/capture.py OUT.svg [--size 110x32] [--wait SECONDS] [--keys 'j j Enter'] -- PROGRAM [ARGUMENT...]

The program runs in tmux with all colours. Keys are tmux's names ("Enter", "Space", "C-d", "j"); "text:mostly jazz"
types, "sleep:2" waits. Only Python's standard library and tmux are needed. Nothing is retouched: what the terminal
held is what is drawn, block characters as rectangles so that they join as they do in a terminal.
"""

import argparse
import html
import re
import subprocess
import sys
import time
import unicodedata

CELL_W, CELL_H, PAD, FONT = 8.4, 18.0, 14.0, 14
FONTS = "'JetBrains Mono','Fira Code','DejaVu Sans Mono',Menlo,Consolas,monospace"
GROUND, TEXT = "#15141c", "#e0def4"
ANSI = ["#15141c", "#e85062", "#74c76a", "#d99a4e", "#5b8def", "#f472c6", "#45c4b8", "#a5a0be",
        "#6e6a86", "#ff8a5b", "#8fd19e", "#f5d55f", "#8ea9ff", "#c4a7e7", "#7de2d1", "#e0def4"]
LEFT = {c: (i + 1) / 8 for i, c in enumerate("▏▎▍▌▋▊▉█")}
LOWER = {c: (i + 1) / 8 for i, c in enumerate("▁▂▃▄▅▆▇█")}


def tmux(*words, text=True):
    return subprocess.run(["tmux", "-L", "deepcuts-capture", "-f", "/dev/null", *words], check=True,
                          stdout=subprocess.PIPE, text=text).stdout


def indexed(n):
    if n < 16:
        return ANSI[n]
    if n >= 232:
        return "#" + f"{8 + 10 * (n - 232):02x}" * 3
    steps = [0, 95, 135, 175, 215, 255]
    n -= 16
    return "#" + "".join(f"{steps[v]:02x}" for v in (n // 36, n // 6 % 6, n % 6))


class Style:
    def __init__(self):
        self.reset()

    def reset(self):
        self.fg = self.bg = None
        self.bold = self.dim = self.reverse = self.underline = self.strike = False

    def apply(self, codes):
        codes = [int(c or 0) for c in codes.replace(":", ";").split(";")]
        while codes:
            c = codes.pop(0)
            if c == 0:
                self.reset()
            elif c == 1:
                self.bold = True
            elif c == 2:
                self.dim = True
            elif c == 4:
                self.underline = True
            elif c == 7:
                self.reverse = True
            elif c == 9:
                self.strike = True
            elif c in (38, 48):
                kind = codes.pop(0)
                if kind == 2:
                    colour = "#" + "".join(f"{codes.pop(0):02x}" for _ in range(3))
                else:
                    colour = indexed(codes.pop(0))
                if c == 38:
                    self.fg = colour
                else:
                    self.bg = colour
            elif c == 39:
                self.fg = None
            elif c == 49:
                self.bg = None
            elif 30 <= c <= 37 or 90 <= c <= 97:
                self.fg = ANSI[c - 30 if c < 90 else c - 82]
            elif 40 <= c <= 47 or 100 <= c <= 107:
                self.bg = ANSI[c - 40 if c < 100 else c - 92]

    def look(self):
        fg, bg = self.fg or TEXT, self.bg or GROUND
        if self.reverse:
            fg, bg = bg, fg
        return fg, bg, self.bold, self.dim, self.underline, self.strike


def columns(char):
    if unicodedata.combining(char) or char in "\u200d\ufe0f":
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def parse(screen):
    """Lines of cells: (column, text, columns, look)."""
    style, lines = Style(), []
    for row in screen.split("\n"):
        cells, x = [], 0
        for piece in re.split(r"(\x1b\[[0-9;:]*m|\x0e|\x0f)", row):
            if piece.startswith("\x1b["):
                style.apply(piece[2:-1])
                continue
            for char in piece:
                n = columns(char)
                if n == 0 and cells:
                    c = cells[-1]
                    cells[-1] = (c[0], c[1] + char, c[2], c[3])
                    continue
                cells.append((x, char, n, style.look()))
                x += n
        lines.append(cells)
    return lines


def svg(lines, width, height):
    w, h = width * CELL_W + 2 * PAD, height * CELL_H + 2 * PAD
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{w:.0f}" height="{h:.0f}" viewBox="0 0 {w:.1f} {h:.1f}">',
           f'<rect width="100%" height="100%" rx="10" fill="{GROUND}"/>',
           f'<g font-family="{FONTS}" font-size="{FONT}" xml:space="preserve">']

    def rect(x, y, rw, rh, colour):
        out.append(f'<rect shape-rendering="crispEdges" x="{x:.2f}" y="{y:.2f}" width="{rw:.2f}" height="{rh:.2f}" fill="{colour}"/>')

    texts = []
    for y, cells in enumerate(lines[:height]):
        top = PAD + y * CELL_H
        runs = []
        for x, char, n, look in cells:
            if runs and runs[-1][2] == look[1] and abs(runs[-1][0] + runs[-1][1] - x) < 0.5:
                runs[-1][1] += n
            else:
                runs.append([x, n, look[1]])
        for x, n, bg in runs:
            if bg != GROUND:
                rect(PAD + x * CELL_W, top, n * CELL_W + 0.3, CELL_H + 0.3, bg)
        words = []
        for x, char, n, look in cells:
            fg = look[0]
            left = PAD + x * CELL_W
            if char in LEFT and char != "█":
                rect(left, top, CELL_W * LEFT[char], CELL_H, fg)
            elif char in LOWER:
                part = LOWER[char]
                rect(left, top + CELL_H * (1 - part), CELL_W + 0.3, CELL_H * part + 0.3, fg)
            elif char in "─━":
                thick = 1.0 if char == "─" else 2.6
                rect(left, top + CELL_H / 2 - thick / 2, CELL_W + 0.3, thick, fg)
            elif char != " ":
                if words and words[-1][3] == look and words[-1][0] + words[-1][2] == x and n == 1 and char.isascii():
                    words[-1][1] += char
                    words[-1][2] += 1
                else:
                    words.append([x, char, n, look])
        texts += [(y, *word) for word in words]
    for y, x, word, n, (fg, _bg, bold, dim, underline, strike) in texts:
        attributes = f' fill="{fg}"' + (' font-weight="bold"' if bold else "") + (' opacity="0.6"' if dim else "")
        if underline or strike:
            attributes += f' text-decoration="{"underline" if underline else "line-through"}"'
        out.append(f'<text x="{PAD + x * CELL_W:.2f}" y="{PAD + y * CELL_H + CELL_H * 0.72:.2f}"'
                   f' textLength="{n * CELL_W:.2f}" lengthAdjust="spacingAndGlyphs"{attributes}>{html.escape(word)}</text>')
    out.append("</g></svg>")
    return "\n".join(out) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out")
    parser.add_argument("--size", default="110x32")
    parser.add_argument("--wait", type=float, default=2.0)
    parser.add_argument("--keys", default="")
    at = sys.argv.index("--") if "--" in sys.argv else len(sys.argv)
    args, program = parser.parse_args(sys.argv[1:at]), sys.argv[at + 1:]
    if not program:
        parser.error("name the program after --")
    width, height = (int(n) for n in args.size.split("x"))
    tmux("new-session", "-d", "-s", "s", "-x", str(width), "-y", str(height), "-e", "COLORTERM=truecolor", "--", *program)
    try:
        tmux("set", "-g", "status", "off")
        time.sleep(args.wait)
        for key in re.findall(r"(?:text|sleep):'[^']*'|\S+", args.keys):
            kind, _, rest = key.partition(":")
            rest = rest.strip("'")
            if kind == "text" and rest:
                tmux("send-keys", "-t", "s", "-l", rest)
            elif kind == "sleep" and rest:
                time.sleep(float(rest))
            else:
                tmux("send-keys", "-t", "s", key)
            time.sleep(0.15)
        time.sleep(0.8)
        screen = tmux("capture-pane", "-t", "s", "-p", "-e")
    finally:
        subprocess.run(["tmux", "-L", "deepcuts-capture", "kill-server"], check=False)
    with open(args.out, "w", encoding="utf-8") as file:
        file.write(svg(parse(screen.rstrip("\n")), width, height))


main()
