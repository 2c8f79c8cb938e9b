//! What a type is made of, as conventions for calls see it.

use btaot_btf::{Btf, Def, Kind, TypeId};

/// Structures may nest this deep; deeper ones do not fit registers in any case.
const MAX_NESTING: u32 = 16;
/// More scalars than this fit no registers.
const MAX_SCALARS: usize = 64;

/// A number or address inside a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Scalar {
    /// Bytes from the value's start.
    pub offset: u32,
    /// Bytes.
    pub size: u32,
    /// What it is.
    pub class: Class,
}

/// What a scalar is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Class {
    /// An integer or address.
    Integer,
    /// A floating-point number.
    Float,
    /// The 80-bit number of the x87.
    LongDouble,
}

/// A value's parts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Shape {
    /// Bytes.
    pub size: u32,
    /// Sorted, each place and size once.
    pub scalars: Vec<Scalar>,
    /// It is a structure, union or array.
    pub compound: bool,
    /// Parts of it overlap, or are found by an index: a union or array is inside.
    pub irregular: bool,
    /// It is an array by itself. C has no values of arrays: there it is a vector.
    pub array: bool,
    /// A scalar is not at a multiple of its size.
    pub unaligned: bool,
}

impl Shape {
    /// The shape of a type's values.
    pub(super) fn new(btf: &Btf<'_>, ty: TypeId) -> Self {
        let size = btf.size(ty).and_then(|size| u32::try_from(size).ok()).unwrap_or(0);
        let array = matches!(btf.def(btf.resolve(ty)), Def::Array { .. });
        let mut shape = Self { size, array, ..Self::default() };
        shape.add(btf, ty, 0, MAX_NESTING);
        shape.scalars.sort_unstable();
        shape.scalars.dedup();
        let overlap = shape.scalars.windows(2).any(|pair| pair[0].offset + pair[0].size > pair[1].offset);
        shape.irregular |= overlap;
        shape
    }

    /// Bytes to whose multiples the value is aligned.
    pub(super) fn align(&self) -> u32 {
        self.scalars.iter().map(|scalar| scalar.size.clamp(1, 16)).max().unwrap_or(1)
    }

    fn add(&mut self, btf: &Btf<'_>, ty: TypeId, offset: u32, depth: u32) {
        let ty = btf.resolve(ty);
        let (Some(depth), true) = (depth.checked_sub(1), self.scalars.len() < MAX_SCALARS) else { return };
        match btf.def(ty) {
            Def::Int { size, .. } | Def::Enum { size, .. } => self.scalar(offset, size, Class::Integer),
            Def::Ptr(_) => self.scalar(offset, 8, Class::Integer),
            Def::Float { size: 16 } if btf.name(ty) == "long double" => {
                self.scalar(offset, 16, Class::LongDouble);
            }
            Def::Float { size } => self.scalar(offset, size, Class::Float),
            Def::Array { element, len, .. } => {
                self.compound = true;
                self.irregular = true;
                let step = btf.size(element).and_then(|size| u32::try_from(size).ok()).unwrap_or(0);
                for index in 0..len.min(MAX_SCALARS as u32) {
                    self.add(btf, element, offset.saturating_add(index.saturating_mul(step)), depth);
                }
            }
            Def::Struct { members, .. } | Def::Union { members, .. } => {
                self.compound = true;
                self.irregular |= btf.kind(ty) == Kind::Union;
                for member in members {
                    let start = offset.saturating_add(member.bit_offset / 8);
                    if member.bitfield_size == 0 {
                        self.add(btf, member.ty, start, depth);
                    } else {
                        // The bytes that the bits lie in; they need no alignment.
                        let bits = member.bit_offset % 8 + u32::from(member.bitfield_size);
                        let bytes = (0..bits.div_ceil(8)).map(|byte| start.saturating_add(byte));
                        bytes.for_each(|byte| self.scalar(byte, 1, Class::Integer));
                    }
                }
            }
            _ => {}
        }
    }

    fn scalar(&mut self, offset: u32, size: u32, class: Class) {
        if size > 0 {
            self.unaligned |= !offset.is_multiple_of(size);
            self.scalars.push(Scalar { offset, size, class });
        }
    }
}
