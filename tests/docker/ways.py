"""Questions, all asked at once, and who has to answer them."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from tests.docker.reach import Answer, Place, ask


@dataclass(frozen=True, slots=True)
class Way:
    """A question, and who has to answer it."""

    name: str
    place: Place
    address: str
    port: int
    server: str
    client: str | None = None
    """As whom the server has to see who asks; None if that is not pyflat's business."""

    def walk(self) -> Answer | None:
        return ask(self.place, self.address, self.port, wait=2)

    def leads(self, answer: Answer | None) -> bool:
        if answer is None or self.client is None:
            return answer is not None and answer.server == self.server
        return answer == Answer(self.server, self.client)


def walk(ways: Iterable[Way]) -> list[tuple[Way, Answer | None]]:
    """What answers on each way."""
    ways = list(ways)
    with ThreadPoolExecutor(len(ways)) as pool:
        return list(zip(ways, pool.map(Way.walk, ways), strict=True))


def astray(ways: Iterable[Way]) -> dict[str, Answer | None]:
    """The ways that do not lead where they have to, and what answers there instead."""
    return {way.name: answer for way, answer in walk(ways) if not way.leads(answer)}
