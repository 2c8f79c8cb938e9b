//! Typed programs made by hand.

use btaot_abi::Bytes;
use btaot_abi::ids::{MapId, ProgramId};
use btaot_abi::metadata::{
    AttachPoint, Config, Fentry, Kprobe, Location, MissingProbes, Place, Target, Uprobe, Usdt,
};
use btaot_semantic::program::{
    Aggregation, BinaryOp, Body, Contents, Context, EventValue, Expr, ExprKind, Map, MapStorage, Message,
    Program, Stmt, StmtKind, VarId, Variable,
};
use btaot_semantic::types::{Int, Origin, Space, Struct, StructField, StructId, Structs, Type};

pub const HERE: Location = Location { line: 1, column: 1, end_column: 2 };

pub fn at(line: u32, column: u32) -> Location {
    Location { line, column, end_column: column + 1 }
}

pub fn config() -> Config {
    Config {
        max_strlen: 1024,
        str_trunc_trailer: Bytes::from(".."),
        max_map_keys: 4096,
        print_maps_on_exit: true,
        demangle: true,
        ring_pages: None,
        max_cat_bytes: 10_240,
        missing_probes: MissingProbes::Error,
        license: Bytes::from("GPL"),
    }
}

/// A program with one clause for each context, each with the same statements.
pub fn program(bodies: Vec<Body>, maps: Vec<Map>) -> Program {
    Program {
        name: Bytes::from("test.bt"),
        config: config(),
        structs: Structs::default(),
        maps,
        bodies,
        positional: 0,
        options: Vec::new(),
    }
}

pub fn body(id: u32, context: Context, statements: Vec<Stmt>) -> Body {
    Body {
        id: ProgramId(id),
        location: HERE,
        context,
        attach: vec![attach(context)],
        binaries: Vec::new(),
        variables: Vec::new(),
        predicate: None,
        statements,
        result: None,
    }
}

pub fn attach(context: Context) -> AttachPoint {
    let place = Place::Symbol { name: Bytes::from("f"), offset: 0 };
    let target = match context {
        Context::TestRun => Target::Begin,
        Context::Uprobe => Target::Uprobe(Uprobe { path: Bytes::from("/bin/true"), place, ret: false }),
        Context::Usdt => {
            Target::Usdt(Usdt { path: Bytes::from("/bin/true"), provider: None, name: Bytes::from("p") })
        }
        Context::Kprobe => Target::Kprobe(Kprobe { module: None, place, ret: false }),
        Context::Tracepoint(_) => {
            Target::Tracepoint { category: Bytes::from("sched"), event: Bytes::from("sched_switch") }
        }
        Context::PerfEvent => Target::Software { event: 0, period: 1 },
        Context::RawTracepoint(_) => {
            Target::RawTracepoint { module: None, event: Bytes::from("sched_switch") }
        }
        Context::Tracing(_) => {
            Target::Fentry(Fentry { module: None, function: Bytes::from("vfs_open"), ret: false })
        }
        Context::Iter => Target::Iter { name: Bytes::from("task"), pin: None },
    };
    AttachPoint { name: Bytes::from("probe"), location: HERE, target, named: false, optional: false }
}

pub fn variable(name: &str, ty: Type) -> Variable {
    Variable { name: Bytes::from(name), ty }
}

pub fn stmt(kind: StmtKind) -> Stmt {
    Stmt { kind, location: at(1, 5) }
}

pub fn expr(kind: ExprKind, ty: Type) -> Expr {
    Expr { kind, ty, location: at(1, 9) }
}

pub fn int(value: u64) -> Expr {
    expr(ExprKind::Int(value), Type::I64)
}

pub fn text(value: &str) -> Expr {
    expr(ExprKind::Str(Bytes::from(value)), Type::Str(value.len() as u32 + 1))
}

pub fn event(value: EventValue) -> Expr {
    let ty = match value {
        EventValue::Pid | EventValue::Tid | EventValue::Random => Type::U32,
        EventValue::Comm => Type::Str(16),
        _ => Type::U64,
    };
    expr(ExprKind::Event(value), ty)
}

pub fn binary(op: BinaryOp, left: Expr, right: Expr, ty: Type) -> Expr {
    expr(ExprKind::Binary { op, left: Box::new(left), right: Box::new(right) }, ty)
}

pub fn equal(left: Expr, right: Expr) -> Expr {
    binary(BinaryOp::Equal, left, right, Type::Bool)
}

pub fn read_str(address: Expr, space: Space, size: u32) -> Expr {
    expr(ExprKind::ReadStr { address: Box::new(address), space, length: None }, Type::Str(size))
}

pub fn tuple(fields: Vec<Expr>) -> Expr {
    let ty = Type::Tuple(fields.iter().map(|field| field.ty.clone()).collect());
    expr(ExprKind::Aggregate(fields), ty)
}

pub fn local(id: u32, ty: Type) -> Expr {
    expr(ExprKind::Variable(VarId(id)), ty)
}

pub fn printf(format: &str, arguments: Vec<Expr>) -> Stmt {
    stmt(StmtKind::Send(Message::Printf { format: Bytes::from(format), arguments }))
}

pub fn value_of(map: u32, key: Option<Expr>, ty: Type) -> Expr {
    expr(ExprKind::MapValue { map: MapId(map), key: key.map(Box::new) }, ty)
}

pub fn aggregate(map: u32, key: Option<Expr>, value: Option<Expr>) -> Stmt {
    stmt(StmtKind::Aggregate { map: MapId(map), key, value })
}

pub fn aggregation(name: &str, kind: Aggregation, key: Option<Type>) -> Map {
    let storage = match key {
        None => MapStorage::CpuRows,
        Some(_) => MapStorage::Hash { per_cpu: true, lru: false, max_entries: 4096 },
    };
    Map { name: Bytes::from(name), key, contents: Contents::Aggregate(kind), storage, location: HERE }
}

pub fn plain(name: &str, ty: Type, key: Option<Type>) -> Map {
    let storage = match key {
        None => MapStorage::Global,
        Some(_) => MapStorage::Hash { per_cpu: false, lru: false, max_entries: 4096 },
    };
    Map { name: Bytes::from(name), key, contents: Contents::Plain(ty), storage, location: HERE }
}

pub const I32: Type = Type::Int(Int { size: 4, signed: true });

pub fn field(name: &str, ty: Type, byte: u64) -> StructField {
    StructField { name: Bytes::from(name), ty, bit_offset: byte * 8, bits: None, data_loc: false }
}

pub fn structure(name: &str, origin: Origin, size: u32, fields: Vec<StructField>) -> Struct {
    Struct { name: Bytes::from(name), union: false, origin, size, fields }
}

pub fn pointer(to: Type, space: Space) -> Type {
    Type::Pointer { to: Box::new(to), space }
}

/// `curtask` as a pointer to structure 0.
pub fn current_task() -> Expr {
    expr(ExprKind::Event(EventValue::CurrentTask), pointer(Type::Struct(StructId(0)), Space::Kernel))
}

/// `base->field` of a structure.
pub fn arrow(base: Expr, id: u32, index: u32, ty: Type) -> Expr {
    let target = expr(ExprKind::Deref(Box::new(base)), Type::Struct(StructId(id)));
    dot(target, id, index, ty)
}

/// `base.field` of a structure.
pub fn dot(base: Expr, id: u32, index: u32, ty: Type) -> Expr {
    expr(ExprKind::Member { base: Box::new(base), structure: StructId(id), field: index }, ty)
}
