"""Random steps of a monitor session, right and wrong: what is sent, out of what both programs have. Each is a function of a
random generator's state."""
import json

# Names in square brackets stand for a program's own: `[CPU0]` is the path of its first CPU.
PATHS = ["/machine", "/", "/objects", "/chardevs", "/backend", "machine", "peripheral", "/machine/peripheral", "[CPU0]", "[CPU1]", "[CPU9]",
         "/machine/unattached", "/machine/peripheral-anon", "/machine/peripheral/c1", "/machine/peripheral/c2", "/objects/o1", "/objects/o2",
         "o1", "c1", "/chardevs/ch1", "", "//", "/machine/", "/nothing", "nothing", "/machine/peripheral/c1/realized", "/machine/..", "o"]
PROPERTIES = ["type", "realized", "hotplugged", "hotpluggable", "family", "stepping", "model-id", "vendor", "apic-id", "socket-id", "core-id",
              "thread-id", "id", "size", "share", "prealloc", "host-nodes", "policy", "merge", "dump", "poll-max-ns", "aio-max-batch",
              "thread-pool-max", "data", "format", "loaded", "connected", "label", "filename", "accel", "acpi", "memory-backend", "smp", "nothing",
              "mem-merge", "unattached", "peripheral", "[CPU0]", "start-powered-off", "", "avx2", "level", "phys-bits", "pmu", "lmce"]
TYPES = ["qemu64-x86_64-cpu", "max-x86_64-cpu", "EPYC-x86_64-cpu", "Haswell-v2-x86_64-cpu", "x86_64-cpu", "base-x86_64-cpu",
         "iothread", "secret", "memory-backend-ram", "rng-builtin", "device", "object", "machine", "pc-q35-11.1-machine", "none-machine",
         "chardev-null", "chardev", "nothing", "", "cpu", "container"]
MODELS = ["qemu64", "EPYC", "Haswell-v2", "max", "base", "Nehalem", "nothing", ""]
IDS = ["o1", "o2", "o3", "c1", "c2", "c3", "ch1", "ch2", "mem0", "monitor0", "nothing", "", "1bad", "a b"]
KINDS = ["secret", "iothread", "memory-backend-ram", "rng-builtin", "null", "ringbuf", "memory", "file"]
TEXTS = ["", "x", "text", "ü", "\u0001", "a,b", "on", "0", "%s%n", "\\", "'", '"', "x" * 300, "/dev/null", "aGVsbG8="]
NUMBERS = [0, 1, 2, 3, 4, 7, 10, 63, 255, 256, 4095, 4096, 65536, 1 << 20, (1 << 20) + 1, 1 << 31, 1 << 32, (1 << 63) - 1, 1 << 63, (1 << 64) - 1,
           1 << 64, -1, -2, -(1 << 63), -(1 << 63) - 1, 1.5, 0.0, -0.0, 1e3, 4.0]
WRONG = [None, True, False, 0, -1, 1.5, "text", "", [], {}, [1], [None], {"a": 1}, {"a": {"b": []}}, 1 << 70]
REQUEST_IDS = [None, 1, -1, "text", "", True, [], {}, [1, {"a": None}], {"a": [1.5]}, 1.5, "ü\u0000", "__qmp#00001", 1 << 63, (1 << 64) - 1]
# What the lexer or the parser trips over. Each ends in a state that the byte 0xff leaves.
GARBAGE = [b"}", b"]", b"{", b"[", b"{]", b"[}", b"'", b'"', b"\\", b"x", b"nul", b"truefalse", b"01", b"1e", b"-", b"+1", b".5", b"1.", b"{'a' 1}",
           b"{'a': 1,}", b"[1,]", b"[,1]", b"{,}", b"{1: 2}", b"{'execute': }", b"{'a': 1 'b': 2}", b"'\\q'", b"'\\u12'", b"'\\ud800'", b"'\\udc00\\ud800'",
           b"\x00", b"\x01", b"\x7f", b"\xc0\x80", b"'\xc0\x80'", b"'\xed\xa0\x80'", b"'\xf4\x90\x80\x80'", b"'a\nb'", b"'\t'", b"%d", b"%", b"{'a': %s}",
           b"null", b"true", b"1", b"1.5", b"'text'", b"[]", b"[{}]", b"{}", b"{'execute': 1}", b"{'execute': null}", b"{'execute': []}",
           b"{'execute': 'query-status', 'foo': 1}", b"{'execute': 'query-status', 'arguments': 1}", b"{'execute': 'query-status', 'arguments': []}",
           b"{'execute': 'query-status', 'arguments': null}", b"{'execute': 'query-status', 'exec-oob': 'query-status'}", b"{'id': 1}",
           b"{'exec-oob': 'query-status'}", b"{'arguments': {}}", b"{'execute': 'query-status', 'execute': 'query-uuid'}", b"{'execute': ''}",
           b"{'execute': 'Query-Status'}", b"{'a': 1, 'a': 2}", b"{'execute': 'query-status', 'control': 1}", b"[" * 1030, b"{'a':" * 1030,
           b"99999999999999999999999", b"-9223372036854775809", b"{'execute': 'query-status', 'id': -9223372036854775809}", b"1e5", b"'\\u0000'",
           b"{'execute': 'query-\\u0000status'}", b"{'execute': 'nothing\xc3\xbc'}", b"{'execute': 'query-status', 'id': 'a", b"{\"execute\"", b":", b",", b"# x", b"// x"]
# Commands that are asked often: they change something.
BUSY = ["stop", "cont", "system_reset", "system_powerdown", "set-action", "watchdog-set-action", "object-add", "object-del", "chardev-add", "chardev-remove",
        "chardev-change", "ringbuf-write", "ringbuf-read", "qom-set", "qom-get", "qom-list", "qom-list-get", "device_add", "device_del", "human-monitor-command",
        "query-hotpluggable-cpus", "device-list-properties", "qom-list-properties", "query-chardev", "query-memdev", "query-iothreads"]
HUMAN = ["info status", "info name", "info uuid", "info kvm", "info numa", "info memdev", "info iothreads", "info hotpluggable-cpus",
         "info chardev", "info nothing", "info status extra", "stop", "cont", "system_reset", "system_powerdown", "c", "nothing", "", " ", "stop now",
         "print 0", "print 1+2*3",
         "print 1/0", "print (1", "print 1+", "print", "print 'a", "p 0x10", "print 1 2", "print 7%0",
         "print ~0", "print 5-3-1", "print 6&3|8^1", "print -5", "print 99999999999999999999",
         "object_add", "object_add secret,id=o1,data=x", "object_add secret,id=o1", "object_add nothing,id=o1", "object_add secret,data=x", "object_add iothread,id=o2",
         "object_add iothread,id=o2,poll-max-ns=-1", "object_add memory-backend-ram,id=o3,size=4M", "object_add memory-backend-ram,id=o3,size=0", "object_add qom-type=iothread",
         "object_del o1", "object_del o2", "object_del nothing", "object_del", "device_add qemu64-x86_64-cpu,id=c1", "device_add nothing", "device_add", "device_add qemu64-x86_64-cpu,id=c2,foo=1",
         "device_add driver=x", "device_del nothing", "device_del", "qom-list", "qom-list /nothing", "qom-get /machine type", "qom-get /machine nothing",
         "qom-get /machine", "qom-get", "qom-get /objects/o1 format", "qom-set /machine nothing 1", "qom-set /objects/o2 poll-max-ns 100", "qom-set /objects/o2 poll-max-ns x",
         "qom-set -j /objects/o2 poll-max-ns 200", "qom-set", "chardev-add null,id=ch1", "chardev-add null", "chardev-add ringbuf,id=ch2,size=16",
         "chardev-add nothing,id=ch3", "chardev-add ringbuf,id=ch2,size=3", "chardev-remove ch1", "chardev-remove nothing", "chardev-remove", "chardev-send-break ch1", "chardev-change ch1 null",
         "ringbuf_write ch2 text", "ringbuf_read ch2 10", "ringbuf_read ch2 -1", "ringbuf_read nothing 1", "ringbuf_write nothing x", "watchdog_action pause", "watchdog_action nothing",
         "watchdog_action", "help stop", "help nothing", "help info status", "? cont", "help qom-list", "exit_preconfig", "stop;cont", "  stop  ", "info  status", "'info' status", "\"stop\"",
         "print \"1\"", "INFO status", "inf status", "info stat", "sto", "system_reset 1"]


def names_of(members, rng, mandatory, optional):
    """The members that a request has."""
    return [member for member in members if rng.random() < (optional if "default" in member else mandatory)]


class Steps:
    """What can be said to programs that have these commands; `schema` is the reference's entries by name."""

    def __init__(self, schema, commands):
        self.schema = schema
        self.commands = sorted(commands)
        self.busy = [name for name in BUSY if name in commands]

    # Arguments.

    def value(self, rng, name, member):
        """A value for an argument, mostly of its type."""
        if rng.random() < 0.08:
            return rng.choice(WRONG)
        return self.of_type(rng, name, self.schema[member], 0)

    def of_type(self, rng, name, entry, depth):
        """A value of a type."""
        kind = entry["meta-type"]
        if kind == "builtin":
            return self.builtin(rng, name, entry["json-type"])
        if kind == "enum":
            values = [value["name"] for value in entry["members"]]
            # Of types of objects and of character devices those that both have.
            values = [value for value in values if value in KINDS] if "ringbuf" in values or "secret" in values else values
            return rng.choice(values) if rng.random() < 0.9 else rng.choice(["nothing", "", values[0].upper(), 0])
        if kind == "array":
            return [self.of_type(rng, name, self.schema[entry["element-type"]], depth + 1) for _ in range(rng.choice([0, 1, 1, 2]))]
        if kind == "alternate":
            return self.of_type(rng, name, self.schema[rng.choice(entry["members"])["type"]], depth + 1)
        return self.members(rng, entry, depth + 1)

    def builtin(self, rng, name, kind):
        """A value of a type without parts; the argument's name tells which ones mean something."""
        if kind == "string":
            if name in ("path", "qom-path"):
                return rng.choice(PATHS)
            if name == "paths":
                return rng.choice(PATHS)
            if name == "property":
                return rng.choice(PROPERTIES)
            if name in ("typename", "qom-type", "driver", "implements"):
                return rng.choice(TYPES)
            if name in ("id", "device"):
                return rng.choice(IDS)
            if name == "name":
                return rng.choice(MODELS)
            if name in ("logfile", "in"):
                # Of several mistakes either may be told.
                return "/dev/null"
            if name in ("out", "dirname", "filename", "mem-path"):
                # Nothing is to be made outside: what is opened is there, or cannot be made.
                return rng.choice(["/dev/null", "/nothing/here", ""])
            if name == "command-line":
                return rng.choice(HUMAN)
            return rng.choice(TEXTS)
        if kind in ("int", "number"):
            return rng.choice(NUMBERS)
        if kind == "boolean":
            return rng.random() < 0.5
        if kind == "null":
            return None
        return rng.choice(WRONG + NUMBERS + TEXTS + [True, "bind", "preferred", "raw", "base64"])

    def members(self, rng, entry, depth):
        """An object of a type, sometimes without what it needs or with what it does not have."""
        tree = {}
        for member in names_of(entry.get("members", []), rng, 0.93, 0.35 if depth < 4 else 0.1):
            tree[member["name"]] = self.value(rng, member["name"], member["type"])
        tag = entry.get("tag")
        chosen = [variant for variant in entry.get("variants", []) if variant["case"] == tree.get(tag)]
        for variant in chosen:
            tree.update(self.members(rng, self.schema[variant["type"]], depth + 1))
        if rng.random() < 0.06:
            tree[rng.choice(["foo", "", "id", "execute", "a.b", "x-y"])] = rng.choice(WRONG)
        return tree

    def device_add(self, rng):
        """A CPU at a place that may exist; ids come back."""
        tree = {"driver": rng.choice(["qemu64-x86_64-cpu"] * 6 + TYPES)}
        if rng.random() < 0.9:
            tree["id"] = rng.choice(["c1", "c2", "c3"]) if rng.random() < 0.85 else rng.choice(IDS)
        for name in ("socket-id", "die-id", "module-id", "core-id", "thread-id"):
            if rng.random() < (0.9 if name in ("socket-id", "core-id", "thread-id") else 0.1):
                tree[name] = rng.choice([0, 0, 0, 1, 1, 2, 3])
        # Of several wrong properties the reference tells the first in a hash table's order.
        if rng.random() < 0.2:
            tree[rng.choice(["socket-id", "die-id", "module-id", "core-id", "thread-id"])] = rng.choice(NUMBERS + WRONG)
        elif rng.random() < 0.1:
            tree[rng.choice(["foo", "family", "apic-id", "node-id", "hotplugged", "realized", "", "bus"])] = rng.choice(WRONG + NUMBERS)
        return tree

    def object_add(self, rng):
        """An object of a type that both have."""
        kind = rng.choice(["secret", "secret", "iothread", "memory-backend-ram", "rng-builtin"])
        tree = {"qom-type": kind, "id": rng.choice(["o1", "o2", "o3"]) if rng.random() < 0.9 else rng.choice(IDS)}
        some = {"secret": {"data": rng.choice(["", "aGVsbG8=", "!"]), "format": rng.choice(["raw", "base64"]), "keyid": "o1", "iv": "AAAA"},
                "iothread": {"poll-max-ns": rng.choice(NUMBERS), "aio-max-batch": rng.choice(NUMBERS[:12]), "thread-pool-max": rng.choice([1, 2, 64])},
                "memory-backend-ram": {"size": rng.choice([4096, 8192, 1 << 20, 4097, 0, -1 + 1]), "share": rng.random() < 0.5, "merge": rng.random() < 0.5,
                                       "dump": rng.random() < 0.5, "policy": rng.choice(["default", "bind", "preferred"]), "prealloc": False},
                "rng-builtin": {}}[kind]
        # The reference tells of several wrong properties the first in a hash table's order: at most one that may be wrong.
        for name in rng.sample(sorted(some), min(len(some), rng.choice([0, 1, 1, 2]))):
            tree[name] = some[name]
        if kind == "memory-backend-ram" and rng.random() < 0.85:
            tree.setdefault("size", 4096)
        if kind == "secret" and rng.random() < 0.8:
            tree = {key: value for key, value in tree.items() if key not in ("keyid", "iv")} | {"data": "aGVsbG8="}
        if rng.random() < 0.1:
            tree[rng.choice(sorted(some) or ["foo"])] = rng.choice(WRONG)
        return tree

    def chardev_add(self, rng):
        """A character device that touches nothing outside."""
        kind = rng.choice(["null", "ringbuf", "ringbuf", "memory", "nothing", "file"])
        data = {"ringbuf": {"size": rng.choice([16, 64, 3, 0, 65536])} if rng.random() < 0.7 else {}, "file": {"out": "/dev/null"}}.get(kind, {})
        if rng.random() < 0.1:
            data = rng.choice(WRONG + [{"size": "x"}, {"logfile": 1}, {"foo": 1}])
        # One without a name is refused here.
        return {"id": rng.choice(["ch1", "ch2"]) if rng.random() < 0.85 else rng.choice(IDS) or "ch3", "backend": {"type": kind, "data": data}}

    def arguments(self, rng, command):
        """Arguments of a command."""
        if command == "human-monitor-command":
            tree = {"command-line": rng.choice(HUMAN)}
            if rng.random() < 0.2:
                tree["cpu-index"] = rng.choice([0, 0, 1, 5, -1, "0", None])
            return tree
        special = {"device_add": self.device_add, "object-add": self.object_add, "chardev-add": self.chardev_add}.get(command)
        if special and (command == "object-add" or rng.random() < 0.85):
            return special(rng)
        entry = self.schema[command]
        return self.members(rng, self.schema[entry["arg-type"]], 0)

    # Requests.

    def request(self, rng, negotiated, oob):
        """A request as a tree."""
        command = rng.choice(self.busy if rng.random() < 0.75 else self.commands)
        if rng.random() < 0.02:
            command = rng.choice(["nothing", "", "query_status", "Stop", "x" * 200])
        if not negotiated and rng.random() < 0.5:
            command = "qmp_capabilities"
        key = "exec-oob" if (oob and rng.random() < 0.05) else "execute"
        tree = {key: command}
        if command == "qmp_capabilities":
            if rng.random() < 0.5:
                tree["arguments"] = rng.choice([{}, {"enable": []}, {"enable": ["nothing"]}, {"enable": "oob"}, {"foo": 1}, {"enable": [1]}])
        elif command in self.schema:
            arguments = self.arguments(rng, command)
            if arguments or rng.random() < 0.3:
                tree["arguments"] = arguments
        if rng.random() < 0.5:
            tree["id"] = rng.choice(REQUEST_IDS)
        if rng.random() < 0.01:
            tree[rng.choice(["foo", "", "arguments"])] = rng.choice(WRONG)
        if rng.random() < 0.2:
            items = list(tree.items())
            rng.shuffle(items)
            tree = dict(items)
        return tree

    def text(self, rng, tree):
        """A request as JSON, in one of the ways to write it."""
        kind = rng.randrange(6)
        if kind == 0:
            return json.dumps(tree, indent=rng.choice([1, 4]), ensure_ascii=False).encode(errors="surrogatepass")
        if kind == 1:
            return json.dumps(tree, separators=(",", ":")).encode()
        text = json.dumps(tree)
        if kind == 2 and "'" not in text and '\\"' not in text:
            text = text.replace('"', "'")
        return text.encode()

    def step(self, rng, negotiated, oob):
        """What is sent at once: mostly one request, sometimes several, or garbage."""
        kind = rng.random()
        if kind < 0.06:
            parts = [rng.choice(GARBAGE) for _ in range(rng.choice([1, 1, 2, 3]))]
            if not oob or not any(b"exec-oob" in part for part in parts):
                return b" ".join(parts) + b"\xff"
        # One that overtakes others would come in any order.
        count = rng.choice([2, 2, 3, 5]) if kind < 0.16 and not oob else 1
        texts = [self.text(rng, self.request(rng, negotiated, oob)) for _ in range(count)]
        if kind < 0.08 and not oob:
            texts.insert(rng.randrange(count + 1), rng.choice(GARBAGE) + b"\xff")
        return rng.choice([b"", b" ", b"\n", b"\r\n"]).join(texts) + rng.choice([b"\n", b"\r\n", b"", b" "])
