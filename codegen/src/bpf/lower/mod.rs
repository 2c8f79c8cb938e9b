//! From one body to one eBPF program.
//!
//! Scalars are 64-bit values in registers, extended by their own sign. Everything else is
//! memory: an expression of such a type is lowered as "fill this destination", so that a record
//! of the ring, a map key or a variable is written in place.

mod aggregate;
mod call;
mod compare;
mod constants;
mod event;
mod fill;
mod frame;
mod iterate;
mod key;
mod loops;
mod map;
mod operand;
mod place;
mod read;
mod repeat;
mod scalar;
mod scratch;
mod send;
mod series;
mod split;
mod stack;
mod statement;
mod text;

use std::collections::BTreeSet;

use btaot_abi::constants::IntSource;
use btaot_abi::metadata::{AttachPoint, Fault, Fentry, FentryProgram, Identity, Target};
use btaot_abi::value::ValueType;
use btaot_semantic::program::{Body, Context, EventValue, Expr, ExprKind, Location, VarId};
use btaot_semantic::types::Type;

use super::core::type_size;
use super::error::{CodegenError, Result};
use super::helpers::Helper;
use super::unit::{Unit, layout};
use super::walk;
use crate::llvm::debug::Node;
use crate::llvm::ir::{Ir, Likely};
use crate::llvm::{Block, Function, Int, Ptr};
use event::{Known, Uses, note_use};
use frame::{Frame, Piece};
use split::Form;
pub use split::{is_split, rest_symbol, write};

/// Whether bytes after the end of a text matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fill {
    /// All bytes are defined: keys are compared, and variables read, as a whole.
    Whole,
    /// What stands behind a text's NUL and between fields may be anything: the reader does not look at it.
    Loose,
}

/// Where a variable is.
#[derive(Clone, Copy)]
enum Home<'c> {
    /// A word.
    Word(Piece<'c>),
    /// Memory.
    Memory(Piece<'c>),
}

impl<'c> Home<'c> {
    fn piece(&self) -> Piece<'c> {
        match self {
            Self::Word(piece) | Self::Memory(piece) => *piece,
        }
    }
}

/// Writes one program.
pub struct Lower<'u, 'a, 'c> {
    unit: &'u mut Unit<'a, 'c>,
    ir: &'a Ir<'c>,
    body: &'a Body,
    function: Function<'c>,
    scope: Node,
    context: Ptr<'c>,
    frame: Frame<'c>,
    variables: Vec<Option<Home<'c>>>,
    known: Known<'c>,
    /// Whether what is read from the context stays what the verifier knows it to be: a pointer to an object.
    keeps_objects: bool,
    /// Where to go when an iterator has no such object: the kernel lets programs use it only after that question.
    absent: Option<Block<'c>>,
    /// Where a short program goes that meets another case than the usual one, as long as it has done nothing that
    /// can be seen.
    rest: Option<Block<'c>>,
    /// Writes to maps so far, in the order of the text.
    writes: u32,
    uses: Uses,
    identity: Identity,
    /// Where the program goes when it ends from here.
    exit: Block<'c>,
    /// Loops around the statement that is being written.
    loops: Vec<loops::Around<'c>>,
    /// Variables that functions of loops share with the code around them.
    shared: BTreeSet<VarId>,
    /// The scratch slot, in a function that is not the program's own.
    inner_slot: Option<Ptr<'c>>,
}

/// The kind of program: its attach kind names symbols and sections.
pub fn section(body: &Body, symbol: &str) -> String {
    match body.context {
        Context::TestRun | Context::RawTracepoint(_) => format!("raw_tp/{symbol}"),
        Context::Uprobe | Context::Usdt => format!("uprobe/{symbol}"),
        Context::Kprobe => format!("kprobe/{symbol}"),
        Context::Tracepoint(_) => format!("tracepoint/{symbol}"),
        Context::Tracing(_) => format!("{}/{}", tracing_kind(body), traced(body).unwrap_or(symbol)),
        Context::Iter => format!("iter/{}", traced(body).unwrap_or(symbol)),
        // libbpf knows this section by its bare name only.
        Context::PerfEvent => "perf_event".into(),
    }
}

/// How a tracing program is attached; one that serves both ends of functions is loaded for each.
fn tracing_kind(body: &Body) -> &'static str {
    let at_return = |point: &AttachPoint| match &point.target {
        Target::Fentry(Fentry { ret, .. }) | Target::FentryProgram(FentryProgram { ret, .. }) => *ret,
        _ => false,
    };
    if body.attach.first().is_some_and(at_return) { "fexit" } else { "fentry" }
}

/// What a tracing program or iterator attaches to, when that is one thing: libbpf looks it up by the section's name.
fn traced(body: &Body) -> Option<&str> {
    let [AttachPoint { target, .. }] = &body.attach[..] else { return None };
    match target {
        Target::Fentry(Fentry { function, .. }) if !target.is_wildcard() => {
            std::str::from_utf8(function).ok()
        }
        Target::Iter { name, .. } => std::str::from_utf8(name).ok(),
        _ => None,
    }
}

/// The error that a helper's failure is.
fn helper_fault(helper: Helper) -> Fault {
    Fault::Helper { name: helper.row().name.into() }
}

/// How a body learns its probe number.
pub fn identity(body: &Body) -> Identity {
    let mut asks = false;
    walk::body(body, &mut |expression: &Expr| {
        asks |= expression.kind == ExprKind::Event(EventValue::ProbeId);
    });
    match (asks, &body.attach[..]) {
        (false, _) => Identity::Unused,
        (true, [only]) if !only.target.is_wildcard() => Identity::Constant,
        (true, _) => Identity::Cookie,
    }
}

/// Whether a body has to look at the process by itself.
pub fn filters_pid(body: &Body) -> bool {
    match body.context {
        Context::Kprobe | Context::Tracepoint(_) | Context::RawTracepoint(_) | Context::Tracing(_) => true,
        Context::TestRun | Context::Uprobe | Context::Usdt | Context::PerfEvent | Context::Iter => false,
    }
}

impl<'u, 'a, 'c> Lower<'u, 'a, 'c> {
    /// Writes the program of a body.
    fn program(unit: &'u mut Unit<'a, 'c>, body: &'a Body, symbol: &str, form: Form) -> Result<()> {
        let (ir, debug) = (unit.ir, unit.debug);
        let pointer = unit.context.ptr_type(Default::default());
        let signature = unit.context.i32_type().fn_type(&[pointer.into()], false);
        let function = unit.module.add_function(symbol, signature, None);
        function.set_section(Some(&section(body, symbol)));
        unit.mark(function);
        let parameters = [("ctx", debug.pointer(None))];
        let scope = debug.function(function, symbol, body.location.line, debug.c_int(), &parameters);
        let entry = ir.block(function, "entry");
        let exit = ir.block(function, "exit");
        ir.at_end(entry);
        ir.set_location(debug.location(scope, body.location.line, body.location.column));
        let context = unit.parameter(function);
        let mut lower = Lower {
            ir,
            body,
            function,
            scope,
            context,
            frame: Frame::default(),
            variables: vec![None; body.variables.len()],
            known: Known::default(),
            keeps_objects: false,
            absent: None,
            rest: None,
            writes: 0,
            uses: Uses::new(),
            identity: identity(body),
            exit,
            loops: Vec::new(),
            shared: loops::shared(body),
            inner_slot: None,
            unit,
        };
        lower.write(form)
    }

    /// The whole program: filter, predicate, statements, with room for two claims of scratch
    /// memory, of which at most one is used.
    fn write(&mut self, form: Form) -> Result<()> {
        walk::body(self.body, &mut |expression| note_use(expression, &mut self.uses));
        let (ir, leave) = (self.ir, self.exit);
        let early = self.open("early");
        let start = self.open("start");
        ir.at_end(start);
        let skip = self.open("skip");
        self.exit = skip;
        if self.body.context == Context::Iter {
            self.begin_visit();
        }
        if filters_pid(self.body) {
            self.filter_process();
        }
        let body = self.body;
        if let Some(predicate) = &body.predicate {
            self.at(predicate.location);
            let condition = self.condition(predicate)?;
            let run = self.open("run");
            ir.branch(condition, run, skip, Likely::Unknown);
            ir.at_end(run);
        }
        let late = self.open("late");
        ir.jump(late);
        let needed_by_predicate = self.frame.scratch() > 0;
        let main = self.open("main");
        let done = self.open("done");
        self.exit = done;
        ir.at_end(main);
        if let Some(result) = body.result {
            let home = self.variable(result)?.piece();
            let place = self.piece(home);
            ir.store(place, ir.i64(0), 8);
        }
        let rest = (form == Form::Short).then(|| self.open("rest"));
        self.rest = rest;
        self.main()?;
        self.jump(done);
        ir.at_end(done);
        let result = body.result.map(|result| self.take_result(result)).transpose()?;
        self.finish(&Ends { early, start, late, main, skip, done, leave, rest }, needed_by_predicate, result);
        Ok(())
    }

    /// Fills in the blocks that depend on whether scratch memory was needed.
    fn finish(&mut self, ends: &Ends<'c>, needed_by_predicate: bool, result: Option<Ptr<'c>>) {
        let ir = self.ir;
        self.at(self.body.location);
        let scratch = self.frame.scratch() > 0;
        self.unit.scratch = self.unit.scratch.max(self.frame.scratch());
        let entry = self.function.get_first_basic_block().unwrap_or(ends.early);
        ir.at_end(entry);
        ir.jump(ends.early);
        ir.at_end(ends.early);
        if scratch && needed_by_predicate {
            self.claim(ends.leave);
        }
        ir.jump(ends.start);
        ir.at_end(ends.late);
        if scratch && !needed_by_predicate {
            self.claim(ends.leave);
        }
        ir.jump(ends.main);
        ir.at_end(ends.done);
        if scratch {
            self.release();
        }
        ir.jump(ends.leave);
        if let Some(rest) = ends.rest {
            ir.at_end(rest);
            self.leave_for_rest();
            ir.jump(ends.leave);
        }
        ir.at_end(ends.skip);
        ir.jump(if needed_by_predicate { ends.done } else { ends.leave });
        ir.at_end(ends.leave);
        let value = result.map(|result| ir.load(32, result, 8));
        ir.ret(value.unwrap_or(ir.i32(0)));
    }

    /// Takes the result out of its variable, while that is there. A program that ends early gives 0.
    fn take_result(&mut self, variable: VarId) -> Result<Ptr<'c>> {
        let ir = self.ir;
        let place = ir.alloca(self.function, 8, "result");
        self.at_entry(|ir| ir.store(place, ir.i64(0), 8));
        let home = self.variable(variable)?.piece();
        let value = self.piece(home);
        ir.store(place, ir.load(64, value, 8), 8);
        Ok(place)
    }

    /// Ends the program when `-p` or `-c` chose another process. Without a chosen process the
    /// verifier removes all of it.
    fn filter_process(&mut self) {
        let ir = self.ir;
        let target = self.int_constant(IntSource::TargetPid);
        let (check, go) = (self.open("check_process"), self.open("go"));
        ir.branch(ir.is_nonzero(target), check, go, Likely::Unknown);
        ir.at_end(check);
        let known = self.known.enter();
        let pid = self.pid();
        self.known.leave(known);
        ir.branch(ir.eq(pid, target), go, self.exit, Likely::Unknown);
        ir.at_end(go);
    }

    /// A new block of this program.
    fn open(&self, name: &str) -> Block<'c> {
        self.ir.block(self.function, name)
    }

    /// Jumps, unless the code being written has already ended.
    fn jump(&self, to: Block<'c>) {
        if !self.ir.is_terminated() {
            self.ir.jump(to);
        }
    }

    /// Sets the place in the script of what follows.
    fn at(&self, location: Location) {
        let node = self.unit.debug.location(self.scope, location.line, location.column);
        self.ir.set_location(node);
    }

    /// `if (condition) then else otherwise`. What is known inside a branch is forgotten behind it.
    fn either(
        &mut self,
        condition: Int<'c>,
        likely: Likely,
        then: impl FnOnce(&mut Self) -> Result<()>,
        otherwise: impl FnOnce(&mut Self) -> Result<()>,
    ) -> Result<()> {
        let (yes, no, join) = (self.open("then"), self.open("else"), self.open("join"));
        self.ir.branch(condition, yes, no, likely);
        for (block, arm) in [(yes, Ok(then)), (no, Err(otherwise))] {
            self.ir.at_end(block);
            let known = self.known.enter();
            match arm {
                Ok(then) => then(self)?,
                Err(otherwise) => otherwise(self)?,
            }
            self.known.leave(known);
            self.jump(join);
        }
        self.ir.at_end(join);
        Ok(())
    }

    /// `if (condition) then`.
    fn when(
        &mut self,
        condition: Int<'c>,
        likely: Likely,
        then: impl FnOnce(&mut Self) -> Result<()>,
    ) -> Result<()> {
        self.either(condition, likely, then, |_| Ok(()))
    }

    /// Calls a helper.
    fn helper(&self, helper: Helper, arguments: &[inkwell::values::BasicValueEnum<'c>]) -> Int<'c> {
        self.ir.call_helper(helper.row().number, arguments)
    }

    /// The layout of a type.
    fn layout(&mut self, ty: &Type, location: Location) -> Result<ValueType> {
        layout(ty, &mut self.unit.tables, self.unit.program, location)
    }

    /// Bytes of a value in memory.
    fn size_of(&mut self, ty: &Type, location: Location) -> Result<u32> {
        match (ty, type_size(ty, self.unit.program)) {
            // A structure may be held even if it cannot be shown as a whole.
            (Type::Struct(_) | Type::Array { .. }, Some(size)) => Ok(size),
            _ => Ok(self.layout(ty, location)?.size()),
        }
    }

    fn unsupported<T>(&self, location: Location, what: &str) -> Result<T> {
        Err(CodegenError::Unsupported { location, what: what.into() })
    }

    fn variable(&mut self, id: VarId) -> Result<Home<'c>> {
        let index = id.0 as usize;
        if let Some(home) = self.variables[index] {
            return Ok(home);
        }
        let body = self.body;
        let variable = &body.variables[index];
        let shared = self.shared.contains(&id);
        let home = if variable.ty.is_scalar() {
            Home::Word(if shared { self.pinned_scratch(8) } else { self.word(&variable.name.display()) })
        } else {
            let size = self.size_of(&variable.ty, body.location)?;
            Home::Memory(if shared { self.pinned_scratch(size) } else { self.pinned(size) })
        };
        self.variables[index] = Some(home);
        Ok(home)
    }

    /// Writes at the end of the entry block, where control always passes.
    fn at_entry(&self, write: impl FnOnce(&Ir<'c>)) {
        let here = self.ir.here();
        if let Some(entry) = self.function.get_first_basic_block() {
            self.ir.at_end(entry);
            write(self.ir);
            self.ir.at_end(here);
        }
    }
}

/// The blocks a program is made of besides those of its statements.
struct Ends<'c> {
    early: Block<'c>,
    start: Block<'c>,
    late: Block<'c>,
    main: Block<'c>,
    skip: Block<'c>,
    done: Block<'c>,
    leave: Block<'c>,
    rest: Option<Block<'c>>,
}
