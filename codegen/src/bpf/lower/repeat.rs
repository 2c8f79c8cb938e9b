//! Values of maps that are asked for again: `/@start[tid]/ { … nsecs - @start[tid] … }` looks once.

use btaot_abi::ids::MapId;
use btaot_semantic::program::{EventValue, Expr, ExprKind};

use super::Lower;
use crate::llvm::Int;

/// A number that was read from a map.
#[derive(Clone)]
pub struct Entry<'c> {
    map: MapId,
    key: Expr,
    value: Int<'c>,
    /// [`Lower::writes`] at that time.
    writes: u32,
}

impl<'c> Lower<'_, '_, 'c> {
    /// The number that was read for this key, if the program has written to no map since.
    pub(super) fn read_before(&self, map: MapId, key: &Expr) -> Option<Int<'c>> {
        let entry = self.known.entry.as_ref()?;
        let same = entry.map == map && entry.writes == self.writes && is_same(&entry.key, key);
        same.then_some(entry.value)
    }

    /// Remembers what was read for a key.
    pub(super) fn remember(&mut self, map: MapId, key: &Expr, value: Int<'c>) {
        if is_same(key, key) {
            self.known.entry = Some(Entry { map, key: key.clone(), value, writes: self.writes });
        }
    }

    /// What was read before is no longer known: a map is written to, or what follows may be reached again.
    pub(super) fn forget_reads(&mut self) {
        self.writes += 1;
    }
}

/// Whether two keys are equal wherever in the program they stand: made of what does not change while it runs.
fn is_same(a: &Expr, b: &Expr) -> bool {
    a.ty == b.ty
        && match (&a.kind, &b.kind) {
            (ExprKind::Int(a), ExprKind::Int(b)) => a == b,
            (ExprKind::Str(a), ExprKind::Str(b)) => a == b,
            (ExprKind::Event(a), ExprKind::Event(b)) => a == b && is_constant(*a),
            (ExprKind::Convert(a), ExprKind::Convert(b)) => is_same(a, b),
            (ExprKind::Aggregate(a), ExprKind::Aggregate(b)) => {
                a.len() == b.len() && a.iter().zip(b).all(|(a, b)| is_same(a, b))
            }
            _ => false,
        }
}

/// Whether an event brings just one such value.
fn is_constant(value: EventValue) -> bool {
    match value {
        EventValue::Pid
        | EventValue::Tid
        | EventValue::InitialPid
        | EventValue::InitialTid
        | EventValue::Uid
        | EventValue::Gid
        | EventValue::CurrentTask
        | EventValue::Cgroup
        | EventValue::Argument(_)
        | EventValue::ReturnValue
        | EventValue::Register(_)
        | EventValue::ProbeId
        | EventValue::Context => true,
        // A program may be moved to another CPU, and a name can be changed by another thread.
        EventValue::Cpu
        | EventValue::NumaNode
        | EventValue::Comm
        | EventValue::Nsecs
        | EventValue::MonotonicNsecs
        | EventValue::TaiNsecs
        | EventValue::Jiffies
        | EventValue::Random
        | EventValue::KernelStack
        | EventValue::UserStack => false,
    }
}
