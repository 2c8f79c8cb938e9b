//! Places in the kernel: functions and tracepoints.

use std::ffi::CString;
use std::fs;

use btaot_abi::Bytes;
use btaot_abi::metadata::{Kprobe, Place as Wanted, TracepointArgs, has_wildcard};
use btaot_abi::pattern;

use super::{Found, KernelPlace, Place, Reason, check_layout, function, provider};
use crate::kernel_btf;
use crate::tracefs::Tracefs;

/// What the kernel itself counts as, where modules are named.
const VMLINUX: &[u8] = b"vmlinux";

/// Finds all places that a kprobe or kretprobe means. Whether an exact name exists is left to the kernel:
/// reading the list of its functions takes longer than everything else together. `listed` gives that list, where it
/// may be read.
pub fn functions(
    kprobe: &Kprobe,
    name: &Bytes,
    listed: impl FnOnce() -> Option<String>,
) -> Result<Vec<Found>, Reason> {
    let place = |function: Option<Vec<u8>>, offset| {
        let function = function.map(CString::new).transpose().map_err(|_| Reason::Nul)?;
        Ok::<_, Reason>(Place::Kprobe(KernelPlace { function, offset, ret: kprobe.ret }))
    };
    match &kprobe.place {
        Wanted::Address(address) => {
            let place = place(None, *address)?;
            Ok(vec![Found { name: name.clone(), function: Bytes::default(), place }])
        }
        Wanted::Symbol { name: function, offset } if !has_wildcard(function) => {
            let place = place(Some(qualified(kprobe.module.as_ref(), function)), *offset)?;
            Ok(vec![Found { name: name.clone(), function: function.clone(), place }])
        }
        // Only user code has these.
        Wanted::Demangled(_) | Wanted::Line { .. } => Err(Reason::NoKernelFunction),
        Wanted::Symbol { name: pattern, .. } => {
            let matching = match listed() {
                Some(text) => from_filter_functions(&text, kprobe.module.as_ref(), pattern),
                None => from_kallsyms(kprobe.module.as_ref(), pattern),
            };
            if matching.is_empty() {
                return Err(Reason::NoKernelFunction);
            }
            let found = matching.into_iter().map(|function| {
                let text = [provider(name), function.as_bytes()].concat();
                let place = place(Some(function.clone().into_bytes()), 0)?;
                Ok(Found { name: text.into(), function: function.into(), place })
            });
            found.collect()
        }
    }
}

/// The kernel takes `module:function`.
fn qualified(module: Option<&Bytes>, function: &[u8]) -> Vec<u8> {
    match module {
        Some(module) if &module[..] != VMLINUX => [module, b":".as_slice(), function].concat(),
        _ => function.to_vec(),
    }
}

/// Lines are `function` or `function [module]`.
fn from_filter_functions(text: &str, module: Option<&Bytes>, pattern: &[u8]) -> Vec<String> {
    select(
        text.lines().filter_map(|line| {
            let mut words = line.split_whitespace();
            Some((words.next()?, words.next()))
        }),
        module,
        pattern,
    )
}

/// Lines are `address type function`, a tab and `[module]` for modules.
fn from_kallsyms(module: Option<&Bytes>, pattern: &[u8]) -> Vec<String> {
    let text = fs::read_to_string("/proc/kallsyms").unwrap_or_default();
    let functions = text.lines().filter_map(|line| {
        let mut words = line.split_whitespace().skip(1);
        let kind = words.next()?;
        matches!(kind, "t" | "T").then_some((words.next()?, words.next()))
    });
    select(functions, module, pattern)
}

fn select<'a>(
    functions: impl Iterator<Item = (&'a str, Option<&'a str>)>,
    module: Option<&Bytes>,
    pattern: &[u8],
) -> Vec<String> {
    let in_module = |found: Option<&str>| match module {
        None => true,
        Some(module) => {
            let found = found.map_or("vmlinux", |name| name.trim_matches(['[', ']']));
            pattern::matches(module, found.as_bytes())
        }
    };
    // Parts that the compiler split off and the padding in front of functions are not whole functions.
    let whole = |name: &str| {
        !name.contains(".part.")
            && !name.contains(".cold")
            && !name.starts_with("__pfx_")
            && !name.starts_with("__cfi_")
    };
    let wanted = functions.filter(|(name, module)| {
        pattern::matches(pattern, name.as_bytes()) && whole(name) && in_module(*module)
    });
    let mut names: Vec<String> = wanted.map(|(name, _)| name.to_owned()).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// Finds all raw tracepoints that are meant. Whether an exact name exists is left to the kernel.
///
/// `args` is what the program reads of their arguments by name.
pub fn raw_tracepoints(
    module: Option<&Bytes>,
    event: &Bytes,
    name: &Bytes,
    args: Option<&TracepointArgs>,
) -> Result<Vec<Found>, Reason> {
    let found = |name: Bytes, event: Bytes, arguments| {
        let symbol = CString::new(event.to_vec()).map_err(|_| Reason::Nul)?;
        let place = Place::RawTracepoint { event: symbol, arguments };
        Ok::<_, Reason>(Found { name, function: event, place })
    };
    let is_pattern = has_wildcard(event) || module.is_some_and(|module| has_wildcard(module));
    if !is_pattern && args.is_none() {
        return Ok(vec![found(name.clone(), event.clone(), Vec::new())?]);
    }
    let wanted = |of: &str| module.is_none_or(|module| pattern::matches(module, of.as_bytes()));
    let mut matching = Vec::new();
    let mut events = kernel_btf::raw_tracepoints(wanted)?;
    events.retain(|(_, known)| pattern::matches(event, known.as_bytes()));
    let layouts = match args {
        Some(_) => function::raw_arguments(&events)?,
        None => vec![Vec::new(); events.len()],
    };
    for ((module, known), arguments) in events.into_iter().zip(layouts) {
        if let Some(args) = args {
            let prefix = if is_pattern { format!("{known}: ") } else { String::new() };
            function::check(&arguments, args, "tracepoint")
                .map_err(|problem| Reason::Layout(prefix + &problem))?;
        }
        let full = if is_pattern { format!("rawtracepoint:{module}:{known}").into() } else { name.clone() };
        matching.push(found(full, known.into(), arguments)?);
    }
    if matching.is_empty() { Err(Reason::NoTracepoint) } else { Ok(matching) }
}

/// Finds all tracepoints that are meant; `args` is what the program reads of their records.
pub fn tracepoints(
    tracefs: &Tracefs,
    category: &Bytes,
    event: &Bytes,
    args: Option<&TracepointArgs>,
) -> Result<Vec<Found>, Reason> {
    let is_pattern = has_wildcard(category) || has_wildcard(event);
    let names = if is_pattern {
        let matches = |pattern: &Bytes, name: &str| pattern::matches(pattern, name.as_bytes());
        tracefs.events(|name| matches(category, name), |name| matches(event, name))?
    } else {
        vec![(category.display().into_owned(), event.display().into_owned())]
    };
    let mut found = Vec::new();
    for (category, event) in names {
        let Some(format) = tracefs.format(&category, &event)? else {
            // Listed but without a format: not for use.
            if is_pattern {
                continue;
            }
            return Err(Reason::NoTracepoint);
        };
        if let Some(args) = args {
            let prefix = if is_pattern { format!("{category}:{event}: ") } else { String::new() };
            check_layout(&format, args).map_err(|problem| Reason::Layout(prefix + &problem))?;
        }
        let name = format!("tracepoint:{category}:{event}");
        found.push(Found { name: name.into(), function: event.into(), place: Place::Tracepoint { format } });
    }
    if found.is_empty() { Err(Reason::NoTracepoint) } else { Ok(found) }
}
