//! CO-RE: whether a type of the target matches one of the object (`BPF_TYPE_MATCHES`).
//!
//! Typedefs and qualifiers say nothing. Integers match in name, size and signedness; arrays in length and element;
//! enumerations when the target has every enumerator of the object by name; structs and unions when the target has
//! every member by name, with a type that matches. Behind a pointer a struct or union matches by its name alone, also
//! as a forward declaration; functions match in the number and the types of what they take and give.

use crate::core_relo::essential;
use crate::{Btf, Def, Enumerators, Members, TypeId};

/// Types nested deeper are taken for different: a cycle without pointers cannot be, so it is damage.
const MAX_DEPTH: u32 = 32;

/// A BTF and a type of it.
type In<'a, 'b> = (&'a Btf<'b>, TypeId);

/// Whether `target` can be what the object calls `local`.
pub(crate) fn matches(local: In<'_, '_>, target: In<'_, '_>) -> bool {
    types(local, target, false, MAX_DEPTH)
}

fn types((local, left): In<'_, '_>, (target, right): In<'_, '_>, behind_pointer: bool, depth: u32) -> bool {
    let Some(depth) = depth.checked_sub(1) else { return false };
    let (left, right) = (local.resolve(left), target.resolve(right));
    let name = essential(local.name(left));
    if !name.is_empty() && name != essential(target.name(right)) {
        return false;
    }
    match (local.def(left), target.def(right)) {
        (Def::Void, Def::Void) => true,
        (Def::Int { size, signed, .. }, Def::Int { size: other, signed: sign, .. }) => {
            size == other && signed == sign
        }
        (Def::Float { size }, Def::Float { size: other }) => size == other,
        (Def::Ptr(left), Def::Ptr(right)) => types((local, left), (target, right), true, depth),
        (Def::Array { element, len, .. }, Def::Array { element: other, len: count, .. }) => {
            len == count && types((local, element), (target, other), false, depth)
        }
        (Def::Enum { size, values, .. }, Def::Enum { size: other, values: known, .. }) => {
            size == other && has_values(values, known)
        }
        (Def::FuncProto { .. }, Def::FuncProto { .. }) => functions((local, left), (target, right), depth),
        (left_def, right_def) => match (composite(&left_def), composite(&right_def)) {
            (Some(kind), Some(other)) if kind == other => {
                behind_pointer || has_members(local, local.members(left), (target, right), depth)
            }
            _ => false,
        },
    }
}

/// What a type with members is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Composite {
    Struct,
    Union,
}

fn composite(def: &Def<'_>) -> Option<Composite> {
    match def {
        Def::Struct { .. } | Def::Fwd { union: false } => Some(Composite::Struct),
        Def::Union { .. } | Def::Fwd { union: true } => Some(Composite::Union),
        _ => None,
    }
}

fn has_values(mut wanted: Enumerators<'_>, known: Enumerators<'_>) -> bool {
    wanted.all(|value| known.clone().any(|other| essential(other.name) == essential(value.name)))
}

/// Whether the target has all members; those of an anonymous part count as the type's own.
fn has_members(local: &Btf<'_>, mut wanted: Members<'_>, (target, right): In<'_, '_>, depth: u32) -> bool {
    let Some(depth) = depth.checked_sub(1) else { return false };
    wanted.all(|member| {
        if member.name.is_empty() {
            let inner = local.members(member.ty);
            return has_members(local, inner, (target, right), depth);
        }
        let found = target.member(right, member.name);
        found.is_some_and(|field| types((local, member.ty), (target, field.ty), false, depth))
    })
}

fn functions((local, left): In<'_, '_>, (target, right): In<'_, '_>, depth: u32) -> bool {
    let (Some((params, result)), Some((others, gives))) = (local.prototype(left), target.prototype(right))
    else {
        return false;
    };
    let mut pairs = params.zip(others);
    params.count() == others.count()
        && pairs.all(|(param, other)| types((local, param.ty), (target, other.ty), false, depth))
        && types((local, result), (target, gives), false, depth)
}
