"""Containers, byte by byte the same on every run (times are fixed)."""

import gzip as _gzip
import io
import struct
import zipfile
import zlib as _zlib

ZIP_TIME = (2026, 10, 31, 6, 0, 0)


def gzip(data):
    out = io.BytesIO()
    with _gzip.GzipFile(filename="", mode="wb", compresslevel=9, fileobj=out, mtime=0) as stream:
        stream.write(data)
    return out.getvalue()


def zlib(data):
    return _zlib.compress(data, 9)


def zip(members):
    """A ZIP of (name, bytes) members, deflated."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in members:
            info = zipfile.ZipInfo(name, ZIP_TIME)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = 0o644 << 16
            info.create_system = 3
            archive.writestr(info, data, compresslevel=9)
    return out.getvalue()


def _deflate(data):
    stream = _zlib.compressobj(9, _zlib.DEFLATED, -15)
    return stream.compress(data) + stream.flush()


DOS_TIME = (6 << 11) | 0
DOS_DATE = ((2026 - 1980) << 9) | (10 << 5) | 31


def zip_by_hand(name, data, descriptor=False, zip64=False, encrypted=False, body=None, method=8):
    """A ZIP of one member with the features that zipfile does not write on request.

    descriptor: sizes and CRC follow the data, as a streaming writer has to do it.
    zip64: sizes live in the ZIP64 extra field although they are small.
    encrypted: the encryption flag is set and the data are noise after a 12-byte header.
    method: how `body` is said to be compressed.
    """
    name = name.encode("utf-8")
    packed = _deflate(data) if body is None else body
    crc = _zlib.crc32(data)
    flags = (0x0008 if descriptor else 0) | (0x0001 if encrypted else 0)
    version = 45 if zip64 else 20
    big = 0xFFFFFFFF
    extra = struct.pack("<HHQQ", 1, 16, len(data), len(packed)) if zip64 else b""
    local_sizes = (0, 0, 0) if descriptor else ((crc, big, big) if zip64 else (crc, len(packed), len(data)))
    local = struct.pack("<IHHHHHIIIHH", 0x04034B50, version, flags, method, DOS_TIME, DOS_DATE, *local_sizes, len(name),
                        len(extra)) + name + extra + packed
    if descriptor:
        local += struct.pack("<IIII", 0x08074B50, crc, len(packed), len(data))
    sizes = (big, big) if zip64 else (len(packed), len(data))
    central = struct.pack("<IHHHHHHIIIHHHHHII", 0x02014B50, 0x0300 | version, version, flags, method, DOS_TIME, DOS_DATE, crc,
                          *sizes, len(name), len(extra), 0, 0, 0, 0o644 << 16, 0) + name + extra
    tail = b""
    if zip64:
        tail += struct.pack("<IQHHIIQQQQ", 0x06064B50, 44, version, version, 0, 0, 1, 1, len(central), len(local))
        tail += struct.pack("<IIQI", 0x07064B50, 0, len(local) + len(central), 1)
    tail += struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, 1, 1, len(central), len(local), 0)
    return local + central + tail
