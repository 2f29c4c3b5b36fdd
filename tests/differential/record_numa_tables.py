#!/usr/bin/env python3
"""Records the ACPI tables about NUMA that QEMU gives to a guest.

    record_numa_tables.py DIRECTORY QEMU [ARGUMENT...] > machine-pc/src/acpi/fixtures/numa-tables.jsonl

QEMU is the reference's program, with the words before it that it takes to run it (`chroot ROOT qemu-system-x86_64`), and
DIRECTORY the place that it sees as /tmp. Each case runs the reference's own firmware (SeaBIOS) under tcg for some seconds,
has the end of low memory written to a file (`pmemsave`), and finds the tables there by signature, length and checksum. The
unit tests of `machine-pc/src/acpi` make the same tables from the same arguments.
"""

import json
import os
import random
import subprocess
import sys
import time

import version


def memory(*sizes):
    return [w for n, size in enumerate(sizes) for w in ("-object", f"memory-backend-ram,id=m{n},size={size}")]


def numa(*options):
    return [word for option in options for word in ("-numa", option)]


def nodes(count):
    return numa(*[f"node,memdev=m{n}" for n in range(count)])


LB = "hmat-lb,initiator={},target={},hierarchy={},data-type={}"
CASES = [
    ["-smp", "4,sockets=2,cores=2"] + memory("64M", "64M") + nodes(2),
    ["-smp", "1,maxcpus=8,sockets=2,dies=2,cores=2"] + memory("64M", "32M", "32M") + nodes(3)
    + numa("dist,src=0,dst=1,val=20", "dist,src=0,dst=2,val=30", "dist,src=1,dst=2,val=40"),
    ["-smp", "2,maxcpus=6,sockets=2,cores=3"] + memory("64M", "64M") + nodes(2)
    + numa("dist,src=0,dst=1,val=21", "dist,src=1,dst=0,val=255", "cpu,node-id=1,core-id=1", "cpu,node-id=0,core-id=0", "cpu,node-id=0,core-id=2"),
    ["-M", "q35", "-smp", "1,maxcpus=288,sockets=144,cores=2"] + memory("64M", "64M") + nodes(2),
    # Holes: video memory and firmware, devices below 4 GiB.
    ["-m", "5G"] + memory("1G", "1G", "3G") + nodes(3),
    ["-M", "q35", "-m", "5G"] + memory("1G", "1G", "3G") + nodes(3),
    ["-m", "4G"] + memory("3G", "1G") + nodes(2),
    ["-m", "6G"] + memory("5G", "1G") + nodes(2),
    memory("640K", "130432K") + nodes(2),
    memory("512K", "130560K") + nodes(2),
    memory("800K", "130272K") + nodes(2),
    memory("512K", "256K", "256K", "126M") + nodes(4) + ["-m", "127M"],
    memory("1M", "127M") + nodes(2),
    memory("128M") + numa("node,memdev=m0", "node"),
    memory("128M") + numa("node", "node,memdev=m0", "node"),
    # Latencies, bandwidths, caches.
    ["-machine", "hmat=on"] + memory("128M") + nodes(1),
    ["-machine", "hmat=on", "-smp", "4,sockets=2,cores=2"] + memory("64M", "32M", "32M")
    + numa("node,memdev=m0,cpus=0-1", "node,memdev=m1,cpus=2-3", "node,memdev=m2,initiator=1")
    + numa(
        (LB + ",latency=10").format(0, 0, "memory", "access-latency"),
        (LB + ",latency=25").format(0, 1, "memory", "access-latency"),
        (LB + ",latency=300").format(1, 2, "memory", "access-latency"),
        (LB + ",bandwidth=200M").format(0, 0, "memory", "access-bandwidth"),
        (LB + ",bandwidth=96M").format(1, 1, "memory", "access-bandwidth"),
        (LB + ",bandwidth=1G").format(1, 2, "second-level", "write-bandwidth"),
        (LB + ",latency=7").format(1, 0, "third-level", "read-latency"),
        "hmat-cache,node-id=0,size=10K,level=1,associativity=direct,policy=write-back,line=8",
        "hmat-cache,node-id=0,size=1M,level=2,associativity=complex,policy=write-through,line=64",
        "hmat-cache,node-id=0,size=2M,level=3,associativity=none,policy=none,line=65535",
    ),
    ["-machine", "hmat=on", "-smp", "2,sockets=2"] + memory("64M", "64M") + nodes(2)[:2] + numa("node,memdev=m1,cpus=0-1,nodeid=1", "dist,src=0,dst=1,val=17"),
    ["-machine", "hmat=on", "-smp", "2,sockets=2"] + memory("64M", "64M") + numa("node,memdev=m0,cpus=0", "node,memdev=m1,cpus=1")
    + numa((LB + ",latency=0").format(0, 1, "memory", "read-latency"), (LB + ",bandwidth=0").format(0, 1, "memory", "read-bandwidth"),
           (LB + ",latency=70001").format(0, 0, "memory", "write-latency"), (LB + ",latency=5000000000").format(1, 0, "first-level", "write-latency")),
]


def random_machine(rng):
    """Nodes of odd sizes, some without CPUs, with figures in random order."""
    ram = rng.choice([128 << 10, 128 << 10, 3 << 20, 5 << 20])
    count = rng.randint(2, 4)
    cuts = sorted(rng.sample(range(1, ram // 4), count - 1))
    sizes = [4 * (b - a) for a, b in zip([0] + cuts, cuts + [ram // 4])]
    cores, threads, maxcpus = rng.choice([(2, 1, 4), (3, 2, 12), (1, 1, 5)])
    words = ["-M", rng.choice(["pc", "q35"]), "-cpu", "Haswell", "-machine", "hmat=on", "-m", f"{ram >> 10}M"]
    words += ["-smp", f"1,maxcpus={maxcpus},cores={cores},threads={threads}"] + memory(*[f"{size}K" for size in sizes])
    owners = [rng.randrange(count) for _ in range(maxcpus)]
    initiators = sorted(set(owners))
    for node in range(count):
        option = f"node,memdev=m{node}" + "".join(f",cpus={cpu}" for cpu, owner in enumerate(owners) if owner == node)
        if node not in initiators and rng.random() < 0.7:
            option += f",initiator={rng.choice(initiators)}"
        words += numa(option)
    figures = [(i, t, h, d) for i in initiators for t in range(count) for h in ["memory", "first-level", "third-level"]
               for d in ["access-latency", "read-latency", "write-bandwidth", "access-bandwidth"]]
    for i, t, h, d in rng.sample(figures, min(len(figures), rng.randint(0, 14))):
        figure = f"latency={rng.choice([1, 3, 10, 40, 500, 1200])}" if d.endswith("latency") else f"bandwidth={rng.choice([1, 2, 100, 4000])}M"
        words += numa(LB.format(i, t, h, d) + "," + figure)
    if rng.random() < 0.5:
        words += numa(*[f"dist,src={a},dst={b},val={rng.randint(11, 254)}" for a in range(count) for b in range(count) if a != b])
    return words


def find(dump, signature):
    at = dump.find(signature)
    while at >= 0:
        length = int.from_bytes(dump[at + 4 : at + 8], "little")
        table = dump[at : at + length]
        if 36 <= length <= len(dump) - at and sum(table) % 256 == 0 and table[28:32] == b"BXPC":
            return table.hex()
        at = dump.find(signature, at + 1)
    return None


def low_memory(arguments):
    size = next((arguments[at + 1] for at, word in enumerate(arguments) if word == "-m"), "128M")
    ram = int(size[:-1]) << (30 if size.endswith("G") else 20)
    low = ram
    if "q35" in arguments and ram >= 0xB0000000:
        low = 0x80000000
    elif ram >= 0xE0000000:
        low = 0xC0000000
    return low


def record(directory, program, arguments, names=("SRAT", "SLIT", "HMAT"), questions=()):
    """The tables with these names, of which there must be the first, and what the monitor answers to the questions."""
    low = low_memory(arguments)
    child = subprocess.Popen(program + ["-accel", "tcg", "-display", "none", "-nodefaults", "-qmp", "stdio"] + arguments,
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    time.sleep(3)
    path = "/tmp/numa-tables.bin"
    size = min(low, 4 << 20)
    requests = [{"execute": question, "id": question} for question in questions]
    requests.append({"execute": "pmemsave", "arguments": {"val": low - size, "size": size, "filename": path}})
    for request in [{"execute": "qmp_capabilities"}, *requests, {"execute": "quit"}]:
        child.stdin.write(json.dumps(request) + "\n")
    child.stdin.close()
    replies = [json.loads(line) for line in child.stdout.read().splitlines()]
    assert child.wait() == 0, arguments
    dump = os.path.join(directory, os.path.basename(path))
    with open(dump, "rb") as file:
        memory = file.read()
    os.remove(dump)
    tables = {name: find(memory, name.encode()) for name in names}
    assert tables[names[0]], arguments
    answers = {reply["id"]: reply["return"] for reply in replies if "id" in reply}
    return {"arguments": arguments, **answers, **{name: table for name, table in tables.items() if table}}


def main():
    directory, program = sys.argv[1], sys.argv[2:]
    print(f"# The ACPI tables about NUMA of {version.of(program)}, in hexadecimal, one machine a line.")
    print("# Made by tests/differential/record_numa_tables.py.")
    rng = random.Random(5)
    for arguments in CASES + [random_machine(rng) for _ in range(24)]:
        print(json.dumps(record(directory, program, arguments), separators=(",", ":")), flush=True)


if __name__ == "__main__":
    main()
