"""A real image of several layers, made by umoci without a network."""

import random
import subprocess
from pathlib import Path

MEBIBYTE = 1 << 20


def make_image(folder, layer_sizes, tag="v1", seed=1):
    """Makes an OCI layout with one layer for each size (bytes that do not compress) and one of small text files."""
    layout = Path(folder) / "layout"
    source = random.Random(seed)
    _umoci("init", "--layout", layout)
    _umoci("new", "--image", f"{layout}:{tag}")
    for number, size in enumerate(layer_sizes):
        tree = Path(folder) / f"tree{number}"
        tree.mkdir()
        for part in range(4):
            (tree / f"part{part}.bin").write_bytes(source.randbytes(size // 4))
        _umoci("insert", "--image", f"{layout}:{tag}", tree, f"/opt/layer{number}")
    texts = Path(folder) / "texts"
    texts.mkdir()
    for number in range(200):
        (texts / f"{number}.txt").write_text(f"line of file {number}\n" * source.randint(1, 200))
    _umoci("insert", "--image", f"{layout}:{tag}", texts, "/usr/share/texts")
    return f"oci:{layout}:{tag}"


def _umoci(*words):
    done = subprocess.run(["umoci", *map(str, words)], capture_output=True, text=True)
    assert done.returncode == 0, f"umoci {words}: {done.stderr}"
