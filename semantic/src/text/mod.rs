//! The program as text: stable, complete enough to read types and conversions from, and one thing a line.

mod expr;
mod stmt;
mod types;

use std::fmt;

use btaot_abi::metadata::Config;

use crate::program::{Body, Contents, Context, Map, MapStorage, Program};
use crate::types::{Enum, Struct, Structs};
use expr::Shown;
use types::Named;

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "program {:?}", self.name.display())?;
        config(&self.config, f)?;
        if self.positional != 0 {
            writeln!(f, "positional {}", self.positional)?;
        }
        for option in &self.options {
            writeln!(f, "option {} {:?}", option.name.display(), option.default)?;
        }
        for (index, structure) in self.structs.structs.iter().enumerate() {
            describe_struct(index, structure, &self.structs, f)?;
        }
        for (index, enumeration) in self.structs.enums.iter().enumerate() {
            describe_enum(index, enumeration, f)?;
        }
        for (index, map) in self.maps.iter().enumerate() {
            describe_map(index, map, &self.structs, f)?;
        }
        for body in &self.bodies {
            describe_body(body, self, f)?;
        }
        Ok(())
    }
}

/// The settings that matter for reading the rest.
fn config(config: &Config, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let Config {
        max_strlen,
        str_trunc_trailer,
        max_map_keys,
        max_cat_bytes,
        print_maps_on_exit,
        demangle,
        ring_pages,
        missing_probes,
        license,
    } = config;
    writeln!(f, "config max_strlen={max_strlen} max_map_keys={max_map_keys} trailer={str_trunc_trailer:?}")?;
    writeln!(
        f,
        "config print_maps_on_exit={print_maps_on_exit} demangle={demangle} missing_probes={missing_probes:?} \
         max_cat_bytes={max_cat_bytes} license={license:?}"
    )?;
    match ring_pages {
        Some(pages) => writeln!(f, "config ring_pages={pages}"),
        None => Ok(()),
    }
}

fn describe_struct(
    index: usize,
    structure: &Struct,
    all: &Structs,
    f: &mut fmt::Formatter<'_>,
) -> fmt::Result {
    let keyword = if structure.union { "union" } else { "struct" };
    let origin = format!("{:?}", structure.origin).to_lowercase();
    writeln!(f, "{keyword} {index} {:?} {origin} size {}", structure.name.display(), structure.size)?;
    for field in &structure.fields {
        let ty = Named { ty: &field.ty, structs: all };
        write!(f, "  {}: {ty} at bit {}", field.name.display(), field.bit_offset)?;
        if let Some(bits) = field.bits {
            write!(f, " width {bits}")?;
        }
        writeln!(f, "{}", if field.data_loc { " data_loc" } else { "" })?;
    }
    Ok(())
}

fn describe_enum(index: usize, enumeration: &Enum, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let sign = if enumeration.int.signed { 'i' } else { 'u' };
    let origin = format!("{:?}", enumeration.origin).to_lowercase();
    let bits = enumeration.int.size * 8;
    writeln!(f, "enum {index} {:?} {origin} {sign}{bits}", enumeration.name.display())?;
    for (name, value) in &enumeration.variants {
        writeln!(f, "  {} = {value}", name.display())?;
    }
    Ok(())
}

fn describe_map(index: usize, map: &Map, all: &Structs, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(f, "map {index} {}", map.name.display())?;
    if let Some(key) = &map.key {
        write!(f, "[{}]", Named { ty: key, structs: all })?;
    }
    match &map.contents {
        Contents::Plain(ty) => write!(f, ": {}", Named { ty, structs: all })?,
        Contents::Aggregate(aggregation) => write!(f, ": {aggregation:?}")?,
    }
    match map.storage {
        MapStorage::Global => writeln!(f, " in global"),
        MapStorage::CpuRows => writeln!(f, " in cpu rows"),
        MapStorage::Hash { per_cpu, lru, max_entries } => {
            let kind =
                format!("{}{}hash", if per_cpu { "per-cpu " } else { "" }, if lru { "lru " } else { "" });
            writeln!(f, " in {kind} of {max_entries}")
        }
    }
}

fn describe_body(body: &Body, program: &Program, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let context = match body.context {
        Context::TestRun => "test run".to_owned(),
        Context::Uprobe => "uprobe".to_owned(),
        Context::Usdt => "usdt".to_owned(),
        Context::Kprobe => "kprobe".to_owned(),
        Context::Tracepoint(None) => "tracepoint".to_owned(),
        Context::Tracepoint(Some(id)) => format!("tracepoint struct {}", id.0),
        Context::PerfEvent => "perf event".to_owned(),
        Context::RawTracepoint(None) => "raw tracepoint".to_owned(),
        Context::RawTracepoint(Some(id)) => format!("raw tracepoint struct {}", id.0),
        Context::Tracing(None) => "tracing".to_owned(),
        Context::Tracing(Some(id)) => format!("tracing struct {}", id.0),
        Context::Iter => "iterator".to_owned(),
    };
    writeln!(f, "body {} at {}:{} {context}", body.id.0, body.location.line, body.location.column)?;
    for point in &body.attach {
        writeln!(f, "  attach {}", point.name.display())?;
    }
    for (index, variable) in body.variables.iter().enumerate() {
        let ty = Named { ty: &variable.ty, structs: &program.structs };
        writeln!(f, "  variable {index} {}: {ty}", variable.name.display())?;
    }
    if let Some(predicate) = &body.predicate {
        writeln!(f, "  when {}", Shown { expr: predicate, program, body })?;
    }
    stmt::list(&body.statements, 1, (program, body), f)
}
