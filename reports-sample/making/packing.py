"""Containers and structures that no library writes the same for ever: written by hand, nothing in them compressed."""

import struct
import zlib


def xxh32(data, seed=0):
    """The checksum of LZ4 frames."""
    prime = (2654435761, 2246822519, 3266489917, 668265263, 374761393)
    mask = 0xFFFFFFFF

    def rotated(value, bits):
        return ((value << bits) | (value >> (32 - bits))) & mask

    position, end = 0, len(data)
    if end >= 16:
        lanes = [(seed + prime[0] + prime[1]) & mask, (seed + prime[1]) & mask, seed, (seed - prime[0]) & mask]
        while position + 16 <= end:
            for index, word in enumerate(struct.unpack_from("<4I", data, position)):
                lanes[index] = rotated((lanes[index] + word * prime[1]) & mask, 13) * prime[0] & mask
            position += 16
        value = sum(rotated(lane, bits) for lane, bits in zip(lanes, (1, 7, 12, 18))) & mask
    else:
        value = (seed + prime[4]) & mask
    value = (value + end) & mask
    while position + 4 <= end:
        value = rotated((value + struct.unpack_from("<I", data, position)[0] * prime[2]) & mask, 17) * prime[3] & mask
        position += 4
    while position < end:
        value = rotated((value + data[position] * prime[4]) & mask, 11) * prime[0] & mask
        position += 1
    value = (value ^ (value >> 15)) * prime[1] & mask
    value = (value ^ (value >> 13)) * prime[2] & mask
    return value ^ (value >> 16)


def lz4(data):
    """One frame with one stored block."""
    assert len(data) <= 4 << 20
    descriptor = bytes([0x60, 0x70])        # version 1, blocks independent; up to 4 MiB
    return (b"\x04\x22\x4d\x18" + descriptor + bytes([(xxh32(descriptor) >> 8) & 0xFF]) + struct.pack("<I", len(data) | 0x80000000) + data
            + bytes(4))


def zstd(data):
    """One frame of raw blocks whose window is its content (RFC 8878)."""
    frame = b"\x28\xb5\x2f\xfd" + bytes([0xA0]) + struct.pack("<I", len(data))
    pieces = [data[start:start + 100_000] for start in range(0, len(data), 100_000)] or [b""]
    for number, piece in enumerate(pieces):
        frame += struct.pack("<I", (len(piece) << 3) | (number == len(pieces) - 1))[:3] + piece
    return frame


def _number(value):
    out = b""
    while value >= 0x80:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def xz(data, dictionary=0x10):
    """One block of stored LZMA2 chunks; `dictionary` is the byte that says how large a window is wanted."""
    flags = b"\x00\x01"                     # CRC32
    header = b"\xfd7zXZ\x00" + flags + struct.pack("<I", zlib.crc32(flags))
    block = bytes([2, 0x00, 0x21, 0x01, dictionary, 0, 0, 0])
    block += struct.pack("<I", zlib.crc32(block))
    chunks = b""
    for start in range(0, len(data), 65536):
        piece = data[start:start + 65536]
        chunks += bytes([1 if start == 0 else 2]) + struct.pack(">H", len(piece) - 1) + piece
    chunks += b"\x00"
    check = struct.pack("<I", zlib.crc32(data))
    unpadded = len(block) + len(chunks) + len(check)
    index = b"\x00" + _number(1) + _number(unpadded) + _number(len(data))
    index += bytes(-len(index) % 4)
    index += struct.pack("<I", zlib.crc32(index))
    backward = struct.pack("<I", len(index) // 4 - 1)
    footer = struct.pack("<I", zlib.crc32(backward + flags)) + backward + flags + b"YZ"
    return header + block + chunks + bytes(-len(chunks) % 4) + check + index + footer


# CMS (RFC 5652) in DER and, as Outlook streams it, in BER. The signature is none: it is never looked at.

def der(tag, *content):
    body = b"".join(content)
    size = len(body)
    if size < 0x80:
        return bytes([tag, size]) + body
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(octets)]) + octets + body


def ber(tag, *content):
    """Of indefinite length."""
    return bytes([tag, 0x80]) + b"".join(content) + b"\x00\x00"


def _identifier(last):
    return der(0x06, bytes([0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x07, last]))


_DIGEST = der(0x31, der(0x30, der(0x06, bytes([0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01]))))


def signed(content):
    return der(0x30, _identifier(2), der(0xA0, der(0x30, der(0x02, b"\x01"), _DIGEST, der(
        0x30, _identifier(1), der(0xA0, der(0x04, content))), der(0x31))))


def signed_streamed(content):
    pieces = [der(0x04, content[start:start + 1000]) for start in range(0, len(content), 1000)]
    return ber(0x30, _identifier(2), ber(0xA0, ber(0x30, der(0x02, b"\x01"), _DIGEST, ber(
        0x30, _identifier(1), ber(0xA0, ber(0x24, *pieces))), der(0x31))))


def signature():
    """A signature whose content stands beside it."""
    return der(0x30, _identifier(2), der(0xA0, der(0x30, der(0x02, b"\x01"), _DIGEST, der(0x30, _identifier(1)), der(0x31))))


def enveloped():
    return der(0x30, _identifier(3), der(0xA0, der(0x30, der(0x02, b"\x00"), der(0x31), der(0x30, _identifier(1), bytes([0x80, 16]) + bytes(range(16))))))


def tnef(*attributes):
    """Exchange's winmail.dat: (level, attribute, data)."""
    out = struct.pack("<IH", 0x223E9F78, 1)
    for level, attribute, data in attributes:
        out += struct.pack("<BII", level, attribute, len(data)) + data + struct.pack("<H", sum(data) & 0xFFFF)
    return out
