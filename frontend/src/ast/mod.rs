//! The untyped syntax tree: the script as it was written, before names mean anything.
//!
//! Every node carries the [`Span`] of the text it came from. The tree knows no builtins: `pid` is an [`ExprKind::Ident`]
//! like any other name, and a call is a name with arguments; the semantic stage gives them meaning.
//! Text that may hold arbitrary bytes (string literals, attach points) is a byte vector; identifiers are ASCII.

mod attach;
mod c;
mod expr;
mod stmt;
mod types;

pub use attach::*;
pub use c::*;
pub use expr::*;
pub use stmt::*;
pub use types::*;

use crate::source::Span;

/// A name as written, without its sigil, and the place of the name (with the sigil).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// The identifier: `x` for `x`, `$x` and `@x`; empty for the map `@`.
    pub text: String,
    /// The whole token, with the sigil.
    pub span: Span,
}

/// A whole script. Each list is in source order; order between lists can be told by spans, and has no meaning.
#[derive(Clone, Debug, Default)]
pub struct Script {
    /// C definitions and preprocessor lines that survived the script's own conditionals.
    pub c_items: Vec<CItem>,
    /// The `config = { … }` block.
    pub config: Option<Config>,
    /// Top-level `import "…";`.
    pub imports: Vec<Import>,
    /// Imports that stand inside blocks.
    pub inner_imports: Vec<Import>,
    /// C code that imports bring.
    pub c_imports: Vec<CImport>,
    /// `let @m = hash(5);`
    pub map_declarations: Vec<MapDeclaration>,
    /// `macro name(…) { … }`
    pub macros: Vec<Macro>,
    /// `fn name(…) : T { … }`
    pub functions: Vec<FunctionDefinition>,
    /// The clauses.
    pub probes: Vec<Probe>,
}

/// `config = { key = value; … }`
#[derive(Clone, Debug)]
pub struct Config {
    /// The settings in source order.
    pub entries: Vec<ConfigEntry>,
    /// From `config` to the closing brace.
    pub span: Span,
}

/// One setting of a config block.
#[derive(Clone, Debug)]
pub struct ConfigEntry {
    /// The key as written; case and an optional `BPFTRACE_` prefix do not matter.
    pub key: Name,
    /// The value.
    pub value: ConfigValue,
    /// The place of the value.
    pub value_span: Span,
}

/// A value in a config block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConfigValue {
    /// `"text"`
    Str(Vec<u8>),
    /// `64`
    Int(u64),
    /// `true` or `false`
    Bool(bool),
    /// A bare word: `perf`
    Word(String),
}

/// `import "path";`
#[derive(Clone, Debug)]
pub struct Import {
    /// The operand.
    pub path: Vec<u8>,
    /// The place of the operand.
    pub path_span: Span,
    /// The statement.
    pub span: Span,
}

/// A file of C code, found by an import.
#[derive(Clone, Debug)]
pub struct CImport {
    /// Where the file lies.
    pub path: Vec<u8>,
    /// What it defines, once someone has looked.
    pub functions: Option<Vec<CFunction>>,
    /// Its code, if that can be linked.
    pub code: Option<CCode>,
    /// The import.
    pub span: Span,
}

/// C code, compiled for eBPF.
#[derive(Clone, Debug)]
pub struct CCode {
    /// The name of its file, without folders.
    pub name: String,
    /// LLVM bitcode on which no optimisation ran.
    pub bitcode: Vec<u8>,
    /// The kernel types that its relocations start from.
    pub roots: Vec<String>,
}

/// A function in C, with its types as the language has them.
#[derive(Clone, Debug)]
pub struct CFunction {
    /// The name.
    pub name: String,
    /// Names and types of its parameters.
    pub parameters: Vec<(String, Type)>,
    /// What it gives.
    pub result: Type,
}

/// `let @name = kind(arguments);` at top level.
#[derive(Clone, Debug)]
pub struct MapDeclaration {
    /// The map.
    pub map: Name,
    /// The map type's name as written (see `btaot_grammar::vocabulary::MapKind`).
    pub kind: Name,
    /// Its arguments: the number of entries.
    pub arguments: Vec<Expr>,
    /// The declaration.
    pub span: Span,
}

/// How a macro parameter binds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MacroParameterKind {
    /// `$v`: the caller's scratch variable, by reference.
    Variable,
    /// `@m`: the caller's map.
    Map,
    /// `e`: any expression, evaluated at each use.
    Expression,
}

/// One parameter of a macro.
#[derive(Clone, Debug)]
pub struct MacroParameter {
    /// How it binds.
    pub kind: MacroParameterKind,
    /// Its name.
    pub name: Name,
}

/// `macro name(parameters) { body }`
#[derive(Clone, Debug)]
pub struct Macro {
    /// The name.
    pub name: Name,
    /// The parameters.
    pub parameters: Vec<MacroParameter>,
    /// The body; its `value`, if any, is the value of a call.
    pub body: Block,
    /// The definition.
    pub span: Span,
}

/// `$name : T` of a function.
#[derive(Clone, Debug)]
pub struct FunctionParameter {
    /// The variable.
    pub name: Name,
    /// Its declared type.
    pub ty: Type,
}

/// `fn name($a : T) : R { body }`
#[derive(Clone, Debug)]
pub struct FunctionDefinition {
    /// The name.
    pub name: Name,
    /// The parameters.
    pub parameters: Vec<FunctionParameter>,
    /// The declared result; `void` is the named type of that name.
    pub result: Type,
    /// The body, without a value.
    pub body: Block,
    /// The definition.
    pub span: Span,
}

/// One clause: attach points, predicate and action.
#[derive(Clone, Debug)]
pub struct Probe {
    /// At least one; the empty one after a trailing comma is dropped.
    pub attach_points: Vec<AttachPoint>,
    /// The expression between slashes.
    pub predicate: Option<Expr>,
    /// The action. It has no value: a trailing expression is an ordinary statement.
    pub body: Block,
    /// From the first attach point to the closing brace.
    pub span: Span,
}
