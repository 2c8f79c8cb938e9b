//! Definitions of eBPF maps, in the form libbpf and aya read from BTF: a structure in `.maps`
//! whose members are pointers to arrays (numbers) and to types.

use btaot_abi::value::ValueType;
use inkwell::values::GlobalValue;

use crate::bpf::describe;
use crate::llvm::debug::{Debug, Member, Node};
use crate::llvm::{Context, Module};

/// Map types, `enum bpf_map_type` of `include/uapi/linux/bpf.h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum MapKind {
    /// Hash table.
    Hash = 1,
    /// Array.
    Array = 2,
    /// Programs to jump to.
    ProgArray = 3,
    /// Perf events.
    PerfEventArray = 4,
    /// Hash table with values for each CPU.
    PercpuHash = 5,
    /// Hash table that drops the least recently used entry.
    LruHash = 9,
    /// The same with values for each CPU.
    LruPercpuHash = 10,
    /// Ring buffer.
    Ringbuf = 27,
}

/// A map.
#[derive(Clone, Debug)]
pub struct Definition {
    /// Map type.
    pub kind: MapKind,
    /// Most entries; the bytes of a ring buffer.
    pub max_entries: u32,
    /// Key, if it has one.
    pub key: Option<ValueType>,
    /// Value, if it has one.
    pub value: Option<ValueType>,
}

impl Definition {
    /// An array whose length is set when the tool starts, with values of that many bytes.
    pub fn array(bytes: u32) -> Self {
        let word = ValueType::Int { size: 8, signed: false };
        Self {
            kind: MapKind::Array,
            max_entries: 1,
            key: Some(ValueType::Int { size: 4, signed: false }),
            value: Some(ValueType::Array { element: Box::new(word), len: bytes / 8 }),
        }
    }

    /// Puts the definition into the module.
    pub fn declare<'c>(
        &self,
        context: &'c Context,
        module: &Module<'c>,
        debug: &Debug<'c>,
        symbol: &str,
    ) -> GlobalValue<'c> {
        let number = |value: u32| debug.pointer(Some(debug.array(debug.c_int(), 4, value)));
        let mut fields: Vec<(&str, Node)> =
            vec![("type", number(self.kind as u32)), ("max_entries", number(self.max_entries))];
        for (name, ty) in [("key", &self.key), ("value", &self.value)] {
            if let Some(ty) = ty {
                fields.push((name, debug.pointer(Some(describe::value(debug, ty)))));
            }
        }
        let members: Vec<Member> = (0..)
            .zip(&fields)
            .map(|(index, (name, ty)): (u64, _)| Member {
                name: name.as_bytes(),
                ty: *ty,
                bits: 64,
                offset: index * 64,
                bit_field: false,
            })
            .collect();
        let ty = debug.structure(b"", false, fields.len() as u32 * 8, &members);
        let words = context.i64_type().array_type(fields.len() as u32);
        let global = module.add_global(words, None, symbol);
        global.set_initializer(&words.const_zero());
        global.set_section(Some(".maps"));
        global.set_alignment(8);
        debug.global(global, symbol, ty);
        global
    }
}
