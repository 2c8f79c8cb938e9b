//! CO-RE: the local types that relocations are made from, and what the target must have.
//!
//! A relocation names a type of this object's BTF and a path of members; the runtime finds the
//! same names in the target's BTF. So the local types hold no more than the members that some
//! program reads.

use std::collections::{BTreeMap, BTreeSet};

use btaot_abi::Bytes;
use btaot_abi::metadata::{LayoutCheck, Location, TracepointArgs, TracepointField};
use btaot_semantic::program::{Body, Context, Expr, ExprKind, Program};
use btaot_semantic::types::{EnumId, Int, Origin, Struct, StructField, StructId, Type};

use super::walk;
use crate::llvm::debug::{Debug, Member, Node};

/// The local types of one object.
pub struct Core<'a> {
    program: &'a Program,
    /// Members that some program selects.
    used: BTreeMap<StructId, BTreeSet<u32>>,
    built: BTreeMap<StructId, Node>,
    sequence: u32,
    relocations: usize,
}

/// The most relocations that a program can need: each member selected is one, of a bit field four;
/// each indexed array may need its elements' size.
pub fn most_relocations(program: &Program) -> usize {
    let mut count = 0;
    for body in &program.bodies {
        walk::body(body, &mut |expression: &Expr| {
            count += match &expression.kind {
                ExprKind::Member { structure, .. }
                    if program.structs[*structure].origin != Origin::Script =>
                {
                    4
                }
                ExprKind::Enumerator { .. } | ExprKind::Index { .. } | ExprKind::SizeOf(_) => 1,
                _ => 0,
            };
        });
    }
    count
}

/// Bytes of a field on the build machine; `None` where that follows from no type.
pub fn field_size(field: &StructField, program: &Program) -> Option<u32> {
    if field.data_loc {
        return Some(4);
    }
    type_size(&field.ty, program)
}

/// Bytes of a value of a C type.
pub fn type_size(ty: &Type, program: &Program) -> Option<u32> {
    Some(match ty {
        Type::Int(Int { size, .. }) | Type::Str(size) => *size,
        Type::Bool => 1,
        Type::Pointer { .. } => 8,
        Type::Enum(id) => program.structs[*id].int.size,
        Type::Struct(id) => program.structs[*id].size,
        Type::Array { element, len } => type_size(element, program)? * len,
        Type::Mac => 6,
        _ => return None,
    })
}

impl<'a> Core<'a> {
    /// Finds out which members are read.
    pub fn new(program: &'a Program) -> Self {
        let mut used = BTreeMap::<StructId, BTreeSet<u32>>::new();
        for body in &program.bodies {
            walk::body(body, &mut |expression: &Expr| {
                if let ExprKind::Member { structure, field, .. } = &expression.kind {
                    used.entry(*structure).or_default().insert(*field);
                }
            });
        }
        Self { program, used, built: BTreeMap::new(), sequence: 0, relocations: 0 }
    }

    /// A number that keeps LLVM from merging relocations that are not about members.
    pub fn next_sequence(&mut self) -> u32 {
        self.sequence += 1;
        self.sequence - 1
    }

    /// The number of the next stand-in for a relocation.
    pub fn next_relocation(&mut self) -> usize {
        self.relocations += 1;
        self.relocations - 1
    }

    /// The position of a field among the members of the local type.
    pub fn member_index(&self, structure: StructId, field: u32) -> u32 {
        let members = self.members(structure);
        members.iter().position(|member| *member == field).unwrap_or(0) as u32
    }

    /// The fields that are read, by offset: the kernel refuses BTF whose members are in another
    /// order (`btf_struct_check_member`).
    fn members(&self, structure: StructId) -> Vec<u32> {
        let fields = &self.program.structs[structure].fields;
        let mut members: Vec<u32> = self.used.get(&structure).into_iter().flatten().copied().collect();
        members.sort_by_key(|index| fields.get(*index as usize).map(|field| field.bit_offset));
        members
    }

    /// The local type of a structure.
    pub fn structure(&mut self, id: StructId, debug: &Debug) -> Node {
        if let Some(node) = self.built.get(&id) {
            return *node;
        }
        let structure = &self.program.structs[id];
        let mut fields = Vec::new();
        for index in self.members(id) {
            let Some(field) = structure.fields.get(index as usize) else { continue };
            fields.push((field, self.field_type(field, debug)));
        }
        let members: Vec<Member> = fields
            .iter()
            .map(|(field, ty)| {
                let size = field_size(field, self.program).unwrap_or(0);
                Member {
                    name: &field.name,
                    ty: *ty,
                    bits: field.bits.map_or(u64::from(size) * 8, Into::into),
                    offset: field.bit_offset,
                    bit_field: field.bits.is_some(),
                }
            })
            .collect();
        let node = debug.structure(&structure.name, structure.union, structure.size, &members);
        self.built.insert(id, node);
        node
    }

    fn field_type(&mut self, field: &StructField, debug: &Debug) -> Node {
        if field.data_loc {
            return debug.int(4, false);
        }
        self.debug_type(&field.ty, debug)
    }

    fn debug_type(&mut self, ty: &Type, debug: &Debug) -> Node {
        match ty {
            Type::Int(Int { size, signed }) => debug.int(*size, *signed),
            Type::Bool => debug.bool(),
            Type::Str(size) => debug.array(debug.char(), 1, *size),
            Type::Enum(id) => self.enumeration(*id, debug),
            Type::Struct(id) => self.structure(*id, debug),
            Type::Array { element, len } => {
                let size = type_size(element, self.program).unwrap_or(0);
                let element = self.debug_type(element, debug);
                debug.array(element, size, *len)
            }
            Type::Mac => debug.array(debug.int(1, false), 1, 6),
            // What a pointer points to plays no part when fields are compared.
            _ => debug.pointer(None),
        }
    }

    /// The local type of an enumeration that is a field's type: its name is all that is compared.
    fn enumeration(&self, id: EnumId, debug: &Debug) -> Node {
        let found = &self.program.structs[id];
        debug.enumeration(&found.name, found.int.size, found.int.signed, &[])
    }
}

/// What of a member the target's BTF tells (`enum bpf_core_relo_kind` of
/// `include/uapi/linux/bpf.h`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum FieldInfo {
    /// Offset from the root; of a bit field's storage.
    ByteOffset = 0,
    /// Bytes; of a bit field's storage.
    ByteSize = 1,
    /// By how much a bit field's storage, as 64 bits, is shifted left to bring its highest bit up.
    LeftShift = 4,
    /// By how much it is shifted right then.
    RightShift = 5,
}

/// The path of members from a root structure.
#[derive(Clone, Debug)]
pub struct Path {
    /// The structure the path starts from.
    pub root: StructId,
    /// Its name.
    pub name: Bytes,
    /// Members from there inwards.
    pub members: Vec<String>,
    /// Their positions in the local types.
    indices: Vec<u32>,
    /// Bits from the root on the build machine, and the last member's width as a bit field.
    bits: (u64, Option<u32>),
}

impl Path {
    /// The path to the structure itself.
    pub fn new(root: StructId, name: Bytes) -> Self {
        Self { root, name, members: Vec::new(), indices: Vec::new(), bits: (0, None) }
    }

    /// One member further inwards; `index` is its position in the local type.
    pub fn push(&mut self, field: &StructField, index: u32) {
        self.members.push(field.name.display().into_owned());
        self.indices.push(index);
        self.bits = (self.bits.0 + field.bit_offset, field.bits);
    }

    /// The name by which LLVM's back end knows a relocation: type, kind, value on the build
    /// machine, and the path. Storage of bit fields counts as 64 bits wide there.
    pub fn relocation(&self, what: FieldInfo) -> String {
        let (offset, width) = self.bits;
        let start = match width {
            Some(_) => offset / 64 * 64,
            None => offset,
        };
        let width = u64::from(width.unwrap_or(64));
        let value = match what {
            FieldInfo::ByteOffset => start / 8,
            FieldInfo::ByteSize => 8,
            FieldInfo::LeftShift => 64 - (offset - start + width).min(64),
            FieldInfo::RightShift => 64 - width,
        };
        let path: String = self.indices.iter().map(|index| format!(":{index}")).collect();
        format!("llvm.{}:{}:{value}$0{path}", self.name.display(), what as u32)
    }

    /// The check that the field at the end of this path takes that many bytes.
    pub fn check(&self, size: u32, location: Location) -> LayoutCheck {
        LayoutCheck {
            structure: self.name.display().into_owned(),
            path: self.members.clone(),
            size,
            location,
        }
    }
}

/// The name of a relocation to the target's size of a structure.
pub fn size_relocation(structure: &Struct) -> String {
    const TYPE_SIZE: u32 = 9;
    format!("llvm.{}:{TYPE_SIZE}:{}$0", structure.name.display(), structure.size)
}

/// The name of a relocation to the target's value of an enumerator. The variant is part of the
/// name because each has a local type of its own, in which it is the only one.
pub fn enumerator_relocation(name: &Bytes, variant: &Bytes, value: i64) -> String {
    const ENUM_VALUE: u32 = 11;
    format!("llvm.{}.{}:{ENUM_VALUE}:{value}$0", name.display(), variant.display())
}

/// The fields of a tracepoint's record, or the arguments of a function, that a body reads.
pub fn arguments(program: &Program, body: &Body) -> Option<TracepointArgs> {
    let (Context::Tracepoint(Some(id)) | Context::RawTracepoint(Some(id)) | Context::Tracing(Some(id))) =
        body.context
    else {
        return None;
    };
    let structure = &program.structs[id];
    let mut used = BTreeSet::new();
    walk::body(body, &mut |expression: &Expr| {
        if let ExprKind::Member { structure, field, .. } = &expression.kind
            && *structure == id
        {
            used.insert(*field);
        }
    });
    let fields = used
        .into_iter()
        .filter_map(|index| structure.fields.get(index as usize))
        .map(|field| TracepointField {
            name: field.name.display().into_owned(),
            size: field_size(field, program).unwrap_or(0),
        })
        .collect();
    Some(TracepointArgs { structure: structure.name.display().into_owned(), fields })
}
