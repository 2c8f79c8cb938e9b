//! CO-RE: the local types that relocations are made from, and what the target must have.
//!
//! A relocation names a type of this object's BTF and a path of members; the runtime finds the
//! same names in the target's BTF. So the local types hold no more than the members that some
//! program reads.

use std::collections::{BTreeMap, BTreeSet};

use btaot_abi::Bytes;
use btaot_abi::metadata::{LayoutCheck, TracepointArgs, TracepointField};
use btaot_semantic::program::{Body, Context, Expr, ExprKind, Program};
use btaot_semantic::types::{EnumId, Int, StructField, StructId, Type};

use super::walk;
use crate::llvm::debug::{Debug, Member, Node};

/// The local types of one object.
pub struct Core<'a> {
    program: &'a Program,
    /// Members that some program selects.
    used: BTreeMap<StructId, BTreeSet<u32>>,
    built: BTreeMap<StructId, Node>,
    sequence: u32,
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
        Self { program, used, built: BTreeMap::new(), sequence: 0 }
    }

    /// A number that keeps LLVM from merging relocations that are not about members.
    pub fn next_sequence(&mut self) -> u32 {
        self.sequence += 1;
        self.sequence - 1
    }

    /// The position of a field among the members of the local type.
    pub fn member_index(&self, structure: StructId, field: u32) -> u32 {
        let used = self.used.get(&structure);
        used.map_or(0, |fields| fields.range(..field).count() as u32)
    }

    /// The local type of a structure.
    pub fn structure(&mut self, id: StructId, debug: &Debug) -> Node {
        if let Some(node) = self.built.get(&id) {
            return *node;
        }
        let structure = &self.program.structs[id];
        let indices: Vec<u32> = self.used.get(&id).into_iter().flatten().copied().collect();
        let mut fields = Vec::new();
        for index in indices {
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

/// The path of members from a root structure: names for a [`LayoutCheck`].
#[derive(Clone, Debug, Default)]
pub struct Path {
    /// The structure the path starts from.
    pub root: Bytes,
    /// Members from there inwards.
    pub members: Vec<String>,
}

impl Path {
    /// The check that the field at the end of this path takes that many bytes.
    pub fn check(&self, size: u32) -> LayoutCheck {
        LayoutCheck { structure: self.root.display().into_owned(), path: self.members.clone(), size }
    }
}

/// The fields of a tracepoint's record that a body reads.
pub fn tracepoint_args(program: &Program, body: &Body) -> Option<TracepointArgs> {
    let Context::Tracepoint(Some(id)) = body.context else { return None };
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
