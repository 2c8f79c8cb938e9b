//! Sizes of types and places of members.

use crate::{Btf, Def, Kind, Member, TypeId};

/// The kernel resolves at most this many typedefs and qualifiers in a row; a longer chain is a cycle.
const MAX_DEPTH: u32 = 32;

/// Where a member lies within the struct that a search started from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    /// The member's type.
    pub ty: TypeId,
    /// Distance from the start of the outermost struct, in bits.
    pub bit_offset: u64,
    /// Size in bits: of the bitfield, or of the type.
    pub bit_size: u64,
    /// Whether it is a bitfield.
    pub bitfield: bool,
}

impl Btf<'_> {
    /// Skips typedefs, qualifiers and type tags. A cycle of them reads as void.
    #[must_use]
    pub fn resolve(&self, mut id: TypeId) -> TypeId {
        for _ in 0..MAX_DEPTH {
            match self.def(id) {
                Def::Typedef(next) | Def::Modifier(next) => id = next,
                _ => return id,
            }
        }
        TypeId::VOID
    }

    /// The type that a pointer points to, found behind typedefs and qualifiers on both sides.
    #[must_use]
    pub fn pointee(&self, id: TypeId) -> Option<TypeId> {
        match self.def(self.resolve(id)) {
            Def::Ptr(target) => Some(self.resolve(target)),
            _ => None,
        }
    }

    /// Size of a value of the type in bytes; none for types without values (void, functions, forward
    /// declarations) and for sizes beyond 64 bits.
    #[must_use]
    pub fn size(&self, mut id: TypeId) -> Option<u64> {
        let mut count = 1u64;
        for _ in 0..MAX_DEPTH {
            let size = match self.def(self.resolve(id)) {
                Def::Int { size, .. }
                | Def::Float { size }
                | Def::Struct { size, .. }
                | Def::Union { size, .. }
                | Def::Enum { size, .. } => size,
                Def::Ptr(_) => 8,
                Def::Array { element, len, .. } => {
                    count = count.checked_mul(u64::from(len))?;
                    id = element;
                    continue;
                }
                Def::Var(target) => {
                    id = target;
                    continue;
                }
                _ => return None,
            };
            return count.checked_mul(u64::from(size));
        }
        None
    }

    /// Alignment of a value of the type in bytes, as far as its members tell: BTF does not have `aligned` attributes, and
    /// a struct with a member or a size that its members' alignments forbid is packed.
    #[must_use]
    pub fn align(&self, id: TypeId) -> u64 {
        self.align_below(id, MAX_DEPTH)
    }

    fn align_below(&self, id: TypeId, depth: u32) -> u64 {
        let Some(depth) = depth.checked_sub(1) else { return 1 };
        let id = self.resolve(id);
        match self.def(id) {
            Def::Int { size, .. } | Def::Float { size } | Def::Enum { size, .. } => {
                u64::from(size).next_power_of_two()
            }
            Def::Ptr(_) => 8,
            Def::Array { element, .. } => self.align_below(element, depth),
            Def::Struct { size, .. } | Def::Union { size, .. } => {
                let mut align = 1;
                for member in self.members(id) {
                    let needed = self.align_below(member.ty, depth);
                    let misplaced = !u64::from(member.bit_offset).is_multiple_of(needed * 8);
                    if member.bitfield_size == 0 && misplaced {
                        return 1;
                    }
                    align = align.max(needed);
                }
                if u64::from(size).is_multiple_of(align) { align } else { 1 }
            }
            _ => 1,
        }
    }

    /// Finds a member by name, also inside anonymous structs and unions. The offset is relative to `id`.
    #[must_use]
    pub fn member(&self, id: TypeId, name: &str) -> Option<Field> {
        self.member_below(id, name, MAX_DEPTH)
    }

    fn member_below(&self, id: TypeId, name: &str, depth: u32) -> Option<Field> {
        let depth = depth.checked_sub(1)?;
        self.members(id).find_map(|member| {
            if !name.is_empty() && member.name == name {
                return self.field(member);
            }
            if !member.name.is_empty() || member.bitfield_size != 0 {
                return None;
            }
            let mut inner = self.member_below(member.ty, name, depth)?;
            inner.bit_offset += u64::from(member.bit_offset);
            Some(inner)
        })
    }

    fn field(&self, member: Member<'_>) -> Option<Field> {
        let bitfield = member.bitfield_size != 0;
        let bit_size =
            if bitfield { u64::from(member.bitfield_size) } else { self.size(member.ty)?.checked_mul(8)? };
        Some(Field { ty: member.ty, bit_offset: u64::from(member.bit_offset), bit_size, bitfield })
    }

    /// Place and size of a member of the struct, union or typedef called `name`. `path` names members from
    /// the outside in; each step may look into anonymous members, none follows a pointer. An empty path
    /// gives the whole type.
    #[must_use]
    pub fn field_size_offset(&self, name: &str, path: &[&str]) -> Option<Field> {
        let root =
            [Kind::Struct, Kind::Union, Kind::Typedef].into_iter().find_map(|kind| self.find(kind, name))?;
        let mut place =
            Field { ty: root, bit_offset: 0, bit_size: self.size(root)?.checked_mul(8)?, bitfield: false };
        for step in path {
            let inner = self.member(place.ty, step)?;
            place = Field { bit_offset: place.bit_offset.checked_add(inner.bit_offset)?, ..inner };
        }
        Some(place)
    }
}
