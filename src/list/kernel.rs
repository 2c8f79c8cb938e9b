//! Probes of the kernel by name.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use btaot_abi::pattern::matches;
use btaot_btf::Kind;
use btaot_grammar::vocabulary::{HardwareEvent, ProbeKind, SoftwareEvent};
use btaot_runtime::kernel_btf::raw_tracepoints;
use btaot_runtime::tracefs::Tracefs;

use super::Request;
use super::types::Types;
use crate::failure::Failure;

/// Units of `interval` and `profile`.
const UNITS: [&str; 4] = ["hz:", "ms:", "s:", "us:"];
/// The module that the kernel itself counts as.
const VMLINUX: &str = "vmlinux";
/// The kinds in a list of everything, in alphabetical order.
const KINDS: [ProbeKind; 9] = [
    ProbeKind::Fentry,
    ProbeKind::Hardware,
    ProbeKind::Interval,
    ProbeKind::Iter,
    ProbeKind::Kprobe,
    ProbeKind::Profile,
    ProbeKind::RawTracepoint,
    ProbeKind::Software,
    ProbeKind::Tracepoint,
];

/// The probes of any kind whose name, or what stands behind the probe type in it, matches.
pub fn anywhere(pattern: &str, request: &Request<'_>) -> Result<Vec<String>, Failure> {
    let mut found = Vec::new();
    for kind in KINDS {
        found.extend(all(kind, request)?.into_iter().filter(|name| {
            let behind = name.split_once(':').map_or("", |(_, rest)| rest);
            [name.as_str(), behind].iter().any(|name| fits(pattern, name))
        }));
    }
    Ok(found)
}

/// The probes of a kind that match the pattern behind the probe type.
pub fn names(kind: ProbeKind, rest: &str, request: &Request<'_>) -> Result<Vec<String>, Failure> {
    let modules = rest.contains(':').then(|| rest.split_once(':')).flatten();
    if let (Some((module, function)), true) = (modules, is_function(kind)) {
        return Ok(functions(request, kind)?
            .into_iter()
            .filter(|(name, of)| fits(module, of) && fits(function, name))
            .map(|(name, of)| format!("{}:{of}:{name}", kind.name()))
            .collect());
    }
    let mut found = all(kind, request)?;
    found.retain(|name| {
        let behind = name.split_once(':').map_or("", |(_, behind)| behind);
        // A raw tracepoint may be named without its module.
        let event = behind.split_once(':').filter(|_| kind == ProbeKind::RawTracepoint);
        fits(rest, behind) || event.is_some_and(|(_, event)| fits(rest, event))
    });
    Ok(found)
}

/// Names of events end in a colon, behind which their count may stand.
fn fits(pattern: &str, name: &str) -> bool {
    let matches = |name: &str| matches(pattern.as_bytes(), name.as_bytes());
    matches(name) || name.strip_suffix(':').is_some_and(matches)
}

fn is_function(kind: ProbeKind) -> bool {
    matches!(kind, ProbeKind::Kprobe | ProbeKind::Kretprobe | ProbeKind::Fentry | ProbeKind::Fexit)
}

/// All probes of a kind, sorted.
fn all(kind: ProbeKind, request: &Request<'_>) -> Result<Vec<String>, Failure> {
    let behind: Vec<String> = match kind {
        ProbeKind::Interval | ProbeKind::Profile => UNITS.map(str::to_owned).into(),
        ProbeKind::Software => events(SoftwareEvent::names()),
        ProbeKind::Hardware => events(HardwareEvent::names()),
        ProbeKind::Tracepoint => match Tracefs::locate().and_then(|tracefs| {
            let usable = |(category, event): &(String, String)| {
                tracefs.format_text(category, event).is_ok_and(|text| text.is_some())
            };
            Ok(tracefs.events(|_| true, |_| true)?.into_iter().filter(usable).collect::<Vec<_>>())
        }) {
            Ok(found) => found.into_iter().map(|(category, event)| format!("{category}:{event}")).collect(),
            Err(error) => absent(kind, &error.to_string()),
        },
        ProbeKind::RawTracepoint => match raw_tracepoints(|_| true) {
            Ok(found) => found.into_iter().map(|(module, event)| format!("{module}:{event}")).collect(),
            Err(error) => absent(kind, &error.to_string()),
        },
        ProbeKind::Kprobe | ProbeKind::Kretprobe | ProbeKind::Fentry | ProbeKind::Fexit => {
            let names: BTreeSet<String> = functions(request, kind)?.into_keys().collect();
            names.into_iter().collect()
        }
        ProbeKind::Iter => iterators(request)?,
        ProbeKind::Begin
        | ProbeKind::End
        | ProbeKind::SelfSignal
        | ProbeKind::Test
        | ProbeKind::Bench
        | ProbeKind::Uprobe
        | ProbeKind::Uretprobe
        | ProbeKind::Usdt
        | ProbeKind::Watchpoint => Vec::new(),
    };
    Ok(behind.into_iter().map(|rest| format!("{}:{rest}", kind.name())).collect())
}

/// What cannot be listed here is told, and left out.
fn absent(kind: ProbeKind, reason: &str) -> Vec<String> {
    eprintln!("warning: no {} probes are listed: {reason}", kind.name());
    Vec::new()
}

fn events<'n>(names: impl Iterator<Item = &'n str>) -> Vec<String> {
    let names: BTreeSet<String> = names.map(|name| format!("{name}:")).collect();
    names.into_iter().collect()
}

/// The functions that can be traced, with their modules. Those with typed arguments are known to the kernel's BTF, too.
fn functions(request: &Request<'_>, kind: ProbeKind) -> Result<BTreeMap<String, String>, Failure> {
    let mut found = traceable(request.traceable.as_deref());
    if matches!(kind, ProbeKind::Fentry | ProbeKind::Fexit) {
        let types = Types::read(request)?;
        let typed: BTreeSet<&str> = types.kernel().names(Kind::Func);
        // Types of modules are in blobs of their own, which are not read for a list.
        found.retain(|name, module| module != VMLINUX || typed.contains(name.as_str()));
    }
    Ok(found)
}

/// From the list that ftrace keeps; without one, from the symbols. Lines are `function [module]` and
/// `address type function [module]`.
fn traceable(given: Option<&str>) -> BTreeMap<String, String> {
    let listed =
        given.map(str::to_owned).or_else(|| Tracefs::locate().ok().and_then(|tracefs| tracefs.functions()));
    let (text, skip) = match listed {
        Some(text) => (text, 0),
        None => (fs::read_to_string("/proc/kallsyms").unwrap_or_default(), 2),
    };
    let mut found = BTreeMap::new();
    for line in text.lines() {
        let mut words = line.split_whitespace();
        if skip > 0 && !matches!(words.by_ref().nth(1), Some("t" | "T")) {
            continue;
        }
        let Some(name) = words.next().filter(|name| is_whole(name)) else { continue };
        let module = words.next().map_or(VMLINUX, |module| module.trim_matches(['[', ']']));
        found.entry(name.to_owned()).or_insert_with(|| module.to_owned());
    }
    found
}

/// Parts that the compiler split off and the padding in front of functions are not whole functions.
fn is_whole(name: &str) -> bool {
    !name.contains(".part.")
        && !name.contains(".cold")
        && !name.starts_with("__pfx_")
        && !name.starts_with("__cfi_")
}

/// The kernel has a structure and a function for each of its iterators.
fn iterators(request: &Request<'_>) -> Result<Vec<String>, Failure> {
    let types = Types::read(request)?;
    let functions = types.kernel().names(Kind::Func);
    let structures = types.kernel().names(Kind::Struct);
    let names = structures.into_iter().filter_map(|name| name.strip_prefix("bpf_iter__"));
    Ok(names
        .filter(|name| functions.contains(format!("bpf_iter_{name}").as_str()))
        .map(str::to_owned)
        .collect())
}
