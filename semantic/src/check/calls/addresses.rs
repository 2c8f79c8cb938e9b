//! Addresses and ids that become known when the tool starts.

use btaot_abi::Bytes;
use btaot_abi::constants::IntSource;
use btaot_frontend::{Span, ast};
use btaot_grammar::vocabulary::Function;

use super::super::{Checker, convert::converted, ops::binary_kind};
use crate::program::{BinaryOp, EventValue, Expr, ExprKind};
use crate::ty::Ty;
use crate::types::{Int, Space, Type};
use crate::value::{Checked, Stop, Value, int_expr};

/// What each CPU adds to the address of a per-CPU variable (`include/asm-generic/percpu.h`).
const OFFSETS: &str = "__per_cpu_offset";

impl Checker<'_, '_> {
    /// `kaddr(symbol)`.
    pub(super) fn kernel_address(&mut self, arguments: &[ast::Expr], span: Span) -> Checked<Value> {
        let symbol = self.literal_text(&arguments[0], span)?;
        let kind = ExprKind::IntConstant(IntSource::KernelSymbol(Bytes::from(symbol)));
        Ok(Value::new(kernel_pointer(), kind, self.location(span)))
    }

    /// `percpu_kaddr(symbol, cpu)`: null for a CPU that there cannot be.
    pub(super) fn percpu_address(&mut self, arguments: &[ast::Expr], span: Span) -> Checked<Value> {
        let symbol = self.literal_text(&arguments[0], span)?;
        let cpu = match arguments.get(1) {
            None => self.at(ExprKind::Event(EventValue::Cpu), Type::U64, span),
            Some(argument) => {
                let value = self.expr(argument)?;
                if !value.ty.is_integer() {
                    let message = format!("a CPU is a number, not `{}`", self.show(&value.ty));
                    return self.bad_argument_of(span, argument.span, message);
                }
                self.as_address(value).ok_or(Stop::Reported)?
            }
        };
        let location = self.location(span);
        let part = |kind| Expr { kind, ty: Type::U64, location };
        let constant = |source| part(ExprKind::IntConstant(source));
        let known = |number| int_expr(number, Int { size: 8, signed: false }, location);
        let offsets = constant(IntSource::KernelSymbol(Bytes::from(OFFSETS)));
        let place = part(binary_kind(BinaryOp::Mul, cpu.clone(), known(8)));
        let place = part(binary_kind(BinaryOp::Add, offsets, place));
        let pointer = Type::Pointer { to: Box::new(Type::U64), space: Space::Kernel };
        let offset = part(ExprKind::Deref(Box::new(converted(place, pointer))));
        let variable = constant(IntSource::KernelSymbol(Bytes::from(symbol)));
        let address = part(binary_kind(BinaryOp::Add, variable, offset));
        let cpus = constant(IntSource::PossibleCpus);
        let exists = Expr { kind: binary_kind(BinaryOp::Less, cpu, cpus), ty: Type::Bool, location };
        let address = part(ExprKind::Ternary {
            condition: Box::new(exists),
            then: Box::new(address),
            otherwise: Box::new(known(0)),
        });
        let ty = kernel_pointer();
        let expr = converted(address, ty.lower());
        Ok(Value { ty, expr, literal: None, span: None })
    }

    /// `cgroupid(path)`.
    pub(super) fn cgroup_id(&mut self, arguments: &[ast::Expr], span: Span) -> Checked<Value> {
        let path = self.literal_text(&arguments[0], span)?;
        let kind = ExprKind::IntConstant(IntSource::CgroupId(Bytes::from(path)));
        Ok(Value::new(Ty::U64, kind, self.location(span)))
    }

    /// `cgroup_path(id)`.
    pub(super) fn cgroup_path(&mut self, arguments: &[ast::Expr], span: Span) -> Checked<Value> {
        let values = self.arguments(Function::CgroupPath, arguments, span)?;
        let id = values.into_iter().next().ok_or(Stop::Reported)?;
        let id = self.as_address(id).ok_or(Stop::Reported)?;
        let expr = converted(id, Type::CgroupPath);
        Ok(Value { ty: Ty::Plain(Type::CgroupPath), expr, literal: None, span: None })
    }
}

fn kernel_pointer() -> Ty {
    Ty::Plain(Type::Pointer { to: Box::new(Type::U64), space: Space::Kernel })
}
