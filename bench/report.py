"""From figures to a table, a JSON file and plots."""

import json
import os
import platform
import re
import statistics
import subprocess
from pathlib import Path

from servers import MIB, ROOT, median_of_ratios


def machine():
    model = next((line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")), "")
    return {"cpu": model, "cores": os.cpu_count(), "kernel": platform.release()}


def commit():
    done = subprocess.run(["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True)
    return done.stdout.strip()


def scale(row):
    """Our own CPU, as a person reads it."""
    own = statistics.median(run["cpu"] for run in row["runs"]["wherry"])
    if row["unit"] == "bytes":
        return f"{own / 1024:.1f} KiB"
    if row["unit"] == "seconds":
        return f"{own:.2f} s"
    if row["unit"] == "memory":
        return f"{own / MIB:.1f} MiB"
    return f"{own / row['size'] * (1 << 30):.3f} s/GiB" if row["size"] >= MIB // 2 else f"{own * 1e6:.1f} us"


def cell(row, peer):
    """A peer's figure over ours: above 1 we take less. Times of a request are in brackets behind it."""
    if peer not in row["runs"]:
        return row["missing"].get(peer, "")
    if not row["runs"].get("wherry"):
        return "measured"
    theirs, ours = row["runs"][peer], row["runs"]["wherry"]
    middle, least, most = median_of_ratios([run["cpu"] for run in theirs], [run["cpu"] for run in ours])
    text = f"**{middle:.2f}x** ({least:.2f}-{most:.2f})"
    if "ms" in ours[0] and "ms" in theirs[0]:
        slower = median_of_ratios([run["ms"]["p50"] for run in theirs], [run["ms"]["p50"] for run in ours])[0]
        text += f", p50 {slower:.2f}x"
    if peer in row["target"]:
        text += " ok" if middle >= row["target"][peer] * 0.995 else f" **below {row['target'][peer]:.2f}x**"
    return text


def markdown(result):
    peers = result["peers"]
    lines = ["| row | wherry, CPU | " + " | ".join(f"{peer} / wherry" for peer in peers) + " |", "|---|---|" + "---|" * len(peers)]
    for row in result["rows"]:
        own = scale(row) if row["runs"].get("wherry") else row["missing"].get("wherry", "not measured")
        lines.append(f"| {row['row']} | {own} | " + " | ".join(cell(row, peer) for peer in peers) + " |")
    return "\n".join(lines)


def head(result):
    """What has to be known to read the table."""
    gib = lambda key: f"{result['limits'][key] / (1 << 30):.2f} GiB/s"
    lines = [
        f"{result['date']}, {result['commit']}, {result['rounds']} rounds, {result['machine']['cpu']}, kernel {result['machine']['kernel']}; "
        f"servers on core {result['server_cores']}, client on core {result['client_core']}.",
        "Versions: " + ", ".join(f"{name} {version}" for name, version in result["versions"].items() if version) + ".",
        *(f"Missing: {name}: {why}." for name, why in result["missing"].items()),
    ]
    if result["limits"]:
        lines.append(
            f"Limits of this machine: SHA-256 {gib('sha256_bytes_per_second')} a core, memory copy {gib('copy_bytes_per_second')}, "
            f"file write with sync {gib('write_and_sync_bytes_per_second')}, sendfile over loopback {gib('sendfile_bytes_per_second')} "
            f"at {result['limits']['sendfile_cpu_seconds_per_gib']:.3f} CPU s/GiB of the sender."
        )
    lag = lag_of(result["loop_lag"])
    if lag:
        lines.append(f"Loop lag of the master over all plain rows (how late its loops come to what is due): {lag}.")
    push = next((row for row in result["rows"] if row["row"] == "push 100 MB monolithic, 1 client" and row["runs"].get("wherry")), None)
    if push and result["limits"]:
        speed = push["size"] / statistics.median(run["wall"] for run in push["runs"]["wherry"])
        lines.append(
            f"A push of 100 MB by one client goes at {speed / result['limits']['sha256_bytes_per_second']:.2f} of one core's SHA-256 speed and "
            f"{speed / result['limits']['write_and_sync_bytes_per_second']:.2f} of the disk's (target: 0.7 of SHA-256)."
        )
    return "\n\n".join(lines)


def lag_of(lines):
    """Half, 99 and 99.9 % of the histogram wherry_loop_lag_seconds, as text; empty without one."""
    counts = {}
    for line in lines:
        found = re.fullmatch(r'wherry_loop_lag_seconds_bucket\{.*le="([^"]+)".*\} (\d+)', line)
        if found:
            edge = float(found.group(1).replace("+Inf", "inf"))
            counts[edge] = counts.get(edge, 0) + int(found.group(2))
    if not counts or not counts[max(counts)]:
        return ""
    edge_of = lambda part: next(edge for edge in sorted(counts) if counts[edge] >= part * counts[max(counts)])
    return ", ".join(f"p{part * 100:g} at most {edge_of(part) * 1000:g} ms" for part in (0.5, 0.99, 0.999))


def plot(result, path):
    """One SVG: for each row and peer how many times our CPU its is, on a logarithmic scale."""
    try:
        import matplotlib
    except ImportError:
        return "python3-matplotlib is not installed: no plots"
    matplotlib.use("svg")
    from matplotlib import pyplot

    rows = [row for row in result["rows"] if "wherry" in row["runs"] and len(row["runs"]) > 1][::-1]
    if not rows:
        return None
    figure, axes = pyplot.subplots(figsize=(9, 1.5 + 0.32 * len(rows)))
    marks = dict(zip(result["peers"], "osD^v<>"))
    for peer in result["peers"]:
        points = []
        for height, row in enumerate(rows):
            if peer in row["runs"]:
                points.append((height, *median_of_ratios([run["cpu"] for run in row["runs"][peer]], [run["cpu"] for run in row["runs"]["wherry"]])))
        if points:
            heights, middles, leasts, mosts = zip(*points)
            reach = [[m - l for m, l in zip(middles, leasts)], [h - m for m, h in zip(middles, mosts)]]
            axes.errorbar(middles, heights, xerr=reach, fmt=marks[peer], label=peer, capsize=2, markersize=5, linewidth=1)
    axes.set_xscale("log")
    axes.axvline(1, color="black", linewidth=0.8)
    axes.set_yticks(range(len(rows)), [row["row"] for row in rows], fontsize=8)
    axes.set_xlabel("server's CPU over wherry's (right of 1: wherry takes less); the bars go from the lowest to the highest round")
    axes.legend()
    axes.grid(axis="x", alpha=0.3)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
    return None


def plot_waits(result, path):
    """One SVG: how long requests took at a constant rate, up to the slowest."""
    try:
        import matplotlib
    except ImportError:
        return
    matplotlib.use("svg")
    from matplotlib import pyplot

    rows = [row for row in result["rows"] if row["rate"] and len(row["runs"]) > 1]
    if not rows:
        return
    figure, axes = pyplot.subplots(figsize=(7, 4))
    names = ["p50", "p75", "p90", "p95", "p99", "p99.9", "max"]
    for server, runs in rows[0]["runs"].items():
        axes.plot(names, [statistics.median(run["ms"][name] for run in runs) for name in names], marker="o", label=server)
    axes.set_yscale("log")
    axes.set_ylabel("ms from when the request was due")
    axes.set_title(rows[0]["row"], fontsize=10)
    axes.legend()
    axes.grid(alpha=0.3)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})


def keep(result, folder):
    """RESULTS/<date>.json and .md, of what is measured so far."""
    folder.mkdir(parents=True, exist_ok=True)
    name = result["date"]
    (folder / f"{name}.json").write_text(json.dumps(result, indent=1) + "\n")
    (folder / f"{name}.md").write_text(f"{head(result)}\n\n{markdown(result)}\n")


def write(result, folder):
    """The same, and the plots: .svg and -waits.svg."""
    keep(result, folder)
    name = result["date"]
    trouble = plot(result, folder / f"{name}.svg")
    plot_waits(result, folder / f"{name}-waits.svg")
    if trouble is None:
        with open(folder / f"{name}.md", "a") as text:
            text.write(f"\n![CPU of servers over wherry's]({name}.svg)\n")
    return trouble
