"""The test bed: machines behind shaped links, nodes on them, and what is counted while they work. `run` and `image` are benches on it."""

import contextlib
import json
import os
import shutil
import signal
import statistics
import sys
import tempfile
import time
from pathlib import Path

from machines import BedMaster, BedNode, wait_all
from network import Machine, Switch

NAME = Path(sys.argv[0]).name


def add_options(parser, **defaults):
    """Those that all benches on the bed have."""
    parser.add_argument("--nodes", type=int, default=10)
    parser.add_argument("--mbit", type=float, default=20, help="of each node's link, each way")
    parser.add_argument("--parent-mbit", type=float, help="of the master's link; that of a node when left out")
    parser.add_argument("--runs", type=int, default=5, help="of each way")
    parser.add_argument("--ways", default="swarm,plain", help="which, in turns")
    parser.add_argument("--sites", type=int, default=1)
    parser.add_argument("--site-mbit", type=float, help="of each site's link to the master; without it all hang at one switch")
    parser.add_argument("--isolated-sites", action="store_true", help="that reach the master, and not one another")
    parser.add_argument("--no-bridges", action="store_true", help="nodes meet nobody of another site: each gets all from the parent")
    parser.add_argument("--min-bytes", default="1MiB", help="swarm.min-bytes of master and nodes")
    parser.add_argument("--json", help="write all figures to this file")
    parser.add_argument("--keep-logs", help="copy the servers' logs there")
    parser.add_argument("--area", help="where the servers keep their data (a disk, not a tmpfs)")
    parser.set_defaults(**defaults)


def read_options(parser, ways):
    options = parser.parse_args()
    options.ways = options.ways.split(",")
    if not set(options.ways) <= set(ways):
        parser.error(f"--ways: of {', '.join(ways)}")
    options.parent_mbit = options.parent_mbit or options.mbit
    return options


def set_limits(options, size, more=0):
    """Seconds that no machine of any kind needs for a way: for one pull after the other over the parent's link, and half as much
    again. After so many of all runs the bench ends."""
    options.one_way = 120 + 1.5 * size * 8 * options.nodes / (options.parent_mbit * 1e6) + more
    options.limit = int(120 + options.one_way * options.runs * len(options.ways))


class Watch:
    """What links, servers and cores do from now on."""

    def __init__(self, bed, servers):
        """`servers`: whose CPU time counts."""
        self.bed, self.servers = bed, servers
        self.cpu = [server.cpu_seconds() for server in servers]
        self.segments, self.left, self.into, self.cores = self._segments(), bed.parent.bytes_out(), self._into(), self._cores()

    def figures(self):
        """Since then."""
        left, into, cores = self.bed.parent.bytes_out() - self.left, self._into(), self._cores()
        worked, waited, there = (now - before for now, before in zip(cores, self.cores))
        parent, nodes = ([now - before for now, before in zip(*pair)] for pair in zip(self._segments(), self.segments))
        return {
            "left_parent": left, "into_sites": [now - before for now, before in zip(into, self.into)],
            "cpu_seconds": sum(server.cpu_seconds() - before for server, before in zip(self.servers, self.cpu)),
            "cores_seconds": there, "cpu_busy": worked / there, "disk_waited": waited / there,
            "congestion_control": self.bed.parent.congestion_control(),
            "parent_again": parent[1] / max(parent[0], 1), "nodes_again": nodes[1] / max(nodes[0], 1),
        }  # fmt: skip

    def _segments(self):
        """Of the parent and of all nodes: that TCP sent, and of those that it sent again."""
        each = [machine.segments() for machine in self.bed.machines]
        return [self.bed.parent.segments(), [sum(column) for column in zip(*each)]]

    def _into(self):
        return [self.bed.switch.bytes_into(site) for site in range(len(self.bed.switch.sites))]

    @staticmethod
    def _cores():
        """Seconds of all cores so far: that they worked, that they waited for a disk, and that there were."""
        first = Path("/proc/stat").read_text().splitlines()[0].split()[1:9]
        ticks = [int(each) / os.sysconf("SC_CLK_TCK") for each in first]
        return sum(ticks) - ticks[3] - ticks[4], ticks[4], sum(ticks)


@contextlib.contextmanager
def ended(seconds, close):
    """What runs inside ends by itself after so many seconds; however it ends, also by a signal, `close()` runs whole."""
    ending = (signal.SIGINT, signal.SIGTERM, signal.SIGALRM, signal.SIGHUP)
    for each in ending:
        signal.signal(each, lambda number, frame: sys.exit(f"bench/swarm/{NAME} ends by signal {number}"))
    signal.alarm(int(seconds))
    try:
        yield
    finally:
        for each in ending:
            signal.signal(each, signal.SIG_IGN)
        close()


class Bed:
    """A bench says what a run is: `wave(way)` gives its figures."""

    def __init__(self, options):
        self.options = options
        self.area = Path(tempfile.mkdtemp(prefix="wherry-swarm-", dir=options.area))
        self.closing = []  # what has to end, the last one first
        self.count = 0

    def set_up(self):
        options = self.options
        self.switch = Switch(options.sites, options.site_mbit, options.isolated_sites)
        self.parent = self.machine("parent", "10.77.0.1", Switch.MIDDLE, options.parent_mbit)
        self.machines = [
            self.machine(f"n{i}", f"10.77.{1 + i // 200}.{1 + i % 200}", self.switch.bridge_of(i % options.sites), options.mbit)
            for i in range(options.nodes)
        ]

    def machine(self, *how):
        machine = Machine(*how, self.options.limit)
        self.closing.append(machine.close)
        return machine

    def close(self):
        while self.closing:
            self.closing.pop()()
        self.keep_logs()
        shutil.rmtree(self.area, ignore_errors=True)

    def keep_logs(self):
        if not self.options.keep_logs:
            return
        target = Path(self.options.keep_logs)
        target.mkdir(parents=True, exist_ok=True)
        for log in self.area.glob("*/log"):
            shutil.copy(log, target / log.parent.name)

    def start_master(self):
        self.master = BedMaster(self.area, self.parent, self.options.min_bytes)
        self.closing.append(self.master.end)
        self.master.start()
        self.master.set_up()

    def stop_master(self):
        self.master.stop()
        self.closing.remove(self.master.end)
        shutil.rmtree(self.master.data)

    def start_nodes(self, way):
        """Empty ones that have followed the master; with way "swarm" they take part in swarms."""
        self.count += 1
        nodes = []
        for i, machine in enumerate(self.machines):
            name = f"node-{i}-{self.count}"
            site, bridge = f"site-{i % self.options.sites}", not self.options.no_bridges
            swarm = {"site": site, "bridge": bridge, "min-bytes": self.options.min_bytes} if way == "swarm" else None
            node = BedNode(self.area, machine, self.master, name, swarm)
            self.closing.append(node.end)
            nodes.append(node)
            node.start(extra=["--join", self.master.add_node(name)], ready_within=None)
        wait_all(nodes, lambda node: node.answers(node.observe_port, "/readyz") == 200, "is ready", 60)
        position = self.master.position()
        wait_all(nodes, lambda node: node.follows(position), "has followed", 60)
        time.sleep(1)  # what joining made is over
        return nodes

    def stop_nodes(self, nodes):
        for node in nodes:
            node.signal(signal.SIGTERM)
        for node in nodes:
            node.wait_end(60)
            self.closing.remove(node.end)
            shutil.rmtree(node.data)
            self.master.remove_node(node.name)

    def measure(self, show):
        """All runs, the ways in turns; then `show(results)`, the runs by way. However it ends, nothing is left but --keep-logs."""
        options = self.options
        results = {way: [] for way in options.ways}
        with ended(options.limit, self.close):
            self.set_up()
            for number in range(options.runs):
                for way in options.ways:
                    figures = self.wave(way)
                    results[way].append(figures)
                    print(f"run {number + 1} of {options.runs}, {way}: {figures['seconds']:.1f} s, CPU {100 * figures['cpu_busy']:.0f} %", flush=True)
        show(results)
        if options.json:
            Path(options.json).write_text(json.dumps({"options": vars(options), "runs": results}, indent=1) + "\n")


def differences(before, after):
    return {name: value - before.get(name, 0) for name, value in after.items() if value != before.get(name, 0)}


def sums(each):
    total = {}
    for metrics in each:
        for name, value in metrics.items():
            total[name] = total.get(name, 0) + value
    return {name: value for name, value in total.items() if value}


def spread(values, form="{:.2f}"):
    return f"{form} ({form}-{form})".format(statistics.median(values), min(values), max(values))


def show_figure(name, text):
    print(f"  {name:<33} {text}")


def show_watched(runs, size, unit, pulled):
    """What a Watch saw in them: over `size`, which is called `unit`, and over the bytes that clients `pulled`."""
    show_figure("bytes out of the parent's link", f"{spread([run['left_parent'] / size for run in runs], '{:.3f}')} {unit}, headers and all")
    counters = ("wherry_http_sent_bytes_total", "wherry_swarm_leased_bytes_total")
    if "master" in runs[0]:
        sent = [sum(run["master"].get(name, 0) for name in counters) / size for run in runs]
        show_figure("that the master counted", f"{spread(sent, '{:.3f}')} {unit}: blobs sent whole, and leases")
    again = (f"{who} {spread([100 * run[key] for run in runs], '{:.1f}')} %" for who, key in (("parent", "parent_again"), ("nodes", "nodes_again")))
    show_figure("segments that TCP sent again", ", ".join(again) + f" ({runs[0]['congestion_control']})")
    for site in range(len(runs[0]["into_sites"])):
        show_figure(f"bytes into site {site}", f"{spread([run['into_sites'][site] / size for run in runs], '{:.3f}')} {unit}")
    show_figure("CPU of all servers", f"{spread([run['cpu_seconds'] / (pulled / (1 << 30)) for run in runs])} s/GiB pulled")
    busy = [run["cpu_busy"] for run in runs]
    limit = "  <-- CPU WAS THE LIMIT in some" if max(busy) > 0.9 else ""
    show_figure("the machine's cores worked", f"{spread([100 * each for each in busy], '{:.0f}')} % of the time{limit}")
    served = [100 * run["cpu_seconds"] / run["cores_seconds"] for run in runs]
    show_figure("for the servers", f"{spread(served, '{:.0f}')} % of the time")
    show_figure("they waited for the disk", f"{spread([100 * run['disk_waited'] for run in runs], '{:.0f}')} % of the time")


def show_counted(runs):
    """The swarm's own counters."""
    for who in ("master", "nodes"):
        for name in sorted({name for run in runs for name in run.get(who, {}) if "swarm" in name}):
            print(f"  {who}: {name}  {spread([run[who].get(name, 0) for run in runs], '{:.0f}')}")
    sys.stdout.flush()
