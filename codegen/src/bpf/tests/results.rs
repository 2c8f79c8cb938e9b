//! What programs compute: bodies that the tool would run itself are run in the kernel, and leave
//! their results in scalars.

use btaot_abi::ids::MapId;
use btaot_semantic::program::{
    Aggregation, BinaryOp, Context, Expr, ExprKind, Map, MapStorage, Stmt, StmtKind, Target, UnaryOp, VarId,
};
use btaot_semantic::types::{Int, Type};
use serde_json::Value;

use super::build::*;
use super::{compiled, constants, kernel};

/// Runs statements, then puts each value into a scalar and gives what is in it afterwards.
fn results(name: &str, maps: Vec<Map>, statements: Vec<Stmt>, values: &[Expr]) -> Option<Vec<Value>> {
    let (mut maps, mut statements) = (maps, statements);
    let first = maps.len() as u32;
    for (number, value) in (first..).zip(values) {
        maps.push(plain(&format!("@r{number}"), value.ty.clone(), None));
        statements.push(stmt(StmtKind::SetMap { map: MapId(number), key: None, value: value.clone() }));
    }
    let mut body = body(0, Context::TestRun, statements);
    body.variables = vec![variable("$x", Type::I64), variable("$t", Type::Str(64))];
    let program = program(vec![body], maps);
    let compiled = compiled(&program);
    if !kernel::available() {
        eprintln!("{name}: not run: needs root, bpftool and bpffs");
        return None;
    }
    let object = kernel::with_constants(&compiled.object, &constants(&compiled));
    let state = kernel::run(name, &object, "begin_0");
    let result = |number| {
        let value = state[format!("r{number}_value")].clone();
        assert!(!value.is_null(), "{name}: {state}");
        value
    };
    Some((first..).take(values.len()).map(result).collect())
}

fn numbers(name: &str, maps: Vec<Map>, statements: Vec<Stmt>, values: &[(Expr, i64)]) {
    let expressions: Vec<Expr> = values.iter().map(|(value, _)| value.clone()).collect();
    let Some(found) = results(name, maps, statements, &expressions) else { return };
    for (index, (found, (_, expected))) in found.iter().zip(values).enumerate() {
        let found = found.as_i64().or_else(|| found.as_u64().map(|value| value as i64));
        let found = found.or(match expressions[index].ty {
            Type::Bool => Some(0),
            _ => None,
        });
        assert_eq!(found, Some(*expected), "{name}: value {index}");
    }
}

fn number(value: i64) -> Expr {
    int(value as u64)
}

/// A value that LLVM cannot fold.
fn hidden(value: i64) -> Expr {
    // `$1` is 100 here.
    let hundred = expr(ExprKind::IntConstant(btaot_abi::constants::IntSource::Positional(1)), Type::I64);
    binary(BinaryOp::Sub, hundred, number(100 - value), Type::I64)
}

fn op(op: BinaryOp, a: i64, b: i64) -> Expr {
    binary(op, hidden(a), hidden(b), Type::I64)
}

fn truth(condition: Expr) -> Expr {
    expr(ExprKind::Convert(Box::new(condition)), Type::I64)
}

fn cast(value: Expr, size: u32, signed: bool) -> Expr {
    let narrow = expr(ExprKind::Convert(Box::new(value)), Type::Int(Int { size, signed }));
    expr(ExprKind::Convert(Box::new(narrow)), Type::I64)
}

#[test]
fn arithmetic() {
    let less = |a: Expr, b: Expr| truth(binary(BinaryOp::Less, a, b, Type::Bool));
    let unsigned = |value: i64| expr(ExprKind::Convert(Box::new(hidden(value))), Type::U64);
    let unary = |op, value| expr(ExprKind::Unary { op, operand: Box::new(hidden(value)) }, Type::I64);
    numbers(
        "arithmetic",
        Vec::new(),
        Vec::new(),
        &[
            (op(BinaryOp::Add, 7, -9), -2),
            (op(BinaryOp::Mul, -3, 5), -15),
            (op(BinaryOp::Div, 100, 7), 14),
            (op(BinaryOp::Mod, 100, 7), 2),
            (op(BinaryOp::Div, 100, 0), 1),
            (op(BinaryOp::Mod, 100, 0), 1),
            (op(BinaryOp::Div, -1, 2), i64::MAX),
            (op(BinaryOp::ShiftLeft, 1, 40), 1 << 40),
            (op(BinaryOp::ShiftRight, -1, 60), 15),
            (op(BinaryOp::BitXor, 0b1100, 0b1010), 0b0110),
            (cast(hidden(-1), 1, false), 255),
            (cast(hidden(255), 1, true), -1),
            (cast(hidden(0x1_8000), 2, true), -32768),
            (cast(hidden(-1), 4, false), 0xffff_ffff),
            (unary(UnaryOp::Negate, 5), -5),
            (unary(UnaryOp::Complement, 0), -1),
            (less(hidden(-1), hidden(1)), 1),
            (less(unsigned(-1), unsigned(1)), 0),
        ],
    );
}

#[test]
fn texts() {
    let long = |value: &str| {
        let inner = Box::new(text(value));
        expr(ExprKind::Convert(inner), Type::Str(64))
    };
    let held = || local(1, Type::Str(64));
    let set = stmt(StmtKind::SetVariable { variable: VarId(1), value: long("abcdefghij") });
    let same = |a, b| truth(equal(a, b));
    numbers(
        "texts",
        Vec::new(),
        vec![set],
        &[
            (same(held(), text("abcdefghij")), 1),
            (same(held(), text("abcdefghi")), 0),
            (same(held(), text("abcdefghijk")), 0),
            (same(held(), text("")), 0),
            (same(held(), long("abcdefghij")), 1),
            (same(held(), long("abcdefghiJ")), 0),
            (same(text("bpftool"), event(btaot_semantic::program::EventValue::Comm)), 1),
            (truth(expr(ExprKind::Convert(Box::new(long(""))), Type::Bool)), 0),
            (truth(expr(ExprKind::Convert(Box::new(held())), Type::Bool)), 1),
        ],
    );
}

#[test]
fn plain_values() {
    let key = || Some(number(1));
    let set = |map, key, value| stmt(StmtKind::SetMap { map: MapId(map), key, value });
    let update = |map, key, op, value| stmt(StmtKind::UpdateMap { map: MapId(map), key, op, value });
    let step = |map, key: Option<Expr>, by, post| {
        let target = Target::Map { map: MapId(map), key: key.map(Box::new) };
        expr(ExprKind::Increment { target, by, post }, Type::I64)
    };
    let has =
        |value| truth(expr(ExprKind::HasKey { map: MapId(1), key: Box::new(number(value)) }, Type::Bool));
    numbers(
        "plain_values",
        vec![plain("@a", Type::I64, None), plain("@b", Type::I64, Some(Type::I64))],
        vec![
            set(0, None, hidden(10)),
            update(0, None, BinaryOp::Add, hidden(5)),
            update(0, None, BinaryOp::Sub, hidden(1)),
            update(0, None, BinaryOp::Mul, hidden(2)),
            update(1, key(), BinaryOp::Add, hidden(7)),
            update(1, key(), BinaryOp::ShiftLeft, hidden(1)),
            set(1, Some(number(2)), hidden(-4)),
            set(1, Some(number(3)), hidden(9)),
            stmt(StmtKind::Delete { map: MapId(1), key: Some(number(3)) }),
        ],
        &[
            (value_of(0, None, Type::I64), 28),
            (step(0, None, 1, true), 28),
            (step(0, None, 1, false), 30),
            (value_of(1, key(), Type::I64), 14),
            (step(1, key(), -1, true), 14),
            (step(1, key(), -1, false), 12),
            (value_of(1, Some(number(2)), Type::I64), -4),
            (value_of(1, Some(number(3)), Type::I64), 0),
            (step(1, Some(number(5)), 1, true), 0),
            (has(2), 1),
            (has(3), 0),
            (expr(ExprKind::MapLen(MapId(1)), Type::I64), 3),
        ],
    );
}

#[test]
fn aggregations() {
    let kinds = [
        (Aggregation::Count, 4),
        (Aggregation::Sum { signed: true }, 6),
        (Aggregation::Min { signed: true }, -5),
        (Aggregation::Max { signed: true }, 9),
        (Aggregation::Min { signed: false }, 2),
        (Aggregation::Avg { signed: true }, 1),
        (Aggregation::Stats { signed: true }, 1),
    ];
    let (mut maps, mut statements, mut values) = (Vec::new(), Vec::new(), Vec::new());
    for (kind, expected) in kinds {
        for key in [None, Some(number(3))] {
            let map = maps.len() as u32;
            maps.push(aggregation(&format!("@m{map}"), kind, key.as_ref().map(|key| key.ty.clone())));
            for value in [2, 9, -5, 0] {
                // An unsigned minimum takes -5 as a huge number, and 0 is left out for it.
                let skip = kind == (Aggregation::Min { signed: false }) && value == 0;
                let value = hidden(if skip { 3 } else { value });
                statements.push(aggregate(map, key.clone(), Some(value)));
            }
            values.push((value_of(map, key, Type::I64), expected));
        }
    }
    numbers("aggregated", maps, statements, &values);
}

#[test]
fn buckets() {
    // A histogram cannot be read by a script, so it is kept where the test can see it: the first
    // 64-bit word of a row that begins at the bucket in question.
    let cases: [(Aggregation, i64, u64); 15] = [
        (Aggregation::Hist { bits: 0 }, -1, 0),
        (Aggregation::Hist { bits: 0 }, 0, 1),
        (Aggregation::Hist { bits: 0 }, 1, 2),
        (Aggregation::Hist { bits: 0 }, 2, 3),
        (Aggregation::Hist { bits: 0 }, 3, 3),
        (Aggregation::Hist { bits: 0 }, 1024, 12),
        (Aggregation::Hist { bits: 0 }, i64::MAX, 64),
        (Aggregation::Hist { bits: 2 }, 3, 4),
        (Aggregation::Hist { bits: 2 }, 4, 5),
        (Aggregation::Hist { bits: 2 }, 7, 8),
        (Aggregation::Hist { bits: 2 }, 8, 9),
        (Aggregation::Hist { bits: 2 }, 11, 10),
        (Aggregation::Lhist { min: -10, max: 10, step: 3 }, -11, 0),
        (Aggregation::Lhist { min: -10, max: 10, step: 3 }, -10, 1),
        (Aggregation::Lhist { min: -10, max: 10, step: 3 }, 10, 8),
    ];
    for (index, (kind, value, bucket)) in cases.into_iter().enumerate() {
        let name = format!("bucket{index}");
        let statements = vec![aggregate(0, Some(number(1)), Some(hidden(value)))];
        let map = Map {
            storage: MapStorage::Hash { per_cpu: false, lru: false, max_entries: 1 },
            ..aggregation("@h", kind, Some(Type::I64))
        };
        let program = program(vec![body(0, Context::TestRun, statements)], vec![map]);
        let compiled = compiled(&program);
        if !kernel::available() {
            return;
        }
        let object = kernel::with_constants(&compiled.object, &constants(&compiled));
        let rows = kernel::run_and_dump(&name, &object, "begin_0", "at_h");
        let row = rows[0]["formatted"]["value"].as_array().expect("a row");
        let found: Vec<u64> =
            (0..).zip(row).filter(|(_, n)| n.as_u64() != Some(0)).map(|(at, _)| at).collect();
        assert_eq!(found, [bucket], "{kind:?} of {value}");
    }
}
