"""From State to the kernel: the objects it should hold, the steps that lead there."""
