#!/usr/bin/env python3
"""Records what QEMU 11.1's CPU hotplug registers answer to a random guest and a random manager.

    REFERENCE='chroot DIR qemu-system-x86_64' SHARED=DIR tests/differential/record_cpu_hotplug.py \\
        > tests/transcripts/cpu-hotplug-registers.txt

The reference runs with `-accel qtest`: its ports are driven from here, its monitor beside them. A line is a step, and
what came of it:

    # [arguments]         a machine starts
    add N, del N          device_add and device_del of the CPU of slot N, called cN
    reset                 system_reset
    w OFFSET SIZE VALUE   a write to the registers, in hexadecimal
    r OFFSET SIZE VALUE   a read, and what it gave
    gpe VALUE             the dword at GPE0
    ost JSON              query-acpi-ospm-status
    ! NAME JSON           an event

Steps that docs/differences.md tells of are left out: a CPU that the guest has not looked at is not asked to go, and none is
ejected with an event of it pending. Now and then the reference stops for good in an eject; that machine is begun again. Events about a CPU's local APIC are left out, which is no device here.
"""
import contextlib
import json
import os
import random
import shlex
import socket
import subprocess
import tempfile

import version

REFERENCE = shlex.split(os.environ.get("REFERENCE", "qemu-system-x86_64"))
SHARED = os.environ.get("SHARED", "")
BASES = {"pc": (0xAF00, 0xAFE0), "q35": (0xCD8, None)}
LETTER = {1: "b", 2: "w", 4: "l"}


class Reference:
    """The reference, with its ports and its monitor."""

    def __init__(self, stack, arguments, slots):
        self.lines = ["# " + json.dumps(arguments)]
        self.say = lambda *words: self.lines.append(" ".join(map(str, words)))
        self.slots = slots
        self.last_event = None
        self.hotplug, self.gpe = BASES[arguments[1]]
        parent = SHARED + "/tmp" if SHARED else None
        directory = stack.enter_context(tempfile.TemporaryDirectory(dir=parent))
        ends = []
        paths = {}
        for name in ("qtest", "qmp"):
            end = stack.enter_context(socket.socket(socket.AF_UNIX))
            end.bind(f"{directory}/{name}")
            end.listen(1)
            ends.append(end)
            paths[name] = f"{directory}/{name}".removeprefix(SHARED)
        command = [*REFERENCE, *arguments, "-display", "none", "-nodefaults", "-accel", "qtest", "-qtest-log", "/dev/null",
                   "-qtest", f"unix:{paths['qtest']}", "-qmp", f"unix:{paths['qmp']}"]
        process = stack.enter_context(subprocess.Popen(command))
        stack.callback(process.kill)
        self.qtest, self.qmp = (self.connect(end) for end in ends)
        self.qmp.readline()
        self.ask("qmp_capabilities")

    @staticmethod
    def connect(end):
        """A file on the next connection; one who does not answer for five seconds has stopped."""
        connection = end.accept()[0]
        connection.settimeout(5)
        return connection.makefile("rw")

    def ask(self, execute, **arguments):
        """A command's reply; events before it are printed."""
        self.qmp.write(json.dumps({"execute": execute, "arguments": arguments}) + "\n")
        self.qmp.flush()
        while True:
            message = json.loads(self.qmp.readline())
            if "event" not in message:
                return message
            if not message.get("data", {}).get("path", "").endswith("/lapic"):
                self.say("!", message["event"], json.dumps(message.get("data")))
                self.last_event = message["event"]

    def port(self, text):
        """A qtest command's answer."""
        self.qtest.write(text + "\n")
        self.qtest.flush()
        while not (line := self.qtest.readline()).startswith("OK"):
            assert line.startswith("IRQ"), line
        return line.split()[1:]

    def write(self, offset, size, value):
        """A write to the registers."""
        self.say(f"w {offset:x} {size} {value:x}")
        self.port(f"out{LETTER[size]} {self.hotplug + offset:#x} {value:#x}")
        self.ask("query-status")

    def read(self, offset, size):
        """A read of the registers."""
        value = int(self.port(f"in{LETTER[size]} {self.hotplug + offset:#x}")[0], 16)
        self.say(f"r {offset:x} {size} {value:x}")
        return value

    def read_gpe(self):
        """The first dword at GPE0; on q35 it is nowhere until firmware says where."""
        if self.gpe is None:
            return
        self.say(f"gpe {int(self.port(f'inl {self.gpe:#x}')[0], 16):x}")

    def select(self, slot):
        """Selects a slot and looks at it; its flags."""
        self.write(0, 4, slot)
        return self.read(4, 1)

    def add(self, slot):
        """device_add."""
        self.say(f"add {slot}")
        self.ask("device_add", driver="qemu64-x86_64-cpu", id=f"c{slot}", **{"socket-id": 0, "core-id": slot, "thread-id": 0})

    def delete(self, slot):
        """device_del of a CPU that was looked at."""
        self.select(slot)
        self.say(f"del {slot}")
        self.ask("device_del", id=f"c{slot}")

    def eject(self, slot):
        """Takes note of what is pending, then ejects, one way or the other."""
        self.select(slot)
        self.write(4, 1, 2)
        self.write(4, 1, 4)
        if random.random() < 0.3:
            self.write(4, 1, 0x10)
            self.read(4, 4)
        self.write(4, random.choice([1, 2, 4]), random.choice([8, 8, 0x18, 9]))
        self.read(4, 1)

    def anything(self):
        """A guest that writes what comes to its mind, but ejects nobody."""
        size = random.choice([1, 2, 4])
        offset = random.choice([0, 4, 5, 8, random.randrange(12)])
        value = random.choice([random.randrange(4), random.randrange(self.slots + 2), random.getrandbits(8 * size)])
        value %= 1 << (8 * size)
        # An access over the end of the block is in part to what lies behind it.
        if offset + size <= 12:
            if random.random() < 0.5:
                self.read(offset, size)
            elif offset not in (4,) or value & 8 == 0:
                self.write(offset, size, value)

    def reset(self):
        """system_reset, until it has happened."""
        self.say("reset")
        self.last_event = None
        self.ask("system_reset")
        while self.last_event != "RESET":
            self.ask("query-status")

    def statuses(self):
        """query-acpi-ospm-status."""
        self.say("ost", json.dumps(self.ask("query-acpi-ospm-status")["return"]))


def record(arguments, slots, steps):
    """One machine's life."""
    with contextlib.ExitStack() as stack:
        reference = Reference(stack, arguments, slots)
        there = set()
        for _ in range(steps):
            step = random.randrange(20)
            slot = random.randrange(1, slots)
            if step < 3 and slot not in there:
                reference.add(slot)
                there.add(slot)
            elif step < 5 and slot in there:
                reference.delete(slot)
            elif step == 5 and slot in there:
                reference.eject(slot)
                there.discard(slot)
            elif step == 6:
                reference.write(0, 4, random.randrange(slots))
                reference.write(5, 1, 0)
                flags = reference.read(4, 1)
                reference.read(8, 4)
                if flags & 6:
                    reference.write(4, 1, flags & 6)
            elif step == 7:
                reference.write(5, 1, 1)
                reference.write(8, 4, random.choice([0, 1, 3, 0x103, random.getrandbits(32)]))
                reference.write(5, 1, 2)
                reference.write(8, random.choice([1, 2, 4]), random.choice([0, 0x81, 0x84]))
            elif step == 8:
                reference.read_gpe()
            elif step == 9 and random.random() < 0.3:
                reference.reset()
            elif step == 10 and random.random() < 0.2:
                reference.statuses()
            else:
                reference.anything()
        for slot in range(slots + 1):
            reference.select(slot)
        reference.statuses()
        reference.read_gpe()
        return reference.lines


def main():
    """Machines of different sizes."""
    print(f"## What the CPU hotplug registers of {version.of(REFERENCE)} with -accel qtest answered to a random guest and a")
    print("## random manager. Made by tests/differential/record_cpu_hotplug.py, which tells the form.")
    for machine, slots, steps in [("pc", 2, 150), ("pc", 4, 400), ("q35", 6, 400), ("q35", 80, 500)]:
        lines = None
        while lines is None:
            random.seed(steps + slots)
            with contextlib.suppress(TimeoutError):
                lines = record(["-M", machine, "-smp", f"1,maxcpus={slots}"], slots, steps)
        print("\n".join(lines))


main()
