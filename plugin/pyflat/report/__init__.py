"""What people look at: State, the kernel, and how the two differ. Reads only."""
