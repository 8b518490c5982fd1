from wherry import canaries
from wherry.fixtures import *  # noqa: F401,F403
from wherry.fixtures import _no_server_is_left  # noqa: F401

canaries.is_looking = True
