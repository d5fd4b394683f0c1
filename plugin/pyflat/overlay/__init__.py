"""The control planes of overlays: who tells which host has which MAC and address."""
