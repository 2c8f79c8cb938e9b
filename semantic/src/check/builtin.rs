//! Builtins: what a bare name of the vocabulary gives.

use btaot_abi::Bytes;
use btaot_abi::arch::Arch;
use btaot_abi::constants::IntSource;
use btaot_frontend::{Code, Diagnostic, Span, ast};
use btaot_grammar::vocabulary::{Builtin, Function, ProbeKind, ProbeSet};

use super::Checker;
use super::convert::converted;
use super::ops::binary_kind;
use super::typename::DEFAULT_FRAMES;
use crate::probes::Layout;
use crate::program::{BinaryOp, EventValue, Expr, ExprKind};
use crate::ty::Ty;
use crate::types::{Space, StackMode, StackShape, Type};
use crate::value::{Checked, Literal, Value};

/// Bytes of a thread's name: `TASK_COMM_LEN` of linux/sched.h.
pub(super) const COMM_LEN: u32 = 16;

impl Checker<'_, '_> {
    pub(super) fn builtin(&mut self, builtin: Builtin, span: Span) -> Checked<Value> {
        self.require(builtin, span)?;
        let event = |checker: &Self, ty: Ty, value: EventValue| {
            Ok(Value::new(ty, ExprKind::Event(value), checker.location(span)))
        };
        match builtin {
            Builtin::Pid => event(self, Ty::int(4, false), EventValue::Pid),
            Builtin::Tid => event(self, Ty::int(4, false), EventValue::Tid),
            Builtin::Uid => event(self, Ty::U64, EventValue::Uid),
            Builtin::Gid => event(self, Ty::U64, EventValue::Gid),
            Builtin::Username => event(self, Ty::Plain(Type::Username), EventValue::Uid),
            Builtin::Comm => event(self, Ty::Plain(Type::Str(COMM_LEN)), EventValue::Comm),
            Builtin::Nsecs => event(self, Ty::U64, EventValue::Nsecs),
            Builtin::Elapsed => Ok(self.elapsed(span)),
            Builtin::Cpu => event(self, Ty::U64, EventValue::Cpu),
            Builtin::Curtask => self.current_task(span),
            Builtin::Cgroup => event(self, Ty::U64, EventValue::Cgroup),
            Builtin::Rand => event(self, Ty::int(4, false), EventValue::Random),
            Builtin::Probe => event(self, Ty::Plain(Type::ProbeName), EventValue::ProbeId),
            Builtin::Func => event(self, Ty::Plain(Type::ProbeFunction), EventValue::ProbeId),
            Builtin::Probetype => Ok(self.probe_type(span)),
            Builtin::Retval if self.body.kinds.contains(&ProbeKind::Fexit) => self.function_result(span),
            Builtin::Retval => {
                event(self, Ty::address(8, false, self.probe_space()), EventValue::ReturnValue)
            }
            Builtin::Arg(number) => self.argument(number, span),
            Builtin::Kstack => Ok(self.kernel_stack(span)),
            Builtin::Ustack => {
                let shape = StackShape { mode: self.settings.stack_mode, limit: DEFAULT_FRAMES };
                event(self, Ty::Plain(Type::UserStack(shape)), EventValue::UserStack)
            }
            Builtin::Ncpus => {
                let kind = ExprKind::IntConstant(IntSource::PossibleCpus);
                Ok(Value::new(Ty::U64, kind, self.location(span)))
            }
            Builtin::Cpid => {
                let kind = ExprKind::IntConstant(IntSource::ChildPid);
                Ok(Value::new(Ty::U64, kind, self.location(span)))
            }
            Builtin::Args if self.body.kinds.contains(&ProbeKind::Tracepoint) => self.whole_record(span),
            Builtin::Args => self.function_arguments(span),
            Builtin::StackArg(number) => {
                let message = format!("`sarg{number}` was removed from the language");
                let hint =
                    format!("read the stack: `*(uint64 *)(reg(\"sp\") + {})`", 8 * (u32::from(number) + 1));
                self.fail(Diagnostic::error(Code::UnknownIdentifier, span, message).with_hint(hint))
            }
            Builtin::Ppid => self.of_task(Function::Ppid, &[], span),
            Builtin::Pcomm => self.of_task(Function::Pcomm, &[], span),
            Builtin::LeaderTid => self.of_task(Function::LeaderTid, &[], span),
            Builtin::LeaderComm => self.of_task(Function::LeaderComm, &[], span),
            Builtin::Numaid => event(self, Ty::int(4, false), EventValue::NumaNode),
            Builtin::Jiffies => event(self, Ty::U64, EventValue::Jiffies),
            Builtin::HasCpid => Ok(self.has_child(span)),
            Builtin::Usermode => Ok(self.user_mode(span)),
            Builtin::DefaultStrLength => {
                let length = u64::from(self.settings.config.max_strlen);
                Ok(Value::literal(Literal::Int(length), self.location(span)))
            }
            Builtin::Ctx => self.raw_context(span),
            Builtin::Config => Ok(self.configuration(span)),
        }
    }

    /// Refuses a builtin in probes that do not have it.
    pub(super) fn require(&mut self, builtin: Builtin, span: Span) -> Checked<()> {
        let probes = match builtin {
            // Its own message says what became of it.
            Builtin::StackArg(_) => ProbeSet::ALL,
            other => other.row().probes,
        };
        let name = match builtin {
            Builtin::Arg(number) => format!("arg{number}"),
            other => other.name().to_owned(),
        };
        self.require_probes(&name, probes, span)
    }

    /// Refuses a name that not all probes of the clause have.
    pub(super) fn require_probes(&mut self, name: &str, probes: ProbeSet, span: Span) -> Checked<()> {
        self.refuse_in_function(name, probes, span)?;
        let Some(kind) = self.body.kinds.iter().find(|kind| !probes.contains(**kind)) else { return Ok(()) };
        let kind = kind.name();
        let able: Vec<&str> = probes.iter().map(ProbeKind::name).collect();
        let message = format!("`{name}` is not available in `{kind}` probes");
        let hint = format!("it is available in {}", able.join(", "));
        self.fail(Diagnostic::error(Code::NotInThisProbe, span, message).with_hint(hint))
    }

    /// Whose memory the addresses that a probe brings mean.
    pub(super) fn probe_space(&self) -> Space {
        match self.body.kinds.first() {
            Some(ProbeKind::Uprobe | ProbeKind::Uretprobe | ProbeKind::Usdt) => Space::User,
            Some(
                ProbeKind::Kprobe
                | ProbeKind::Kretprobe
                | ProbeKind::Fentry
                | ProbeKind::Fexit
                | ProbeKind::Tracepoint
                | ProbeKind::RawTracepoint
                | ProbeKind::Iter,
            ) => Space::Kernel,
            _ => Space::Unknown,
        }
    }

    fn elapsed(&self, span: Span) -> Value {
        let location = self.location(span);
        let part = |kind| Box::new(Expr { kind, ty: Type::U64, location });
        let kind = ExprKind::Binary {
            op: BinaryOp::Sub,
            left: part(ExprKind::Event(EventValue::Nsecs)),
            right: part(ExprKind::IntConstant(IntSource::ElapsedStart)),
        };
        Value::new(Ty::U64, kind, location)
    }

    /// `kstack` in the mode of the settings.
    fn kernel_stack(&mut self, span: Span) -> Value {
        let mode = match self.settings.stack_mode {
            StackMode::BuildId => {
                let message = "build ids are known of user code only; this kernel stack shows addresses";
                self.warn(Code::Clamped, span, message);
                StackMode::Raw
            }
            mode => mode,
        };
        let ty = Type::KernelStack(StackShape { mode, limit: DEFAULT_FRAMES });
        Value::new(Ty::Plain(ty), ExprKind::Event(EventValue::KernelStack), self.location(span))
    }

    /// `usermode`: whether the event met the CPU in user mode. The registers of the event tell; where there are none, a
    /// tracepoint is the kernel's, and what the tool runs itself is its own.
    fn user_mode(&self, span: Span) -> Value {
        let location = self.location(span);
        let part = |kind| Expr { kind, ty: Type::U64, location };
        let known = |number| part(ExprKind::Int(number));
        let (register, mask, user) = match self.catalog.arch() {
            Arch::X86_64 => ("cs", 3, 3),
            Arch::Aarch64 => ("pstate", 0xf, 0),
        };
        let registers = self.catalog.arch().pt_regs().by_name;
        let offset = registers.iter().find(|(name, _)| *name == register).map_or(0, |(_, offset)| *offset);
        let has_registers =
            matches!(self.body.layout, Layout::Uprobe | Layout::Usdt | Layout::Kprobe | Layout::PerfEvent);
        let ty = Ty::int(1, false);
        if !has_registers {
            let own = self.body.layout == Layout::TestRun;
            return Value::new(ty, ExprKind::Int(own.into()), location);
        }
        let register = part(ExprKind::Event(EventValue::Register(offset)));
        let mode = part(binary_kind(BinaryOp::BitAnd, register, known(mask)));
        let is_user = Expr { ty: Type::Bool, ..part(binary_kind(BinaryOp::Equal, mode, known(user))) };
        Value { expr: converted(is_user, ty.lower()), ty, literal: None, span: None }
    }

    /// `has_cpid`: whether the tool started a process.
    fn has_child(&self, span: Span) -> Value {
        let location = self.location(span);
        let part = |kind| Expr { kind, ty: Type::U64, location };
        let left = part(ExprKind::IntConstant(IntSource::ChildPid));
        Value::new(Ty::BOOL, binary_kind(BinaryOp::NotEqual, left, part(ExprKind::Int(0))), location)
    }

    /// `config`: the settings in force.
    fn configuration(&self, span: Span) -> Value {
        let fields = self.settings.values.iter().map(|(key, value)| (Bytes::from(key.name()), value.clone()));
        Value::literal(Literal::Record(fields.collect()), self.location(span))
    }

    /// `ctx`: what the kernel gives the program.
    fn raw_context(&mut self, span: Span) -> Checked<Value> {
        let (name, space) = match self.body.kinds.first() {
            Some(ProbeKind::Profile | ProbeKind::Software | ProbeKind::Hardware | ProbeKind::Watchpoint) => {
                ("bpf_perf_event_data", Space::Context)
            }
            // The kernel's own record of the registers, which lies in its memory like everything else.
            Some(
                ProbeKind::Kprobe
                | ProbeKind::Kretprobe
                | ProbeKind::Uprobe
                | ProbeKind::Uretprobe
                | ProbeKind::Usdt,
            ) => ("pt_regs", Space::Kernel),
            _ => return self.iterator_context(span),
        };
        Ok(self.context_of(name, space, span))
    }

    /// `ctx` of an iterator, and of probes whose context has no type.
    fn iterator_context(&mut self, span: Span) -> Checked<Value> {
        let name = self.body.iterator.clone().unwrap_or_default();
        Ok(self.context_of(&name, Space::Context, span))
    }

    /// The context as a pointer to a structure of the kernel.
    pub(super) fn context_of(&mut self, name: &str, space: Space, span: Span) -> Value {
        let to = self.catalog.tagged(ast::Tag::Struct, name).unwrap_or(Type::Void);
        let ty = Ty::Plain(Type::Pointer { to: Box::new(to), space });
        Value::new(ty, ExprKind::Event(EventValue::Context), self.location(span))
    }

    fn current_task(&mut self, span: Span) -> Checked<Value> {
        let task = self.catalog.tagged(ast::Tag::Struct, "task_struct");
        let to = task.unwrap_or(Type::Void);
        let ty = Ty::Plain(Type::Pointer { to: Box::new(to), space: Space::Kernel });
        Ok(Value::new(ty, ExprKind::Event(EventValue::CurrentTask), self.location(span)))
    }

    /// The type of all probes of the body: there is a body for each.
    fn probe_type(&self, span: Span) -> Value {
        let name = self.body.type_name.unwrap_or_default();
        Value::literal(Literal::Str(name.into()), self.location(span))
    }

    /// `argN`: as many as the machine passes in registers, or as a static probe may have.
    fn argument(&mut self, number: u8, span: Span) -> Checked<Value> {
        let registers = self.registers;
        if self.body.layout != Layout::Usdt && usize::from(number) >= registers {
            let message = format!("only arg0 to arg{} are passed in registers", registers.saturating_sub(1));
            return self.error(Code::NotInThisProbe, span, message);
        }
        let ty = Ty::address(8, false, self.probe_space());
        let kind = ExprKind::Event(EventValue::Argument(number.into()));
        Ok(Value::new(ty, kind, self.location(span)))
    }
}
