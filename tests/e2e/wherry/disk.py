"""A small file system of the tests' own: ext4 in a file, that can be filled, and cut off as by a power failure."""

import fcntl
import os
import struct
import subprocess
from pathlib import Path

from .process import wait_until

_FS_SHUTDOWN = 0x8004587D  # ext4's EXT4_IOC_SHUTDOWN
_NO_LOG_FLUSH = 2


class Disk:
    def __init__(self, folder, mebibytes, inodes=None, features=None, mounted_with=None):
        """With `inodes` it has so many, of which its own folders take some. `features`: of mkfs.ext4."""
        self.image = Path(folder) / "disk.ext4"
        self.path = Path(folder) / "disk"
        self.path.mkdir(parents=True)
        with open(self.image, "wb") as image:
            image.truncate(mebibytes << 20)
        self.options = ",".join(["loop", *([mounted_with] if mounted_with else [])])
        words = [*(["-N", inodes] if inodes else []), *(["-O", features] if features else [])]
        _run("mkfs.ext4", "-q", "-F", "-m", "0", *words, self.image)
        self.mounted = False
        self.mount()

    def mount(self):
        _run("mount", "-o", self.options, self.image, self.path)
        self.mounted = True

    def unmount(self):
        def gone():
            return subprocess.run(["umount", self.path], capture_output=True).returncode == 0

        wait_until(gone, f"{self.path} is unmounted", 20, 0.05)
        self.mounted = False

    def cut(self):
        """Power is gone: what is not on the disk by now never gets there."""
        place = os.open(self.path, os.O_RDONLY)
        try:
            fcntl.ioctl(place, _FS_SHUTDOWN, struct.pack("I", _NO_LOG_FLUSH))
        finally:
            os.close(place)

    def close(self):
        if self.mounted:
            self.unmount()
        self.image.unlink(missing_ok=True)

    def free_bytes(self):
        space = os.statvfs(self.path)
        return space.f_bavail * space.f_frsize

    def fill(self, name="filler", leave=0):
        """Writes a file until the disk has no (or only `leave`) bytes left; gives its path."""
        filler = self.path / name
        piece = b"\0" * (1 << 20)
        with open(filler, "ab", buffering=0) as file:
            while self.free_bytes() > leave and piece:
                try:
                    file.write(piece[: max(4096, self.free_bytes() - leave)])
                except OSError:
                    piece = piece[: len(piece) // 4] if len(piece) > 4096 else b""
            os.fsync(file.fileno())
        return filler


def _run(*command):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    assert done.returncode == 0, f"{command}: {done.stderr}"
