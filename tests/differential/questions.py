"""Random questions about CPUs, out of what both programs have; each is a function of a random generator's state."""

# Of a machine's smp-cache, where this program's machines have it.
CACHES = ["l1d", "l1i", "l2", "l3"]
LEVELS = ["thread", "core", "module", "die", "socket", "default"]
OTHER_NAMES = {"sse3": "pni", "pclmuldq": "pclmulqdq", "ffxsr": "fxsr-opt", "i64": "lm", "xd": "nx",
               "hv-apicv": "hv-avic"}
WRONG = [None, "on", "off", "text", "", 3, -1, 1.5, 2**63, 2**64, [], {}, True]


def same_property(name):
    """One name for all spellings of a property."""
    name = name.replace("_", "-").replace(".", "-")
    return OTHER_NAMES.get(name, name)


class Questions:
    """What can be asked under one accelerator."""

    def __init__(self, accel, sessions, not_compared):
        self.accel = accel
        names = [{d["name"] for d in session.ask("query-cpu-definitions")} for session in sessions]
        # `host` without KVM is explained in docs/differences.md.
        self.models = sorted(names[0] - ({"host"} if accel == "tcg" else set()))
        machines = [{m["name"] for m in session.ask("query-machines")} for session in sessions]
        self.machines = sorted(machines[0] & machines[1])
        typename = f"{self.machines[-1]}-machine"
        listed = sessions[1].ask("qom-list-properties", typename=typename)
        self.smp_cache = any(p.get("name") == "smp-cache" for p in listed)
        listed = [{p["name"]: p for p in session.ask("device-list-properties", typename="max-x86_64-cpu")}
                  for session in sessions]
        self.missing = sorted(set(listed[0]) - set(listed[1]) - not_compared)
        self.names = sorted(set(listed[0]) & set(listed[1]) - not_compared)
        self.switches = [name for name in self.names if listed[0][name]["type"] == "bool"]

    def number(self, rng):
        """A property that is no switch, and a value, which may be out of its range."""
        # Under KVM this program does not ask for a frequency (docs/differences.md).
        frequency = ("tsc-frequency", rng.randrange(10**10)) if self.accel == "tcg" else ("stepping", 3)
        return rng.choice([
            frequency, ("level", rng.randrange(0x30)), ("xlevel", 0x80000000 + rng.randrange(0x30)),
            ("min-level", rng.randrange(0x30)), ("min-xlevel", 0x80000000 + rng.randrange(0x30)),
            ("xlevel2", 0xc0000000 + rng.randrange(6)), ("min-xlevel2", 0xc0000000 + rng.randrange(6)),
            # Above 52 the reference aborts under KVM.
            ("phys-bits", rng.randrange(28, 53)), ("guest-phys-bits", rng.randrange(28, 56)),
            ("host-phys-bits-limit", rng.randrange(28, 56)), ("level-func7", rng.randrange(4)),
            ("family", rng.randrange(300)), ("model", rng.randrange(260)), ("stepping", rng.randrange(20)),
            ("vendor", rng.choice(["GenuineIntel", "AuthenticAMD", "HygonGenuine", "CentaurHauls", "  Shanghai  ",
                                   "x", "", "twelve bytes"])),
            ("model-id", "some name, of a CPU that is longer than it can be"[:rng.randrange(50)].replace(",", "")),
            ("lbr-fmt", rng.randrange(70)), ("avx10-version", rng.randrange(4)),
            ("hv-spinlocks", rng.randrange(1 << 33)), ("hv-vendor-id", "abcdefghijklmnop"[:rng.randrange(16)]),
            ("hv-version-id-build", rng.randrange(1 << 33)), ("hv-version-id-major", rng.randrange(1 << 17)),
            ("ucode-rev", rng.randrange(1 << 40)), ("x-l1-cache-per-thread", rng.random() < 0.5),
            ("hv-no-nonarch-coresharing", rng.choice(["on", "off", "auto"])), ("enforce", True)])

    def switch(self, rng, pool):
        """A switch: often one of few, so that parts of a text are about the same."""
        return rng.choice(pool if rng.random() < 0.5 else self.switches)

    def setting(self, rng, pool):
        """One part of a -cpu text."""
        kind = rng.randrange(20)
        name = self.switch(rng, pool)
        if kind < 6:
            return "+" + name
        if kind < 11:
            return "-" + name
        if kind < 15:
            return f"{name}={rng.choice(['on', 'off'])}"
        if kind < 19:
            name, value = self.number(rng)
            if isinstance(value, bool):
                value = "on" if value else "off"
            if isinstance(value, int) and rng.random() < 0.3:
                value = hex(value)
            return f"{name}={value}"
        frequency = "tsc-freq=1G" if self.accel == "tcg" else "tsc-freq=x"
        return rng.choice(["x-force-features=on", "check=off", "legacy-cache=off", "l3-cache=off", "pmu=on",
                           "vmx=on", "svm=on", "migratable=off", "hv-passthrough=on", "kvm=off", "xsave=on",
                           "arch-capabilities=on", name, f"{name}=maybe", "+no-such", "no-such=1", "", "level=-1",
                           "family=1.5", "phys-bits=x", frequency, f"{name.replace('-', '_')}=on"])

    def smp(self, rng):
        """The value of -smp."""
        counts = {level: rng.choice([1, 1, 1, 2, 3])
                  for level in ("sockets", "dies", "modules", "cores", "threads")}
        total = 1
        for count in counts.values():
            total *= count
        if total > 40:
            total //= counts["sockets"]
            counts["sockets"] = 1
        cpus = rng.randrange(1, total + 1) if rng.random() < 0.25 else total
        return ",".join([f"{cpus},maxcpus={total}", *(f"{level}={count}" for level, count in counts.items())])

    def arguments(self, rng):
        """The command line of a case."""
        machine = rng.choice(self.machines)
        model = rng.choice(self.models)
        pool = rng.sample(self.switches, 3)
        arguments = ["-M", machine, "-accel", self.accel]
        while rng.random() < 0.12:
            of = rng.choice(["x86_64-cpu", f"{model}-x86_64-cpu", f"{rng.choice(self.models)}-x86_64-cpu"])
            name, value = (self.switch(rng, pool), rng.random() < 0.5) if rng.random() < 0.7 else self.number(rng)
            value = ("on" if value else "off") if isinstance(value, bool) else value
            if name not in ("enforce", "model-id", "vendor"):
                arguments += ["-global", f"{of}.{name}={value}"]
        if machine == "none":
            return arguments
        if self.smp_cache and rng.random() < 0.2:
            for index, cache in enumerate(rng.sample(CACHES, rng.randrange(1, 5))):
                arguments[1] += f",smp-cache.{index}.cache={cache},smp-cache.{index}.topology={rng.choice(LEVELS)}"
        parts = [self.setting(rng, pool) for _ in range(rng.randrange(7))]
        if self.accel == "kvm" and rng.random() < 0.8:
            # The reference aborts under a KVM that lacks the MSR of this feature.
            parts.append("-arch-capabilities")
        text = ",".join([model, *parts])
        return [*arguments, "-cpu", text, "-smp", self.smp(rng)]

    def expansion(self, rng):
        """Arguments of query-cpu-model-expansion; at most one of them is wrong."""
        model = {"name": rng.choice(self.models) if rng.random() < 0.98 else "no-such"}
        props = {}
        for _ in range(rng.choice([0, 0, 1, 2, 4, 8])):
            if rng.random() < 0.75:
                props[rng.choice(self.switches)] = rng.random() < 0.5
            else:
                name, value = self.number(rng)
                # A number out of its range is wrong too, and may meet another that is.
                if name not in ("hv-spinlocks", "vendor", "x-l1-cache-per-thread", "family", "model", "stepping",
                                "hv-version-id-major", "hv-version-id-build", "model-id", "hv-vendor-id"):
                    props[name] = value
        # Two spellings of one property with two values: whichever comes last wins, and that is a matter of hashes.
        spellings = {}
        for name in list(props):
            if spellings.setdefault(same_property(name), name) != name:
                del props[name]
        if rng.random() < 0.15:
            props = {rng.choice(self.names + ["no-such"]): rng.choice(WRONG)}
        elif rng.random() < 0.15:
            props = dict([self.number(rng)])
        if props or rng.random() < 0.5:
            model["props"] = props
        return {"type": rng.choice(["static", "full"]), "model": model}
