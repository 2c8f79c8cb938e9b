//! What names mean at a place.

use std::collections::BTreeMap;

use crate::ast::{Expr, Macro};
use crate::source::FileId;

/// Where a node stands.
pub(super) enum Scope<'f, 'm> {
    /// In the script itself; its names are its own.
    Script,
    /// In an argument that took the place of a parameter: it was expanded where it was written.
    Argument,
    /// In the copy of a macro's body.
    Macro(&'f Frame<'m>),
}

/// One call of a macro.
pub(super) struct Frame<'m> {
    /// The macro.
    pub definition: &'m Macro,
    /// The number of places in the copy.
    pub file: FileId,
    /// What the copy's own variables are marked with.
    pub mark: String,
    /// The caller's variables, by the names of `$` parameters.
    pub variables: BTreeMap<&'m str, String>,
    /// The caller's maps, by the names of `@` parameters.
    pub maps: BTreeMap<&'m str, String>,
    /// Expressions and types, by the names of bare parameters.
    pub expressions: BTreeMap<&'m str, Expr>,
}

impl<'f, 'm> Scope<'f, 'm> {
    /// The call, inside a copy.
    pub fn frame(&self) -> Option<&'f Frame<'m>> {
        match self {
            Self::Macro(frame) => Some(frame),
            Self::Script | Self::Argument => None,
        }
    }

    /// What a bare name stands for, when it is a parameter.
    pub fn argument(&self, name: &str) -> Option<&'f Expr> {
        self.frame().and_then(|frame| frame.expressions.get(name))
    }
}
