//! The instructions of an eBPF object as text: `btaot --emit bpf`.

use std::collections::BTreeMap;
use std::fmt::Write;

use object::{Object, ObjectSection, ObjectSymbol, RelocationTarget, SectionKind, SymbolKind};

use super::error::{CodegenError, Result};
use crate::llvm::disassembler::Disassembler;
use crate::llvm::object::initialise;

/// Lists every program: number of the instruction, its text, and the symbol it refers to.
pub fn disassemble(elf: &[u8]) -> Result<String> {
    initialise().map_err(CodegenError::NoLlvm)?;
    let disassembler =
        Disassembler::new().ok_or_else(|| CodegenError::Llvm("there is no eBPF disassembler".into()))?;
    let object = object::File::parse(elf).map_err(|error| CodegenError::Object(error.to_string()))?;
    let mut out = String::new();
    for section in object.sections().filter(|section| section.kind() == SectionKind::Text) {
        let code = section.data().map_err(|error| CodegenError::Object(error.to_string()))?;
        if !code.is_empty() {
            let name = section.name().unwrap_or_default();
            let listing = Listing { disassembler: &disassembler, object: &object, code };
            listing.write(name, &section, &mut out);
        }
    }
    Ok(out)
}

struct Listing<'a> {
    disassembler: &'a Disassembler,
    object: &'a object::File<'a>,
    code: &'a [u8],
}

impl Listing<'_> {
    fn write(&self, section: &str, place: &object::Section<'_, '_>, out: &mut String) {
        let functions: BTreeMap<u64, &str> = self
            .object
            .symbols()
            .filter(|symbol| {
                symbol.section_index() == Some(place.index()) && symbol.kind() == SymbolKind::Text
            })
            .filter_map(|symbol| Some((symbol.address(), symbol.name().ok()?)))
            .collect();
        let references: BTreeMap<u64, String> =
            place.relocations().map(|(at, relocation)| (at, self.name(relocation.target()))).collect();
        let mut at = 0;
        while at < self.code.len() {
            if let Some(name) = functions.get(&(at as u64)) {
                // Writing to a string cannot fail.
                let _ = writeln!(out, "{}{name}: # {section}", if out.is_empty() { "" } else { "\n" });
            }
            let found = self.disassembler.instruction(&self.code[at..], at as u64);
            let (text, size) = found.unwrap_or_else(|| ("(not an instruction)".into(), 8));
            let _ = write!(out, "{:>6}  {text}", at / 8);
            if let Some(name) = references.get(&(at as u64)) {
                let _ = write!(out, "  # {name}");
            }
            out.push('\n');
            at += size;
        }
    }

    fn name(&self, target: RelocationTarget) -> String {
        let RelocationTarget::Symbol(index) = target else { return String::new() };
        let Ok(symbol) = self.object.symbol_by_index(index) else { return String::new() };
        let section = symbol.section_index().and_then(|index| self.object.section_by_index(index).ok());
        match (symbol.name(), section) {
            (Ok(name), _) if !name.is_empty() => name.to_owned(),
            (_, Some(section)) => section.name().unwrap_or_default().to_owned(),
            _ => String::new(),
        }
    }
}
