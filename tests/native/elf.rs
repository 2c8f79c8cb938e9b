//! eBPF objects from instructions alone.

use object::elf::R_BPF_64_64;
use object::write::{Object, Relocation, Symbol, SymbolSection};
use object::{
    Architecture, BinaryFormat, Endianness, Object as _, ObjectSection, ObjectSymbol, RelocationFlags,
    SectionKind, SymbolFlags, SymbolKind, SymbolScope,
};

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

/// The bytes of a section of an ELF file.
pub fn section(file: &[u8], name: &str) -> Result<Vec<u8>, String> {
    let elf = object::File::parse(file).map_err(|error| error.to_string())?;
    let section = elf.section_by_name(name).ok_or(format!("no section {name}"))?;
    section.data().map(<[u8]>::to_vec).map_err(|error| error.to_string())
}

/// Where a section begins in an ELF file.
pub fn place(file: &[u8], name: &str) -> Result<usize, String> {
    let elf = object::File::parse(file).map_err(|error| error.to_string())?;
    let section = elf.section_by_name(name).ok_or(format!("no section {name}"))?;
    section.file_range().map(|(start, _)| start as usize).ok_or(format!("{name} is not in the file"))
}

/// Hexadecimal digits of instructions, a line each.
pub fn hex(code: &[u8]) -> String {
    let line = |slot: &[u8]| slot.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    code.chunks(8).map(line).collect::<Vec<_>>().join("\n")
}

/// An object with a program `p0`, `p1`, … for each list of instructions, each in a section of its own.
pub fn of_programs(programs: &[Vec<u8>]) -> Result<Vec<u8>, String> {
    of_sections(programs.iter().enumerate().map(|(index, code)| (format!("p{index}"), code.clone())))
}

/// An object of sections with instructions and without symbols.
pub fn of_sections<Name: Into<Vec<u8>>>(
    sections: impl IntoIterator<Item = (Name, Vec<u8>)>,
) -> Result<Vec<u8>, String> {
    let mut elf = Object::new(BinaryFormat::Elf, Architecture::Bpf, Endianness::Little);
    for (name, code) in sections {
        let section = elf.add_section(Vec::new(), name.into(), SectionKind::Text);
        elf.set_section_data(section, code, 8);
    }
    elf.write().map_err(|error| error.to_string())
}

/// An object for the kernel: a socket filter whose register r9 is the address of `memory`, followed by `code`.
pub fn of_filter(code: &[u8], memory: &[u8]) -> Result<Vec<u8>, String> {
    let mut elf = Object::new(BinaryFormat::Elf, Architecture::Bpf, Endianness::Little);
    let data = elf.add_section(Vec::new(), b".data".to_vec(), SectionKind::Data);
    elf.set_section_data(data, memory, 8);
    let license = elf.add_section(Vec::new(), b"license".to_vec(), SectionKind::Data);
    elf.set_section_data(license, b"GPL\0", 1);
    let text = elf.add_section(Vec::new(), b"socket".to_vec(), SectionKind::Text);
    let address = [insn(0x18, 9, 0, 0, 0), [0; 8]].concat();
    elf.set_section_data(text, [&address, code].concat(), 8);
    let symbol = |name: &[u8], section, kind, size: usize| Symbol {
        name: name.to_vec(),
        value: 0,
        size: size as u64,
        kind,
        scope: SymbolScope::Linkage,
        weak: false,
        section: SymbolSection::Section(section),
        flags: SymbolFlags::None,
    };
    let memory = elf.add_symbol(symbol(b"memory", data, SymbolKind::Data, memory.len()));
    elf.add_symbol(symbol(b"filter", text, SymbolKind::Text, address.len() + code.len()));
    let flags = RelocationFlags::Elf { r_type: R_BPF_64_64 };
    let relocation = Relocation { offset: 0, symbol: memory, addend: 0, flags };
    elf.add_relocation(text, relocation).map_err(|error| error.to_string())?;
    elf.write().map_err(|error| error.to_string())
}

/// One instruction.
pub fn insn(code: u8, dst: u8, src: u8, offset: i16, imm: i32) -> [u8; 8] {
    let (offset, imm) = (offset.to_le_bytes(), imm.to_le_bytes());
    [code, src << 4 | dst, offset[0], offset[1], imm[0], imm[1], imm[2], imm[3]]
}

/// The sections of an ELF file: name, size in memory, size in the file.
pub fn sections(file: &[u8]) -> Result<Vec<(String, u64, u64)>, String> {
    let elf = object::File::parse(file).map_err(|error| error.to_string())?;
    let row = |section: object::Section<'_, '_>| {
        let stored = section.file_range().map_or(0, |(_, size)| size);
        (section.name().unwrap_or_default().to_owned(), section.size(), stored)
    };
    Ok(elf.sections().map(row).collect())
}

/// The names that an object refers to and does not define.
pub fn undefined_symbols(file: &[u8]) -> Result<Vec<String>, String> {
    symbols(file, |symbol| symbol.is_undefined())
}

/// The functions that others can call.
pub fn global_functions(file: &[u8]) -> Result<Vec<String>, String> {
    symbols(file, |symbol| symbol.is_definition() && symbol.is_global() && symbol.kind() == SymbolKind::Text)
}

fn symbols(file: &[u8], wanted: impl Fn(&object::Symbol<'_, '_>) -> bool) -> Result<Vec<String>, String> {
    let elf = object::File::parse(file).map_err(|error| error.to_string())?;
    let found = elf.symbols().filter(wanted).map(|symbol| symbol.name().unwrap_or_default().to_owned());
    Ok(found.filter(|name| !name.is_empty()).collect())
}
