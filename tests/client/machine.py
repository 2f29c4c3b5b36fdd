"""Launches and drives an emulator the way QEMU's own functional-test library does.

Usage: machine.py [--root DIRECTORY] EMULATOR [ARGUMENT...]. The emulator may be this program or QEMU; ARGUMENTs come before all others.
Paths that the emulator sees lie below DIRECTORY, for one in a chroot. Ends with status 0 if all is as that library
expects; says what it did.

Its habits: the monitor is one end of a socket pair that the emulator inherits; the machine has no display and no VGA; ids are
`__qmp#00000` and count up; the monitor's capability `oob` is used where it is offered; the emulator is asked to `quit` or gets
SIGTERM, and must end by itself with status 0; what it has to say stands on standard error.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time

PATIENCE = 30  # Seconds for what takes no time on an idle machine.


class Monitor:
    """A QMP session over a connected socket."""

    def __init__(self, sock):
        self.sock = sock
        self.sock.settimeout(PATIENCE)
        self.file = sock.makefile("rb")
        self.count = 0
        self.events = []
        greeting = self.read()["QMP"]
        assert isinstance(greeting["version"]["qemu"]["major"], int), greeting
        assert isinstance(greeting["capabilities"], list), greeting
        self.has_oob = "oob" in greeting["capabilities"]
        self.ask("qmp_capabilities", **({"enable": ["oob"]} if self.has_oob else {}))

    def read(self):
        """The next message."""
        line = self.file.readline()
        if not line:
            raise EOFError("the monitor closed the connection")
        return json.loads(line)

    def request(self, command, how="execute", **arguments):
        """The whole reply to a command."""
        ident = f"__qmp#{self.count:05d}"
        self.count += 1
        message = {how: command, "id": ident}
        if arguments:
            message["arguments"] = {name.replace("_", "-"): value for name, value in arguments.items()}
        self.sock.sendall(json.dumps(message).encode() + b"\n")
        while "event" in (reply := self.read()):
            self.events.append(reply)
        assert reply["id"] == ident, reply
        return reply

    def ask(self, command, **arguments):
        """What a command returns, which must succeed."""
        reply = self.request(command, **arguments)
        assert "return" in reply, (command, arguments, reply)
        return reply["return"]

    def event(self, name):
        """Waits for an event."""
        while True:
            for event in self.events:
                if event["event"] == name:
                    self.events.remove(event)
                    return event
            self.events.append(self.read())

    def close(self):
        """Hangs up."""
        self.file.close()
        self.sock.close()


class Machine:
    """The emulator with a monitor that it inherits."""

    def __init__(self, emulator, *arguments, preconfig=False):
        ours, theirs = socket.socketpair()
        self.log = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            [*emulator, "-display", "none", "-vga", "none",
             "-chardev", f"socket,id=mon,fd={theirs.fileno()}", "-mon", "chardev=mon,mode=control",
             *(["--preconfig"] if preconfig else []), *arguments],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self.log, pass_fds=[theirs.fileno()])
        theirs.close()
        self.monitor = Monitor(ours)

    def ended(self):
        """Waits for its end, which is in order and without a word on standard output; what it said on standard error."""
        start = time.monotonic()
        output = self.process.stdout.read()
        status = self.process.wait(PATIENCE)
        self.monitor.close()
        assert status == 0, (status, self.said())
        assert output == b"", output
        return time.monotonic() - start

    def said(self):
        """Standard error so far."""
        self.log.seek(0)
        return self.log.read().decode()


def walk(monitor, path, wanted):
    """Reads each property of an object and of all below it, as `qom-tree` does. Counts objects and values."""
    objects, values = 1, 0
    for entry in monitor.ask("qom-list", path=path):
        kind, name = entry["type"], entry["name"]
        below = f"{path.rstrip('/')}/{name}"
        if kind.startswith("child<"):
            more = walk(monitor, below, wanted)
            objects, values = objects + more[0], values + more[1]
        else:
            # Some can be set only, or not be read now: an error, and the walk goes on.
            reply = monitor.request("qom-get", path=path, property=name)
            values += "return" in reply
            wanted.discard((path, name))
    return objects, values


def quits(emulator):
    """`quit`: the reply, the event, the end."""
    machine = Machine(emulator)
    monitor = machine.monitor
    assert monitor.ask("query-status") == {"status": "running", "running": True}
    assert monitor.request("no-such-command")["error"]["class"] == "CommandNotFound"
    if monitor.has_oob:
        reply = monitor.request("query-status", how="exec-oob")
        assert reply["error"]["desc"] == "The command query-status does not support OOB", reply
    monitor.ask("quit")
    assert monitor.event("SHUTDOWN")["data"] == {"guest": False, "reason": "host-qmp-quit"}
    return machine.ended()


def terminates(emulator):
    """SIGTERM: the event, a line on standard error, the end."""
    machine = Machine(emulator)
    machine.process.send_signal(signal.SIGTERM)
    assert machine.monitor.event("SHUTDOWN")["data"] == {"guest": False, "reason": "host-signal"}
    took = machine.ended()
    assert "terminating on signal 15" in machine.said(), machine.said()
    return took


def preconfigures(emulator):
    """The greeting comes before the machine is built, which a command does."""
    machine = Machine(emulator, preconfig=True)
    monitor = machine.monitor
    assert monitor.ask("query-status")["status"] == "prelaunch"
    refused = monitor.request("query-cpus-fast")["error"]["desc"]
    assert "permitted only after machine initialization" in refused, refused
    monitor.ask("x-exit-preconfig")
    assert monitor.ask("query-status")["running"]
    monitor.ask("quit")
    return machine.ended()


def walks(emulator):
    """Every property of every object is read, and the machine is none the worse for it."""
    machine = Machine(emulator, "-smp", "1,maxcpus=2")
    monitor = machine.monitor
    wanted = {("/machine", "type"), ("/machine/unattached/device[0]", "realized")}
    counted = walk(monitor, "/", wanted)
    assert not wanted, wanted
    assert monitor.ask("query-status")["running"]
    # The library sets a property and reads it back.
    monitor.ask("object-add", qom_type="iothread", id="io", poll_max_ns=1000)
    monitor.ask("qom-set", path="/objects/io", property="poll-max-ns", value=2000)
    assert monitor.ask("qom-get", path="/objects/io", property="poll-max-ns") == 2000
    assert monitor.ask("human-monitor-command", command_line="info status") == "VM status: running\r\n"
    monitor.ask("quit")
    machine.ended()
    return counted


def comes(emulator, root):
    """A monitor that connects to us: `-qmp unix:PATH` with no `server`."""
    with tempfile.TemporaryDirectory(dir=root and f"{root}/tmp") as directory:
        path = f"{directory}/monitor"
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path)
            listener.listen()
            listener.settimeout(PATIENCE)
            seen = path[len(root):] if root else path
            process = subprocess.Popen([*emulator, "-display", "none", "-vga", "none", "-qmp", f"unix:{seen}"],
                                       stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            monitor = Monitor(listener.accept()[0])
        monitor.ask("quit")
        monitor.event("SHUTDOWN")
        assert process.wait(PATIENCE) == 0


def main(emulator, root):
    """All of it."""
    # The library looks for machine types in this text.
    machines = subprocess.run([*emulator, "-M", "help"], capture_output=True, text=True, timeout=PATIENCE, check=True)
    names = [line.split()[0] for line in machines.stdout.splitlines()[1:]]
    assert {"none", "pc", "q35"} <= set(names), names
    # A mistake ends it with status 1, and says so on standard error alone.
    wrong = subprocess.run([*emulator, "-M", "no-such"], capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert wrong.returncode == 1 and not wrong.stdout and "no-such" in wrong.stderr, wrong
    # Seconds from the request to the end: told, not judged; the machine that runs this may have other things to do.
    print(f"quit ends it in {quits(emulator):.2f} s, SIGTERM in {terminates(emulator):.2f} s")
    preconfigures(emulator)
    objects, values = walks(emulator)
    print(f"{objects} objects with {values} values are read")
    comes(emulator, root)


if __name__ == "__main__":
    WORDS = sys.argv[1:]
    ROOT = ""
    if WORDS[:1] == ["--root"]:
        ROOT, WORDS = WORDS[1].rstrip("/"), WORDS[2:]
    main(WORDS, ROOT)
