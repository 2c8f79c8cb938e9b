//! Declarations: `struct X { … };`, `enum { … };`, `typedef T a, *b;`.

use super::Result;
use super::lex::{Kind, Token};
use crate::ast::{CBase, CDeclaration, CEnum, CRecord, CType, CTypeKind, CTypedef, Expr, Name};
use crate::diagnostic::{Code, Diagnostic};
use crate::parse::{MAX_DEPTH, parse_c_expression};
use crate::source::{Source, Span};

/// Parses the tokens of one declaration; `span` is its whole text.
pub(super) fn parse(source: &Source, tokens: &[Token], span: Span) -> Result<CDeclaration> {
    let mut parser = Parser { source, tokens, at: 0, end: span.after() };
    let is_typedef = parser.eat("typedef");
    let ty = parser.specifiers()?.ty;
    let mut typedefs = Vec::new();
    if is_typedef {
        loop {
            let declared = parser.declarator(ty.clone())?;
            let name = declared.name.ok_or_else(|| parser.expected("the typedef's name"))?;
            parser.attributes()?;
            typedefs.push(CTypedef { name, ty: declared.ty });
            if !parser.eat(",") {
                break;
            }
        }
    }
    parser.eat(";");
    if parser.peek().is_some() {
        return Err(parser.expected("`;`"));
    }
    Ok(CDeclaration { ty, typedefs, span })
}

/// Walks over the tokens of a declaration.
pub(super) struct Parser<'t> {
    pub source: &'t Source,
    pub tokens: &'t [Token],
    pub at: usize,
    /// The empty place behind the last token.
    pub end: Span,
}

/// A type and the attributes that stood beside it.
pub(super) struct Specifiers {
    pub ty: CType,
    pub attributes: Attributes,
}

/// The attributes that change a layout.
#[derive(Default)]
pub(super) struct Attributes {
    pub packed: bool,
    pub aligned: Option<crate::ast::CAlign>,
}

impl Attributes {
    /// Adds later ones; the last alignment wins.
    pub fn merge(&mut self, later: Self) {
        self.packed |= later.packed;
        self.aligned = later.aligned.or(self.aligned.take());
    }
}

/// Words without meaning for a layout.
const QUALIFIERS: &[&str] = &[
    "const",
    "volatile",
    "restrict",
    "__const",
    "__volatile__",
    "__restrict",
    "__restrict__",
    "register",
    "static",
    "extern",
    "inline",
    "__inline",
    "__inline__",
    "__extension__",
    "_Atomic",
    "__user",
    "__kernel",
    "__rcu",
    "__iomem",
    "__percpu",
];

impl<'t> Parser<'t> {
    pub fn peek(&self) -> Option<&'t Token> {
        self.tokens.get(self.at)
    }

    pub fn peek_is(&self, text: &str) -> bool {
        self.peek().is_some_and(|token| token.is(text))
    }

    /// Takes the next token when it is this one.
    pub fn eat(&mut self, text: &str) -> bool {
        let is = self.peek_is(text);
        self.at += usize::from(is);
        is
    }

    pub fn expect(&mut self, text: &str) -> Result<Span> {
        let span = self.place();
        if self.eat(text) { Ok(span) } else { Err(self.expected(&format!("`{text}`"))) }
    }

    /// The place of the next token, or of the end.
    pub fn place(&self) -> Span {
        self.peek().map_or(self.end, |token| token.span)
    }

    pub fn expected(&self, what: &str) -> Box<Diagnostic> {
        let found = self.peek().map_or("the end".to_owned(), |token| format!("`{}`", token.text));
        Box::new(Diagnostic::error(Code::CSyntax, self.place(), format!("expected {what}, found {found}")))
    }

    /// Takes a name that is not a keyword of types.
    pub fn name(&mut self) -> Option<Name> {
        let token = self.peek().filter(|token| token.kind == Kind::Word && !is_keyword(&token.text))?;
        self.at += 1;
        Some(Name { text: token.text.clone(), span: token.span })
    }

    /// Takes tokens up to one of `ends` outside of brackets, as one constant expression.
    pub fn constant(&mut self, ends: &[&str]) -> Result<Box<Expr>> {
        let first = self.at;
        let mut depth = 0usize;
        while let Some(token) = self.peek() {
            if depth == 0 && ends.iter().any(|end| token.is(end)) {
                break;
            }
            match token.text.as_str() {
                "(" | "[" | "{" => depth += 1,
                ")" | "]" | "}" => depth = depth.saturating_sub(1),
                _ => {}
            }
            self.at += 1;
        }
        let taken = &self.tokens[first..self.at];
        let (Some(start), Some(end)) = (taken.first(), taken.last()) else {
            return Err(self.expected("a constant expression"));
        };
        let span = start.span.to(end.span);
        let text = super::lex::blanked(self.source, span);
        parse_c_expression(self.source, &text, span.start as usize).map(Box::new).ok_or_else(|| {
            Box::new(Diagnostic::error(Code::CSyntax, span, "this is not a constant expression"))
        })
    }

    /// What stands before the declarators: qualifiers, attributes and a type.
    pub fn specifiers(&mut self) -> Result<Specifiers> {
        let start = self.place();
        let mut attributes = Attributes::default();
        let mut words: Vec<&str> = Vec::new();
        let mut kind: Option<CTypeKind> = None;
        let mut end = start;
        while let Some(token) = self.peek() {
            let word = token.text.as_str();
            let free = kind.is_none() && words.is_empty();
            if QUALIFIERS.contains(&word) {
                self.at += 1;
                continue;
            } else if word == "__attribute__" || word == "__packed" {
                attributes.merge(self.attributes()?);
                continue;
            } else if is_base_word(word) && kind.is_none() {
                words.push(word);
                self.at += 1;
            } else if matches!(word, "struct" | "union" | "enum") && free {
                kind = Some(self.tagged()?);
            } else if token.kind == Kind::Word && free && !is_keyword(word) {
                kind = Some(CTypeKind::Named(word.to_owned()));
                self.at += 1;
            } else {
                break;
            }
            end = self.tokens[self.at - 1].span;
        }
        let span = start.to(end);
        let kind = match kind {
            Some(kind) => kind,
            None if words.is_empty() => return Err(self.expected("a type")),
            None => CTypeKind::Base(base(&words).ok_or_else(|| {
                let message = format!("`{}` is not a type", words.join(" "));
                Box::new(Diagnostic::error(Code::CSyntax, span, message))
            })?),
        };
        Ok(Specifiers { ty: CType { kind, span }, attributes })
    }

    /// `struct`, `union` or `enum` with what follows.
    fn tagged(&mut self) -> Result<CTypeKind> {
        let keyword = self.peek().map_or("", |token| token.text.as_str());
        self.at += 1;
        let mut attributes = self.attributes()?;
        let name = self.name();
        attributes.merge(self.attributes()?);
        if keyword == "enum" {
            let values = if self.peek_is("{") { Some(self.enumerators()?) } else { None };
            attributes.merge(self.attributes()?);
            self.needs_tag(name.as_ref(), values.is_some())?;
            return Ok(CTypeKind::Enum(CEnum { name, values, packed: attributes.packed }));
        }
        let fields = if self.peek_is("{") { Some(self.fields()?) } else { None };
        attributes.merge(self.attributes()?);
        self.needs_tag(name.as_ref(), fields.is_some())?;
        let Attributes { packed, aligned } = attributes;
        Ok(CTypeKind::Record(CRecord { union: keyword == "union", name, fields, packed, aligned }))
    }

    fn needs_tag(&self, name: Option<&Name>, defined: bool) -> Result<()> {
        if name.is_none() && !defined { Err(self.expected("a name or `{`")) } else { Ok(()) }
    }

    /// Wraps a type in a pointer; a chain that is too long would be a tree that is too deep.
    pub fn pointer(&self, ty: CType, depth: usize) -> Result<CType> {
        self.limit(depth, "too many pointers to pointers")?;
        let span = ty.span;
        Ok(CType { kind: CTypeKind::Pointer(Box::new(ty)), span })
    }

    /// Refuses what would be a tree that is too deep.
    pub fn limit(&self, depth: usize, message: &str) -> Result<()> {
        if depth <= MAX_DEPTH {
            return Ok(());
        }
        Err(Box::new(Diagnostic::error(Code::TooDeep, self.place(), message)))
    }
}

fn is_base_word(word: &str) -> bool {
    matches!(
        word,
        "void"
            | "_Bool"
            | "bool"
            | "char"
            | "short"
            | "int"
            | "long"
            | "signed"
            | "__signed__"
            | "unsigned"
            | "float"
            | "double"
            | "__int128"
    )
}

fn is_keyword(word: &str) -> bool {
    is_base_word(word)
        || QUALIFIERS.contains(&word)
        || matches!(word, "struct" | "union" | "enum" | "typedef")
}

/// The type that base words in any order mean.
fn base(words: &[&str]) -> Option<CBase> {
    let count = |word: &str| words.iter().filter(|other| **other == word).count();
    let unsigned = count("unsigned");
    let signed = count("signed") + count("__signed__");
    let (longs, int) = (count("long"), count("int"));
    if unsigned + signed > 1 || int > 1 || longs > 2 {
        return None;
    }
    let main: Vec<_> = words
        .iter()
        .filter(|word| !matches!(**word, "unsigned" | "signed" | "__signed__" | "int" | "long"))
        .collect();
    let sign = |without, with| Some(if unsigned == 1 { with } else { without });
    let plain = unsigned + signed == 0;
    match (main.as_slice(), longs) {
        ([], 0) => sign(CBase::Int, CBase::UnsignedInt),
        ([], 1) => sign(CBase::Long, CBase::UnsignedLong),
        ([], _) => sign(CBase::LongLong, CBase::UnsignedLongLong),
        ([only], 1) if **only == "double" && plain && int == 0 => Some(CBase::LongDouble),
        ([only], 0) => match **only {
            "short" => sign(CBase::Short, CBase::UnsignedShort),
            "__int128" if int == 0 => sign(CBase::Int128, CBase::UnsignedInt128),
            "char" if int == 0 && signed == 1 => Some(CBase::SignedChar),
            "char" if int == 0 => sign(CBase::Char, CBase::UnsignedChar),
            _ if !plain || int == 1 => None,
            "void" => Some(CBase::Void),
            "_Bool" | "bool" => Some(CBase::Bool),
            "float" => Some(CBase::Float),
            "double" => Some(CBase::Double),
            _ => None,
        },
        _ => None,
    }
}
