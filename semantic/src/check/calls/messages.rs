//! Functions that make a message of a format and values, as `printf` does.

use btaot_frontend::{Span, ast};
use btaot_grammar::vocabulary::Function;

use super::super::Checker;
use crate::value::Checked;

/// Most values of `debugf`: `bpf_trace_printk` takes no more.
const MAX_DEBUG_VALUES: usize = 3;

impl Checker<'_, '_> {
    /// `errorf`, `warnf`, `cat` and `system`.
    pub(super) fn formatted_message(
        &mut self,
        function: Function,
        arguments: &[ast::Expr],
        span: Span,
    ) -> Checked<()> {
        self.formatted(arguments, span)?;
        self.later(span, &format!("`{}()`", function.name()));
        Ok(())
    }

    /// `debugf`: what the kernel's own formatting knows.
    pub(super) fn debugf(&mut self, arguments: &[ast::Expr], span: Span) -> Checked<()> {
        let (format, values) = self.formatted(arguments, span)?;
        if values.len() > MAX_DEBUG_VALUES {
            let message = format!("the kernel prints at most {MAX_DEBUG_VALUES} values");
            return self.bad_argument_of(span, arguments[MAX_DEBUG_VALUES + 1].span, message);
        }
        let mut rest = format.as_slice();
        while let Some(at) = rest.iter().position(|byte| *byte == b'%') {
            let end = rest[at + 1..]
                .iter()
                .position(|byte| !byte.is_ascii_digit())
                .map_or(rest.len(), |n| at + 1 + n);
            let length = rest[end.min(rest.len())..].iter().take_while(|byte| **byte == b'l').count();
            let conversion = rest.get(end + length).copied().unwrap_or(b'%');
            if !b"%sdiuxp".contains(&conversion) {
                let message = format!("the kernel's own formatting has no `%{}`", char::from(conversion));
                return self.bad_argument_of(span, arguments[0].span, message);
            }
            rest = rest.get(end + length + 1..).unwrap_or_default();
        }
        self.later(span, "`debugf()`");
        Ok(())
    }

    /// `join`: an array of texts, and what stands between them.
    pub(super) fn join(&mut self, arguments: &[ast::Expr], span: Span) -> Checked<()> {
        self.uncompiled(Function::Join, arguments, span)?;
        Ok(())
    }

    /// `assert_str`: refuses what is not like a text.
    pub(super) fn assert_str(&mut self, arguments: &[ast::Expr], span: Span) -> Checked<()> {
        let value = self.expr(&arguments[0])?;
        if !super::arguments::is_text(&value.ty) {
            let message = format!("this must be a text, and is `{}`", self.show(&value.ty));
            return self.bad_argument_of(span, arguments[0].span, message);
        }
        Ok(())
    }
}
