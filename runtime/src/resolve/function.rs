//! Traced kernel functions and raw tracepoints: what the kernel's types tell of them.

use std::collections::HashSet;

use btaot_abi::Bytes;
use btaot_abi::metadata::{Fentry, RETURN_VALUE, TracepointArgs, has_wildcard};
use btaot_abi::pattern;
use btaot_btf::{Btf, Kind, TypeId};

use super::{Found, Place, Reason, TracedFunction, provider};
use crate::kernel_btf::{self, KernelBtfError, VMLINUX_MODULE};
use crate::tracefs::FormatField;

/// Bytes of a register, in which arguments are passed.
const WORD: u64 = 8;

/// Finds all functions that an fentry or fexit means. `args` is what the program reads of their arguments;
/// `traceable` gives the list of functions that the kernel can trace, where it may be read.
pub fn functions(
    fentry: &Fentry,
    name: &Bytes,
    args: Option<&TracepointArgs>,
    traceable: impl FnOnce() -> Option<String>,
) -> Result<Vec<Found>, Reason> {
    let in_module = |module: &str| {
        fentry.module.as_ref().is_none_or(|wanted| pattern::matches(wanted, module.as_bytes()))
    };
    let is_pattern = has_wildcard(&fentry.function);
    let mut found = Vec::new();
    let mut places: Vec<(String, String)> = Vec::new();
    let listed = if is_pattern { traceable() } else { None };
    let listed = listed.as_deref().map(Listed::read);
    kernel_btf::visit(in_module, |module, btf| {
        let ids = if is_pattern {
            let fits = |name: &str| {
                pattern::matches(&fentry.function, name.as_bytes())
                    && listed.as_ref().is_none_or(|listed| listed.has(module, name))
            };
            matching(btf, fits)
        } else {
            own(btf, &fentry.function.display()).into_iter().collect()
        };
        for id in ids {
            places.push((module.to_owned(), btf.name(id).to_owned()));
            let function = TracedFunction {
                module: (module != VMLINUX_MODULE).then(|| module.to_owned()),
                id: id.0,
                ret: fentry.ret,
                arguments: layout(btf, id, 0),
            };
            found.push(function);
        }
    })?;
    if let [(first, _), (second, _), ..] = &places[..]
        && !is_pattern
    {
        return Err(Reason::SeveralModules { first: first.clone(), second: second.clone() });
    }
    if found.is_empty() {
        return Err(Reason::NoTypedFunction);
    }
    let named = found.into_iter().zip(places).map(|(function, (module, symbol))| {
        if let Some(args) = args {
            let prefix = if is_pattern { format!("{symbol}: ") } else { String::new() };
            check(&function.arguments, args, "function")
                .map_err(|problem| Reason::Layout(prefix + &problem))?;
        }
        let text = [provider(name), module.as_bytes(), b":", symbol.as_bytes()].concat();
        Ok(Found { name: text.into(), function: symbol.into(), place: Place::Function(function) })
    });
    named.collect()
}

/// A function of this blob, not of its base.
fn own(btf: &Btf<'_>, name: &str) -> Option<TypeId> {
    let mut found = None;
    btf.visit_named(
        |kind| kind == Kind::Func,
        &[name],
        |_, id| {
            found = Some(id);
            false
        },
    );
    found
}

/// The functions of this blob whose names fit, sorted by name. Of several of one name the first is taken.
fn matching(btf: &Btf<'_>, fits: impl Fn(&str) -> bool) -> Vec<TypeId> {
    let functions = btf.own_ids().filter(|id| btf.kind(*id) == Kind::Func && fits(btf.name(*id)));
    let mut functions: Vec<TypeId> = functions.collect();
    functions.sort_by_key(|id| (btf.name(*id), *id));
    functions.dedup_by_key(|id| btf.name(*id));
    functions
}

/// The functions that the kernel can trace, by module.
struct Listed<'t>(HashSet<(&'t str, &'t str)>);

impl<'t> Listed<'t> {
    /// Lines are `function` or `function [module]`.
    fn read(text: &'t str) -> Self {
        let function = |line: &'t str| {
            let mut words = line.split_whitespace();
            let function = words.next()?;
            let module = words.next().map_or(VMLINUX_MODULE, |module| module.trim_matches(['[', ']']));
            Some((module, function))
        };
        Self(text.lines().filter_map(function).collect())
    }

    fn has(&self, module: &str, function: &str) -> bool {
        self.0.contains(&(module, function))
    }
}

/// Where the arguments of raw tracepoints stand, in the order of `events`; empty for one whose arguments nothing is
/// known of.
pub fn raw_arguments(events: &[(String, String)]) -> Result<Vec<Vec<FormatField>>, KernelBtfError> {
    let mut layouts = vec![Vec::new(); events.len()];
    let wanted = |module: &str| events.iter().any(|(of, _)| of == module);
    kernel_btf::visit(wanted, |module, btf| {
        for ((of, event), fields) in events.iter().zip(&mut layouts) {
            if of == module {
                let names = [format!("__probestub_{event}"), format!("__traceiter_{event}")];
                if let Some(id) = names.iter().find_map(|name| own(btf, name)) {
                    // The first parameter is not passed on.
                    *fields = layout(btf, id, 1);
                }
            }
        }
    })?;
    Ok(layouts)
}

/// Where the arguments of a function stand in the context of a program that traces it, and its result behind them.
fn layout(btf: &Btf<'_>, id: TypeId, skip: usize) -> Vec<FormatField> {
    let Some((parameters, result)) = btf.prototype(id) else { return Vec::new() };
    let mut offset = 0;
    let field = |name: &str, ty: TypeId, offset: u64| {
        let size = btf.size(ty).unwrap_or(0);
        FormatField { name: name.to_owned(), offset: offset as u32, size: size as u32 }
    };
    let mut fields = Vec::new();
    for parameter in parameters.skip(skip) {
        let found = field(parameter.name, parameter.ty, offset);
        offset += u64::from(found.size).div_ceil(WORD).max(1) * WORD;
        fields.push(found);
    }
    fields.push(field(RETURN_VALUE, result, offset));
    fields
}

/// Whether a function has all arguments that a program reads, in the sizes that the bytecode was made for.
pub fn check(fields: &[FormatField], args: &TracepointArgs, what: &str) -> Result<(), String> {
    for wanted in &args.fields {
        let shown = match wanted.name.as_str() {
            RETURN_VALUE => "result".to_owned(),
            name => format!("argument `{name}`"),
        };
        match fields.iter().find(|found| found.name == wanted.name) {
            None => {
                return Err(format!(
                    "this kernel's {what} has no {shown}; compile the script for this kernel"
                ));
            }
            Some(found) if found.size != wanted.size => {
                return Err(format!(
                    "{shown} of this kernel's {what} has {} bytes, the script was compiled for {}; \
                     compile it for this kernel",
                    found.size, wanted.size
                ));
            }
            Some(_) => {}
        }
    }
    Ok(())
}
