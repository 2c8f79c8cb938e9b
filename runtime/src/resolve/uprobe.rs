//! Places in user code.

use std::collections::{BTreeMap, HashSet};
use std::ffi::{CString, OsStr};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use btaot_abi::Bytes;
use btaot_abi::metadata::{Place as Wanted, Uprobe, has_wildcard};
use btaot_abi::pattern;

use super::binary::{Binary, Cache, Symbol};
use super::lines::Statement;
use super::paths::Paths;
use super::{Found, LineProblem, Place, Reason, UserPlace, provider};
use crate::symbols::{cpp_forms, demangle};

/// Finds all places that a uprobe or uretprobe means.
pub fn places(cache: &mut Cache, paths: &Paths, uprobe: &Uprobe, name: &Bytes) -> Result<Vec<Found>, Reason> {
    let binaries = paths.find(&uprobe.path);
    if binaries.is_empty() {
        return Err(if uprobe.path.is_empty() { Reason::NoProcess } else { Reason::NoBinary });
    }
    let is_pattern = has_wildcard(&uprobe.path);
    let mut found = Vec::new();
    let mut problem = None;
    for (shown, path) in binaries {
        let context = Context { uprobe, name, shown: &shown };
        match in_binary(cache, &path, &context) {
            Ok(places) => found.extend(places),
            // A pattern may match files that are no binaries, or that lack the function.
            Err(reason) if is_pattern => problem = Some(reason),
            Err(reason) => return Err(reason),
        }
    }
    match problem {
        Some(_) if found.is_empty() && *uprobe.path == *b"*" => Err(Reason::NowhereMapped),
        Some(problem) if found.is_empty() => Err(problem),
        _ => Ok(found),
    }
}

/// How far a symbol of the binary is from a place in it, in memory; and the symbol's bytes.
pub fn distance(place: &UserPlace, symbol: &[u8]) -> Result<(u64, u64), Reason> {
    let path = Path::new(OsStr::from_bytes(place.path.to_bytes()));
    Cache::default().open(path)?.distance(symbol, place.offset)
}

/// What is looked for.
struct Context<'a> {
    uprobe: &'a Uprobe,
    /// The attach point's text.
    name: &'a Bytes,
    /// The binary's path as the user would write it.
    shown: &'a [u8],
}

fn in_binary(cache: &mut Cache, path: &Path, context: &Context<'_>) -> Result<Vec<Found>, Reason> {
    let binary = cache.open(path)?;
    match &context.uprobe.place {
        Wanted::Address(address) => {
            let place = user_place(&binary, binary.file_offset(*address)?, context)?;
            let found = Found { name: context.name.clone(), function: function_at(&binary, *address), place };
            Ok(vec![found])
        }
        Wanted::Demangled(pattern) => demangled(&binary, pattern, context),
        Wanted::Line { file, line, column } => {
            at_line(&binary, &Statement { file, line: *line, column: *column }, context)
        }
        Wanted::Symbol { name, .. } if has_wildcard(name) => {
            let symbols = binary.functions(|symbol| pattern::matches(name, symbol), usize::MAX)?;
            once_each(&binary, name, symbols, context)
        }
        Wanted::Symbol { name, offset } => {
            let symbol = exact(&binary, name)?;
            if symbol.size != 0 && *offset >= symbol.size {
                return Err(Reason::OutsideFunction { offset: *offset, size: symbol.size });
            }
            let place = binary.file_offset(symbol.address.wrapping_add(*offset))?;
            let place = user_place(&binary, place, context)?;
            let name = if is_full_path(&context.uprobe.path) {
                context.name.clone()
            } else {
                expanded(context, name, *offset)
            };
            Ok(vec![Found { name, function: symbol.name.into(), place }])
        }
    }
}

fn exact(binary: &Binary, name: &[u8]) -> Result<Symbol, Reason> {
    let found = binary.functions(|candidate| candidate == name, 1)?;
    found.into_iter().next().ok_or_else(|| no_function(binary, name))
}

fn no_function(binary: &Binary, name: &[u8]) -> Reason {
    let stripped = binary.is_stripped();
    let hint = if stripped { "; it is stripped, so only exported functions have names" } else { "" };
    Reason::NoFunction {
        path: binary.path().to_owned(),
        function: String::from_utf8_lossy(name).into_owned(),
        hint,
    }
}

/// C++ functions by their demangled names; constructors and the like have several symbols for one piece of code.
fn demangled(binary: &Binary, pattern: &[u8], context: &Context<'_>) -> Result<Vec<Found>, Reason> {
    let matches = |symbol: &[u8]| {
        let symbol = std::str::from_utf8(symbol).ok().filter(|symbol| symbol.starts_with("_Z"));
        let forms = symbol.map(cpp_forms).unwrap_or_default();
        forms.iter().any(|form| pattern::matches(pattern, form.as_bytes()))
    };
    let mut symbols = binary.functions(matches, usize::MAX)?;
    for symbol in &mut symbols {
        if let Ok(name) = std::str::from_utf8(&symbol.name) {
            symbol.name = demangle(name).into_owned().into_bytes();
        }
    }
    once_each(binary, pattern, symbols, context)
}

/// The places where a statement begins: the first one in each function, as a function may come back to it.
fn at_line(binary: &Binary, wanted: &Statement<'_>, context: &Context<'_>) -> Result<Vec<Found>, Reason> {
    let functions = binary.functions(|_| true, usize::MAX)?;
    let covering = |address: u64| {
        let covers =
            |symbol: &&Symbol| address.checked_sub(symbol.address).is_some_and(|at| at < symbol.size);
        functions.iter().find(covers)
    };
    let mut first: BTreeMap<u64, (u64, &Symbol)> = BTreeMap::new();
    for address in binary.line_addresses(wanted)? {
        let Some(function) = covering(address) else { continue };
        let (lowest, _) = first.entry(function.address).or_insert((address, function));
        *lowest = address.min(*lowest);
    }
    let found: Result<Vec<Found>, Reason> = first
        .into_values()
        .map(|(address, function)| {
            let place = user_place(binary, binary.file_offset(address)?, context)?;
            Ok(Found { name: context.name.clone(), function: function.name.clone().into(), place })
        })
        .collect();
    let found = found?;
    if found.is_empty() {
        let column = wanted.column.map(|column| format!(":{column}")).unwrap_or_default();
        let place = format!("{}:{}{column}", wanted.file.escape_ascii(), wanted.line);
        let problem = LineProblem::NoStatement(place);
        return Err(Reason::NoLine { path: binary.path().to_owned(), problem });
    }
    Ok(found)
}

/// One probe for each place: functions with several names are traced once, under the first.
fn once_each(
    binary: &Binary,
    pattern: &[u8],
    mut symbols: Vec<Symbol>,
    context: &Context<'_>,
) -> Result<Vec<Found>, Reason> {
    symbols.sort_unstable();
    let mut seen = HashSet::new();
    let mut found = Vec::new();
    for symbol in symbols {
        // Resolvers and thunks may have symbols without code in the file.
        let Ok(offset) = binary.file_offset(symbol.address) else { continue };
        if seen.insert(offset) {
            let place = user_place(binary, offset, context)?;
            let name = expanded(context, &symbol.name, 0);
            found.push(Found { name, function: symbol.name.into(), place });
        }
    }
    if found.is_empty() { Err(no_function(binary, pattern)) } else { Ok(found) }
}

/// The name of the function that covers an address.
fn function_at(binary: &Binary, address: u64) -> Bytes {
    let all = binary.functions(|_| true, usize::MAX).unwrap_or_default();
    let covers = |symbol: &&Symbol| address.checked_sub(symbol.address).is_some_and(|at| at < symbol.size);
    all.iter().find(covers).map(|symbol| symbol.name.clone().into()).unwrap_or_default()
}

fn user_place(binary: &Binary, offset: u64, context: &Context<'_>) -> Result<Place, Reason> {
    let path = CString::new(binary.holder().as_os_str().as_bytes()).map_err(|_| Reason::Nul)?;
    Ok(Place::Uprobe(UserPlace { path, offset, ret: context.uprobe.ret, semaphore: 0 }))
}

/// Whether the path of an attach point is already what is to be shown.
fn is_full_path(path: &[u8]) -> bool {
    path.contains(&b'/') && !has_wildcard(path)
}

/// The attach point's text with the binary's path and the function's name put in.
fn expanded(context: &Context<'_>, function: &[u8], offset: u64) -> Bytes {
    let mut name = provider(context.name).to_vec();
    name.extend(context.shown);
    name.push(b':');
    if matches!(context.uprobe.place, Wanted::Demangled(_)) {
        name.extend(b"cpp:");
    }
    name.extend(function);
    if offset != 0 {
        name.extend(format!("+{offset}").into_bytes());
    }
    name.into()
}
