"""A link between a node and its parent, of bytes alone: it can be cut, held and narrowed while it is in use."""

import contextlib
import socket
import threading
import time


class Link:
    def __init__(self, target):
        self.target = target
        self.bytes_per_second = None  # towards the one who connected, of each connection
        self.shared_bytes_per_second = None  # the same of all together
        self._free_at = 0.0  # under _lock: when what all were sent is through
        self.bytes_up = self.bytes_down = 0  # that were passed on; down is towards the one who connected
        self._flowing = threading.Event()
        self._flowing.set()
        self._lock = threading.Lock()
        self._ends = set()
        self._listener = None
        self._open(0)
        self.address = "127.0.0.1:%d" % self._listener.getsockname()[1]
        self.url = f"http://{self.address}"

    def _open(self, port):
        self._listener = socket.create_server(("127.0.0.1", port), backlog=512)
        threading.Thread(target=self._accept, args=[self._listener], daemon=True).start()

    def cut(self):
        """Every connection ends, and none is accepted any more."""
        listener, self._listener = self._listener, None
        if listener:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        with self._lock:
            ends, self._ends = self._ends, set()
        for end in ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        self._flowing.set()

    def mend(self):
        if not self._listener:
            self._open(int(self.address.split(":")[1]))

    def hold(self):
        """Nothing gets through, and nobody is told: as when packets are dropped on the way."""
        self._flowing.clear()

    def release(self):
        self._flowing.set()

    close = cut

    def _accept(self, listener):
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._join, args=[near], daemon=True).start()

    def _join(self, near):
        self._flowing.wait()
        host, port = self.target.split(":")
        try:
            far = socket.create_connection((host, int(port)), 5)
        except OSError:
            near.close()
            return
        far.settimeout(None)
        with self._lock:
            is_cut = self._listener is None
            if not is_cut:
                self._ends |= {near, far}
        if is_cut:
            near.close()
            far.close()
            return
        for end in (near, far):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        upwards = threading.Thread(target=self._pump, args=[near, far, False], daemon=True)
        upwards.start()
        self._pump(far, near, True)
        upwards.join()
        with self._lock:
            self._ends -= {near, far}
        near.close()
        far.close()

    def _turn(self, count):
        """How long so many bytes wait for those of all before them, and for themselves."""
        with self._lock:
            now = time.monotonic()
            self._free_at = max(self._free_at, now) + count / self.shared_bytes_per_second
            return self._free_at - now

    def _pump(self, source, sink, downwards):
        try:
            while piece := source.recv(1024 if downwards and self.bytes_per_second else 65536):
                self._flowing.wait()
                rate = self.bytes_per_second
                if downwards and rate:
                    time.sleep(len(piece) / rate)
                if downwards and self.shared_bytes_per_second:
                    time.sleep(self._turn(len(piece)))
                with self._lock:
                    self.bytes_up += 0 if downwards else len(piece)
                    self.bytes_down += len(piece) if downwards else 0
                sink.sendall(piece)
        except OSError:
            pass
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
