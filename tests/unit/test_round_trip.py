"""What is made and then taken back leaves no trace, in State or in the kernel."""

from hypothesis import given
from hypothesis import strategies as st
from tests.support.host import KINDS, Host
from tests.support.small_world import Pair, World

NEIGHBOURS = World("neighbours", 20)
VISITORS = World("visitors", 30)


def visit(host: Host, visitors: list[Pair]) -> list[Pair]:
    """Make what can be made, and give what made a difference."""
    made = []
    for pair in visitors:
        before = host.state
        if host.refusal(pair.do) is None and host.state is not before:
            made.append(pair)
    return made


@given(NEIGHBOURS.sequences(5), VISITORS.sequences(10), st.booleans(), st.sampled_from([*KINDS]))
def test_a_sequence_and_its_inverse_leave_everything_as_it_was(
    neighbours: list[Pair], visitors: list[Pair], inside: bool, kind: str
) -> None:
    host = Host(inside=inside, **KINDS[kind])
    visit(host, neighbours)
    before = host.picture()
    for pair in reversed(visit(host, visitors)):
        host.send(pair.undo)
    assert host.picture() == before


@given(VISITORS.sequences(10), st.booleans(), st.sampled_from([*KINDS]), st.data())
def test_everything_can_be_torn_down_in_any_order(
    visitors: list[Pair], inside: bool, kind: str, data: st.DataObject
) -> None:
    host = Host(inside=inside, **KINDS[kind])
    before = host.picture()
    made = visit(host, visitors)
    host.send_all(data.draw(st.permutations([pair.undo for pair in made])))
    assert host.picture() == before


def test_taking_back_what_was_never_made_changes_nothing() -> None:
    host = Host()
    before = host.picture()
    host.send_all(pair.undo for pair in VISITORS.pairs)
    assert host.picture() == before
    assert host.kernel.steps == Host().kernel.steps
