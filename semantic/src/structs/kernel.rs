//! Types from BTF: the kernel's, and that of included headers.

use btaot_abi::Bytes;
use btaot_btf::{Def, Kind, TypeId};
use btaot_frontend::ast::Tag;

use super::{Catalog, Source, Whose};
use crate::types::{Enum, EnumId, Int, Space, Struct, StructField, StructId, Type};

/// Anonymous members may nest this deep; deeper ones are not searched.
const MAX_NESTING: u32 = 16;

/// A member, found inside anonymous ones.
struct Found {
    ty: TypeId,
    bit_offset: u64,
    bits: u32,
}

impl Catalog<'_> {
    pub(super) fn btf_tagged(&mut self, whose: Whose, tag: Tag, name: &str) -> Option<Type> {
        let btf = self.types_of(whose)?;
        match tag {
            Tag::Struct => btf.find(Kind::Struct, name).and_then(|id| self.import(whose, id)),
            Tag::Union => btf.find(Kind::Union, name).and_then(|id| self.import(whose, id)),
            Tag::Enum => {
                let found = btf.find(Kind::Enum, name).or_else(|| btf.find(Kind::Enum64, name))?;
                Some(Type::Enum(self.btf_enum(whose, found)?))
            }
        }
    }

    pub(super) fn btf_typedef(&mut self, whose: Whose, name: &str) -> Option<Type> {
        let id = self.types_of(whose)?.find(Kind::Typedef, name)?;
        self.import(whose, id)
    }

    /// An enumerator of any enumeration, the first of its name.
    pub(super) fn btf_enumerator(&mut self, whose: Whose, name: &str) -> Option<(EnumId, i64)> {
        let btf = self.types_of(whose)?;
        let found = btf.own_ids().find_map(|id| match btf.def(id) {
            Def::Enum { mut values, .. } => {
                values.find(|value| value.name == name).map(|value| (id, value.value))
            }
            _ => None,
        });
        let (id, value) = found?;
        Some((self.btf_enum(whose, id)?, value))
    }

    /// The number of a structure or union.
    pub(super) fn btf_struct(&mut self, whose: Whose, id: TypeId) -> StructId {
        if let Some(known) = self.btf_structs.get(&(whose, id)) {
            return *known;
        }
        let (name, union, size) = match self.types_of(whose) {
            Some(btf) => {
                let size = btf.size(id).and_then(|size| u32::try_from(size).ok()).unwrap_or(0);
                (Bytes::from(btf.name(id)), btf.kind(id) == Kind::Union, size)
            }
            None => (Bytes::default(), false, 0),
        };
        let source = match whose {
            Whose::Module(module) if self.kernel_has_another(&name, union) => Source::Differing(module),
            _ => Source::Btf(whose, id),
        };
        let structure = Struct { name, union, origin: whose.origin(), size, fields: Vec::new() };
        let number = self.add(structure, source);
        self.btf_structs.insert((whose, id), number);
        number
    }

    /// Whether the kernel has a structure of the name of a module's own. They differ: what is equal is shared.
    fn kernel_has_another(&self, name: &Bytes, union: bool) -> bool {
        let kind = if union { Kind::Union } else { Kind::Struct };
        !name.is_empty() && self.btf().is_some_and(|kernel| kernel.find(kind, &name.display()).is_some())
    }

    fn btf_enum(&mut self, whose: Whose, id: TypeId) -> Option<EnumId> {
        if let Some(known) = self.btf_enums.get(&(whose, id)) {
            return Some(*known);
        }
        let btf = self.types_of(whose)?;
        let Def::Enum { size, signed, values } = btf.def(id) else { return None };
        let variants = values.map(|value| (Bytes::from(value.name), value.value)).collect();
        let name = Bytes::from(btf.name(id));
        let enumeration = Enum { name, int: Int { size, signed }, variants, origin: whose.origin() };
        let number = self.add_enum(enumeration);
        self.btf_enums.insert((whose, id), number);
        Some(number)
    }

    /// The type of the language for one of BTF; `None` for those that it has no values of.
    pub(super) fn import(&mut self, whose: Whose, id: TypeId) -> Option<Type> {
        let btf = self.types_of(whose)?;
        let resolved = btf.resolve(id);
        // What a module shares with the kernel is the kernel's.
        if matches!(whose, Whose::Module(_)) && !btf.owns(resolved) {
            return self.import(Whose::Kernel, resolved);
        }
        Some(match btf.def(resolved) {
            Def::Void | Def::Func(_) | Def::FuncProto { .. } => Type::Void,
            Def::Int { bool: true, size: 1, .. } => Type::Bool,
            Def::Int { size, signed, .. } if matches!(size, 1 | 2 | 4 | 8) => Type::Int(Int { size, signed }),
            Def::Ptr(to) => {
                let space = if self.is_user_pointer(whose, to) { Space::User } else { Space::Unknown };
                let to = self.relocatable(whose, to).or_else(|| self.import(whose, to));
                Self::pointer(to.unwrap_or(Type::Void), space)
            }
            Def::Array { element, len, .. } if len > 0 && self.is_char(whose, element) => Type::Str(len),
            Def::Array { element, len, .. } => {
                Type::Array { element: Box::new(self.import(whose, element)?), len }
            }
            Def::Struct { .. } | Def::Union { .. } => Type::Struct(self.btf_struct(whose, resolved)),
            Def::Enum { .. } => Type::Enum(self.btf_enum(whose, resolved)?),
            Def::Fwd { union } => {
                let name = btf.name(resolved);
                let kind = if union { Kind::Union } else { Kind::Struct };
                match btf.find(kind, name) {
                    Some(full) => return self.import(whose, full),
                    None => Type::Struct(self.incomplete(union, name)),
                }
            }
            Def::Int { .. }
            | Def::Typedef(_)
            | Def::Modifier(_)
            | Def::Var(_)
            | Def::Datasec(_)
            | Def::Float { .. }
            | Def::DeclTag(_) => return None,
        })
    }

    /// What a pointer in a header's structure leads to, when that is the kernel's.
    fn relocatable(&mut self, whose: Whose, to: TypeId) -> Option<Type> {
        if whose != Whose::Headers {
            return None;
        }
        let btf = self.types_of(whose)?;
        let resolved = btf.resolve(to);
        let tag = match btf.def(resolved) {
            Def::Struct { .. } | Def::Fwd { union: false } => Tag::Struct,
            Def::Union { .. } | Def::Fwd { union: true } => Tag::Union,
            _ => return None,
        };
        let name = btf.name(resolved).to_owned();
        let first = self.order(&format!("{} {name}", tag.keyword()))[0];
        (first == Whose::Kernel && !name.is_empty())
            .then(|| self.btf_tagged(Whose::Kernel, tag, &name))
            .flatten()
    }

    fn is_char(&self, whose: Whose, id: TypeId) -> bool {
        let Some(btf) = self.types_of(whose) else { return false };
        let resolved = btf.resolve(id);
        matches!(btf.def(resolved), Def::Int { size: 1, .. }) && btf.name(resolved) == "char"
    }

    /// Whether what a pointer leads to is marked `__user`.
    fn is_user_pointer(&self, whose: Whose, mut to: TypeId) -> bool {
        let Some(btf) = self.types_of(whose) else { return false };
        for _ in 0..MAX_NESTING {
            match btf.def(to) {
                Def::Modifier(next) => {
                    if btf.kind(to) == Kind::TypeTag && btf.name(to) == "user" {
                        return true;
                    }
                    to = next;
                }
                _ => return false,
            }
        }
        false
    }

    pub(super) fn add_btf_field(
        &mut self,
        id: StructId,
        (whose, ty): (Whose, TypeId),
        name: &str,
    ) -> Option<u32> {
        let found = self.find_member((whose, ty), name, MAX_NESTING)?;
        let field = StructField {
            name: Bytes::from(name),
            ty: self.import(whose, found.ty)?,
            bit_offset: found.bit_offset,
            bits: (found.bits != 0).then_some(found.bits),
            data_loc: false,
        };
        let fields = &mut self.structs.structs[id.0 as usize].fields;
        fields.push(field);
        u32::try_from(fields.len() - 1).ok()
    }

    /// A member by name, also one of an anonymous member.
    fn find_member(&self, (whose, ty): (Whose, TypeId), name: &str, depth: u32) -> Option<Found> {
        let depth = depth.checked_sub(1)?;
        self.types_of(whose)?.members(ty).find_map(|member| {
            let bit_offset = u64::from(member.bit_offset);
            if member.name == name {
                return Some(Found { ty: member.ty, bit_offset, bits: member.bitfield_size.into() });
            }
            if !member.name.is_empty() {
                return None;
            }
            let inner = self.find_member((whose, member.ty), name, depth)?;
            Some(Found { bit_offset: inner.bit_offset + bit_offset, ..inner })
        })
    }

    pub(super) fn btf_field_names(&self, whose: Whose, ty: TypeId) -> Vec<String> {
        let mut names = Vec::new();
        self.collect_names((whose, ty), MAX_NESTING, &mut names);
        names
    }

    fn collect_names(&self, (whose, ty): (Whose, TypeId), depth: u32, out: &mut Vec<String>) {
        let (Some(depth), Some(btf)) = (depth.checked_sub(1), self.types_of(whose)) else { return };
        for member in btf.members(ty) {
            if member.name.is_empty() {
                self.collect_names((whose, member.ty), depth, out);
            } else {
                out.push(member.name.to_owned());
            }
        }
    }
}
