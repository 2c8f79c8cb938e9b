//! What the event brings: process, time, registers, context.

use std::collections::BTreeMap;

use btaot_abi::constants::IntSource;
use btaot_abi::features::KernelFeature;
use btaot_abi::metadata::Identity;
use btaot_semantic::program::{Context, EventValue, Expr, ExprKind, Location};

use super::read::Spot;
use super::repeat::Entry;
use super::{Fill, Lower};
use crate::bpf::error::Result;
use crate::bpf::helpers::Helper;
use crate::bpf::walk;
use crate::llvm::ir::Likely;
use crate::llvm::{Int, Ptr};

/// Values that were already fetched where the code being written can use them.
#[derive(Clone, Default)]
pub struct Known<'c> {
    pub(super) entry: Option<Entry<'c>>,
    pid_tgid: Option<Int<'c>>,
    uid_gid: Option<Int<'c>>,
    cpu: Option<Int<'c>>,
    task: Option<Int<'c>>,
    cgroup: Option<Int<'c>>,
    comm: Option<Ptr<'c>>,
    /// Arguments of a static probe.
    operands: [Option<Int<'c>>; 10],
}

/// Values that come from one helper call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// Process and thread id.
    PidTgid,
    /// User and group id.
    UidGid,
    /// CPU number.
    Cpu,
    /// Address of the task.
    Task,
    /// Cgroup id.
    Cgroup,
}

/// How often expressions ask each source; those asked once need not be remembered.
pub type Uses = BTreeMap<Source, u32>;

/// Adds what an expression itself asks.
pub fn note_use(expression: &Expr, uses: &mut Uses) {
    let ExprKind::Event(value) = &expression.kind else { return };
    let source = match value {
        EventValue::Pid | EventValue::Tid => Source::PidTgid,
        EventValue::Uid | EventValue::Gid => Source::UidGid,
        EventValue::Cpu => Source::Cpu,
        EventValue::CurrentTask => Source::Task,
        EventValue::Cgroup => Source::Cgroup,
        EventValue::Comm
        | EventValue::Nsecs
        | EventValue::Random
        | EventValue::MonotonicNsecs
        | EventValue::TaiNsecs
        | EventValue::InitialPid
        | EventValue::InitialTid
        | EventValue::Register(_)
        | EventValue::NumaNode
        | EventValue::Jiffies
        | EventValue::ProbeId
        | EventValue::Argument(_)
        | EventValue::ReturnValue
        | EventValue::KernelStack
        | EventValue::UserStack
        | EventValue::Context => return,
    };
    *uses.entry(source).or_default() += 1;
}

impl Known<'_> {
    /// Entering a branch: what was known before it.
    pub fn enter(&self) -> Self {
        self.clone()
    }

    /// Behind a branch: what was fetched inside it cannot be used.
    pub fn leave(&mut self, before: Self) {
        *self = before;
    }
}

/// Bytes of a thread's name, `TASK_COMM_LEN` of the kernel.
pub const COMM_SIZE: u32 = 16;

impl<'c> Lower<'_, '_, 'c> {
    /// A scalar that the event brings.
    pub(super) fn event_value(&mut self, value: EventValue, location: Location) -> Result<Int<'c>> {
        let ir = self.ir;
        Ok(match value {
            EventValue::Pid => self.pid(),
            EventValue::Tid => {
                let pid_tgid = self.pid_tgid();
                ir.and(pid_tgid, ir.i64(u32::MAX.into()))
            }
            EventValue::Uid => {
                let uid_gid = self.uid_gid();
                ir.and(uid_gid, ir.i64(u32::MAX.into()))
            }
            EventValue::Gid => {
                let uid_gid = self.uid_gid();
                ir.shr(uid_gid, ir.i64(32))
            }
            EventValue::Nsecs => self.helper(Helper::KtimeGetBootNs, &[]),
            EventValue::MonotonicNsecs => self.helper(Helper::KtimeGetNs, &[]),
            EventValue::TaiNsecs => self.choose(
                KernelFeature::TaiClock,
                |lower| lower.helper(Helper::KtimeGetTaiNs, &[]),
                |lower| {
                    let since_boot = lower.helper(Helper::KtimeGetBootNs, &[]);
                    let distance = lower.int_constant(IntSource::BootTaiOffset);
                    ir.add(since_boot, distance)
                },
            ),
            EventValue::InitialPid => {
                let pid_tgid = self.helper(Helper::GetCurrentPidTgid, &[]);
                ir.shr(pid_tgid, ir.i64(32))
            }
            EventValue::InitialTid => {
                let pid_tgid = self.helper(Helper::GetCurrentPidTgid, &[]);
                ir.and(pid_tgid, ir.i64(u32::MAX.into()))
            }
            // What a sample brings begins with its registers.
            EventValue::Register(offset) if self.body.context == Context::PerfEvent => {
                ir.load(64, ir.offset(self.context, offset.into()), 8)
            }
            EventValue::Register(offset) => return self.register(offset, location),
            EventValue::Cpu => self.cpu(),
            EventValue::CurrentTask => self.task(),
            EventValue::Random => self.helper(Helper::GetPrandomU32, &[]),
            EventValue::Cgroup => self.cgroup(),
            EventValue::NumaNode => self.helper(Helper::GetNumaNodeId, &[]),
            EventValue::Jiffies => self.helper(Helper::Jiffies64, &[]),
            EventValue::ProbeId => self.probe_id(),
            EventValue::Argument(number) => return self.argument(number, location),
            EventValue::ReturnValue => {
                let offset = self.unit.options.arch.pt_regs().return_value;
                return self.register(offset, location);
            }
            EventValue::Context => ir.address(self.context),
            EventValue::Comm | EventValue::KernelStack | EventValue::UserStack => {
                return self.unsupported(location, "this value is not a number");
            }
        })
    }

    /// Fetches what some of these expressions and others of the program ask for. Called where the
    /// expressions themselves are evaluated in a branch: what is fetched there is lost behind it.
    pub(super) fn prefetch<'e>(&mut self, expressions: impl IntoIterator<Item = &'e Expr>) {
        let mut here = Uses::new();
        for expression in expressions {
            walk::expression(expression, &mut |inner| note_use(inner, &mut here));
        }
        for (source, count) in here {
            if self.uses.get(&source).is_none_or(|all| *all <= count) {
                continue;
            }
            match source {
                Source::PidTgid => self.pid_tgid(),
                Source::UidGid => self.uid_gid(),
                Source::Cpu => self.cpu(),
                Source::Task => self.task(),
                Source::Cgroup => self.cgroup(),
            };
        }
    }

    fn task(&mut self) -> Int<'c> {
        self.once(|known| &mut known.task, |lower| lower.helper(Helper::GetCurrentTask, &[]))
    }

    fn cgroup(&mut self) -> Int<'c> {
        self.once(|known| &mut known.cgroup, |lower| lower.helper(Helper::GetCurrentCgroupId, &[]))
    }

    /// Fetches a value unless that was done before where it can be used.
    fn once(
        &mut self,
        place: impl for<'k> Fn(&'k mut Known<'c>) -> &'k mut Option<Int<'c>>,
        fetch: impl FnOnce(&mut Self) -> Int<'c>,
    ) -> Int<'c> {
        if let Some(value) = *place(&mut self.known) {
            return value;
        }
        let value = fetch(self);
        *place(&mut self.known) = Some(value);
        value
    }

    /// Process id in the tool's pid namespace.
    pub(super) fn pid(&mut self) -> Int<'c> {
        let pid_tgid = self.pid_tgid();
        self.ir.shr(pid_tgid, self.ir.i64(32))
    }

    /// The CPU number.
    pub(super) fn cpu(&mut self) -> Int<'c> {
        self.once(|known| &mut known.cpu, |lower| lower.helper(Helper::GetSmpProcessorId, &[]))
    }

    fn uid_gid(&mut self) -> Int<'c> {
        self.once(|known| &mut known.uid_gid, |lower| lower.helper(Helper::GetCurrentUidGid, &[]))
    }

    /// Process id (upper half) and thread id as the tool's pid namespace numbers them; 0 for
    /// processes outside it. The verifier removes the way that the namespace does not need.
    fn pid_tgid(&mut self) -> Int<'c> {
        self.once(
            |known| &mut known.pid_tgid,
            |lower| {
                let ir = lower.ir;
                let inode = lower.int_constant(IntSource::PidNamespaceInode);
                let (inner, initial, join) =
                    (lower.open("namespace"), lower.open("initial"), lower.open("pid"));
                ir.branch(ir.is_nonzero(inode), inner, initial, Likely::No);
                ir.at_end(inner);
                let device = lower.int_constant(IntSource::PidNamespaceDevice);
                let mark = lower.frame.mark();
                let numbers = lower.temporary(8);
                let arguments = [device.into(), inode.into(), numbers.into(), ir.i64(8).into()];
                // On failure the kernel clears the numbers.
                lower.helper(Helper::GetNsCurrentPidTgid, &arguments);
                let inside = ir.load(64, numbers, 8);
                lower.frame.reset(&mark);
                ir.jump(join);
                ir.at_end(initial);
                let outside = lower.helper(Helper::GetCurrentPidTgid, &[]);
                ir.jump(join);
                ir.at_end(join);
                ir.phi(&[(inside, inner), (outside, initial)])
            },
        )
    }

    /// The thread's name in memory, fetched once.
    pub(super) fn comm(&mut self) -> Ptr<'c> {
        if let Some(comm) = self.known.comm {
            return comm;
        }
        let piece = self.pinned(COMM_SIZE);
        let comm = self.piece(piece);
        self.fetch_comm(Spot::aligned(comm), Fill::Whole);
        self.known.comm = Some(comm);
        comm
    }

    /// The thread's name written to a destination of 16 bytes.
    pub(super) fn fill_comm(&mut self, to: Spot<'c>, how: Fill) {
        match self.known.comm {
            Some(comm) => self.copy(to, Spot::aligned(comm), COMM_SIZE),
            None => self.fetch_comm(to, how),
        }
    }

    fn fetch_comm(&mut self, to: Spot<'c>, how: Fill) {
        // Kernels before 6.4 leave what follows the name as it was, and names are compared as map keys.
        self.pad(to, 0, COMM_SIZE, how);
        let size = self.ir.i64(COMM_SIZE.into());
        self.helper(Helper::GetCurrentComm, &[to.pointer.into(), size.into()]);
    }

    fn probe_id(&mut self) -> Int<'c> {
        if self.identity == Identity::Constant {
            return self.int_constant(IntSource::ProbeId(self.body.id));
        }
        match self.body.context {
            // A program that the tool runs itself is given the number as its first argument.
            Context::TestRun => self.ir.load(64, self.context, 8),
            // Each of its probes has a copy of the program, which finds the number where a program with one probe does.
            Context::Tracing(_) => self.int_constant(IntSource::ProbeId(self.body.id)),
            Context::RawTracepoint(_) => self.cookie(KernelFeature::RawTracepointCookie),
            _ => self.cookie(KernelFeature::AttachCookie),
        }
    }

    /// The number from the cookie. A kernel without them is given a copy of the program for each probe, which finds the
    /// number where a program with one probe does.
    fn cookie(&mut self, feature: KernelFeature) -> Int<'c> {
        self.choose(
            feature,
            |lower| lower.helper(Helper::GetAttachCookie, &[lower.context.into()]),
            |lower| lower.int_constant(IntSource::ProbeId(lower.body.id)),
        )
    }

    fn argument(&mut self, number: u32, location: Location) -> Result<Int<'c>> {
        if self.body.context == Context::Usdt {
            if let Some(Some(value)) = self.known.operands.get(number as usize) {
                return Ok(*value);
            }
            let value = self.operand(number);
            if let Some(place) = self.known.operands.get_mut(number as usize) {
                *place = Some(value);
            }
            return Ok(value);
        }
        if matches!(self.body.context, Context::RawTracepoint(_)) {
            return Ok(self.ir.load(64, self.ir.offset(self.context, u64::from(number) * 8), 8));
        }
        match self.unit.options.arch.pt_regs().arguments.get(number as usize) {
            Some(offset) => self.register(*offset, location),
            None => self.unsupported(
                location,
                "this architecture passes that argument on the stack, which cannot be read by number",
            ),
        }
    }

    /// A register of the traced function.
    fn register(&mut self, offset: u16, location: Location) -> Result<Int<'c>> {
        match self.body.context {
            Context::Uprobe | Context::Usdt | Context::Kprobe => {
                Ok(self.ir.load(64, self.ir.offset(self.context, offset.into()), 8))
            }
            Context::TestRun
            | Context::Tracepoint(_)
            | Context::PerfEvent
            | Context::RawTracepoint(_)
            | Context::Tracing(_)
            | Context::Iter => self.unsupported(location, "this probe has no traced function with arguments"),
        }
    }
}
