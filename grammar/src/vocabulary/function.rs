//! Functions: names that are called with arguments, and may give a value.

use super::{BuiltinType, Known, OLDEST, ProbeKind, ProbeSet, Release, Safety, ValueKind, vocabulary};

/// Chapters of the reference manual.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FunctionGroup {
    /// Writes something.
    Output,
    /// Ends, signals, changes.
    Control,
    /// Works on maps.
    Map,
    /// Gives the value of an aggregating map.
    Aggregation,
    /// Strings and bytes.
    Text,
    /// Addresses and integers.
    Memory,
    /// Gives something that prints as a name.
    Name,
    /// Facts on processes and the clock.
    Process,
    /// Facts on types and kernels.
    Reflection,
}

/// What may stand for a parameter, as far as plain data can say it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ParamKind {
    /// Any value.
    Expression,
    /// An integer (or an aggregation that reads as one).
    Integer,
    /// An integer known while compiling.
    IntegerLiteral,
    /// A bool, integer or pointer.
    Boolean,
    /// Any literal.
    Literal,
    /// A string, char array or pointer to char.
    String,
    /// A string known while compiling.
    StringLiteral,
    /// A string, or an address of one.
    StringOrPointer,
    /// A format string known while compiling.
    Format,
    /// A value for the format string.
    FormatArgument,
    /// A pointer or an integer used as one.
    Pointer,
    /// An integer or pointer that is looked up as a symbol.
    Address,
    /// Something that lies in memory: array, string, buffer or pointer.
    Memory,
    /// A map by name.
    Map,
    /// A map, or any value.
    MapOrValue,
    /// A map, or a stack.
    MapOrStack,
    /// A key of the map before it.
    MapKey,
    /// A scratch variable that is written.
    Variable,
    /// A word of [`super::StackMode`], [`super::ClockMode`], [`super::PidMode`] or [`super::SeriesAggregation`].
    Mode,
    /// The number or name of a signal.
    Signal,
    /// A type.
    Type,
    /// The name of a field.
    Field,
}

/// Whether a parameter must be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Need {
    /// Once.
    Required,
    /// At most once.
    Optional,
    /// Any number of times; only the last parameter.
    Repeated,
}

/// A parameter.
#[derive(Clone, Copy, Debug)]
pub struct Param {
    /// Its name in help.
    pub name: &'static str,
    /// What may stand for it.
    pub kind: ParamKind,
    /// Whether it must be given.
    pub need: Need,
}

/// What the compiler knows of a function.
#[derive(Clone, Copy, Debug)]
pub struct FunctionRow {
    /// The name.
    pub name: &'static str,
    /// Chapter.
    pub group: FunctionGroup,
    /// The parameters.
    pub params: &'static [Param],
    /// What it gives.
    pub value: ValueKind,
    /// Where it may be called.
    pub probes: ProbeSet,
    /// When its value is known.
    pub known: Known,
    /// Whether it needs `--unsafe`.
    pub safety: Safety,
    /// The first kernel that has what it takes.
    pub since: Release,
    /// One line for help.
    pub doc: &'static str,
    /// A program.
    pub example: &'static str,
}

/// Most arguments of a call with a repeated parameter, the format string included.
pub const MAX_ARGUMENTS: usize = 128;

impl FunctionRow {
    /// Fewest and most arguments.
    #[must_use]
    pub fn arity(&self) -> (usize, usize) {
        let required = self.params.iter().filter(|param| param.need == Need::Required).count();
        let repeats = self.params.iter().any(|param| param.need == Need::Repeated);
        (required, if repeats { MAX_ARGUMENTS } else { self.params.len() })
    }

    /// The call's form for help and messages: `print(value[, top[, div]])`.
    #[must_use]
    pub fn signature(&self) -> String {
        let mut out = format!("{}(", self.name);
        let mut open = 0;
        for (index, param) in self.params.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            match param.need {
                Need::Required => out.push_str(&format!("{comma}{}", param.name)),
                Need::Repeated => out.push_str(&format!("{comma}{}…", param.name)),
                Need::Optional => {
                    out.push_str(&format!("[{comma}{}", param.name));
                    open += 1;
                }
            }
        }
        out.push_str(&"]".repeat(open));
        out.push(')');
        out
    }
}

const fn row(
    name: &'static str,
    group: FunctionGroup,
    params: &'static [Param],
    value: ValueKind,
) -> FunctionRow {
    FunctionRow {
        name,
        group,
        params,
        value,
        probes: ProbeSet::ALL,
        known: Known::Event,
        safety: Safety::Safe,
        since: OLDEST,
        doc: "",
        example: "",
    }
}

const fn required(name: &'static str, kind: ParamKind) -> Param {
    Param { name, kind, need: Need::Required }
}

const fn optional(name: &'static str, kind: ParamKind) -> Param {
    Param { name, kind, need: Need::Optional }
}

const fn repeated(name: &'static str, kind: ParamKind) -> Param {
    Param { name, kind, need: Need::Repeated }
}

const KPROBE: ProbeSet = ProbeSet::of(&[ProbeKind::Kprobe]);
const WATCHPOINT: ProbeSet = ProbeSet::of(&[ProbeKind::Watchpoint]);
const FENTRY: ProbeSet = ProbeSet::of(&[ProbeKind::Fentry, ProbeKind::Fexit]);
const PATHS: ProbeSet = ProbeSet::of(&[ProbeKind::Fentry, ProbeKind::Fexit, ProbeKind::Iter]);
const USER: ProbeSet = ProbeSet::of(&[ProbeKind::Uprobe, ProbeKind::Uretprobe, ProbeKind::Usdt]);
const SIGNALS: ProbeSet = ProbeSet::REGISTERS.and(ProbeSet::of(&[
    ProbeKind::Usdt,
    ProbeKind::Profile,
    ProbeKind::Tracepoint,
    ProbeKind::RawTracepoint,
    ProbeKind::Fentry,
    ProbeKind::Fexit,
]));

vocabulary! {
    /// The functions. Builtins that also take arguments (`pid(init)`, `kstack(3)`) are here and in [`super::Builtin`].
    pub enum Function: FunctionRow {
        Printf => FunctionRow {
            doc: "Writes formatted text.",
            example: "begin { printf(\"%s %d\\n\", comm, pid); }",
            ..row("printf", FunctionGroup::Output, &[required("fmt", ParamKind::Format), repeated("args", ParamKind::FormatArgument)], ValueKind::Void)
        };
        Print => FunctionRow {
            doc: "Writes a value or a map; of a map the top entries, divided by div.",
            example: "begin { @m[1] = 5; print(@m); }",
            ..row("print", FunctionGroup::Output, &[required("value", ParamKind::MapOrValue), optional("top", ParamKind::IntegerLiteral), optional("div", ParamKind::IntegerLiteral)], ValueKind::Void)
        };
        Errorf => FunctionRow {
            doc: "Writes formatted text as an error with the place of the call.",
            example: "begin { errorf(\"bad: %d\", 1); }",
            ..row("errorf", FunctionGroup::Output, &[required("fmt", ParamKind::Format), repeated("args", ParamKind::FormatArgument)], ValueKind::Void)
        };
        Warnf => FunctionRow {
            doc: "Writes formatted text as a warning with the place of the call.",
            example: "begin { warnf(\"odd: %d\", 1); }",
            ..row("warnf", FunctionGroup::Output, &[required("fmt", ParamKind::Format), repeated("args", ParamKind::FormatArgument)], ValueKind::Void)
        };
        Debugf => FunctionRow {
            doc: "Writes formatted text to the kernel's trace pipe; for debugging only.",
            example: "begin { debugf(\"%d\", 1); }",
            ..row("debugf", FunctionGroup::Output, &[required("fmt", ParamKind::Format), repeated("args", ParamKind::FormatArgument)], ValueKind::Void)
        };
        Cat => FunctionRow {
            doc: "Writes the content of a file.",
            example: "begin { cat(\"/proc/%d/status\", pid); }",
            ..row("cat", FunctionGroup::Output, &[required("fmt", ParamKind::Format), repeated("args", ParamKind::FormatArgument)], ValueKind::Void)
        };
        Join => FunctionRow {
            since: Release(5, 12),
            doc: "Writes an array of strings, joined.",
            example: "tracepoint:syscalls:sys_enter_execve { join(args.argv); }",
            ..row("join", FunctionGroup::Output, &[required("strings", ParamKind::Pointer), optional("separator", ParamKind::StringLiteral)], ValueKind::Void)
        };
        Time => FunctionRow {
            doc: "Writes the time of day.",
            example: "begin { time(\"%H:%M:%S\\n\"); }",
            ..row("time", FunctionGroup::Output, &[optional("fmt", ParamKind::StringLiteral)], ValueKind::Void)
        };
        System => FunctionRow {
            safety: Safety::Unsafe, doc: "Runs a command.",
            example: "begin { system(\"date\"); }",
            ..row("system", FunctionGroup::Output, &[required("fmt", ParamKind::Format), repeated("args", ParamKind::FormatArgument)], ValueKind::Void)
        };
        Skboutput => FunctionRow {
            probes: FENTRY, doc: "Writes a network packet to a PCAP file.",
            example: "fentry:dev_queue_xmit { $r = skboutput(\"out.pcap\", args.skb, args.skb.len, 14); }",
            ..row("skboutput", FunctionGroup::Output, &[required("path", ParamKind::StringLiteral), required("skb", ParamKind::Pointer), required("length", ParamKind::Integer), required("offset", ParamKind::Integer)], ValueKind::Type(BuiltinType::UInt32))
        };
        Exit => FunctionRow {
            doc: "Ends the tool with an exit code.",
            example: "begin { exit(3); }",
            ..row("exit", FunctionGroup::Control, &[optional("code", ParamKind::Integer)], ValueKind::Void)
        };
        Assert => FunctionRow {
            doc: "Ends the tool with an error unless the condition holds.",
            example: "begin { assert(1 == 1, \"arithmetic\"); }",
            ..row("assert", FunctionGroup::Control, &[required("condition", ParamKind::Boolean), required("message", ParamKind::String)], ValueKind::Void)
        };
        StaticAssert => FunctionRow {
            known: Known::Compile, doc: "Fails compiling unless the condition holds.",
            example: "begin { static_assert(sizeof(int32) == 4, \"size\"); }",
            ..row("static_assert", FunctionGroup::Control, &[required("condition", ParamKind::Boolean), required("message", ParamKind::StringLiteral)], ValueKind::Void)
        };
        Fail => FunctionRow {
            known: Known::Compile, doc: "Fails compiling when this call is reached.",
            example: "begin { if comptime (1 == 2) { fail(\"no\"); } }",
            ..row("fail", FunctionGroup::Control, &[required("fmt", ParamKind::Format), repeated("args", ParamKind::FormatArgument)], ValueKind::Void)
        };
        Signal => FunctionRow {
            safety: Safety::Unsafe, probes: SIGNALS, doc: "Sends a signal to the current process.",
            example: "uprobe:./a.out:f { signal(\"SIGSTOP\"); }",
            ..row("signal", FunctionGroup::Control, &[required("signal", ParamKind::Signal)], ValueKind::Void)
        };
        SignalThread => FunctionRow {
            safety: Safety::Unsafe, probes: SIGNALS, doc: "Sends a signal to the current thread.",
            example: "uprobe:./a.out:f { signal_thread(10); }",
            ..row("signal_thread", FunctionGroup::Control, &[required("signal", ParamKind::Signal)], ValueKind::Void)
        };
        Override => FunctionRow {
            safety: Safety::Unsafe, probes: KPROBE, doc: "Makes the kernel function return this value without running.",
            example: "kprobe:should_failslab { override(0); }",
            ..row("override", FunctionGroup::Control, &[required("value", ParamKind::Integer)], ValueKind::Void)
        };
        WriteUser => FunctionRow {
            safety: Safety::Unsafe, doc: "Writes to the current process's memory.",
            example: "uprobe:./a.out:f { $v = 1; write_user((int8 *)arg0, &$v, 1); }",
            ..row("write_user", FunctionGroup::Control, &[required("destination", ParamKind::Pointer), required("source", ParamKind::Pointer), required("length", ParamKind::Integer)], ValueKind::Type(BuiltinType::Bool))
        };
        Unwatch => FunctionRow {
            probes: WATCHPOINT, doc: "Removes the watchpoints at an address; until the tool has done so, they go on.",
            example: "watchpoint:0x10000000:8:w { unwatch(0x10000000); }",
            ..row("unwatch", FunctionGroup::Control, &[required("address", ParamKind::Integer)], ValueKind::Void)
        };
        Clear => FunctionRow {
            doc: "Removes all entries of a map.",
            example: "begin { @m[1] = 1; clear(@m); }",
            ..row("clear", FunctionGroup::Map, &[required("map", ParamKind::Map)], ValueKind::Void)
        };
        Zero => FunctionRow {
            doc: "Sets all values of a map to zero.",
            example: "begin { @m[1] = 1; zero(@m); }",
            ..row("zero", FunctionGroup::Map, &[required("map", ParamKind::Map)], ValueKind::Void)
        };
        Delete => FunctionRow {
            doc: "Removes one entry of a map.",
            example: "begin { @m[1] = 1; delete(@m, 1); }",
            ..row("delete", FunctionGroup::Map, &[required("map", ParamKind::Map), optional("key", ParamKind::MapKey)], ValueKind::Type(BuiltinType::Bool))
        };
        HasKey => FunctionRow {
            doc: "Whether a map has an entry.",
            example: "begin { @m[1] = 1; print(has_key(@m, 1)); }",
            ..row("has_key", FunctionGroup::Map, &[required("map", ParamKind::Map), required("key", ParamKind::MapKey)], ValueKind::Type(BuiltinType::Bool))
        };
        Find => FunctionRow {
            doc: "Reads an entry into a variable and says whether it exists.",
            example: "begin { @m[1] = 2; let $v; if (find(@m, 1, $v)) { print($v); } }",
            ..row("find", FunctionGroup::Map, &[required("map", ParamKind::Map), required("key", ParamKind::MapKey), required("result", ParamKind::Variable)], ValueKind::Type(BuiltinType::Bool))
        };
        Len => FunctionRow {
            since: Release(5, 13),
            doc: "The number of entries of a map, or of frames of a stack.",
            example: "begin { @m[1] = 1; print(len(@m)); }",
            ..row("len", FunctionGroup::Map, &[required("of", ParamKind::MapOrStack)], ValueKind::Type(BuiltinType::Int64))
        };
        Count => FunctionRow {
            doc: "Counts the calls.",
            example: "begin { @ = count(); }",
            ..row("count", FunctionGroup::Aggregation, &[], ValueKind::Aggregation(BuiltinType::Count))
        };
        Sum => FunctionRow {
            doc: "Adds the values.",
            example: "begin { @ = sum(3); }",
            ..row("sum", FunctionGroup::Aggregation, &[required("value", ParamKind::Integer)], ValueKind::Aggregation(BuiltinType::Sum))
        };
        Avg => FunctionRow {
            doc: "Averages the values.",
            example: "begin { @ = avg(3); }",
            ..row("avg", FunctionGroup::Aggregation, &[required("value", ParamKind::Integer)], ValueKind::Aggregation(BuiltinType::Avg))
        };
        Min => FunctionRow {
            since: Release(5, 12),
            doc: "Keeps the smallest value.",
            example: "begin { @ = min(3); }",
            ..row("min", FunctionGroup::Aggregation, &[required("value", ParamKind::Integer)], ValueKind::Aggregation(BuiltinType::Min))
        };
        Max => FunctionRow {
            since: Release(5, 12),
            doc: "Keeps the largest value.",
            example: "begin { @ = max(3); }",
            ..row("max", FunctionGroup::Aggregation, &[required("value", ParamKind::Integer)], ValueKind::Aggregation(BuiltinType::Max))
        };
        Stats => FunctionRow {
            doc: "Keeps count, average and total.",
            example: "begin { @ = stats(3); }",
            ..row("stats", FunctionGroup::Aggregation, &[required("value", ParamKind::Integer)], ValueKind::Aggregation(BuiltinType::Stats))
        };
        Hist => FunctionRow {
            doc: "A histogram by powers of two, each split in 2^bits.",
            example: "begin { @ = hist(100); }",
            ..row("hist", FunctionGroup::Aggregation, &[required("value", ParamKind::Integer), optional("bits", ParamKind::IntegerLiteral)], ValueKind::Aggregation(BuiltinType::Hist))
        };
        Lhist => FunctionRow {
            doc: "A histogram with buckets of one width.",
            example: "begin { @ = lhist(7, 0, 10, 2); }",
            ..row("lhist", FunctionGroup::Aggregation, &[required("value", ParamKind::Integer), required("min", ParamKind::IntegerLiteral), required("max", ParamKind::IntegerLiteral), required("step", ParamKind::IntegerLiteral)], ValueKind::Aggregation(BuiltinType::LinearHist))
        };
        Tseries => FunctionRow {
            doc: "A value over time.",
            example: "interval:ms:100 { @ = tseries(rand % 10, 100ms, 20); }",
            ..row("tseries", FunctionGroup::Aggregation, &[required("value", ParamKind::Integer), required("interval", ParamKind::IntegerLiteral), required("count", ParamKind::IntegerLiteral), optional("aggregation", ParamKind::Mode)], ValueKind::Aggregation(BuiltinType::TimeSeries))
        };
        Str => FunctionRow {
            since: Release(5, 12),
            doc: "Reads a string from memory.",
            example: "uretprobe:/bin/bash:readline { print(str(retval)); }",
            ..row("str", FunctionGroup::Text, &[required("data", ParamKind::StringOrPointer), optional("length", ParamKind::Integer)], ValueKind::LongStr)
        };
        Buf => FunctionRow {
            since: Release(5, 12),
            doc: "Reads bytes from memory.",
            example: "begin { print(buf(\"Hi\", 2)); }",
            ..row("buf", FunctionGroup::Text, &[required("data", ParamKind::Memory), optional("length", ParamKind::Integer)], ValueKind::Type(BuiltinType::Buffer))
        };
        Strlen => FunctionRow {
            doc: "The length of a string.",
            example: "begin { print(strlen(\"abc\")); }",
            ..row("strlen", FunctionGroup::Text, &[required("text", ParamKind::String)], ValueKind::Type(BuiltinType::UInt64))
        };
        Strcap => FunctionRow {
            doc: "The room of a string.",
            example: "begin { print(strcap(\"abc\")); }",
            ..row("strcap", FunctionGroup::Text, &[required("text", ParamKind::String)], ValueKind::Type(BuiltinType::Int64))
        };
        Strncmp => FunctionRow {
            doc: "0 when the first bytes are equal, else 1.",
            example: "begin { print(strncmp(\"abc\", \"abd\", 2)); }",
            ..row("strncmp", FunctionGroup::Text, &[required("left", ParamKind::String), required("right", ParamKind::String), required("length", ParamKind::IntegerLiteral)], ValueKind::Type(BuiltinType::UInt64))
        };
        Strstr => FunctionRow {
            doc: "Where a string first occurs in another, or -1.",
            example: "begin { print(strstr(\"hello\", \"ll\")); }",
            ..row("strstr", FunctionGroup::Text, &[required("haystack", ParamKind::String), required("needle", ParamKind::String)], ValueKind::Type(BuiltinType::Int64))
        };
        Strcontains => FunctionRow {
            doc: "Whether a string occurs in another.",
            example: "begin { print(strcontains(\"hello\", \"ll\")); }",
            ..row("strcontains", FunctionGroup::Text, &[required("haystack", ParamKind::String), required("needle", ParamKind::String)], ValueKind::Type(BuiltinType::Bool))
        };
        StrConcat => FunctionRow {
            since: Release(5, 12),
            doc: "Two strings, one behind the other.",
            example: "begin { print(str_concat(\"foo\", \"bar\")); }",
            ..row("str_concat", FunctionGroup::Text, &[required("left", ParamKind::String), required("right", ParamKind::String)], ValueKind::Depends)
        };
        Memcmp => FunctionRow {
            doc: "Compares bytes: 0 when equal, negative when the left is smaller.",
            example: "begin { $a = \"abc\"; $b = \"abd\"; print(memcmp($a, $b, 3)); }",
            ..row("memcmp", FunctionGroup::Text, &[required("left", ParamKind::Memory), required("right", ParamKind::Memory), required("count", ParamKind::Integer)], ValueKind::Type(BuiltinType::Int64))
        };
        AssertStr => FunctionRow {
            known: Known::Compile, doc: "Fails compiling unless the value is like a string.",
            example: "begin { assert_str(\"a\"); }",
            ..row("assert_str", FunctionGroup::Text, &[required("value", ParamKind::Expression)], ValueKind::Void)
        };
        Path => FunctionRow {
            probes: PATHS, doc: "The path of a struct path; only in functions that the kernel allows it in.",
            example: "fentry:filp_close { print(path(args.filp.f_path)); }",
            ..row("path", FunctionGroup::Text, &[required("path", ParamKind::Pointer), optional("size", ParamKind::IntegerLiteral)], ValueKind::LongStr)
        };
        Reg => FunctionRow {
            probes: ProbeSet::REGISTERS, doc: "A register of the CPU.",
            example: "uprobe:/bin/bash:readline { print(reg(\"sp\")); }",
            ..row("reg", FunctionGroup::Memory, &[required("name", ParamKind::StringLiteral)], ValueKind::Type(BuiltinType::UInt64))
        };
        Kptr => FunctionRow {
            doc: "The same pointer, as one to kernel memory.",
            example: "kprobe:vfs_open { print(kptr(arg0)); }",
            ..row("kptr", FunctionGroup::Memory, &[required("pointer", ParamKind::Pointer)], ValueKind::Argument)
        };
        Uptr => FunctionRow {
            doc: "The same pointer, as one to user memory.",
            example: "kprobe:do_sys_openat2 { print(str(uptr(arg1))); }",
            ..row("uptr", FunctionGroup::Memory, &[required("pointer", ParamKind::Pointer)], ValueKind::Argument)
        };
        Kaddr => FunctionRow {
            known: Known::Load, doc: "The address of a kernel symbol.",
            example: "begin { print(kaddr(\"avenrun\")); }",
            ..row("kaddr", FunctionGroup::Memory, &[required("symbol", ParamKind::StringLiteral)], ValueKind::Depends)
        };
        Uaddr => FunctionRow {
            known: Known::Load, probes: USER, doc: "The address of a symbol of the traced program.",
            example: "uprobe:/bin/bash:readline { print(*uaddr(\"ps1_prompt\")); }",
            ..row("uaddr", FunctionGroup::Memory, &[required("symbol", ParamKind::StringLiteral)], ValueKind::Depends)
        };
        PercpuKaddr => FunctionRow {
            doc: "The address of a kernel symbol's copy of a CPU.",
            example: "begin { print(*percpu_kaddr(\"process_counts\")); }",
            ..row("percpu_kaddr", FunctionGroup::Memory, &[required("symbol", ParamKind::StringLiteral), optional("cpu", ParamKind::Integer)], ValueKind::Depends)
        };
        Bswap => FunctionRow {
            doc: "The bytes of an integer in reverse order.",
            example: "begin { print(bswap((uint16)0x1234)); }",
            ..row("bswap", FunctionGroup::Memory, &[required("value", ParamKind::Integer)], ValueKind::Argument)
        };
        ContainerOf => FunctionRow {
            doc: "The structure around one of its fields.",
            example: "struct L { int a; int b; } uprobe:./a.out:f { print(container_of((int32 *)arg0, struct L, b)); }",
            ..row("container_of", FunctionGroup::Memory, &[required("member", ParamKind::Pointer), required("type", ParamKind::Type), required("field", ParamKind::Field)], ValueKind::Depends)
        };
        IsErr => FunctionRow {
            doc: "Whether a kernel pointer is an error code.",
            example: "fexit:do_filp_open { print(is_err(retval)); }",
            ..row("is_err", FunctionGroup::Memory, &[required("pointer", ParamKind::Pointer)], ValueKind::Type(BuiltinType::Bool))
        };
        Ksym => FunctionRow {
            known: Known::Print, doc: "The kernel symbol at an address.",
            example: "kprobe:do_nanosleep { print(ksym(reg(\"ip\"))); }",
            ..row("ksym", FunctionGroup::Name, &[required("address", ParamKind::Address)], ValueKind::Type(BuiltinType::KernelSymbol))
        };
        Usym => FunctionRow {
            known: Known::Print, doc: "The symbol at an address of the process.",
            example: "uprobe:/bin/bash:readline { print(usym(reg(\"ip\"))); }",
            ..row("usym", FunctionGroup::Name, &[required("address", ParamKind::Address)], ValueKind::Type(BuiltinType::UserSymbol))
        };
        Kstack => FunctionRow {
            doc: "The kernel stack.",
            example: "kprobe:vfs_read { @[kstack(perf, 3)] = count(); }",
            ..row("kstack", FunctionGroup::Name, &[optional("mode", ParamKind::Mode), optional("limit", ParamKind::IntegerLiteral)], ValueKind::Type(BuiltinType::KernelStack))
        };
        Ustack => FunctionRow {
            doc: "The user stack, by frame pointers.",
            example: "uprobe:/bin/bash:readline { print(ustack(3)); }",
            ..row("ustack", FunctionGroup::Name, &[optional("mode", ParamKind::Mode), optional("limit", ParamKind::IntegerLiteral)], ValueKind::Type(BuiltinType::UserStack))
        };
        DwUstack => FunctionRow {
            doc: "The user stack, by unwind tables.",
            example: "uprobe:./a.out:f { print(dw_ustack()); }",
            ..row("dw_ustack", FunctionGroup::Name, &[optional("mode", ParamKind::Mode), optional("limit", ParamKind::IntegerLiteral)], ValueKind::Type(BuiltinType::UserStack))
        };
        Strftime => FunctionRow {
            known: Known::Print, doc: "A time since boot as time of day.",
            example: "begin { print(strftime(\"%H:%M:%S\", nsecs)); }",
            ..row("strftime", FunctionGroup::Name, &[required("fmt", ParamKind::StringLiteral), required("timestamp", ParamKind::Integer)], ValueKind::Type(BuiltinType::Timestamp))
        };
        Ntop => FunctionRow {
            known: Known::Print, doc: "An internet address as text.",
            example: "begin { print(ntop(0x0100007f)); }",
            ..row("ntop", FunctionGroup::Name, &[required("address_or_family", ParamKind::Expression), optional("address", ParamKind::Expression)], ValueKind::Type(BuiltinType::Inet))
        };
        Pton => FunctionRow {
            known: Known::Compile, doc: "The bytes of an internet address.",
            example: "begin { print(ntop(pton(\"127.0.0.1\"))); }",
            ..row("pton", FunctionGroup::Name, &[required("address", ParamKind::StringLiteral)], ValueKind::Depends)
        };
        Macaddr => FunctionRow {
            known: Known::Print, doc: "A hardware address.",
            example: "struct S { char m[6]; } uprobe:./a.out:f { print(macaddr(((struct S *)arg0).m)); }",
            ..row("macaddr", FunctionGroup::Name, &[required("address", ParamKind::Memory)], ValueKind::Type(BuiltinType::MacAddress))
        };
        Cgroupid => FunctionRow {
            known: Known::Load, doc: "The id of the cgroup at a path.",
            example: "begin { print(cgroupid(\"/sys/fs/cgroup\")); }",
            ..row("cgroupid", FunctionGroup::Name, &[required("path", ParamKind::StringLiteral)], ValueKind::Type(BuiltinType::UInt64))
        };
        CgroupPath => FunctionRow {
            known: Known::Print, doc: "The path of a cgroup.",
            example: "begin { print(cgroup_path(cgroup)); }",
            ..row("cgroup_path", FunctionGroup::Name, &[required("id", ParamKind::Integer), optional("filter", ParamKind::StringLiteral)], ValueKind::Type(BuiltinType::CgroupPath))
        };
        Strerror => FunctionRow {
            known: Known::Print, doc: "The text of an error number.",
            example: "begin { print(strerror(2)); }",
            ..row("strerror", FunctionGroup::Name, &[required("error", ParamKind::Integer)], ValueKind::Depends)
        };
        SignalName => FunctionRow {
            doc: "The name of a signal.",
            example: "begin { print(signal_name(9)); }",
            ..row("signal_name", FunctionGroup::Name, &[required("signal", ParamKind::Integer)], ValueKind::Depends)
        };
        SyscallName => FunctionRow {
            doc: "The name of a system call.",
            example: "begin { print(syscall_name(0)); }",
            ..row("syscall_name", FunctionGroup::Name, &[required("number", ParamKind::Integer)], ValueKind::Depends)
        };
        Pid => FunctionRow {
            doc: "The process's id.",
            example: "begin { print(pid(init)); }",
            ..row("pid", FunctionGroup::Process, &[optional("namespace", ParamKind::Mode)], ValueKind::Type(BuiltinType::UInt32))
        };
        Tid => FunctionRow {
            doc: "The thread's id.",
            example: "begin { print(tid(init)); }",
            ..row("tid", FunctionGroup::Process, &[optional("namespace", ParamKind::Mode)], ValueKind::Type(BuiltinType::UInt32))
        };
        Comm => FunctionRow {
            doc: "The name of the thread, or of the process with this id.",
            example: "begin { print(comm(1)); }",
            ..row("comm", FunctionGroup::Process, &[optional("pid", ParamKind::Integer)], ValueKind::Str(16))
        };
        Nsecs => FunctionRow {
            doc: "A time in nanoseconds.",
            example: "begin { print(nsecs(monotonic)); }",
            ..row("nsecs", FunctionGroup::Process, &[optional("clock", ParamKind::Mode)], ValueKind::Depends)
        };
        Ppid => FunctionRow {
            doc: "The parent's id.",
            example: "begin { print(ppid(curtask)); }",
            ..row("ppid", FunctionGroup::Process, &[optional("task", ParamKind::Pointer)], ValueKind::Type(BuiltinType::UInt32))
        };
        Pcomm => FunctionRow {
            doc: "The parent's name.",
            example: "begin { print(pcomm(curtask)); }",
            ..row("pcomm", FunctionGroup::Process, &[optional("task", ParamKind::Pointer)], ValueKind::Str(16))
        };
        LeaderTid => FunctionRow {
            doc: "The id of the task's first thread.",
            example: "begin { print(leader_tid(curtask)); }",
            ..row("leader_tid", FunctionGroup::Process, &[optional("task", ParamKind::Pointer)], ValueKind::Type(BuiltinType::UInt32))
        };
        LeaderComm => FunctionRow {
            doc: "The name of the task's first thread.",
            example: "begin { print(leader_comm(curtask)); }",
            ..row("leader_comm", FunctionGroup::Process, &[optional("task", ParamKind::Pointer)], ValueKind::Str(16))
        };
        SocketCookie => FunctionRow {
            since: Release(5, 12),
            probes: FENTRY, doc: "The kernel's number of a socket.",
            example: "fentry:tcp_rcv_established { print(socket_cookie(args.sk)); }",
            ..row("socket_cookie", FunctionGroup::Process, &[required("socket", ParamKind::Pointer)], ValueKind::Type(BuiltinType::UInt64))
        };
        Getopt => FunctionRow {
            known: Known::Load, doc: "A named option of the tool's command line.",
            example: "begin { print(getopt(\"limit\", 10)); }",
            ..row("getopt", FunctionGroup::Process, &[required("name", ParamKind::StringLiteral), optional("default", ParamKind::Literal), optional("description", ParamKind::StringLiteral)], ValueKind::Depends)
        };
        IsStr => FunctionRow {
            known: Known::Compile, doc: "Whether a value is a string.",
            example: "begin { print(is_str(\"a\")); }",
            ..row("is_str", FunctionGroup::Reflection, &[required("value", ParamKind::Expression)], ValueKind::Type(BuiltinType::Bool))
        };
        IsPtr => FunctionRow {
            known: Known::Compile, doc: "Whether a value is a pointer.",
            example: "begin { print(is_ptr(curtask)); }",
            ..row("is_ptr", FunctionGroup::Reflection, &[required("value", ParamKind::Expression)], ValueKind::Type(BuiltinType::Bool))
        };
        IsArray => FunctionRow {
            known: Known::Compile, doc: "Whether a value is an array.",
            example: "begin { print(is_array(1)); }",
            ..row("is_array", FunctionGroup::Reflection, &[required("value", ParamKind::Expression)], ValueKind::Type(BuiltinType::Bool))
        };
        IsInteger => FunctionRow {
            known: Known::Compile, doc: "Whether a value is an integer.",
            example: "begin { print(is_integer(1)); }",
            ..row("is_integer", FunctionGroup::Reflection, &[required("value", ParamKind::Expression)], ValueKind::Type(BuiltinType::Bool))
        };
        IsUnsignedInteger => FunctionRow {
            known: Known::Compile, doc: "Whether a value is an unsigned integer.",
            example: "begin { print(is_unsigned_integer((uint8)1)); }",
            ..row("is_unsigned_integer", FunctionGroup::Reflection, &[required("value", ParamKind::Expression)], ValueKind::Type(BuiltinType::Bool))
        };
        IsLiteral => FunctionRow {
            known: Known::Compile, doc: "Whether an expression is a literal.",
            example: "begin { print(is_literal(1)); }",
            ..row("is_literal", FunctionGroup::Reflection, &[required("value", ParamKind::Expression)], ValueKind::Type(BuiltinType::Bool))
        };
        KfuncExist => FunctionRow {
            known: Known::Load, doc: "Whether the kernel has a function for BPF programs.",
            example: "begin { print(kfunc_exist(\"bpf_map_sum_elem_count\")); }",
            ..row("kfunc_exist", FunctionGroup::Reflection, &[required("name", ParamKind::StringLiteral)], ValueKind::Type(BuiltinType::Bool))
        };
        KfuncAllowed => FunctionRow {
            known: Known::Load, doc: "Whether this probe may call a kernel function.",
            example: "begin { print(kfunc_allowed(\"bpf_map_sum_elem_count\")); }",
            ..row("kfunc_allowed", FunctionGroup::Reflection, &[required("name", ParamKind::StringLiteral)], ValueKind::Type(BuiltinType::Bool))
        };
    }
}

impl Function {
    /// The function of a name.
    #[must_use]
    pub fn lookup(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|function| function.name() == name)
    }

    /// Every name, for hints.
    pub fn names() -> impl Iterator<Item = &'static str> {
        Self::ALL.iter().map(|function| function.name())
    }

    /// Whether it gives the value of an aggregating map.
    #[must_use]
    pub fn is_aggregation(self) -> bool {
        matches!(self.row().value, ValueKind::Aggregation(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arity_follows_the_parameters() {
        assert_eq!(Function::Printf.row().arity(), (1, MAX_ARGUMENTS));
        assert_eq!(Function::Count.row().arity(), (0, 0));
        assert_eq!(Function::Lhist.row().arity(), (4, 4));
        assert_eq!(Function::Print.row().signature(), "print(value[, top[, div]])");
        assert_eq!(Function::Printf.row().signature(), "printf(fmt, args…)");
    }

    #[test]
    fn rows_are_complete_and_names_unique() {
        let mut names: Vec<_> = Function::names().collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Function::ALL.len());
        for function in Function::ALL {
            let row = function.row();
            assert!(row.doc.ends_with('.') && row.example.contains(row.name), "{}", row.name);
            assert!(row.since >= OLDEST, "{}", row.name);
            let repeats = row.params.iter().position(|param| param.need == Need::Repeated);
            assert!(repeats.is_none_or(|at| at + 1 == row.params.len()), "{}", row.name);
        }
    }
}
