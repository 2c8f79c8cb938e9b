//! Names, types and checks: from the syntax tree to the statements of the program.
//!
//! One walk does all of it. It is repeated until the types of variables and maps no longer change, and then
//! once more; only the last round reports problems and keeps what it made.

mod access;
mod assign;
mod builtin;
mod calls;
mod cast;
mod convert;
mod equality;
mod expr;
mod functions;
mod layout;
mod loops;
mod maps;
mod ops;
mod pointers;
mod script_functions;
mod stmt;
mod typename;
mod user_arguments;
mod variables;

use std::collections::BTreeSet;

use btaot_abi::Bytes;
use btaot_abi::ids::ProgramId;
use btaot_abi::metadata::{AttachPoint, KnownBinary, Target as Attach, Uprobe};
use btaot_frontend::diagnostic::HIDDEN;
use btaot_frontend::{Code, Diagnostic, Sources, Span, ast};
use btaot_grammar::vocabulary::ProbeKind;
use indexmap::IndexMap;

use crate::Options;
use crate::config::Settings;
use crate::location::location;
use functions::Signature;

use crate::probes::{Clause, Group, Layout, events};
use crate::program::{self, Body, Context, ExprKind, Location, VarId, Variable};
use crate::structs::Catalog;
use crate::ty::Ty;
use crate::types::{StructId, Type};
use crate::value::{Stop, Value};

pub(crate) use maps::{MapState, Shape};

/// Rounds after which types must stand. Each round widens at least one type, and a type widens a few times at most,
/// so a script that needs more is larger than any.
const MAX_ROUNDS: usize = 1000;

/// What the check of a script gives.
pub(crate) struct Outcome {
    /// Bodies in source order.
    pub bodies: Vec<Body>,
    /// Maps by first appearance.
    pub maps: IndexMap<String, MapState>,
    /// Largest N of a positional parameter.
    pub positional: u32,
    /// Named options, by first appearance.
    pub options: Vec<program::NamedOption>,
    /// Everything there is to say.
    pub diagnostics: Vec<Diagnostic>,
    /// What is right, but cannot be compiled yet.
    pub later: Vec<Diagnostic>,
}

/// The state of a walk.
pub(crate) struct Checker<'a, 't> {
    sources: &'a Sources,
    settings: &'a Settings,
    catalog: &'a mut Catalog<'t>,
    maps: IndexMap<String, MapState>,
    /// Types of variables, by body and place of declaration: they outlive a round.
    types: IndexMap<(ProgramId, Span), VarState>,
    body: BodyState,
    /// Registers that carry a function's arguments.
    registers: usize,
    allow_unsafe: bool,
    positional: u32,
    diagnostics: Vec<Diagnostic>,
    /// Places and texts of those, as a clause that is walked more than once says everything again.
    said: BTreeSet<(Span, &'static str, String)>,
    /// Constructs that are right, but cannot be compiled yet.
    later: Vec<Diagnostic>,
    /// Options of the tool's command line, by name.
    options: IndexMap<Vec<u8>, calls::NamedOption>,
    /// A type changed in this round.
    changed: bool,
    /// The last round.
    last: bool,
    /// Where a `#define` is used while its text is checked.
    define: Option<Span>,
    /// `#define`s that are being expanded, so that a circle of them ends.
    defines: Vec<String>,
    /// `#define`s that were expanded in this body, so that a small text cannot stand for a huge one.
    expansions: usize,
    /// Files of C code that the script imports.
    c_imports: &'a [ast::CImport],
    /// Functions of the script.
    functions: script_functions::ScriptFunctions<'a>,
}

/// What is known of a variable's type.
#[derive(Clone, Debug, Default)]
struct VarState {
    /// The type so far.
    ty: Option<Ty>,
    /// The script states the type, so assignments do not widen it.
    declared: bool,
}

/// The body that is being walked.
struct BodyState {
    id: ProgramId,
    layout: Layout,
    kinds: Vec<ProbeKind>,
    /// What `probetype` is.
    type_name: Option<&'static str>,
    events: Vec<(Bytes, Bytes)>,
    record: Option<StructId>,
    /// Holds the result of a test or benchmark.
    result: Option<VarId>,
    /// The place of a body that has just one, at the entry of a user function.
    place: Option<Uprobe>,
    /// What the arguments of the traced functions are, when they have names.
    arguments: Option<Signature>,
    /// The structure that the context is, of an iterator.
    iterator: Option<String>,
    /// The program is an iterator in a file of its own: it runs when somebody reads that, without the tool.
    pinned: bool,
    /// The user functions that are traced.
    uprobes: Vec<Uprobe>,
    /// Binaries whose types the body relies on.
    binaries: Vec<KnownBinary>,
    /// Why the arguments are not known was said already.
    explained: bool,
    scopes: Vec<Vec<(String, VarId)>>,
    variables: Vec<Declared>,
    /// Loops around the statement that is being walked.
    loops: Vec<loops::Loop>,
    /// The function of the script that is being walked, at the place of its call.
    inside: Option<script_functions::Inside>,
}

/// A variable of the body.
struct Declared {
    name: String,
    place: Span,
    assigned: bool,
}

/// Checks all clauses.
pub(crate) fn check(
    clauses: &[Clause<'_>],
    sources: &Sources,
    settings: &Settings,
    catalog: &mut Catalog<'_>,
    script: &ast::Script,
    options: Options,
) -> Outcome {
    let arch = catalog.arch();
    let declarations = &script.map_declarations[..];
    let mut checker = Checker {
        sources,
        settings,
        catalog,
        maps: IndexMap::new(),
        types: IndexMap::new(),
        body: BodyState::new(ProgramId(0), Layout::TestRun, &[], Vec::new()),
        registers: arch.pt_regs().arguments.len(),
        allow_unsafe: options.allow_unsafe,
        positional: 0,
        diagnostics: Vec::new(),
        said: BTreeSet::new(),
        later: Vec::new(),
        options: IndexMap::new(),
        changed: false,
        last: false,
        define: None,
        defines: Vec::new(),
        expansions: 0,
        c_imports: &script.c_imports,
        functions: script_functions::ScriptFunctions::new(&script.functions),
    };
    checker.declare_maps(declarations);
    for _ in 0..MAX_ROUNDS {
        checker.changed = false;
        checker.diagnostics.clear();
        checker.round(clauses);
        if !checker.changed && !checker.settle_untyped_maps() {
            break;
        }
    }
    checker.last = true;
    checker.diagnostics.clear();
    checker.declare_maps(declarations);
    let bodies = checker.round(clauses);
    for import in &script.c_imports {
        checker.refuse_unlinked(import);
    }
    checker.check_declarations(declarations);
    Outcome {
        bodies,
        maps: checker.maps,
        positional: checker.positional,
        options: checker.options.iter().map(|(name, option)| option.finish(name)).collect(),
        diagnostics: checker.diagnostics,
        later: checker.later,
    }
}

impl Checker<'_, '_> {
    /// C code that is only known to be there cannot become a part of the tool.
    fn refuse_unlinked(&mut self, import: &ast::CImport) {
        let name = String::from_utf8_lossy(&import.path).into_owned();
        let (message, hint) = match (&import.functions, &import.code) {
            (_, Some(_)) => return,
            (None, None) => {
                (format!("`{name}` takes clang to be compiled"), "install clang, or name one with --clang")
            }
            (Some(_), None) => (
                format!("`{name}` is compiled already, and only source code becomes a part of a tool"),
                "import the `.bpf.c` that it was made of",
            ),
        };
        self.later.push(Diagnostic::error(Code::BadImport, import.span, message).with_hint(hint));
    }
}

/// The place of a group that has just one, at the entry of a user function.
fn only_place(group: &Group<'_>) -> Option<Uprobe> {
    match &group.attach[..] {
        [AttachPoint { target: target @ Attach::Uprobe(uprobe), .. }]
            if !uprobe.ret && !target.is_wildcard() =>
        {
            Some(uprobe.clone())
        }
        _ => None,
    }
}

impl BodyState {
    fn new(id: ProgramId, layout: Layout, kinds: &[ProbeKind], events: Vec<(Bytes, Bytes)>) -> Self {
        Self {
            id,
            layout,
            kinds: kinds.to_vec(),
            type_name: None,
            events,
            record: None,
            result: None,
            place: None,
            arguments: None,
            iterator: None,
            pinned: false,
            uprobes: Vec::new(),
            binaries: Vec::new(),
            explained: false,
            scopes: Vec::new(),
            variables: Vec::new(),
            loops: Vec::new(),
            inside: None,
        }
    }
}

/// A variable's name without what tells expansions of a macro apart.
fn written_name(name: &str) -> &str {
    name.split(HIDDEN).next().unwrap_or(name)
}

impl Checker<'_, '_> {
    fn round(&mut self, clauses: &[Clause<'_>]) -> Vec<Body> {
        self.check_functions();
        let groups = clauses.iter().flat_map(|clause| clause.groups.iter().map(move |group| (clause, group)));
        let numbered = (0..).map(ProgramId).zip(groups);
        numbered.map(|(id, (clause, group))| self.clause(id, clause, group)).collect()
    }

    fn clause(&mut self, id: ProgramId, clause: &Clause<'_>, group: &Group<'_>) -> Body {
        self.body = BodyState::new(id, group.layout, &clause.kinds, events(group));
        self.body.place = only_place(group);
        self.body.pinned =
            group.attach.iter().any(|point| matches!(point.target, Attach::Iter { pin: Some(_), .. }));
        self.body.type_name = group.type_name;
        self.body.scopes.push(Vec::new());
        self.body.uprobes = user_arguments::uprobes(group);
        self.body.arguments = self.signature(group);
        self.expansions = 0;
        let predicate = clause.probe.predicate.as_ref().and_then(|predicate| self.predicate(predicate));
        let statements = self.block(&clause.probe.body);
        self.warn_unassigned();
        Body {
            id,
            location: self.location(clause.probe.attach_points.first().map_or(clause.probe.span, |p| p.span)),
            context: match group.layout {
                Layout::TestRun => Context::TestRun,
                Layout::Tracing => Context::Tracing(self.body.record),
                Layout::Iter => Context::Iter,
                Layout::RawTracepoint => Context::RawTracepoint(self.body.record),
                Layout::Uprobe => Context::Uprobe,
                Layout::Usdt => Context::Usdt,
                Layout::Kprobe => Context::Kprobe,
                Layout::Tracepoint => Context::Tracepoint(self.body.record),
                Layout::PerfEvent => Context::PerfEvent,
            },
            attach: group.attach.clone(),
            binaries: std::mem::take(&mut self.body.binaries),
            variables: self.finished_variables(),
            predicate,
            statements,
            result: self.body.result,
        }
    }

    fn finished_variables(&self) -> Vec<Variable> {
        let finish = |declared: &Declared| {
            let state = self.types.get(&(self.body.id, declared.place));
            let ty = state.and_then(|state| state.ty.as_ref());
            Variable {
                name: Bytes::from(format!("${}", written_name(&declared.name))),
                // Only a variable that is never used has no type; it takes no room.
                ty: ty.map_or(Type::I64, Ty::lower),
            }
        };
        self.body.variables.iter().map(finish).collect()
    }

    /// The place of a span as the tool knows it.
    fn location(&self, span: Span) -> Location {
        location(self.sources, self.define.unwrap_or(span))
    }

    /// Reports a problem, in the last round.
    fn report(&mut self, mut diagnostic: Diagnostic) {
        if !self.last {
            return;
        }
        if let Some(at) = self.define {
            diagnostic.span = at;
        }
        let key = (diagnostic.span, diagnostic.code.number(), diagnostic.message.clone());
        if self.said.insert(key) {
            self.diagnostics.push(diagnostic);
        }
    }

    /// Reports an error; there is no value.
    fn fail<T>(&mut self, diagnostic: Diagnostic) -> Result<T, Stop> {
        self.report(diagnostic);
        Err(Stop::Reported)
    }

    /// Reports an error without a hint; there is no value.
    fn error<T>(&mut self, code: Code, span: Span, message: impl Into<String>) -> Result<T, Stop> {
        self.fail(Diagnostic::error(code, span, message))
    }

    fn warn(&mut self, code: Code, span: Span, message: impl Into<String>) {
        self.report(Diagnostic::warning(code, span, message));
    }

    /// Notes a construct that is right, but that this release cannot compile; checking goes on with a
    /// [`Checker::placeholder`].
    fn later(&mut self, span: Span, what: &str) {
        if !self.last {
            return;
        }
        let message = format!("{what} cannot be compiled yet");
        let diagnostic = Diagnostic::error(Code::NotSupportedYet, self.define.unwrap_or(span), message);
        if !self.later.contains(&diagnostic) {
            self.later.push(diagnostic);
        }
    }

    /// Notes a construct that is right, but that is left out on purpose, and what to do instead.
    fn never(&mut self, span: Span, message: &str, hint: &str) {
        if self.last {
            let at = self.define.unwrap_or(span);
            self.later.push(Diagnostic::error(Code::NotSupportedYet, at, message).with_hint(hint));
        }
    }

    /// Stands for a value of a type that no code is made for.
    fn placeholder(&self, ty: Ty, span: Span) -> Value {
        Value::new(ty, ExprKind::Int(0), self.location(span))
    }

    /// The result of a part that stands for itself. What has no result was reported; should it not have been, it is
    /// now, so that nothing of a script is ever left out in silence.
    fn settle<T>(&mut self, result: Result<T, Stop>, span: Span) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(_) => {
                if self.last && !self.has_errors() {
                    let message = "this cannot be given a type";
                    self.report(Diagnostic::error(Code::TypeMismatch, span, message));
                }
                None
            }
        }
    }

    /// Whether an error was reported.
    fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(Diagnostic::is_error)
    }
}
