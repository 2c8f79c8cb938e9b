//! Types of binaries that the script traces.

use std::cell::OnceCell;
use std::collections::BTreeSet;

use btaot_abi::Bytes;
use btaot_abi::metadata::{Place, has_wildcard};
use btaot_btf::{Btf, Kind, TypeId};
use btaot_frontend::ast::Tag;

use super::{Catalog, Whose};
use crate::dwarf::{Passed, Unknown, UserTypes};
use crate::target::matches;
use crate::types::Type;

/// A binary that the script traces. What is known of its types is read when it is asked for.
#[derive(Debug)]
pub(crate) struct Binary {
    /// Its path, as the script has it.
    pub path: Bytes,
    /// The traced places in it.
    pub places: Vec<Place>,
    /// The words of the script: types of these names may be meant.
    pub words: BTreeSet<String>,
    /// Its types.
    pub types: OnceCell<Result<UserTypes, Unknown>>,
}

/// What a user function takes.
#[derive(Clone, Debug)]
pub(crate) struct UserPrototype {
    /// Its symbol.
    pub name: Bytes,
    /// Its parameters in order: name, type and place; [`Type::Void`] stands for types that the language has no values of.
    pub parameters: Vec<(Bytes, Type, Passed)>,
}

impl<'t> Catalog<'t> {
    /// The number of a binary; none for one that is not named in full.
    pub fn binary(&self, path: &[u8]) -> Option<usize> {
        let found = self.binaries.iter().position(|binary| *binary.path == *path);
        found.filter(|_| !path.is_empty() && !has_wildcard(path))
    }

    /// What is known of a binary's types.
    pub fn user_types(&self, number: usize) -> &'t Result<UserTypes, Unknown> {
        let (target, binary) = (self.target, &self.binaries[number]);
        binary.types.get_or_init(|| target.user_types(&binary.path, &binary.places, &binary.words))
    }

    pub(super) fn binary_btf(&self, number: usize) -> Option<&Btf<'t>> {
        let scan = || Btf::scan(&self.user_types(number).as_ref().ok()?.btf, None).ok();
        self.binary_types.get(number)?.get_or_init(scan).as_ref()
    }

    /// The functions of a binary at a place, as far as debugging information tells of them.
    pub fn user_functions(&mut self, number: usize, place: &Place) -> Vec<UserPrototype> {
        let Ok(types) = self.user_types(number) else { return Vec::new() };
        let is_there = |function: &&crate::dwarf::UserFunction| match place {
            Place::Symbol { name, .. } => matches(name, &function.name),
            Place::Address(address) => function.address == *address,
            Place::Demangled(pattern) => function.forms.iter().any(|form| matches(pattern, form)),
            Place::Line { .. } => false,
        };
        let functions = types.functions.iter().filter(is_there);
        functions.map(|function| self.user_prototype(number, function)).collect()
    }

    fn user_prototype(&mut self, number: usize, function: &crate::dwarf::UserFunction) -> UserPrototype {
        let whose = Whose::Binary(number);
        let btf = self.binary_btf(number);
        let given: Vec<(Bytes, TypeId)> = btf
            .and_then(|btf| btf.prototype(function.prototype))
            .map(|(parameters, _)| {
                parameters.map(|parameter| (Bytes::from(parameter.name), parameter.ty)).collect()
            })
            .unwrap_or_default();
        let typed = given
            .into_iter()
            .zip(&function.passed)
            .map(|((name, ty), passed)| (name, self.import(whose, ty).unwrap_or(Type::Void), passed.clone()));
        UserPrototype { name: function.name.clone(), parameters: typed.collect() }
    }

    /// `struct X`, `union X`, `enum X` as a binary has it, unless the script or a header of its own defines it.
    pub fn user_tagged(&mut self, number: usize, tag: Tag, name: &str) -> Option<Type> {
        let is_own = self.script.tags.contains_key(&(tag, name.to_owned()))
            || self.order(&format!("{} {name}", tag.keyword()))[0] == Whose::Headers;
        if is_own {
            return None;
        }
        self.btf_tagged(Whose::Binary(number), tag, name)
    }

    /// A typedef of a binary. In C++ and Rust, names of structures are types, too.
    pub fn user_typedef(&mut self, number: usize, name: &str) -> Option<Type> {
        if self.script.typedefs.contains_key(name) || self.order(name)[0] == Whose::Headers {
            return None;
        }
        let whose = Whose::Binary(number);
        self.btf_typedef(whose, name).or_else(|| {
            let kinds = [Kind::Struct, Kind::Union, Kind::Enum];
            let btf = self.binary_btf(number)?;
            let id = kinds.into_iter().find_map(|kind| btf.find(kind, name))?;
            self.import(whose, id)
        })
    }
}
