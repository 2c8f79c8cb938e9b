//! Structures: the kernel's by CO-RE, tracepoint records, and the script's own.

use btaot_abi::Bytes;
use btaot_semantic::program::{Aggregation, Context, EventValue, Expr, ExprKind, Program};
use btaot_semantic::types::{Enum, EnumId, Int, Origin, Space, Struct, StructField, StructId, Structs, Type};

use super::build::*;
use super::{CONTEXTS, compiled, loaded};

const TASK: u32 = 0;
const SE: u32 = 1;
const FILE: u32 = 2;
const SCRIPT: u32 = 3;
const SWITCH: u32 = 4;
const SIGNAL: u32 = 5;
const U32_BIT: Type = Type::U32;

fn bits(name: &str, bit: u64, bits: u32) -> StructField {
    StructField { bits: Some(bits), bit_offset: bit, ..field(name, U32_BIT, 0) }
}

/// Kernel structures with offsets that are wrong on purpose: relocation must put them right.
fn structs() -> Structs {
    let task = pointer(Type::Struct(StructId(TASK)), Space::Kernel);
    let member = |name: &str, ty| field(name, ty, 64);
    let array = |element, len| Type::Array { element: Box::new(element), len };
    Structs {
        structs: vec![
            structure(
                "task_struct",
                Origin::Kernel,
                4096,
                vec![
                    member("pid", I32),
                    member("comm", Type::Str(16)),
                    member("real_parent", task),
                    member("se", Type::Struct(StructId(SE))),
                    bits("sched_reset_on_fork", 512, 1),
                    member("files", pointer(Type::Struct(StructId(FILE)), Space::Kernel)),
                    member("policy", Type::U32),
                ],
            ),
            structure("sched_entity", Origin::Kernel, 256, vec![member("exec_start", Type::U64)]),
            structure(
                "files_struct",
                Origin::Kernel,
                700,
                vec![member("fd_array", array(pointer(Type::Void, Space::Kernel), 64))],
            ),
            Struct {
                name: Bytes::from("mine"),
                union: false,
                origin: Origin::Script,
                size: 40,
                fields: vec![
                    field("a", Type::U32, 0),
                    bits("low", 32, 3),
                    StructField { ty: I32, ..bits("high", 35, 13) },
                    field("text", Type::Str(16), 8),
                    field("numbers", array(Type::Int(Int { size: 2, signed: true }), 4), 24),
                    field("next", pointer(Type::Struct(StructId(SCRIPT)), Space::User), 32),
                ],
            },
            structure(
                "trace_event_raw_sched_switch",
                Origin::Tracepoint,
                64,
                vec![
                    field("prev_comm", Type::Str(16), 16),
                    field("prev_pid", I32, 32),
                    field("prev_state", Type::I64, 40),
                    StructField {
                        data_loc: true,
                        ..field(
                            "next_prio",
                            pointer(Type::Int(Int { size: 1, signed: true }), Space::Kernel),
                            60,
                        )
                    },
                ],
            ),
            Struct {
                union: true,
                ..structure("sigval", Origin::Kernel, 8, vec![field("sival_int", I32, 0)])
            },
        ],
        enums: vec![Enum {
            name: Bytes::from("pid_type"),
            int: Int { size: 4, signed: false },
            variants: vec![(Bytes::from("PIDTYPE_PID"), 0)],
            origin: Origin::Kernel,
        }],
    }
}

fn with_structs(mut program: Program) -> Program {
    program.structs = structs();
    program
}

fn kernel_reads() -> Vec<Expr> {
    let task = || pointer(Type::Struct(StructId(TASK)), Space::Kernel);
    let parent = || arrow(current_task(), TASK, 2, task());
    let entity = || arrow(parent(), TASK, 3, Type::Struct(StructId(SE)));
    let files = || arrow(current_task(), TASK, 5, pointer(Type::Struct(StructId(FILE)), Space::Kernel));
    let void = || pointer(Type::Void, Space::Kernel);
    let table = || arrow(files(), FILE, 0, Type::Array { element: Box::new(void()), len: 64 });
    let at = |index: Expr| expr(ExprKind::Index { base: Box::new(table()), index: Box::new(index) }, void());
    let signal = expr(current_task().kind, pointer(Type::Struct(StructId(SIGNAL)), Space::Kernel));
    vec![
        arrow(current_task(), TASK, 0, I32),
        arrow(parent(), TASK, 0, I32),
        arrow(current_task(), TASK, 1, Type::Str(16)),
        dot(entity(), SE, 0, Type::U64),
        arrow(current_task(), TASK, 4, U32_BIT),
        at(int(3)),
        at(event(EventValue::Cpu)),
        arrow(current_task(), TASK, 6, Type::U32),
        arrow(signal, SIGNAL, 0, I32),
        expr(
            ExprKind::Enumerator {
                name: Bytes::from("pid_type"),
                variant: Bytes::from("PIDTYPE_SID"),
                value: 99,
            },
            Type::Enum(EnumId(0)),
        ),
        expr(ExprKind::AddressOf(Box::new(arrow(current_task(), TASK, 0, I32))), void()),
    ]
}

#[test]
fn kernel_structures() {
    let key = arrow(current_task(), TASK, 1, Type::Str(16));
    let statements = vec![printf("", kernel_reads()), aggregate(0, Some(key), None)];
    let bodies = (0..).zip(CONTEXTS).map(|(id, context)| body(id, context, statements.clone()));
    let maps = vec![aggregation("@", Aggregation::Count, Some(Type::Str(16)))];
    let program = with_structs(program(bodies.collect(), maps));
    let core = compiled(&program).metadata.core;
    assert_eq!(core.roots, ["task_struct", "files_struct", "sigval", "pid_type"]);
    let checked: Vec<String> = core
        .checks
        .iter()
        .map(|check| format!("{}.{}={}", check.structure, check.path.join("."), check.size))
        .collect();
    assert_eq!(
        checked,
        [
            "task_struct.pid=4",
            "task_struct.comm=16",
            "task_struct.se.exec_start=8",
            "task_struct.policy=4",
            "sigval.sival_int=4",
        ]
    );
    loaded("kernel_structures", &program);
}

#[test]
fn structures_of_the_script() {
    for (space, name) in [(Space::User, "script_user"), (Space::Kernel, "script_kernel")] {
        let mine = || expr(event(EventValue::Nsecs).kind, pointer(Type::Struct(StructId(SCRIPT)), space));
        let numbers = || {
            let ty = Type::Array { element: Box::new(Type::Int(Int { size: 2, signed: true })), len: 4 };
            arrow(mine(), SCRIPT, 4, ty)
        };
        let element = |index| {
            let kind = ExprKind::Index { base: Box::new(numbers()), index: Box::new(index) };
            expr(kind, Type::Int(Int { size: 2, signed: true }))
        };
        let next = arrow(mine(), SCRIPT, 5, pointer(Type::Struct(StructId(SCRIPT)), Space::User));
        let whole = expr(ExprKind::Deref(Box::new(mine())), Type::Struct(StructId(SCRIPT)));
        let values = vec![
            arrow(mine(), SCRIPT, 0, Type::U32),
            arrow(mine(), SCRIPT, 1, Type::U32),
            arrow(mine(), SCRIPT, 2, I32),
            arrow(mine(), SCRIPT, 3, Type::Str(16)),
            numbers(),
            element(int(2)),
            element(event(EventValue::Cpu)),
            arrow(next, SCRIPT, 0, Type::U32),
        ];
        let set = stmt(btaot_semantic::program::StmtKind::SetVariable {
            variable: btaot_semantic::program::VarId(0),
            value: whole,
        });
        let held = || local(0, Type::Struct(StructId(SCRIPT)));
        let held_values = vec![
            dot(held(), SCRIPT, 0, Type::U32),
            dot(held(), SCRIPT, 2, I32),
            dot(held(), SCRIPT, 3, Type::Str(16)),
        ];
        let statements = vec![printf("", values), set, printf("", held_values)];
        let bodies = (0..).zip(CONTEXTS).map(|(id, context)| {
            let mut body = body(id, context, statements.clone());
            body.variables.push(variable("$x", Type::Struct(StructId(SCRIPT))));
            body
        });
        loaded(name, &with_structs(program(bodies.collect(), Vec::new())));
    }
}

#[test]
fn tracepoint_records() {
    let context = Context::Tracepoint(Some(StructId(SWITCH)));
    let args = || {
        expr(ExprKind::Event(EventValue::Context), pointer(Type::Struct(StructId(SWITCH)), Space::Context))
    };
    let text = arrow(args(), SWITCH, 3, pointer(Type::Int(Int { size: 1, signed: true }), Space::Kernel));
    let values = vec![
        arrow(args(), SWITCH, 0, Type::Str(16)),
        arrow(args(), SWITCH, 1, I32),
        arrow(args(), SWITCH, 2, Type::I64),
        read_str(text, Space::Kernel, 64),
    ];
    let mut body = body(
        0,
        context,
        vec![
            printf("", values),
            aggregate(
                0,
                Some(tuple(vec![arrow(args(), SWITCH, 0, Type::Str(16)), arrow(args(), SWITCH, 1, I32)])),
                None,
            ),
        ],
    );
    body.predicate = Some(equal(arrow(args(), SWITCH, 1, I32), int(7)));
    let key = Type::Tuple(vec![Type::Str(16), I32]);
    let maps = vec![aggregation("@", Aggregation::Count, Some(key))];
    let program = with_structs(program(vec![body], maps));
    let metadata = compiled(&program).metadata;
    assert!(metadata.core.roots.is_empty());
    let args = metadata.programs[0].tracepoint.clone().expect("arguments are read");
    let fields: Vec<(String, u32)> = args.fields.into_iter().map(|field| (field.name, field.size)).collect();
    let expected = [("prev_comm", 16), ("prev_pid", 4), ("prev_state", 8), ("next_prio", 4)];
    assert_eq!(fields, expected.map(|(name, size)| (name.into(), size)));
    loaded("tracepoint", &program);
}
