//! Declarators: what C writes around a name, read from the inside out.

use super::Result;
use super::declaration::{Attributes, Parser};
use super::lex::Kind;
use crate::ast::{CAlign, CType, CTypeKind, Expr, Name};
use crate::diagnostic::{Code, Diagnostic};

/// A name and its full type; the name is absent in padding bitfields.
pub(super) struct Declared {
    pub name: Option<Name>,
    pub ty: CType,
}

/// A suffix of a declarator.
enum Suffix {
    Array(Option<Box<Expr>>),
    Function,
}

impl Parser<'_> {
    /// Parses a declarator of something of type `ty`.
    pub fn declarator(&mut self, mut ty: CType) -> Result<Declared> {
        let mut depth = 0;
        while self.eat("*") {
            depth += 1;
            ty = self.pointer(ty, depth)?;
            self.qualifiers()?;
        }
        if !self.peek_is("(") {
            let name = self.name();
            let suffixes = self.suffixes()?;
            return Ok(Declared { name, ty: wrap(ty, suffixes) });
        }
        // `(*name)(…)`: what follows the parentheses applies first, so it is read first.
        self.at += 1;
        let inner = self.at;
        self.skip_to_close()?;
        let suffixes = self.suffixes()?;
        let end = std::mem::replace(&mut self.at, inner);
        let declared = self.declarator(wrap(ty, suffixes))?;
        self.expect(")")?;
        self.at = end;
        Ok(declared)
    }

    /// Skips qualifiers and attributes behind a `*`.
    fn qualifiers(&mut self) -> Result<()> {
        loop {
            let before = self.at;
            let is_qualifier =
                |word: &str| matches!(word, "const" | "volatile" | "restrict") || word.starts_with("__");
            let skip = self.peek().is_some_and(|token| {
                token.kind == Kind::Word && is_qualifier(&token.text) && self.is_before_declarator()
            });
            if self.peek_is("__attribute__") {
                self.attributes()?;
            } else if skip {
                self.at += 1;
            }
            if self.at == before {
                return Ok(());
            }
        }
    }

    /// Whether the token behind the next one goes on with a declarator: else a word is the declared name itself.
    fn is_before_declarator(&self) -> bool {
        let next = self.tokens.get(self.at + 1);
        next.is_some_and(|token| token.kind == Kind::Word || token.is("*") || token.is("("))
    }

    /// Moves behind the parenthesis that closes the one just taken.
    fn skip_to_close(&mut self) -> Result<()> {
        let mut depth = 1usize;
        while depth > 0 {
            let Some(token) = self.peek() else { return Err(self.expected("`)`")) };
            if token.is("(") {
                depth += 1;
            } else if token.is(")") {
                depth -= 1;
            }
            self.at += 1;
        }
        Ok(())
    }

    fn suffixes(&mut self) -> Result<Vec<Suffix>> {
        let mut suffixes = Vec::new();
        loop {
            self.limit(suffixes.len(), "too many dimensions")?;
            if self.eat("[") {
                let length = if self.peek_is("]") { None } else { Some(self.constant(&["]"])?) };
                self.expect("]")?;
                suffixes.push(Suffix::Array(length));
            } else if self.eat("(") {
                self.skip_to_close()?;
                suffixes.push(Suffix::Function);
            } else {
                return Ok(suffixes);
            }
        }
    }

    /// Any number of `__attribute__((…))`.
    pub fn attributes(&mut self) -> Result<Attributes> {
        let mut attributes = Attributes::default();
        loop {
            if self.eat("__packed") {
                attributes.packed = true;
            } else if self.eat("__attribute__") {
                self.attribute_list(&mut attributes)?;
            } else {
                return Ok(attributes);
            }
        }
    }

    fn attribute_list(&mut self, attributes: &mut Attributes) -> Result<()> {
        let place = self.place();
        if !(self.eat("(") && self.eat("(")) {
            let problem =
                Diagnostic::error(Code::CSyntax, place, "attributes stand in two pairs of parentheses");
            return Err(Box::new(problem.with_hint("write `__attribute__((packed))`")));
        }
        while !self.peek_is(")") {
            self.attribute(attributes)?;
            if !self.eat(",") {
                break;
            }
        }
        self.expect(")")?;
        self.expect(")")?;
        Ok(())
    }

    fn attribute(&mut self, attributes: &mut Attributes) -> Result<()> {
        let Some(token) = self.peek().filter(|token| token.kind == Kind::Word) else {
            return Err(self.expected("an attribute"));
        };
        self.at += 1;
        let operand = self.peek_is("(");
        match token.text.trim_matches('_') {
            "packed" => attributes.packed = true,
            "aligned" if operand => {
                self.at += 1;
                attributes.aligned = Some(CAlign::Bytes(self.constant(&[")"])?));
                self.expect(")")?;
            }
            "aligned" => attributes.aligned = Some(CAlign::Maximum),
            "mode" | "vector_size" | "ms_struct" | "scalar_storage_order" => {
                let message = format!("the attribute `{}` is not supported", token.text);
                return Err(Box::new(Diagnostic::error(Code::CSyntax, token.span, message)));
            }
            // The others do not change a layout.
            _ if operand => {
                self.at += 1;
                self.skip_to_close()?;
            }
            _ => {}
        }
        Ok(())
    }
}

/// Applies the suffixes of a declarator, the last one innermost.
fn wrap(ty: CType, suffixes: Vec<Suffix>) -> CType {
    suffixes.into_iter().rev().fold(ty, |inner, suffix| {
        let span = inner.span;
        let kind = match suffix {
            Suffix::Array(length) => CTypeKind::Array { element: Box::new(inner), length },
            Suffix::Function => CTypeKind::Function { result: Box::new(inner) },
        };
        CType { kind, span }
    })
}
