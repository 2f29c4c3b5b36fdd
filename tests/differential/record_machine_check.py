#!/usr/bin/env python3
"""Records what QEMU's human monitor answers to `mce`, and the events that follow, under KVM.

    record_machine_check.py TRANSCRIPT QEMU...

QEMU is the command that starts it. The transcript's lines that begin with `#` start a program with those arguments, `>` is a line of
the human monitor; below each stands what it printed, the events with their data, and what the guest has written to the debug console
so far, in JSON. GUEST stands for an image with machine_check_guest.S, whose bytes the line with `!` has. Needs `as`, `ld` and /dev/kvm.
"""

import json
import os
import subprocess
import sys
import tempfile
import time

import version

HERE = os.path.dirname(os.path.abspath(__file__))


def assembled(directory):
    out = f"{directory}/guest"
    subprocess.run(["as", f"{HERE}/machine_check_guest.S", "-o", f"{out}.o"], check=True)
    subprocess.run(["ld", "-e", "0", "-Ttext", "0", "--oformat", "binary", f"{out}.o", "-o", f"{out}.bin"], check=True)
    return open(f"{out}.bin", "rb").read()


class Qemu:
    def __init__(self, command):
        # pylint: disable=consider-using-with
        self.process = subprocess.Popen(command + ["-display", "none", "-nodefaults", "-qmp", "stdio"],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.process.stdout.readline()
        self.events = []
        self.ask("qmp_capabilities", {})

    def ask(self, command, arguments):
        self.process.stdin.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
        self.process.stdin.flush()
        for line in self.process.stdout:
            message = json.loads(line)
            if "event" not in message:
                return message["return"]
            self.events.append([message["event"], message.get("data", {})])
        raise EOFError(command)

    def line(self, text):
        printed = self.ask("human-monitor-command", {"command-line": text})
        # The guest and the main loop do their part.
        time.sleep(0.5)
        self.ask("query-status", {})
        events, self.events = self.events, []
        return printed, events

    def close(self):
        self.process.kill()
        self.process.wait()


def main():
    path, command = sys.argv[1], sys.argv[2:]
    root = command[1] if command[0] == "chroot" else ""
    lines = [line for line in open(path).read().splitlines() if not line.startswith("<")]
    qemu = None
    with tempfile.TemporaryDirectory(dir=f"{root}/tmp") as directory, open(path, "w") as out:
        os.chmod(directory, 0o755)
        guest, said = f"{directory}/image", f"{directory}/said"
        code = assembled(directory)
        image = bytearray(b"\xf4" * 0x10000)
        image[: len(code)] = code
        image[0xFFF0:0xFFF5] = bytes([0xEA, 0x00, 0x00, 0x00, 0xF0])
        open(guest, "wb").write(image)
        for line in lines:
            if line.startswith("##"):
                line = version.renewed(line, version.of(command))
            elif line.startswith("!"):
                line = "! " + code.hex()
            out.write(line + "\n")
            if line.startswith("# "):
                if qemu:
                    qemu.close()
                open(said, "wb").close()
                words = json.loads(line[2:])
                words = [word.replace("GUEST", guest[len(root):]) for word in words]
                qemu = Qemu(command + words + ["-debugcon", f"file:{said[len(root):]}"])
                time.sleep(1.5)
            elif line.startswith("> "):
                printed, events = qemu.line(line[2:])
                out.write("< " + json.dumps([printed, events, open(said, "rb").read().hex()]) + "\n")
    qemu.close()


if __name__ == "__main__":
    main()
