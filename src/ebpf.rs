//! An eBPF object with everything that native code needs to know of it.

use crate::failure::Failure;
use btaot_abi::bundle::{Bundle, SectionKind};
use btaot_abi::metadata::TRACEPOINT_RECORD;
use btaot_abi::native::{InitialValue, MapDefinition};
use btaot_btf::{Btf, CoreRelo, CoreTarget, CoreValue, MapType, core_relos, line_info, object_maps};
use btaot_codegen::bundle::payload_of;
use btaot_codegen::native::{self, Line, Lines, Object, Place, Target, Value};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// The types of the running kernel.
const KERNEL_BTF: &str = "/sys/kernel/btf/vmlinux";
/// CO-RE relocations of this kind ask for a number of the object itself.
const TYPE_ID_LOCAL: u32 = 6;

/// An object, ready to be compiled.
pub struct Ebpf {
    /// Its code, with CO-RE relocations applied.
    pub object: Object,
    /// Its source lines.
    pub lines: Lines,
    /// Its maps, in the order in which code refers to them.
    pub maps: Vec<MapDefinition>,
}

impl Ebpf {
    /// Reads an eBPF ELF file, or the one that a tool carries. CO-RE relocations are applied against the types in
    /// `btf`, by default those of the running kernel.
    pub fn read(path: &Path, file: &[u8], btf: Option<&Path>) -> Result<Self, Failure> {
        let carried = carried_by_tool(file);
        let object = Object::read(carried.unwrap_or(file)).map_err(|error| Failure::input(path, error))?;
        let mut ebpf = Self { object, lines: Lines::new(), maps: Vec::new() };
        let types = std::mem::take(&mut ebpf.object.btf);
        if types.is_empty() {
            ebpf.maps = ebpf.definitions(&[]).map_err(|reason| Failure::input(path, reason))?;
            return Ok(ebpf);
        }
        let local = Btf::scan(&types, None).map_err(|error| Failure::input(path, error))?;
        ebpf.lines = ebpf.source_lines(&local);
        let relos = core_relos(&local, &ebpf.object.btf_ext);
        if !relos.is_empty() {
            ebpf.apply_core(path, &local, &relos, btf)?;
        }
        ebpf.maps = ebpf.definitions(&object_maps(&local)).map_err(|reason| Failure::input(path, reason))?;
        Ok(ebpf)
    }

    /// Where a record of `.BTF.ext` points.
    fn place(&self, section: &str, offset: u32) -> Option<Place> {
        let section = self.object.code.iter().position(|code| code.name == section)?;
        Some(Place { section, slot: offset as usize / 8 })
    }

    fn source_lines(&self, local: &Btf<'_>) -> Lines {
        let entries = line_info(local, &self.object.btf_ext);
        let line = |entry: &btaot_btf::LineInfo<'_>| Line {
            file: entry.file.to_owned(),
            line: entry.line,
            column: entry.column,
        };
        entries
            .iter()
            .filter_map(|entry| Some((self.place(entry.section, entry.offset)?, line(entry))))
            .collect()
    }

    fn apply_core(
        &mut self,
        path: &Path,
        local: &Btf<'_>,
        relos: &[CoreRelo<'_>],
        btf: Option<&Path>,
    ) -> Result<(), Failure> {
        let is_own = |relo: &CoreRelo<'_>| local.name(relo.root).starts_with(TRACEPOINT_RECORD);
        let needs_target = relos.iter().any(|relo| relo.kind != TYPE_ID_LOCAL && !is_own(relo));
        let source = btf.unwrap_or(Path::new(KERNEL_BTF));
        let bytes = if needs_target { read_btf(source, btf.is_some())? } else { Vec::new() };
        let empty = Btf::scan(b"\x9f\xeb\x01\0\x18\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\0\0\0\0", None);
        let target = if needs_target { Btf::scan(&bytes, None) } else { empty };
        let target = target.map_err(|error| Failure::input(source, error))?;
        let candidates = CoreTarget::new(local, relos, &target);
        let own = CoreTarget::new(local, relos, local);
        for relo in relos {
            let Some(place) = self.place(relo.section, relo.offset) else { continue };
            let candidates = if is_own(relo) { &own } else { &candidates };
            let value = candidates.resolve(local, relo).map_err(|error| {
                let at = self.object.location(place);
                Failure::input(path, format!("{at}: the CO-RE relocation {error}"))
            })?;
            let value = match value {
                CoreValue::Known { value, bytes } => Value::Known { value, bytes },
                CoreValue::Missing => Value::Missing,
            };
            native::apply(&mut self.object, place, value).map_err(|error| Failure::input(path, error))?;
        }
        Ok(())
    }

    /// The definitions of the maps that code refers to, then the templates of inner maps.
    fn definitions(&self, types: &[MapType]) -> Result<Vec<MapDefinition>, String> {
        let mut maps = Vec::new();
        let mut templates: Vec<MapDefinition> = Vec::new();
        let by_name: BTreeMap<&str, &MapType> = types.iter().map(|map| (map.name.as_str(), map)).collect();
        let count = self.object.maps.len();
        for symbol in &self.object.maps {
            if let Some(bytes) = &symbol.legacy {
                maps.push(legacy_definition(&symbol.name, bytes)?);
                continue;
            }
            let map = by_name.get(symbol.name.as_str()).ok_or_else(|| {
                format!(
                    "map `{}` is defined by its type, and the file has no BTF that describes it",
                    symbol.name
                )
            })?;
            let mut definition = definition_of(map, &symbol.name);
            if let Some(inner) = &map.inner {
                definition.inner = Some((count + templates.len()) as u32);
                templates.push(definition_of(inner, &format!("{}.inner", symbol.name)));
            }
            let start = u64::from(map.values.unwrap_or_default());
            for (offset, target) in &symbol.values {
                let slot = offset.checked_sub(start).map_or(0, |bytes| bytes / 8) as u32;
                if let Some(value) = self.initial_value(target) {
                    definition.values.push((slot, value));
                }
            }
            maps.push(definition);
        }
        maps.append(&mut templates);
        Ok(maps)
    }

    fn initial_value(&self, target: &Target) -> Option<InitialValue> {
        match target {
            Target::Map(index) => Some(InitialValue::Map(*index as u32)),
            Target::Function(place) => {
                let program = self.object.programs.iter().find(|program| program.place == *place)?;
                Some(InitialValue::Program(program.name.clone()))
            }
            _ => None,
        }
    }
}

/// The eBPF object in a tool; none for another file.
fn carried_by_tool(file: &[u8]) -> Option<&[u8]> {
    let (arch, payload) = payload_of(file).ok()?;
    Bundle::open(payload, arch).ok()?.section(SectionKind::Bpf)
}

fn read_btf(path: &Path, is_named: bool) -> Result<Vec<u8>, Failure> {
    fs::read(path).map_err(|error| {
        if is_named {
            Failure::file(path, "read", error)
        } else {
            let remedy =
                "the object has CO-RE relocations; name the types to apply them against with --btf FILE";
            Failure::input(path, format!("{error}; {remedy}"))
        }
    })
}

fn definition_of(map: &MapType, name: &str) -> MapDefinition {
    MapDefinition {
        name: name.to_owned(),
        kind: map.kind,
        key_size: map.key_size,
        value_size: map.value_size,
        max_entries: map.max_entries,
        flags: map.flags,
        inner: None,
        values: Vec::new(),
    }
}

/// A definition in a section `maps`: kind, key size, value size, entries and flags, 4 bytes each.
fn legacy_definition(name: &str, bytes: &[u8]) -> Result<MapDefinition, String> {
    let field = |index: usize| bytes.get(index * 4..index * 4 + 4).and_then(|field| field.try_into().ok());
    let number = |index| field(index).map_or(0, u32::from_le_bytes);
    if field(3).is_none() {
        return Err(format!("map `{name}`: its definition has {} bytes instead of at least 16", bytes.len()));
    }
    Ok(MapDefinition {
        name: name.to_owned(),
        kind: number(0),
        key_size: number(1),
        value_size: number(2),
        max_entries: number(3),
        flags: number(4),
        inner: None,
        values: Vec::new(),
    })
}
