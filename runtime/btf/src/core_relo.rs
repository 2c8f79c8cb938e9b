//! CO-RE: what the types of a target make of an access that was compiled against other types.
//!
//! Types and fields are matched by name (a suffix `___flavour` is ignored), as the kernel and libbpf do.

use crate::core_match;
use crate::{Btf, CoreRelo, Def, Kind, Member, TypeId};
use std::collections::BTreeMap;
use std::fmt;

/// What a relocation is resolved to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CoreValue {
    /// The number for the instruction.
    Known {
        /// The number.
        value: u64,
        /// The size of the field on the target in bytes, when it differs from the compiled one and loads have to
        /// follow.
        bytes: Option<u32>,
    },
    /// Nothing on the target matches.
    Missing,
}

/// Why a relocation cannot be resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CoreError {
    /// Its access string or its type is malformed.
    Malformed,
    /// A kind that is not known here.
    Kind(u32),
    /// Several types of the target have the name and disagree.
    Ambiguous(String),
    /// The field is a bitfield that no load covers, or a signed one of another size.
    Unreadable(String),
}

impl fmt::Display for CoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed => write!(f, "is malformed"),
            Self::Kind(kind) => write!(f, "has the kind {kind}, which is not supported"),
            Self::Ambiguous(name) => write!(f, "is ambiguous: the target has different types named `{name}`"),
            Self::Unreadable(name) => {
                write!(f, "reads `{name}`, which no single load can read on the target")
            }
        }
    }
}

impl std::error::Error for CoreError {}

/// The target's types of the names that an object's relocations mention.
#[derive(Debug)]
pub struct CoreTarget<'t> {
    btf: &'t Btf<'t>,
    candidates: BTreeMap<String, Vec<TypeId>>,
}

/// The kinds of relocations (`enum bpf_core_relo_kind`).
mod kind {
    pub const FIELD_OFFSET: u32 = 0;
    pub const FIELD_SIZE: u32 = 1;
    pub const FIELD_EXISTS: u32 = 2;
    pub const FIELD_SIGNED: u32 = 3;
    pub const FIELD_LSHIFT: u32 = 4;
    pub const FIELD_RSHIFT: u32 = 5;
    pub const TYPE_ID_LOCAL: u32 = 6;
    pub const TYPE_ID_TARGET: u32 = 7;
    pub const TYPE_EXISTS: u32 = 8;
    pub const TYPE_SIZE: u32 = 9;
    pub const ENUM_EXISTS: u32 = 10;
    pub const ENUM_VALUE: u32 = 11;
    pub const TYPE_MATCHES: u32 = 12;
}

/// A field as it was found in one BTF.
#[derive(Clone, Copy)]
struct Found {
    bit_offset: u64,
    bitfield: u8,
    ty: TypeId,
}

/// A step from a type to a part of it.
enum Step<'s> {
    Member(&'s str),
    Element(u64),
}

impl<'t> CoreTarget<'t> {
    /// Looks the names of all relocations up, in one pass over the target.
    pub fn new(local: &Btf<'_>, relos: &[CoreRelo<'_>], target: &'t Btf<'t>) -> Self {
        let mut candidates: BTreeMap<String, Vec<TypeId>> = BTreeMap::new();
        for relo in relos {
            candidates.entry(essential(local.name(base(local, relo))).to_owned()).or_default();
        }
        candidates.remove("");
        if !candidates.is_empty() {
            for id in target.own_ids() {
                if let Some(found) = candidates.get_mut(essential(target.name(id))) {
                    found.push(id);
                }
            }
        }
        Self { btf: target, candidates }
    }

    /// Resolves a relocation of an object whose own types are `local`.
    ///
    /// # Errors
    ///
    /// [`CoreError`] says why there is no answer; that nothing matches is an answer.
    pub fn resolve(&self, local: &Btf<'_>, relo: &CoreRelo<'_>) -> Result<CoreValue, CoreError> {
        let root = base(local, relo);
        if relo.kind == kind::TYPE_ID_LOCAL {
            return Ok(CoreValue::Known { value: u64::from(relo.root.0), bytes: None });
        }
        let name = essential(local.name(root));
        let same_kind = |id: &TypeId| matching_kind(local.kind(root), self.btf.kind(*id));
        let candidates = self.candidates.get(name).into_iter().flatten().copied().filter(same_kind);
        let mut answer: Option<CoreValue> = None;
        for candidate in candidates {
            let found = self.answer(local, relo, root, candidate)?;
            match (&answer, found) {
                (_, None) => {}
                (None, Some(found)) => answer = Some(found),
                (Some(known), Some(found)) if *known != found && relo.kind != kind::TYPE_ID_TARGET => {
                    return Err(CoreError::Ambiguous(name.to_owned()));
                }
                _ => {}
            }
        }
        let asks_existence = matches!(
            relo.kind,
            kind::FIELD_EXISTS | kind::TYPE_EXISTS | kind::ENUM_EXISTS | kind::TYPE_MATCHES
        );
        Ok(match answer {
            Some(answer) => answer,
            None if asks_existence => CoreValue::Known { value: 0, bytes: None },
            None => CoreValue::Missing,
        })
    }

    /// What one type of the target makes of a relocation; none when it does not match.
    fn answer(
        &self,
        local: &Btf<'_>,
        relo: &CoreRelo<'_>,
        root: TypeId,
        candidate: TypeId,
    ) -> Result<Option<CoreValue>, CoreError> {
        let known = |value| Ok(Some(CoreValue::Known { value, bytes: None }));
        match relo.kind {
            kind::TYPE_EXISTS => known(1),
            kind::TYPE_MATCHES if core_match::matches((local, root), (self.btf, candidate)) => known(1),
            kind::TYPE_MATCHES => Ok(None),
            kind::TYPE_ID_TARGET => known(u64::from(candidate.0)),
            kind::TYPE_SIZE => match self.btf.size(candidate) {
                Some(size) => known(size),
                None => Ok(None),
            },
            kind::ENUM_EXISTS | kind::ENUM_VALUE => {
                let index: usize = relo.access.parse().map_err(|_| CoreError::Malformed)?;
                let wanted = enumerator(local, root, |at, _| at == index).ok_or(CoreError::Malformed)?;
                let name = essential(wanted.0).to_owned();
                match enumerator(self.btf, candidate, |_, found| essential(found) == name) {
                    Some(_) if relo.kind == kind::ENUM_EXISTS => known(1),
                    Some((_, value)) => known(value as u64),
                    None => Ok(None),
                }
            }
            kind::FIELD_OFFSET..=kind::FIELD_RSHIFT => {
                let (steps, before) = path(local, root, relo.access).ok_or(CoreError::Malformed)?;
                let first = relo.access.split(':').next().and_then(|first| first.parse::<u64>().ok());
                let first = first.ok_or(CoreError::Malformed)?;
                match walk(self.btf, candidate, first, &steps) {
                    Some(found) if compatible((local, before.ty), (self.btf, found.ty)) => {
                        self.field((local, before), found, relo).map(Some)
                    }
                    _ => Ok(None),
                }
            }
            other => Err(CoreError::Kind(other)),
        }
    }

    fn field(
        &self,
        (local, before): (&Btf<'_>, Found),
        found: Found,
        relo: &CoreRelo<'_>,
    ) -> Result<CoreValue, CoreError> {
        let known = |value| Ok(CoreValue::Known { value, bytes: None });
        let unreadable = || CoreError::Unreadable(local.name(base(local, relo)).to_owned());
        let size = self.btf.size(found.ty).unwrap_or_default();
        let is_signed = match self.btf.def(self.btf.resolve(found.ty)) {
            Def::Int { signed, .. } | Def::Enum { signed, .. } => signed,
            _ => false,
        };
        match relo.kind {
            kind::FIELD_EXISTS => return known(1),
            kind::FIELD_SIGNED => return known(u64::from(is_signed)),
            _ => {}
        }
        if found.bitfield == 0 {
            return match relo.kind {
                kind::FIELD_OFFSET => {
                    let compiled = local.size(before.ty).unwrap_or_default();
                    let differs = compiled != size && is_scalar(self.btf, found.ty);
                    if differs && is_signed {
                        return Err(unreadable());
                    }
                    let bytes = if differs { Some(size as u32) } else { None };
                    Ok(CoreValue::Known { value: found.bit_offset / 8, bytes })
                }
                kind::FIELD_SIZE => known(size),
                _ if size == 0 || size > 8 => Err(unreadable()),
                _ => known(64 - size * 8),
            };
        }
        // The smallest aligned word that holds the whole bitfield. No type is as large as this.
        if found.bit_offset > u64::from(u32::MAX) * 8 || size > 8 {
            return Err(unreadable());
        }
        let bits = u64::from(found.bitfield);
        let mut width = size.max(1);
        let (offset, width) = loop {
            let offset = found.bit_offset / 8 / width * width;
            if found.bit_offset + bits <= (offset + width) * 8 {
                break (offset, width);
            }
            if width >= 8 {
                return Err(unreadable());
            }
            width *= 2;
        };
        match relo.kind {
            kind::FIELD_OFFSET => known(offset),
            kind::FIELD_SIZE => known(width),
            kind::FIELD_LSHIFT => known(64 - (found.bit_offset + bits - offset * 8)),
            _ => known(64 - bits),
        }
    }
}

/// The type that a relocation starts from. Qualifiers say nothing; a typedef is only skipped for fields.
fn base(btf: &Btf<'_>, relo: &CoreRelo<'_>) -> TypeId {
    if relo.kind <= kind::FIELD_RSHIFT {
        return btf.resolve(relo.root);
    }
    let mut id = relo.root;
    for _ in 0..32 {
        match btf.def(id) {
            Def::Modifier(next) => id = next,
            _ => break,
        }
    }
    id
}

/// A name without its flavour.
pub(crate) fn essential(name: &str) -> &str {
    match name.rfind("___") {
        Some(at) if at > 0 => &name[..at],
        _ => name,
    }
}

fn matching_kind(local: Kind, target: Kind) -> bool {
    let plain = |kind| if kind == Kind::Enum64 { Kind::Enum } else { kind };
    plain(local) == plain(target)
}

fn enumerator<'b>(
    btf: &'b Btf<'_>,
    id: TypeId,
    wanted: impl Fn(usize, &str) -> bool,
) -> Option<(&'b str, i64)> {
    let Def::Enum { values, .. } = btf.def(btf.resolve(id)) else { return None };
    let mut numbered = values.enumerate();
    numbered.find(|(at, value)| wanted(*at, value.name)).map(|(_, value)| (value.name, value.value))
}

/// The steps of an access string, and the field that they reach in the object's own types.
fn path<'b>(btf: &'b Btf<'_>, root: TypeId, access: &str) -> Option<(Vec<Step<'b>>, Found)> {
    let mut numbers = access.split(':').map(|number| number.parse::<u64>());
    let first = numbers.next()?.ok()?;
    let mut steps = Vec::new();
    let mut at = Found {
        bit_offset: first.checked_mul(btf.size(root).unwrap_or_default())?.checked_mul(8)?,
        bitfield: 0,
        ty: root,
    };
    for number in numbers {
        let number = number.ok()?;
        match btf.def(btf.resolve(at.ty)) {
            Def::Struct { .. } | Def::Union { .. } => {
                let member: Member<'b> = btf.members(at.ty).nth(usize::try_from(number).ok()?)?;
                // An anonymous part is only a way: its members are found by their names.
                if !member.name.is_empty() {
                    steps.push(Step::Member(member.name));
                }
                at = Found {
                    bit_offset: at.bit_offset.checked_add(u64::from(member.bit_offset))?,
                    bitfield: member.bitfield_size,
                    ty: member.ty,
                };
            }
            Def::Array { element, .. } => {
                steps.push(Step::Element(number));
                let size = btf.size(element)?;
                at = Found {
                    bit_offset: at.bit_offset.checked_add(number.checked_mul(size)?.checked_mul(8)?)?,
                    bitfield: 0,
                    ty: element,
                };
            }
            _ => return None,
        }
    }
    Some((steps, at))
}

/// Takes the steps in the target's types.
fn walk(btf: &Btf<'_>, root: TypeId, first: u64, steps: &[Step<'_>]) -> Option<Found> {
    let start = first.checked_mul(btf.size(root).unwrap_or_default())?.checked_mul(8)?;
    let mut at = Found { bit_offset: start, bitfield: 0, ty: root };
    for step in steps {
        match step {
            Step::Member(name) => {
                let field = btf.member(at.ty, name)?;
                let bitfield = if field.bitfield { field.bit_size as u8 } else { 0 };
                let bit_offset = at.bit_offset.checked_add(field.bit_offset)?;
                at = Found { bit_offset, bitfield, ty: field.ty };
            }
            Step::Element(index) => {
                let Def::Array { element, len, .. } = btf.def(btf.resolve(at.ty)) else { return None };
                // A flexible array has no length of its own.
                if len != 0 && *index >= u64::from(len) {
                    return None;
                }
                let size = btf.size(element)?;
                at = Found {
                    bit_offset: at.bit_offset.checked_add(index.checked_mul(size)?.checked_mul(8)?)?,
                    bitfield: 0,
                    ty: element,
                };
            }
        }
    }
    Some(at)
}

fn is_scalar(btf: &Btf<'_>, id: TypeId) -> bool {
    matches!(btf.def(btf.resolve(id)), Def::Int { .. } | Def::Enum { .. } | Def::Ptr(_))
}

/// Whether a field of the target can be what was compiled: of the same sort, whatever its size.
fn compatible((local, left): (&Btf<'_>, TypeId), (target, right): (&Btf<'_>, TypeId)) -> bool {
    match (local.def(local.resolve(left)), target.def(target.resolve(right))) {
        (Def::Array { element: left, .. }, Def::Array { element: right, .. }) => {
            compatible((local, left), (target, right))
        }
        (Def::Struct { .. } | Def::Union { .. }, Def::Struct { .. } | Def::Union { .. }) => true,
        (Def::Enum { .. }, Def::Enum { .. }) => {
            let names = [local.name(local.resolve(left)), target.name(target.resolve(right))].map(essential);
            names[0] == names[1] || names.contains(&"")
        }
        (left, right) => std::mem::discriminant(&left) == std::mem::discriminant(&right),
    }
}
