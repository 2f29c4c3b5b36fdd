#!/usr/bin/env python3
"""Records what QEMU answers to the requests of a transcript.

    record.py TRANSCRIPT COMMAND...

COMMAND starts QEMU with QMP on standard input and output, for example
`qemu-system-x86_64 -machine none -display none -qmp stdio`. The transcript's lines that begin
with `>` are sent (a Python bytes literal each, with what follows it as one write), the
replies are written below each as lines that begin with `<`; comments stay, with the version of this QEMU.
"""

import ast
import json
import os
import re
import select
import subprocess
import sys
import time

path, command = sys.argv[1], sys.argv[2:]
lines = open(path).read().splitlines()
qemu = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)


def replies(seconds):
    data = b""
    while select.select([qemu.stdout], [], [], seconds)[0]:
        piece = os.read(qemu.stdout.fileno(), 65536)
        if not piece:
            break
        data += piece
    assert data == b"" or data.endswith(b"\r\n"), data
    return data.decode("ascii").split("\r\n")[:-1]


time.sleep(0.5)
greeting = json.loads(replies(0.5)[0])["QMP"]["version"]
version = "{major}.{minor}.{micro}".format(**greeting["qemu"]) + f" ({greeting['package']})"
with open(path, "w") as out:
    for line in lines:
        if line.startswith("<"):
            continue
        if line.startswith("#"):
            line = re.sub(r"QEMU \d+\.\d+\.\d+ \([^)]*\)", f"QEMU {version}", line)
        out.write(line + "\n")
        if line.startswith(">"):
            qemu.stdin.write(ast.literal_eval(line[1:].strip()))
            qemu.stdin.flush()
            out.writelines(f"< {reply}\n" for reply in replies(0.15))
qemu.kill()
