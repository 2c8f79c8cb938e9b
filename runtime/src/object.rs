//! The eBPF object: parsed, relocated, turned into images that can be loaded.

use std::collections::HashSet;
use std::ffi::CString;
use std::os::fd::RawFd;

use aya_obj::btf::Btf as AyaBtf;
use aya_obj::generated::bpf_insn;
use aya_obj::{Function, Map, Object};
use btaot_abi::metadata::Program;
use btaot_btf::{Btf, MiniBtf};
use thiserror::Error;

use crate::verifier::Place;

/// The number that stands for an atomic instruction that the kernel does not know.
pub const ATOMIC_POISON: i32 = 195_896_081;

/// Why the object cannot be used. All but relocations are mistakes of the compiler.
#[derive(Debug, Error)]
pub enum ObjectError {
    /// It cannot be read.
    #[error("the tool's eBPF object is not readable: {0}; this is a bug in btaot")]
    Parse(String),
    /// Metadata names a symbol that is not there.
    #[error("the tool's eBPF object has no {what} `{name}`; this is a bug in btaot")]
    NoSymbol {
        /// A program or map.
        what: &'static str,
        /// Its name.
        name: String,
    },
    /// It does not fit this kernel.
    #[error("the script does not fit this kernel: {0}")]
    Relocate(String),
}

/// An error with its causes, in one line.
fn explain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

/// Parses the object.
pub fn parse(bytes: &[u8]) -> Result<Object, ObjectError> {
    Object::parse(bytes).map_err(|error| ObjectError::Parse(explain(&error)))
}

/// The object's BTF; empty if it has none.
pub fn own_types(object: &Object) -> Vec<u8> {
    object.btf.as_ref().map(AyaBtf::to_bytes).unwrap_or_default()
}

/// Makes the object's BTF answer questions.
pub fn scan_own_types(bytes: &[u8]) -> Result<Btf<'_>, ObjectError> {
    Btf::scan(bytes, None).map_err(|error| ObjectError::Parse(error.to_string()))
}

/// Adjusts field accesses to the kernel's types.
pub fn relocate_types(object: &mut Object, types: MiniBtf) -> Result<(), ObjectError> {
    if !object.has_btf_relocations() {
        return Ok(());
    }
    let relocate = |error: &dyn std::error::Error| ObjectError::Relocate(explain(error));
    let types = AyaBtf::parse(&types.finish(), object.endianness).map_err(|error| relocate(&error))?;
    object.relocate_btf(&types).map_err(|error| relocate(&error))
}

/// Puts the descriptors of maps into instructions and links subprograms.
pub fn link(object: &mut Object, maps: &[(String, RawFd, Map)]) -> Result<(), ObjectError> {
    let sections: HashSet<usize> = object.functions.keys().map(|(section, _)| *section).collect();
    let maps = maps.iter().map(|(name, fd, map)| (name.as_str(), *fd, map));
    let parse = |error: &dyn std::error::Error| ObjectError::Parse(explain(error));
    object.relocate_maps(maps, &sections).map_err(|error| parse(&error))?;
    object.relocate_calls(&sections).map_err(|error| parse(&error))
}

/// What relocation wrote into the instruction at a place of the object; none when there is no instruction.
///
/// An instruction whose field does not exist on this kernel must not be reached. Where it is reached all the same, the
/// value leads to an address that no program can read.
pub fn relocated_value(object: &Object, section: u32, offset: u64) -> Option<u64> {
    const NOWHERE: u64 = 1 << 62;
    const LOAD_WIDE: u8 = 0x18;
    const CALL: u8 = 0x85;
    let function = object.functions.values().find(|function| {
        let start = function.section_offset as u64;
        let end = start + 8 * function.instructions.len() as u64;
        function.section_index.0 == section as usize && (start..end).contains(&offset)
    })?;
    let index = (offset as usize - function.section_offset) / 8;
    let instruction = function.instructions.get(index)?;
    let low = u64::from(instruction.imm.cast_unsigned());
    Some(match (instruction.code, instruction.code & 7) {
        (LOAD_WIDE, _) => {
            let high = function.instructions.get(index + 1)?.imm.cast_unsigned();
            low | u64::from(high) << 32
        }
        (CALL, _) => NOWHERE,
        (_, 1..=3) => i64::from(instruction.off).cast_unsigned(),
        _ => i64::from(instruction.imm).cast_unsigned(),
    })
}

/// Puts another map in the place of one in instructions.
pub fn replace_map(instructions: &mut [bpf_insn], old: RawFd, new: RawFd) {
    const LOAD_WIDE: u8 = 0x18;
    const PSEUDO_MAP_FD: u8 = 1;
    for instruction in instructions {
        if instruction.code == LOAD_WIDE && instruction.src_reg() == PSEUDO_MAP_FD && instruction.imm == old {
            instruction.imm = new;
        }
    }
}

/// A program ready to be loaded.
#[derive(Clone, Debug, Default)]
pub struct Image {
    /// Instructions with all relocations done.
    pub instructions: Vec<bpf_insn>,
    /// License text.
    pub license: CString,
    /// Name shown by tools.
    pub name: String,
    /// `struct bpf_func_info` records and the size of one.
    pub functions: (Vec<u8>, u32),
    /// `struct bpf_line_info` records and the size of one.
    pub lines: (Vec<u8>, u32),
    /// For each line record: first instruction and place in the script.
    pub line_numbers: Vec<(u32, Place)>,
    /// The whole program, when this is a short form of it that jumps there.
    pub rest: Option<Box<Image>>,
}

impl Image {
    /// Whether there are atomic instructions that not all supported kernels know. An addition without result (0) is
    /// old; others are checked even where no path leads to them.
    pub fn has_new_atomics(&self) -> bool {
        self.instructions.iter().any(is_new_atomic)
            || self.rest.as_ref().is_some_and(|rest| rest.has_new_atomics())
    }

    /// Puts calls that no kernel accepts in the place of those instructions. Programs have another way behind a
    /// constant; where they have none, the verifier stops there.
    pub fn without_new_atomics(mut self) -> Self {
        const CALL: u8 = 0x85;
        for instruction in self.instructions.iter_mut().filter(|instruction| is_new_atomic(instruction)) {
            *instruction = bpf_insn {
                code: CALL,
                _bitfield_align_1: [],
                _bitfield_1: Default::default(),
                off: 0,
                imm: ATOMIC_POISON,
            };
        }
        self.rest = self.rest.map(|rest| Box::new(rest.without_new_atomics()));
        self
    }

    /// Keeps the program's frame on the kernel's stack.
    ///
    /// From 6.13 on, the frame of a larger program is in memory of the CPU (`bpf_enable_priv_stack()` in
    /// `kernel/bpf/verifier.c`). Programs of uprobes can be preempted, and another run on that CPU would change what is
    /// on the frame of the first. Programs that contain a tail call have no such frame, also where no path leads to the
    /// call; the verifier takes it out again.
    pub fn on_the_kernel_stack(mut self) -> Self {
        const MOVE: u8 = 0xb7;
        const JUMP_IF_EQUAL: u8 = 0x15;
        const CALL: u8 = 0x85;
        const TAIL_CALL: i32 = 12;
        let make = |code, off, imm| bpf_insn {
            code,
            _bitfield_align_1: [],
            _bitfield_1: Default::default(),
            off,
            imm,
        };
        self.rest = self.rest.map(|rest| Box::new(rest.on_the_kernel_stack()));
        if !self.instructions.iter().any(reaches_deep) {
            return self;
        }
        // Jumps and calls are relative, and none leads to the program's start.
        let start = [make(MOVE, 0, 0), make(JUMP_IF_EQUAL, 1, 0), make(CALL, 0, TAIL_CALL)];
        let moved = start.len() as u32;
        self.instructions.splice(0..0, start);
        for (records, size) in [&mut self.functions, &mut self.lines] {
            for record in records.chunks_exact_mut((*size).max(4) as usize) {
                let Some(place) = record.first_chunk_mut::<4>() else { continue };
                let first = u32::from_ne_bytes(*place);
                if first != 0 {
                    *place = (first + moved).to_ne_bytes();
                }
            }
        }
        let later = self.line_numbers.iter_mut().filter(|(first, _)| *first != 0);
        later.for_each(|(first, _)| *first += moved);
        self
    }
}

/// Whether an instruction shows that a frame may have 64 bytes (`BPF_PRIV_STACK_MIN_SIZE` of `include/linux/bpf.h`) when
/// it is rounded up: it reads or writes that far from a frame's top, or computes an address there.
fn reaches_deep(instruction: &bpf_insn) -> bool {
    const DEEP: i32 = -48;
    const FRAME: u8 = 10;
    const ADD: u8 = 0x07;
    let through_frame = match instruction.code & 7 {
        1 => instruction.src_reg() == FRAME,
        2 | 3 => instruction.dst_reg() == FRAME,
        _ => false,
    };
    through_frame && i32::from(instruction.off) < DEEP || instruction.code == ADD && instruction.imm < DEEP
}

fn is_new_atomic(instruction: &bpf_insn) -> bool {
    /// `BPF_STX | BPF_ATOMIC`, of 4 and of 8 bytes.
    const ATOMICS: [u8; 2] = [0xc3, 0xdb];
    ATOMICS.contains(&instruction.code) && instruction.imm != 0
}

/// Takes a program out of a linked object.
pub fn image(object: &Object, program: &Program) -> Result<Image, ObjectError> {
    let mut image = image_of(object, &program.symbol)?;
    image.rest = program.rest.as_ref().map(|symbol| image_of(object, symbol).map(Box::new)).transpose()?;
    Ok(image)
}

fn image_of(object: &Object, symbol: &str) -> Result<Image, ObjectError> {
    let missing = || ObjectError::NoSymbol { what: "program", name: symbol.to_owned() };
    let entry = object.programs.get(symbol).ok_or_else(missing)?;
    let function: &Function = object.functions.get(&entry.function_key()).ok_or_else(missing)?;
    let records = &function.line_info.line_info;
    // Those of functions in C count the lines of another file.
    let script = records.first().map(|info| info.file_name_off);
    let lines = records.iter().filter(|info| Some(info.file_name_off) == script);
    // `BPF_LINE_INFO_LINE_NUM` and `BPF_LINE_INFO_LINE_COL` of include/uapi/linux/bpf.h.
    let place = |bits: u32| Place { line: bits >> 10, column: bits & 0x3ff };
    Ok(Image {
        instructions: function.instructions.clone(),
        license: entry.license.clone(),
        name: symbol.to_owned(),
        functions: (function.func_info.func_info_bytes(), function.func_info_rec_size as u32),
        lines: (function.line_info.line_info_bytes(), function.line_info_rec_size as u32),
        line_numbers: lines.map(|info| (info.insn_off, place(info.line_col))).collect(),
        rest: None,
    })
}
