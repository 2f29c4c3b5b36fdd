#!/usr/bin/env python3
"""Packs a fuzzer's corpus into one small file, and unpacks it for a run.

    fuzz/seeds.py unpack qmp CORPUS              # fuzz/seeds/qmp.bin to files in the directory CORPUS
    cargo +nightly fuzz run qmp CORPUS -- -max_len=4096 -timeout=20 -rss_limit_mb=2048
    cargo +nightly fuzz run qmp SMALL CORPUS -- -set_cover_merge=1
    fuzz/seeds.py pack qmp SMALL 120             # the 120 smallest of SMALL to fuzz/seeds/qmp.bin

A packed file holds for each input its length in two bytes, little endian, and the input. `tests/tests/fuzz_targets.rs` gives them all
to the target. Inputs that name files are left out: a test must not write any.
"""
import pathlib
import struct
import sys

SEEDS = pathlib.Path(__file__).parent / "seeds"
FILES = [b"file", b"memsave", b"dump", b"/dev", b"/tmp", b"/home", b"/root", b"/proc"]


def pack(target, directory, count):
    """The smallest inputs of a directory."""
    inputs = {path.read_bytes() for path in pathlib.Path(directory).iterdir()}
    fit = sorted((data for data in inputs if not any(word in data for word in FILES)), key=lambda data: (len(data), data))
    kept = fit[:count]
    (SEEDS / f"{target}.bin").write_bytes(b"".join(struct.pack("<H", len(data)) + data for data in kept))


def unpack(target, directory):
    """Each input to a file of its own."""
    data, number = (SEEDS / f"{target}.bin").read_bytes(), 0
    pathlib.Path(directory).mkdir(parents=True, exist_ok=True)
    while data:
        (length,) = struct.unpack_from("<H", data)
        (pathlib.Path(directory) / f"seed{number}").write_bytes(data[2:2 + length])
        data, number = data[2 + length:], number + 1


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["pack", target, directory, count]:
            pack(target, directory, int(count))
        case ["unpack", target, directory]:
            unpack(target, directory)
        case _:
            sys.exit(__doc__)
