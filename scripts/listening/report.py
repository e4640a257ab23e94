"""The report of the simulated listener: Markdown, JSON and curves as SVG."""

import json

import numpy as np

from .scenes import COUNTS

# Two-sided 95 % of Student's t by degrees of freedom; beyond, the normal's.
T95 = {1: 12.71, 2: 4.30, 3: 3.18, 4: 2.78, 5: 2.57, 6: 2.45, 7: 2.36, 8: 2.31, 9: 2.26, 10: 2.23, 11: 2.20, 12: 2.18}
T95 |= {13: 2.16, 14: 2.14, 15: 2.13, 16: 2.12, 17: 2.11, 18: 2.10, 19: 2.09, 20: 2.09}


def interval(values):
    """Mean and its 95 % interval over splits."""
    values = np.asarray(values, float)
    n = len(values)
    if n < 2:
        return {"mean": float(values.mean()) if n else float("nan"), "low": float("nan"), "high": float("nan"), "n": n}
    half = T95.get(n - 1, 1.96) * values.std(ddof=1) / n**0.5
    return {"mean": values.mean(), "low": values.mean() - half, "high": values.mean() + half, "n": n}


def points(i):
    return f"{100 * i['mean']:+.1f} [{100 * i['low']:+.1f}, {100 * i['high']:+.1f}], n {i['n']}"


def percent(values):
    return f"{100 * np.mean(values):.0f} %"


def than_random(i):
    return "better than random" if i["low"] > 0 else "worse than random" if i["high"] < 0 else "not surely other than random"


def bar(met):
    return "met" if met else "**not met**"


def at(listeners, scene, count, what):
    return [s[scene][str(count)][what] for s in listeners if str(count) in s[scene]]


def kept_gain(scenes):
    """What the listener ends with: the gain where the gate lets the candidate through, nothing where it does not."""
    return [s["gain"] if s["passed"] else 0.0 for s in scenes]


def numbers(results):
    listeners, new = results["listeners"], results["new"]
    fifty = [s["corrected"][str(s["fifty"])] for s in listeners]
    out = {
        "own": {
            "gain": interval([s["gain"] for s in fifty]),
            "base": interval([s["base"] for s in fifty]),
            "kept": interval(kept_gain(fifty)),
            "passed": sum(s["passed"] for s in fifty),
        },
        "curves": {
            scene: {n: interval(at(listeners, scene, n, "gain")) for n in COUNTS if len(at(listeners, scene, n, "gain")) > 1}
            for scene in ("corrected", "random", "queue")
        },
        "asked": {
            scene: {
                n: {what: interval(at(listeners, scene, n, what)) for what in ("library", "mistakes")}
                for n in COUNTS
                if len(at(listeners, scene, n, "gain")) > 1
            }
            for scene in ("random", "queue")
        },
        "queue": {},
        "new": {},
    }
    for n in COUNTS:
        both = list(zip(at(listeners, "queue", n, "gain"), at(listeners, "random", n, "gain")))
        if len(both) > 1:
            out["queue"][n] = interval([q - r for q, r in both])
    for what in ("gain", "library", "mistakes"):
        out["queue"][what] = interval([
            np.mean([s["queue"][n][what] - s["random"][n][what] for n in s["queue"] if int(n) < s["pool"] * 0.6])
            for s in listeners
        ])
    for name in ("poison", "plain", "plain_poison"):
        scenes = [s[name] for s in listeners]
        out[name] = {
            "gain": interval([s["gain"] for s in scenes]),
            "base": interval([s["base"] for s in scenes]),
            "kept": interval(kept_gain(scenes)),
            "worst": min(kept_gain(scenes)),
            "passed": sum(s["passed"] for s in scenes),
            "flagged": sum(s["poisoned"] for s in scenes),
        }
    for genre in new:
        draws = genre["draws"]
        out["new"][genre["genre"]] = {
            "recall": float(np.mean([d["recall"] for d in draws])),
            "recalls": [d["recall"] for d in draws],
            "others": float(np.mean([d["others"] for d in draws])),
            "others_each": [d["others"] for d in draws],
            "unsure": float(np.mean([d["unsure"] for d in draws])),
            "unsure_before": float(np.mean([d["unsure_before"] for d in draws])),
            "passed": sum(d["passed"] for d in draws),
        }
    every = [d for g in new for d in g["draws"]]
    out["new_all"] = {
        "recall": interval([np.mean([d["recall"] for d in g["draws"]]) for g in new]),
        "others": interval([np.mean([d["others"] for d in g["draws"]]) for g in new]),
        "draws": len(every),
    }
    return out


def svg(title, lines, unit="points"):
    """Curves with their intervals over the number of tracks."""
    width, height, left, top = 560, 300, 56, 36
    xs = [x for _, line, _ in lines for x in line]
    lows = [i["low"] for _, line, _ in lines for i in line.values()] + [0]
    highs = [i["high"] for _, line, _ in lines for i in line.values()] + [0.05]
    x0, x1, y0, y1 = min(xs), max(xs), min(lows), max(highs)

    def px(x):
        return left + (x - x0) / max(x1 - x0, 1) * (width - left - 20)

    def py(y):
        return top + (y1 - y) / (y1 - y0) * (height - top - 40)

    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12">',
        '<rect width="100%" height="100%" fill="white"/>',
        f'<text x="{left}" y="18" font-size="14">{title}</text>',
    ]
    step = 0.02 if y1 - y0 < 0.2 else 0.05
    for k in range(int(np.ceil(y0 / step)), int(y1 / step) + 1):
        y = py(k * step)
        out.append(f'<line x1="{left}" x2="{width - 20}" y1="{y:.1f}" y2="{y:.1f}" stroke="#{"888" if k == 0 else "ddd"}"/>')
        out.append(f'<text x="{left - 6}" y="{y + 4:.1f}" text-anchor="end">{100 * k * step:+.0f}</text>')
    for x in sorted(set(xs)):
        out.append(f'<text x="{px(x):.1f}" y="{height - 22}" text-anchor="middle">{x}</text>')
    out.append(f'<text x="{width - 20}" y="{height - 6}" text-anchor="end">tracks spoken of; {unit}, 95 % intervals</text>')
    for k, (name, line, colour) in enumerate(lines):
        shift = 3 * (k - (len(lines) - 1) / 2)
        way = " ".join(f"{px(x) + shift:.1f},{py(i['mean']):.1f}" for x, i in sorted(line.items()))
        out.append(f'<polyline points="{way}" fill="none" stroke="{colour}" stroke-width="2"/>')
        for x, i in line.items():
            at_x = f"{px(x) + shift:.1f}"
            out.append(
                f'<line x1="{at_x}" x2="{at_x}" y1="{py(i["low"]):.1f}" y2="{py(i["high"]):.1f}" stroke="{colour}"/>'
            )
        out.append(f'<text x="{width - 20}" y="{top + 14 * k}" text-anchor="end" fill="{colour}">{name}</text>')
    return "\n".join([*out, "</svg>\n"])


def write(out, results):
    """Write all of it below `out`; the Markdown."""
    n = numbers(results)
    curves = n["curves"]
    lines = [
        ("what was named wrong", curves["corrected"], "#b3261e"),
        ("random order", curves["random"], "#5f6368"),
        ("queue order", curves["queue"], "#1a5fb4"),
    ]
    (out / "gain.svg").write_text(svg("Gain on tracks of other artists", lines))
    text = markdown(results, n)
    (out / "report.md").write_text(text)
    (out / "report.json").write_text(json.dumps({"figures": n, **results}, indent=1, default=float) + "\n")
    return text


def markdown(results, n):
    listeners = results["listeners"]
    own, poison, plain = n["own"], n["poison"], n["plain_poison"]
    gain_met = own["gain"]["mean"] >= 0.05 and own["gain"]["low"] > 0
    # Nobody ends worse off than without it.
    harmless, plain_harmless = poison["worst"] >= 0, plain["worst"] >= 0
    new_met = [g for g, v in n["new"].items() if v["recall"] >= 0.7 and v["others"] >= -0.01]
    out = ["# The simulated listener", ""]
    tuned = results["tuned"]
    out += [
        f"{len(listeners)} draws of artists, {results['seconds']:.0f} s. Points are of accuracy, with the 95 % interval of the mean "
        "over draws (Student's t). The draws share their clips, so they are less independent than the interval takes "
        f"them to be. Constants were chosen on draws {tuned['seeds'][0]} to {tuned['seeds'][1]} and on the held-out "
        f"genres {', '.join(tuned['genres'])}, none of which is played here; the clips are the same.",
        "",
        "## The bases",
        "",
        "Trained without 40 % of the artists, and with a third of what is left of two genres.",
        "",
        "| draw | learned from | thin | unseen fold right | library right | thin genres | others |",
        "|---|---|---|---|---|---|---|",
    ]
    for s in listeners:
        b = s["base"]
        out.append(
            f"| {s['seed']} | {b['learned']} | {', '.join(b['thin'])} | {percent(b['unseen'])} of {b['unseen_clips']} | "
            f"{percent(b['library'])} of {b['library_clips']} | {percent(b['thin_recall'])} | {percent(b['other_recall'])} |"
        )
    out += [
        "",
        "## A taxonomy of their own",
        "",
        "Two genres are each split in two by how they sound, or half of one belongs to another. Half of the listener's "
        "artists are corrected, the other half judges. Corrected are tracks that the base names wrong, in random order.",
        "",
        f"50 corrections: {points(own['gain'])} (bar: at least +5.0, the interval above 0): {bar(gain_met)}. The base's "
        f"own genres on artists it never saw: {points(own['base'])} (where the listener moved a border, the base's label "
        f"counts as right). The gate let {own['passed']} of {len(listeners)} through; with the gate: {points(own['kept'])}.",
        "",
        "| draw | taxonomy | right before | gain | base | gate |",
        "|---|---|---|---|---|---|",
    ]
    for s in listeners:
        f = s["corrected"][str(s["fifty"])]
        out.append(
            f"| {s['seed']} | {s['what']} | {percent(s['before'])} of {s['test']} | {100 * f['gain']:+.1f} | "
            f"{100 * f['base']:+.1f} | {'passed' if f['passed'] else 'refused'} |"
        )
    out += [
        "",
        "## By number, and in the queue's order",
        "",
        "![gain](gain.svg)",
        "",
        "Named wrong: as above. In random and in queue order the listener says of every track what it is, whether it was "
        "named right or wrong.",
        "",
        "| tracks | named wrong | random order | queue order | queue less random, paired |",
        "|---|---|---|---|---|",
    ]
    for count in COUNTS:
        cell = [points(n["curves"][s][count]) if count in n["curves"][s] else "" for s in ("corrected", "random", "queue")]
        out.append(f"| {count} | {cell[0]} | {cell[1]} | {cell[2]} | {points(n['queue'][count]) if count in n['queue'] else ''} |")
    out += [
        "",
        f"Over all numbers up to 60 % of what there is to correct: {points(n['queue']['gain'])}: what is learned for other "
        f"artists is {than_random(n['queue']['gain'])}.",
        "",
        "What the queue is for is finding mistakes. Of the tracks asked about, so many had been named wrong; and with the "
        "answers in force and the rest named anew, the whole library gained so much:",
        "",
        "| tracks | mistakes, random | mistakes, queue | library, random | library, queue |",
        "|---|---|---|---|---|",
    ]
    for count in COUNTS:
        random, queue = n["asked"]["random"].get(count), n["asked"]["queue"].get(count)
        if random and queue:
            found = [f"{100 * of['mistakes']['mean']:.0f} %" for of in (random, queue)]
            gained = [points(of["library"]) for of in (random, queue)]
            out.append(f"| {count} | {' | '.join(found)} | {' | '.join(gained)} |")
    out += [
        "",
        f"Paired, as above: mistakes {points(n['queue']['mistakes'])}, {than_random(n['queue']['mistakes'])}; the library "
        f"{points(n['queue']['library'])}, {than_random(n['queue']['library'])}.",
        "",
        "## Poison",
        "",
        "30 % of the 50 labels are wrong, drawn from all genres.",
        "",
        "| | learned | base | called poisoned | through the gate | what the listener ends with | worst draw | |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, key, met in (
        ("own taxonomy, what was named wrong", "poison", harmless),
        ("the base's taxonomy, any track", "plain_poison", plain_harmless),
        ("the same without poison", "plain", None),
    ):
        p = n[key]
        word = "" if met is None else "harmless" if met else "**harm**"
        out.append(
            f"| {name} | {points(p['gain'])} | {points(p['base'])} | {p['flagged']} | {p['passed']} of {len(listeners)} | "
            f"{points(p['kept'])} | {100 * p['worst']:+.1f} | {word} |"
        )
    out += [
        "",
        "## A genre that the base never heard",
        "",
        "20 corrected tracks of it, at most four an artist; recall on its other artists, and what the other nine lose on "
        "artists that the base never saw.",
        "",
        "| genre | recall (draws) | the others (draws) | unsure chunks of it | gate | bar: 70 %, -1.0 |",
        "|---|---|---|---|---|---|",
    ]
    for genre, v in n["new"].items():
        recalls = ", ".join(f"{100 * r:.0f}" for r in v["recalls"])
        others = ", ".join(f"{100 * r:+.1f}" for r in v["others_each"])
        out.append(
            f"| {genre} | {100 * v['recall']:.0f} % ({recalls}) | {100 * v['others']:+.1f} ({others}) | "
            f"{percent(v['unsure_before'])} before, {percent(v['unsure'])} after | {v['passed']} of {len(v['recalls'])} | "
            f"{bar(genre in new_met)} |"
        )
    every = n["new_all"]
    mean_met = every["recall"]["mean"] >= 0.7 and every["others"]["mean"] >= -0.01
    out += [
        "",
        f"Mean over the genres: recall {100 * every['recall']['mean']:.0f} %, the others {points(every['others'])}: {bar(mean_met)} "
        f"({len(new_met)} of {len(n['new'])} genres each).",
        "",
        "## Time",
        "",
        f"{results['timed']['tracks']} corrected tracks: {results['timed']['ears_s']:.1f} s in the ears, "
        f"{results['timed']['wall_s']:.1f} s with start and end.",
        "",
    ]
    return "\n".join(out)
