//! What a probe is given.

use std::path::Path;

use btaot_btf::{Kind, TypeId};
use btaot_runtime::resolve::argument_types;
use btaot_runtime::tracefs::Tracefs;

use super::Request;
use super::functions::{Functions, function_name};
use super::types::{Kernel, Types};
use crate::failure::Failure;

/// What arguments are looked up in.
pub struct Arguments {
    tracefs: Option<Tracefs>,
    types: Types,
    functions: Functions,
}

impl Arguments {
    /// Opens what there is.
    pub fn new(request: &Request<'_>, probes: &[String]) -> Result<Self, Failure> {
        let (tracefs, functions) = (Tracefs::locate().ok(), Functions::of(probes));
        Ok(Self { tracefs, types: Types::read(request)?, functions })
    }

    /// The arguments of a probe, a line each; none of a kind that has none with names.
    pub fn of(&self, probe: &str) -> Vec<String> {
        let mut parts = probe.split(':');
        let provider = parts.next().unwrap_or_default();
        let rest: Vec<&str> = parts.collect();
        let last = rest.last().copied().unwrap_or_default();
        let kernel = self.types.kernel();
        match (provider, &rest[..]) {
            ("tracepoint", [category, event]) => self.tracepoint(category, event),
            ("rawtracepoint", _) => raw_tracepoint(&kernel, last),
            ("fentry", _) => function(&kernel, last, false),
            ("fexit", _) => function(&kernel, last, true),
            ("iter", [name, ..]) => iterator(&kernel, name),
            ("uprobe", [path, ..]) => self.functions.arguments(path, function_name(probe)),
            ("usdt", [path, provider, name]) => {
                let types = argument_types(Path::new(path), provider.as_bytes(), name.as_bytes());
                types.iter().enumerate().map(|(number, ty)| format!("{ty} arg{number}")).collect()
            }
            _ => Vec::new(),
        }
    }

    /// The declarations of the fields, without those that all tracepoints share.
    fn tracepoint(&self, category: &str, event: &str) -> Vec<String> {
        let text =
            self.tracefs.as_ref().and_then(|tracefs| tracefs.format_text(category, event).ok().flatten());
        let text = text.unwrap_or_default();
        let fields = text.lines().filter_map(|line| line.trim().strip_prefix("field:"));
        let declarations = fields.filter_map(|field| field.split(';').next());
        declarations.filter(|field| !is_common(field)).map(str::to_owned).collect()
    }
}

/// Fields of the header, which programs may not read.
fn is_common(declaration: &str) -> bool {
    declaration.rsplit([' ', '*']).next().is_some_and(|name| name.starts_with("common_"))
}

fn function(kernel: &Kernel<'_>, name: &str, at_return: bool) -> Vec<String> {
    let Some((parameters, result)) = kernel.find(Kind::Func, name).and_then(|id| kernel.btf.prototype(id))
    else {
        return Vec::new();
    };
    let line = |name: &str, ty| format!("{} {name}", kernel.type_name(ty));
    let mut lines: Vec<String> = parameters.map(|parameter| line(parameter.name, parameter.ty)).collect();
    if at_return && result != TypeId::VOID {
        lines.push(line("retval", result));
    }
    lines
}

/// What the functions of a raw tracepoint take behind a pointer of their own, which is no argument. The kernel has such
/// functions since 6.4 and 5.10.
fn raw_tracepoint(kernel: &Kernel<'_>, event: &str) -> Vec<String> {
    let names = [format!("__probestub_{event}"), format!("__traceiter_{event}")];
    let function = names.iter().find_map(|name| kernel.find(Kind::Func, name));
    let Some((parameters, _)) = function.and_then(|id| kernel.btf.prototype(id)) else { return Vec::new() };
    let line = |name: &str, ty| format!("{} {name}", kernel.type_name(ty));
    parameters.skip(1).map(|parameter| line(parameter.name, parameter.ty)).collect()
}

/// The members of what an iterator gives its programs, without the one about itself.
fn iterator(kernel: &Kernel<'_>, name: &str) -> Vec<String> {
    let Some(id) = kernel.find(Kind::Struct, &format!("bpf_iter__{name}")) else { return Vec::new() };
    let mut lines = Vec::new();
    for member in kernel.btf.members(id) {
        // Pointers are wrapped in unions, so that they have 64 bits everywhere.
        let inner: Vec<_> = if member.name.is_empty() {
            kernel.btf.members(member.ty).map(|inner| (inner.name, inner.ty)).collect()
        } else {
            vec![(member.name, member.ty)]
        };
        let shown = inner.into_iter().filter(|(name, _)| *name != "meta");
        lines.extend(shown.map(|(name, ty)| format!("{} {name}", kernel.type_name(ty))));
    }
    lines
}
