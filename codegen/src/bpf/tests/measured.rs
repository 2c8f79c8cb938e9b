//! Lengths of the programs that everyone writes, after the verifier's rewriting.

use btaot_semantic::program::{Aggregation, BinaryOp, Context, EventValue, ExprKind, StmtKind};
use btaot_semantic::types::{Space, StackMode, StackShape, Type};

use super::build::*;
use super::{at_most, loaded};

fn argument(number: u32) -> btaot_semantic::program::Expr {
    event(EventValue::Argument(number))
}

/// Programs with their numbers of instructions.
type Counts = Vec<(String, usize)>;

/// Whole programs and their short forms.
fn split(counts: Counts) -> (Counts, Counts) {
    counts.into_iter().partition(|(name, _)| name.ends_with("_rest"))
}

#[test]
fn count() {
    let body = body(0, Context::Uprobe, vec![aggregate(0, None, None)]);
    let program = program(vec![body], vec![aggregation("@", Aggregation::Count, None)]);
    at_most(&loaded("count", &program), 25);
}

#[test]
fn hist() {
    let body = body(0, Context::Uprobe, vec![aggregate(0, None, Some(argument(0)))]);
    let program = program(vec![body], vec![aggregation("@", Aggregation::Hist { bits: 0 }, None)]);
    at_most(&loaded("hist", &program), 55);
}

#[test]
fn count_by_pid_and_comm() {
    let key = tuple(vec![event(EventValue::Pid), event(EventValue::Comm)]);
    let ty = key.ty.clone();
    let body = body(0, Context::Uprobe, vec![aggregate(0, Some(key), None)]);
    let program = program(vec![body], vec![aggregation("@", Aggregation::Count, Some(ty))]);
    at_most(&loaded("pid_comm", &program), 72);
}

#[test]
fn count_by_text() {
    let key = read_str(argument(1), Space::User, 1024);
    let body = body(0, Context::Uprobe, vec![aggregate(0, Some(key), None)]);
    let program = program(vec![body], vec![aggregation("@", Aggregation::Count, Some(Type::Str(1024)))]);
    let (rest, short) = split(loaded("str_key", &program));
    at_most(&short, 60);
    at_most(&rest, 150);
}

#[test]
fn printf_of_four() {
    let arguments = vec![
        event(EventValue::Pid),
        argument(0),
        event(EventValue::Comm),
        read_str(argument(1), Space::User, 1024),
    ];
    let body = body(0, Context::Uprobe, vec![printf("%d %d %s %s\n", arguments)]);
    at_most(&loaded("printf", &program(vec![body], Vec::new())), 45);
}

#[test]
fn filter_by_comm() {
    let mut body = body(0, Context::Tracepoint(None), vec![aggregate(0, None, None)]);
    body.predicate = Some(equal(event(EventValue::Comm), text("target")));
    let program = program(vec![body], vec![aggregation("@", Aggregation::Count, None)]);
    at_most(&loaded("comm", &program), 40);
}

#[test]
fn count_by_stack() {
    let shape = StackShape { mode: StackMode::Bpftrace, limit: 127 };
    let stack = expr(ExprKind::Event(EventValue::UserStack), Type::UserStack(shape));
    let ty = stack.ty.clone();
    let body = body(0, Context::Uprobe, vec![aggregate(0, Some(stack), None)]);
    let program = program(vec![body], vec![aggregation("@", Aggregation::Count, Some(ty))]);
    let (rest, short) = split(loaded("ustack", &program));
    at_most(&short, 70);
    at_most(&rest, 190);
}

#[test]
fn latency() {
    let start = || value_of(0, Some(event(EventValue::Tid)), Type::U64);
    let set = stmt(StmtKind::SetMap {
        map: btaot_abi::ids::MapId(0),
        key: Some(event(EventValue::Tid)),
        value: event(EventValue::Nsecs),
    });
    let entry = body(0, Context::Uprobe, vec![set]);
    let elapsed = binary(BinaryOp::Sub, event(EventValue::Nsecs), start(), Type::U64);
    let delete = stmt(StmtKind::Delete { map: btaot_abi::ids::MapId(0), key: Some(event(EventValue::Tid)) });
    let mut exit = body(1, Context::Uprobe, vec![aggregate(1, None, Some(elapsed)), delete]);
    exit.predicate = Some(btaot_semantic::program::Expr {
        ty: Type::Bool,
        ..expr(ExprKind::Convert(Box::new(start())), Type::Bool)
    });
    let maps = vec![
        plain("@start", Type::U64, Some(Type::U32)),
        aggregation("@ns", Aggregation::Hist { bits: 0 }, None),
    ];
    let counts = loaded("latency", &program(vec![entry, exit], maps));
    at_most(&[("both".to_owned(), counts.iter().map(|(_, count)| count).sum())], 130);
}
