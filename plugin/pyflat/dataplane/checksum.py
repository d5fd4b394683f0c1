"""The checksum of the Internet protocols (RFC 1071)."""

import struct


def checksum(data: bytes) -> bytes:
    """Give the two bytes that make the sum over data and themselves right."""
    even = data + bytes(len(data) % 2)
    total: int = sum(struct.unpack(f"!{len(even) // 2}H", even))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return struct.pack("!H", ~total & 0xFFFF)
