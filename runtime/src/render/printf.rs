//! `printf`: formats are taken apart when the tool starts, and rendered for each event.

use btaot_abi::format::{self, Conversion, ConversionKind, FormatError, Piece};
use btaot_abi::metadata::{Argument, Printf};
use btaot_abi::value::ValueType;
use thiserror::Error;

use super::context::Context;
use super::decode::{self, ShortValue, Value};
use super::number::{self, Case};
use super::text;

/// Why a `printf` of the metadata cannot be rendered. The compiler checks formats, so these are mistakes of
/// this program.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum TemplateError {
    /// The format is not one.
    #[error("{0}")]
    Format(#[from] FormatError),
    /// Conversions and arguments do not pair up.
    #[error("{conversions} conversions for {arguments} arguments")]
    Count {
        /// Conversions of the format.
        conversions: usize,
        /// Arguments given.
        arguments: usize,
    },
    /// A conversion wants another type.
    #[error("conversion {index} wants an integer")]
    Type {
        /// Its number, from 0.
        index: usize,
    },
    /// An argument reaches past the end of its record.
    #[error("argument {index} reaches past the end of its record")]
    Outside {
        /// Its number, from 0.
        index: usize,
    },
}

/// A format joined with its arguments.
#[derive(Debug)]
pub struct Template<'m> {
    steps: Vec<Step<'m>>,
}

#[derive(Debug)]
enum Step<'m> {
    Literal(Vec<u8>),
    Convert(Conversion, &'m Argument),
}

impl<'m> Template<'m> {
    /// Takes a format apart and checks it against its arguments.
    pub fn new(printf: &'m Printf) -> Result<Self, TemplateError> {
        let pieces = format::parse(&printf.format)?;
        let conversions = pieces.iter().filter(|piece| matches!(piece, Piece::Conversion(_))).count();
        if conversions != printf.arguments.len() {
            return Err(TemplateError::Count { conversions, arguments: printf.arguments.len() });
        }
        let mut arguments = printf.arguments.iter().enumerate();
        let mut steps = Vec::with_capacity(pieces.len());
        for piece in pieces {
            steps.push(match piece {
                Piece::Literal(text) => Step::Literal(text),
                Piece::Conversion(conversion) => {
                    // There are as many arguments as conversions.
                    let Some((index, argument)) = arguments.next() else { break };
                    check(index, &conversion, argument, printf.size)?;
                    Step::Convert(conversion, argument)
                }
            });
        }
        Ok(Self { steps })
    }

    /// Appends the text of a record.
    pub fn render(
        &self,
        out: &mut Vec<u8>,
        context: &mut Context<'_>,
        record: &[u8],
    ) -> Result<(), ShortValue> {
        for step in &self.steps {
            match step {
                Step::Literal(text) => out.extend_from_slice(text),
                Step::Convert(conversion, argument) => {
                    let bytes = record.get(argument.offset as usize..).unwrap_or_default();
                    let value = Value::read(&argument.ty, bytes)?;
                    convert(out, context, conversion, &value);
                }
            }
        }
        Ok(())
    }
}

fn check(index: usize, conversion: &Conversion, argument: &Argument, size: u32) -> Result<(), TemplateError> {
    use ConversionKind::{Raw, RawDigits, RawHex, Text};
    let fits = match conversion.kind {
        Text => true,
        Raw | RawHex | RawDigits => matches!(argument.ty, ValueType::Buf { .. }),
        _ => decode::is_integer(&argument.ty),
    };
    if !fits {
        return Err(TemplateError::Type { index });
    }
    let end = argument.offset.checked_add(argument.ty.size());
    if end.is_none_or(|end| end > size) { Err(TemplateError::Outside { index }) } else { Ok(()) }
}

/// Appends one converted argument.
fn convert(out: &mut Vec<u8>, context: &mut Context<'_>, conversion: &Conversion, value: &Value<'_>) {
    let start = out.len();
    // Bytes at the start, such as a sign, that zeros are put behind.
    let mut prefix = 0;
    match (conversion.kind, value) {
        (ConversionKind::Text, _) => text::value(out, context, value),
        (ConversionKind::Raw, Value::Buf(bytes)) => text::printable(out, bytes),
        (ConversionKind::RawHex, Value::Buf(bytes)) => bytes.iter().for_each(|&b| text::escaped(out, b)),
        (ConversionKind::RawDigits, Value::Buf(bytes)) => {
            for (index, &byte) in bytes.iter().enumerate() {
                if index > 0 {
                    out.push(b' ');
                }
                number::hex_byte(out, byte, Case::Lower);
            }
        }
        (ConversionKind::AllocationFlags, value) => {
            context.allocation_flags().append(out, value.integer().unwrap_or(0));
        }
        // `check` has seen to it that the value is an integer.
        (_, value) => prefix = integer(out, conversion, value.integer().unwrap_or(0)),
    }
    let missing = conversion.width.saturating_sub(out.len() - start);
    if missing > 0 {
        pad(out, conversion, start, prefix, missing);
    }
}

/// Appends an integer without padding; returns the length of its sign or base prefix.
fn integer(out: &mut Vec<u8>, conversion: &Conversion, value: u64) -> usize {
    let start = out.len();
    let value = if conversion.bits < 64 { value & ((1 << conversion.bits) - 1) } else { value };
    let (magnitude, prefix): (u64, &[u8]) = match conversion.kind {
        ConversionKind::Signed => {
            let signed = (value << (64 - conversion.bits)) as i64 >> (64 - conversion.bits);
            let sign: &[u8] = match signed {
                ..0 => b"-",
                _ if conversion.plus => b"+",
                _ if conversion.space => b" ",
                _ => b"",
            };
            (signed.unsigned_abs(), sign)
        }
        ConversionKind::Char => {
            out.push(value as u8);
            return 0;
        }
        ConversionKind::Pointer if value != 0 => (value, b"0x"),
        ConversionKind::HexLower if conversion.alternate && value != 0 => (value, b"0x"),
        ConversionKind::HexUpper if conversion.alternate && value != 0 => (value, b"0X"),
        _ => (value, b""),
    };
    out.extend_from_slice(prefix);
    let digits = out.len();
    match conversion.kind {
        // As in C, zero without any digit asked for has none.
        _ if magnitude == 0 && conversion.precision == Some(0) => {}
        ConversionKind::Octal => number::binary_base(out, magnitude, 3, Case::Lower),
        ConversionKind::HexLower | ConversionKind::Pointer => number::hex(out, magnitude),
        ConversionKind::HexUpper => number::binary_base(out, magnitude, 4, Case::Upper),
        _ => number::unsigned(out, magnitude),
    }
    let mut least = conversion.precision.unwrap_or(0);
    if conversion.kind == ConversionKind::Octal && conversion.alternate && out.get(digits) != Some(&b'0') {
        least = least.max(out.len() - digits + 1);
    }
    let missing = least.saturating_sub(out.len() - digits);
    insert(out, digits, missing, b'0');
    digits - start
}

/// Brings what stands from `start` on to the width that was asked for.
fn pad(out: &mut Vec<u8>, conversion: &Conversion, start: usize, prefix: usize, missing: usize) {
    let digits_given = conversion.precision.is_some()
        && !matches!(
            conversion.kind,
            ConversionKind::Text
                | ConversionKind::Char
                | ConversionKind::AllocationFlags
                | ConversionKind::Pointer
        );
    if conversion.left {
        out.resize(out.len() + missing, b' ');
    } else if conversion.zero && !digits_given {
        insert(out, start + prefix, missing, b'0');
    } else {
        insert(out, start, missing, b' ');
    }
}

fn insert(out: &mut Vec<u8>, at: usize, count: usize, byte: u8) {
    if count > 0 {
        let end = out.len();
        out.resize(end + count, byte);
        out.copy_within(at..end, at + count);
        out[at..at + count].fill(byte);
    }
}
