//! eBPF objects from instructions alone.

use object::write::{Object, Symbol, SymbolSection};
use object::{Architecture, BinaryFormat, Endianness, SectionKind, SymbolFlags, SymbolKind, SymbolScope};

/// An object with one program, `prog`, of the given instructions.
pub fn of_instructions(code: &[u8]) -> Result<Vec<u8>, String> {
    let mut elf = Object::new(BinaryFormat::Elf, Architecture::Bpf, Endianness::Little);
    let section = elf.add_section(Vec::new(), b"xdp".to_vec(), SectionKind::Text);
    elf.set_section_data(section, code, 8);
    elf.add_symbol(Symbol {
        name: b"prog".to_vec(),
        value: 0,
        size: code.len() as u64,
        kind: SymbolKind::Text,
        scope: SymbolScope::Linkage,
        weak: false,
        section: SymbolSection::Section(section),
        flags: SymbolFlags::None,
    });
    elf.write().map_err(|error| error.to_string())
}

/// Bytes from hexadecimal digits.
pub fn bytes(hex: &str) -> Result<Vec<u8>, String> {
    let digit = |at: usize| hex.get(at..at + 2).ok_or("half a byte").map(|two| u8::from_str_radix(two, 16));
    (0..hex.len()).step_by(2).map(|at| digit(at)?.map_err(|error| error.to_string())).collect()
}

/// An object with a program `p0`, `p1`, … for each list of instructions, each in a section of its own.
pub fn of_programs(programs: &[Vec<u8>]) -> Result<Vec<u8>, String> {
    let mut elf = Object::new(BinaryFormat::Elf, Architecture::Bpf, Endianness::Little);
    for (index, code) in programs.iter().enumerate() {
        let section = elf.add_section(Vec::new(), format!("p{index}").into_bytes(), SectionKind::Text);
        elf.set_section_data(section, code, 8);
    }
    elf.write().map_err(|error| error.to_string())
}

/// One instruction.
pub fn insn(code: u8, dst: u8, src: u8, offset: i16, imm: i32) -> [u8; 8] {
    let (offset, imm) = (offset.to_le_bytes(), imm.to_le_bytes());
    [code, src << 4 | dst, offset[0], offset[1], imm[0], imm[1], imm[2], imm[3]]
}
