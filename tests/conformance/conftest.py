import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "e2e"))

from wherry.fixtures import *  # noqa: E402,F401,F403
from wherry.fixtures import _no_server_is_left  # noqa: E402,F401
