"""Guests of a few instructions that recorders run, and the QEMU that runs one."""
import json
import os
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))


def assembled(directory, name, base=0, options=()):
    """The bytes of NAME.S for the address `base`; what is made of it on the way stays in `directory`. Needs `as` and `ld`."""
    out = f"{directory}/{name}"
    subprocess.run(["as", *options, f"{HERE}/{name}.S", "-o", f"{out}.o"], check=True)
    link = ["ld", "-e", "0", "-Ttext", hex(base), "--oformat", "binary", f"{out}.o", "-o", f"{out}.bin"]
    subprocess.run(link, check=True)
    with open(f"{out}.bin", "rb") as file:
        return file.read()


def image(code, *parts, fill=0):
    """64 KiB for `-bios`, which begin with `code`, at F000:0000, where the CPU comes to from its reset vector; each of `parts` is an
    offset and what stands there."""
    data = bytearray([fill]) * 0x10000
    for at, part in ((0, code), *parts, (0xFFF0, bytes([0xEA, 0x00, 0x00, 0x00, 0xF0]))):
        data[at : at + len(part)] = part
    return data


class Qemu:
    """A QEMU that was started with these words, and its QMP monitor."""

    def __init__(self, command):
        # pylint: disable=consider-using-with
        self.process = subprocess.Popen(
            [*command, "-display", "none", "-qmp", "stdio"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )
        self.events = []
        self.greeting = json.loads(self.process.stdout.readline())["QMP"]
        self.ask({"execute": "qmp_capabilities"})

    def ask(self, request):
        """The reply to a request. Events that come before it are kept."""
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        for line in self.process.stdout:
            message = json.loads(line)
            if "event" not in message:
                return message
            self.events.append(message)
        raise EOFError(request)

    def line(self, text):
        """What the human monitor prints."""
        return self.ask({"execute": "human-monitor-command", "arguments": {"command-line": text}})["return"]

    def close(self):
        """Ends it."""
        self.process.kill()
        self.process.wait()
