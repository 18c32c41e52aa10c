"""A normalizer in a process of its own, so that a long listing uses a second core.

The two sides exchange frames over the child's standard input and output: four bytes of length,
big-endian, then msgpack. The child's first frame is empty and says that it has started. The first
one to it sets the normalizer up; each one after that holds a page's items and is answered by one
frame, without the items' bytes. The child ends when its input does, so it never outlives its
parent, however that ends.
"""

import select
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from types import TracebackType
from typing import IO, NamedTuple, Self

import msgspec

from zimun_sync.children import environment
from zimun_sync.model import STREAMS
from zimun_sync.normalize.items import Items, Outcome, outcome_of
from zimun_sync.normalize.normalizer import Normalizer
from zimun_sync.normalize.places import Places
from zimun_sync.normalize.rules import Rules

_LENGTH_BYTES = 4


class Setup(NamedTuple):
    """What a normalizer is made of."""

    stream: str
    rules: Rules
    places: Places

    def normalizer(self) -> Normalizer:
        """The normalizer."""
        return Normalizer(STREAMS[self.stream], self.rules, self.places)


class ProcessEnded(Exception):
    """The child is gone, killed from outside: whatever it was given has to be done again."""


class NormalizerProcess:
    """The parent's side; a context manager. One page at a time.

    Args:
        setup: what the normalizer is made of.
    """

    def __init__(self, setup: Setup) -> None:
        command = [sys.executable, "-m", "zimun_sync.normalize.process"]
        self._child = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # what ends it is met again, and told, by the parent
            env=environment(),
        )
        self._setup: Setup | None = setup
        self._decode = msgspec.msgpack.Decoder(Outcome).decode

    def is_ready(self, within: float = 0.0) -> bool:
        """Whether `normalize` need not wait for the child to start; a dead one is not waited for.

        Args:
            within: how long to wait for it here, seconds.
        """
        if self._setup is None or self._child.stdout is None:
            return True
        waiting = select.poll()
        waiting.register(self._child.stdout, select.POLLIN)
        return bool(waiting.poll(within * 1000))

    def normalize(self, items: Sequence[bytes]) -> Items:
        """Normalize a page's items.

        Raises:
            ProcessEnded: the child was killed.
        """
        to_child, from_child = self._child.stdin, self._child.stdout
        if to_child is None or from_child is None:
            raise ProcessEnded
        try:
            if self._setup is not None:
                if _receive(from_child) is None:  # that it has started
                    raise ProcessEnded
                _send(to_child, msgspec.msgpack.encode(self._setup))
                self._setup = None
            _send(to_child, msgspec.msgpack.encode(items))
        except OSError as error:
            raise ProcessEnded from error
        answer = _receive(from_child)
        if answer is None:
            raise ProcessEnded
        return self._decode(answer).of(items)

    def kill(self) -> None:
        """End the child and wait for its end."""
        self._child.kill()
        self._child.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill()
        for pipe in (self._child.stdin, self._child.stdout):
            if pipe is not None:
                with suppress(BrokenPipeError):
                    pipe.close()


def _send(stream: IO[bytes], frame: bytes) -> None:
    stream.write(len(frame).to_bytes(_LENGTH_BYTES, "big"))
    stream.write(frame)
    stream.flush()


def _receive(stream: IO[bytes]) -> bytes | None:
    """The next frame; None when the other side is gone."""
    head = stream.read(_LENGTH_BYTES)
    if len(head) < _LENGTH_BYTES:
        return None
    length = int.from_bytes(head, "big")
    frame = stream.read(length)
    return frame if len(frame) == length else None


def serve(source: IO[bytes], sink: IO[bytes]) -> None:
    """The child's side: answer every page until the parent closes its end."""
    _send(sink, b"")
    first = _receive(source)
    if first is None:
        return
    normalizer = msgspec.msgpack.decode(first, type=Setup).normalizer()
    decode = msgspec.msgpack.Decoder(list[bytes]).decode
    encode = msgspec.msgpack.Encoder().encode
    while (page := _receive(source)) is not None:
        _send(sink, encode(outcome_of(decode(page), normalizer)))


if __name__ == "__main__":
    import signal

    from zimun_sync.collector import relax_collector

    relax_collector()
    # Ctrl-C reaches the whole process group; the parent decides when this process ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    serve(sys.stdin.buffer, sys.stdout.buffer)
