"""What all objects in the kernel have in common.

Two objects with the same ``key`` are the same thing in the kernel; if they differ otherwise,
the thing is to be changed. Fields that cannot be read back are left out of comparisons.
"""

from collections.abc import Iterable, Iterator
from typing import ClassVar


class Made:
    """What all objects have; a class names the fields that tell one object from another.

    ``rank`` is the order in which objects are made: each stands on those of lower rank.
    """

    __slots__ = ()

    kind: ClassVar[str]
    rank: ClassVar[int]
    identity: ClassVar[tuple[str, ...]]

    @property
    def key(self) -> tuple[object, ...]:
        """Tell what makes it the same thing in the kernel."""
        return (self.kind, *(getattr(self, name) for name in self.identity))

    def __str__(self) -> str:
        """Name it as a report does, as ``element inet port4 tcp 10.0.0.1 80``."""
        return " ".join(_words(self.key))


def _words(key: Iterable[object]) -> Iterator[str]:
    for part in key:
        if isinstance(part, tuple):
            yield from _words(part)
        else:
            yield str(part)
