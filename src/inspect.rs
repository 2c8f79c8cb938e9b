//! `btaot inspect`: what a tool carries.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use btaot_abi::bundle::{Bundle, SectionKind};
use btaot_abi::code::NativeTable;
use btaot_abi::metadata::{Map, Metadata, Program, Storage};
use btaot_codegen::bundle::payload_of;
use serde_json::json;

use crate::cli::Inspect;
use crate::failure::Failure;
use crate::output;

/// Runs the subcommand.
pub fn run(arguments: &Inspect) -> Result<(), Failure> {
    let path = &arguments.tool;
    let tool = fs::read(path).map_err(|error| Failure::file(path, "read", error))?;
    let (arch, payload) = payload_of(&tool).map_err(|error| Failure::input(path, error))?;
    let bundle = Bundle::open(payload, arch).map_err(|error| Failure::input(path, error))?;
    if let Some([section, file]) = arguments.extract.as_deref() {
        return extract(path, &bundle, section, Path::new(file));
    }
    let metadata = bundle.section(SectionKind::Metadata).unwrap_or_default();
    let metadata = Metadata::from_json(metadata)
        .map_err(|error| Failure::input(path, format!("the metadata table is unreadable: {error}")))?;
    let text =
        if arguments.json { as_json(&bundle, &metadata)? } else { as_text(tool.len(), &bundle, &metadata) };
    output::print(&text)
}

fn extract(tool: &Path, bundle: &Bundle, name: &str, file: &Path) -> Result<(), Failure> {
    let kind = SectionKind::ALL
        .into_iter()
        .find(|kind| kind.elf_name().strip_prefix(".btaot.") == Some(name))
        .ok_or_else(|| {
            Failure::Usage(format!("no section is called `{name}`; use bpf, native, meta, btf or src"))
        })?;
    match bundle.section(kind) {
        Some(bytes) => output::write(file, bytes, 0o644),
        None => Err(Failure::input(tool, format!("carries no `{name}` section"))),
    }
}

fn as_json(bundle: &Bundle, metadata: &Metadata) -> Result<String, Failure> {
    let sections: Vec<_> = bundle
        .sections()
        .iter()
        .map(|(kind, bytes)| json!({ "name": kind.elf_name(), "size": bytes.len() }))
        .collect();
    let document = json!({
        "schema": bundle.schema,
        "arch": bundle.arch.name(),
        "sections": sections,
        "metadata": metadata,
    });
    serde_json::to_string_pretty(&document)
        .map(|text| text + "\n")
        .map_err(|error| Failure::Compile(error.to_string()))
}

/// Every table, a line an entry.
fn as_text(size: usize, bundle: &Bundle, metadata: &Metadata) -> String {
    let mut page = Page::default();
    page.line(format_args!(
        "{}: {size} bytes, {}, schema {}, made by btaot {}",
        metadata.script.display(),
        bundle.arch.name(),
        bundle.schema,
        metadata.compiler
    ));
    page.table("sections", bundle.sections(), |(kind, bytes)| {
        format!("{:<14} {:>8} bytes", kind.elf_name(), bytes.len())
    });
    let native = bundle.section(SectionKind::Native).and_then(|section| NativeTable::read(section).ok());
    if let Some(native) = native {
        page.line(format_args!(
            "native code: {} bytes of code in pages, {} of data",
            native.code.len(),
            native.data.len()
        ));
        page.table("native slots", &native.slots, |slot| format!("{slot:?}"));
    }
    page.table("programs", &metadata.programs, program);
    page.table("maps", &metadata.maps, map);
    page.table("stack stores", &metadata.stack_maps, |store| {
        format!("{} of {} frames", store.symbol, store.limit)
    });
    page.table("printf", &metadata.printf, |call| {
        format!("{:?}, {} arguments, {} bytes", call.format, call.arguments.len(), call.size)
    });
    page.table("actions", &metadata.actions, |action| {
        format!("{:?} {:?}, {} arguments", action.kind, action.text.format, action.text.arguments.len())
    });
    page.table("packets", &metadata.packets, |file| format!("{:?} from byte {}", file.path, file.offset));
    page.table("join", &metadata.joins, |separator| format!("{separator:?}"));
    page.table("printed values", &metadata.values, |ty| format!("{ty:?}"));
    page.table("time", &metadata.time, |format| format!("{format:?}"));
    page.table("strftime", &metadata.strftime, |format| format!("{format:?}"));
    page.table("integer constants", &metadata.constants.ints, |slot| slot.doc.clone());
    page.table("text constants", &metadata.constants.strings, |slot| slot.doc.clone());
    page.table("error sites", &metadata.sites, |site| {
        format!("{}:{} {:?}", site.location.line, site.location.column, site.fault)
    });
    page.table("CO-RE types", &metadata.core.roots, Clone::clone);
    page.table("CO-RE checks", &metadata.core.checks, |check| {
        format!("{}.{} has {} bytes", check.structure, check.path.join("."), check.size)
    });
    page.0
}

fn program(program: &Program) -> String {
    let points: Vec<_> = program.attach.iter().map(|point| point.name.display()).collect();
    format!("{} (line {}): {}", program.symbol, program.location.line, points.join(", "))
}

fn map(map: &Map) -> String {
    let place = match &map.storage {
        Storage::Global { offset, .. } => format!("global state, byte {offset}"),
        Storage::CpuRows { symbol, row } => format!("{symbol}, a row of {row} bytes for each CPU"),
        Storage::Hash { symbol, per_cpu, max_entries, .. } => {
            format!("{symbol}, {max_entries} entries{}", if *per_cpu { ", per CPU" } else { "" })
        }
    };
    format!("{}: {:?} in {place}", map.name.display(), map.value)
}

/// Text that grows by tables; empty tables do not show.
#[derive(Default)]
struct Page(String);

impl Page {
    fn line(&mut self, text: std::fmt::Arguments) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.0, "{text}");
    }

    fn table<T>(&mut self, title: &str, rows: &[T], show: impl Fn(&T) -> String) {
        if !rows.is_empty() {
            self.line(format_args!("{title}:"));
        }
        for (number, row) in rows.iter().enumerate() {
            self.line(format_args!("  {number:>3}  {}", show(row)));
        }
    }
}
