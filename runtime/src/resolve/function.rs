//! Traced kernel functions and raw tracepoints: what the kernel's types tell of them.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use btaot_abi::Bytes;
use btaot_abi::metadata::{Fentry, RETURN_VALUE, TracepointArgs, has_wildcard};
use btaot_abi::pattern;
use btaot_btf::{Btf, Kind, TypeId};

use super::{Found, Owner, Place, Reason, TracedFunction, provider};
use crate::kernel_btf::{self, KernelBtfError, VMLINUX_MODULE};
use crate::tracefs::FormatField;

/// Bytes of a register, in which arguments are passed.
const WORD: u64 = 8;

/// Finds all functions that the fentries and fexits of attach points mean, in the same order. `traceable` gives the list
/// of functions that the kernel can trace, where it may be read.
///
/// All that is asked for is found in one reading of the types, which are megabytes.
pub fn functions(
    wanted: &[Wanted<'_>],
    traceable: impl FnOnce() -> Option<String>,
) -> Vec<Result<Vec<Found>, Reason>> {
    let has_pattern = wanted.iter().any(Wanted::is_pattern);
    let listed = if has_pattern { traceable() } else { None };
    let listed = listed.as_deref().map(Listed::read);
    let search = RefCell::new(Search { found: vec![Vec::new(); wanted.len()], named: BTreeSet::new() });
    let visited = kernel_btf::visit(
        |module| search.borrow().is_wanted(wanted, module),
        |module, btf| search.borrow_mut().look(wanted, listed.as_ref(), module, btf),
    );
    let mut search = search.into_inner();
    let error = visited.err().map(Arc::new);
    let results = wanted.iter().zip(&mut search.found).map(|(wanted, found)| {
        match &error {
            // What was found before does not count: better places may be where it could not be read.
            Some(error) => Err(Reason::KernelBtf(Arc::clone(error))),
            None => wanted.result(std::mem::take(found), &search.named),
        }
    });
    results.collect()
}

/// The attach point of a program that traces functions.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'m> {
    /// What it names.
    pub fentry: &'m Fentry,
    /// Its name.
    pub name: &'m Bytes,
    /// What the program reads of the functions' arguments.
    pub args: Option<&'m TracepointArgs>,
}

/// What has been found so far, for each attach point.
struct Search {
    found: Vec<Vec<(Place, String, String)>>,
    /// Modules that were named and are there.
    named: BTreeSet<String>,
}

impl Search {
    /// Whether a module is to be looked into. The kernel's own functions come first, and modules are read only for what
    /// is not among them or may be in several.
    fn is_wanted(&self, wanted: &[Wanted<'_>], module: &str) -> bool {
        let mut all = wanted.iter().zip(&self.found);
        all.any(|(wanted, found)| wanted.is_in(module) && !wanted.is_answered(found))
    }

    fn look(&mut self, wanted: &[Wanted<'_>], listed: Option<&Listed<'_>>, module: &str, btf: &Btf<'_>) {
        let names = exact_names(wanted);
        let mut exact: BTreeMap<&str, TypeId> = BTreeMap::new();
        btf.visit_named(
            |kind| kind == Kind::Func,
            &names,
            |which, id| {
                exact.entry(names[which]).or_insert(id);
                exact.len() < names.len()
            },
        );
        for (wanted, found) in wanted.iter().zip(&mut self.found) {
            if !wanted.is_in(module) || wanted.is_answered(found) {
                continue;
            }
            if wanted.fentry.module.as_ref().is_some_and(|name| **name == *module.as_bytes()) {
                self.named.insert(module.to_owned());
            }
            let ids = if wanted.is_pattern() {
                let fits = |name: &str| {
                    pattern::matches(&wanted.fentry.function, name.as_bytes())
                        && listed.is_none_or(|listed| listed.has(module, name))
                };
                matching(btf, fits)
            } else {
                wanted.exact().and_then(|name| exact.get(name).copied()).into_iter().collect()
            };
            found.extend(ids.into_iter().map(|id| {
                let function = TracedFunction {
                    owner: Owner::of_module(module),
                    id: id.0,
                    ret: wanted.fentry.ret,
                    arguments: layout(btf, id, 0),
                };
                (Place::Function(function), module.to_owned(), btf.name(id).to_owned())
            }));
        }
    }
}

/// The names that are not patterns, each once.
fn exact_names<'m>(wanted: &[Wanted<'m>]) -> Vec<&'m str> {
    let names: BTreeSet<&str> = wanted.iter().filter_map(Wanted::exact).collect();
    names.into_iter().collect()
}

impl<'m> Wanted<'m> {
    fn is_pattern(&self) -> bool {
        has_wildcard(&self.fentry.function)
    }

    /// The function's name, if it is one; no function has a name that is not text.
    fn exact(&self) -> Option<&'m str> {
        let fentry: &'m Fentry = self.fentry;
        if self.is_pattern() { None } else { std::str::from_utf8(&fentry.function).ok() }
    }

    fn is_in(&self, module: &str) -> bool {
        self.fentry.module.as_ref().is_none_or(|wanted| pattern::matches(wanted, module.as_bytes()))
    }

    /// Whether nothing is to be added: a function of the kernel itself is meant before those of modules.
    fn is_answered(&self, found: &[(Place, String, String)]) -> bool {
        let several = self.fentry.module.as_ref().is_some_and(|module| has_wildcard(module));
        !self.is_pattern() && !several && found.iter().any(|(_, module, _)| module == VMLINUX_MODULE)
    }

    fn result(
        &self,
        found: Vec<(Place, String, String)>,
        named: &BTreeSet<String>,
    ) -> Result<Vec<Found>, Reason> {
        if let [(_, first, _), (_, second, _), ..] = &found[..]
            && !self.is_pattern()
            && !self.fentry.module.as_ref().is_some_and(|module| has_wildcard(module))
        {
            return Err(Reason::SeveralModules { first: first.clone(), second: second.clone() });
        }
        if found.is_empty() {
            let module = self.fentry.module.as_ref().map(|module| module.display().into_owned());
            let absent = module.filter(|module| {
                module != VMLINUX_MODULE && !has_wildcard(module.as_bytes()) && !named.contains(module)
            });
            return Err(absent.map_or(Reason::NoTypedFunction, |module| Reason::NoModule { module }));
        }
        let is_pattern = self.is_pattern();
        let one = |(place, module, symbol): (Place, String, String)| {
            if let (Some(args), Place::Function(function)) = (self.args, &place) {
                let prefix = if is_pattern { format!("{symbol}: ") } else { String::new() };
                check(&function.arguments, args, "function")
                    .map_err(|problem| Reason::Layout(prefix + &problem))?;
            }
            let text = [provider(self.name), module.as_bytes(), b":", symbol.as_bytes()].concat();
            Ok(Found { name: text.into(), function: symbol.into(), place })
        };
        found.into_iter().map(one).collect()
    }
}

/// A function of this blob, not of its base.
pub(super) fn own(btf: &Btf<'_>, name: &str) -> Option<TypeId> {
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
