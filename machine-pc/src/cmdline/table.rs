//! The table of options: what each is called, whether it takes an argument, and its help text.
//!
//! Every name that QEMU has is here: either among the options provided, which make up `-help`, or among
//! those refused, with the reason. So a name that is in neither list is a mistake of the user's, and is
//! called that.

/// An option that is provided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OptionId {
    Help,
    Version,
    Machine,
    Cpu,
    Accel,
    EnableKvm,
    DumpHost,
    Smp,
    Memory,
    Device,
    Object,
    Numa,
    Global,
    Name,
    Uuid,
    Bios,
    Serial,
    Debugcon,
    Parallel,
    Monitor,
    Mon,
    Qmp,
    QmpPretty,
    Chardev,
    Stopped,
    Preconfig,
    NoShutdown,
    NoReboot,
    NoDefaults,
    NoUserConfig,
    Display,
    Vga,
    Nographic,
    Net,
    Nic,
    Daemonize,
    Pidfile,
    Message,
    Action,
    WatchdogAction,
    Compat,
    Echr,
    Seed,
    AddFd,
    Append,
    Initrd,
    Kernel,
    Shim,
    Audio,
    Audiodev,
    Boot,
    LogFile,
    LogItems,
    DataDirectory,
    Overcommit,
    ReadConfig,
    Rtc,
    RunWith,
    Sandbox,
    Set,
    Trace,
}

/// Whether an option can be given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Support {
    /// Yes.
    Provided(OptionId),
    /// No, and why not.
    Refused(&'static str),
}

/// One option of the provided ones.
pub(super) struct OptionSpec {
    /// Names without the dash; the first one is shown in front.
    pub(super) names: &'static [&'static str],
    /// The argument's form, if there is one.
    pub(super) argument: Option<&'static str>,
    /// What it does, in lines.
    pub(super) help: &'static [&'static str],
    pub(super) id: OptionId,
}

/// A heading of the help text and the options below it.
pub(super) struct Section {
    pub(super) title: &'static str,
    pub(super) options: &'static [OptionSpec],
}

const fn flag(names: &'static [&'static str], id: OptionId, help: &'static [&'static str]) -> OptionSpec {
    OptionSpec { names, argument: None, help, id }
}

const fn with(
    names: &'static [&'static str],
    argument: &'static str,
    id: OptionId,
    help: &'static [&'static str],
) -> OptionSpec {
    OptionSpec { names, argument: Some(argument), help, id }
}

/// The options provided, in the order of the help text.
pub(super) const SECTIONS: &[Section] = &[
    Section {
        title: "Standard options",
        options: &[
            flag(&["h", "help"], OptionId::Help, &["show this text and exit"]),
            flag(&["version"], OptionId::Version, &["show the version and exit"]),
            with(
                &["machine", "M"],
                "[type=]name[,prop=value[,...]]",
                OptionId::Machine,
                &[
                    "use this machine type ('-machine help' lists them,",
                    "'-machine name,help' lists a type's properties)",
                    "accel=accel1[:accel2[:...]] names accelerators to try in order",
                ],
            ),
            with(
                &["cpu"],
                "model[,prop=value[,...]]",
                OptionId::Cpu,
                &[
                    "use this CPU model ('-cpu help' lists models and features);",
                    "+feature and -feature switch one on and off",
                ],
            ),
            with(
                &["accel"],
                "[accel=]accelerator[,prop=value[,...]]",
                OptionId::Accel,
                &[
                    "try this accelerator (kvm, tcg or qtest; '-accel help' lists them);",
                    "may be repeated; without it kvm is used where it is usable, else tcg;",
                    "kvm,host=file takes what KVM supports from a host file and runs no guest",
                ],
            ),
            with(
                &["dump-host"],
                "file",
                OptionId::DumpHost,
                &["write what this machine's KVM supports to a host file ('-' for standard output)"],
            ),
            flag(&["enable-kvm"], OptionId::EnableKvm, &["as -machine accel=kvm"]),
            with(
                &["smp"],
                "[[cpus=]n][,maxcpus=n][,sockets=n][,dies=n][,modules=n][,cores=n][,threads=n]",
                OptionId::Smp,
                &[
                    "start with this many CPUs (default 1)",
                    "maxcpus: how many there can be with those plugged in later",
                    "sockets, dies, modules, cores, threads: how many of each are in one of the",
                    "level before it; what is left out is computed",
                ],
            ),
            with(
                &["m"],
                "[size=]megs",
                OptionId::Memory,
                &["give the guest this much memory; suffixes k, M, G, T (default unit: MiB)"],
            ),
            with(
                &["name"],
                "[guest=]name[,process=name]",
                OptionId::Name,
                &["name the guest", "process: name of the process"],
            ),
            with(&["uuid"], "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx", OptionId::Uuid, &["UUID of the machine"]),
            with(
                &["device"],
                "driver[,prop=value[,...]]",
                OptionId::Device,
                &[
                    "add a device; the argument may be a JSON object",
                    "('-device help' lists the drivers, '-device driver,help' a driver's properties)",
                ],
            ),
            with(
                &["object"],
                "type,id=id[,prop=value[,...]]",
                OptionId::Object,
                &["create an object; the argument may be a JSON object ('-object help' lists the types)"],
            ),
            with(
                &["numa"],
                "kind[,prop=value[,...]]",
                OptionId::Numa,
                &[
                    "divide CPUs and memory among nodes; kinds and their properties:",
                    "node[,nodeid=node][,cpus=first[-last]]...[,memdev=id][,initiator=node]",
                    "dist,src=node,dst=node,val=distance",
                    "cpu,node-id=node[,socket-id=n][,die-id=n][,module-id=n][,core-id=n][,thread-id=n]",
                    "hmat-lb,initiator=node,target=node,hierarchy=memory|first-level|second-level|third-level,",
                    "      data-type=access-latency|read-latency|write-latency,latency=nanoseconds",
                    "hmat-lb,...,data-type=access-bandwidth|read-bandwidth|write-bandwidth,bandwidth=size",
                    "hmat-cache,node-id=node,size=size,level=level,associativity=none|direct|complex,",
                    "      policy=none|write-back|write-through,line=size",
                ],
            ),
            with(
                &["global"],
                "driver.property=value",
                OptionId::Global,
                &[
                    "set the default of a property of every device of that type;",
                    "also as driver=driver,property=property,value=value",
                ],
            ),
            with(
                &["set"],
                "group.id.arg=value",
                OptionId::Set,
                &["set an argument of an option given before, such as chardev.serial0.path=file"],
            ),
            with(
                &["readconfig"],
                "file",
                OptionId::ReadConfig,
                &["read options from a file of [group \"id\"] headings and arg = \"value\" lines"],
            ),
        ],
    },
    Section {
        title: "Firmware and clock",
        options: &[
            with(&["bios"], "file", OptionId::Bios, &["map this firmware image"]),
            with(
                &["L"],
                "path",
                OptionId::DataDirectory,
                &["look for firmware images in this directory too ('-L help' lists them)"],
            ),
            with(
                &["boot"],
                "[order=]drives[,once=drives][,menu=on|off][,strict=on|off][,splash=file]...",
                OptionId::Boot,
                &[
                    "drives: 'a' and 'b' floppy, 'c' hard disk, 'd' CD-ROM, 'n' to 'p' network;",
                    "kept with the machine; there is nothing to boot from but the firmware image",
                ],
            ),
            with(
                &["kernel"],
                "file",
                OptionId::Kernel,
                &["boot this kernel with no firmware: a Linux bzImage, or an ELF file with a PVH entry"],
            ),
            with(&["initrd"], "file", OptionId::Initrd, &["give this initial RAM disk to the kernel"]),
            with(&["append"], "text", OptionId::Append, &["give this command line to the kernel"]),
            with(&["shim"], "file", OptionId::Shim, &["not supported"]),
            with(
                &["rtc"],
                "[base=utc][,clock=host][,driftfix=none|slew]",
                OptionId::Rtc,
                &["there is no real-time clock; what would have to be shown on one is refused"],
            ),
        ],
    },
    Section {
        title: "Character devices and monitors",
        options: &[
            with(
                &["chardev"],
                "backend,id=id[,prop=value[,...]]",
                OptionId::Chardev,
                &[
                    "define a character device; backends and their properties:",
                    "stdio[,signal=on|off]",
                    "null",
                    "file,path=path[,append=on|off][,input-path=path]",
                    "pipe,path=path",
                    "ringbuf[,size=bytes]",
                    "pty[,path=path]",
                    "socket,path=path[,server=on|off][,wait=on|off][,abstract=on|off][,tight=on|off]",
                    "      [,reconnect-ms=milliseconds]",
                    "socket,host=host,port=port[,to=port][,ipv4=on|off][,ipv6=on|off][,nodelay=on|off]...",
                    "socket,fd=number...",
                    "all: [,mux=on|off][,logfile=path][,logappend=on|off][,logtimestamp=on|off]",
                ],
            ),
            with(
                &["serial"],
                "dev",
                OptionId::Serial,
                &[
                    "connect the next serial port to a character device: stdio, null, none,",
                    "file:path, pty, unix:path[,server][,nowait], tcp:[host]:port[,server][,nowait],",
                    "chardev:id, mon:dev (shared with a monitor)",
                ],
            ),
            with(
                &["debugcon"],
                "dev",
                OptionId::Debugcon,
                &["connect a debug console at port 0xe9 to a character device (as for -serial)"],
            ),
            with(&["parallel"], "none", OptionId::Parallel, &["there is no parallel port"]),
            with(
                &["monitor"],
                "dev",
                OptionId::Monitor,
                &["put a human monitor on a character device (as for -serial); none for none"],
            ),
            with(&["qmp"], "dev", OptionId::Qmp, &["as -monitor, with QMP"]),
            with(&["qmp-pretty"], "dev", OptionId::QmpPretty, &["as -qmp, with replies indented"]),
            with(
                &["mon"],
                "[chardev=]id[,mode=readline|control][,pretty=on|off][,id=id]",
                OptionId::Mon,
                &["put a monitor on a character device defined with -chardev"],
            ),
            with(
                &["echr"],
                "number",
                OptionId::Echr,
                &["the key that begins a command to a shared character device, instead of Ctrl-A"],
            ),
            with(
                &["add-fd"],
                "fd=fd,set=set[,opaque=opaque]",
                OptionId::AddFd,
                &[
                    "add an inherited file descriptor to a set; /dev/fdset/set is then the path of",
                    "a file that is opened through it",
                ],
            ),
        ],
    },
    Section {
        title: "Running",
        options: &[
            flag(&["S"], OptionId::Stopped, &["do not start the CPUs until a monitor says cont"]),
            with(&["seed"], "number", OptionId::Seed, &["nothing to do: no guest is given random numbers"]),
            with(
                &["compat"],
                "[deprecated-input=accept][,deprecated-output=accept]...",
                OptionId::Compat,
                &["nothing to do: what is deprecated or unstable is accepted and shown"],
            ),
            flag(
                &["preconfig"],
                OptionId::Preconfig,
                &["make the machine when a monitor says x-exit-preconfig or exit_preconfig"],
            ),
            flag(
                &["no-shutdown"],
                OptionId::NoShutdown,
                &["stop instead of exiting when the guest powers off"],
            ),
            flag(&["no-reboot"], OptionId::NoReboot, &["exit instead of rebooting"]),
            with(
                &["action"],
                "[reboot=reset|shutdown][,shutdown=poweroff|pause]...",
                OptionId::Action,
                &[
                    "reboot: what a reset by the guest does",
                    "shutdown: what a power-off by the guest does",
                    "panic=pause|shutdown|exit-failure|none, watchdog=reset|shutdown|poweroff|",
                    "inject-nmi|pause|debug|none: no device here reports either",
                ],
            ),
            with(&["watchdog-action"], "action", OptionId::WatchdogAction, &["as -action watchdog=action"]),
            flag(&["nodefaults"], OptionId::NoDefaults, &["no default serial port and monitor"]),
            flag(
                &["no-user-config"],
                OptionId::NoUserConfig,
                &["nothing to do: no configuration file is read"],
            ),
            with(
                &["display"],
                "none",
                OptionId::Display,
                &["no default monitor and console on the terminal"],
            ),
            flag(
                &["nographic"],
                OptionId::Nographic,
                &["serial port and monitor share the terminal (Ctrl-a c switches)"],
            ),
            with(&["audio"], "none", OptionId::Audio, &["there is no audio"]),
            with(
                &["audiodev"],
                "none,id=id[,prop=value[,...]]",
                OptionId::Audiodev,
                &["audio that nothing is played on; the argument may be a JSON object"],
            ),
            with(&["vga"], "none", OptionId::Vga, &["there is no graphics card"]),
            with(&["net"], "none", OptionId::Net, &["there is no network"]),
            with(&["nic"], "none", OptionId::Nic, &["there is no network"]),
            flag(&["daemonize"], OptionId::Daemonize, &["go to the background once everything is ready"]),
            with(&["pidfile"], "file", OptionId::Pidfile, &["write the process ID to this file"]),
            with(
                &["msg"],
                "[timestamp=on|off][,guest-name=on|off]",
                OptionId::Message,
                &[
                    "timestamp: put the time in front of messages",
                    "guest-name: put the guest's name in front of messages",
                ],
            ),
            with(
                &["overcommit"],
                "[mem-lock=on|off|on-fault][,cpu-pm=off]",
                OptionId::Overcommit,
                &["mem-lock: keep all memory of the program in RAM, at once or once it was touched"],
            ),
            with(
                &["run-with"],
                "[exit-with-parent=on|off]",
                OptionId::RunWith,
                &["exit-with-parent: end with the process that started this one"],
            ),
            with(
                &["sandbox"],
                "on[,obsolete=allow|deny][,elevateprivileges=allow|deny|children]...",
                OptionId::Sandbox,
                &[
                    "have the kernel refuse system calls that this program has no need of",
                    "obsolete, elevateprivileges, spawn, resourcecontrol: refuse those too",
                    "[,spawn=allow|deny][,resourcecontrol=allow|deny]",
                ],
            ),
            with(
                &["trace"],
                "[[enable=]pattern][,events=file][,file=file]",
                OptionId::Trace,
                &["log what these parts of the program do ('-trace help' lists them)"],
            ),
            with(&["d"], "item1,...", OptionId::LogItems, &["log these items ('-d help' lists them)"]),
            with(&["D"], "file", OptionId::LogFile, &["log to this file instead of standard error"]),
        ],
    },
];

const NO_DISKS: &str = "there are no disks";
const NO_GRAPHICS: &str = "there is no graphics";
pub(super) const NO_AUDIO: &str = "there is no audio";
const NO_NETWORK: &str = "there is no network";
const NO_DEVICE_TREE: &str = "PCs have no device tree";
const NO_MIGRATION: &str = "there is no migration";
const NO_TCG: &str = "guest code is not translated";
const NO_SUCH_DEVICE: &str = "there is no such device";
const NO_FIRMWARE_DATA: &str = "nothing is passed to firmware";
const NO_MEMORY_CHOICE: &str = "where memory comes from cannot be chosen";
const NOT_YET: &str = "it is not implemented";

/// QEMU's other options: name, whether it takes an argument, why it is refused.
pub(super) const REFUSED: &[(&str, bool, &str)] = &[
    ("acpitable", true, NO_FIRMWARE_DATA),
    ("blockdev", true, NO_DISKS),
    ("cdrom", true, NO_DISKS),
    ("dfilter", true, NO_TCG),
    ("drive", true, NO_DISKS),
    ("dtb", true, NO_DEVICE_TREE),
    ("dump-vmstate", true, NO_MIGRATION),
    ("enable-sync-profile", false, NOT_YET),
    ("fda", true, NO_DISKS),
    ("fdb", true, NO_DISKS),
    ("fsdev", true, NO_DISKS),
    ("full-screen", false, NO_GRAPHICS),
    ("fw_cfg", true, NO_FIRMWARE_DATA),
    ("g", true, NO_GRAPHICS),
    ("gdb", true, NOT_YET),
    ("hda", true, NO_DISKS),
    ("hdb", true, NO_DISKS),
    ("hdc", true, NO_DISKS),
    ("hdd", true, NO_DISKS),
    ("icount", true, NO_TCG),
    ("incoming", true, NO_MIGRATION),
    ("iscsi", true, NO_DISKS),
    ("jitdump", false, NO_TCG),
    ("k", true, NO_GRAPHICS),
    ("loadvm", true, NO_MIGRATION),
    ("mem-path", true, NO_MEMORY_CHOICE),
    ("mem-prealloc", false, NO_MEMORY_CHOICE),
    ("mtdblock", true, NO_DISKS),
    ("netdev", true, NO_NETWORK),
    ("no-fd-bootchk", false, NO_DISKS),
    ("only-migratable", false, NO_MIGRATION),
    ("option-rom", true, NO_FIRMWARE_DATA),
    ("perfmap", false, NO_TCG),
    ("pflash", true, NO_DISKS),
    ("plugin", true, NO_TCG),
    ("prom-env", true, NO_FIRMWARE_DATA),
    ("qtest", true, NOT_YET),
    ("qtest-log", true, NOT_YET),
    ("s", false, NOT_YET),
    ("sd", true, NO_DISKS),
    ("semihosting", false, NO_TCG),
    ("semihosting-config", true, NO_TCG),
    ("smbios", true, NO_FIRMWARE_DATA),
    ("snapshot", false, NO_DISKS),
    ("spice", true, NO_GRAPHICS),
    ("tpmdev", true, NO_SUCH_DEVICE),
    ("usb", false, NO_SUCH_DEVICE),
    ("usbdevice", true, NO_SUCH_DEVICE),
    ("virtfs", true, NO_DISKS),
    ("vnc", true, NO_GRAPHICS),
    ("win2k-hack", false, NO_DISKS),
    ("xen-attach", false, NO_SUCH_DEVICE),
    ("xen-domid", true, NO_SUCH_DEVICE),
    ("xen-domid-restrict", false, NO_SUCH_DEVICE),
];

/// Whether there is such an option, and whether it takes an argument. The name has no dash.
pub(super) fn look_up(name: &str) -> Option<(Support, bool)> {
    let provided =
        SECTIONS.iter().flat_map(|section| section.options).find(|option| option.names.contains(&name));
    if let Some(option) = provided {
        return Some((Support::Provided(option.id), option.argument.is_some()));
    }
    let (_, argument, reason) = REFUSED.iter().find(|(refused, ..)| *refused == name)?;
    Some((Support::Refused(reason), *argument))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_there_once() {
        let provided = SECTIONS
            .iter()
            .flat_map(|section| section.options)
            .flat_map(|option| option.names.iter().copied());
        let mut names: Vec<_> = provided.chain(REFUSED.iter().map(|(name, ..)| *name)).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }

    /// Names and arguments as QEMU 11.1.2 has them, so that a word after an option is never mistaken.
    #[test]
    fn arguments_are_taken_where_the_reference_takes_them() {
        let mut names = 0;
        for line in include_str!("fixtures/options.txt").lines().filter(|line| !line.starts_with('#')) {
            let (name, argument) = line.split_once(' ').unwrap();
            let takes_argument = argument == "argument";
            assert_eq!(look_up(name).map(|(_, argument)| argument), Some(takes_argument), "-{name}");
            names += 1;
        }
        let ours = SECTIONS
            .iter()
            .flat_map(|section| section.options)
            .map(|option| option.names.len())
            .sum::<usize>();
        // The program's own, which the reference does not know.
        let own = ["dump-host"];
        assert!(own.iter().all(|name| look_up(name).is_some()));
        assert_eq!(names + own.len(), ours + REFUSED.len());
    }
}
