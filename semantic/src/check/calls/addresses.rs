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

    /// `uaddr(symbol)`: the traced function knows where it runs, and the tool how far the symbol is from there.
    pub(super) fn user_address(&mut self, arguments: &[ast::Expr], span: Span) -> Checked<Value> {
        let symbol = self.literal_text(&arguments[0], span)?;
        let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"./_-".contains(byte);
        if symbol.is_empty() || !symbol.iter().all(is_plain) {
            let message = format!("`{}` is no name of a symbol", String::from_utf8_lossy(&symbol));
            return self.bad_argument_of(span, arguments[0].span, message);
        }
        let known = self.body.place.as_ref().map(|place| self.catalog.symbol_size(&place.path, &symbol));
        let size = match known.flatten() {
            Some(size @ (1 | 2 | 4)) => size as u32,
            _ => 8,
        };
        let to = Box::new(Type::Int(Int { size, signed: false }));
        let ty = Ty::Plain(Type::Pointer { to, space: Space::User });
        if known.is_none() {
            self.later(
                span,
                "`uaddr()` in a probe that is not at the entry of just one function of one program",
            );
            return Ok(self.placeholder(ty, span));
        }
        let location = self.location(span);
        let part = |kind| Expr { kind, ty: Type::U64, location };
        let offset = self.catalog.arch().pt_regs().instruction_pointer;
        let here = part(ExprKind::Event(EventValue::Register(offset)));
        let source = IntSource::UserSymbol { program: self.body.id, name: Bytes::from(symbol), size };
        let distance = part(ExprKind::IntConstant(source));
        let expr = converted(part(binary_kind(BinaryOp::Add, here, distance)), ty.lower());
        Ok(Value { ty, expr, literal: None, span: None })
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

    /// `cgroup_path(id)`, `cgroup_path(id, filter)`.
    pub(super) fn cgroup_path(&mut self, arguments: &[ast::Expr], span: Span) -> Checked<Value> {
        let values = self.arguments(Function::CgroupPath, arguments, span)?;
        let id = values.into_iter().next().ok_or(Stop::Reported)?;
        let id = self.as_address(id).ok_or(Stop::Reported)?;
        let filter = match arguments.get(1) {
            Some(filter) => self.literal_text(filter, span)?,
            None => b"*".to_vec(),
        };
        let ty = Type::CgroupPath(filter.into());
        Ok(Value { ty: Ty::Plain(ty.clone()), expr: converted(id, ty), literal: None, span: None })
    }
}

fn kernel_pointer() -> Ty {
    Ty::Plain(Type::Pointer { to: Box::new(Type::U64), space: Space::Kernel })
}
