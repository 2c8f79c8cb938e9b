//! The relocations of an eBPF object: which instruction refers to which map, variable or function.
//!
//! (`Documentation/bpf/llvm_reloc.rst` lists the kinds. They carry no addend of their own: it stands in the
//! immediate of the instruction, which is cleared here once it has been taken over.)

use super::insn::SLOT;
use super::object::{Elf, Layout, Object, ObjectError, Place, Target, symbol_name};
use object::elf;
use object::{Object as _, ObjectSection, ObjectSymbol, RelocationFlags, RelocationTarget, SymbolKind};

/// A 64-bit address in data (`Documentation/bpf/llvm_reloc.rst`).
const R_BPF_64_ABS64: u32 = 2;

/// Reads all relocations into the sections that they belong to.
pub(super) fn read(object: &mut Object, elf: &Elf<'_>, layout: &Layout) -> Result<(), ObjectError> {
    for section in elf.sections() {
        let index = section.index().0;
        for (offset, relocation) in section.relocations() {
            let RelocationFlags::Elf { r_type } = relocation.flags() else { continue };
            let RelocationTarget::Symbol(symbol) = relocation.target() else { continue };
            let symbol = elf.symbol_by_index(symbol).map_err(|error| ObjectError::Elf(error.to_string()))?;
            let entry = Entry { kind: r_type, offset, symbol };
            if let Some(code) = layout.code.get(&index) {
                entry.into_code(object, layout, *code)?;
            } else if let Some(data) = layout.data.get(&index) {
                entry.into_data(object, layout, *data)?;
            } else if let Some(maps) = layout.maps.get(&index) {
                entry.into_map(object, layout, maps);
            }
        }
    }
    Ok(())
}

/// One relocation.
struct Entry<Symbol> {
    kind: u32,
    offset: u64,
    symbol: Symbol,
}

impl<'data, Symbol: ObjectSymbol<'data>> Entry<Symbol> {
    fn into_code(self, object: &mut Object, layout: &Layout, code: usize) -> Result<(), ObjectError> {
        let slot = (self.offset / SLOT as u64) as usize;
        let location = object.location(Place { section: code, slot });
        let fail = |reason: String| ObjectError::Relocation { location: location.clone(), reason };
        let (slots, _) = object.code[code].bytes.as_chunks::<SLOT>();
        let insn = slots.get(slot).filter(|_| self.offset.is_multiple_of(SLOT as u64)).copied();
        let Some(insn) = insn else { return Err(fail("a relocation outside the instructions".to_owned())) };
        let imm = i64::from(i32::from_le_bytes([insn[4], insn[5], insn[6], insn[7]]));
        let target = match (self.kind, insn[0]) {
            (elf::R_BPF_64_64, 0x18) => self.resolve(object, layout, imm),
            // The distance is counted in slots from the next instruction.
            (elf::R_BPF_64_32, 0x85) => self.resolve(object, layout, (imm + 1) * SLOT as i64),
            (kind, code) => return Err(fail(format!("relocation type {kind} on opcode {code:#04x}"))),
        };
        let target = target.map_err(&fail)?;
        if insn[0] == 0x85 && !matches!(target, Target::Function(_) | Target::Extern(_)) {
            return Err(fail("a call of something that is not a function".to_owned()));
        }
        let code = &mut object.code[code];
        let clear = if insn[0] == 0x18 { &[4, 12][..] } else { &[4][..] };
        for at in clear {
            let at = slot * SLOT + at;
            if let Some(field) = code.bytes.get_mut(at..at + 4) {
                field.fill(0);
            }
        }
        code.targets.insert(slot, target);
        Ok(())
    }

    fn into_data(self, object: &mut Object, layout: &Layout, data: usize) -> Result<(), ObjectError> {
        let section = &object.data[data];
        let fail = |reason: String| ObjectError::Data { section: section.name.clone(), reason };
        let at = self.offset as usize;
        let word: Option<[u8; 8]> = at
            .checked_add(8)
            .and_then(|end| section.bytes.get(at..end))
            .and_then(|bytes| bytes.try_into().ok());
        let (R_BPF_64_ABS64, Some(word)) = (self.kind, word) else {
            return Err(fail(format!("relocation type {} at offset {at}", self.kind)));
        };
        let target = self.resolve(object, layout, i64::from_le_bytes(word)).map_err(&fail)?;
        if matches!(target, Target::Map(_)) {
            return Err(fail(format!("offset {at}: the address of a map in a variable has no meaning")));
        }
        object.data[data].targets.insert(self.offset, target);
        Ok(())
    }

    /// Initial values of map-in-map and program arrays.
    fn into_map(self, object: &mut Object, layout: &Layout, maps: &[usize]) {
        let owner = maps.iter().rev().find(|map| object.maps[**map].offset <= self.offset);
        if let (Some(owner), Ok(target)) = (owner, self.resolve(object, layout, 0)) {
            let map = &mut object.maps[*owner];
            map.values.insert(self.offset - map.offset, target);
        }
    }

    /// What the symbol stands for, `addend` bytes behind it.
    fn resolve(&self, object: &Object, layout: &Layout, addend: i64) -> Result<Target, String> {
        let name = symbol_name(&self.symbol);
        let Some(section) = self.symbol.section_index().map(|index| index.0) else {
            return if name.is_empty() {
                Err("a relocation against nothing".to_owned())
            } else {
                Ok(Target::Extern(name))
            };
        };
        let base = if self.symbol.kind() == SymbolKind::Section { 0 } else { self.symbol.address() };
        // A function symbol's own place is meant, whatever distance the call still carries (-1 usually).
        let offset = base.checked_add_signed(addend).ok_or(format!("an address before `{name}`"))?;
        if let Some(maps) = layout.maps.get(&section) {
            let map = maps.iter().find(|map| object.maps[**map].offset == offset);
            return map.map(|map| Target::Map(*map)).ok_or(format!("`{name}` is not the start of a map"));
        }
        if let Some(data) = layout.data.get(&section) {
            let size = object.data[*data].size;
            return if offset <= size {
                Ok(Target::Data(*data, offset))
            } else {
                Err(format!("offset {offset} of `{}` is outside its {size} bytes", object.data[*data].name))
            };
        }
        if let Some(code) = layout.code.get(&section) {
            let inside = offset.is_multiple_of(SLOT as u64) && offset < object.code[*code].bytes.len() as u64;
            let place = Place { section: *code, slot: offset as usize / SLOT };
            return if inside {
                Ok(Target::Function(place))
            } else {
                Err(format!("offset {offset} of `{}` is not an instruction", object.code[*code].name))
            };
        }
        Err(format!("`{name}` stands in a section that holds neither code, maps nor variables"))
    }
}
