"""Prints one TFRecord with an event of step 3, time 1.5, loss = 0.25, in hexadecimal; every byte by hand.

    python3 tests/train/golden/event.py
"""
import struct


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def masked(data):
    crc = crc32c(data)
    return struct.pack("<I", (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF)


value = b"\x0a\x04loss" + b"\x15" + struct.pack("<f", 0.25)  # tag, simple_value
summary = b"\x0a" + bytes([len(value)]) + value
event = b"\x09" + struct.pack("<d", 1.5) + b"\x10\x03" + b"\x2a" + bytes([len(summary)]) + summary
length = struct.pack("<Q", len(event))
print((length + masked(length) + event + masked(event)).hex())
