//! Programs in two forms.
//!
//! A stack may have many more frames than fit a program's own stack, so walking one takes scratch memory, which takes
//! claiming, and so does a long text; a stack or a key that is new takes insertions and reports of their failures. All of
//! that is most of the program, and is rarely needed. The program that is attached is a short form: it walks stacks of few
//! frames, reads short texts, and counts what is known already. In any other case it jumps to the whole program, which starts anew: nothing that can be
//! seen has been done by then.

use btaot_semantic::program::{Body, Context, EventValue, Expr, ExprKind, StmtKind, Target};

use super::Lower;
use crate::bpf::error::Result;
use crate::bpf::helpers::Helper;
use crate::bpf::unit::Unit;
use crate::bpf::{metadata, walk};
use crate::llvm::ir::Likely;
use crate::llvm::{Block, Int, Ptr};

/// Which cases a program is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// All.
    Whole,
    /// The usual one; it jumps to the whole program in others.
    Short,
}

/// The symbol of the whole program of a body that has a short one, too.
pub fn rest_symbol(body: &Body) -> String {
    format!("{}_rest", metadata::symbol(body))
}

/// Whether a body is written in both forms. A program with a trampoline of its own has one: the kernel lets it jump to no
/// other.
pub fn is_split(unit: &Unit, body: &Body) -> bool {
    let has_trampoline = matches!(body.context, Context::Tracing(_) | Context::Iter);
    unit.division.frames > 0
        && !has_trampoline
        && can_start_anew(body)
        && has_usual_case(unit, body)
        && !has_functions(body)
}

/// Writes the programs of a body.
pub fn write<'a>(unit: &mut Unit<'a, '_>, body: &'a Body) -> Result<()> {
    let symbol = metadata::symbol(body);
    if !is_split(unit, body) {
        return Lower::program(unit, body, &symbol, Form::Whole);
    }
    Lower::program(unit, body, &rest_symbol(body), Form::Whole)?;
    Lower::program(unit, body, &symbol, Form::Short)
}

/// Whether a body begins with something for which the two forms differ much.
fn has_usual_case(unit: &Unit, body: &Body) -> bool {
    let Some(first) = body.statements.first() else { return false };
    let (map, key) = match &first.kind {
        StmtKind::Aggregate { map, key, .. }
        | StmtKind::UpdateMap { map, key, .. }
        | StmtKind::SetMap { map, key, .. } => (map, key.as_ref()),
        StmtKind::Discard(Expr {
            kind: ExprKind::Increment { target: Target::Map { map, key }, .. },
            ..
        }) => (map, key.as_deref()),
        _ => return false,
    };
    let Some(key) = key else { return false };
    has_stack(key) || (unit.has_short_keys(*map) && matches!(key.kind, ExprKind::ReadStr { .. }))
}

fn has_stack(key: &Expr) -> bool {
    let mut found = false;
    walk::expression(key, &mut |inner| {
        found |= matches!(inner.kind, ExprKind::Event(EventValue::KernelStack | EventValue::UserStack));
    });
    found
}

/// Whether a program may consist of several functions: old kernels do not let such programs jump to others.
fn has_functions(body: &Body) -> bool {
    let mut found = false;
    walk::statements(&body.statements, &mut |node| {
        found |= match node {
            walk::Node::Statement(inner) => {
                matches!(inner.kind, StmtKind::ForMap { .. } | StmtKind::ForRange { .. })
            }
            walk::Node::Expression(inner) => {
                let kind = &inner.kind;
                matches!(kind, ExprKind::Call { .. } | ExprKind::CallC { .. } | ExprKind::MapLen(_))
            }
        };
    });
    found
}

/// Whether what comes before the end of a body's first statement can be done twice.
fn can_start_anew(body: &Body) -> bool {
    let Some(first) = body.statements.first() else { return false };
    let mut can = body.context != Context::TestRun;
    if let Some(predicate) = &body.predicate {
        walk::expression(predicate, &mut |inner| can &= leaves_no_trace(inner));
    }
    walk::statements(std::slice::from_ref(first), &mut |node| {
        if let walk::Node::Expression(inner) = node {
            let is_whole = matches!(&first.kind, StmtKind::Discard(whole) if std::ptr::eq(whole, inner));
            can &= is_whole || leaves_no_trace(inner);
        }
    });
    can
}

/// Whether an expression itself may be evaluated twice.
fn leaves_no_trace(expression: &Expr) -> bool {
    !matches!(
        expression.kind,
        ExprKind::Increment { target: Target::Map { .. }, .. }
            | ExprKind::DeleteKey { .. }
            | ExprKind::Block { .. }
            | ExprKind::Call { .. }
            | ExprKind::CallC { .. }
    )
}

impl<'c> Lower<'_, '_, 'c> {
    /// In a short program, goes on only if the condition does not hold.
    pub(super) fn unless_unusual(&mut self, rest: Block<'c>, unusual: Int<'c>) {
        let usual = self.open("usual");
        self.ir.branch(unusual, rest, usual, Likely::No);
        self.ir.at_end(usual);
    }

    /// Jumps to the whole program. Should the kernel not do that, the event is lost.
    pub(super) fn leave_for_rest(&mut self) {
        if self.frame.scratch() > 0 {
            self.release();
        }
        let rest: Ptr<'c> = self.unit.rest();
        self.helper(Helper::TailCall, &[self.context.into(), rest.into(), self.ir.i64(0).into()]);
        self.count_loss();
    }
}
