//! Facts on tasks that the kernel keeps in `struct task_struct`.

use btaot_frontend::{Span, ast};
use btaot_grammar::vocabulary::Function;

use super::super::Checker;
use super::super::convert::converted;
use crate::ty::Ty;
use crate::types::{Int, Type};
use crate::value::{Checked, Value};

impl Checker<'_, '_> {
    /// `ppid()` and its kin: of a task, or of the current one.
    pub(in crate::check) fn of_task(
        &mut self,
        function: Function,
        arguments: &[ast::Expr],
        span: Span,
    ) -> Checked<Value> {
        if let Some(task) = arguments.first() {
            let value = self.expr(task)?;
            let is_task = match value.ty.as_pointer() {
                Some((Type::Struct(id), _)) => self.catalog.name_of(*id) == "struct task_struct",
                _ => false,
            };
            if !is_task {
                let message = format!(
                    "`{}()` takes a `struct task_struct *`, not `{}`",
                    function.name(),
                    self.show(&value.ty)
                );
                return self.bad_argument_of(span, task.span, message);
            }
        }
        let (relative, number) = match function {
            Function::Ppid => ("real_parent", Some("tgid")),
            Function::Pcomm => ("real_parent", None),
            Function::LeaderTid => ("group_leader", Some("pid")),
            _ => ("group_leader", None),
        };
        let at = |kind| ast::Expr { kind, span };
        let task = match arguments.first() {
            Some(task) => task.clone(),
            None => at(ast::ExprKind::Ident("curtask".into())),
        };
        let field = |base: ast::Expr, name: &str| {
            let field = ast::Name { text: name.into(), span };
            at(ast::ExprKind::Field { base: Box::new(base), field, arrow: true })
        };
        let other = field(task, relative);
        match number {
            Some(number) => {
                let value = self.expr(&field(other, number))?;
                let expr = converted(value.expr, Type::Int(Int { size: 4, signed: false }));
                Ok(Value { ty: Ty::int(4, false), expr, literal: None, span: None })
            }
            None => self.str(&[field(other, "comm")], span),
        }
    }
}
