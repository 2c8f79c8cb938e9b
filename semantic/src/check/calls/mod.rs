//! Calls: which function is meant, whether it may be called so, and its value or effect.

mod addresses;
mod aggregate;
mod arguments;
mod c_code;
mod effects;
mod known;
mod maps;
mod messages;
mod names;
mod objects;
mod options;
mod others;
mod output;
mod pinned;
mod tasks;
mod text;
mod texts;

use btaot_frontend::{Code, Diagnostic, Span, ast};
use btaot_grammar::vocabulary::{Builtin, Function, Safety, ValueKind};

use super::Checker;
use crate::probes::did_you_mean;
use crate::program::{EventValue, Stmt, StmtKind};
use crate::structs::Named;
use crate::ty::Ty;
use crate::types::Space;
use crate::value::{Checked, Stop, Value};

pub(super) use options::NamedOption;

impl Checker<'_, '_> {
    /// A call that stands as a statement. False: it is an expression like others, to be discarded.
    pub(super) fn call_statement(
        &mut self,
        expr: &ast::Expr,
        name: &ast::Name,
        arguments: &[ast::Expr],
        out: &mut Vec<Stmt>,
    ) -> bool {
        if self.is_script_function(&name.text) {
            let value = self.call_script_function(name, arguments, expr.span);
            if let Some(value) = self.settle(value, expr.span) {
                self.push(out, StmtKind::Discard(value.expr), expr.span);
            }
            return true;
        }
        let Some(function) = Function::lookup(&name.text) else { return false };
        if function.row().value != ValueKind::Void && function != Function::Delete {
            return false;
        }
        let span = expr.span;
        if self.admit(function, arguments, span).is_err() {
            return true;
        }
        let done = match function {
            Function::Printf => self.printf(arguments, span, out),
            Function::Print => self.print(arguments, span, out),
            Function::Time => self.time(arguments, span, out),
            Function::Exit => self.exit(arguments, span, out),
            Function::Unwatch => self.unwatch(arguments, span, out),
            Function::Clear | Function::Zero => self.clear_or_zero(function, arguments, span, out),
            Function::Delete => self.delete(arguments, span, out),
            Function::StaticAssert => self.static_assert(arguments, span),
            Function::Fail => self.failure(arguments, span),
            Function::Errorf | Function::Warnf | Function::Cat | Function::System => {
                self.formatted_message(function, arguments, span, out)
            }
            Function::Debugf => self.debugf(arguments, span, out),
            Function::Join => self.join(arguments, span, out),
            Function::Signal | Function::SignalThread | Function::Override => {
                self.plain_effect(function, arguments, span, out)
            }
            Function::AssertStr => self.assert_str(arguments, span),
            other => self.uncompiled(other, arguments, span).map(|_| ()),
        };
        self.settle(done, span);
        true
    }

    /// A call for its value.
    pub(super) fn call(
        &mut self,
        expr: &ast::Expr,
        name: &ast::Name,
        arguments: &[ast::Expr],
    ) -> Checked<Value> {
        let span = expr.span;
        if self.is_script_function(&name.text) {
            return self.call_script_function(name, arguments, span);
        }
        if arguments.is_empty()
            && let Some(builtin) = Builtin::lookup(&name.text)
        {
            return self.builtin(builtin, span);
        }
        match Function::lookup(&name.text) {
            Some(function) => self.call_of(function, expr, name, arguments),
            None => self.function_of_script(name, arguments, span),
        }
    }

    fn call_of(
        &mut self,
        function: Function,
        expr: &ast::Expr,
        name: &ast::Name,
        arguments: &[ast::Expr],
    ) -> Checked<Value> {
        let span = expr.span;
        self.admit(function, arguments, span)?;
        match function {
            function if function.row().value == ValueKind::Void => {
                let mut effects = Vec::new();
                self.call_statement(expr, name, arguments, &mut effects);
                if function == Function::Fail {
                    return Err(Stop::Reported);
                }
                Ok(self.only_effects(effects, span))
            }
            Function::Delete => self.deleted(arguments, span),
            Function::Count
            | Function::Sum
            | Function::Avg
            | Function::Min
            | Function::Max
            | Function::Stats
            | Function::Hist
            | Function::Lhist
            | Function::Tseries => self.misplaced_aggregation(function, span),
            Function::HasKey => self.has_key(arguments, span),
            Function::Len => self.len(arguments, span),
            Function::Str => self.str(arguments, span),
            Function::Buf => self.buf(arguments, span),
            Function::Ksym => self.kernel_symbol(arguments, span),
            Function::Usym => self.user_symbol(arguments, span),
            Function::Kstack => self.stack(function, arguments, span),
            Function::Ustack => self.stack(function, arguments, span),
            Function::Kptr => self.in_memory_of(function, Space::Kernel, arguments, span),
            Function::Uptr => self.in_memory_of(function, Space::User, arguments, span),
            Function::Nsecs => self.clock(arguments, span),
            Function::Pid => self.id_in(EventValue::Pid, arguments, span),
            Function::Tid => self.id_in(EventValue::Tid, arguments, span),
            Function::IsStr
            | Function::IsPtr
            | Function::IsArray
            | Function::IsInteger
            | Function::IsUnsignedInteger
            | Function::IsLiteral => self.is_kind(function, arguments, span),
            Function::KfuncExist | Function::KfuncAllowed => self.kernel_function(function, arguments, span),
            Function::Strftime => self.strftime(arguments, span),
            Function::Ntop => self.ntop(arguments, span),
            Function::Find => self.find_entry(arguments, span),
            Function::Getopt => self.getopt(arguments, span),
            Function::ContainerOf => self.container_of(arguments, span),
            other => self.call_on_values(other, arguments, span),
        }
    }

    /// A call whose arguments are ordinary values.
    fn call_on_values(&mut self, function: Function, arguments: &[ast::Expr], span: Span) -> Checked<Value> {
        match function {
            Function::Path => self.path(arguments, span),
            Function::SocketCookie => self.socket_cookie(arguments, span),
            Function::Skboutput => self.packet_output(arguments, span),
            Function::Strlen => self.strlen(arguments, span),
            Function::Strcap => self.strcap(arguments, span),
            Function::Strncmp => self.strncmp(arguments, span),
            Function::Strstr | Function::Strcontains => self.find_text(function, arguments, span),
            Function::StrConcat => self.concatenated(arguments, span),
            Function::Memcmp => self.memcmp(arguments, span),
            Function::WriteUser => self.write_user(arguments, span),
            Function::Reg => self.register(arguments, span),
            Function::Kaddr => self.kernel_address(arguments, span),
            Function::Uaddr => self.user_address(arguments, span),
            Function::PercpuKaddr => self.percpu_address(arguments, span),
            Function::Cgroupid => self.cgroup_id(arguments, span),
            Function::CgroupPath => self.cgroup_path(arguments, span),
            Function::Bswap => self.bswap(arguments, span),
            Function::IsErr => self.is_err(arguments, span),
            Function::Strerror | Function::SignalName | Function::SyscallName => {
                self.name_of(function, arguments, span)
            }
            Function::Macaddr => self.macaddr(arguments, span),
            Function::Pton => self.pton(arguments, span),
            Function::Ppid | Function::Pcomm | Function::LeaderTid | Function::LeaderComm => {
                self.of_task(function, arguments, span)
            }
            Function::DwUstack => {
                self.stack(Function::Ustack, arguments, span)?;
                self.uncompiled(function, &[], span)
            }
            // All others are checked by their rows of the vocabulary, and refused when they are compiled.
            other => self.uncompiled(other, arguments, span),
        }
    }

    fn misplaced_aggregation(&mut self, function: Function, span: Span) -> Checked<Value> {
        let message = format!("`{}()` is only the value of a map", function.name());
        let error = Diagnostic::error(Code::AggregationMisused, span, message);
        self.fail(error.with_hint(format!("assign it to one: `@x = {}(…)`", function.name())))
    }

    /// A call of what is no function of the language.
    fn function_of_script(
        &mut self,
        name: &ast::Name,
        arguments: &[ast::Expr],
        span: Span,
    ) -> Checked<Value> {
        let imports = self.c_imports;
        let known = imports.iter().flat_map(|import| import.functions.iter().flatten());
        if let Some(function) = known.into_iter().find(|function| function.name == name.text) {
            return self.c_function(function, arguments, span);
        }
        if imports.iter().any(|import| import.functions.is_none()) {
            // It may be one of a file that nobody could look into.
            let checked: Vec<Checked<Value>> = arguments.iter().map(|argument| self.expr(argument)).collect();
            checked.into_iter().collect::<Checked<Vec<Value>>>()?;
            return Ok(self.placeholder(Ty::I64, span));
        }
        self.unknown_function(name, span)
    }

    fn unknown_function(&mut self, name: &ast::Name, span: Span) -> Checked<Value> {
        let message = format!("there is no function `{}`", name.text);
        let own = self.functions.names().map(str::to_owned);
        let names = Function::names().chain(Builtin::names()).map(str::to_owned);
        let names: Vec<String> = own.chain(names).collect();
        let hint = match self.catalog.named(&name.text) {
            Some(Named::Define(_)) => Some(format!(
                "a #define with parameters cannot be called: write `macro {}(…) {{ … }}`",
                name.text
            )),
            _ => did_you_mean(&name.text, names.iter().map(String::as_str)),
        };
        self.fail(Diagnostic::error(Code::UnknownFunction, span, message).with_hint_opt(hint))
    }

    /// Checks what the vocabulary says of a function: safety, probes, number of arguments.
    fn admit(&mut self, function: Function, arguments: &[ast::Expr], span: Span) -> Checked<()> {
        let row = function.row();
        if row.safety == Safety::Unsafe && !self.allow_unsafe {
            let message = format!("`{}()` changes the traced system", row.name);
            let error = Diagnostic::error(Code::UnsafeFunction, span, message);
            return self.fail(error.with_hint("compile with --unsafe to allow it"));
        }
        self.require_probes(&format!("{}()", row.name), row.probes, span)?;
        self.refuse_if_pinned(function, span)?;
        let (least, most) = row.arity();
        if (least..=most).contains(&arguments.len()) {
            return Ok(());
        }
        let message = format!("`{}` takes {}, not {}", row.name, counted(least, most), arguments.len());
        let error = Diagnostic::error(Code::WrongArgumentCount, span, message);
        self.fail(error.with_hint(format!("its form is `{}`", row.signature())))
    }

    /// Reports that an argument does not suit.
    pub(in crate::check) fn bad_argument_of<T>(
        &mut self,
        span: Span,
        argument: Span,
        message: impl Into<String>,
    ) -> Checked<T> {
        let error = Diagnostic::error(Code::BadArgument, span, message);
        let error = if argument == span { error } else { error.with_secondary(argument, "this argument") };
        self.fail(error)
    }

    /// A text that must be written out: it is part of the tool.
    fn literal_text(&mut self, argument: &ast::Expr, span: Span) -> Checked<Vec<u8>> {
        if let ast::ExprKind::Str(text) = &argument.kind {
            return Ok(text.clone());
        }
        let value = self.expr(argument)?;
        match value.known_str() {
            Some(text) => Ok(text.to_vec()),
            None => {
                let message = "this argument must be a text that is known while compiling";
                let error = Diagnostic::error(Code::NotConstant, span, message);
                self.fail(error.with_secondary(argument.span, "this argument"))
            }
        }
    }

    /// An integer that must be known while compiling.
    fn literal_int(&mut self, argument: &ast::Expr, span: Span) -> Checked<u64> {
        let value = self.expr(argument)?;
        match value.known_int() {
            Some(number) => Ok(number),
            None => {
                let message = "this argument must be a constant that is not negative";
                let error = Diagnostic::error(Code::NotConstant, span, message);
                self.fail(error.with_secondary(argument.span, "this argument"))
            }
        }
    }
}

fn counted(least: usize, most: usize) -> String {
    let arguments = |count: usize| match count {
        0 => "no arguments".to_owned(),
        1 => "one argument".to_owned(),
        count => format!("{count} arguments"),
    };
    match (least, most) {
        (least, most) if least == most => arguments(least),
        (0, most) => format!("at most {}", arguments(most)),
        (least, btaot_grammar::vocabulary::MAX_ARGUMENTS) => format!("at least {}", arguments(least)),
        (least, most) => format!("{least} to {}", arguments(most)),
    }
}
