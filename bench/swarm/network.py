"""Machines on one machine: network namespaces, each with a link of its own to a switch, shaped both ways (tbf).

All of it lives in a network namespace of the bench's own (Switch.enter) and is held by processes that end with the bench: the kernel
removes it with the last of them, however the bench ends.
"""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

_libc = ctypes.CDLL(None, use_errno=True)
_NEWNET = 0x40000000


def end_with_the_bench():
    _libc.prctl(1, signal.SIGKILL)


def run(words):
    done = subprocess.run([str(word) for word in words], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, words))}: {done.stderr.strip()}")


# What nearly all hosts have. Where a namespace may not choose it, what the machine has counts, and gives other figures.
_CONGESTION_CONTROL = "sysctl -qw net.ipv4.tcp_congestion_control=cubic 2>/dev/null || true"


def _shape(device, mbit):
    # A burst of two blocks of a peer, and a queue of 50 ms: short, as those of switches are.
    return f"tc qdisc replace dev {device} root tbf rate {mbit}mbit burst 32kb latency 50ms"


class Machine:
    """A namespace whose eth0 hangs at a bridge. `limit`: seconds after which it is gone whatever happens."""

    def __init__(self, name, ip, bridge, mbit, limit):
        self.name, self.ip = name, ip
        self.port = f"v-{name}"  # the switch's end of its link
        self.holder = subprocess.Popen(
            ["unshare", "-n", "sleep", str(limit)], stdin=subprocess.DEVNULL, preexec_fn=end_with_the_bench
        )
        own = os.readlink("/proc/self/ns/net")
        deadline = time.monotonic() + 10
        while os.readlink(f"/proc/{self.holder.pid}/ns/net") == own:
            if time.monotonic() > deadline or self.holder.poll() is not None:
                raise RuntimeError("no network namespace can be made (root is needed)")
            time.sleep(0.002)
        run(["ip", "link", "add", self.port, "type", "veth", "peer", "name", "eth0", "netns", self.holder.pid])
        run(["sh", "-ec", f"ip link set {self.port} master {bridge} up; {_shape(self.port, mbit)}"])
        inside = f"ip link set lo up; ip addr add {ip}/16 dev eth0; ip link set eth0 up; {_shape('eth0', mbit)}; {_CONGESTION_CONTROL}"
        run(self.words(["sh", "-ec", inside]))

    def words(self, command):
        """A command as it is run there."""
        return ["nsenter", "-t", str(self.holder.pid), "-n", *[str(word) for word in command]]

    @contextlib.contextmanager
    def inside(self):
        """This thread is there meanwhile: sockets that it makes are."""
        with open("/proc/thread-self/ns/net") as home, open(f"/proc/{self.holder.pid}/ns/net") as there:
            _enter(there)
            try:
                yield
            finally:
                _enter(home)

    def congestion_control(self):
        with self.inside():
            return Path("/proc/sys/net/ipv4/tcp_congestion_control").read_text().strip()

    def bytes_out(self):
        return _counter(self.port, "rx_bytes")

    def bytes_in(self):
        return _counter(self.port, "tx_bytes")

    def segments(self):
        """That its TCP sent, and of those that it sent again."""
        lines = Path(f"/proc/{self.holder.pid}/net/snmp").read_text().splitlines()
        names, values = (line.split() for line in lines if line.startswith("Tcp:"))
        return [int(values[names.index(name)]) for name in ("OutSegs", "RetransSegs")]

    def close(self):
        self.holder.kill()
        self.holder.wait()


def _enter(namespace):
    if _libc.setns(namespace.fileno(), _NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


def _counter(device, which):
    return int(Path(f"/sys/class/net/{device}/statistics/{which}").read_text())


class Switch:
    """Bridges: one, or one in the middle and one for each site, behind a link of its own."""

    MIDDLE = "switch"

    def __init__(self, sites, site_mbit, isolated=False):
        """`isolated`: sites reach what hangs in the middle, and not one another."""
        run(["sh", "-ec", f"ip link set lo up; ip link add {self.MIDDLE} type bridge; ip link set {self.MIDDLE} up"])
        self.sites = []
        for site in range(sites if site_mbit else 0):
            bridge, near, far = f"site-{site}", f"to-site-{site}", f"from-site-{site}"
            run(["sh", "-ec", f"""ip link add {bridge} type bridge; ip link set {bridge} up
                ip link add {near} type veth peer name {far}
                ip link set {near} master {self.MIDDLE} up; ip link set {far} master {bridge} up
                {_shape(near, site_mbit)}; {_shape(far, site_mbit)}
                bridge link set dev {near} isolated {"on" if isolated else "off"}"""])
            self.sites.append(near)

    def bridge_of(self, site):
        return f"site-{site}" if self.sites else self.MIDDLE

    def bytes_into(self, site):
        return _counter(self.sites[site], "tx_bytes")

    @staticmethod
    def enter():
        """Starts this program anew in a network (and view of /sys) of its own; returns there."""
        if os.environ.get("WHERRY_BENCH_NAMESPACE") is None:
            os.environ["WHERRY_BENCH_NAMESPACE"] = "its own"
            os.execvp("unshare", ["unshare", "-n", "-m", sys.executable, *sys.argv])
        run(["mount", "-t", "sysfs", "sysfs", "/sys"])  # /sys/class/net shows the network of who mounted it
        run(["sh", "-ec", "ip link set lo up"])
