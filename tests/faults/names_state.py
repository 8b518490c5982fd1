"""The whole state of names of tiers that do not run, as wherry-followers reads it out of their stores."""

import json
import subprocess

from wherry.process import BIN

TOOL = BIN / "wherry-followers"


def append_tags(server, repository, digest, count):
    """Sets so many tags, f0, f1 and so on, in the store of a master that does not run."""
    words = ["append", "--data", server.data, "--repository", repository, "--digest", digest, "--entries", count]
    subprocess.run([str(word) for word in [TOOL, *words]], check=True, timeout=90)


def state_of(server):
    """Position, epoch, number and hash of all rows, hash of the projects' digests, and the policies."""
    done = subprocess.run([TOOL, "state", "--data", server.data], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    state = json.loads(done.stdout)
    return {**state, "policies": {name: json.loads(policy) for name, policy in state["policies"].items()}}


def check_same_state(master, nodes):
    """All of them are stopped; gives the state that all have."""
    wanted = state_of(master)
    for node in nodes:
        found = state_of(node)
        unlike = {part: (found[part], wanted[part]) for part in wanted if found[part] != wanted[part]}
        assert not unlike, f"{node.name} is not as the master is: {unlike}"
    return wanted
