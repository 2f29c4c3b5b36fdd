#!/usr/bin/env python3
"""Records what QEMU answers to `-numa`: command lines, standard error, exit status and the monitor's answers.

    record_numa.py QEMU [ARGUMENT...] > tests/tests/fixtures/numa.jsonl
    record_numa.py --seed 3 --random 1000 --against target/debug/qom-system-x86_64 QEMU [ARGUMENT...]

QEMU is the reference's program, with the words before it that it takes to run it (`chroot ROOT qemu-system-x86_64`).
The cases are those written out below and random ones from a fixed seed, so a second run gives the same file.
`tests/tests/numa.rs` replays them. With `--against` nothing is recorded: the random cases are given to both programs, and
those that they answer differently are printed. By hand that can be done with as many as there is time for.
"""

import argparse
import json
import random
import subprocess

import version

COMMON = ["-accel", "tcg", "-S", "-display", "none", "-nodefaults", "-qmp", "stdio"]
QUERIES = ["qmp_capabilities", "query-hotpluggable-cpus", "x-query-numa", "query-cpus-fast", "quit"]


def memory(*sizes):
    """Memory backends m0, m1, ... of so many MiB."""
    words = []
    for number, size in enumerate(sizes):
        words += ["-object", f"memory-backend-ram,id=m{number},size={size}M"]
    return words


def numa(*options):
    return [word for option in options for word in ("-numa", option)]


TWO = memory(64, 64)
NODES = numa("node,memdev=m0", "node,memdev=m1")
SMP = ["-smp", "4,sockets=2,cores=2"]
HMAT = ["-machine", "hmat=on"]
LB = "hmat-lb,initiator=0,target=0,hierarchy=memory"
LATENCY = f"{LB},data-type=access-latency,latency=10"
BANDWIDTH = f"{LB},data-type=access-bandwidth,bandwidth=200M"
CACHE = "hmat-cache,node-id=0,size=10K,level=1,associativity=direct,policy=write-back,line=8"
HMAT_NODES = HMAT + SMP + TWO + numa("node,memdev=m0,cpus=0-1", "node,memdev=m1,cpus=2-3")


def written_out():
    """Each check at least once."""
    # What an option can be.
    for option in [
        "", "foo", "help", "node,help", "type=node", "node,foo=1", "node,a=1,b=2", "dist", "cpu", "hmat-lb", "hmat-cache",
        "dist,src=0", "dist,src=0,dst=1", "node,id=foo", "node,id=1a", "node,nodeid", "node,type=dist", "dist,src=0,dst=0,val=10,x=1",
        "cpu,node-id=0,foo=1", "type=foo,type=node", "node,nodeid=0,nodeid=1",
    ]:
        yield TWO + numa(option)
    yield TWO + numa("node,id=foo", "node,id=foo")
    # Numbers.
    for text in ["abc", "", "-1", "128", "127", "65535", "65536", "0x1", "010", " 1", "1 ", "1k", "+0", "18446744073709551616", "1.0"]:
        yield numa(f"node,nodeid={text}")
    for text in ["", "x", "0-", "-0", "0-x", "3-2", "0-0", "1", "0-1", "0x0-0x1", "0-65535", "0-65536", "65536", "0-1-2", "0 - 1", "0,,1"]:
        yield SMP + TWO + numa(f"node,memdev=m0,cpus={text}", "node,memdev=m1")
    for text in ["1", "64M", "abc", "-1", "", "1.5G", "16E"]:
        yield numa(f"node,mem={text}")
    # Nodes.
    yield TWO + NODES
    yield SMP + TWO + NODES
    yield SMP + TWO + numa("node,memdev=m0,nodeid=1", "node,memdev=m1,nodeid=0")
    yield SMP + TWO + numa("node,memdev=m0,nodeid=1", "node,memdev=m1")
    yield SMP + TWO + numa("node,memdev=m0", "node,memdev=m1,nodeid=2")
    yield SMP + TWO + numa("node,memdev=m0,nodeid=3", "node,memdev=m1,nodeid=5")
    yield SMP + TWO + numa("node,memdev=m0,nodeid=0", "node,memdev=m1,nodeid=0")
    yield SMP + TWO + numa("node,memdev=m0", "node,memdev=m1", "node", "node")
    yield SMP + numa("node")
    yield TWO + numa("node,memdev=m0")
    yield TWO + ["-m", "64M"] + NODES
    yield memory(128) + SMP + numa("node,memdev=m0", "node")
    yield TWO + numa("node,memdev=m0", "node,memdev=m0")
    yield TWO + numa("node,memdev=m0", "node,memdev=/objects/m1")
    yield TWO + numa("node,memdev=/objects/m0", "node,memdev=objects/m0")
    yield numa("node,memdev=nope")
    yield numa("node,memdev=")
    yield ["-object", "rng-builtin,id=r"] + numa("node,memdev=r")
    yield TWO + numa("node,memdev=nope,memdev=m0", "node,memdev=m1")
    yield TWO + numa("node,memdev=m0,mem=64M")
    yield TWO + numa("node,memdev=m0", "node,mem=64M")
    yield memory(*[1] * 128) + numa(*[f"node,memdev=m{n}" for n in range(128)])
    yield memory(*[1] * 129) + numa(*[f"node,memdev=m{n}" for n in range(129)])
    yield ["-M", "none"] + numa("node")
    yield ["-M", "none"] + numa("foo")
    yield ["-M", "q35"] + SMP + TWO + NODES
    # CPUs by index.
    for first, second in [("cpus=0-1", "cpus=2-3"), ("cpus=0,cpus=2", "cpus=1,cpus=3"), ("cpus=0-3", ""), ("cpus=0-1", ""),
                          ("cpus=0", "cpus=0"), ("cpus=0,cpus=0", ""), ("cpus=4", ""), ("cpus=0-4", ""), ("", "cpus=3"), ("cpus=1-2", "cpus=0-3")]:
        yield SMP + TWO + numa(f"node,memdev=m0,{first}".rstrip(","), f"node,memdev=m1,{second}".rstrip(","))
    yield ["-smp", "1,maxcpus=4"] + TWO + numa("node,memdev=m0,cpus=0-1", "node,memdev=m1,cpus=2-3")
    yield ["-smp", "1,maxcpus=4,sockets=4"] + TWO + numa("node,memdev=m0,cpus=0-1", "node,memdev=m1")
    yield ["-smp", "1,maxcpus=6,sockets=3"] + TWO + NODES
    yield ["-smp", "8,sockets=2,dies=2,cores=2"] + TWO + numa("node,memdev=m0,cpus=0-2", "node,memdev=m1")
    yield ["-smp", "8,sockets=2,modules=2,cores=2"] + TWO + numa("node,memdev=m0,cpus=0-2", "node,memdev=m1")
    yield ["-smp", "8,sockets=2,dies=2,modules=2,cores=1"] + TWO + numa("node,memdev=m0", "node,memdev=m1,cpus=7")
    # CPUs by place.
    for option in ["node-id=0", "node-id=1,socket-id=1", "node-id=0,core-id=1", "node-id=0,socket-id=0,core-id=1,thread-id=0", "node-id=1,thread-id=1",
                   "node-id=0,socket-id=7", "node-id=0,socket-id=-1", "node-id=0,die-id=0", "node-id=0,module-id=0", "node-id=0,cluster-id=0", "node-id=0,drawer-id=0", "node-id=2",
                   "node-id=127", "node-id=128", "socket-id=0", "node-id=0x1", "node-id=9223372036854775808", "node-id=x", "node-id=0,socket-id=",
                   "node-id=0,socket-id=0-1"]:
        yield SMP + TWO + NODES + numa(f"cpu,{option}")
    yield SMP + TWO + NODES + numa("cpu,node-id=0,socket-id=0", "cpu,node-id=1,socket-id=1")
    yield SMP + TWO + NODES + numa("cpu,node-id=0,socket-id=0", "cpu,node-id=1,core-id=1")
    yield SMP + TWO + NODES + numa("cpu,node-id=0,socket-id=0", "cpu,node-id=0,core-id=1")
    yield SMP + TWO + numa("cpu,node-id=0", "node,memdev=m0", "node,memdev=m1")
    dies = ["-smp", "8,sockets=2,dies=2,modules=2,cores=1"]
    for option in ["die-id=1", "module-id=1", "die-id=2", "module-id=1,die-id=0,socket-id=1", "thread-id=0"]:
        yield dies + TWO + NODES + numa(f"cpu,node-id=1,{option}")
    # Distances.
    three = memory(64, 32, 32) + SMP + numa("node,memdev=m0", "node,memdev=m1", "node,memdev=m2")
    for options in [
        ["dist,src=0,dst=1,val=20"], ["dist,src=0,dst=1,val=20", "dist,src=1,dst=0,val=30"], ["dist,src=0,dst=0,val=10"], ["dist,src=0,dst=0,val=11"],
        ["dist,src=0,dst=1,val=9"], ["dist,src=0,dst=1,val=0"], ["dist,src=0,dst=1,val=255"], ["dist,src=0,dst=1,val=256"], ["dist,src=128,dst=0,val=20"],
        ["dist,src=0,dst=128,val=20"], ["dist,src=200,dst=300,val=1"], ["dist,src=0,dst=2,val=20"], ["dist,src=0,dst=1,val=20", "dist,src=0,dst=1,val=21"],
        ["dist,src=0,dst=1,val=10"], ["dist,src=0,dst=1,val=-1"], ["dist,src=0,dst=1,val=x"], ["dist,dst=1,val=20"], ["dist,src=0,dst=1"],
    ]:
        yield SMP + TWO + NODES + numa(*options)
    for options in [
        [(0, 1, 20)], [(0, 1, 20), (0, 2, 30)], [(0, 1, 20), (0, 2, 30), (1, 2, 40)], [(1, 0, 20), (2, 0, 30), (1, 2, 40)], [(0, 1, 20), (1, 0, 21), (0, 2, 30), (1, 2, 40)],
        [(0, 1, 20), (1, 0, 21), (0, 2, 30), (1, 2, 40), (2, 0, 30), (2, 1, 40)], [(2, 1, 20)], [(0, 1, 20), (1, 0, 20), (0, 2, 30), (1, 2, 40)],
    ]:
        yield three + numa(*[f"dist,src={a},dst={b},val={v}" for a, b, v in options])
    yield numa("dist,src=0,dst=0,val=10")
    # Initiators.
    yield TWO + numa("node,memdev=m0,initiator=0", "node,memdev=m1")
    yield TWO + numa("node,memdev=m0,initiator=200", "node,memdev=m1")
    yield HMAT + TWO + numa("node,memdev=m0,initiator=201", "node,memdev=m1")
    yield HMAT + TWO + NODES
    yield HMAT + SMP + TWO + NODES
    yield HMAT + SMP + TWO
    for first, second in [("initiator=0", ""), ("initiator=1", ""), ("initiator=1,cpus=0", ""), ("cpus=0-3", "initiator=0"), ("cpus=0-3", "initiator=1"),
                          ("cpus=0-3", "initiator=5"), ("cpus=0-1", "initiator=0,cpus=2-3"), ("cpus=0-1", "initiator=1,cpus=2-3"), ("cpus=0-3", "")]:
        yield HMAT + SMP + TWO + numa(f"node,memdev=m0,{first}".rstrip(","), f"node,memdev=m1,{second}".rstrip(","))
    yield HMAT + SMP + TWO + numa("node,memdev=m0", "node,memdev=m1,initiator=0", "cpu,node-id=1,socket-id=0")
    yield ["-machine", "hmat=off"] + SMP + TWO + NODES
    yield ["-machine", "hmat=maybe"]
    # Latency and bandwidth.
    yield SMP + TWO + NODES + numa(LATENCY)
    yield SMP + TWO + NODES + numa(CACHE)
    yield HMAT + SMP + TWO + NODES + numa(LATENCY)
    for options in [
        [LATENCY], [BANDWIDTH], [LATENCY, BANDWIDTH], [LATENCY, LATENCY], [BANDWIDTH, BANDWIDTH], [LATENCY, BANDWIDTH, CACHE], [LATENCY, CACHE], [CACHE],
        [LATENCY + ",bandwidth=1M"], [BANDWIDTH + ",latency=1"], [f"{LB},data-type=access-latency"], [f"{LB},data-type=write-bandwidth"],
        [f"{LB},data-type=read-bandwidth,bandwidth=1K"], [f"{LB},data-type=nope,latency=1"], ["hmat-lb,initiator=0,target=0,hierarchy=x,data-type=access-latency,latency=1"],
        [f"{LB},latency=1"], ["hmat-lb,initiator=0,target=0,data-type=access-latency,latency=1"],
        [f"{LB},data-type=access-latency,latency=0"], [f"{LB},data-type=access-bandwidth,bandwidth=0"], [f"{LB},data-type=access-latency,latency=-1"],
        [f"{LB},data-type=access-latency,latency=x"], [f"{LB},data-type=access-bandwidth,bandwidth=x"], [f"{LB},data-type=access-bandwidth,bandwidth=3.5G"],
        ["hmat-lb,initiator=1,target=0,hierarchy=first-level,data-type=read-latency,latency=65534"],
        ["hmat-lb,initiator=2,target=0,hierarchy=first-level,data-type=read-latency,latency=1"],
        ["hmat-lb,initiator=3,target=0,hierarchy=first-level,data-type=read-latency,latency=1"],
        ["hmat-lb,initiator=0,target=2,hierarchy=first-level,data-type=read-latency,latency=1"],
        ["hmat-lb,initiator=0,target=3,hierarchy=first-level,data-type=read-latency,latency=1"],
        [LATENCY, "hmat-lb,initiator=0,target=1,hierarchy=memory,data-type=access-latency,latency=655350"],
        [LATENCY, "hmat-lb,initiator=0,target=1,hierarchy=memory,data-type=access-latency,latency=655339"],
        [LATENCY, "hmat-lb,initiator=0,target=1,hierarchy=memory,data-type=access-latency,latency=70000"],
        ["hmat-lb,initiator=0,target=1,hierarchy=memory,data-type=access-latency,latency=70000", "hmat-lb,initiator=0,target=0,hierarchy=memory,data-type=access-latency,latency=1"],
        ["hmat-lb,initiator=0,target=1,hierarchy=memory,data-type=access-latency,latency=70001"],
        ["hmat-lb,initiator=0,target=1,hierarchy=memory,data-type=access-latency,latency=70001", LATENCY],
        [BANDWIDTH, "hmat-lb,initiator=0,target=1,hierarchy=memory,data-type=access-bandwidth,bandwidth=1M"],
        [BANDWIDTH, "hmat-lb,initiator=0,target=1,hierarchy=memory,data-type=access-bandwidth,bandwidth=1T"],
        ["hmat-lb,initiator=0,target=1,hierarchy=memory,data-type=access-bandwidth,bandwidth=65535M"],
        ["hmat-lb,initiator=0,target=1,hierarchy=memory,data-type=access-bandwidth,bandwidth=65534M"],
        ["hmat-lb,initiator=0,target=1,hierarchy=memory,data-type=access-bandwidth,bandwidth=65537M"],
    ]:
        yield HMAT_NODES + numa(*options)
    # Caches beside memory.
    both = [LATENCY, BANDWIDTH]
    cache = lambda level, size, more="": (
        f"hmat-cache,node-id=0,size={size},level={level},associativity=complex,policy=write-through,line=64{more}"
    )
    for options in [
        [cache(1, "1M")], [cache(0, "1M")], [cache(3, "1M")], [cache(4, "1M")], [cache(255, "1M")], [cache(256, "1M")], [cache(2, "1M")], [cache(1, "1M"), cache(1, "2M")],
        [cache(1, "1M"), cache(2, "2M")], [cache(1, "1M"), cache(2, "1M")], [cache(1, "1M"), cache(2, "512K")], [cache(1, "1M"), cache(2, "2M"), cache(3, "3M")],
        [cache(1, "1M"), cache(3, "3M")], ["hmat-cache,node-id=2,size=1,level=1,associativity=none,policy=none,line=0"],
        ["hmat-cache,node-id=1,size=1,level=1,associativity=none,policy=none,line=0"], ["hmat-cache,node-id=0,size=1,level=1,associativity=none,policy=none,line=0"],
        ["hmat-cache,node-id=0,size=1,level=1,associativity=x,policy=none,line=0"], ["hmat-cache,node-id=0,size=1,level=1,associativity=none,policy=x,line=0"],
        ["hmat-cache,node-id=0,size=1,level=1,associativity=none,policy=none,line=65536"], ["hmat-cache,node-id=0,size=1,level=1,associativity=none,policy=none"],
        ["hmat-cache,node-id=4294967296,size=1,level=1,associativity=none,policy=none,line=0"], ["hmat-cache,size=1,level=1,associativity=none,policy=none,line=0"],
    ]:
        yield HMAT_NODES + numa(*both, *options)
    # What is found first.
    bad = numa("node,memdev=m0,cpus=9")
    yield TWO + bad + ["-cpu", "nope"]
    yield TWO + bad + ["-smp", "400"]
    yield TWO + bad + ["-device", "nope"]
    yield TWO + numa("node") + ["-device", "nope"]


def random_case(rng):
    """Two or three nodes, CPUs here and there, some distances; now and then something that cannot be."""
    sockets, dies, modules, cores, threads = (rng.choice(c) for c in [[1, 2, 2, 3], [1, 1, 1, 2], [1, 1, 1, 2], [1, 2], [1, 1, 2]])
    most = sockets * dies * modules * cores * threads
    smp = f"{rng.randint(1, most)},maxcpus={most},sockets={sockets},dies={dies},modules={modules},cores={cores},threads={threads}"
    sizes = rng.choice([[64, 64], [96, 32], [64, 32, 32], [128]])
    if rng.random() < 0.03:
        sizes[0] += 1
    words = ["-M", rng.choice(["pc", "q35"]), "-smp", smp] + memory(*sizes)
    hmat = rng.random() < 0.3
    if hmat:
        words += HMAT
    ids = list(range(len(sizes)))
    if rng.random() < 0.2:
        rng.shuffle(ids)
    left = list(range(most + (rng.random() < 0.05)))
    by_index = rng.random() < 0.4
    for number, node in enumerate(ids):
        option = f"node,memdev=m{number}"
        if ids != sorted(ids) or rng.random() < 0.2:
            option += f",nodeid={node}"
        if by_index:
            for _ in range(rng.randint(0, 2)):
                if not left:
                    break
                first = rng.choice(left)
                last = first
                while rng.random() < 0.6 and last + 1 in left:
                    last += 1
                left = [cpu for cpu in left if not first <= cpu <= last]
                option += f",cpus={first}" + (f"-{last}" if last > first else "")
        if hmat and rng.random() < 0.3:
            option += f",initiator={rng.choice(ids)}"
        words += numa(option)
    for _ in range(rng.choice([0, 0, 1, 2, 4])):
        place = ""
        for level, count in [("socket", sockets), ("die", dies), ("module", modules), ("core", cores), ("thread", threads)]:
            if rng.random() < 0.4 and (count > 1 or level not in ("die", "module")):
                place += f",{level}-id={rng.randrange(count + (rng.random() < 0.05))}"
        words += numa(f"cpu,node-id={rng.choice(ids + [rng.choice(ids)] + ([9] if rng.random() < 0.03 else []))}{place}")
    if rng.random() < 0.5:
        pairs = [(a, b) for a in ids for b in ids if a != b and (a < b or rng.random() < 0.2)]
        for a, b in pairs:
            if rng.random() < 0.95:
                words += numa(f"dist,src={a},dst={b},val={rng.choice([20, 21, 40, 254])}")
    if hmat:
        for _ in range(rng.randint(0, 5)):
            kind = rng.choice(["access", "read", "write"])
            value = rng.choice([f"latency,latency={rng.choice([1, 10, 70, 100, 1234, 50000])}", f"bandwidth,bandwidth={rng.choice([1, 10, 200, 4096])}M"])
            hierarchy = rng.choice(["memory", "memory", "first-level", "second-level", "third-level"])
            words += numa(f"hmat-lb,initiator={rng.choice(ids)},target={rng.choice(ids)},hierarchy={hierarchy},data-type={kind}-{value}")
        if rng.random() < 0.3:
            words += numa(f"hmat-cache,node-id={rng.choice(ids)},size=1M,level=1,associativity=direct,policy=write-back,line=64")
    return words


def run(program, arguments):
    requests = "".join(json.dumps({"execute": name}) + "\n" for name in QUERIES)
    done = subprocess.run(program + COMMON + arguments, input=requests, capture_output=True, text=True, timeout=60)
    lines = [line for line in done.stderr.splitlines(True) if "and no guest code is run" not in line]
    stderr = "".join(lines).replace("qemu-system-x86_64: ", "").replace("qom-system-x86_64: ", "")
    case = {"arguments": arguments, "status": done.returncode, "stderr": stderr}
    replies = [json.loads(line) for line in done.stdout.splitlines()]
    replies = [reply for reply in replies if "return" in reply or "error" in reply]
    if done.returncode == 0:
        _, slots, nodes, cpus, _ = [reply.get("return") for reply in replies]
        # Numbers of threads and of objects in /machine/unattached are nobody's to promise.
        case["slots"] = [slot["props"] for slot in slots] if slots is not None else None
        case["numa"] = nodes["human-readable-text"]
        case["cpus"] = [[cpu["cpu-index"], cpu["props"].get("node-id")] for cpu in cpus]
    return case


def main():
    options = argparse.ArgumentParser(usage=__doc__)
    options.add_argument("--seed", type=int, default=11)
    options.add_argument("--random", type=int, default=200)
    options.add_argument("--against")
    options.add_argument("qemu", nargs=argparse.REMAINDER)
    options = options.parse_args()
    rng = random.Random(options.seed)
    cases = [random_case(rng) for _ in range(options.random)]
    if options.against:
        cases = [(run(options.qemu, arguments), run([options.against], arguments)) for arguments in cases]
        differ = [pair for pair in cases if pair[0] != pair[1]]
        for theirs, ours in differ:
            print(json.dumps(theirs), json.dumps(ours), sep="\n", end="\n\n")
        made = sum(theirs["status"] == 0 for theirs, _ in cases)
        print(f"{len(differ)} of {len(cases)} cases differ; {made} were machines")
        raise SystemExit(bool(differ))
    print(f"# `-numa` as {version.of(options.qemu)} answers it, one case a line. Made by tests/differential/record_numa.py, which")
    print("# says what the members are.")
    for arguments in list(written_out()) + cases:
        print(json.dumps(run(options.qemu, arguments), separators=(",", ":")))


if __name__ == "__main__":
    main()
