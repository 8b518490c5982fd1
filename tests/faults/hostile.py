"""Members of a swarm that do it harm, one kind each. What is not wrong with a kind, member.py does right."""

import os
import struct
import threading

from member import HAVE_NONE, INTERESTED, LEAF, PIECE, REJECT, REQUEST, Member


class Liar(Member):
    """Sends wrong bytes, a piece at a time, so that each is judged before the next one is there."""

    JUDGED_WITHIN = 1.0  # seconds

    def __init__(self, *words):
        self.turn = threading.Lock()
        super().__init__(*words)

    def asked(self, neighbour, piece, begin, length):
        with self.turn:  # all that are lied to together
            neighbour.send(PIECE, piece, begin, payload=os.urandom(length))
            self.did["harm"] += 1
            at = begin + length
            is_whole = at >= self.swarm.piece_bytes or self.swarm.size <= piece * self.swarm.piece_bytes + at
        if is_whole:
            self.did["lies"] += 1
            self.ended.wait(self.JUDGED_WITHIN)


class Choker(Member):
    """Has all of it, and lets nobody ask."""

    def interested(self, neighbour):
        self.did["harm"] += 1


class Dripper(Member):
    """Sends what it is asked for, a byte a second."""

    def asked(self, neighbour, piece, begin, length):
        if begin == 0 and not hasattr(neighbour, "drips"):
            neighbour.drips = True
            head = struct.pack(">IB2I", 9 + length, PIECE, piece, begin)
            self._run(self.drip, neighbour, head + self.bytes_of(piece, begin, length))

    def drip(self, neighbour, message):
        try:
            for byte in message:
                neighbour.send_bytes(bytes([byte]))
                self.did["harm"] += 1
                if self.ended.wait(1):
                    return
        except OSError:
            pass  # shown the door


class Flooder(Member):
    """Has nothing, and asks for everything, whether it may or not, without end."""

    AT_ONCE = 500  # requests, ten times a second, to each

    def begun(self, neighbour):
        neighbour.send(HAVE_NONE)
        neighbour.send(INTERESTED)
        self._run(self.flood, neighbour)

    def flood(self, neighbour):
        asks = b"".join(struct.pack(">IB3I", 13, REQUEST, piece, 0, LEAF) for piece in range(self.swarm.pieces))
        asks = (asks * (1 + self.AT_ONCE // self.swarm.pieces))[: 17 * self.AT_ONCE]
        try:
            while not self.ended.wait(0.1):
                neighbour.send_bytes(asks)
                self.did["harm"] += self.AT_ONCE
        except OSError:
            pass  # shown the door


class Pretender(Member):
    """Says that it has all, and when it is asked has nothing: of every other piece it says so, of the rest not even that."""

    def asked(self, neighbour, piece, begin, length):
        self.did["harm"] += 1
        if piece % 2:
            neighbour.send(REJECT, piece, begin, length)


KINDS = [Liar, Choker, Dripper, Flooder, Pretender]
