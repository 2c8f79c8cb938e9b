//! Every aggregation, plain map operation, message and event value, in every kind of program.

use btaot_abi::Bytes;
use btaot_abi::aggregation::{Series, SeriesHow};
use btaot_abi::constants::{IntSource, StrSource};
use btaot_abi::ids::MapId;
use btaot_semantic::program::{
    Aggregation, BinaryOp, Context, EventValue, Expr, ExprKind, Message, Stmt, StmtKind, Target, UnaryOp,
    VarId,
};
use btaot_semantic::types::{Int, Space, StackMode, StackShape, Type};

use super::build::*;
use super::{everywhere, loaded};

const AGGREGATIONS: [(&str, Aggregation); 13] = [
    ("@count", Aggregation::Count),
    ("@sum", Aggregation::Sum { signed: true }),
    ("@min", Aggregation::Min { signed: true }),
    ("@minu", Aggregation::Min { signed: false }),
    ("@max", Aggregation::Max { signed: true }),
    ("@maxu", Aggregation::Max { signed: false }),
    ("@avg", Aggregation::Avg { signed: true }),
    ("@stats", Aggregation::Stats { signed: false }),
    ("@hist", Aggregation::Hist { bits: 0 }),
    ("@hist3", Aggregation::Hist { bits: 3 }),
    ("@lhist", Aggregation::Lhist { min: -10, max: 1000, step: 7 }),
    ("@series", series(SeriesHow::Last)),
    ("@least", series(SeriesHow::Min)),
];

const fn series(how: SeriesHow) -> Aggregation {
    Aggregation::Series(Series { interval: 100_000_000, count: 1000, how, signed: true })
}

fn value(kind: Aggregation) -> Option<Expr> {
    (kind != Aggregation::Count).then(|| event(EventValue::Nsecs))
}

#[test]
fn aggregations_without_keys() {
    let statements: Vec<Stmt> =
        (0..).zip(AGGREGATIONS).map(|(map, (_, kind))| aggregate(map, None, value(kind))).collect();
    let maps = AGGREGATIONS.map(|(name, kind)| aggregation(name, kind, None)).to_vec();
    loaded("keyless", &everywhere(&statements, maps));
}

#[test]
fn aggregations_with_keys() {
    let key = || tuple(vec![event(EventValue::Pid), event(EventValue::Comm)]);
    let statements: Vec<Stmt> =
        (0..).zip(AGGREGATIONS).map(|(map, (_, kind))| aggregate(map, Some(key()), value(kind))).collect();
    let maps = AGGREGATIONS.map(|(name, kind)| aggregation(name, kind, Some(key().ty))).to_vec();
    loaded("keyed", &everywhere(&statements, maps));
}

#[test]
fn aggregations_are_read_and_cleared() {
    let numbers = &AGGREGATIONS[..8];
    let mut statements = Vec::new();
    let mut maps = Vec::new();
    for (map, (name, kind)) in (0..).step_by(2).zip(numbers) {
        let ty = Type::I64;
        statements.push(aggregate(map, None, value(*kind)));
        statements.push(aggregate(map + 1, Some(event(EventValue::Pid)), value(*kind)));
        statements.push(printf("%d", vec![value_of(map, None, ty.clone())]));
        statements.push(printf("%d", vec![value_of(map + 1, Some(event(EventValue::Pid)), ty)]));
        statements.push(stmt(StmtKind::Delete { map: MapId(map), key: None }));
        let key = Some(event(EventValue::Pid));
        statements.push(stmt(StmtKind::Delete { map: MapId(map + 1), key }));
        maps.push(aggregation(name, *kind, None));
        maps.push(aggregation(&format!("{name}k"), *kind, Some(Type::U32)));
    }
    loaded("read", &everywhere(&statements, maps));
}

const INTS: [Int; 4] = [
    Int { size: 1, signed: true },
    Int { size: 2, signed: false },
    Int { size: 4, signed: true },
    Int { size: 8, signed: false },
];

#[test]
fn plain_maps() {
    let (mut statements, mut maps) = (Vec::new(), Vec::new());
    for (number, int) in (0..).zip(INTS) {
        for keyed in [false, true] {
            let map = MapId(maps.len() as u32);
            let ty = Type::Int(int);
            let key = || keyed.then(|| event(EventValue::Tid));
            let one = || Expr { ty: ty.clone(), ..int_of(number + 3) };
            statements.push(stmt(StmtKind::SetMap { map, key: key(), value: one() }));
            for op in [BinaryOp::Add, BinaryOp::Sub, BinaryOp::Mul, BinaryOp::ShiftLeft, BinaryOp::Div] {
                statements.push(stmt(StmtKind::UpdateMap { map, key: key(), op, value: one() }));
            }
            for post in [false, true] {
                let target = Target::Map { map, key: key().map(Box::new) };
                let changed = expr(ExprKind::Increment { target, by: -1, post }, Type::I64);
                statements.push(printf("%d", vec![changed.clone()]));
                statements.push(stmt(StmtKind::Discard(changed)));
            }
            statements.push(printf("%d", vec![value_of(map.0, key(), ty.clone())]));
            statements.push(stmt(StmtKind::Delete { map, key: key() }));
            maps.push(plain(&format!("@m{number}{keyed}"), ty.clone(), keyed.then_some(Type::U32)));
        }
    }
    let key = Box::new(event(EventValue::Tid));
    let has = expr(ExprKind::HasKey { map: MapId(1), key }, Type::Bool);
    statements.push(printf("%d", vec![has, expr(ExprKind::MapLen(MapId(1)), Type::U64)]));
    loaded("plain", &everywhere(&statements, maps));
}

fn int_of(value: u64) -> Expr {
    int(value)
}

#[test]
fn operators() {
    let mut statements = Vec::new();
    let x = || event(EventValue::Nsecs);
    let y = || local(0, Type::U64);
    statements.push(stmt(StmtKind::SetVariable { variable: VarId(0), value: event(EventValue::Random) }));
    for op in [
        BinaryOp::Add,
        BinaryOp::Sub,
        BinaryOp::Mul,
        BinaryOp::Div,
        BinaryOp::Mod,
        BinaryOp::BitAnd,
        BinaryOp::BitOr,
        BinaryOp::BitXor,
        BinaryOp::ShiftLeft,
        BinaryOp::ShiftRight,
    ] {
        statements.push(printf("%d", vec![binary(op, x(), y(), Type::U64)]));
    }
    let compare = |op, ty: Type| {
        let cast = |inner: Expr| expr(ExprKind::Convert(Box::new(inner)), ty.clone());
        binary(op, cast(x()), cast(y()), Type::Bool)
    };
    for op in [
        BinaryOp::Equal,
        BinaryOp::NotEqual,
        BinaryOp::Less,
        BinaryOp::LessEqual,
        BinaryOp::Greater,
        BinaryOp::GreaterEqual,
    ] {
        for ty in [Type::U64, Type::I64, Type::Int(INTS[0]), Type::Int(INTS[1])] {
            let both = binary(BinaryOp::Or, compare(op, ty.clone()), compare(op, ty), Type::Bool);
            let condition = binary(BinaryOp::And, both, compare(BinaryOp::Less, Type::U64), Type::Bool);
            statements.push(stmt(StmtKind::If {
                condition: condition.clone(),
                then: vec![printf("%d", vec![condition])],
                otherwise: vec![stmt(StmtKind::Return)],
            }));
        }
    }
    for op in [UnaryOp::Negate, UnaryOp::Complement] {
        let operand = Box::new(x());
        statements.push(printf("%d", vec![expr(ExprKind::Unary { op, operand }, Type::I64)]));
    }
    let operand = Box::new(compare(BinaryOp::Less, Type::U64));
    let not = expr(ExprKind::Unary { op: UnaryOp::Not, operand }, Type::Bool);
    let choice = ExprKind::Ternary {
        condition: Box::new(not),
        then: Box::new(x()),
        otherwise: Box::new(event(EventValue::Cpu)),
    };
    statements.push(printf("%d", vec![expr(choice, Type::U64)]));
    let target = Target::Variable(VarId(0));
    let step = stmt(StmtKind::Discard(expr(ExprKind::Increment { target, by: 1, post: true }, Type::I64)));
    statements.push(stmt(StmtKind::Unroll { count: 5, body: vec![step, printf("%d", vec![y()])] }));
    let mut program = everywhere(&statements, Vec::new());
    program.bodies.iter_mut().for_each(|body| body.variables.push(variable("$x", Type::U64)));
    loaded("operators", &program);
}

#[test]
fn event_values() {
    let mut values = vec![
        event(EventValue::Pid),
        event(EventValue::Tid),
        event(EventValue::Uid),
        event(EventValue::Gid),
        event(EventValue::Comm),
        event(EventValue::Nsecs),
        event(EventValue::Cpu),
        event(EventValue::CurrentTask),
        event(EventValue::Random),
        event(EventValue::Cgroup),
        event(EventValue::Context),
        expr(ExprKind::Event(EventValue::ProbeId), Type::ProbeName),
        expr(ExprKind::Event(EventValue::ProbeId), Type::ProbeFunction),
    ];
    for source in [
        IntSource::ElapsedStart,
        IntSource::Positional(2),
        IntSource::PositionalCount,
        IntSource::ChildPid,
        IntSource::OwnPid,
        IntSource::Feature(btaot_abi::features::KernelFeature::PerfLink),
    ] {
        values.push(expr(ExprKind::IntConstant(source), Type::I64));
    }
    values.push(expr(ExprKind::StrConstant(StrSource::Positional(1)), Type::Str(1024)));
    loaded("values", &everywhere(&[printf("", values)], Vec::new()));
}

#[test]
fn messages() {
    let message = |message| stmt(StmtKind::Send(message));
    let statements = [
        message(Message::Value(tuple(vec![event(EventValue::Pid), event(EventValue::Comm), int(7)]))),
        message(Message::Value(event(EventValue::Comm))),
        message(Message::PrintMap { map: MapId(0), top: 3, div: 1000 }),
        message(Message::ClearMap(MapId(0))),
        message(Message::ZeroMap(MapId(0))),
        message(Message::Time(Bytes::from("%H:%M:%S\n"))),
        message(Message::Exit(int(3))),
        stmt(StmtKind::Return),
        message(Message::Exit(int(4))),
    ];
    let maps = vec![aggregation("@h", Aggregation::Hist { bits: 0 }, Some(Type::U32))];
    loaded("messages", &everywhere(&statements, maps));
}

#[test]
fn stacks() {
    let shape = |limit| StackShape { mode: StackMode::Bpftrace, limit };
    let kernel = |limit| expr(ExprKind::Event(EventValue::KernelStack), Type::KernelStack(shape(limit)));
    let user = |limit| expr(ExprKind::Event(EventValue::UserStack), Type::UserStack(shape(limit)));
    let key = || tuple(vec![kernel(127), user(127)]);
    let statements = [
        printf("%s %s", vec![kernel(127), user(127)]),
        printf("%s", vec![user(3)]),
        printf("%d", vec![expr(ExprKind::StackLen(Box::new(kernel(127))), Type::U64)]),
        aggregate(0, Some(key()), None),
        aggregate(1, Some(user(127)), None),
    ];
    let maps = vec![
        aggregation("@both", Aggregation::Count, Some(key().ty)),
        aggregation("@user", Aggregation::Count, Some(user(127).ty)),
    ];
    loaded("stacks", &everywhere(&statements, maps));
}

#[test]
fn arguments_and_results() {
    let values: Vec<Expr> = (0..6)
        .map(|number| event(EventValue::Argument(number)))
        .chain([event(EventValue::ReturnValue)])
        .collect();
    let statements = vec![
        printf("", values),
        printf("%s", vec![read_str(event(EventValue::Argument(0)), Space::User, 64)]),
    ];
    let bodies = (0..)
        .zip([Context::Uprobe, Context::Usdt, Context::Kprobe])
        .map(|(id, context)| body(id, context, statements.clone()));
    loaded("arguments", &program(bodies.collect(), Vec::new()));
}
