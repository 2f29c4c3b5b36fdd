#!/usr/bin/env python3
"""Records what QEMU shows of a guest that stands: memory, registers, ports, interrupt controllers.

    record_inspect.py TRANSCRIPT QEMU...

QEMU is the command that starts it, for example `qemu-system-x86_64`. The transcript's lines that begin with `#` start a
program with those arguments, `>` is a QMP command or, without a brace, a line of the human monitor; the replies are written
below each anew, and the version at the head. `* halted` lets the guest run until its CPU halts, and stops it. BIOS stands for an image whose first bytes
are those of the line with `!`, made from inspect_guest.S (needs `as` and `ld`); `image` says what else is in it.
Needs /dev/kvm.
"""

import json
import os
import subprocess
import sys
import tempfile
import time

import version

HERE = os.path.dirname(os.path.abspath(__file__))
TEXT = b"Hello, \"world\"\t\n\0\x7f\x80\xff\\'xyz"


def image(code):
    data = bytearray(0x10000)
    data[: len(code)] = code
    data[0x1000 : 0x1000 + len(TEXT)] = TEXT
    for index in range(2048):
        number = 0x9E3779B1 * (index + 1) & 0xFFFFFFFF
        data[0x2000 + 4 * index : 0x2004 + 4 * index] = number.to_bytes(4, "little")
    data[0xFFF0:0xFFF5] = bytes([0xEA, 0x00, 0x00, 0x00, 0xF0])
    return data


def assembled(directory):
    out = f"{directory}/guest"
    subprocess.run(["as", f"{HERE}/inspect_guest.S", "-o", f"{out}.o"], check=True)
    subprocess.run(["ld", "-Ttext", "0", "--oformat", "binary", "-o", f"{out}.bin", f"{out}.o"], check=True)
    return open(f"{out}.bin", "rb").read()


class Qemu:
    def __init__(self, command):
        self.process = subprocess.Popen(
            command + ["-display", "none", "-qmp", "stdio"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )
        self.ask({"execute": "qmp_capabilities"})

    def ask(self, request):
        self.process.stdin.write(json.dumps(request).encode() + b"\n")
        self.process.stdin.flush()
        for line in self.process.stdout:
            reply = json.loads(line)
            if "return" in reply or "error" in reply:
                return reply
        raise EOFError(request)

    def line(self, text):
        return self.ask({"execute": "human-monitor-command", "arguments": {"command-line": text}})["return"]

    def halted(self):
        self.line("cont")
        while "HLT=1" not in self.line("info registers"):
            time.sleep(0.05)
        self.line("stop")

    def close(self):
        self.process.kill()
        self.process.wait()


def main():
    path, command = sys.argv[1], sys.argv[2:]
    # Where a QEMU in a chroot finds it too.
    root = command[1] if command[0] == "chroot" else ""
    lines = [line for line in open(path).read().splitlines() if not line.startswith("<")]
    qemu = None
    with tempfile.TemporaryDirectory(dir=f"{root}/tmp") as directory, open(path, "w") as out:
        bios = f"{directory}/image"
        code = assembled(directory)
        open(bios, "wb").write(image(code))
        saved = f"{directory}/saved"
        inside = {"BIOS": bios[len(root):], "SAVED": saved[len(root):]}
        for line in lines:
            if line.startswith("##"):
                line = version.renewed(line, version.of(command))
            if line.startswith("!"):
                line = "! " + code.hex()
            out.write(line + "\n")
            kind, _, text = line.partition(" ")
            for name, value in inside.items():
                text = text.replace(name, value)
            if kind == "#":
                if qemu:
                    qemu.close()
                qemu = Qemu(command + json.loads(text))
            elif kind == "*":
                qemu.halted()
            elif kind == ">":
                reply = qemu.ask(json.loads(text)) if text.startswith("{") else qemu.line(text)
                if "SAVED" in line and os.path.exists(saved):
                    reply = [reply, open(saved, "rb").read().hex()]
                    os.remove(saved)
                shown = json.dumps(reply)
                for name, value in inside.items():
                    shown = shown.replace(value, name)
                out.write("< " + shown + "\n")
    qemu.close()


if __name__ == "__main__":
    main()
