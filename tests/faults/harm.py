"""Harm done to files, as a disk does it: without the file's rights, times or owner having a say."""

import os
from pathlib import Path


def flip(path, offset, bit=0):
    """Flips one bit on the disk, and lets no page in memory tell another story."""
    descriptor = os.open(path, os.O_RDWR)
    try:
        byte = os.pread(descriptor, 1, offset)
        os.pwrite(descriptor, bytes([byte[0] ^ (1 << bit)]), offset)
        os.fsync(descriptor)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(descriptor)


def flip_random(path, random):
    flip(path, random.randrange(os.path.getsize(path)), random.randrange(8))


def files_below(folder):
    """Paths of all files, relative to the folder."""
    return sorted(str(path.relative_to(folder)) for path in Path(folder).rglob("*") if not path.is_dir())
