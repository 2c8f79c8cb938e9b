//! Texts, tuples, buffers and other values in memory.

use btaot_abi::Bytes;
use btaot_abi::constants::StrSource;
use btaot_abi::ids::MapId;
use btaot_semantic::program::{Aggregation, EventValue, Expr, ExprKind, Stmt, StmtKind, VarId};
use btaot_semantic::types::{Int, Space, Type};

use super::build::*;
use super::{everywhere, loaded};

const BYTE: Type = Type::Int(Int { size: 1, signed: false });

fn address() -> Expr {
    event(EventValue::CurrentTask)
}

fn long_text() -> Expr {
    read_str(address(), Space::Kernel, 1024)
}

fn when(condition: Expr) -> Stmt {
    stmt(StmtKind::If { condition, then: vec![printf("yes", Vec::new())], otherwise: Vec::new() })
}

#[test]
fn comparisons_of_texts() {
    let comm = || event(EventValue::Comm);
    let short = read_str(address(), Space::Kernel, 10);
    let positional = || expr(ExprKind::StrConstant(StrSource::Positional(1)), Type::Str(1024));
    let statements = [
        when(equal(comm(), text("bash"))),
        when(equal(text("a-name-of-fifteen"), comm())),
        when(equal(comm(), comm())),
        when(equal(comm(), positional())),
        when(equal(long_text(), text("something of more than eight bytes"))),
        when(equal(long_text(), long_text())),
        when(equal(long_text(), positional())),
        when(equal(short, text("123456789"))),
    ];
    loaded("compare", &everywhere(&statements, Vec::new()));
}

#[test]
fn variables_in_memory() {
    let set = |id, value| stmt(StmtKind::SetVariable { variable: VarId(id), value });
    let widened = expr(ExprKind::Convert(Box::new(event(EventValue::Comm))), Type::Str(64));
    let cut = expr(ExprKind::Convert(Box::new(local(1, Type::Str(1024)))), Type::Str(64));
    let pair = || tuple(vec![event(EventValue::Tid), local(0, Type::Str(64))]);
    let choice = ExprKind::Ternary {
        condition: Box::new(equal(event(EventValue::Cpu), int(0))),
        then: Box::new(local(0, Type::Str(64))),
        otherwise: Box::new(expr(ExprKind::Convert(Box::new(text("other"))), Type::Str(64))),
    };
    let statements = [
        set(0, widened),
        set(1, long_text()),
        set(0, cut),
        set(0, expr(choice, Type::Str(64))),
        set(2, pair()),
        stmt(StmtKind::If {
            condition: equal(event(EventValue::Cpu), int(0)),
            then: vec![set(3, long_text())],
            otherwise: Vec::new(),
        }),
        printf("%s %s", vec![local(0, Type::Str(64)), local(1, Type::Str(1024))]),
        printf("%s", vec![local(3, Type::Str(1024))]),
        printf(
            "%d",
            vec![expr(ExprKind::Field { base: Box::new(local(2, pair().ty)), index: 0 }, Type::U32)],
        ),
        when(equal(
            expr(ExprKind::Field { base: Box::new(local(2, pair().ty)), index: 1 }, Type::Str(64)),
            text("tuple"),
        )),
        aggregate(0, Some(local(2, pair().ty)), None),
    ];
    let maps = vec![aggregation("@", Aggregation::Count, Some(pair().ty))];
    let mut program = everywhere(&statements, maps);
    for body in &mut program.bodies {
        body.variables = vec![
            variable("$short", Type::Str(64)),
            variable("$long", Type::Str(1024)),
            variable("$pair", pair().ty),
            variable("$late", Type::Str(1024)),
        ];
    }
    loaded("variables", &program);
}

#[test]
fn values_of_maps_in_memory() {
    let set = |map, key, value| stmt(StmtKind::SetMap { map: MapId(map), key, value });
    let key = || Some(event(EventValue::Tid));
    let long = Type::Str(1024);
    let odd = || tuple(vec![expr(ExprKind::Int(1), BYTE), event(EventValue::Comm), int(5)]);
    let comm_of = |map, key| expr(value_of(map, key, Type::Str(16)).kind, Type::Str(16));
    let statements = [
        set(0, None, event(EventValue::Comm)),
        set(1, key(), event(EventValue::Comm)),
        set(2, None, long_text()),
        set(3, key(), long_text()),
        set(4, Some(odd()), odd()),
        printf("%s%s", vec![comm_of(0, None), comm_of(1, key())]),
        printf("%s%s", vec![value_of(2, None, long.clone()), value_of(3, key(), long.clone())]),
        set(2, None, value_of(3, key(), long.clone())),
        set(3, key(), value_of(2, None, long.clone())),
        when(equal(value_of(3, key(), long.clone()), text("x"))),
        printf(
            "%d",
            vec![expr(
                ExprKind::Field { base: Box::new(value_of(4, Some(odd()), odd().ty)), index: 2 },
                Type::I64,
            )],
        ),
        stmt(StmtKind::Delete { map: MapId(2), key: None }),
        stmt(StmtKind::Delete { map: MapId(3), key: key() }),
    ];
    let maps = vec![
        plain("@a", Type::Str(16), None),
        plain("@b", Type::Str(16), Some(Type::U32)),
        plain("@c", long.clone(), None),
        plain("@d", long, Some(Type::U32)),
        plain("@e", odd().ty, Some(odd().ty)),
    ];
    loaded("values_in_maps", &everywhere(&statements, maps));
}

#[test]
fn other_values() {
    let buffer = |length: Option<Expr>| {
        let kind = ExprKind::ReadBuf {
            address: Box::new(address()),
            space: Space::Kernel,
            length: length.map(Box::new),
        };
        expr(kind, Type::Buf(64))
    };
    let cut = ExprKind::ReadStr {
        address: Box::new(address()),
        space: Space::User,
        length: Some(Box::new(event(EventValue::Random))),
    };
    let inet = |address: Expr, family: Option<Expr>| {
        expr(ExprKind::Inet { family: family.map(Box::new), address: Box::new(address) }, Type::Inet)
    };
    let bytes = |len| Type::Array { element: Box::new(BYTE), len };
    let as_array = expr(ExprKind::Convert(Box::new(event(EventValue::Nsecs))), bytes(8));
    let array_of = |len| {
        let pointer = expr(address().kind, pointer(bytes(len), Space::Kernel));
        expr(ExprKind::Deref(Box::new(pointer)), bytes(len))
    };
    let values = vec![
        buffer(None),
        buffer(Some(int(5))),
        buffer(Some(event(EventValue::Random))),
        expr(cut, Type::Str(1024)),
        expr(ExprKind::UserSymbol(Box::new(event(EventValue::Nsecs))), Type::UserSymbol),
        expr(ExprKind::Convert(Box::new(event(EventValue::Nsecs))), Type::KernelSymbol),
        expr(ExprKind::Convert(Box::new(event(EventValue::Uid))), Type::Username),
        expr(ExprKind::Convert(Box::new(event(EventValue::Cgroup))), Type::CgroupPath(Bytes::from("*"))),
        inet(event(EventValue::Pid), None),
        inet(array_of(4), None),
        inet(array_of(16), Some(int(10))),
        expr(ExprKind::Convert(Box::new(array_of(6))), Type::Mac),
        expr(
            ExprKind::Timestamp { format: Bytes::from("%H"), ns: Box::new(event(EventValue::Nsecs)) },
            Type::Timestamp,
        ),
        as_array.clone(),
        expr(ExprKind::Convert(Box::new(array_of(8))), Type::U64),
        expr(ExprKind::Index { base: Box::new(as_array), index: Box::new(event(EventValue::Cpu)) }, BYTE),
        expr(
            ExprKind::Index { base: Box::new(array_of(100)), index: Box::new(event(EventValue::Cpu)) },
            BYTE,
        ),
        expr(ExprKind::Index { base: Box::new(array_of(100)), index: Box::new(int(99)) }, BYTE),
        expr(ExprKind::Convert(Box::new(long_text())), Type::Bool),
        text("literal"),
    ];
    let record = Type::Record(vec![(Bytes::from("a"), BYTE), (Bytes::from("b"), Type::I64)]);
    let fields = ExprKind::Aggregate(vec![expr(ExprKind::Int(1), BYTE), int(2)]);
    let key = tuple(values.iter().take(13).cloned().collect());
    let statements = [
        printf("", values),
        stmt(StmtKind::Send(btaot_semantic::program::Message::Value(expr(fields, record)))),
        aggregate(0, Some(key.clone()), None),
    ];
    let maps = vec![aggregation("@", Aggregation::Count, Some(key.ty))];
    loaded("others", &everywhere(&statements, maps));
}

#[test]
fn more_numbers_than_the_stack_holds() {
    let count = 70;
    let set = |id| {
        let value = event(EventValue::Random);
        stmt(StmtKind::SetVariable { variable: VarId(id), value })
    };
    let mut statements: Vec<Stmt> = (0..count).map(set).collect();
    statements.push(printf("", (0..count).map(|id| local(id, Type::U32)).collect()));
    statements.push(when(equal(long_text(), text("x"))));
    let mut program = everywhere(&statements, Vec::new());
    for body in &mut program.bodies {
        body.variables = (0..count).map(|id| variable(&format!("$v{id}"), Type::U32)).collect();
    }
    loaded("many", &program);
}
