"""Where a packet from one place to another ends, and why: by a real one that is followed."""
