#!/usr/bin/env python3
"""Records what QEMU says of the devices on a PC's board.

    record_board_devices.py QEMU [ARGUMENT...] > tests/tests/fixtures/board-devices.txt
    record_board_devices.py --tree QEMU [ARGUMENT...] > tests/tests/fixtures/board-qtree.txt

QEMU is the reference's program, with the words before it that it takes to run it (`chroot ROOT qemu-system-x86_64`).
Without `--tree`: the requests below, each followed by its answer. With `--tree`: `info qtree` and `info qtree -b`, for each
command line, which needs a KVM. `tests/tests/board_devices.rs` replays them.
"""

import argparse
import json
import subprocess

import version

COMMON = ["-display", "none", "-nodefaults", "-S", "-qmp", "stdio"]
DEVICES = [
    "-chardev", "null,id=c1", "-chardev", "null,id=c2",
    "-device", '{"driver": "isa-serial", "chardev": "c1", "id": "s1", "index": 1}',
    "-device", "isa-serial,id=s2,iobase=0x3e0,irq=10",
    "-device", "isa-debugcon,chardev=c2,id=dbg",
]
TREES = [
    [machine, accel, *DEVICES]
    for machine in ("pc", "q35") for accel in ("tcg", "kvm")
]


def get(path, *properties):
    return [("qom-get", {"path": path, "property": name}) for name in properties]


def requests():
    yield from get("s1", "type", "index", "iobase", "irq", "chardev", "wakeup", "baudbase", "hotpluggable", "realized")
    yield from get("s2", "index", "iobase", "irq", "chardev")
    yield from get("dbg", "type", "iobase", "chardev", "readback", "hotpluggable")
    yield from get("rtc", "type", "base_year", "iobase", "irq", "lost_tick_policy", "hotpluggable")
    yield from get("isa.0", "type", "realized", "hotplug-handler")
    for path, name, value in [
        ("s1", "irq", 5), ("rtc", "date", {}), ("rtc", "iobase", 5), ("dbg", "readback", 1),
        ("/machine", "rtc-time", {}),
    ]:
        yield "qom-set", {"path": path, "property": name, "value": value}
    for members in [
        {"driver": "isa-serial", "id": "x"}, {"driver": "isa-serial", "chardev": "c1"}, {"driver": "isa-serial", "bus": "isa.0"},
        {"driver": "isa-serial", "bus": "nope"}, {"driver": "isa-serial", "bus": "main-system-bus"}, {"driver": "isa-debugcon"},
        {"driver": "port92"}, {"driver": "PIIX4_PM"}, {"driver": "ICH9-LPC"}, {"driver": "PIIX3"}, {"driver": "isa-pit"},
        {"driver": "kvm-pit"}, {"driver": "isa-i8259"}, {"driver": "kvm-i8259"}, {"driver": "ioapic"}, {"driver": "kvm-ioapic"},
        {"driver": "isa-device"}, {"driver": "sys-bus-device"}, {"driver": "ISA"}, {"driver": "qemu64-x86_64-cpu", "bus": "isa.0"},
    ]:
        yield "device_add", members
    for name in ["s1", "dbg", "rtc"]:
        yield "device_del", {"id": name}
    for name in [
        "isa-debugcon", "mc146818rtc", "isa-i8259", "kvm-i8259", "isa-pit", "kvm-pit", "ioapic", "kvm-ioapic", "isa-device", "ISA",
    ]:
        yield "device-list-properties", {"typename": name}
    for name in ["pic-common", "pit-common", "ioapic-common", "ISA"]:
        yield "qom-list-types", {"implements": name, "abstract": True}


class Session:
    def __init__(self, program, machine, accel, *words):
        words = ["-M", machine, "-accel", accel, *COMMON, "-serial", "null", *words]
        self.process = subprocess.Popen([*program, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.process.stdout.readline()
        self.ask("qmp_capabilities", {})

    def ask(self, command, arguments):
        request = json.dumps({"execute": command, "arguments": arguments})
        self.process.stdin.write(request + "\n")
        self.process.stdin.flush()
        while True:
            answer = json.loads(self.process.stdout.readline())
            if "event" not in answer:
                return request, answer

    def end(self):
        self.process.kill()
        self.process.wait()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--tree", action="store_true")
    parser.add_argument("program", nargs=argparse.REMAINDER)
    arguments = parser.parse_args()
    common = " ".join(word for word in COMMON if word not in ("-qmp", "stdio"))
    if arguments.tree:
        print(f"## What {version.of(arguments.program)} shows for 'info qtree' and 'info qtree -b', recorded by")
        print(f"## tests/differential/record_board_devices.py --tree. '# [...]' is a command line, besides {common} -serial null.")
        for machine, accel, *words in TREES:
            session = Session(arguments.program, machine, accel, *words)
            for command in ["info qtree", "info qtree -b"]:
                _, answer = session.ask("human-monitor-command", {"command-line": command})
                print("#", json.dumps(["-M", machine, "-accel", accel, *words]), command)
                print(answer["return"].replace("\r\n", "\n"), end="")
            session.end()
        return
    print(f"# Requests about the devices on a PC's board, each followed by the answer of {version.of(arguments.program)},")
    print("# recorded by tests/differential/record_board_devices.py in one session of")
    print("#  ", " ".join(["qemu-system-x86_64 -M pc -accel tcg", common, "-serial null", *DEVICES]))
    session = Session(arguments.program, "pc", "tcg", *DEVICES)
    for command, members in requests():
        for line in session.ask(command, members):
            print(line if isinstance(line, str) else json.dumps(line))
    session.end()


main()
