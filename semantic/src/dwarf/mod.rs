//! Types of user functions, from the debugging information of a binary (DWARF).
//!
//! The types that functions lead to become a BTF, which the rest of the compiler reads as it reads the kernel's. Unlike
//! those of the kernel they are fixed when a script is compiled, so the binary's build id goes with them.

mod classes;
mod entries;
mod passing;
mod places;
mod scalars;
mod sections;
mod types;
mod writer;

use std::collections::{BTreeMap, BTreeSet};

use btaot_abi::Bytes;
use btaot_abi::arch::Arch;
use btaot_btf::{Btf, TypeId};
use gimli::{DW_AT_language, DW_AT_linkage_name, constants};

use entries::{Die, Entries, Site};
use passing::Convention;
use types::Types;

pub(crate) use passing::{Part, Passed, Source};
pub(crate) use sections::{Debug, has_entries};

/// The types of a binary, as far as a script asks for them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UserTypes {
    /// The BTF.
    pub btf: Vec<u8>,
    /// The functions that were asked for, in the order of their names.
    pub functions: Vec<UserFunction>,
    /// The binary's build id, by which it is known again; empty when it has none.
    pub build_id: Vec<u8>,
}

/// A function of a binary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UserFunction {
    /// The symbol's name.
    pub name: Bytes,
    /// What a C++ function may be called.
    pub forms: Vec<Bytes>,
    /// Where it is.
    pub address: u64,
    /// Its prototype in the BTF.
    pub prototype: TypeId,
    /// Where its arguments are at its first instruction.
    pub passed: Vec<Passed>,
}

/// Why a binary's types are not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unknown {
    /// It cannot be read here.
    NoBinary,
    /// It has no debugging information that can be read.
    NoDebugInformation,
    /// It is not for the processor that is compiled for.
    OtherProcessor,
}

/// A function that is asked for.
#[derive(Clone, Debug)]
pub(crate) struct Symbol {
    /// Where it is.
    pub address: u64,
    /// What it may be called, when it is one of C++.
    pub forms: Vec<Bytes>,
}

/// What is asked of a binary.
pub(crate) struct Question<'q> {
    /// Functions by symbol and address.
    pub functions: BTreeMap<Bytes, Symbol>,
    /// Whether a type of this name is of interest.
    pub names: &'q dyn Fn(&str) -> bool,
    /// The processor.
    pub arch: Arch,
}

/// A function whose entry was found.
struct Found {
    address: u64,
    prototype: u32,
    convention: Convention,
}

/// Answers a question from the debugging information of a binary.
pub(crate) fn answer(debug: &Debug<'_>, question: &Question<'_>) -> (Vec<u8>, Vec<UserFunction>) {
    let entries = debug.entries();
    let mut types = Types::new(&entries);
    let mut found = Vec::new();
    let mut missing: BTreeSet<u64> = question.functions.values().map(|symbol| symbol.address).collect();
    for unit in 0..entries.len() {
        if missing.is_empty() {
            break;
        }
        let is_wanted = |begin, end| begin < end && missing.range(begin..end).next().is_some();
        if !entries.covers(unit, is_wanted) {
            continue;
        }
        for site in entries.tagged(unit, is_interesting) {
            let Some(die) = entries.at(site) else { continue };
            if die.entry.tag() != constants::DW_TAG_subprogram {
                named(&entries, &mut types, &die, site, question);
                continue;
            }
            let starts = entries.code(&die);
            let Some(address) = starts.iter().find(|start| missing.remove(start)) else { continue };
            found.push(function(&entries, &mut types, &die, (*address, question.arch)));
        }
    }
    let btf = types.finish();
    let functions = finished(&btf, &found, question);
    (btf, functions)
}

fn is_interesting(tag: gimli::DwTag) -> bool {
    [
        constants::DW_TAG_subprogram,
        constants::DW_TAG_structure_type,
        constants::DW_TAG_class_type,
        constants::DW_TAG_union_type,
        constants::DW_TAG_enumeration_type,
        constants::DW_TAG_typedef,
    ]
    .contains(&tag)
}

/// Takes over a type that the script names.
fn named<'d>(
    entries: &Entries<'d>,
    types: &mut Types<'_, 'd>,
    die: &Die<'d>,
    site: Site,
    question: &Question<'_>,
) {
    let is_defined = !die.has(gimli::DW_AT_declaration);
    if is_defined && (question.names)(&entries.name(die)) {
        types.named(site);
    }
}

/// A function's prototype and convention.
fn function<'d>(
    entries: &Entries<'d>,
    types: &mut Types<'_, 'd>,
    die: &Die<'d>,
    (address, arch): (u64, Arch),
) -> Found {
    let described = entries.described(die.clone());
    let own = types.own_parameters(die);
    let original = types.own_parameters(&described);
    let tell = |parameter: &Die<'d>| places::at_entry(entries, die, parameter, (address, arch));
    // A copy may leave out what the original has, and then nothing is said of the rest.
    let (parameters, told) = if original.len() > own.len() {
        (original, Vec::new())
    } else {
        let told = places::together(own.iter().map(tell).collect());
        (own, told)
    };
    let parameters: Vec<Die<'d>> = parameters.into_iter().map(|one| entries.described(one)).collect();
    let prototype = types.function(&described, &parameters);
    let is_by_reference = |of: &Die<'d>| classes::is_passed_by_reference(entries, of);
    let convention = Convention {
        rust: is_rust(entries, &described),
        by_reference: parameters.iter().map(is_by_reference).collect(),
        result_by_reference: is_by_reference(&described),
        told,
    };
    Found { address, prototype, convention }
}

/// Whether a function is one of Rust's that keeps Rust's convention. Those for C keep their plain names.
fn is_rust<'d>(entries: &Entries<'d>, described: &Die<'d>) -> bool {
    let root = described.unit.entries_tree(None);
    let language = root.and_then(|mut tree| Ok(tree.root()?.entry().attr_value(DW_AT_language)));
    let is_rust = language.ok().flatten() == Some(gimli::AttributeValue::Language(constants::DW_LANG_Rust));
    let symbol = entries.text(described, DW_AT_linkage_name).unwrap_or_default();
    is_rust && (symbol.starts_with(b"_ZN") || symbol.starts_with(b"_R"))
}

/// The functions under all their names, with the places of their arguments, which follow from the types.
fn finished(btf: &[u8], found: &[Found], question: &Question<'_>) -> Vec<UserFunction> {
    let Ok(btf) = Btf::scan(btf, None) else { return Vec::new() };
    let functions = question.functions.iter().filter_map(|(name, symbol)| {
        let found = found.iter().find(|found| found.address == symbol.address)?;
        let prototype = TypeId(found.prototype);
        let passed = passing::places(&btf, prototype, &found.convention, question.arch);
        let Symbol { address, forms } = symbol.clone();
        Some(UserFunction { name: name.clone(), forms, address, prototype, passed })
    });
    functions.collect()
}
