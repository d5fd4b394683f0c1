"""What the tests of recovery read from ping and its like."""

import pytest
from tests.docker.outage import Loss, loss


def _output(numbers: list[int], sent: int) -> str:
    lines = [
        f"[{100 + number * 0.005:.6f}] 64 bytes from x: icmp_seq={number}" for number in numbers
    ]
    return "\n".join([*lines, f"{sent} packets transmitted, {len(numbers)} received"])


@pytest.mark.parametrize(
    ("numbers", "sent", "found"),
    [
        ([1, 2, 3, 4], 4, Loss(4, 0, 0)),
        ([1, 3, 2, 4], 4, Loss(4, 0, 0)),
        ([1, 2, 6, 7], 7, Loss(7, 3, 20)),
        ([1, 2, 6, 7, 9], 9, Loss(9, 4, 20)),
        # Before the first answer nothing went on; the last answers may be under way.
        ([5, 6, 7], 9, Loss(9, 0, 0)),
        ([1, 2, 3], 203, Loss(203, 200, 1000)),
    ],
)
def test_a_loss_is_counted_and_timed(numbers: list[int], sent: int, found: Loss) -> None:
    assert loss(_output(numbers, sent)) == found
