//! Interpreted views of single types.

use crate::{
    Btf, Kind, TypeId,
    raw::{Record, u32_at},
};

/// What a type is. Entries (members, values, parameters) are decoded while they are iterated.
#[derive(Debug, Clone, Copy)]
pub enum Def<'b> {
    /// `void`, or a type number that does not exist.
    Void,
    /// An integer, character or bool.
    Int {
        /// Size in bytes.
        size: u32,
        /// Whether values are sign-extended.
        signed: bool,
        /// Whether it is `_Bool`.
        bool: bool,
        /// Bits in use, counted from bit `offset` of the storage; less than the size only in the old
        /// encoding of bitfields.
        bits: u8,
        /// See `bits`.
        offset: u8,
    },
    /// A pointer to the given type.
    Ptr(TypeId),
    /// An array.
    Array {
        /// The type of the elements.
        element: TypeId,
        /// The type of the index.
        index: TypeId,
        /// Number of elements; 0 for flexible arrays.
        len: u32,
    },
    /// A struct of `size` bytes.
    Struct {
        /// Size in bytes.
        size: u32,
        /// The members in source order.
        members: Members<'b>,
    },
    /// A union of `size` bytes.
    Union {
        /// Size in bytes.
        size: u32,
        /// The members in source order.
        members: Members<'b>,
    },
    /// An enumeration, of 32-bit or 64-bit values.
    Enum {
        /// Size in bytes.
        size: u32,
        /// Whether values are signed.
        signed: bool,
        /// The named values; none for a forward declaration.
        values: Enumerators<'b>,
    },
    /// A struct or union of which only the name is known.
    Fwd {
        /// Whether it is a union.
        union: bool,
    },
    /// Another name for the given type.
    Typedef(TypeId),
    /// The given type with a qualifier or a type tag; [`Btf::kind`] tells which.
    Modifier(TypeId),
    /// A function with the given prototype.
    Func(TypeId),
    /// A function's parameters and result.
    FuncProto {
        /// The result's type.
        result: TypeId,
        /// The parameters. The last one of a variadic function has neither name nor type.
        params: Params<'b>,
    },
    /// A variable of the given type.
    Var(TypeId),
    /// The variables of an ELF section.
    Datasec(SectionVars<'b>),
    /// A floating point number.
    Float {
        /// Size in bytes.
        size: u32,
    },
    /// An attribute of the declaration of the given type.
    DeclTag(TypeId),
}

impl<'d> Btf<'d> {
    /// What the type is. A number that does not exist reads as [`Def::Void`].
    #[must_use]
    pub fn def(&self, id: TypeId) -> Def<'_> {
        let Some(record) = self.record(id) else {
            return Def::Void;
        };
        let Record { size_or_type, tail, flag, .. } = record;
        let target = TypeId(size_or_type);
        match record.kind {
            Kind::Void => Def::Void,
            Kind::Int => int(size_or_type, u32_at(tail, 0)),
            Kind::Ptr => Def::Ptr(target),
            Kind::Array => Def::Array {
                element: TypeId(u32_at(tail, 0)),
                index: TypeId(u32_at(tail, 4)),
                len: u32_at(tail, 8),
            },
            Kind::Struct => Def::Struct { size: size_or_type, members: Members { btf: self, tail, flag } },
            Kind::Union => Def::Union { size: size_or_type, members: Members { btf: self, tail, flag } },
            Kind::Enum | Kind::Enum64 => Def::Enum {
                size: size_or_type,
                signed: flag,
                values: Enumerators { btf: self, tail, signed: flag, wide: record.kind == Kind::Enum64 },
            },
            Kind::Fwd => Def::Fwd { union: flag },
            Kind::Typedef => Def::Typedef(target),
            Kind::Volatile | Kind::Const | Kind::Restrict | Kind::TypeTag => Def::Modifier(target),
            Kind::Func => Def::Func(target),
            Kind::FuncProto => Def::FuncProto { result: target, params: Params { btf: self, tail } },
            Kind::Var => Def::Var(target),
            Kind::Datasec => Def::Datasec(SectionVars { tail }),
            Kind::Float => Def::Float { size: size_or_type },
            Kind::DeclTag => Def::DeclTag(target),
        }
    }

    /// The members of a struct or union, found behind typedefs and qualifiers; empty for other types.
    #[must_use]
    pub fn members(&self, id: TypeId) -> Members<'_> {
        match self.def(self.resolve(id)) {
            Def::Struct { members, .. } | Def::Union { members, .. } => members,
            _ => Members { btf: self, tail: &[], flag: false },
        }
    }

    /// The parameters and the result of a function (or of a prototype).
    #[must_use]
    pub fn prototype(&self, id: TypeId) -> Option<(Params<'_>, TypeId)> {
        match self.def(id) {
            Def::Func(proto) => match self.def(proto) {
                Def::FuncProto { result, params } => Some((params, result)),
                _ => None,
            },
            Def::FuncProto { result, params } => Some((params, result)),
            _ => None,
        }
    }
}

/// Decodes the word behind an integer's record: encoding flags, bit offset, number of bits.
fn int<'b>(size: u32, word: u32) -> Def<'b> {
    const SIGNED: u32 = 1 << 24;
    const BOOL: u32 = 1 << 26;
    Def::Int {
        size,
        signed: word & SIGNED != 0,
        bool: word & BOOL != 0,
        bits: word as u8,
        offset: (word >> 16) as u8,
    }
}

/// A member of a struct or union.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member<'b> {
    /// Empty for anonymous structs and unions and for padding bitfields.
    pub name: &'b str,
    /// The member's type; for a bitfield its declared type.
    pub ty: TypeId,
    /// Distance from the start of the struct, in bits.
    pub bit_offset: u32,
    /// Width of a bitfield in bits; 0 for ordinary members.
    pub bitfield_size: u8,
}

/// Iterates over [`Member`]s.
#[derive(Debug, Clone, Copy)]
pub struct Members<'b> {
    btf: &'b Btf<'b>,
    tail: &'b [u8],
    flag: bool,
}

impl<'b> Iterator for Members<'b> {
    type Item = Member<'b>;

    fn next(&mut self) -> Option<Member<'b>> {
        let entry = take(&mut self.tail, 12)?;
        let ty = TypeId(u32_at(entry, 4));
        let place = u32_at(entry, 8);
        let (bit_offset, bitfield_size) =
            if self.flag { (place & 0x00ff_ffff, (place >> 24) as u8) } else { self.old_bitfield(ty, place) };
        Some(Member { name: self.btf.string(u32_at(entry, 0)), ty, bit_offset, bitfield_size })
    }
}

impl Members<'_> {
    /// Before bitfield sizes were stored with the member, an integer type of its own carried them.
    fn old_bitfield(&self, ty: TypeId, place: u32) -> (u32, u8) {
        match self.btf.def(self.btf.resolve(ty)) {
            Def::Int { size, bits, offset, .. } if u32::from(bits) < size.saturating_mul(8) => {
                (place.saturating_add(u32::from(offset)), bits)
            }
            _ => (place, 0),
        }
    }
}

/// A named value of an enumeration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Enumerator<'b> {
    /// The name.
    pub name: &'b str,
    /// The value, sign-extended when the enumeration is signed; unsigned 64-bit values keep their bits.
    pub value: i64,
}

/// Iterates over [`Enumerator`]s.
#[derive(Debug, Clone, Copy)]
pub struct Enumerators<'b> {
    btf: &'b Btf<'b>,
    tail: &'b [u8],
    signed: bool,
    wide: bool,
}

impl<'b> Iterator for Enumerators<'b> {
    type Item = Enumerator<'b>;

    fn next(&mut self) -> Option<Enumerator<'b>> {
        let entry = take(&mut self.tail, if self.wide { 12 } else { 8 })?;
        let low = u32_at(entry, 4);
        let value = if self.wide {
            (u64::from(u32_at(entry, 8)) << 32 | u64::from(low)).cast_signed()
        } else if self.signed {
            i64::from(low.cast_signed())
        } else {
            i64::from(low)
        };
        Some(Enumerator { name: self.btf.string(u32_at(entry, 0)), value })
    }
}

/// A parameter of a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Param<'b> {
    /// The name; empty when the declaration gave none.
    pub name: &'b str,
    /// The type.
    pub ty: TypeId,
}

/// Iterates over [`Param`]s.
#[derive(Debug, Clone, Copy)]
pub struct Params<'b> {
    btf: &'b Btf<'b>,
    tail: &'b [u8],
}

impl<'b> Iterator for Params<'b> {
    type Item = Param<'b>;

    fn next(&mut self) -> Option<Param<'b>> {
        let entry = take(&mut self.tail, 8)?;
        Some(Param { name: self.btf.string(u32_at(entry, 0)), ty: TypeId(u32_at(entry, 4)) })
    }
}

/// A variable's place in its ELF section.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SectionVar {
    /// The variable, a [`Def::Var`].
    pub var: TypeId,
    /// Offset in the section, in bytes.
    pub offset: u32,
    /// Size in bytes.
    pub size: u32,
}

/// Iterates over [`SectionVar`]s.
#[derive(Debug, Clone, Copy)]
pub struct SectionVars<'b> {
    tail: &'b [u8],
}

impl Iterator for SectionVars<'_> {
    type Item = SectionVar;

    fn next(&mut self) -> Option<SectionVar> {
        let entry = take(&mut self.tail, 12)?;
        Some(SectionVar { var: TypeId(u32_at(entry, 0)), offset: u32_at(entry, 4), size: u32_at(entry, 8) })
    }
}

/// Cuts the next entry off a table.
fn take<'b>(tail: &mut &'b [u8], width: usize) -> Option<&'b [u8]> {
    let (entry, rest) = tail.split_at_checked(width)?;
    *tail = rest;
    Some(entry)
}
