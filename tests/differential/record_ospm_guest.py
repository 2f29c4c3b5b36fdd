#!/usr/bin/env python3
"""Has QEMU 11.1 answer the port accesses of the scripted guest, and records what it tells its monitor meanwhile.

    record_ospm_guest.py FILE MACHINE COMMAND...

FILE is one of machine-pc/src/ospm/fixtures/dialogue-*.txt, MACHINE its machine type, COMMAND the words that run
qemu-system-x86_64. The file's writes and the requests in its '#' lines are given to the reference over qtest and
QMP; the values behind '=' and the '!' lines with events are replaced by the reference's. Where the guest's accesses have
changed, put them into the file first: the test that reads it prints them.
"""
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time

import version

DEVICE = "qemu64-x86_64-cpu"


class Lines:
    def __init__(self, path):
        for _ in range(1000):
            try:
                self.socket = socket.socket(socket.AF_UNIX)
                self.socket.connect(path)
                break
            except OSError:
                time.sleep(0.01)
        self.file = self.socket.makefile("rw", newline="\n")

    def ask(self, line):
        self.file.write(line + "\n")
        self.file.flush()
        return self.file.readline().strip()


class Monitor(Lines):
    def __init__(self, path):
        super().__init__(path)
        self.file.readline()
        self.events = []
        self.run("qmp_capabilities")

    def run(self, command, **arguments):
        self.file.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
        self.file.flush()
        while True:
            reply = json.loads(self.file.readline())
            if "event" in reply:
                self.events.append(reply)
            elif "error" in reply:
                sys.exit(f"{command} {arguments}: {reply}")
            else:
                return reply["return"]

    def take(self):
        self.run("query-status")
        events, self.events = self.events, []
        return [f"! {event['event']} {json.dumps(event.get('data'))}" for event in events]


def request(monitor, text):
    words = text.split()
    if words[0] == "add":
        place = {"socket-id": int(words[1]), "core-id": 0, "thread-id": 0}
        monitor.run("device_add", driver=DEVICE, id=f"c{words[1]}", **place)
    elif words[0] == "del":
        monitor.run("device_del", id=f"c{words[1]}")
    elif words[0] in ("powerdown", "reset"):
        monitor.run(f"system_{words[0]}")


def configure(qtest, machine):
    """What firmware does: the base of the power-management registers and their enable bit, in PIIX4 or in ICH9's LPC bridge."""
    places = [(0x80000B40, 0x601), (0x80000B80, 1)] if machine == "pc" else [(0x8000F840, 0x601), (0x8000F844, 0x80)]
    for address, value in places:
        qtest.ask(f"outl 0xcf8 {address:#x}")
        qtest.ask(f"outl 0xcfc {value:#x}")


def main():
    path, machine, *command = sys.argv[1:]
    with open(path) as file:
        lines = [line.rstrip("\n") for line in file if not line.startswith(("%", "!"))]
    root = command[1] if command[0] == "chroot" else "/"
    directory = tempfile.mkdtemp(dir=os.path.join(root, "tmp"))
    inside = "/" + os.path.relpath(directory, root)
    # Without system management the chip is in ACPI mode from the start. Switched off the machine stays, to tell its events.
    arguments = ["-M", f"{machine},smm=off", "-no-shutdown", "-accel", "qtest", "-display", "none", "-nodefaults", "-smp", "1,maxcpus=4,sockets=4"]
    for option in ["qtest", "qmp"]:
        arguments += [f"-{option}", f"unix:{inside}/{option},server=on,wait=off"]
    reference = subprocess.Popen(command + arguments, stderr=subprocess.DEVNULL)
    try:
        monitor = Monitor(f"{directory}/qmp")
        reference_version = version.words(monitor.run("query-version"))
        qtest = Lines(f"{directory}/qtest")
        configure(qtest, machine)
        result = [
            f"% The answers of {reference_version} to the accesses of the",
            f"% scripted guest on {machine}, and the events of its monitor: tests/differential/record_ospm_guest.py.",
        ]
        monitor.take()
        for line in lines:
            if line.startswith("#"):
                result += monitor.take()
                for one in line[1:].split(","):
                    request(monitor, one.strip())
                if "reset" in line:
                    configure(qtest, machine)
            elif match := re.match(r"(in[bwl]) (\w+) = ", line):
                answer = qtest.ask(f"{match[1]} {match[2]}").split()
                line = f"{match[1]} {match[2]} = {int(answer[1], 16):#x}"
            else:
                qtest.ask(line)
            result.append(line)
        # The main loop acts on the wish to be switched off when it comes round.
        time.sleep(0.5)
        result += monitor.take()
    finally:
        reference.kill()
        reference.wait()
        for name in os.listdir(directory):
            os.unlink(os.path.join(directory, name))
        os.rmdir(directory)
    with open(path, "w") as file:
        file.write("".join(line + "\n" for line in result))


main()
