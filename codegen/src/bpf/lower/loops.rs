//! Loops.
//!
//! `while`, and a `for` over a few numbers known here, are jumps back, which the verifier follows round by round.
//! The body of any other `for` is a function that the kernel calls, once for each number or entry. All memory
//! comes from the scratch slot that the program has claimed: frames together have 512 bytes of stack, and of variables
//! on the stack the verifier would tell the rounds apart, while what is in a map is any number to it.

use btaot_abi::ids::MapId;
use btaot_abi::value::ValueType;
use std::collections::BTreeSet;

use btaot_semantic::program::{Body, Contents, Expr, ExprKind, Location, MapStorage, Stmt, StmtKind, VarId};
use btaot_semantic::types::Type;
use inkwell::module::Linkage;
use inkwell::values::BasicValueEnum;

use super::event::Known;
use super::read::Spot;
use super::{Fill, Home, Lower, helper_fault};
use crate::bpf::error::Result;
use crate::bpf::helpers::Helper;
use crate::bpf::walk;
use crate::llvm::ir::{Compare, Likely};
use crate::llvm::{Block, Function, Int, Ptr};

/// A range of at most so many numbers is a jump back: each round costs the verifier as much as the last.
const MOST_ROUNDS: u64 = 64;

/// Most rounds of `bpf_loop`: `BPF_MAX_LOOPS` of `include/linux/bpf.h`.
const BPF_MAX_LOOPS: u64 = 8 << 20;

/// Words of what a loop's function is given: the program's context, its scratch slot, whether the program is to
/// end, and the first number.
const CONTEXT: u64 = 0;
const SLOT: u64 = 8;
const ENDED: u64 = 16;
const FIRST: u64 = 24;
const GIVEN: u32 = 32;

/// Where `continue` and `break` go.
#[derive(Clone, Copy)]
pub struct Around<'c> {
    next: Block<'c>,
    done: Block<'c>,
}

/// How many numbers a range has, if that is known and few.
fn few_rounds(from: &Expr, to: &Expr) -> Option<u64> {
    let (ExprKind::Int(first), ExprKind::Int(end)) = (&from.kind, &to.kind) else { return None };
    let rounds = match is_signed(&from.ty) {
        true => (*end as i64).saturating_sub(*first as i64).max(0) as u64,
        false => end.saturating_sub(*first),
    };
    (rounds <= MOST_ROUNDS).then_some(rounds)
}

fn is_signed(ty: &Type) -> bool {
    matches!(ty, Type::Int(int) if int.signed)
}

/// The variables that functions of loops share with the code around them.
pub fn shared(body: &Body) -> BTreeSet<VarId> {
    let mut all = BTreeSet::new();
    walk::statements(&body.statements, &mut |node| {
        let walk::Node::Statement(statement) = node else { return };
        match &statement.kind {
            StmtKind::ForRange { from, to, .. } if few_rounds(from, to).is_some() => {}
            StmtKind::ForRange { variable, body: inner, .. }
            | StmtKind::ForMap { variable, body: inner, .. } => {
                all.extend(walk::shared(body, inner, *variable));
                all.extend(body.result);
            }
            _ => {}
        }
    });
    all
}

impl<'c> Lower<'_, '_, 'c> {
    /// `while`.
    pub(super) fn while_loop(&mut self, condition: &Expr, body: &[Stmt]) -> Result<()> {
        let (head, inner, done) = (self.open("while"), self.open("do"), self.open("done"));
        self.ir.jump(head);
        self.ir.at_end(head);
        self.forget_reads();
        let known = self.known.enter();
        let condition = self.condition(condition)?;
        self.ir.branch(condition, inner, done, Likely::Unknown);
        self.ir.at_end(inner);
        self.round(body, Around { next: head, done })?;
        self.jump(head);
        self.known.leave(known);
        self.ir.at_end(done);
        Ok(())
    }

    fn round(&mut self, body: &[Stmt], around: Around<'c>) -> Result<()> {
        self.loops.push(around);
        let result = self.statements(body);
        self.loops.pop();
        result
    }

    /// `break`.
    pub(super) fn leave_loop(&mut self) {
        if let Some(around) = self.loops.last() {
            self.ir.jump(around.done);
        }
    }

    /// `continue`.
    pub(super) fn next_round(&mut self) {
        if let Some(around) = self.loops.last() {
            self.ir.jump(around.next);
        }
    }

    /// `for` over numbers.
    pub(super) fn for_range(
        &mut self,
        variable: VarId,
        (from, to): (&Expr, &Expr),
        body: &[Stmt],
        location: Location,
    ) -> Result<()> {
        let ir = self.ir;
        if let (Some(rounds), ExprKind::Int(first)) = (few_rounds(from, to), &from.kind) {
            return self.few_rounds(variable, *first, rounds, body);
        }
        let greater = if is_signed(&from.ty) { Compare::SGT } else { Compare::UGT };
        let (from, to) = (self.scalar(from)?, self.scalar(to)?);
        let most = ir.i64(BPF_MAX_LOOPS + 1);
        let distance = ir.sub(to, from);
        let distance = ir.select(ir.compare(Compare::UGT, distance, most), most, distance);
        let rounds = ir.select(ir.compare(greater, to, from), distance, ir.i64(0));
        let given = self.give();
        let function = self.outlined(&["index", "given"], (variable, body), |lower, function| {
            let index = parameter(function, 0).into_int_value();
            let first = ir.load(64, ir.offset(parameter(function, 1).into_pointer_value(), FIRST), 8);
            lower.set_number(variable, ir.add(first, index))
        })?;
        ir.store(ir.offset(given, FIRST), from, 8);
        self.hand_over(given);
        let callee = function.as_global_value().as_pointer_value();
        let arguments = [rounds.into(), callee.into(), given.into(), ir.i64(0).into()];
        self.need(Helper::Loop, "a loop over numbers that only the run knows", location);
        self.run_loop(Helper::Loop, &arguments, location)?;
        self.end_if_ended(given);
        Ok(())
    }

    /// A `for` that the verifier may follow.
    fn few_rounds(&mut self, variable: VarId, from: u64, rounds: u64, body: &[Stmt]) -> Result<()> {
        let ir = self.ir;
        // Not through the frame: the verifier only knows values on the stack.
        let counter = ir.alloca(self.function, 8, "round");
        ir.store(counter, ir.i64(0), 8);
        let (head, inner) = (self.open("for"), self.open("do"));
        let around = Around { next: self.open("next"), done: self.open("done") };
        ir.jump(head);
        ir.at_end(head);
        self.forget_reads();
        let known = self.known.enter();
        let index = ir.load(64, counter, 8);
        ir.branch(ir.compare(Compare::ULT, index, ir.i64(rounds)), inner, around.done, Likely::Unknown);
        ir.at_end(inner);
        self.set_number(variable, ir.add(index, ir.i64(from)))?;
        let mut skip = walk::shared(self.body, body, variable);
        skip.push(variable);
        self.clear_first_values(body, &skip)?;
        self.round(body, around)?;
        self.jump(around.next);
        ir.at_end(around.next);
        ir.store(counter, ir.add(ir.load(64, counter, 8), ir.i64(1)), 8);
        ir.jump(head);
        self.known.leave(known);
        ir.at_end(around.done);
        Ok(())
    }

    fn set_number(&mut self, variable: VarId, value: Int<'c>) -> Result<()> {
        if let Home::Word(piece) = self.variable(variable)? {
            let word = self.piece(piece);
            self.ir.store(word, value, 8);
        }
        Ok(())
    }

    /// `for` over the entries of a map.
    pub(super) fn for_map(
        &mut self,
        variable: VarId,
        map: MapId,
        body: &[Stmt],
        location: Location,
    ) -> Result<()> {
        let ir = self.ir;
        if !matches!(self.unit.program.maps[map.index()].storage, MapStorage::Hash { .. }) {
            return self.unsupported(location, "only maps with keys have entries");
        }
        let table = self.unit.user_map(map, location)?;
        let given = self.give();
        let function =
            self.outlined(&["map", "key", "value", "given"], (variable, body), |lower, function| {
                let pointer = |index| parameter(function, index).into_pointer_value();
                lower.set_entry(variable, map, (pointer(1), pointer(2)), location)
            })?;
        self.hand_over(given);
        let callee = function.as_global_value().as_pointer_value();
        let arguments = [table.into(), callee.into(), given.into(), ir.i64(0).into()];
        self.need(Helper::ForEachMapElem, "a loop over the entries of a map", location);
        self.run_loop(Helper::ForEachMapElem, &arguments, location)?;
        self.end_if_ended(given);
        Ok(())
    }

    /// Sets the loop's variable to an entry: the key, and the value or what all CPUs' values come to.
    fn set_entry(
        &mut self,
        variable: VarId,
        map: MapId,
        (key, value): (Ptr<'c>, Ptr<'c>),
        location: Location,
    ) -> Result<()> {
        let ty = self.body.variables[variable.0 as usize].ty.clone();
        let (ValueType::Tuple(layout), Home::Memory(piece)) =
            (self.layout(&ty, location)?, self.variable(variable)?)
        else {
            return self.unsupported(location, "an entry is a tuple of the key and the value");
        };
        let (Some(first), Some(second), Type::Tuple(types)) =
            (layout.fields.first(), layout.fields.get(1), &ty)
        else {
            return self.unsupported(location, "an entry is a tuple of the key and the value");
        };
        let entry = Spot::aligned(self.piece(piece));
        if first.ty.size() + second.ty.size() < layout.size {
            self.zero(entry, layout.size);
        }
        self.copy(entry.offset(self.ir, first.offset), Spot::aligned(key), first.ty.size());
        let to = entry.offset(self.ir, second.offset);
        if let Contents::Plain(_) = self.unit.program.maps[map.index()].contents {
            self.copy(to, Spot::aligned(value), second.ty.size());
            return Ok(());
        }
        let at = |kind, ty: &Type| Expr { kind, ty: ty.clone(), location };
        let whole = at(ExprKind::Variable(variable), &ty);
        let key = at(ExprKind::Field { base: Box::new(whole), index: 0 }, &types[0]);
        let value = at(ExprKind::MapValue { map, key: Some(Box::new(key)) }, &types[1]);
        self.fill(&value, to, Fill::Whole)
    }

    /// Calls a helper that gives the number of rounds or a failure.
    fn run_loop(
        &mut self,
        helper: Helper,
        arguments: &[BasicValueEnum<'c>],
        location: Location,
    ) -> Result<()> {
        let rounds = self.helper(helper, arguments);
        let failed = self.ir.compare(Compare::SLT, rounds, self.ir.i64(0));
        self.when(failed, Likely::No, |lower| {
            lower.report(helper_fault(helper), location, Some(rounds));
            Ok(())
        })
    }

    /// Memory for what a loop's function is given.
    fn give(&mut self) -> Ptr<'c> {
        self.claim_early();
        self.ir.alloca(self.function, GIVEN, "given")
    }

    /// Fills in what the function is given, after it is written: only then it is known what it needs.
    fn hand_over(&mut self, given: Ptr<'c>) {
        let ir = self.ir;
        ir.store_ptr(ir.offset(given, CONTEXT), self.context);
        let slot = self.slot();
        ir.store_ptr(ir.offset(given, SLOT), slot);
        ir.store(ir.offset(given, ENDED), ir.i64(0), 8);
    }

    /// Ends the program if a round did.
    fn end_if_ended(&mut self, given: Ptr<'c>) {
        let ir = self.ir;
        let ended = ir.load(64, ir.offset(given, ENDED), 8);
        let go = self.open("behind");
        ir.branch(ir.is_nonzero(ended), self.exit, go, Likely::No);
        ir.at_end(go);
    }

    /// The function of a loop's body. `begin` sets the loop's variable.
    fn outlined(
        &mut self,
        names: &[&str],
        (variable, body): (VarId, &[Stmt]),
        begin: impl FnOnce(&mut Self, Function<'c>) -> Result<()>,
    ) -> Result<Function<'c>> {
        let (ir, debug, caller) = (self.ir, self.unit.debug, self.ir.here());
        let place = ir.location();
        let function = self.declare_loop(names);
        let word = debug.int(8, false);
        let parameters: Vec<_> = names.iter().map(|name| (*name, word)).collect();
        let name = function.get_name().to_string_lossy().into_owned();
        let line = self.body.location.line;
        let scope = debug.function(function, &name, line, word, &parameters);
        let blocks = ["entry", "start", "next", "ended", "done"].map(|name| ir.block(function, name));
        let [entry, start, next, ended, done] = blocks;
        ir.at_end(entry);
        ir.set_location(debug.location(scope, line, 1));
        let given = parameter(function, names.len() as u32 - 1).into_pointer_value();
        let outer = self.enter_function(function, given, ended);
        let outer_scope = std::mem::replace(&mut self.scope, scope);
        ir.at_end(start);
        begin(self, function)?;
        let mut skip = walk::shared(self.body, body, variable);
        skip.push(variable);
        self.clear_first_values(body, &skip)?;
        self.round(body, Around { next, done })?;
        self.jump(next);
        ir.at_end(entry);
        ir.jump(start);
        ir.at_end(next);
        ir.ret(ir.i64(0));
        ir.at_end(ended);
        ir.store(ir.offset(given, ENDED), ir.i64(1), 8);
        ir.jump(done);
        ir.at_end(done);
        ir.ret(ir.i64(1));
        self.scope = outer_scope;
        self.leave_function(outer);
        ir.at_end(caller);
        ir.restore_location(place);
        Ok(function)
    }

    fn declare_loop(&mut self, names: &[&str]) -> Function<'c> {
        let context = self.unit.context;
        let pointer = context.ptr_type(Default::default()).into();
        let types: Vec<_> = names
            .iter()
            .map(|name| if *name == "index" { context.i64_type().into() } else { pointer })
            .collect();
        let signature = context.i64_type().fn_type(&types, false);
        let program = self.function.get_name().to_string_lossy().into_owned();
        let function =
            self.unit.module.add_function(&format!("{program}_loop"), signature, Some(Linkage::Internal));
        function.set_section(Some(".text"));
        self.unit.mark(function);
        function
    }

    /// From here on the code is that of a function which the kernel calls.
    fn enter_function(&mut self, function: Function<'c>, given: Ptr<'c>, ended: Block<'c>) -> Outer<'c> {
        let ir = self.ir;
        // Those that are shared are in scratch memory, where this function finds them too.
        let shared = &self.shared;
        let keep = |(index, home): (usize, &Option<Home<'c>>)| {
            home.filter(|_| shared.contains(&VarId(index as u32)))
        };
        let variables = self.variables.iter().enumerate().map(keep).collect();
        let context = ir.load_ptr(ir.offset(given, CONTEXT));
        let slot = ir.load_ptr(ir.offset(given, SLOT));
        Outer {
            function: std::mem::replace(&mut self.function, function),
            context: std::mem::replace(&mut self.context, context),
            slot: self.inner_slot.replace(slot),
            variables: std::mem::replace(&mut self.variables, variables),
            known: std::mem::take(&mut self.known),
            exit: std::mem::replace(&mut self.exit, ended),
            loops: std::mem::take(&mut self.loops),
        }
    }

    fn leave_function(&mut self, mut outer: Outer<'c>) {
        for (home, inner) in outer.variables.iter_mut().zip(&self.variables) {
            // A shared variable may have been met in the loop first.
            if inner.is_some_and(|inner| inner.piece().on_stack().is_none()) && home.is_none() {
                *home = *inner;
            }
        }
        self.function = outer.function;
        self.context = outer.context;
        self.inner_slot = outer.slot;
        self.variables = outer.variables;
        self.known = outer.known;
        self.exit = outer.exit;
        self.loops = outer.loops;
    }
}

/// The state of the code around a loop's function.
struct Outer<'c> {
    function: Function<'c>,
    context: Ptr<'c>,
    slot: Option<Ptr<'c>>,
    variables: Vec<Option<Home<'c>>>,
    known: Known<'c>,
    exit: Block<'c>,
    loops: Vec<Around<'c>>,
}

fn parameter<'c>(function: Function<'c>, index: u32) -> BasicValueEnum<'c> {
    match function.get_nth_param(index) {
        Some(parameter) => parameter,
        None => panic!("bug in code generation: a loop's function has no parameter {index}"),
    }
}
