"""Random command lines, right and wrong, and commands about CPUs; each is a function of a random generator's state."""
import json

LEVELS = ("sockets", "dies", "modules", "cores", "threads")
IDS = ("socket-id", "die-id", "module-id", "core-id", "thread-id")
CACHES = ["l1d", "l1i", "l2", "l3"]
# Where the text of a number or a switch is wanted, and neither is given.
NO_NUMBERS = ["", "x", "-1", "1.5", "0x", "1 ", " 1", "1k", "99999999999999999999", "on"]
NO_SWITCHES = ["", "1", "yes", "maybe", "ON", "true"]


def nested(members):
    """What a dotted text says, as the object that a JSON argument is; what is no number stays a text."""
    tree = {}
    for key, value in members:
        if isinstance(value, str) and value.isdigit() and len(value) < 15:
            value = int(value)
        elif value in ("on", "off"):
            value = value == "on"
        tree[key] = value
    return tree


class Lines:
    """What can be said to programs that have these machine types and CPU models."""

    def __init__(self, machines, models, numa):
        self.machines = machines + ["pc", "q35", "none"]
        self.models = models
        self.numa = numa

    def switch(self, rng, bad):
        """A switch's text."""
        return rng.choice(NO_SWITCHES if bad else ["on", "off"])

    # The parts of a topology.

    def smp_members(self, rng, bad):
        """Pairs of a topology's parts."""
        counts = {level: rng.choice([1, 1, 1, 2, 2, 3]) for level in LEVELS}
        total = 1
        for count in counts.values():
            total *= count
        cpus = min(rng.randrange(1, total + 1), 6)
        pairs = [("cpus", cpus), ("maxcpus", total), *counts.items()]
        kind = rng.randrange(6)
        if kind == 0:
            pairs = pairs[:1]
        elif kind == 1:
            pairs = pairs[:2]
        elif kind == 2:
            # What is left out is computed.
            pairs = [pair for pair in pairs if pair[0] in ("cpus", "maxcpus") or pair[1] > 1 or rng.random() < 0.5]
        elif bad:
            # And what is computed may not fit.
            pairs = [pair for pair in pairs if rng.random() < 0.7]
        if bad:
            kind = rng.randrange(8)
            number = rng.choice([0, 0, 1, 2, 5, 7, 254, 255, 256, 288, 289, 4096, 4097])
            name = rng.choice(["cpus", "maxcpus", *LEVELS])
            if kind < 4:
                pairs = [pair for pair in pairs if pair[0] != name] + [(name, number)]
            elif kind == 4:
                pairs.append((name, rng.choice([text for text in NO_NUMBERS if text != "-1"])))
            elif kind == 5:
                pairs.append((rng.choice(["clusters", "books", "drawers", "nodes", "foo", "cpu", ""]), number))
            elif kind == 6:
                pairs.append((name, rng.choice(["0x2", "010", "+1", "1,", "2"])))
        if rng.random() < 0.3:
            rng.shuffle(pairs)
        return pairs

    def smp(self, rng, bad):
        """-smp, or the same said of the machine."""
        pairs = self.smp_members(rng, bad)
        if rng.random() < 0.2:
            return ["-M", ",".join(f"smp.{name}={value}" for name, value in pairs) or "smp.cpus=1"]
        words = [f"{name}={value}" for name, value in pairs]
        if pairs and pairs[0][0] == "cpus" and rng.random() < 0.7:
            words[0] = str(pairs[0][1])
        return [rng.choice(["-smp", "--smp"]), ",".join(words)]

    def smp_cache(self, rng, bad):
        """How caches are shared."""
        parts = []
        for index, cache in enumerate(rng.sample(CACHES, rng.randrange(1, 4))):
            level = rng.choice(["core", "core", "module", "die", "socket", "default"])
            if bad and rng.random() < 0.6:
                cache = rng.choice(CACHES + ["l4", "", "L3"])
                level = rng.choice([level, "thread", "cluster", "book", "node", "invalid", ""])
                index = rng.choice([index, index + 1, "x", 0])
            parts += [f"smp-cache.{index}.cache={cache}", f"smp-cache.{index}.topology={level}"]
        if bad and rng.random() < 0.4:
            parts.append(rng.choice(["smp-cache.0.foo=1", "smp-cache=l3", "smp-cache.9.cache=l2"]))
            if rng.random() < 0.5:
                parts.pop(0)
        return ["-M", ",".join(parts)]

    # The machine.

    def machine(self, rng, bad):
        """The machine's type."""
        name = rng.choice(self.machines)
        if bad and rng.random() < 0.6:
            name = rng.choice(["pc-i440fx-2.12", "pc-q35-4.2", "pc-i440fx-12.0", "q35-11.1", "PC", "isa",
                               "pc ", "", "pc-q35", "x86-machine", "none-machine", "virt", "?x", f"{name}-machine"])
        elif bad:
            return ["-M", rng.choice([f'{{"type":"{name}"}}', f"{name},type=", f"type.x={name}", f"{name},=1",
                                      f"{name},{name}", f"{name},.a=1", f"{name},accel=foo", f"{name},accel=",
                                      f"{name},type={rng.choice(self.machines)}"])]
        return [rng.choice(["-M", "-machine", "--machine"]), rng.choice(["", "type="]) + name]

    def machine_property(self, rng, bad):
        """A property of the machine."""
        name = rng.choice(["acpi", "i8042", "dump-guest-core", "mem-merge", "usb", "smm", "hpet", "vmport", "sata",
                           "smbus", "graphics", "nvdimm", "cxl", "spcr", "aux-ram-share", "suppress-vmdesc", "wdat",
                           "default-bus-bypass-iommu", "x-change-vmfd-on-reset"])
        ons = ["acpi", "i8042", "dump-guest-core", "mem-merge"]
        value = rng.choice(["on", "off"]) if name in ons else "off"
        kind = rng.randrange(8)
        if kind == 0:
            value = rng.choice(["1G", "2G", "3G", "1073741824", "0xc0000000", "512M"] if not bad else
                               ["5G", "x", "-1", "4097M", "1.5", "", "1 G"])
            name = "max-ram-below-4g"
        elif kind == 1:
            return ["-M", rng.choice(["boot.order=c", "boot.menu=on", "boot.strict=off", "boot.once=d"] if not bad else
                                     ["boot.order=z", "boot.menu=x", "boot.foo=1", "boot=c", "boot.splash-time=x",
                                      "boot.reboot-timeout=99999", "boot.order=cc", "boot.splash-time=99999"])]
        elif kind == 2 and rng.random() < 0.5:
            return ["-M", rng.choice(["memory.size=64M", "memory.size=1G"] if not bad else
                                     ["memory.size=x", "memory.foo=1", "memory=64M", "memory.slots=x", "memory.size=",
                                      "memory.size=-1", "memory.max-size=1M,memory.size=2M",
                                      "memory.slots=300,memory.max-size=2G"])]
        elif bad and rng.random() < 0.3:
            name = rng.choice(["foo", "", "acpi.x", "type.x", "smp", "smp.cpus.x", "accel.x", "firmwar", "memory-backend",
                               "parent", "realized", "ACPI", "acpi_", "phandle"])
        elif bad:
            value = self.switch(rng, True)
        if bad and rng.random() < 0.1:
            return ["-M", rng.choice(["", "no"]) + name]
        return ["-M", f"{name}={value}"]

    def accel(self, rng, bad):
        """An accelerator, beside the one that each case has."""
        if bad:
            return ["-accel", rng.choice(["foo", "", "tcg,foo=1", "accel=", "tcg,", "=tcg",
                                          "hvf"])]
        return ["-accel", rng.choice(["tcg", "accel=tcg"])]

    # CPUs.

    def cpu(self, rng, bad):
        """-cpu."""
        model = rng.choice(self.models)
        parts = []
        for _ in range(rng.choice([0, 0, 1, 2])):
            parts.append(rng.choice(["+ssse3", "-sse2", "avx=on", "+avx2", "pmu=off", "x2apic=off", "level=13", "hv-time",
                                     "stepping=3", "family=6", "model-id=x y", "vendor=AuthenticAMD", "phys-bits=40",
                                     "kvm=off", "migratable=no", "check=off", "+vmx", "-svm", "xlevel=0x80000008",
                                     "min-level=0x1f", "tsc-freq=1G", "l3-cache=off", "enforce=off", "apic-id=0"]))
        if bad:
            kind = rng.randrange(4)
            if kind == 0:
                model = rng.choice(["", "foo", "host", "qemu64-x86_64-cpu", "QEMU64", "x86_64-cpu", "Haswell-v99", "base ",
                                    "help ", "max-v1", "Haswell,", ",Haswell", "{}", "'", "64"])
            else:
                parts.insert(rng.randrange(len(parts) + 1), rng.choice([
                    "+foo", "-foo", "foo", "foo=1", "avx=", "avx=maybe", "level=x", "level=-1", "level=4294967296",
                    "vendor=x", "phys-bits=300", "family=-1", "family=300", "stepping=16", "model=256", "tsc-freq=x",
                    "+", "-", "=", "", "=on", "+avx=on", "avx", "host-phys-bits-limit=1000", "enforce=x", "socket-id=x",
                    "realized=off", "hotplugged=on", "feature-words=1", "type=x", "core-id=70000", "thread-id=3",
                    "socket-id=1", "apic-id=7", "apic-id=x", "hv-spinlocks=1", "hv-spinlocks=x", "lbr-fmt=9",
                    "unavailable-features=x", "hv-vendor-id=abcdefghijklmnop", "cpuid-0xb=maybe", "parent_bus=x",
                    "die-id=1", "module-id=1", "node-id=3", "enforce=on", "xlevel2=x", "pmu"]))
        return ["-cpu", ",".join([model, *parts])]

    def global_(self, rng, bad):
        """-global."""
        model = rng.choice(self.models)
        driver = rng.choice(["x86_64-cpu", f"{model}-x86_64-cpu", "qemu64-x86_64-cpu", "cpu"])
        name, value = rng.choice([("pmu", "off"), ("avx", "on"), ("level", "13"), ("stepping", "4"), ("vendor", "GenuineIntel"),
                                  ("check", "off"), ("family", "0x10"), ("model-id", "a=b"), ("l3-cache", "on")])
        if driver == "cpu":
            name, value = "start-powered-off", "off"
        if bad:
            kind = rng.randrange(5)
            if kind == 0:
                driver = rng.choice(["foo", model, "pc-machine", "isa-serial-x", "container", "bus",
                                     "pc-q35-11.1-machine", "memory-backend-ram", ""])
            elif kind == 1:
                name = rng.choice(["foo", "", "realized", "avx.x", "AVX", "type", "feature-words", "hotplugged"])
            elif kind == 2:
                value = rng.choice(["x", "", "maybe", "-1", "99999999999"])
            else:
                return ["-global", rng.choice(["foo", "foo.bar", "foo=bar", ".=", "", f"{driver}.{name}", "driver=foo",
                                               f"driver={driver},property={name}", "driver=x,property=y,value=z",
                                               f"driver={driver},property={name},value={value},foo=1", ".a=b", "a.=b",
                                               f"property={name},value={value}"])]
        if rng.random() < 0.25:
            return ["-global", f"driver={driver},property={name},value={value}"]
        return ["-global", f"{driver}.{name}={value}"]

    def cpu_properties(self, rng, bad, numbers):
        """Where a CPU goes, and what it is, as pairs; one wrong value at most where `numbers` says so."""
        pairs = [(name, str(rng.choice([0, 0, 0, 1, 1, 2]))) for name in IDS if rng.random() < 0.85]
        if rng.random() < 0.1:
            pairs = [("apic-id", str(rng.randrange(12)))]
        if rng.random() < 0.1:
            pairs.append(("apic-id", str(rng.randrange(12))))
        if rng.random() < 0.15:
            pairs.append(rng.choice([("avx", "off"), ("pmu", "on"), ("stepping", "5"), ("level", "20")]))
        if bad:
            name = rng.choice([*IDS, "apic-id", "node-id", "foo", "avx", "level", "vendor", "realized", "hotplugged"])
            wrong = rng.choice(["-1", "3", "70000", "2147483648", "4294967296", "x", "", "on", "1.5", "-2"])
            if name == "realized":
                # What comes before it and what after is a hash table's to say.
                wrong = "x"
            elif numbers:
                wrong = rng.choice([wrong, -1, 3, 2**31, 2**32, 2**63, 1.5, None, [], {}, True])
            pairs = [pair for pair in pairs if pair[0] != name] + [(name, wrong)]
        if rng.random() < 0.5:
            rng.shuffle(pairs)
        return pairs

    def cpu_type(self, rng, bad, model):
        """The name of a CPU's type: mostly that of the machine's."""
        if rng.random() < 0.1:
            model = rng.choice(self.models)
        name = f"{model}-x86_64-cpu"
        if bad and rng.random() < 0.3:
            return rng.choice(["foo", "", model, "x86_64-cpu", "cpu", "device", "container", "object", "qemu64-v9-x86_64-cpu",
                               "none-machine", "memory-backend-ram", f"{name} ", "kvmclock-x"])
        return name

    def device(self, rng, bad, model="qemu64"):
        """-device of a CPU."""
        in_json = rng.random() < 0.3
        wrong_word = bad and not in_json and rng.random() < 0.15
        bad = bad and not wrong_word
        driver = self.cpu_type(rng, bad, model)
        pairs = self.cpu_properties(rng, bad, in_json)
        if rng.random() < 0.7:
            pairs.append(("id", rng.choice(["c0", "c1", "c2", "c3"] if not bad else ["c0", "", "1a", "a b", "a/b", "_x", "c1"])))
        if in_json:
            tree = {"driver": driver, **nested(pairs)}
            text = json.dumps(tree)
            if bad and rng.random() < 0.2:
                text = rng.choice([text[:-1], text + "x", "{}", "{", '{"driver":1}', '{"driver":null}', "{'driver':'foo'}",
                                   '{"driver":"foo","id":1}', '{"driver":"foo","driver":"bar"}', '{"id":"a"}'])
            return ["-device", text]
        words = [driver, *(f"{name}={value}" for name, value in pairs)]
        if rng.random() < 0.1:
            words[0] = f"driver={driver}"
        # One mistake, as a hash table's order says which of two is told.
        if wrong_word:
            words.append(rng.choice(["foo", "nofoo", "=", "=1", "", "id=c7,id=c8", "bus=x", "driver=y", "addr=3", "avx"]))
        return ["-device", ",".join(words)]

    def numa_(self, rng, bad):
        """-numa."""
        if not self.numa:
            return []
        good = ["node", "node,nodeid=0", "node,nodeid=1", "node,cpus=0", "node,cpus=0-1,nodeid=0", "cpu,node-id=0,socket-id=0",
                "dist,src=0,dst=1,val=20", "node,nodeid=0,cpus=1", "node,nodeid=1,initiator=0",
                "cpu,node-id=1,socket-id=1", "cpu,node-id=0,core-id=0", "cpu,node-id=0,thread-id=0"]
        wrong = ["", "foo", "node,nodeid=200", "node,nodeid=x", "node,cpus=9", "node,cpus=x", "node,cpus=1-0", "node,mem=x",
                 "node,memdev=foo", "node,mem=64M", "cpu", "cpu,node-id=5", "cpu,node-id=0,socket-id=9", "cpu,socket-id=0",
                 "cpu,node-id=0,foo=1", "dist,src=0,dst=0,val=20", "dist,src=0,dst=1,val=5", "dist,src=9,dst=1,val=20",
                 "dist,src=0,dst=1", "dist,src=0,dst=300,val=20", "dist,src=0,dst=1,val=300", "node,foo=1", "cpu,node-id=x",
                 "hmat-lb,initiator=0,target=0,hierarchy=memory,data-type=access-latency,latency=10",
                 "hmat-cache,node-id=0,size=10K,level=1,associativity=direct,policy=write-back,line=8",
                 "node,initiator=9", "cpu,node-id=0,die-id=3", "cpu,node-id=0", "type=node,type=cpu"]
        return ["-numa", rng.choice(wrong if bad else good)]

    # The rest.

    def memory(self, rng, bad):
        """-m."""
        return ["-m", rng.choice(
            ["64", "128M", "size=64M", "0.5G", "1G", "65536k", "3G", "5G", "", "0", "size=128", "64,size=65",
             "131072K", "4096", "3584M", "size=2g"] if not bad else
            ["x", "1x", "-1", "0x40", "size=", "foo=1", "64,foo", "1.5", "1.", "=", ",", "64M,maxmem=32M", "64M,slots=x",
             "size=64,slots=2", "64,maxmem=x", "1e3", "99999999999999999999", "64,slots=300,maxmem=1G", "64,maxmem=1G",
             " 64", "64 M", "64MB", "size=64,id=x", "64,nosize", "help=1", "64,slots=1,maxmem=64M"])]

    def odds(self, rng, bad):
        """What has little to do with CPUs."""
        good = [
            ["-name", "x"], ["-name", "guest=x,debug-threads=on"], ["-name", "x,process=p"], ["-name", "a,,b"], ["-name", ""],
            ["-uuid", "12345678-9abc-def0-1234-56789ABCDEF0"], ["-boot", "c"], ["-boot", "order=cd,menu=on"],
            ["-boot", "strict=on"], ["-boot", "once=d,order=c"], ["-rtc", "base=utc"], ["-rtc", "clock=host"],
            ["-action", "reboot=shutdown"], ["-action", "shutdown=pause,panic=none"], ["-action", "watchdog=debug"],
            ["-msg", "timestamp=off"], ["-msg", "guest-name=on"], ["-overcommit", "mem-lock=off"], ["-no-reboot"],
            ["-no-shutdown"], ["-overcommit", "cpu-pm=off"], ["-watchdog-action", "pause"], ["-no-user-config"],
            ["-vga", "none"], ["-nic", "none"], ["-net", "none"], ["-parallel", "none"], ["-serial", "null"], ["-serial", "none"],
            ["-chardev", "null,id=ch0"], ["-chardev", "ringbuf,id=ch1,size=1k"], ["-monitor", "none"], ["-audio", "none"],
            ["-chardev", "null,id=ch2,mux=on", "-mon", "ch2"], ["-object", "memory-backend-ram,id=m0,size=1M"],
            ["-object", '{"qom-type":"memory-backend-ram","id":"m1","size":4096}'], ["-object", "iothread,id=io0"],
            ["-object", "secret,id=s0,data=abc"], ["-audiodev", "none,id=a0"], ["-run-with", "exit-with-parent=off"],
            ["-display", "none"], ["-S"], ["-nodefaults"], ["-sandbox", "off"], ["-name", "x", "-name", "y"],
            ["-boot", "a", "-boot", "menu=off"], ["-rtc", "driftfix=none"], ["-boot", "reboot-timeout=5"],
            ["-boot", "splash-time=7"], ["-M", "memory-backend=m2", "-object", "memory-backend-ram,id=m2,size=128M"],
            ["-object", "rng-builtin,id=r0"], ["-chardev", "null,id=ch3", "-serial", "chardev:ch3"],
        ]
        wrong = [
            ["-name", "foo=1"], ["-name", "x,debug-threads=x"], ["-name", "guest=a,b"], ["-name", "x,noprocess"],
            ["-uuid", rng.choice(["", "x", "12345678", "12345678-9abc-def0-1234-56789ABCDEFG", "123456789abcdef0123456789ABCDEF0",
                                  "12345678-9abc-def0-1234-56789ABCDEF", "12345678-9abc-def0-1234-56789ABCDEF01"])],
            ["-boot", rng.choice(["z", "foo=1", "menu=x", "order=cc", "strict=", "reboot-timeout=x", "splash-time=x", "once=q",
                                  "order=,menu=on", "once=", "splash-time=70000", "reboot-timeout=-2", "order", "strict"])],
            ["-rtc", rng.choice(["base=x", "clock=x", "driftfix=x", "foo=1", "", "base=2020-13-01", "base=", "utc", "x"])],
            ["-action", rng.choice(["reboot=x", "foo=pause", "", "pause", "shutdown=reset", "panic=poweroff", "reboot",
                                    "watchdog=", "reboot=none", "reboot=reset,reboot=x"])],
            ["-msg", rng.choice(["foo", "timestamp=x", "", "guest-name=", "foo=on", "guest-name", "timestamp=on,foo=1"])],
            ["-overcommit", rng.choice(["foo=on", "mem-lock=x", "cpu-pm=x", "", "mem-lock=", "mem-lock", "x"])],
            ["-watchdog-action", rng.choice(["x", "", "PAUSE", "reset,pause"])],
            ["-" + rng.choice(["foo", "", "-", "smpp", "-cpus", "M=pc", "numaa", "Smp", "machin"])],
            ["-chardev", rng.choice(["null", "foo,id=x", "null,id=ch0,foo=1", "null,id=", "null,id=1", "ringbuf,id=r,size=3",
                                     "", "id=x", "socket,id=s", "file,id=f", "null,id=ch0,mux=x", "ringbuf,id=r,size=x",
                                     "backend=null", "pipe,id=p", "socket,id=s,path=/x,host=y", "socket,id=s,host=y"])],
            ["-chardev", "null,id=d", "-chardev", "null,id=d"], ["-mon", rng.choice(["x", "chardev=x", "", "mode=control", "x,mode=y"])],
            ["-object", rng.choice(["foo,id=x", "memory-backend-ram", "memory-backend-ram,id=m", "secret,id=s", "",
                                    "memory-backend-ram,id=m,size=x", "iothread,id=io,foo=1", "memory-backend-ram,id=m,size=0",
                                    '{"qom-type":"iothread"}', '{"qom-type":"iothread","id":"x","foo":1}', "{", "id=x",
                                    "iothread,id=1", "iothread,id=io,poll-max-ns=-1", "secret,id=s,data=a,file=b",
                                    "memory-backend-ram,id=m,size=1M,share=x", "memory-backend-ram,id=m,size=1M,prealloc=1"])],
            ["-object", "iothread,id=d", "-object", "iothread,id=d"], ["-serial", rng.choice(["foo", "chardev:x", "file", "unix:"])],
            ["-monitor", rng.choice(["foo", "chardev:x"])], ["-sandbox", rng.choice(["on,foo=1", "on,spawn=x", "x"])],
            ["-set", rng.choice(["foo", "device.x.y=z", "foo.a.b=c", "chardev.x.y=z", "a.b", "machine.a.type=pc", ""])],
            ["-readconfig", "/nonexistent"], ["-audiodev", rng.choice(["foo,id=a", "none", "none,id=a,x=1"])],
            ["-display", rng.choice(["foo", "none,foo=1", "type=", ""])], ["-audio", rng.choice(["foo", "none,x=1", ""])],
            ["-vga", rng.choice(["foo", ""])], ["-nic", "foo"], ["-add-fd", rng.choice(["fd=x", "fd=0,set=1", "set=1", "fd=99,set=1"])],
            ["-L", ""],
            ["-M", "memory-backend=m3", "-object", "memory-backend-ram,id=m3,size=256M"], ["-M", "memory-backend=m4"],
            ["-d", rng.choice(["foo", "", "cpu,foo"])], ["-trace", rng.choice(["foo=1", "enable=foo_bar"])],
            ["-device", "qemu64-x86_64-cpu,id=dup", "-device", "qemu64-x86_64-cpu,id=dup"], ["-pidfile", "/nonexistent/x"],
            ["-D", "/nonexistent/x"], ["-run-with", rng.choice(["x", "exit-with-parent=x", "foo=1"])],
        ]
        return rng.choice(wrong if bad else good)

    def arguments(self, rng):
        """The command line of a case, and the model of its CPUs."""
        makers = [self.machine_property, self.cpu, self.global_, self.device, self.memory, self.odds, self.odds, self.accel,
                  self.smp_cache, self.numa_]
        chosen = [self.smp] * (rng.random() < 0.8) + rng.sample(makers, rng.choice([0, 1, 1, 2, 3, 4]))
        wrong = set(rng.sample(range(-1, len(chosen)), min(rng.choice([0, 0, 1, 1, 1, 2]), len(chosen) + 1)))
        if rng.random() < 0.85:
            wrong.discard(-1)
        # Of two wrong properties of the machine, a hash table's order says which one is told.
        of_machine = [which for which in wrong if which >= 0 and chosen[which] in (self.smp, self.smp_cache, self.machine_property)]
        wrong.difference_update(of_machine[1:] if -1 not in wrong else of_machine)
        model = rng.choice(self.models) if rng.random() < 0.3 else "qemu64"
        groups = [self.machine(rng, -1 in wrong), ["-accel", "tcg"]]
        if groups[0][1].endswith("none"):
            # It has few properties and one CPU; what it has not is wrong too.
            chosen = [maker for maker in chosen if maker not in (self.smp, self.smp_cache, self.machine_property)]
        for which, maker in enumerate(chosen):
            groups.append(maker(rng, which in wrong, model) if maker == self.device else maker(rng, which in wrong))
        if self.device in chosen:
            for _ in range(rng.choice([0, 1, 1, 2])):
                groups.append(self.device(rng, False, model))
        if model != "qemu64":
            groups.append(["-cpu", model])
        if rng.random() < 0.15:
            rng.shuffle(groups)
        return [word for group in groups for word in group], model

    def command(self, rng, model, paths):
        """A command that adds or removes a CPU, and its arguments."""
        if rng.random() < 0.3:
            return "device_del", {"id": rng.choice(["c0", "c1", "c2", "x0", "x1", "x2", "foo", "", *paths, "/machine", "/foo",
                                                    "/machine/unattached", "peripheral", "c0/x"])}
        bad = rng.random() < 0.3
        tree = {"driver": self.cpu_type(rng, bad, model), **nested(self.cpu_properties(rng, bad, True))}
        if rng.random() < 0.8:
            tree["id"] = rng.choice(["x0", "x1", "x2", "c0"] if not bad else ["x0", "1a", "", "a b", 3])
        return "device_add", tree
