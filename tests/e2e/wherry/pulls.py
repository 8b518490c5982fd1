"""Requests beside a test's own thread: one pull, or many at once."""

import threading
import time

from . import oci
from .client import Broken


class Pull(threading.Thread):
    """A GET that has begun, and what came of it: `response`, or how it broke; and how long that took."""

    def __init__(self, edge, path, **headers):
        super().__init__(daemon=True)
        self.edge, self.path = edge, path
        self.headers = {"accept": f"{oci.OCI_MANIFEST}, {oci.OCI_INDEX}", **headers}
        self.response = self.broken = self.seconds = None
        self.start()

    def run(self):
        begin = time.monotonic()
        try:
            self.response = self.edge.get(self.path, timeout=120, **self.headers)
        except Broken as broken:
            self.broken = broken
        self.seconds = time.monotonic() - begin

    def end(self, seconds=60):
        self.join(seconds)
        assert not self.is_alive(), f"{self.path} hangs"
        return self


def together(count, work, seconds=60):
    """Runs work(number) in so many threads at once; gives what each gave. What one of them raised is raised here."""
    gave, raised, barrier = [None] * count, [], threading.Barrier(count)

    def one(number):
        barrier.wait()
        try:
            gave[number] = work(number)
        except BaseException as error:
            raised.append(error)

    threads = [threading.Thread(target=one, args=(number,), daemon=True) for number in range(count)]
    deadline = time.monotonic() + seconds
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0, deadline - time.monotonic()))
    if raised:
        raise raised[0]
    assert not any(thread.is_alive() for thread in threads), f"not at its end after {seconds} s"
    return gave
