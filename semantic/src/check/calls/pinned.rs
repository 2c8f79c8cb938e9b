//! Iterators that are pinned to a file. Who reads the file runs the program and gets what it writes, formatted by the
//! kernel; the tool has ended by then, so nothing can be left to it.

use btaot_abi::format::{Conversion, ConversionKind, Piece, parse};
use btaot_frontend::{Code, Diagnostic, Span, ast};
use btaot_grammar::vocabulary::Function;

use super::super::Checker;
use crate::program::Expr;
use crate::types::Type;
use crate::value::Checked;

impl Checker<'_, '_> {
    /// Refuses, in a pinned iterator, what the tool does when a program asks for it.
    pub(super) fn refuse_if_pinned(&mut self, function: Function, span: Span) -> Checked<()> {
        if !self.body.pinned || !is_done_by_the_tool(function) {
            return Ok(());
        }
        let message =
            format!("`{}()` needs the tool, which has ended when a pinned iterator is read", function.name());
        let error = Diagnostic::error(Code::NotInThisProbe, span, message);
        self.fail(error.with_hint("use `printf()`, or leave out the file of the iterator"))
    }

    /// Refuses formats and values of `printf` that the kernel cannot show by itself. `places` are the call and its
    /// arguments.
    pub(super) fn refuse_unformattable(
        &mut self,
        format: &[u8],
        values: &[Expr],
        (span, arguments): (Span, &[ast::Expr]),
    ) -> Checked<()> {
        // A bad format was refused before.
        let pieces = parse(format).unwrap_or_default();
        let mut values = values.iter().zip(&arguments[1..]);
        for piece in pieces {
            let problem = match piece {
                Piece::Literal(text) => text
                    .iter()
                    .any(|byte| !matches!(byte, b' '..=b'~' | b'\t'..=b'\r'))
                    .then(|| (arguments[0].span, "shows ASCII text only".to_owned())),
                Piece::Conversion(conversion) => {
                    let Some((value, argument)) = values.next() else { break };
                    let shown = String::from_utf8_lossy(&format[conversion.span.0..conversion.span.1]);
                    let has = has_conversion(conversion);
                    let fits = has && (conversion.kind != ConversionKind::Text || is_text(&value.ty));
                    let problem = match has {
                        true => {
                            format!("shows texts and numbers only: `{shown}` of this value is the tool's")
                        }
                        false => format!("has no conversion `{shown}`"),
                    };
                    (!fits).then_some((argument.span, problem))
                }
            };
            if let Some((at, problem)) = problem {
                let message = format!("a pinned iterator is formatted by the kernel, which {problem}");
                return self.bad_argument_of(span, at, message);
            }
        }
        Ok(())
    }
}

/// Whether a call leaves its work to the tool.
fn is_done_by_the_tool(function: Function) -> bool {
    matches!(
        function,
        Function::Print
            | Function::Time
            | Function::Join
            | Function::Cat
            | Function::System
            | Function::Errorf
            | Function::Warnf
            | Function::Exit
            | Function::Unwatch
            | Function::Clear
            | Function::Zero
            | Function::Skboutput
    )
}

/// What `bpf_seq_printf` has of the language's conversions since Linux 5.10.
fn has_conversion(conversion: Conversion) -> bool {
    let plain = !conversion.alternate && conversion.precision.is_none();
    let has = match conversion.kind {
        ConversionKind::Signed
        | ConversionKind::Unsigned
        | ConversionKind::HexLower
        | ConversionKind::Char
        | ConversionKind::Text => true,
        // Written as a number behind `0x`, which padding would part.
        ConversionKind::Pointer => conversion.width == 0,
        ConversionKind::Octal
        | ConversionKind::HexUpper
        | ConversionKind::Raw
        | ConversionKind::RawHex
        | ConversionKind::RawDigits
        | ConversionKind::AllocationFlags => false,
    };
    plain && has
}

fn is_text(ty: &Type) -> bool {
    matches!(ty, Type::Str(_))
}
