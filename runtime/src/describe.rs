//! What a tool says about itself: `--help`, `--version`, `--info`.

use std::fmt::Write as _;
use std::path::Path;

use btaot_abi::constants::{IntSource, StrSource};
use btaot_abi::features::{FEATURES, KernelFeature};
use btaot_abi::metadata::{Metadata, NamedOption, OptionValue, Program, Target};

use crate::features::{Features, has_helper, may_ask};
use crate::sys::machine::release;
use crate::tracefs::Tracefs;

const OPTIONS: &str = "\
Options:
  -p PID        trace only the process PID
  -c CMD        start CMD (without a shell), trace only it, and end with it
  -f FORMAT     format of the output: text (default) or json
  -o FILE       write the output to FILE instead of standard output
  -B MODE       hand output over by line (default), when the buffer is full, or none: after each event
  --backend B   what runs the programs: kernel (default), or user: this process, without privileges
  -q            do not report that the probes are attached
  --no-warnings do not show warnings, the script's own neither
  -v            report numbers and sizes of programs and maps, and how each is attached and kept on this kernel
  --dry-run     attach all probes, and end
  --probe-filter REGEX
                attach only begin, end and probes whose names match the regular expression
  --debuginfo DIR[:DIR]
                where debugging information that was stripped from programs is looked for first
  --traceable-functions FILE
                the kernel functions that probes may have, as in available_filter_functions
  --verifier-log
                show what the kernel's verifier writes about each program
  --usdt-file-activation
                no effect: the kernel itself tells all processes that their static probes are traced
  -h, --help    print this help
  -V, --version print the version of the compiler
  --info        print what is in this tool and what this kernel offers to it
  --            what follows are parameters
";

/// The text of `--help`; `program` is the name that the tool was called by.
pub fn help(metadata: &Metadata, program: &str) -> String {
    let script = metadata.script.display();
    let parameters = parameters(metadata);
    let places: String = parameters.iter().map(|parameter| format!(" [{}]", parameter.name)).collect();
    let mut text = format!("{program}: the tracing script {script} as a program\n\n");
    let _ = writeln!(text, "Usage: {program} [OPTIONS]{places}\n");
    text.push_str("Probes:\n");
    for program in &metadata.programs {
        for point in &program.attach {
            let _ = writeln!(text, "  {}", point.name.display());
        }
    }
    if !parameters.is_empty() {
        text.push_str("\nParameters:\n");
        for Parameter { name, doc } in &parameters {
            let _ = writeln!(text, "  {name:<13} {doc}");
        }
    }
    if !metadata.options.is_empty() {
        text.push_str("\nOptions of the script:\n");
        for option in &metadata.options {
            let _ = writeln!(text, "  {}", named(option));
        }
    }
    text.push('\n');
    text.push_str(OPTIONS);
    let points = || metadata.programs.iter().flat_map(|program| &program.attach);
    if points().any(|point| matches!(point.target, Target::Test { .. })) {
        text.push_str("  --test        run the script's tests; the exit code is 1 when one fails\n");
    }
    if points().any(|point| matches!(point.target, Target::Bench { .. })) {
        text.push_str("  --bench       run the script's benchmarks and show their times\n");
    }
    text.push_str(
        "\nCtrl-C ends the tool; it then prints its maps. Tracing needs root, or CAP_BPF and CAP_PERFMON.\n",
    );
    text
}

/// A named option: its form, what the script says of it, and what it is when it is not given.
fn named(option: &NamedOption) -> String {
    let (form, default) = match &option.default {
        OptionValue::Bool(value) => (String::new(), value.to_string()),
        OptionValue::Int(value) => ("=NUMBER".to_owned(), value.to_string()),
        OptionValue::Text(text) => ("=TEXT".to_owned(), format!("\"{}\"", text.display())),
    };
    let form = format!("--{}{form}", option.name.display());
    let description = option.description.as_ref().map(|text| format!("{} ", text.display()));
    format!("{form:<13} {}(default {default})", description.unwrap_or_default())
}

struct Parameter {
    name: String,
    doc: String,
}

/// The positional parameters that the script uses.
fn parameters(metadata: &Metadata) -> Vec<Parameter> {
    let constants = &metadata.constants;
    let describe = |number: u32| {
        let is_number = constants.ints.iter().any(|slot| slot.source == IntSource::Positional(number));
        let is_text = constants.strings.iter().any(|slot| slot.source == StrSource::Positional(number));
        let max = metadata.config.max_strlen.saturating_sub(1);
        let doc = match (is_number, is_text) {
            (true, false) => "a number, 0 if not given".to_owned(),
            (true, true) => format!("a number of at most {max} characters, also used as text"),
            (false, true) => format!("text of at most {max} bytes, empty if not given"),
            (false, false) => "not used".to_owned(),
        };
        Parameter { name: format!("${number}"), doc }
    };
    (1..=metadata.positional).map(describe).collect()
}

/// The text of `--version`.
pub fn version(metadata: &Metadata) -> String {
    format!("{}, compiled by btaot {}\n", metadata.script.display(), metadata.compiler)
}

/// The text of `--info`.
pub fn info(metadata: &Metadata) -> String {
    let mut text = format!(
        "script:       {}\ncompiler:     btaot {}\narchitecture: {}\n",
        metadata.script.display(),
        metadata.compiler,
        metadata.arch.name()
    );
    for program in &metadata.programs {
        let _ = writeln!(text, "program:      {} ({})", program.symbol, attach_points(program));
    }
    for map in &metadata.maps {
        let _ = writeln!(text, "map:          {}", map.name.display());
    }
    for slot in &metadata.constants.ints {
        let _ = writeln!(text, "constant:     {}", slot.doc);
    }
    for slot in &metadata.constants.strings {
        let _ = writeln!(text, "constant:     {}", slot.doc);
    }
    if !metadata.core.roots.is_empty() {
        let _ = writeln!(text, "kernel types: {}", metadata.core.roots.join(", "));
    }
    text.push_str(&kernel(&metadata.features));
    text
}

/// What this kernel offers to tools; `fixed` are features that were decided when a tool was compiled.
pub fn kernel(fixed: &[(KernelFeature, bool)]) -> String {
    let mut text = String::new();
    let has_btf = Path::new("/sys/kernel/btf/vmlinux").exists();
    let _ = writeln!(text, "kernel:       {}, {} BTF", release(), if has_btf { "with" } else { "without" });
    if !may_ask() {
        text.push_str("  its features show with root's privileges only\n");
        return text;
    }
    let features = Features::new(fixed);
    for row in FEATURES {
        let is_fixed = fixed.iter().any(|(feature, _)| *feature == row.feature);
        let has = yes(features.has(row.feature));
        let note = if is_fixed { " (fixed when compiled)" } else { "" };
        let _ = writeln!(text, "  {:<22} {has}{note}", row.name);
    }
    text.push_str("helpers that scripts may need:\n");
    for (name, number) in HELPERS {
        let _ = writeln!(text, "  {name:<22} {}", yes(has_helper(number)));
    }
    text.push_str("probes:\n");
    for (name, has) in probes(has_btf) {
        let _ = writeln!(text, "  {name:<22} {}", yes(has));
    }
    text
}

/// Helpers without which some scripts do not run, and their numbers (`enum bpf_func_id` of `include/uapi/linux/bpf.h`).
const HELPERS: [(&str, u32); 8] = [
    ("send_signal", 109),
    ("get_ns_current_pid_tgid", 120),
    ("get_current_task_btf", 158),
    ("for_each_map_elem", 164),
    ("get_func_ip", 173),
    ("loop", 181),
    ("map_lookup_percpu_elem", 195),
    ("ktime_get_tai_ns", 208),
];

/// Kinds of probes that not every kernel offers.
fn probes(has_btf: bool) -> Vec<(&'static str, bool)> {
    let has_event = |name: &str| Path::new("/sys/bus/event_source/devices").join(name).exists();
    let tracefs = Tracefs::locate();
    let has_tracepoints = tracefs.is_ok_and(|tracefs| tracefs.events(|_| true, |_| false).is_ok());
    vec![
        ("kprobe, kretprobe", has_event("kprobe")),
        ("uprobe, usdt", has_event("uprobe")),
        ("hardware", has_event("cpu")),
        ("software, profile", has_event("software")),
        ("watchpoint", has_event("breakpoint")),
        ("tracepoint", has_tracepoints),
        // That a kernel lets functions be traced shows when a program is attached.
        ("fentry, fexit (types)", has_btf),
    ]
}

fn yes(has: bool) -> &'static str {
    if has { "yes" } else { "no" }
}

fn attach_points(program: &Program) -> String {
    let names: Vec<_> = program.attach.iter().map(|point| point.name.display()).collect();
    names.join(", ")
}
