//! Notes on probes whose target is absent on the compiling machine.

use std::collections::BTreeSet;

use btaot_abi::Bytes;
use btaot_abi::metadata::{AttachPoint, Fentry, Place, Target as Attach, has_wildcard};
use btaot_btf::Kind;
use btaot_frontend::{Diagnostic, Span};

use super::{Clause, absent, did_you_mean};
use crate::structs::{Catalog, VMLINUX};
use crate::target::{Target, matches};

/// Says which attach points match nothing here. Never an error: the host that counts is the tool's.
pub(crate) fn notes(clauses: &[Clause<'_>], target: &Target, catalog: &Catalog<'_>) -> Vec<Diagnostic> {
    let groups = || clauses.iter().flat_map(|clause| &clause.groups);
    let points = groups().flat_map(|group| group.attach.iter().zip(&group.spans));
    let functions = functions_in_btf(groups().flat_map(|group| &group.attach), catalog);
    points.filter_map(|(point, span)| note(point, *span, (target, catalog), &functions)).collect()
}

fn note(
    point: &AttachPoint,
    span: Span,
    (target, catalog): (&Target, &Catalog<'_>),
    functions: &BTreeSet<String>,
) -> Option<Diagnostic> {
    match &point.target {
        Attach::Begin
        | Attach::End
        | Attach::Interval { .. }
        | Attach::Profile { .. }
        | Attach::Software { .. }
        | Attach::SelfSignal { .. }
        | Attach::Test { .. }
        | Attach::Bench { .. }
        | Attach::Hardware { .. }
        | Attach::Watchpoint { .. }
        | Attach::RawTracepoint { .. }
        | Attach::FentryProgram(_)
        | Attach::Iter { .. }
        | Attach::Usdt(_) => None,
        Attach::Uprobe(uprobe) => {
            let Place::Symbol { name, .. } = &uprobe.place else { return None };
            if has_wildcard(&uprobe.path) {
                return None;
            }
            let path = uprobe.path.display();
            let Some(functions) = target.functions(&uprobe.path) else {
                return uprobe
                    .path
                    .contains(&b'/')
                    .then(|| absent(span, format!("`{path}` cannot be read here"), None));
            };
            missing(name, &functions, |hint| {
                absent(span, format!("`{path}` has no function `{}` here", name.display()), hint)
            })
        }
        Attach::Fentry(fentry) => {
            let message = absent_function(fentry, functions, catalog)?;
            Some(absent(span, message, None))
        }
        Attach::Kprobe(kprobe) => {
            let Place::Symbol { name, .. } = &kprobe.place else { return None };
            let in_btf = has_wildcard(name) || functions.contains(&*name.display());
            // BTF knows most functions and costs less than the kernel's symbol table.
            if in_btf || target.has_kernel_function(name) != Some(false) {
                return None;
            }
            Some(absent(span, format!("the kernel has no function `{}` here", name.display()), None))
        }
        Attach::Tracepoint { category, event } => {
            if !target.tracepoints(category, event).is_empty() {
                return None;
            }
            let known = target.tracepoints(category, b"*");
            let names: Vec<String> = known.iter().map(|(_, name)| name.display().into_owned()).collect();
            let hint = did_you_mean(&event.display(), names.iter().map(String::as_str));
            let message = format!("there is no tracepoint `{}:{}` here", category.display(), event.display());
            Some(absent(span, message, hint))
        }
    }
}

/// What is absent of a typed function.
fn absent_function(fentry: &Fentry, functions: &BTreeSet<String>, catalog: &Catalog<'_>) -> Option<String> {
    let name = &fentry.function;
    let types = catalog.kernel_types();
    match fentry.module.as_deref() {
        None if has_wildcard(name) || functions.contains(&*name.display()) => None,
        Some(VMLINUX) if has_wildcard(name) || functions.contains(&*name.display()) => None,
        Some(module) if module != VMLINUX && !has_wildcard(module) => {
            let shown = String::from_utf8_lossy(module);
            if types.modules_named(|known| known == module).is_empty() {
                return Some(format!("the kernel has no types of a module `{shown}` here"));
            }
            let message = format!("the module `{shown}` has no function `{}` here", name.display());
            types.function(Some(module), name).is_none().then_some(message)
        }
        module => {
            let message = format!("the kernel has no type of a function `{}` here", name.display());
            types.function(module, name).is_none().then_some(message)
        }
    }
}

fn missing(
    name: &Bytes,
    known: &[Bytes],
    note: impl FnOnce(Option<String>) -> Diagnostic,
) -> Option<Diagnostic> {
    // A binary without any symbols is stripped: nothing can be said.
    if known.is_empty() || known.iter().any(|function| matches(name, function)) {
        return None;
    }
    let names: Vec<String> = known.iter().map(|name| name.display().into_owned()).collect();
    Some(note(did_you_mean(&name.display(), names.iter().map(String::as_str))))
}

/// Which of the probed kernel functions BTF knows. One pass finds them all, because each reads megabytes.
fn functions_in_btf<'p>(
    points: impl Iterator<Item = &'p AttachPoint>,
    catalog: &Catalog<'_>,
) -> BTreeSet<String> {
    let name = |point: &AttachPoint| match &point.target {
        Attach::Kprobe(kprobe) => match &kprobe.place {
            Place::Symbol { name, .. } if !has_wildcard(name) => Some(name.display().into_owned()),
            _ => None,
        },
        Attach::Fentry(fentry) if !has_wildcard(&fentry.function) => {
            Some(fentry.function.display().into_owned())
        }
        _ => None,
    };
    let wanted: BTreeSet<String> = points.filter_map(name).collect();
    // Without such a probe nothing is read.
    if wanted.is_empty() {
        return wanted;
    }
    let Some(btf) = catalog.btf() else { return BTreeSet::new() };
    if wanted.len() == 1 {
        return wanted.into_iter().filter(|name| btf.find(Kind::Func, name).is_some()).collect();
    }
    let functions = btf.own_ids().filter(|id| btf.kind(*id) == Kind::Func).map(|id| btf.name(id));
    functions.filter(|name| wanted.contains(*name)).map(str::to_owned).collect()
}
