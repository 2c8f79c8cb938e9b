//! Classes of C++ that are more than their bytes: a copy of one is made by code of its own, so calls pass its address.

use gimli::{
    AttributeValue, DW_AT_artificial, DW_AT_calling_convention, DW_AT_defaulted, DW_AT_deleted, DW_AT_type,
    constants,
};

use super::entries::{Die, Entries, Site};

/// Classes may be parts of each other this deep; damaged ones may be a circle.
const MAX_NESTING: u32 = 16;

/// Whether the type of a parameter or result is passed by reference ("trivial for the purposes of calls", Itanium C++
/// ABI, section 3.1.2.3).
pub(super) fn is_passed_by_reference<'d>(entries: &Entries<'d>, of: &Die<'d>) -> bool {
    entries.reference(of, DW_AT_type).is_some_and(|site| is_more_than_bytes(entries, site, MAX_NESTING))
}

fn is_more_than_bytes<'d>(entries: &Entries<'d>, site: Site, depth: u32) -> bool {
    let (Some(depth), Some(die)) = (depth.checked_sub(1), entries.at(site)) else { return false };
    let of_type = |die: &Die<'d>| {
        entries.reference(die, DW_AT_type).is_some_and(|site| is_more_than_bytes(entries, site, depth))
    };
    match die.entry.tag() {
        constants::DW_TAG_typedef
        | constants::DW_TAG_const_type
        | constants::DW_TAG_volatile_type
        | constants::DW_TAG_array_type => of_type(&die),
        constants::DW_TAG_structure_type | constants::DW_TAG_class_type | constants::DW_TAG_union_type => {
            match die.entry.attr_value(DW_AT_calling_convention) {
                // Some compilers say it.
                Some(AttributeValue::CallingConvention(told)) => told == constants::DW_CC_pass_by_reference,
                _ => entries.children(&die).iter().any(|child| match child.entry.tag() {
                    constants::DW_TAG_member => {
                        entries.name(child).starts_with("_vptr")
                            || !child.has(gimli::DW_AT_declaration) && of_type(child)
                    }
                    constants::DW_TAG_inheritance => of_type(child),
                    constants::DW_TAG_subprogram => copies_or_destroys(entries, &die, child),
                    _ => false,
                }),
            }
        }
        _ => false,
    }
}

/// Whether a function of a class is a destructor or a constructor of copies that somebody wrote. Those that the compiler
/// makes do no more than the parts of the class do.
fn copies_or_destroys<'d>(entries: &Entries<'d>, class: &Die<'d>, function: &Die<'d>) -> bool {
    if [DW_AT_artificial, DW_AT_defaulted, DW_AT_deleted].into_iter().any(|made| function.has(made)) {
        return false;
    }
    let name = entries.name(function);
    if name.starts_with('~') {
        return true;
    }
    let of_class = entries.name(class);
    let plain = |name: &str| name.split('<').next().unwrap_or_default().to_owned();
    if plain(&name) != plain(&of_class) {
        return false;
    }
    let children = entries.children(function).into_iter();
    let mut parameters = children.filter(|child| {
        child.entry.tag() == constants::DW_TAG_formal_parameter && !child.has(DW_AT_artificial)
    });
    let first = parameters.next();
    first.is_some_and(|first| parameters.next().is_none() && refers_to(entries, &first, class.site))
}

/// Whether a parameter is a reference to a class.
fn refers_to<'d>(entries: &Entries<'d>, parameter: &Die<'d>, class: Site) -> bool {
    let through = |site: Site| entries.reference(&entries.at(site)?, DW_AT_type);
    let tag = |site: Site| entries.at(site).map(|die| die.entry.tag());
    let Some(reference) = entries.reference(parameter, DW_AT_type) else { return false };
    let is_reference = matches!(
        tag(reference),
        Some(constants::DW_TAG_reference_type | constants::DW_TAG_rvalue_reference_type)
    );
    let Some(mut to) = through(reference).filter(|_| is_reference) else { return false };
    if tag(to) == Some(constants::DW_TAG_const_type) {
        let Some(inner) = through(to) else { return false };
        to = inner;
    }
    to == class
}
